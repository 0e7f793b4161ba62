/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "guest-init/loop.h"
#include "guest-init/protocol.h"

/* Serialised frames wait here until the port takes them; filled only while below the mark. */
#define FG_PORT_TX_MARK (256u * 1024)
#define FG_PORT_TX_MAX  (1024u * 1024)

/*
 * The guest's end of the virtio-serial port. The host may be away at any time: nothing is lost by
 * that, since everything sent is kept elsewhere until acknowledged, and a SYNC starts afresh.
 */
struct fg_port {
        struct fg_source source;
        struct fg_source listener; /* of a pod: whoever connects is the host from then on */
        struct fg_loop *loop;
        struct fg_parser parser;
        struct fg_buf tx;
        void (*frame)(struct fg_port *p, const struct fg_frame *f); /* one arrived */
};

/** fg_port_open() - find the port by its name, wait for it for at most some seconds */
int fg_port_open(struct fg_port *p, struct fg_loop *loop, struct fg_error *err);
/** fg_port_restart() - drop what was to be sent and answer a SYNC */
void fg_port_restart(struct fg_port *p, const struct fg_frame *sync);
static inline bool fg_port_wants_more(const struct fg_port *p)
{
        return p->tx.len < FG_PORT_TX_MARK;
}
/** fg_port_write() - pass on as much of tx as the port takes. Return: true if it took any */
bool fg_port_write(struct fg_port *p);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * Published ports for an ordinary user: connections that come to a socket of the host are carried
 * into the VPC. One thread per task; it is in the VPC's namespace, so what it connects is, too.
 */
struct fg_forward;

struct fg_forward_port {
        int listener; /* listens, does not block; stays the caller's */
        struct sockaddr_in to;
};

/** fg_forward_new() - from now on, until fg_forward_free(), which cuts what is open. */
int fg_forward_new(int ns, const struct fg_forward_port *ports, size_t n, struct fg_forward **ret,
                   struct fg_error *err);
void fg_forward_free(struct fg_forward *f);
FG_DEFINE_CLEANUP(struct fg_forward *, fg_forward_free)

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/cleanup.h"
#include "core/error.h"
#include "net/address.h"

/*
 * The kernel's table of connections, by ctnetlink. Like fg_rtnl, it belongs to the network
 * namespace of the thread that opened it. One thread at a time.
 */
struct fg_conntrack;

/* Who a connection is with. With a port: only what arrives there, translated or not. */
struct fg_conntrack_end {
        struct fg_ip ip;
        uint8_t protocol;
        uint16_t port; /* 0: all that have the address at either end */
};

int fg_conntrack_new(struct fg_conntrack **ret, struct fg_error *err);
void fg_conntrack_free(struct fg_conntrack *ct);
FG_DEFINE_CLEANUP(struct fg_conntrack *, fg_conntrack_free)

/** fg_conntrack_forget() - every connection with one of @ends. */
int fg_conntrack_forget(struct fg_conntrack *ct, const struct fg_conntrack_end *ends, size_t n,
                        struct fg_error *err);

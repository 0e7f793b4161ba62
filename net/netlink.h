/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <libmnl/libmnl.h>

#include "core/error.h"

/*
 * A netlink socket and whole exchanges on it. It belongs to the network namespace of the thread
 * that opened it, for its life. One thread at a time.
 */
struct fg_netlink {
        struct mnl_socket *socket;
        unsigned seq, port;
};

#define FG_NETLINK_MAX 1024 /* the longest that is sent */

int fg_netlink_open(struct fg_netlink *nl, int bus, const char *what, struct fg_error *err);
void fg_netlink_close(struct fg_netlink *nl); /* safe on a zeroed one */
/** fg_netlink_talk() - send, and read until the answer is complete. Return: 0, or -1 with errno. */
int fg_netlink_talk(struct fg_netlink *nl, struct nlmsghdr *nlh, mnl_cb_t fn, void *userdata);

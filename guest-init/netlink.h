/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/*
 * rtnetlink by hand: one request at a time, each acknowledged by the kernel. What is put into a
 * message has sizes that are known here, so that one without room is a mistake of ours.
 */
#define FG_NETLINK_MAX 1024
#define FG_MAC_LEN     6
#define FG_MAC_TEXT    18 /* bytes of "02:00:00:00:00:01" */

struct fg_netlink {
        _Alignas(4) unsigned char data[FG_NETLINK_MAX];
        size_t len;
};

/** fg_netlink_begin() - @body: the fixed part of a message of @type, as struct ifinfomsg */
void fg_netlink_begin(struct fg_netlink *m, uint16_t type, uint16_t flags, const void *body,
                      size_t len);
void fg_netlink_put(struct fg_netlink *m, uint16_t attribute, const void *data, size_t len);
void fg_netlink_put_u32(struct fg_netlink *m, uint16_t attribute, uint32_t value);
void fg_netlink_put_str(struct fg_netlink *m, uint16_t attribute, const char *value);
/** fg_netlink_nest() - begin an attribute made of attributes. Return: for fg_netlink_nest_end() */
size_t fg_netlink_nest(struct fg_netlink *m, uint16_t attribute);
/** fg_netlink_nest_raw() - the same with a fixed part before the attributes */
size_t fg_netlink_nest_raw(struct fg_netlink *m, uint16_t attribute, const void *body, size_t len);
void fg_netlink_nest_end(struct fg_netlink *m, size_t nest);

/** fg_netlink_open() - a socket in the network namespace of the caller. Return: it, or -1 */
int fg_netlink_open(struct fg_error *err);
/** fg_netlink_talk() - send @m and wait for the kernel's answer; -1: errno's code, err->sys set */
int fg_netlink_talk(int fd, struct fg_netlink *m, struct fg_error *err);

struct fg_netlink_link {
        int index;
        char name[IF_NAMESIZE];
        unsigned char mac[FG_MAC_LEN]; /* zero when it has none of this length */
};

/**
 * fg_netlink_parse_link() - one message of an answer to RTM_GETLINK
 * Return: its length, aligned, to go on to the next; 0 at the end of @data; -1: INVALID
 * @ret: index 0 when the message is of another kind; @ret_last: becomes true when there is no more
 */
long fg_netlink_parse_link(const void *data, size_t len, struct fg_netlink_link *ret,
                           bool *ret_last, struct fg_error *err);
/** fg_netlink_find() - the interface with this MAC. Return: 1, 0 when there is none, -1 */
int fg_netlink_find(int fd, const unsigned char mac[FG_MAC_LEN], struct fg_netlink_link *ret,
                    struct fg_error *err);
void fg_mac_text(const unsigned char mac[FG_MAC_LEN], char ret[FG_MAC_TEXT]);

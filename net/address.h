/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/net.h"

/* Addresses and networks of both families. Pure. */

struct fg_ip {
        int family; /* AF_INET or AF_INET6 */
        unsigned char bytes[16];
};

struct fg_cidr {
        struct fg_ip ip;
        unsigned bits;
};

unsigned fg_ip_len(const struct fg_ip *ip); /* bytes */
bool fg_ip_parse(const char *text, struct fg_ip *ret);
void fg_ip_format(const struct fg_ip *ip, char ret[FG_NET_IP_MAX]);
/** fg_cidr_parse() - "10.0.0.0/8"; false also when bits beyond the prefix are set. */
bool fg_cidr_parse(const char *text, struct fg_cidr *ret);
bool fg_cidr_contains(const struct fg_cidr *c, const struct fg_ip *ip);
/** fg_cidr_host() - the @n-th address of a network; @n < 2^32 and within it. */
struct fg_ip fg_cidr_host(const struct fg_cidr *c, uint32_t n);
/** fg_cidr_index() - the reverse of fg_cidr_host(). */
uint32_t fg_cidr_index(const struct fg_cidr *c, const struct fg_ip *ip);
bool fg_mac_parse(const char *text, unsigned char ret[6]);
/** fg_mac_link_local() - the link-local address that follows from a MAC (EUI-64). */
void fg_mac_link_local(const char *mac, char ret[FG_NET_IP_MAX]);

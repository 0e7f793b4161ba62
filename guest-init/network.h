/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "guest-init/netlink.h"

struct json_object;

/* The task's network: the member `network` of the task message (docs/protocol.md). */

#define FG_NETWORK_INTERFACE     "eth1" /* as on Fargate */
#define FG_NETWORK_ADDRESSES_MAX 8
#define FG_NETWORK_GATEWAYS_MAX  2 /* one of each family */
#define FG_NETWORK_DNS_MAX       3 /* what the resolvers of C libraries read */
#define FG_NETWORK_SEARCH_MAX    6

struct fg_address {
        int family;               /* AF_INET or AF_INET6 */
        unsigned char bytes[16];  /* 4 of them for AF_INET */
        unsigned char prefix_len; /* of its subnet */
};

struct fg_network {
        unsigned char mac[FG_MAC_LEN];
        unsigned mtu;
        struct fg_address addresses[FG_NETWORK_ADDRESSES_MAX];
        size_t address_count;
        struct fg_address gateways[FG_NETWORK_GATEWAYS_MAX];
        size_t gateway_count;
        struct fg_address dns[FG_NETWORK_DNS_MAX];
        size_t dns_count;
        const char *search[FG_NETWORK_SEARCH_MAX]; /* borrowed from the message */
        size_t search_count;
};

/** fg_network_parse() - strict: every member is there and right, and there is no other */
int fg_network_parse(struct json_object *json, struct fg_network *ret, struct fg_error *err);
/** fg_hostname_valid() - a domain name that the kernel takes, too */
bool fg_hostname_valid(const char *s);
/** fg_network_park() - before the task is known: name the only interface there is, bring it up */
int fg_network_park(struct fg_error *err);
/** fg_network_rehearse() - give the parked interface an address and a route, and take them back */
int fg_network_rehearse(struct fg_error *err);
/**
 * fg_network_configure() - give the interface its name, MTU, addresses and routes
 * It is the one with this MAC address, or the one that was @parked, which then gets it.
 */
int fg_network_configure(const struct fg_network *n, bool parked, struct fg_error *err);

size_t fg_address_size(const struct fg_address *a); /* bytes that count */
#define FG_ADDRESS_TEXT INET6_ADDRSTRLEN
void fg_address_text(const struct fg_address *a, char ret[FG_ADDRESS_TEXT]);
/** fg_address_subnet() - @a with the bits of the host cleared */
struct fg_address fg_address_subnet(const struct fg_address *a);
/** fg_network_first() - the first address of @family; NULL when there is none */
const struct fg_address *fg_network_first(const struct fg_network *n, int family);
const struct fg_address *fg_network_gateway(const struct fg_network *n, int family);

/* network_files.c: what all containers of the task see as /etc/hosts and so on. */
extern const char *const fg_network_files[]; /* their names in /etc */
extern const size_t fg_network_file_count;
/** fg_network_make_files() - empty ones, which may be mounted before they are written */
int fg_network_make_files(const char *dir, struct fg_error *err);
/** fg_network_write_files() - into @dir; @n: NULL when the task has only a loopback interface */
int fg_network_write_files(const struct fg_network *n, const char *hostname, const char *dir,
                           struct fg_error *err);

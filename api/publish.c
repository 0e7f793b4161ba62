/* SPDX-License-Identifier: Apache-2.0 */
#include "api/publish.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/field_row.h"
#include "core/str.h"

static const char *const protocols[] = { "tcp", "udp", NULL };

static bool check_address(struct fg_decode *d, const char *s)
{
        struct in6_addr ip6;
        struct in_addr ip;

        if (inet_pton(AF_INET, s, &ip) == 1 && ntohl(ip.s_addr) >> 29 != 7) /* multicast and on */
                return true;
        if (inet_pton(AF_INET6, s, &ip6) == 1 && !IN6_IS_ADDR_V4MAPPED(&ip6) &&
            !IN6_IS_ADDR_LINKLOCAL(&ip6) && !IN6_IS_ADDR_MULTICAST(&ip6))
                return true;
        fg_decode_problem(d, NULL, NULL,
                          "'%.*s' is not an address of this host: IPv4, or IPv6 without a zone",
                          FG_CLIP(s));
        return false;
}

/* No rule of the kernel leads from an IPv6 address to a task, and datagrams are not carried. */
static void check_publish(struct fg_decode *d, void *obj)
{
        const struct fg_publish *p = obj;

        if (p->protocol && fg_streq(p->protocol, "udp") && p->host_address &&
            strchr(p->host_address, ':'))
                fg_decode_problem(d, "hostAddress", NULL,
                                  "udp is published on IPv4 addresses only");
}

static const struct fg_field publish_fields[] = {
        FG_ROW_INT(fg_publish, host_port, "hostPort", .required = true, .min = 1, .max = 65535),
        FG_ROW_INT(fg_publish, container_port, "containerPort", .required = true, .min = 1,
                   .max = 65535),
        FG_ROW_STRING(fg_publish, protocol, "protocol", .allowed = protocols),
        FG_ROW_STRING(fg_publish, host_address, "hostAddress", .check = check_address),
};
const struct fg_object fg_publish_object = FG_OBJECT(fg_publish, publish_fields,
                                                     .check = check_publish);

/* As the kernel writes it; "" for all. */
static void set_address(const struct fg_publish *p, struct fg_net_port *port)
{
        struct in6_addr ip6;

        if (!p->host_address || fg_streq(p->host_address, "::"))
                return;
        if (inet_pton(AF_INET6, p->host_address, &ip6) == 1)
                (void)inet_ntop(AF_INET6, &ip6, port->address, sizeof(port->address));
        else
                (void)snprintf(port->address, sizeof(port->address), "%s", p->host_address);
}

struct fg_net_port fg_publish_port(const struct fg_publish *p)
{
        struct fg_net_port port = { .udp = p->protocol && fg_streq(p->protocol, "udp"),
                                    .host = (uint16_t)p->host_port,
                                    .container = (uint16_t)p->container_port };

        set_address(p, &port);
        return port;
}

void fg_publish_replace(struct fg_publish **list, size_t *n, const struct fg_publish *with,
                        size_t n_with)
{
        struct fg_publish *copy = fg_calloc(n_with + 1, sizeof(*copy));

        for (size_t i = 0; i < n_with; i++) {
                copy[i] = with[i];
                copy[i].protocol = fg_strdup(with[i].protocol);
                copy[i].host_address = fg_strdup(with[i].host_address);
        }
        for (size_t i = 0; i < *n; i++)
                fg_object_finish(&fg_publish_object, &(*list)[i]);
        free(*list);
        *list = copy;
        *n = n_with;
}

const char *fg_publish_everywhere(const char *protocol)
{
        return protocol && fg_streq(protocol, "udp") ? "0.0.0.0" : "::";
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/field_row.h"
#include "api/taskdef_private.h"
#include "core/str.h"

/* portMappings: what a container says it listens on. Nothing is published by that: a task has an
   address of its own, and security groups say who may come. */

#define PORT_MAX 65535

static const char *const protocols[] = { "tcp", "udp", NULL };
static const char *const app_protocols[] = { "http", "http2", "grpc", NULL };

/* "80-443", the lower one first. */
static bool parse_range(const char *s, uint64_t *ret_from, uint64_t *ret_to)
{
        fg_autofree char *copy = fg_strdup(s);
        char *dash = strchr(copy, '-');

        if (!dash)
                return false;
        *dash = '\0';
        return fg_parse_u64(copy, ret_from) && fg_parse_u64(dash + 1, ret_to) && *ret_from > 0 &&
               *ret_from < *ret_to && *ret_to <= PORT_MAX;
}

static bool check_mapping_name(struct fg_decode *d, const char *s)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

        if (s[strspn(s, allowed)] == '\0' && s[0] != '-')
                return true;
        fg_decode_problem(d, NULL, "lower-case letters, digits, _ and -, not first a -",
                          "'%.*s' is not a valid name", FG_CLIP(s));
        return false;
}

static void check_mapping(struct fg_decode *d, void *obj)
{
        struct fg_port_mapping *p = obj;
        uint64_t from, to;

        if (p->container_port_range && !parse_range(p->container_port_range, &from, &to))
                fg_decode_problem(
                        d, "containerPortRange", "two ports, the lower one first: 8000-8010",
                        "'%.*s' is not a range of ports", FG_CLIP(p->container_port_range));
        if (p->container_port && p->container_port_range)
                fg_decode_problem(d, NULL, NULL, "cannot specify both single port and port range");
        if (p->host_port && p->host_port != p->container_port)
                fg_decode_problem(d, "hostPort", NULL,
                                  "When networkMode=awsvpc, the host ports and container ports in "
                                  "port mappings must match.");
        if (p->app_protocol && !p->name)
                fg_decode_problem(d, "appProtocol", NULL, "needs a name");
        /* As ECS fills them in. */
        if (!p->host_port)
                p->host_port = p->container_port;
        if (!p->protocol)
                p->protocol = fg_strdup("tcp");
}

static const struct fg_field mapping_fields[] = {
        FG_ROW_INT(fg_port_mapping, container_port, "containerPort", .min = INT32_MIN,
                   .max = INT32_MAX),
        FG_ROW_INT(fg_port_mapping, host_port, "hostPort", .max = PORT_MAX),
        FG_ROW_STRING(fg_port_mapping, container_port_range, "containerPortRange"),
        FG_ROW_STRING(fg_port_mapping, protocol, "protocol", .allowed = protocols),
        FG_ROW_STRING(fg_port_mapping, name, "name", .min = 1, .max = 64,
                      .check = check_mapping_name),
        FG_ROW_STRING(fg_port_mapping, app_protocol, "appProtocol", .allowed = app_protocols),
};
const struct fg_object fg_port_mapping_object = FG_OBJECT(fg_port_mapping, mapping_fields,
                                                          .check = check_mapping);

static void span_of(const struct fg_port_mapping *p, uint64_t *ret_from, uint64_t *ret_to)
{
        if (p->container_port_range && parse_range(p->container_port_range, ret_from, ret_to))
                return;
        *ret_from = *ret_to = (uint64_t)p->container_port;
}

static bool overlap(const struct fg_port_mapping *a, const struct fg_port_mapping *b)
{
        uint64_t a_from, a_to, b_from, b_to;

        if (!fg_streq(a->protocol, b->protocol))
                return false;
        span_of(a, &a_from, &a_to);
        span_of(b, &b_from, &b_to);
        return a_from > 0 && b_from > 0 && a_from <= b_to && b_from <= a_to;
}

void fg_taskdef_check_mappings(struct fg_decode *d, const struct fg_container_def *c)
{
        for (size_t i = 0; i < c->port_mappings.n; i++) {
                const struct fg_port_mapping *p = &c->port_mappings.v[i];
                size_t mark = fg_decode_enter(d, ".portMappings[%zu]", i);

                if (p->container_port_range ? p->container_port < 0
                                            : p->container_port < 1 || p->container_port > PORT_MAX)
                        fg_decode_problem(d, "containerPort", NULL,
                                          "Invalid 'containerPort' setting for container '%.*s'.",
                                          FG_CLIP(c->name ? c->name : ""));
                for (size_t j = 0; j < i; j++) {
                        const struct fg_port_mapping *o = &c->port_mappings.v[j];

                        if (overlap(p, o))
                                fg_decode_problem(d, NULL, NULL,
                                                  "is the same port as portMappings[%zu]", j);
                        if (p->name && o->name && fg_streq(p->name, o->name))
                                fg_decode_problem(d, "name", NULL, "'%.*s' is given twice",
                                                  FG_CLIP(p->name));
                }
                fg_decode_leave(d, mark);
        }
}

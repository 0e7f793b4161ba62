/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/field.h"
#include "net/net.h"

/* A published port, as a request or a task definition (fgrun.publish) has it. */
struct fg_publish {
        int64_t host_port, container_port;
        char *protocol;     /* "tcp", also when absent, or "udp" */
        char *host_address; /* NULL: all of the host's */
};

extern const struct fg_object fg_publish_object;

struct fg_net_port fg_publish_port(const struct fg_publish *p);
/** fg_publish_replace() - a list by a copy of another one. */
void fg_publish_replace(struct fg_publish **list, size_t *n, const struct fg_publish *with,
                        size_t n_with);
/** fg_publish_everywhere() - how a port that is published at no address in particular is shown. */
const char *fg_publish_everywhere(const char *protocol);

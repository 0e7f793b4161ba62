/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/publish.h"
#include "core/cleanup.h"
#include "core/id.h"

struct fg_extensions;

/* A task's network as it was asked for (RunTask's networkConfiguration, and ours) and as it is. */

struct fg_awsvpc {
        struct fg_strings subnets, security_groups;
        char *assign_public_ip; /* recorded: everything that leaves is masqueraded */
};

struct fg_network_configuration {
        struct fg_awsvpc *awsvpc;
};

struct fg_task_network {
        struct fg_network_configuration *configuration;
        FG_LIST(struct fg_publish) publish;
        int64_t bytes_per_second; /* each way, 0: no limit */
        /* As it is; a.id is "" until there is an attachment. */
        char attachment[FG_UUID_LEN + 1];
        struct fg_net_attachment a;
};

extern const struct fg_object fg_network_configuration_object;

/** fg_task_network_empty() - what a task gets that asked for nothing. */
struct fg_task_network *fg_task_network_empty(void);
/**
 * fg_task_network_decode() - the members networkConfiguration, publish and networkBytesPerSecond
 * Return: NULL when there is none of them, or when @problems got something.
 */
struct fg_task_network *fg_task_network_decode(struct json_object *body,
                                               struct fg_problems *problems);
/** fg_task_network_of() - from a decoded configuration, which stays the caller's. */
struct fg_task_network *fg_task_network_of(const struct fg_network_configuration *c);
/** fg_task_network_defined() - a copy of @n (NULL: an empty one), with what it does not say itself
 * from the definition. */
struct fg_task_network *fg_task_network_defined(const struct fg_task_network *n,
                                                const struct fg_extensions *e);
struct fg_task_network *fg_task_network_copy(const struct fg_task_network *n);
void fg_task_network_free(struct fg_task_network *n);
FG_DEFINE_CLEANUP(struct fg_task_network *, fg_task_network_free)

/** fg_task_network_request() - for net/; points into @n and into @ports. */
struct fg_net_request fg_task_network_request(const struct fg_task_network *n,
                                              struct fg_net_port ports[FG_NET_PORTS_MAX]);

/* What the daemon needs after a restart. */
struct json_object *fg_task_network_snapshot(const struct fg_task_network *n);
struct fg_task_network *fg_task_network_restore(struct json_object *snapshot);

/** fg_task_network_attachment() - an element of DescribeTasks' `attachments`. */
struct json_object *fg_task_network_attachment(const struct fg_task_network *n, const char *status);
/** fg_task_network_interfaces() - `networkInterfaces` of a container. */
struct json_object *fg_task_network_interfaces(const struct fg_task_network *n);
/** fg_task_network_publish() - `publish` as it was asked for. */
struct json_object *fg_task_network_publish(const struct fg_task_network *n);
/** fg_task_network_guest() - the member `network` of the guest's task (docs/protocol.md). */
struct json_object *fg_task_network_guest(const struct fg_net_attachment *a);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/run.h"

/* The engine's part of a task's network: when it is made, named and removed. Loop only. */

/** network_prepare() - first of all, while there is one thread: what an ordinary user needs. */
void network_prepare(struct fg_config *config);
/** network_open() - at start, before the hypervisor. Fails only where `network = vpc` cannot be. */
int network_open(struct fg_daemon *d, struct fg_error *err);
/** network_reserve() - check and hold what a new or stored task asks for; none without a VPC. */
int network_reserve(struct fg_run *run, struct fg_error *err);
/** network_attach() - begin; @next runs when it is there, or the task has failed. */
void network_attach(struct fg_run *run, void (*next)(struct fg_run *run));
/** network_detach() - as fg_net_detach(); a task without a network is done at once. */
void network_detach(struct fg_run *run,
                    void (*next)(struct fg_run *run, const struct fg_error *err));
/** network_follow() - the family's name leads to its running tasks. */
void network_follow(struct fg_run *run);
/** network_info_json() - the member `network` of GET /v1/info; the caller puts it. */
struct json_object *network_info_json(const struct fg_daemon *d);
/** network_claim() - after a restart: detach what no task has. */
void network_claim(struct fg_daemon *d);
/** network_config_load() - subnets and security groups from a file (docs/networking.md), or the
 * built-in ones when @path is NULL. All errors at once. */
struct network_config {
        struct fg_net_subnet subnets[FG_NET_SUBNETS_MAX];
        size_t n_subnets;
        struct fg_net_group groups[FG_NET_GROUPS_MAX];
        size_t n_groups;
};
int network_config_load(const char *path, struct network_config *ret, struct fg_error *err);
void network_config_finish(struct network_config *c);

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

/* A request becomes a member with its ports held, or an error; nothing is made yet. */

static char *known_subnets(const struct fg_net *net)
{
        char *text = fg_strdup("default");

        for (size_t i = 0; i < net->config.n_subnets; i++) {
                fg_autofree char *shorter = text;

                text = fg_asprintf("%s, %s", shorter, net->config.subnets[i].id);
        }
        return text;
}

static char *known_groups(const struct fg_net *net)
{
        char *text = fg_strdup("default");

        for (size_t i = 0; i < net->config.n_groups; i++) {
                fg_autofree char *shorter = text;

                text = fg_asprintf("%s, %s", shorter, net->config.groups[i].id);
        }
        return text;
}

static int set_subnet(const struct fg_net *net, const char *wanted, struct fg_net_attachment *a,
                      struct fg_error *err)
{
        fg_autofree char *known = NULL;
        const char *id = NULL;

        if (!wanted)
                wanted = "default";
        if (fg_streq(wanted, "default"))
                id = net->config.subnets[0].id;
        for (size_t i = 0; !id && i < net->config.n_subnets; i++)
                if (fg_streq(wanted, net->config.subnets[i].id))
                        id = net->config.subnets[i].id;
        if (id) {
                (void)snprintf(a->subnet, sizeof(a->subnet), "%s", id);
                return 0;
        }
        known = known_subnets(net);
        return fg_fail(err, FG_ERR_INVALID, "The subnet ID '%.64s' does not exist; there are: %s",
                       wanted, known);
}

static int add_group(const struct fg_net *net, const char *wanted, struct fg_net_attachment *a,
                     struct fg_error *err)
{
        fg_autofree char *known = NULL;
        const char *id = fg_streq(wanted, "default") ? net->config.groups[0].id : NULL;

        for (size_t i = 0; !id && i < net->config.n_groups; i++)
                if (fg_streq(wanted, net->config.groups[i].id) ||
                    fg_streq(wanted, net->config.groups[i].name))
                        id = net->config.groups[i].id;
        if (!id) {
                known = known_groups(net);
                return fg_fail(err, FG_ERR_INVALID,
                               "The security group '%.64s' does not exist; there are: %s", wanted,
                               known);
        }
        for (size_t i = 0; i < a->n_groups; i++)
                if (fg_streq(a->groups[i], id))
                        return 0;
        (void)snprintf(a->groups[a->n_groups++], FG_NET_ID_MAX, "%s", id);
        return 0;
}

static int set_groups(const struct fg_net *net, const struct fg_net_request *r,
                      struct fg_net_attachment *a, struct fg_error *err)
{
        if (r->n_groups > FG_NET_TASK_GROUPS)
                return fg_fail(err, FG_ERR_INVALID, "%zu security groups: a task has at most %d",
                               r->n_groups, FG_NET_TASK_GROUPS);
        if (r->n_groups == 0)
                return add_group(net, "default", a, err);
        for (size_t i = 0; i < r->n_groups; i++)
                if (add_group(net, r->groups[i], a, err) < 0)
                        return -1;
        return 0;
}

static int fill(struct fg_net *net, struct fg_net_member *m, const struct fg_net_request *r,
                struct fg_error *err)
{
        assert(net->config.subnets && net->config.groups);
        if (set_subnet(net, r->subnet, &m->eni->a, err) < 0 ||
            set_groups(net, r, &m->eni->a, err) < 0)
                return -1;
        if (r->n_ports > FG_NET_PORTS_MAX)
                return fg_fail(err, FG_ERR_INVALID, "%zu published ports: a task has at most %d",
                               r->n_ports, FG_NET_PORTS_MAX);
        for (size_t i = 0; i < r->n_ports && !net->vpc.uplink->host_rules; i++)
                if (r->ports[i].udp)
                        return fg_fail(err, FG_ERR_DENIED,
                                       "publish: %u/udp: an fgd without root publishes ports of "
                                       "tcp only",
                                       r->ports[i].host);
        m->eni->a.bytes_per_second = r->bytes_per_second;
        m->eni->a.pair = r->pair;
        m->eni->ports = fg_calloc(r->n_ports + 1, sizeof(*m->eni->ports));
        for (size_t i = 0; i < r->n_ports; i++)
                m->eni->ports[i].port = r->ports[i];
        m->eni->n_ports = r->n_ports;
        return fg_ports_hold(net, m, err);
}

int fg_net_reserve(struct fg_net *net, const char *task, const struct fg_net_request *request,
                   struct fg_error *err)
{
        struct fg_net_member *m;

        if (!net->info.usable)
                return fg_fail(err, FG_ERR_DENIED, "this fgd gives tasks no network: %s",
                               net->info.reason);
        if (fg_member_find(net, task))
                return 0;
        if (fg_net_tasks(net) >= FG_NET_TASKS_MAX)
                return fg_fail(err, FG_ERR_CAPACITY,
                               "%d tasks have a network, and a bridge has no room for more",
                               FG_NET_TASKS_MAX);
        m = fg_member_new(net, task);
        if (fill(net, m, request, err) == 0)
                return 0;
        fg_member_free(net, m);
        return -1;
}

void fg_net_release(struct fg_net *net, const char *task)
{
        struct fg_net_member *m = fg_member_find(net, task);

        if (m && !m->attached)
                fg_member_free(net, m);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

/*
 * The story of a network:
 *
 *   fg_net_new()      vpc.c takes up the namespace of a former life, or makes one: bridge, rules,
 *                     resolver; vpc_uplink.c leads out of it
 *   fg_net_reserve()  the request is checked and its ports are held (ports.c): on the loop, at once
 *   fg_net_attach()   in the lane: an address (ipam.c) and a TAP from the pool, written to the
 *                     journal, then made (vpc_task.c): neighbours, rules (rules.c), ports
 *   fg_net_name()     the resolver answers with it (resolver.c)
 *   fg_net_detach()   the same backwards; the journal forgets it last
 *   fg_net_claim()    after a restart: what no task claims is detached
 */

/* ---- configuration ---- */

static void copy_config(struct fg_net *net, const struct fg_net_config *from)
{
        struct fg_net_group *groups = fg_calloc(from->n_groups + 1, sizeof(*groups));
        struct fg_net_subnet *subnets = fg_calloc(from->n_subnets + 1, sizeof(*subnets));

        net->config = *from;
        net->config.state_dir = fg_strdup(from->state_dir);
        net->config.run_dir = fg_strdup(from->run_dir);
        memcpy(subnets, from->subnets, from->n_subnets * sizeof(*subnets));
        for (size_t i = 0; i < from->n_groups; i++) {
                size_t size = from->groups[i].n_rules * sizeof(*groups[i].rules);

                groups[i] = from->groups[i];
                groups[i].rules = fg_calloc(1, size + 1);
                if (size > 0)
                        memcpy(groups[i].rules, from->groups[i].rules, size);
        }
        net->config.subnets = net->subnets = subnets;
        net->config.groups = net->groups = groups;
}

static void free_config(struct fg_net *net)
{
        for (size_t i = 0; i < net->config.n_groups; i++)
                free(net->groups[i].rules);
        free(net->groups);
        free(net->subnets);
        free((char *)(uintptr_t)net->config.state_dir);
        free((char *)(uintptr_t)net->config.run_dir);
}

/* ---- members: what the loop knows of each task ---- */

struct fg_net_member *fg_member_find(struct fg_net *net, const char *task)
{
        struct fg_net_member *m;

        HASH_FIND_STR(net->members, task, m);
        return m;
}

struct fg_net_member *fg_member_new(struct fg_net *net, const char *task)
{
        struct fg_net_member *m = fg_calloc(1, sizeof(*m));

        (void)snprintf(m->task, sizeof(m->task), "%s", task);
        m->eni = fg_calloc(1, sizeof(*m->eni));
        m->ns = -1;
        (void)snprintf(m->eni->a.task, sizeof(m->eni->a.task), "%s", task);
        HASH_ADD_STR(net->members, task, m);
        return m;
}

void fg_member_free(struct fg_net *net, struct fg_net_member *m)
{
        HASH_DEL(net->members, m);
        fg_ports_drop(m);
        free(m->names);
        fg_closep(&m->ns);
        fg_eni_free(m->eni);
        free(m);
}

static int load_members(struct fg_net *net, struct fg_error *err)
{
        struct fg_eni **enis = NULL;
        int n = fg_journal_load(&net->vpc.journal, &enis, err);

        for (int i = 0; i < n; i++) {
                struct fg_net_member *m = fg_member_new(net, enis[i]->a.task);

                fg_eni_free(m->eni);
                m->eni = enis[i];
                m->attached = true;
                fg_ports_hold_again(net, m);
                fg_ports_open(net, m);
        }
        free(enis);
        return n < 0 ? -1 : 0;
}

/* ---- opening and closing ---- */

static void set_info(struct fg_net *net, const struct fg_error *why_not)
{
        struct fg_net_info *info = &net->info;
        bool host_rules = net->vpc.uplink && net->vpc.uplink->host_rules;

        info->usable = !why_not;
        if (why_not) {
                (void)snprintf(info->reason, sizeof(info->reason), "%.500s", why_not->msg);
                return;
        }
        (void)snprintf(info->reason, sizeof(info->reason),
                       "a network namespace with a bridge; outwards through %s%s",
                       host_rules ? net->vpc.name : "pasta",
                       host_rules ? ", masqueraded" : ", as an ordinary user");
        (void)snprintf(info->vpc, sizeof(info->vpc), "vpc-%s", net->vpc.name + strlen("fgr"));
        (void)snprintf(info->namespace_path, sizeof(info->namespace_path), "%s", net->vpc.path);
        (void)snprintf(info->resolver, sizeof(info->resolver), "%s", net->vpc.resolver);
        (void)snprintf(info->outside6, sizeof(info->outside6), "%s", net->vpc.why_no_ipv6);
}

static int open_vpc(struct fg_net *net, sd_event *event, struct fg_error *err)
{
        if (net->config.unusable)
                return fg_fail(err, FG_ERR_DENIED, "%s", net->config.unusable);
        if (fg_vpc_open(&net->vpc, &net->config, err) < 0 || load_members(net, err) < 0)
                return -1;
        return fg_lane_new(event, "net", 1, &net->lane, err);
}

/* By the journal: whether a former life has left tasks that still run on it. */
static bool is_unused(struct fg_net *net)
{
        struct fg_eni **enis = NULL;
        struct fg_error ignored;
        int n = net->vpc.journal.db ? fg_journal_load(&net->vpc.journal, &enis, &ignored) : -1;

        for (int i = 0; i < n; i++)
                fg_eni_free(enis[i]);
        free(enis);
        return n == 0;
}

int fg_net_new(sd_event *event, const struct fg_net_config *config, struct fg_net **ret,
               struct fg_error *err)
{
        struct fg_net *net = fg_calloc(1, sizeof(*net));
        struct fg_error why = FG_ERROR_INIT;
        bool usable;

        (void)err;
        net->vpc.ns = -1;
        copy_config(net, config);
        usable = open_vpc(net, event, &why) == 0;
        if (!usable) {
                /* What a former life made is not ours to judge now: it is removed only unused. */
                fg_vpc_close(&net->vpc, is_unused(net));
                net->vpc = (struct fg_vpc){ .ns = -1 };
        }
        set_info(net, usable ? NULL : &why);
        if (usable) {
                fg_net_refill(net);
                fg_watch_start(net, event);
        }
        *ret = net;
        return 0;
}

void fg_net_free(struct fg_net *net)
{
        struct fg_net_member *m, *next;
        bool used = false;

        if (!net)
                return;
        fg_watch_close(net);
        fg_lane_free(net->lane);
        fg_watch_free(net);
        HASH_ITER (hh, net->members, m, next) {
                used = used || m->attached;
                fg_member_free(net, m);
        }
        if (net->info.usable)
                fg_vpc_close(&net->vpc, !used);
        free_config(net);
        free(net);
}

const struct fg_net_info *fg_net_info(const struct fg_net *net)
{
        return &net->info;
}

const char *fg_net_netns(const struct fg_net *net, const char *task)
{
        const struct fg_net_member *m;

        HASH_FIND_STR(net->members, task, m);
        return m && m->eni->a.pair ? m->netns : net->info.namespace_path;
}

size_t fg_net_tasks(const struct fg_net *net)
{
        return HASH_COUNT(net->members);
}

const struct fg_net_config *fg_net_configured(const struct fg_net *net)
{
        return &net->config;
}

size_t fg_net_free_addresses(const struct fg_net *net, const struct fg_net_subnet *subnet)
{
        const struct fg_net_member *m;
        struct fg_cidr c;
        size_t n;

        if (!fg_cidr_parse(subnet->cidr, &c))
                return 0;
        n = ((size_t)1 << (32 - c.bits)) - FG_IPAM_RESERVED;
        for (m = net->members; m; m = m->hh.next)
                if (fg_streq(m->eni->a.subnet, subnet->id) && n > 0)
                        n--;
        return n;
}

size_t fg_net_ports(const struct fg_net *net)
{
        const struct fg_net_member *m;
        size_t n = 0;

        for (m = net->members; m; m = m->hh.next)
                n += m->eni->n_ports;
        return n;
}

void fg_net_view(struct fg_net *net, const struct fg_net_view *view)
{
        struct fg_net_port ports[FG_NET_PORTS_MAX];
        struct fg_net_member *m, *next;

        HASH_ITER (hh, net->members, m, next) {
                if (!m->attached)
                        continue;
                for (size_t i = 0; i < m->eni->n_ports; i++)
                        ports[i] = m->eni->ports[i].port;
                view->task(view->userdata, &m->eni->a, ports, m->eni->n_ports);
        }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/vpc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/netns.h"
#include "core/str.h"
#include "net/ns.h"

#define PEER "eth0" /* as a NIC is called at first */

/* ---- TAPs ---- */

/* In the VPC's namespace. Persistent: it waits for QEMU, which is given it by name. */
static int make_tap(void *userdata, struct fg_error *err)
{
        const char *name = userdata;
        fg_autoclose int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

        (void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
        if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0)
                return fg_fail_errno(err, errno, "make the device %s", name);
        return fg_ns_set_port(name, err); /* no link-local address of our own on a task's port */
}

static int join_bridge(struct fg_vpc *vpc, const char *name, struct fg_error *err)
{
        if (fg_rtnl_join(vpc->inside, name, FG_RULES_BRIDGE, err) < 0)
                return -1;
        return fg_rtnl_up(vpc->inside, name, err);
}

/* A TAP that exists already is as good. */
static int ready_tap(struct fg_vpc *vpc, const char *name, struct fg_error *err)
{
        int there = fg_rtnl_index(vpc->inside, name, err);
        char own[FG_NET_TAP_MAX];

        (void)snprintf(own, sizeof(own), "%s", name);
        if (there < 0 || (there == 0 && fg_netns_run(vpc->ns, make_tap, own, err) < 0))
                return -1;
        return join_bridge(vpc, name, err);
}

static void new_tap_name(struct fg_vpc *vpc, char ret[FG_NET_TAP_MAX])
{
        (void)snprintf(ret, FG_NET_TAP_MAX, FG_RULES_TAPS "%u", vpc->next_tap++ % 1000000000u);
}

int fg_vpc_fill(struct fg_vpc *vpc, struct fg_error *err)
{
        if (!vpc->taps)
                vpc->taps = fg_calloc(vpc->config->pool + 1, sizeof(*vpc->taps));
        while (vpc->n_taps < vpc->config->pool) {
                new_tap_name(vpc, vpc->taps[vpc->n_taps]);
                if (ready_tap(vpc, vpc->taps[vpc->n_taps], err) < 0)
                        return fg_wrap(err, "TAPs in advance");
                vpc->n_taps++;
        }
        return 0;
}

struct sweep {
        struct fg_eni *const *enis;
        int n;
        unsigned next;
        char unclaimed[FG_NET_TASKS_MAX][FG_NET_TAP_MAX];
        unsigned n_unclaimed;
};

/* Names are given by number, each once. Return: is it the name of a TAP at all? */
static bool count_name(struct sweep *s, const char *name)
{
        uint64_t number;

        if (!fg_starts_with(name, FG_RULES_TAPS) ||
            !fg_parse_u64(name + strlen(FG_RULES_TAPS), &number))
                return false;
        if (number >= s->next)
                s->next = (unsigned)number + 1;
        return true;
}

static void on_link(void *userdata, const char *name)
{
        struct sweep *s = userdata;

        if (!count_name(s, name))
                return;
        for (int i = 0; i < s->n; i++)
                if (fg_streq(s->enis[i]->a.tap, name))
                        return;
        if (s->n_unclaimed < FG_NET_TASKS_MAX)
                (void)snprintf(s->unclaimed[s->n_unclaimed++], FG_NET_TAP_MAX, "%s", name);
}

int fg_vpc_sweep(struct fg_vpc *vpc, struct fg_eni *const *enis, int n, struct fg_error *err)
{
        fg_autofree struct sweep *s = fg_calloc(1, sizeof(*s));

        s->enis = enis;
        s->n = n;
        /* One that is journaled may not have been made yet: its name is taken all the same. */
        for (int i = 0; i < n; i++)
                count_name(s, enis[i]->a.tap);
        if (fg_rtnl_each_link(vpc->inside, on_link, s, err) < 0)
                return -1;
        for (unsigned i = 0; i < s->n_unclaimed; i++)
                if (fg_rtnl_remove(vpc->inside, s->unclaimed[i], err) < 0)
                        return -1;
        vpc->next_tap = s->next;
        return 0;
}

/* ---- addresses ---- */

static int find_subnet(const struct fg_vpc *vpc, const char *id)
{
        for (size_t i = 0; i < vpc->config->n_subnets; i++)
                if (fg_streq(vpc->config->subnets[i].id, id))
                        return (int)i;
        return -1;
}

static void set_ipv4(struct fg_net_attachment *a, const struct fg_cidr *c, uint32_t host)
{
        struct fg_ip ip = fg_cidr_host(c, host), gateway = fg_cidr_host(c, 1);
        const unsigned char *b = ip.bytes;

        fg_ip_format(&ip, a->ipv4);
        fg_ip_format(&gateway, a->gateway4);
        a->bits4 = c->bits;
        (void)snprintf(a->name, sizeof(a->name), "ip-%u-%u-%u-%u." FG_NET_DOMAIN, b[0], b[1], b[2],
                       b[3]);
}

static void set_ipv6(struct fg_net_attachment *a, const char *cidr6, uint32_t host)
{
        struct fg_ip ip, gateway;
        struct fg_cidr c;

        if (!*cidr6 || !fg_cidr_parse(cidr6, &c))
                return;
        ip = fg_cidr_host(&c, host);
        gateway = fg_cidr_host(&c, 1);
        fg_ip_format(&ip, a->ipv6);
        fg_ip_format(&gateway, a->gateway6);
        a->bits6 = c.bits;
}

/* Locally administered, unicast; the journal has only one of each. */
static void set_ids(struct fg_net_attachment *a)
{
        unsigned char random[9];
        char hex[2 * sizeof(random) + 1];

        fg_random(random, sizeof(random));
        fg_hex(random, sizeof(random), hex);
        (void)snprintf(a->id, sizeof(a->id), "eni-%.17s", hex);
        (void)snprintf(a->mac, sizeof(a->mac), "02:%.2s:%.2s:%.2s:%.2s:%.2s", hex, hex + 2, hex + 4,
                       hex + 6, hex + 8);
}

int fg_vpc_address(struct fg_vpc *vpc, struct fg_eni *eni, struct fg_error *err)
{
        fg_autofree struct fg_ipam_used *used = NULL;
        int subnet = find_subnet(vpc, eni->a.subnet), n;
        uint64_t quarantine = vpc->config->quarantine_s * FG_NS_PER_SEC, now = fg_now_ns();
        struct fg_cidr cidr;
        int64_t host;
        bool pooled;

        if (subnet < 0 || !fg_cidr_parse(vpc->config->subnets[subnet].cidr, &cidr))
                return fg_fail(err, FG_ERR_NOT_FOUND, "there is no subnet %s", eni->a.subnet);
        if (now > quarantine && fg_journal_purge(&vpc->journal, now - quarantine, err) < 0)
                return -1;
        n = fg_journal_used(&vpc->journal, eni->a.subnet, &cidr, &used, err);
        if (n < 0)
                return -1;
        host = fg_ipam_pick(&cidr, used, (size_t)n, vpc->cursors[subnet], err);
        if (host < 0)
                return -1;
        vpc->cursors[subnet] = (uint32_t)host + 1;
        set_ids(&eni->a);
        set_ipv4(&eni->a, &cidr, (uint32_t)host);
        set_ipv6(&eni->a, vpc->config->subnets[subnet].cidr6, (uint32_t)host);
        pooled = vpc->n_taps > 0 && !eni->a.pair;
        if (pooled)
                memcpy(eni->a.tap, vpc->taps[--vpc->n_taps], FG_NET_TAP_MAX);
        else
                new_tap_name(vpc, eni->a.tap);
        if (fg_journal_add(&vpc->journal, eni, err) == 0)
                return 0;
        if (pooled) /* its place is still free */
                memcpy(vpc->taps[vpc->n_taps++], eni->a.tap, FG_NET_TAP_MAX);
        return -1;
}

/* ---- a task's part of the VPC ---- */

/* The router knows where a task is and never asks, so nobody can answer in its place. */
static int set_neighbours(struct fg_vpc *vpc, const struct fg_net_attachment *a, bool on,
                          struct fg_error *err)
{
        struct fg_ip ip;

        if (!fg_ip_parse(a->ipv4, &ip) ||
            fg_rtnl_neighbour(vpc->inside, FG_RULES_BRIDGE, &ip, on ? a->mac : NULL, err) < 0)
                return -1;
        if (!*a->ipv6 || !fg_ip_parse(a->ipv6, &ip))
                return 0;
        if (fg_rtnl_neighbour(vpc->inside, FG_RULES_BRIDGE, &ip, on ? a->mac : NULL, err) < 0)
                return -1;
        return fg_rtnl_proxy(vpc->inside, FG_RULES_BRIDGE, &ip, on, err);
}

struct fg_net_attachment fg_vpc_known(const struct fg_vpc *vpc, const struct fg_net_attachment *a)
{
        struct fg_net_attachment known = *a;

        known.n_groups = 0;
        for (size_t i = 0; i < a->n_groups; i++)
                for (size_t j = 0; j < vpc->config->n_groups; j++)
                        if (fg_streq(a->groups[i], vpc->config->groups[j].id))
                                memcpy(known.groups[known.n_groups++], a->groups[i], FG_NET_ID_MAX);
        return known;
}

static int set_rules(struct fg_vpc *vpc, const struct fg_eni *eni, bool on, struct fg_error *err)
{
        struct fg_net_attachment known = fg_vpc_known(vpc, &eni->a);
        fg_cleanup(fg_buf_finish) struct fg_buf inside = FG_BUF_INIT(FG_RULES_MAX);
        fg_cleanup(fg_buf_finish) struct fg_buf outside = FG_BUF_INIT(FG_RULES_MAX);

        if (fg_rules_task(&known, on, &inside, err) < 0)
                return -1;
        for (size_t i = 0; i < eni->n_ports; i++)
                if (fg_rules_task_port(&eni->a, &eni->ports[i], on, &inside, err) < 0 ||
                    (vpc->uplink->host_rules &&
                     fg_rules_host_port(&vpc->host, &eni->ports[i], on, &outside, err) < 0))
                        return -1;
        if (fg_nft_run(vpc->nft_inside, inside.data, err) < 0)
                return -1;
        return outside.len > 0 ? fg_nft_run(vpc->nft_outside, outside.data, err) : 0;
}

/* In the VPC's namespace. */
static int set_port(void *userdata, struct fg_error *err)
{
        return fg_ns_set_port(userdata, err);
}

/* One that is there may be about to go with the container that it led to. */
int fg_vpc_pair(struct fg_vpc *vpc, const struct fg_net_attachment *a, struct fg_error *err)
{
        fg_autoclose int ns = fg_ns_new(err);
        char own[FG_NET_TAP_MAX];

        (void)snprintf(own, sizeof(own), "%s", a->tap);
        if (ns < 0 || fg_rtnl_remove(vpc->inside, a->tap, err) < 0 ||
            fg_rtnl_add_veth(vpc->inside, a->tap, PEER, a->mac, ns, err) < 0 ||
            fg_netns_run(vpc->ns, set_port, own, err) < 0)
                return fg_wrap(err, "attach %s", a->id);
        return fg_take_fd(ns);
}

static int ready_port(struct fg_vpc *vpc, const struct fg_net_attachment *a, struct fg_error *err)
{
        struct fg_error ignored;

        if ((a->pair ? join_bridge : ready_tap)(vpc, a->tap, err) == 0 &&
            fg_rtnl_forward(vpc->inside, a->tap, a->mac, err) == 0)
                return 0;
        /* A pair goes with its container, at any moment; a new one is made with a new one. */
        return a->pair && fg_rtnl_index(vpc->inside, a->tap, &ignored) == 0 ? 0 : -1;
}

int fg_vpc_attach(struct fg_vpc *vpc, const struct fg_eni *eni, struct fg_error *err)
{
        const struct fg_net_attachment *a = &eni->a;

        if (ready_port(vpc, a, err) < 0 || set_neighbours(vpc, a, true, err) < 0)
                return fg_wrap(err, "attach %s", a->id);
        return set_rules(vpc, eni, true, err) < 0 ? fg_wrap(err, "attach %s", a->id) : 0;
}

/* ---- its connections ---- */

static void add_end(struct fg_conntrack_end *ends, size_t *n, const char *ip,
                    const struct fg_rules_port *p)
{
        struct fg_conntrack_end *end = &ends[*n];

        if (!*ip || !fg_ip_parse(ip, &end->ip))
                return;
        end->protocol = p && p->port.udp ? IPPROTO_UDP : p ? IPPROTO_TCP : 0;
        end->port = p ? p->transfer : 0;
        (*n)++;
}

static int forget(struct fg_conntrack *ct, const struct fg_conntrack_end *ends, size_t n,
                  struct fg_error *err)
{
        if (n == 0)
                return 0;
        return ct ? fg_conntrack_forget(ct, ends, n, err)
                  : fg_fail(err, FG_ERR_INTERNAL, "the kernel has no ctnetlink");
}

/* Whoever gets the address, or the transfer port, after the task inherits no connection. */
static void forget_connections(struct fg_vpc *vpc, const struct fg_eni *eni)
{
        fg_autofree struct fg_conntrack_end *out = fg_calloc(2 * eni->n_ports + 1, sizeof(*out));
        struct fg_conntrack_end in[2];
        size_t n_in = 0, n_out = 0;
        struct fg_error err = FG_ERROR_INIT;

        add_end(in, &n_in, eni->a.ipv4, NULL);
        add_end(in, &n_in, eni->a.ipv6, NULL);
        for (size_t i = 0; i < eni->n_ports && vpc->uplink->host_rules; i++) {
                add_end(out, &n_out, vpc->inside4, &eni->ports[i]);
                add_end(out, &n_out, vpc->inside6, &eni->ports[i]);
        }
        if ((forget(vpc->ct_inside, in, n_in, &err) == 0 &&
             forget(vpc->ct_outside, out, n_out, &err) == 0) ||
            vpc->keeps_connections)
                return;
        vpc->keeps_connections = true;
        fg_log_error("connections of tasks that are gone stay until they time out: %s", err.msg);
}

int fg_vpc_detach(struct fg_vpc *vpc, const struct fg_eni *eni, struct fg_error *err)
{
        const struct fg_net_attachment *a = &eni->a;
        fg_autofree char *names = fg_asprintf("%s/%s", vpc->names, a->task);

        if (set_rules(vpc, eni, false, err) < 0 || set_neighbours(vpc, a, false, err) < 0 ||
            fg_rtnl_remove(vpc->inside, a->tap, err) < 0 || fg_rm_rf(names, err) < 0)
                return fg_wrap(err, "detach %s", a->id);
        forget_connections(vpc, eni);
        return fg_journal_release(&vpc->journal, a->task, fg_now_ns(), err);
}

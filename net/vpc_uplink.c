/* SPDX-License-Identifier: Apache-2.0 */
#include "net/vpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/netns.h"
#include "core/str.h"
#include "net/ns.h"

/*
 * The way out: a pair of devices between the VPC and the host's namespace. Both ends masquerade:
 * the VPC's, so that the host needs no route to the subnets, which may then be anything; the
 * host's, as any router at home. Whatever the host's namespace needs is in one table
 * (rules_host.c), but for one switch, forwarding (forwarding.c).
 */
#define FORWARD6   "/proc/sys/net/ipv6/conf/all/forwarding"
#define CONNTRACK  "/proc/sys/net/netfilter/nf_conntrack_max"
#define LINK_LOCAL "169.254.0.0/16"
#define PAIR_BITS  30
#define PAIRS      (1u << (PAIR_BITS - 16))
/* 169.254.168.0/21: hosts and clouds have services around 169.254.169.254, and in a guest
   169.254.172.0/22 is the network of its metadata endpoint, where it would look for who asked. */
#define RESERVED     (168u * 256u)
#define RESERVED_LEN (8u * 256u)
#define DEFAULT_SLOT 262144u

/* First word of a small file, "" when it is not there. */
static void read_word(const char *path, char *ret, size_t size)
{
        fg_cleanup(fclosep) FILE *f = fopen(path, "re");

        ret[0] = '\0';
        if (f && fgets(ret, (int)size, f))
                ret[strcspn(ret, " \n")] = '\0';
}

/* ---- addresses of the pair ---- */

struct search {
        struct fg_cidr pair;
        bool taken;
};

static void on_address(void *userdata, const struct fg_ip *ip, unsigned bits)
{
        struct search *s = userdata;

        (void)bits;
        if (fg_cidr_contains(&s->pair, ip))
                s->taken = true;
}

static void set_pair(struct fg_vpc *vpc, const struct fg_cidr *pair)
{
        struct fg_ip outside = fg_cidr_host(pair, 1), inside = fg_cidr_host(pair, 2);

        fg_ip_format(&outside, vpc->outside4);
        fg_ip_format(&inside, vpc->inside4);
}

/* A network of four addresses that nobody has here; where to look first follows from our name. */
static int choose_pair(struct fg_vpc *vpc, struct fg_error *err)
{
        unsigned slot = (unsigned)strtoul(vpc->name + strlen("fgr"), NULL, 16) % PAIRS;
        struct fg_cidr all;

        (void)fg_cidr_parse(LINK_LOCAL, &all);
        for (unsigned i = 0; i < PAIRS; i++, slot = (slot + 1) % PAIRS) {
                uint32_t first = slot << (32 - PAIR_BITS);
                struct search s = { .pair = { fg_cidr_host(&all, first), PAIR_BITS } };

                if (first < 256 || first >= 255 * 256 ||
                    (first >= RESERVED && first < RESERVED + RESERVED_LEN))
                        continue;
                if (fg_rtnl_each_address(vpc->outside, on_address, &s, err) < 0)
                        return -1;
                if (s.taken)
                        continue;
                set_pair(vpc, &s.pair);
                return fg_journal_set(&vpc->journal, "uplink4", vpc->outside4, err);
        }
        return fg_fail(err, FG_ERR_CAPACITY, "no network of " LINK_LOCAL " is free on this host");
}

static int set_addresses(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_autofree char *known = fg_journal_get(&vpc->journal, "uplink4");
        const char *hex = vpc->name + strlen("fgr");
        struct fg_cidr all, pair = { .bits = PAIR_BITS };
        struct fg_ip ip;
        int there = fg_rtnl_index(vpc->outside, vpc->name, err);

        /* A unique local network of its own, by our name. */
        (void)snprintf(vpc->outside6, sizeof(vpc->outside6), "fd%.2s:%.4s:%.2s00::1", hex, hex + 2,
                       hex + 6);
        (void)snprintf(vpc->inside6, sizeof(vpc->inside6), "fd%.2s:%.4s:%.2s00::2", hex, hex + 2,
                       hex + 6);
        if (there < 0)
                return -1;
        (void)fg_cidr_parse(LINK_LOCAL, &all);
        if (there == 0 || !known || !fg_ip_parse(known, &ip) || !fg_cidr_contains(&all, &ip))
                return choose_pair(vpc, err);
        pair.ip = fg_cidr_host(&all, fg_cidr_index(&all, &ip) - 1);
        set_pair(vpc, &pair);
        return 0;
}

/* ---- the two ends ---- */

struct end {
        struct fg_rtnl *rtnl;
        const char *device, *address4, *address6;
};

static int set_end(const struct end *end, struct fg_error *err)
{
        struct fg_ip ip4, ip6;

        if (!fg_ip_parse(end->address4, &ip4) || !fg_ip_parse(end->address6, &ip6))
                return fg_fail(err, FG_ERR_INTERNAL, "%s, %s: not addresses", end->address4,
                               end->address6);
        if (fg_rtnl_up(end->rtnl, end->device, err) < 0 ||
            fg_rtnl_add_address(end->rtnl, end->device, &ip4, PAIR_BITS, err) < 0)
                return -1;
        if (!fg_ns_has_ipv6())
                return 0;
        return fg_rtnl_add_address(end->rtnl, end->device, &ip6, 126, err);
}

/* In the host's namespace. */
static int set_outside(struct fg_vpc *vpc, struct fg_error *err)
{
        struct end end = { vpc->outside, vpc->name, vpc->outside4, vpc->outside6 };
        static const struct {
                const char *family, *name, *value;
        } settings[] = { { "ipv4", "route_localnet", "1" }, /* for ports on the loopback */
                         { "ipv4", "send_redirects", "0" },
                         { "ipv4", "accept_redirects", "0" },
                         { "ipv6", "accept_ra", "0" },
                         { "ipv6", "accept_redirects", "0" } };

        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++) {
                fg_autofree char *name = fg_asprintf("net/%s/conf/%s/%s", settings[i].family,
                                                     vpc->name, settings[i].name);

                if (fg_ns_set_if_there(name, settings[i].value, err) < 0)
                        return -1;
        }
        return set_end(&end, err);
}

/* In the VPC's namespace. */
static int set_inside(void *userdata, struct fg_error *err)
{
        struct fg_vpc *vpc = userdata;
        struct end end = { vpc->inside, FG_RULES_UPLINK, vpc->inside4, vpc->inside6 };
        struct fg_ip via4, via6;

        (void)fg_ip_parse(vpc->outside4, &via4);
        (void)fg_ip_parse(vpc->outside6, &via6);
        if (set_end(&end, err) < 0 ||
            fg_rtnl_add_default_route(vpc->inside, FG_RULES_UPLINK, &via4, err) < 0)
                return -1;
        return *vpc->why_no_ipv6
                       ? 0
                       : fg_rtnl_add_default_route(vpc->inside, FG_RULES_UPLINK, &via6, err);
}

/* ---- the whole ---- */

static void look_at_ipv6(struct fg_vpc *vpc)
{
        char now[8];

        read_word(FORWARD6, now, sizeof(now));
        if (!fg_streq(now, "1"))
                (void)snprintf(vpc->why_no_ipv6, sizeof(vpc->why_no_ipv6),
                               "the host does not forward IPv6, and switching it on would change "
                               "how it gets its own addresses");
}

static void set_host(struct fg_vpc *vpc)
{
        char text[16];
        uint64_t max = DEFAULT_SLOT;

        read_word(CONNTRACK, text, sizeof(text));
        (void)fg_parse_u64(text, &max);
        fg_vpc_resolver_upstream(vpc);
        vpc->host = (struct fg_rules_host){
                .table = vpc->name,
                .inside4 = vpc->inside4,
                .inside6 = vpc->inside6,
                .outside4 = vpc->outside4,
                .resolver = *vpc->host_resolver ? vpc->host_resolver : NULL,
                .connections = (unsigned)(max / 2) /* the host keeps the other half */
        };
}

static int open_pair(struct fg_vpc *vpc, struct fg_error *err)
{
        look_at_ipv6(vpc);
        if (set_addresses(vpc, err) < 0 ||
            fg_rtnl_add_veth(vpc->outside, vpc->name, FG_RULES_UPLINK, NULL, vpc->ns, err) < 0 ||
            set_outside(vpc, err) < 0)
                return fg_wrap(err, "the way out of the VPC");
        if (fg_netns_run(vpc->ns, set_inside, vpc, err) < 0 || fg_vpc_forward(vpc, err) < 0)
                return fg_wrap(err, "the way out of the VPC");
        set_host(vpc);
        return 0;
}

static int remove_pair(struct fg_vpc *vpc, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf batch = FG_BUF_INIT(4096);

        if (fg_rules_host_gone(vpc->name, &batch, err) < 0 ||
            fg_nft_run(vpc->nft_outside, batch.data, err) < 0 ||
            fg_rtnl_remove(vpc->outside, vpc->name, err) < 0)
                return -1;
        return fg_vpc_forward_no_more(vpc, err);
}

const struct fg_vpc_uplink fg_vpc_uplink_veth = { .host_rules = true,
                                                  .open = open_pair,
                                                  .remove = remove_pair };

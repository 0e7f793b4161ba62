/* SPDX-License-Identifier: Apache-2.0 */
#include "net/rules.h"

#include <string.h>

#include "core/str.h"
#include "net/address.h"

/* Limits per task. None of them is met by software that means well. */
#define CONNECTIONS "8192"
#define ARP_RATE    "50/second burst 100 packets"
#define BROADCAST   "100/second burst 200 packets"
/* dnsmasq waits for ten seconds for an answer, and for 10,000 of them: for one task's, 2400. */
#define DNS_RATE  "200/second burst 400 packets"
#define DNS_TCP   "4" /* of the twenty connections that dnsmasq serves at once */
#define ECHO_RATE "20/second burst 40 packets"
#define BUCKETS   "size 65536; flags dynamic, timeout; timeout 1m"

/* ---- at the TAPs: who it is from ---- */

static const char bridge_rules[] =
        "add table bridge fgrun\n"
        "delete table bridge fgrun\n"
        "table bridge fgrun {\n"
        "  set eni_mac { typeof iifname . ether saddr; }\n"
        "  set eni_arp { typeof iifname . arp saddr ether . arp saddr ip; }\n"
        "  set eni_ip4 { typeof iifname . ether saddr . ip saddr; }\n"
        "  set eni_ip6 { typeof iifname . ether saddr . ip6 saddr; }\n"
        "  set arp_rate { type ifname; " BUCKETS "; }\n"
        "  set broadcast_rate { type ifname; " BUCKETS "; }\n"
        "  map rate_out { type ifname : limit; }\n"
        "  map rate_in { type ifname : limit; }\n"
        "  chain from_task {\n"
        "    iifname . ether saddr != @eni_mac drop\n"
        "    ether type arp update @arp_rate { iifname limit rate over " ARP_RATE " } drop\n"
        "    ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 update @broadcast_rate "
        "{ iifname limit rate over " BROADCAST " } drop\n"
        "    limit name iifname map @rate_out drop\n"
        "    ether type arp arp operation { request, reply } "
        "iifname . arp saddr ether . arp saddr ip @eni_arp accept\n"
        "    ether type ip udp sport 67 drop\n"
        "    ether type ip iifname . ether saddr . ip saddr @eni_ip4 accept\n"
        "    ether type ip6 icmpv6 type { nd-router-advert, nd-redirect } drop\n"
        "    ether type ip6 udp sport 547 drop\n"
        "    ether type ip6 iifname . ether saddr . ip6 saddr @eni_ip6 accept\n"
        "    ether type ip6 ip6 saddr :: icmpv6 type nd-neighbor-solicit accept\n"
        "    drop\n"
        "  }\n"
        "  chain prerouting {\n"
        "    type filter hook prerouting priority -300; policy accept;\n"
        "    iifname \"" FG_RULES_TAPS "*\" jump from_task\n"
        "  }\n"
        "  chain forward {\n"
        "    type filter hook forward priority 0; policy drop;\n"
        "  }\n"
        "  chain postrouting {\n"
        "    type filter hook postrouting priority 0; policy accept;\n"
        "    limit name oifname map @rate_in drop\n"
        "  }\n"
        "}\n";

/* ---- in the router: what it may do ---- */

static const char inet_sets[] =
        "  set connections4 { type ipv4_addr; size 65536; flags dynamic; }\n"
        "  set connections6 { type ipv6_addr; size 65536; flags dynamic; }\n"
        "  set dns_tcp4 { type ipv4_addr; size 65536; flags dynamic; }\n"
        "  set dns4 { type ipv4_addr; " BUCKETS "; }\n"
        "  set echo4 { type ipv4_addr; " BUCKETS "; }\n"
        "  set echo6 { type ipv6_addr; " BUCKETS "; }\n"
        "  map published { type inet_proto . inet_service : "
        "ipv4_addr . inet_service; }\n";

/* The resolver's queries (of UDP) are not tracked: they could fill the table of connections. */
static const char inet_chains[] =
        "  chain raw_in {\n"
        "    type filter hook prerouting priority -300; policy accept;\n"
        /* Frames to the bridge itself (01:80:c2:00:00:02 and on) come by the TAP, past its rules.
         */
        "    iifname \"" FG_RULES_TAPS "*\" drop\n"
        "    iifname \"br0\" ip daddr " FG_NET_RESOLVER " udp dport 53 notrack\n"
        "  }\n"
        "  chain raw_out {\n"
        "    type filter hook output priority -300; policy accept;\n"
        "    oifname \"br0\" ip saddr " FG_NET_RESOLVER " udp sport 53 notrack\n"
        "  }\n"
        "  chain nat_in {\n"
        "    type nat hook prerouting priority -100; policy accept;\n"
        "    iifname \"up0\" dnat ip to meta l4proto . th dport map @published\n"
        "  }\n"
        "  chain nat_out {\n"
        "    type nat hook postrouting priority 100; policy accept;\n"
        "    oifname \"up0\" masquerade\n"
        "  }\n"
        "  chain input {\n"
        "    type filter hook input priority 0; policy drop;\n"
        "    iifname \"lo\" accept\n"
        "    iifname \"br0\" meta l4proto tcp ct state established ct direction reply accept\n"
        "    iifname \"br0\" jump input_task\n"
        "    ct state { established, related } accept\n"
        "    iifname \"up0\" icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
        "  }\n"
        "  chain input_task {\n"
        "    ip daddr " FG_NET_RESOLVER " update @dns4 { ip saddr limit rate over " DNS_RATE " } "
        "drop\n"
        "    ip daddr " FG_NET_RESOLVER " tcp dport 53 "
        "add @dns_tcp4 { ip saddr ct count over " DNS_TCP " } drop\n"
        "    ip daddr " FG_NET_RESOLVER " meta l4proto { tcp, udp } th dport 53 accept\n"
        "    icmp type echo-request update @echo4 { ip saddr limit rate over " ECHO_RATE " } drop\n"
        "    icmp type echo-request accept\n"
        "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
        "    icmpv6 type echo-request update @echo6 { ip6 saddr limit rate over " ECHO_RATE " } "
        "drop\n"
        "    icmpv6 type echo-request accept\n"
        "    drop\n"
        "  }\n"
        /* IPv6 has no send_redirects: told where its peer is, a task would talk past the router. */
        "  chain output {\n"
        "    type filter hook output priority 0; policy accept;\n"
        "    oifname \"br0\" icmpv6 type nd-redirect drop\n"
        "  }\n"
        "  chain forward {\n"
        "    type filter hook forward priority 0; policy drop;\n"
        "    ct state vmap { established : accept, related : accept, invalid : drop }\n"
        "    iifname \"br0\" jump from_task\n"
        "    iifname \"br0\" oifname { \"br0\", \"up0\" } accept\n"
        "    iifname \"up0\" oifname \"br0\" ct status dnat "
        "add @connections4 { ip daddr ct count over " CONNECTIONS " } drop\n"
        "    iifname \"up0\" oifname \"br0\" ct status dnat accept\n"
        "  }\n"
        "  chain from_task {\n"
        "    ip daddr { 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3, " FG_RULES_CLOUD4
        " } drop\n"
        "    ip6 daddr { ::/127, fe80::/10, ff00::/8, " FG_RULES_CLOUD6 " } drop\n"
        "    add @connections4 { ip saddr ct count over " CONNECTIONS " } drop\n"
        "    add @connections6 { ip6 saddr ct count over " CONNECTIONS " } drop\n"
        "    jump egress\n"
        "    oifname \"br0\" jump ingress\n"
        "  }\n";

static bool is_icmp(const char *protocol)
{
        return fg_streq(protocol, "icmp") || fg_streq(protocol, "icmpv6");
}

static int put_protocol(const struct fg_net_rule *r, struct fg_buf *out, struct fg_error *err)
{
        const char *p = r->protocol;

        if (fg_streq(p, "-1"))
                return 0;
        if (fg_streq(p, "tcp") || fg_streq(p, "udp"))
                return fg_buf_printf(out, err, " %s dport %d-%d", p, r->from_port, r->to_port);
        if (is_icmp(p) && r->from_port >= 0 && r->to_port >= 0)
                return fg_buf_printf(out, err, " %s type %d %s code %d", p, r->from_port, p,
                                     r->to_port);
        if (is_icmp(p) && r->from_port >= 0)
                return fg_buf_printf(out, err, " %s type %d", p, r->from_port);
        return fg_buf_printf(out, err, " meta l4proto %s", fg_streq(p, "icmpv6") ? "ipv6-icmp" : p);
}

/* Is there anything of that family in the rule? */
static bool concerns(const struct fg_net_rule *r, const struct fg_cidr *peer, int family)
{
        if (is_icmp(r->protocol) && (family == AF_INET) != fg_streq(r->protocol, "icmp"))
                return false;
        return !peer || peer->ip.family == family;
}

static int put_peer(const struct fg_net_rule *r, const struct fg_cidr *peer, int family,
                    struct fg_buf *out, struct fg_error *err)
{
        const char *ip = family == AF_INET ? "ip" : "ip6", *end = r->egress ? "daddr" : "saddr";

        if (!peer)
                return fg_buf_printf(out, err, " %s %s @%s-%d", ip, end, r->peer,
                                     family == AF_INET ? 4 : 6);
        return peer->bits > 0 ? fg_buf_printf(out, err, " %s %s %s", ip, end, r->peer) : 0;
}

/* "ip saddr @sg-a-4 ip daddr 10.0.0.0/8 tcp dport 80-80 return" */
static int put_rule(const struct fg_net_group *g, const struct fg_net_rule *r, int family,
                    struct fg_buf *out, struct fg_error *err)
{
        const bool group = fg_starts_with(r->peer, "sg-");
        struct fg_cidr peer;

        if (!group && !fg_cidr_parse(r->peer, &peer))
                return fg_fail(err, FG_ERR_INVALID, "group %s: %s is not a network", g->id,
                               r->peer);
        if (!concerns(r, group ? NULL : &peer, family))
                return 0;
        if (fg_buf_printf(out, err, "    %s %s @%s-%d", family == AF_INET ? "ip" : "ip6",
                          r->egress ? "saddr" : "daddr", g->id, family == AF_INET ? 4 : 6) < 0 ||
            put_peer(r, group ? NULL : &peer, family, out, err) < 0 ||
            put_protocol(r, out, err) < 0)
                return -1;
        return fg_buf_puts(out, " return\n", err);
}

static int put_direction(const struct fg_net_config *config, bool egress, struct fg_buf *out,
                         struct fg_error *err)
{
        if (fg_buf_printf(out, err, "  chain %s {\n", egress ? "egress" : "ingress") < 0)
                return -1;
        for (size_t i = 0; i < config->n_groups; i++) {
                const struct fg_net_group *g = &config->groups[i];

                for (size_t j = 0; j < g->n_rules; j++)
                        if (g->rules[j].egress == egress &&
                            (put_rule(g, &g->rules[j], AF_INET, out, err) < 0 ||
                             put_rule(g, &g->rules[j], AF_INET6, out, err) < 0))
                                return -1;
        }
        return fg_buf_puts(out, "    drop\n  }\n", err);
}

int fg_rules_vpc(const struct fg_net_config *config, struct fg_buf *out, struct fg_error *err)
{
        if (fg_buf_puts(out, bridge_rules, err) < 0 || fg_buf_puts(out,
                                                                   "add table inet fgrun\n"
                                                                   "delete table inet fgrun\n"
                                                                   "table inet fgrun {\n",
                                                                   err) < 0)
                return -1;
        for (size_t i = 0; i < config->n_groups; i++)
                if (fg_buf_printf(out, err,
                                  "  set %s-4 { type ipv4_addr; }\n"
                                  "  set %s-6 { type ipv6_addr; }\n",
                                  config->groups[i].id, config->groups[i].id) < 0)
                        return -1;
        if (fg_buf_puts(out, inet_sets, err) < 0 || put_direction(config, true, out, err) < 0 ||
            put_direction(config, false, out, err) < 0 || fg_buf_puts(out, inet_chains, err) < 0)
                return -1;
        return fg_buf_puts(out, "}\n", err);
}

/* ---- one task ---- */

/* nft cannot remove what may not be there: add it first, which is no error when it is. */
static int put_element(const char *set, const char *element, bool on, struct fg_buf *out,
                       struct fg_error *err)
{
        if (fg_buf_printf(out, err, "add element %s { %s }\n", set, element) < 0)
                return -1;
        return on ? 0 : fg_buf_printf(out, err, "delete element %s { %s }\n", set, element);
}

static int put_elements(const struct fg_net_attachment *a, bool on, struct fg_buf *out,
                        struct fg_error *err)
{
        char link_local[FG_NET_IP_MAX];
        struct {
                const char *set;
                char *element;
        } list[5];
        int r = 0;

        fg_mac_link_local(a->mac, link_local);
        list[0].set = "bridge fgrun eni_mac";
        list[0].element = fg_asprintf("\"%s\" . %s", a->tap, a->mac);
        list[1].set = "bridge fgrun eni_arp";
        list[1].element = fg_asprintf("\"%s\" . %s . %s", a->tap, a->mac, a->ipv4);
        list[2].set = "bridge fgrun eni_ip4";
        list[2].element = fg_asprintf("\"%s\" . %s . %s", a->tap, a->mac, a->ipv4);
        list[3].set = "bridge fgrun eni_ip6";
        list[3].element = fg_asprintf("\"%s\" . %s . %s", a->tap, a->mac, link_local);
        list[4].set = "bridge fgrun eni_ip6";
        list[4].element = fg_asprintf("\"%s\" . %s . %s", a->tap, a->mac, a->ipv6);
        for (size_t i = 0; i < FG_ARRAY_SIZE(list); i++) {
                /* A task without IPv6 says nothing in it, not even link-local. */
                if (r == 0 && (i < 3 || *a->ipv6))
                        r = put_element(list[i].set, list[i].element, on, out, err);
                free(list[i].element);
        }
        return r;
}

static int put_limits(const struct fg_net_attachment *a, bool on, struct fg_buf *out,
                      struct fg_error *err)
{
        static const char *const ways[] = { "in", "out" };
        uint64_t rate = a->bytes_per_second, burst = rate / 4 < 65536 ? 65536 : rate / 4;

        for (size_t i = 0; rate > 0 && i < FG_ARRAY_SIZE(ways); i++) {
                fg_autofree char *set = fg_asprintf("bridge fgrun rate_%s", ways[i]);
                fg_autofree char *element = fg_asprintf("\"%s\" : \"%s-%s\"", a->tap, a->tap,
                                                        ways[i]);

                if (fg_buf_printf(
                            out, err,
                            "add limit bridge fgrun %s-%s { rate over %llu bytes/second burst "
                            "%llu bytes; }\n",
                            a->tap, ways[i], (unsigned long long)rate,
                            (unsigned long long)burst) < 0 ||
                    put_element(set, element, on, out, err) < 0 ||
                    (!on && fg_buf_printf(out, err, "delete limit bridge fgrun %s-%s\n", a->tap,
                                          ways[i]) < 0))
                        return -1;
        }
        return 0;
}

static int put_memberships(const struct fg_net_attachment *a, bool on, struct fg_buf *out,
                           struct fg_error *err)
{
        for (size_t i = 0; i < a->n_groups; i++) {
                fg_autofree char *set4 = fg_asprintf("inet fgrun %s-4", a->groups[i]);
                fg_autofree char *set6 = fg_asprintf("inet fgrun %s-6", a->groups[i]);

                if (put_element(set4, a->ipv4, on, out, err) < 0 ||
                    (*a->ipv6 && put_element(set6, a->ipv6, on, out, err) < 0))
                        return -1;
        }
        return 0;
}

int fg_rules_task(const struct fg_net_attachment *a, bool on, struct fg_buf *out,
                  struct fg_error *err)
{
        if (put_elements(a, on, out, err) < 0 || put_limits(a, on, out, err) < 0)
                return -1;
        return put_memberships(a, on, out, err);
}

int fg_rules_task_port(const struct fg_net_attachment *a, const struct fg_rules_port *p, bool on,
                       struct fg_buf *out, struct fg_error *err)
{
        fg_autofree char *element = fg_asprintf("%s . %u : %s . %u", p->port.udp ? "udp" : "tcp",
                                                p->transfer, a->ipv4, p->port.container);

        return put_element("inet fgrun published", element, on, out, err);
}

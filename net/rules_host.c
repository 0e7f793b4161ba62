/* SPDX-License-Identifier: Apache-2.0 */
#include "net/rules.h"

#include <string.h>

#include "core/str.h"

/*
 * The host's namespace gets one table for a VPC: what leaves the VPC takes the host's
 * address, the VPC reaches no service of the host, and what comes to a published port goes to the
 * VPC's end of the pair. %1$s: the table, and the host's end.
 */
static const char table_rules[] =
        "add table inet %1$s\n"
        "delete table inet %1$s\n"
        "table inet %1$s {\n"
        "  map published { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
        "  map published_at { type inet_proto . ipv4_addr . inet_service : "
        "ipv4_addr . inet_service; }\n"
        "  chain nat_in {\n"
        "    type nat hook prerouting priority -100; policy accept;\n"
        "    iifname \"%1$s\" jump resolver\n"
        "    iifname \"%1$s\" return\n"
        /* A neighbour's frame may say so: the kernel would look at it only after the translation.
         */
        "    ip daddr 127.0.0.0/8 return\n"
        "    fib daddr type local jump published\n"
        "  }\n"
        "  chain nat_local {\n"
        "    type nat hook output priority -100; policy accept;\n"
        "    fib daddr type local jump published\n"
        "  }\n"
        "  chain published {\n"
        "    dnat ip to meta l4proto . ip daddr . th dport map @published_at\n"
        "    meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published\n"
        "  }\n"
        "  chain nat_out {\n"
        "    type nat hook postrouting priority 100; policy accept;\n"
        "    oifname \"%1$s\" ip saddr 127.0.0.0/8 masquerade\n"
        "    iifname \"%1$s\" ip saddr %2$s masquerade\n"
        "    iifname \"%1$s\" ip6 saddr %3$s masquerade\n"
        "  }\n"
        "  chain input {\n"
        "    type filter hook input priority -10; policy accept;\n"
        "    iifname \"%1$s\" jump from_vpc_to_host\n"
        "  }\n"
        "  chain from_vpc_to_host {\n"
        "    ct state { established, related } accept\n"
        "    jump to_resolver\n"
        "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
        "    drop\n"
        "  }\n"
        "  chain forward {\n"
        "    type filter hook forward priority -10; policy accept;\n"
        "    iifname \"%1$s\" jump from_vpc\n"
        "    oifname \"%1$s\" ct state { established, related } accept\n"
        "    oifname \"%1$s\" ct status dnat accept\n"
        "    oifname \"%1$s\" drop\n"
        "  }\n"
        "  chain from_vpc {\n"
        "    ct state { established, related } accept\n"
        "    ip saddr != %2$s drop\n"
        "    ip6 saddr != %3$s drop\n"
        "    jump to_resolver\n"
        "    ip daddr { 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3 } drop\n"
        "    ip6 daddr { fe80::/10, " FG_RULES_CLOUD6 " } drop\n"
        "    ct count over %4$u drop\n"
        "    accept\n"
        "  }\n";

int fg_rules_host(const struct fg_rules_host *h, struct fg_buf *out, struct fg_error *err)
{
        if (fg_buf_printf(out, err, table_rules, h->table, h->inside4, h->inside6, h->connections) <
                    0 ||
            fg_buf_puts(out, "  chain resolver {\n", err) < 0 ||
            (h->resolver && fg_buf_printf(out, err,
                                          "    ip daddr %s meta l4proto { tcp, udp } th dport 53 "
                                          "dnat ip to %s\n",
                                          h->outside4, h->resolver) < 0))
                return -1;
        /* What others translate to a service of the host is not meant by it. */
        if (fg_buf_puts(out, "  }\n  chain to_resolver {\n", err) < 0 ||
            (h->resolver && fg_buf_printf(out, err,
                                          "    ip daddr %s meta l4proto { tcp, udp } th dport 53 "
                                          "ct status dnat accept\n",
                                          h->resolver) < 0))
                return -1;
        return fg_buf_puts(out, "  }\n}\n", err);
}

bool fg_rules_port_ipv4(const struct fg_net_port *p)
{
        return !strchr(p->address, ':');
}

bool fg_rules_port_ipv6(const struct fg_net_port *p)
{
        return !p->udp && (!*p->address || strchr(p->address, ':'));
}

int fg_rules_host_port(const struct fg_rules_host *h, const struct fg_rules_port *p, bool on,
                       struct fg_buf *out, struct fg_error *err)
{
        bool all = !*p->port.address || fg_streq(p->port.address, "0.0.0.0");
        fg_autofree char *key = fg_asprintf("%s%s%s . %u", p->port.udp ? "udp" : "tcp",
                                            all ? "" : " . ", all ? "" : p->port.address,
                                            p->port.host);
        fg_autofree char *element = fg_asprintf("element inet %s published%s { %s : %s . %u }\n",
                                                h->table, all ? "" : "_at", key, h->inside4,
                                                p->transfer);

        if (!fg_rules_port_ipv4(&p->port))
                return 0;
        if (fg_buf_printf(out, err, "add %s", element) < 0)
                return -1;
        return on ? 0 : fg_buf_printf(out, err, "delete %s", element);
}

int fg_rules_host_gone(const char *table, struct fg_buf *out, struct fg_error *err)
{
        return fg_buf_printf(out, err, "add table inet %s\ndelete table inet %s\n", table, table);
}

int fg_rules_forwarding(const char *names, struct fg_buf *out, struct fg_error *err)
{
        if (fg_rules_host_gone(FG_RULES_FORWARDING, out, err) < 0)
                return -1;
        return fg_buf_printf(out, err,
                             "table inet " FG_RULES_FORWARDING " {\n"
                             "  set before { type ifname; %s%s%s}\n"
                             "  chain forward {\n"
                             "    type filter hook forward priority -10; policy accept;\n"
                             "    iifname @before oifname @before drop\n"
                             "  }\n"
                             "}\n",
                             *names ? "elements = { " : "", names, *names ? " }; " : "");
}

static const char far_rules[] = "add table ip far\n"
                                "delete table ip far\n"
                                "table ip far {\n"
                                "  set host { type ipv4_addr; }\n"
                                "  chain forward {\n"
                                "    type filter hook forward priority -10; policy accept;\n"
                                "    oifname \"" FG_RULES_UPLINK "\" ip daddr @host drop\n"
                                "  }\n"
                                "}\n";

int fg_rules_far(struct fg_buf *out, struct fg_error *err)
{
        return fg_buf_puts(out, far_rules, err);
}

int fg_rules_far_address(const char *address, struct fg_buf *out, struct fg_error *err)
{
        return fg_buf_printf(out, err, "add element ip far host { %s }\n", address);
}

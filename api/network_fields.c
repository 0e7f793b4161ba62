/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "api/network_file.h"

/* ---- checks of one value ---- */

static bool check_id(struct fg_decode *d, const char *s, const char *prefix)
{
        size_t len = strlen(prefix),
               digits = fg_starts_with(s, prefix) ? strspn(s + len, "0123456789abcdef") : 0;

        if ((digits == 8 || digits == 17) && s[len + digits] == '\0')
                return true;
        fg_decode_problem(d, NULL, NULL, "'%.*s' is not an id: expected %s and 8 or 17 hex digits",
                          FG_CLIP(s), prefix);
        return false;
}

static bool check_subnet_id(struct fg_decode *d, const char *s)
{
        return check_id(d, s, "subnet-");
}

static bool check_group_id(struct fg_decode *d, const char *s)
{
        return check_id(d, s, "sg-");
}

static bool check_network(struct fg_decode *d, const char *s, int family)
{
        struct fg_error err = FG_ERROR_INIT;

        return fg_net_cidr_check(s, family, &err) == 0 || fg_decode_refuse(d, &err);
}

static bool check_cidr(struct fg_decode *d, const char *s)
{
        return check_network(d, s, AF_INET);
}

static bool check_cidr6(struct fg_decode *d, const char *s)
{
        return check_network(d, s, AF_INET6);
}

static bool check_subnet_cidr(struct fg_decode *d, const char *s)
{
        const char *bits = strchr(s, '/');

        if (!check_cidr(d, s))
                return false;
        if (strtoul(bits + 1, NULL, 10) >= 16 && strtoul(bits + 1, NULL, 10) <= 28)
                return true;
        fg_decode_problem(d, NULL, NULL, "a subnet has between /16 and /28");
        return false;
}

static bool check_subnet_cidr6(struct fg_decode *d, const char *s)
{
        if (!check_cidr6(d, s))
                return false;
        if (fg_ends_with(s, "/64"))
                return true;
        fg_decode_problem(d, NULL, NULL, "an IPv6 subnet is a /64");
        return false;
}

static bool check_protocol(struct fg_decode *d, const char *s)
{
        static const char *const names[] = { "-1", "tcp", "udp", "icmp", "icmpv6", NULL };
        uint64_t number;

        if (fg_one_of(s, names) || (fg_parse_u64(s, &number) && number < 256))
                return true;
        fg_decode_problem(d, NULL, "tcp, udp, icmp, icmpv6, -1 or a protocol number",
                          "'%.*s' is not a protocol", FG_CLIP(s));
        return false;
}

/* ---- tables ---- */

static const struct fg_field pair_fields[] = {
        FG_ROW_STRING(network_pair_rule, group_id, "groupId", .required = true,
                      .check = check_group_id),
        FG_ROW_STRING(network_pair_rule, description, "description", .max = 255),
};
static const struct fg_object pair_object = FG_OBJECT(network_pair_rule, pair_fields);

static const struct fg_field range4_fields[] = {
        FG_ROW_STRING(network_range4, cidr, "cidrIp", .required = true, .check = check_cidr),
        FG_ROW_STRING(network_range4, description, "description", .max = 255),
};
static const struct fg_object range4_object = FG_OBJECT(network_range4, range4_fields);

static const struct fg_field range6_fields[] = {
        FG_ROW_STRING(network_range4, cidr, "cidrIpv6", .required = true, .check = check_cidr6),
        FG_ROW_STRING(network_range4, description, "description", .max = 255),
};
static const struct fg_object range6_object = FG_OBJECT(network_range4, range6_fields);

/* A protocol has one spelling from here on: who writes 6 and ports means those of TCP. */
static void normalise(char **protocol)
{
        static const char *const names[UINT8_MAX + 1] = { [IPPROTO_ICMP] = "icmp",
                                                          [IPPROTO_TCP] = "tcp",
                                                          [IPPROTO_UDP] = "udp",
                                                          [IPPROTO_ICMPV6] = "icmpv6" };
        fg_autofree char *given = *protocol;
        uint64_t number;

        if (!fg_parse_u64(given, &number) || number > UINT8_MAX)
                *protocol = fg_take_ptr(given);
        else
                *protocol = names[number] ? fg_strdup(names[number])
                                          : fg_asprintf("%u", (unsigned)number);
}

static void check_icmp(struct fg_decode *d, const struct network_permission *p)
{
        bool six = fg_streq(p->protocol, "icmpv6");

        if (!six && !fg_streq(p->protocol, "icmp"))
                return;
        if (p->from_port > UINT8_MAX)
                fg_decode_problem(d, "fromPort", "-1 to 255", "is no type of %s", p->protocol);
        if (p->to_port > UINT8_MAX)
                fg_decode_problem(d, "toPort", "-1 to 255", "is no code of %s", p->protocol);
        if (six && p->ranges4.n)
                fg_decode_problem(d, "ipRanges", "ipv6Ranges", "IPv4 has no icmpv6");
        if (!six && p->ranges6.n)
                fg_decode_problem(d, "ipv6Ranges", "ipRanges", "IPv6 has icmpv6, not icmp");
}

static void check_permission(struct fg_decode *d, void *obj)
{
        struct network_permission *p = obj;

        if (!p->protocol)
                return;
        normalise(&p->protocol);
        check_icmp(d, p);
        if (network_has_ports(p->protocol) && p->to_port == 0)
                fg_decode_problem(d, "toPort", NULL, "%s needs fromPort and toPort", p->protocol);
        else if (network_has_ports(p->protocol) && p->from_port > p->to_port)
                fg_decode_problem(d, "toPort", NULL, "is below fromPort");
        else if (network_has_ports(p->protocol) && (p->from_port < 0) != (p->to_port < 0))
                fg_decode_problem(d, "fromPort", NULL, "-1 means all, in both");
        if (!p->ranges4.n && !p->ranges6.n && !p->groups.n)
                fg_decode_problem(d, NULL, "ipRanges, ipv6Ranges, userIdGroupPairs",
                                  "the rule names no peer");
}

static const struct fg_field permission_fields[] = {
        FG_ROW_STRING(network_permission, protocol, "ipProtocol", .required = true,
                      .check = check_protocol),
        FG_ROW_INT(network_permission, from_port, "fromPort", .min = -1, .max = 65535),
        FG_ROW_INT(network_permission, to_port, "toPort", .min = -1, .max = 65535),
        FG_ROW_OBJECTS(network_permission, ranges4, "ipRanges", &range4_object, .max = 60),
        FG_ROW_OBJECTS(network_permission, ranges6, "ipv6Ranges", &range6_object, .max = 60),
        FG_ROW_OBJECTS(network_permission, groups, "userIdGroupPairs", &pair_object, .max = 60),
};
static const struct fg_object permission_object = FG_OBJECT(network_permission, permission_fields,
                                                            .check = check_permission);

static const struct fg_field group_fields[] = {
        FG_ROW_STRING(network_group, id, "groupId", .required = true, .check = check_group_id),
        FG_ROW_STRING(network_group, name, "groupName", .required = true, .min = 1, .max = 255),
        FG_ROW_STRING(network_group, description, "description", .max = 255),
        FG_ROW_OBJECTS(network_group, ingress, "ipPermissions", &permission_object, .max = 60),
        FG_ROW_OBJECTS(network_group, egress, "ipPermissionsEgress", &permission_object, .max = 60),
};
const struct fg_object network_group_object = FG_OBJECT(network_group, group_fields);

static const struct fg_field subnet_fields[] = {
        FG_ROW_STRING(network_subnet, id, "subnetId", .required = true, .check = check_subnet_id),
        FG_ROW_STRING(network_subnet, cidr, "cidrBlock", .required = true,
                      .check = check_subnet_cidr),
        FG_ROW_STRING(network_subnet, cidr6, "ipv6CidrBlock", .check = check_subnet_cidr6),
};
const struct fg_object network_subnet_object = FG_OBJECT(network_subnet, subnet_fields);

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/field_row.h"
#include "api/network.h"
#include "core/json.h"
#include "core/log.h"
#include "core/str.h"

/*
 * The file of subnets and security groups, in the shape of EC2's DescribeSubnets and
 * DescribeSecurityGroups: docs/networking.md. The first subnet, and the group named default, are
 * what a task gets that names none.
 */
#define FILE_MAX       (1u << 20)
#define RULES_MAX      (FG_NET_GROUPS_MAX * 60)
#define DEFAULT_SUBNET "subnet-0f9a3c51d20e7b648"
#define DEFAULT_GROUP  "sg-0b71e2c84f5d9a036"

struct pair_rule {
        char *group_id;
        char *description;
};

struct range4 {
        char *cidr;
        char *description;
};

struct permission {
        char *protocol;
        int64_t from_port, to_port; /* -1: all */
        FG_LIST(struct range4) ranges4;
        FG_LIST(struct range4) ranges6;
        FG_LIST(struct pair_rule) groups;
};

struct group {
        char *id, *name, *description;
        FG_LIST(struct permission) ingress;
        FG_LIST(struct permission) egress;
};

struct subnet {
        char *id, *cidr, *cidr6;
};

struct file {
        FG_LIST(struct subnet) subnets;
        FG_LIST(struct group) groups;
};

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

        if (fg_net_cidr_check(s, family, &err) == 0)
                return true;
        fg_decode_problem(d, NULL, NULL, "%s", err.msg);
        return false;
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
        FG_ROW_STRING(pair_rule, group_id, "groupId", .required = true, .check = check_group_id),
        FG_ROW_STRING(pair_rule, description, "description", .max = 255),
};
static const struct fg_object pair_object = FG_OBJECT(pair_rule, pair_fields);

static const struct fg_field range4_fields[] = {
        FG_ROW_STRING(range4, cidr, "cidrIp", .required = true, .check = check_cidr),
        FG_ROW_STRING(range4, description, "description", .max = 255),
};
static const struct fg_object range4_object = FG_OBJECT(range4, range4_fields);

static const struct fg_field range6_fields[] = {
        FG_ROW_STRING(range4, cidr, "cidrIpv6", .required = true, .check = check_cidr6),
        FG_ROW_STRING(range4, description, "description", .max = 255),
};
static const struct fg_object range6_object = FG_OBJECT(range4, range6_fields);

static bool has_ports(const char *protocol)
{
        return fg_streq(protocol, "tcp") || fg_streq(protocol, "udp");
}

static void check_permission(struct fg_decode *d, void *obj)
{
        struct permission *p = obj;

        if (!p->protocol)
                return;
        if (has_ports(p->protocol) && p->to_port == 0)
                fg_decode_problem(d, "toPort", NULL, "%s needs fromPort and toPort", p->protocol);
        else if (has_ports(p->protocol) && p->from_port > p->to_port)
                fg_decode_problem(d, "toPort", NULL, "is below fromPort");
        else if (has_ports(p->protocol) && (p->from_port < 0) != (p->to_port < 0))
                fg_decode_problem(d, "fromPort", NULL, "-1 means all, in both");
        if (!p->ranges4.n && !p->ranges6.n && !p->groups.n)
                fg_decode_problem(d, NULL, "ipRanges, ipv6Ranges, userIdGroupPairs",
                                  "the rule names no peer");
}

static const struct fg_field permission_fields[] = {
        FG_ROW_STRING(permission, protocol, "ipProtocol", .required = true,
                      .check = check_protocol),
        FG_ROW_INT(permission, from_port, "fromPort", .min = -1, .max = 65535),
        FG_ROW_INT(permission, to_port, "toPort", .min = -1, .max = 65535),
        FG_ROW_OBJECTS(permission, ranges4, "ipRanges", &range4_object, .max = 60),
        FG_ROW_OBJECTS(permission, ranges6, "ipv6Ranges", &range6_object, .max = 60),
        FG_ROW_OBJECTS(permission, groups, "userIdGroupPairs", &pair_object, .max = 60),
};
static const struct fg_object permission_object = FG_OBJECT(permission, permission_fields,
                                                            .check = check_permission);

static const struct fg_field group_fields[] = {
        FG_ROW_STRING(group, id, "groupId", .required = true, .check = check_group_id),
        FG_ROW_STRING(group, name, "groupName", .required = true, .min = 1, .max = 255),
        FG_ROW_STRING(group, description, "description", .max = 255),
        FG_ROW_OBJECTS(group, ingress, "ipPermissions", &permission_object, .max = 60),
        FG_ROW_OBJECTS(group, egress, "ipPermissionsEgress", &permission_object, .max = 60),
};
static const struct fg_object group_object = FG_OBJECT(group, group_fields);

static const struct fg_field subnet_fields[] = {
        FG_ROW_STRING(subnet, id, "subnetId", .required = true, .check = check_subnet_id),
        FG_ROW_STRING(subnet, cidr, "cidrBlock", .required = true, .check = check_subnet_cidr),
        FG_ROW_STRING(subnet, cidr6, "ipv6CidrBlock", .check = check_subnet_cidr6),
};
static const struct fg_object subnet_object = FG_OBJECT(subnet, subnet_fields);

/* ---- rules between values ---- */

static void check_two_subnets(struct fg_decode *d, const struct subnet *s, const struct subnet *o)
{
        if (s->id && o->id && fg_streq(s->id, o->id))
                fg_decode_problem(d, "subnetId", NULL, "%s is given twice", s->id);
        if (s->cidr && o->cidr && fg_net_cidr_overlap(s->cidr, o->cidr))
                fg_decode_problem(d, "cidrBlock", NULL, "%s overlaps %s", s->cidr, o->cidr);
        if (s->cidr6 && o->cidr6 && fg_net_cidr_overlap(s->cidr6, o->cidr6))
                fg_decode_problem(d, "ipv6CidrBlock", NULL, "%s overlaps %s", s->cidr6, o->cidr6);
}

static void check_subnets(struct fg_decode *d, const struct file *f)
{
        for (size_t i = 0; i < f->subnets.n; i++) {
                const struct subnet *s = &f->subnets.v[i];
                size_t mark = fg_decode_enter(d, ".subnets[%zu]", i);

                if (s->cidr && fg_net_cidr_overlap(s->cidr, "169.254.0.0/16"))
                        fg_decode_problem(d, "cidrBlock", NULL,
                                          "%s overlaps 169.254.0.0/16, which is link-local",
                                          s->cidr);
                for (size_t j = 0; j < i; j++)
                        check_two_subnets(d, s, &f->subnets.v[j]);
                fg_decode_leave(d, mark);
        }
}

static bool knows_group(const struct file *f, const char *id)
{
        for (size_t i = 0; i < f->groups.n; i++)
                if (f->groups.v[i].id && fg_streq(f->groups.v[i].id, id))
                        return true;
        return fg_streq(id, DEFAULT_GROUP);
}

static void check_peers(struct fg_decode *d, const struct file *f, const char *member,
                        const struct permission *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < v[i].groups.n; j++) {
                        const char *id = v[i].groups.v[j].group_id;
                        size_t mark = fg_decode_enter(d, ".%s[%zu].userIdGroupPairs[%zu]", member,
                                                      i, j);

                        if (id && !knows_group(f, id))
                                fg_decode_problem(d, "groupId", NULL, "there is no group %s", id);
                        fg_decode_leave(d, mark);
                }
}

static void check_groups(struct fg_decode *d, const struct file *f)
{
        for (size_t i = 0; i < f->groups.n; i++) {
                const struct group *g = &f->groups.v[i];
                size_t mark = fg_decode_enter(d, ".securityGroups[%zu]", i);

                for (size_t j = 0; j < i; j++) {
                        const struct group *o = &f->groups.v[j];

                        if (g->id && o->id && fg_streq(g->id, o->id))
                                fg_decode_problem(d, "groupId", NULL, "%s is given twice", g->id);
                        if (g->name && o->name && fg_streq(g->name, o->name))
                                fg_decode_problem(d, "groupName", NULL, "'%.*s' is given twice",
                                                  FG_CLIP(g->name));
                }
                check_peers(d, f, "ipPermissions", g->ingress.v, g->ingress.n);
                check_peers(d, f, "ipPermissionsEgress", g->egress.v, g->egress.n);
                fg_decode_leave(d, mark);
        }
}

static void check_file(struct fg_decode *d, void *obj)
{
        check_subnets(d, obj);
        check_groups(d, obj);
}

static const struct fg_field file_fields[] = {
        FG_ROW_OBJECTS(file, subnets, "subnets", &subnet_object, .max = FG_NET_SUBNETS_MAX),
        FG_ROW_OBJECTS(file, groups, "securityGroups", &group_object, .max = FG_NET_GROUPS_MAX - 1),
};
static const struct fg_object file_object = FG_OBJECT(file, file_fields, .check = check_file);

/* ---- what net/ takes ---- */

static void set(char *ret, size_t size, const char *value)
{
        (void)snprintf(ret, size, "%s", value ? value : "");
}

static void add_rule(struct fg_net_group *g, const struct fg_net_rule *like, const char *peer)
{
        struct fg_net_rule *rules = reallocarray(g->rules, g->n_rules + 1, sizeof(*rules));

        if (!rules)
                abort();
        g->rules = rules;
        rules[g->n_rules] = *like;
        set(rules[g->n_rules++].peer, FG_NET_IP_MAX, peer);
}

static void add_rules(struct fg_net_group *g, bool egress, const struct permission *v, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct permission *p = &v[i];
                struct fg_net_rule like = { .egress = egress,
                                            .from_port = (int)p->from_port,
                                            .to_port = (int)p->to_port };

                if (has_ports(p->protocol) && p->from_port < 0) {
                        like.from_port = 0;
                        like.to_port = 65535;
                } else if (!has_ports(p->protocol) && p->to_port == 0 && p->from_port == 0) {
                        like.from_port = -1; /* an echo reply alone would mean nothing */
                }
                set(like.protocol, sizeof(like.protocol), p->protocol);
                for (size_t j = 0; j < p->ranges4.n; j++)
                        add_rule(g, &like, p->ranges4.v[j].cidr);
                for (size_t j = 0; j < p->ranges6.n; j++)
                        add_rule(g, &like, p->ranges6.v[j].cidr);
                for (size_t j = 0; j < p->groups.n; j++)
                        add_rule(g, &like, p->groups.v[j].group_id);
        }
}

/* As EC2's: from each other everything, to everywhere everything. */
static void add_default_group(struct network_config *c)
{
        static const struct fg_net_rule in = { .protocol = "-1" };
        static const struct fg_net_rule out = { .egress = true, .protocol = "-1" };
        struct fg_net_group *g = &c->groups[c->n_groups++];

        set(g->id, sizeof(g->id), DEFAULT_GROUP);
        set(g->name, sizeof(g->name), "default");
        add_rule(g, &in, DEFAULT_GROUP);
        add_rule(g, &out, "0.0.0.0/0");
        add_rule(g, &out, "::/0");
}

static void add_group(struct network_config *c, const struct group *from)
{
        struct fg_net_group *g = &c->groups[c->n_groups++];

        set(g->id, sizeof(g->id), from->id);
        set(g->name, sizeof(g->name), from->name);
        add_rules(g, false, from->ingress.v, from->ingress.n);
        add_rules(g, true, from->egress.v, from->egress.n);
}

/* The default group comes first, whether it is ours or the file's. */
static void convert_groups(const struct file *f, struct network_config *c)
{
        const struct group *own = NULL;

        for (size_t i = 0; i < f->groups.n; i++)
                if (fg_streq(f->groups.v[i].name, "default"))
                        own = &f->groups.v[i];
        if (own)
                add_group(c, own);
        else
                add_default_group(c);
        for (size_t i = 0; i < f->groups.n; i++)
                if (&f->groups.v[i] != own)
                        add_group(c, &f->groups.v[i]);
}

static void convert(const struct file *f, struct network_config *c)
{
        for (size_t i = 0; i < f->subnets.n; i++) {
                struct fg_net_subnet *s = &c->subnets[c->n_subnets++];

                set(s->id, sizeof(s->id), f->subnets.v[i].id);
                set(s->cidr, sizeof(s->cidr), f->subnets.v[i].cidr);
                set(s->cidr6, sizeof(s->cidr6), f->subnets.v[i].cidr6);
        }
        if (c->n_subnets == 0)
                c->subnets[c->n_subnets++] = (struct fg_net_subnet){ .id = DEFAULT_SUBNET,
                                                                     .cidr = "172.31.0.0/20",
                                                                     .cidr6 = "fd00:172:31::/64" };
        convert_groups(f, c);
}

/* All of them are for the log; the error that ends fgd has room for one. */
static void log_problems(const struct fg_problems *problems, const char *path)
{
        fg_autojson *array = fg_problems_to_json(problems);

        for (size_t i = 0; i < json_object_array_length(array); i++) {
                struct json_object *one = json_object_array_get_idx(array, i);

                fg_log_error("%s: %s: %s", path, fg_json_str(one, "path"),
                             fg_json_str(one, "message"));
        }
}

int network_config_load(const char *path, struct network_config *ret, struct fg_error *err)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *json = NULL;
        struct file f = { .subnets = { .n = 0 } };
        struct fg_decode d;

        *ret = (struct network_config){ .n_subnets = 0 };
        if (path) {
                json = fg_json_parse_file(path, FILE_MAX, err);
                if (!json)
                        return fg_wrap(err, "network_config");
                fg_decode_init(&d, "$", &problems);
                fg_object_decode(&d, &file_object, json, &f);
        }
        if (problems.n == 0)
                convert(&f, ret);
        fg_object_finish(&file_object, &f);
        if (problems.n == 0)
                return 0;
        log_problems(&problems, path);
        return fg_problems_fail(&problems, path, err);
}

void network_config_finish(struct network_config *c)
{
        for (size_t i = 0; i < c->n_groups; i++)
                free(c->groups[i].rules);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/network_file.h"

static void check_two_subnets(struct fg_decode *d, const struct network_subnet *s,
                              const struct network_subnet *o)
{
        if (s->id && o->id && fg_streq(s->id, o->id))
                fg_decode_problem(d, "subnetId", NULL, "%s is given twice", s->id);
        if (s->cidr && o->cidr && fg_net_cidr_overlap(s->cidr, o->cidr))
                fg_decode_problem(d, "cidrBlock", NULL, "%s overlaps %s", s->cidr, o->cidr);
        if (s->cidr6 && o->cidr6 && fg_net_cidr_overlap(s->cidr6, o->cidr6))
                fg_decode_problem(d, "ipv6CidrBlock", NULL, "%s overlaps %s", s->cidr6, o->cidr6);
}

static void check_subnets(struct fg_decode *d, const struct network_file *f)
{
        for (size_t i = 0; i < f->subnets.n; i++) {
                const struct network_subnet *s = &f->subnets.v[i];
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

static bool knows_group(const struct network_file *f, const char *id)
{
        for (size_t i = 0; i < f->groups.n; i++)
                if (f->groups.v[i].id && fg_streq(f->groups.v[i].id, id))
                        return true;
        return fg_streq(id, NETWORK_DEFAULT_GROUP);
}

static void check_peers(struct fg_decode *d, const struct network_file *f, const char *member,
                        const struct network_permission *v, size_t n)
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

static void check_groups(struct fg_decode *d, const struct network_file *f)
{
        for (size_t i = 0; i < f->groups.n; i++) {
                const struct network_group *g = &f->groups.v[i];
                size_t mark = fg_decode_enter(d, ".securityGroups[%zu]", i);

                for (size_t j = 0; j < i; j++) {
                        const struct network_group *o = &f->groups.v[j];

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
        FG_ROW_OBJECTS(network_file, subnets, "subnets", &network_subnet_object,
                       .max = FG_NET_SUBNETS_MAX),
        FG_ROW_OBJECTS(network_file, groups, "securityGroups", &network_group_object,
                       .max = FG_NET_GROUPS_MAX - 1),
};
const struct fg_object network_file_object = FG_OBJECT(network_file, file_fields,
                                                       .check = check_file);

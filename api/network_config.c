/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "api/network_file.h"
#include "core/json.h"
#include "core/log.h"

/* The first subnet, and the group named default, are what a task gets that names none. */
#define FILE_MAX (1u << 20)

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

static void add_rules(struct fg_net_group *g, bool egress, const struct network_permission *v,
                      size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct network_permission *p = &v[i];
                struct fg_net_rule like = { .egress = egress,
                                            .from_port = (int)p->from_port,
                                            .to_port = (int)p->to_port };

                if (network_has_ports(p->protocol) && p->from_port < 0) {
                        like.from_port = 0;
                        like.to_port = 65535;
                } else if (!network_has_ports(p->protocol) && p->to_port == 0 &&
                           p->from_port == 0) {
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

        set(g->id, sizeof(g->id), NETWORK_DEFAULT_GROUP);
        set(g->name, sizeof(g->name), "default");
        add_rule(g, &in, NETWORK_DEFAULT_GROUP);
        add_rule(g, &out, "0.0.0.0/0");
        add_rule(g, &out, "::/0");
}

static void add_group(struct network_config *c, const struct network_group *from)
{
        struct fg_net_group *g = &c->groups[c->n_groups++];

        set(g->id, sizeof(g->id), from->id);
        set(g->name, sizeof(g->name), from->name);
        add_rules(g, false, from->ingress.v, from->ingress.n);
        add_rules(g, true, from->egress.v, from->egress.n);
}

/* The default group comes first, whether it is ours or the file's. */
static void convert_groups(const struct network_file *f, struct network_config *c)
{
        const struct network_group *own = NULL;

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

static void convert(const struct network_file *f, struct network_config *c)
{
        for (size_t i = 0; i < f->subnets.n; i++) {
                struct fg_net_subnet *s = &c->subnets[c->n_subnets++];

                set(s->id, sizeof(s->id), f->subnets.v[i].id);
                set(s->cidr, sizeof(s->cidr), f->subnets.v[i].cidr);
                set(s->cidr6, sizeof(s->cidr6), f->subnets.v[i].cidr6);
        }
        if (c->n_subnets == 0)
                c->subnets[c->n_subnets++] = (struct fg_net_subnet){ .id = NETWORK_DEFAULT_SUBNET,
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
        struct network_file f = { .subnets = { .n = 0 } };
        struct fg_decode d;

        *ret = (struct network_config){ .n_subnets = 0 };
        if (path) {
                json = fg_json_parse_file(path, FILE_MAX, err);
                if (!json)
                        return fg_wrap(err, "network_config");
                fg_decode_init(&d, "$", &problems);
                fg_object_decode(&d, &network_file_object, json, &f);
        }
        if (problems.n == 0)
                convert(&f, ret);
        fg_object_finish(&network_file_object, &f);
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

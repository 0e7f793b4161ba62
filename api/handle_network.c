/* SPDX-License-Identifier: Apache-2.0 */
#include "api/engine.h"
#include "api/network.h"
#include "api/routes.h"
#include "api/task_network.h"
#include "core/str.h"

/* GET /v1/network: what is configured, and who has what. */

static struct json_object *subnet_json(struct fg_daemon *d, const struct fg_net_subnet *s,
                                       bool is_default)
{
        struct json_object *obj = json_object_new_object();

        fg_json_set_str(obj, "subnetId", s->id);
        fg_json_set_str(obj, "vpcId", fg_net_info(d->net)->vpc);
        fg_json_set_str(obj, "cidrBlock", s->cidr);
        if (*s->cidr6)
                fg_json_set_str(obj, "ipv6CidrBlock", s->cidr6);
        fg_json_set_int(obj, "availableIpAddressCount", (int64_t)fg_net_free_addresses(d->net, s));
        fg_json_set_bool(obj, "default", is_default);
        return obj;
}

static struct json_object *rule_json(const struct fg_net_rule *r)
{
        struct json_object *obj = json_object_new_object();

        fg_json_set_bool(obj, "isEgress", r->egress);
        fg_json_set_str(obj, "ipProtocol", r->protocol);
        if (!fg_streq(r->protocol, "-1")) {
                fg_json_set_int(obj, "fromPort", r->from_port);
                fg_json_set_int(obj, "toPort", r->to_port);
        }
        fg_json_set_str(obj, "peer", r->peer);
        return obj;
}

static struct json_object *group_json(const struct fg_net_group *g)
{
        struct json_object *obj = json_object_new_object(), *rules = json_object_new_array();

        fg_json_set_str(obj, "groupId", g->id);
        fg_json_set_str(obj, "groupName", g->name);
        for (size_t i = 0; i < g->n_rules; i++)
                json_object_array_add(rules, rule_json(&g->rules[i]));
        fg_json_set(obj, "rules", rules);
        return obj;
}

static struct json_object *port_json(const struct fg_net_port *p)
{
        struct json_object *obj = json_object_new_object();

        const char *protocol = p->udp ? "udp" : "tcp";

        fg_json_set_str(obj, "hostAddress",
                        *p->address ? p->address : fg_publish_everywhere(protocol));
        fg_json_set_int(obj, "hostPort", p->host);
        fg_json_set_int(obj, "containerPort", p->container);
        fg_json_set_str(obj, "protocol", protocol);
        return obj;
}

struct listing {
        struct fg_daemon *d;
        struct json_object *interfaces;
};

static void add_interface(void *userdata, const struct fg_net_attachment *a,
                          const struct fg_net_port *ports, size_t n_ports)
{
        struct listing *l = userdata;
        struct json_object *obj = json_object_new_object(), *groups = json_object_new_array(),
                           *published = json_object_new_array();
        const struct fg_task *t = fg_engine_task(l->d, a->task);

        fg_json_set_str(obj, "task", a->task);
        fg_json_set_str(obj, "family", t ? t->def->family : "");
        if (!t)
                fg_json_set_bool(obj, "waiting", true); /* a warm guest, for a task to come */
        fg_json_set_str(obj, "networkInterfaceId", a->id);
        fg_json_set_str(obj, "subnetId", a->subnet);
        fg_json_set_str(obj, "macAddress", a->mac);
        fg_json_set_str(obj, "privateIpAddress", a->ipv4);
        if (*a->ipv6)
                fg_json_set_str(obj, "ipv6Address", a->ipv6);
        fg_json_set_str(obj, "privateDnsName", a->name);
        for (size_t i = 0; i < a->n_groups; i++)
                json_object_array_add(groups, json_object_new_string(a->groups[i]));
        fg_json_set(obj, "groups", groups);
        for (size_t i = 0; i < n_ports; i++)
                json_object_array_add(published, port_json(&ports[i]));
        fg_json_set(obj, "publish", published);
        if (a->bytes_per_second)
                fg_json_set_int(obj, "bytesPerSecond", (int64_t)a->bytes_per_second);
        json_object_array_add(l->interfaces, obj);
}

void handle_network(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        const struct fg_net_config *config = fg_net_configured(d->net);
        struct json_object *body = network_info_json(d), *subnets = json_object_new_array(),
                           *groups = json_object_new_array();
        struct listing listing = { d, json_object_new_array() };
        struct fg_net_view view = { add_interface, &listing };

        for (size_t i = 0; i < config->n_subnets; i++)
                json_object_array_add(subnets, subnet_json(d, &config->subnets[i], i == 0));
        for (size_t i = 0; i < config->n_groups; i++)
                json_object_array_add(groups, group_json(&config->groups[i]));
        fg_net_view(d->net, &view);
        fg_json_set(body, "subnets", subnets);
        fg_json_set(body, "securityGroups", groups);
        fg_json_set(body, "networkInterfaces", listing.interfaces);
        fg_reply_json(r, 200, body);
}

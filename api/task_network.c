/* SPDX-License-Identifier: Apache-2.0 */
#include "api/task_network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/field_row.h"
#include "api/taskdef.h"
#include "core/json.h"
#include "core/str.h"

/* ---- what may be asked for ---- */

static const char *const switches[] = { "ENABLED", "DISABLED", NULL };

static const struct fg_field awsvpc_fields[] = {
        FG_ROW_STRINGS(fg_awsvpc, subnets, "subnets", .required = true, .min = 1, .max = 16,
                       .text = "subnets can not be empty."),
        FG_ROW_STRINGS(fg_awsvpc, security_groups, "securityGroups", .max = FG_NET_TASK_GROUPS),
        FG_ROW_STRING(fg_awsvpc, assign_public_ip, "assignPublicIp", .status = FG_FIELD_RECORDED,
                      .allowed = switches),
};
static const struct fg_object awsvpc_object = FG_OBJECT(fg_awsvpc, awsvpc_fields);

static const struct fg_field configuration_fields[] = {
        FG_ROW_OBJECT(fg_network_configuration, awsvpc, "awsvpcConfiguration", &awsvpc_object,
                      .required = true,
                      .text = "Network Configuration must be provided when networkMode 'awsvpc' is "
                              "specified."),
};
const struct fg_object fg_network_configuration_object = FG_OBJECT(fg_network_configuration,
                                                                   configuration_fields);

static const struct fg_field network_fields[] = {
        FG_ROW_OBJECT(fg_task_network, configuration, "networkConfiguration",
                      &fg_network_configuration_object),
        FG_ROW_OBJECTS(fg_task_network, publish, "publish", &fg_publish_object,
                       .max = FG_NET_PORTS_MAX),
        FG_ROW_INT(fg_task_network, bytes_per_second, "networkBytesPerSecond",
                   .min = FG_TASK_RATE_MIN, .max = INT64_C(1) << 40),
};
static const struct fg_object network_object = FG_OBJECT(fg_task_network, network_fields);

struct fg_task_network *fg_task_network_empty(void)
{
        return fg_calloc(1, sizeof(struct fg_task_network));
}

struct fg_task_network *fg_task_network_decode(struct json_object *body,
                                               struct fg_problems *problems)
{
        fg_cleanup(fg_task_network_freep) struct fg_task_network *n = fg_task_network_empty();
        fg_autojson *own = json_object_new_object();
        size_t before = problems->n;
        struct fg_decode d;

        for (size_t i = 0; i < FG_ARRAY_SIZE(network_fields); i++) {
                struct json_object *member = fg_json_get(body, network_fields[i].name);

                if (member)
                        fg_json_set(own, network_fields[i].name, json_object_get(member));
        }
        if (json_object_object_length(own) == 0)
                return NULL;
        fg_decode_init(&d, "$", problems);
        fg_object_decode(&d, &network_object, own, n);
        return problems->n == before ? fg_take_ptr(n) : NULL;
}

void fg_task_network_free(struct fg_task_network *n)
{
        if (!n)
                return;
        fg_object_finish(&network_object, n);
        free(n);
}

struct fg_net_request fg_task_network_request(const struct fg_task_network *n,
                                              struct fg_net_port ports[FG_NET_PORTS_MAX])
{
        const struct fg_awsvpc *vpc = n->configuration ? n->configuration->awsvpc : NULL;
        struct fg_net_request r = { .ports = ports,
                                    .bytes_per_second = (uint64_t)n->bytes_per_second };

        if (vpc) {
                r.subnet = vpc->subnets.n > 0 ? vpc->subnets.v[0] : NULL;
                r.groups = (const char *const *)vpc->security_groups.v;
                r.n_groups = vpc->security_groups.n;
        }
        for (size_t i = 0; i < n->publish.n && i < FG_NET_PORTS_MAX; i++)
                ports[r.n_ports++] = fg_publish_port(&n->publish.v[i]);
        return r;
}

/* ---- kept ---- */

/* The attachment's members that are text, by name, for both directions. */
#define TEXTS(X)                                                                                   \
        X(id)                                                                                      \
        X(task)                                                                                    \
        X(subnet)                                                                                  \
        X(mac)                                                                                     \
        X(ipv4)                                                                                    \
        X(ipv6)                                                                                    \
        X(gateway4)                                                                                \
        X(gateway6)                                                                                \
        X(name)                                                                                    \
        X(tap)

static struct json_object *groups_json(const struct fg_net_attachment *a)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < a->n_groups; i++)
                json_object_array_add(array, json_object_new_string(a->groups[i]));
        return array;
}

struct json_object *fg_task_network_snapshot(const struct fg_task_network *n)
{
        struct json_object *obj = json_object_new_object(), *eni = json_object_new_object();

        fg_json_set(obj, "request", fg_object_encode(&network_object, n));
        fg_json_set_str(obj, "attachment", n->attachment);
#define SAVE(name) fg_json_set_str(eni, #name, n->a.name);
        TEXTS(SAVE)
#undef SAVE
        fg_json_set_int(eni, "bits4", n->a.bits4);
        fg_json_set_int(eni, "bits6", n->a.bits6);
        fg_json_set(eni, "groups", groups_json(&n->a));
        fg_json_set(obj, "eni", eni);
        return obj;
}

static void copy(char *ret, size_t size, const char *value)
{
        (void)snprintf(ret, size, "%s", value ? value : "");
}

static void restore_eni(struct fg_net_attachment *a, struct json_object *eni)
{
        struct json_object *groups = fg_json_arr(eni, "groups");
        size_t n = groups ? json_object_array_length(groups) : 0;

#define LOAD(name) copy(a->name, sizeof(a->name), fg_json_str(eni, #name));
        TEXTS(LOAD)
#undef LOAD
        a->bits4 = (unsigned)fg_json_int(eni, "bits4", 0);
        a->bits6 = (unsigned)fg_json_int(eni, "bits6", 0);
        for (size_t i = 0; i < n && i < FG_NET_TASK_GROUPS; i++)
                copy(a->groups[a->n_groups++], FG_NET_ID_MAX,
                     json_object_get_string(json_object_array_get_idx(groups, i)));
}

struct fg_task_network *fg_task_network_restore(struct json_object *snapshot)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        struct fg_task_network *n;
        struct fg_decode d;

        if (!snapshot)
                return NULL;
        n = fg_task_network_empty();
        fg_decode_init(&d, "$", &problems);
        fg_object_decode(&d, &network_object, fg_json_obj(snapshot, "request"), n);
        copy(n->attachment, sizeof(n->attachment), fg_json_str(snapshot, "attachment"));
        restore_eni(&n->a, fg_json_obj(snapshot, "eni"));
        return n;
}

struct fg_task_network *fg_task_network_copy(const struct fg_task_network *n)
{
        fg_autojson *snapshot = fg_task_network_snapshot(n);

        return fg_task_network_restore(snapshot);
}

struct fg_task_network *fg_task_network_defined(const struct fg_task_network *n,
                                                const struct fg_extensions *e)
{
        struct fg_task_network borrowed = { .bytes_per_second = 0 };

        if (n)
                borrowed = *n;
        if (borrowed.publish.n == 0) {
                borrowed.publish.v = e->publish.v;
                borrowed.publish.n = e->publish.n;
        }
        if (borrowed.bytes_per_second == 0)
                borrowed.bytes_per_second = e->network_bytes_per_second;
        return fg_task_network_copy(&borrowed);
}

struct fg_task_network *fg_task_network_of(const struct fg_network_configuration *c)
{
        struct fg_task_network borrowed = {
                .configuration = (struct fg_network_configuration *)(uintptr_t)c
        };

        return fg_task_network_copy(&borrowed);
}

/* ---- shown ---- */

static void add_detail(struct json_object *details, const char *name, const char *value)
{
        struct json_object *detail;

        if (!*value)
                return;
        detail = json_object_new_object();
        fg_json_set_str(detail, "name", name);
        fg_json_set_str(detail, "value", value);
        json_object_array_add(details, detail);
}

struct json_object *fg_task_network_attachment(const struct fg_task_network *n, const char *status)
{
        struct json_object *obj = json_object_new_object(), *details = json_object_new_array();

        fg_json_set_str(obj, "id", n->attachment);
        fg_json_set_str(obj, "type", "ElasticNetworkInterface");
        fg_json_set_str(obj, "status", status);
        add_detail(details, "subnetId", n->a.subnet);
        add_detail(details, "networkInterfaceId", n->a.id);
        add_detail(details, "macAddress", n->a.mac);
        add_detail(details, "privateDnsName", n->a.name);
        add_detail(details, "privateIPv4Address", n->a.ipv4);
        add_detail(details, "ipv6Address", n->a.ipv6);
        fg_json_set(obj, "details", details);
        return obj;
}

struct json_object *fg_task_network_interfaces(const struct fg_task_network *n)
{
        struct json_object *array = json_object_new_array(), *one;

        if (!n || !*n->a.id)
                return array;
        one = json_object_new_object();
        fg_json_set_str(one, "attachmentId", n->attachment);
        fg_json_set_str(one, "privateIpv4Address", n->a.ipv4);
        if (*n->a.ipv6)
                fg_json_set_str(one, "ipv6Address", n->a.ipv6);
        json_object_array_add(array, one);
        return array;
}

struct json_object *fg_task_network_publish(const struct fg_task_network *n)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < n->publish.n; i++) {
                const struct fg_publish *p = &n->publish.v[i];
                struct json_object *one = json_object_new_object();

                fg_json_set_str(one, "hostAddress",
                                p->host_address ? p->host_address
                                                : fg_publish_everywhere(p->protocol));
                fg_json_set_int(one, "hostPort", p->host_port);
                fg_json_set_int(one, "containerPort", p->container_port);
                fg_json_set_str(one, "protocol", p->protocol ? p->protocol : "tcp");
                json_object_array_add(array, one);
        }
        return array;
}

static void add_text(struct json_object *array, const char *text)
{
        json_object_array_add(array, json_object_new_string(text));
}

struct json_object *fg_task_network_guest(const struct fg_net_attachment *a)
{
        struct json_object *obj = json_object_new_object();
        struct json_object *addresses = json_object_new_array(),
                           *gateways = json_object_new_array(), *servers = json_object_new_array(),
                           *search = json_object_new_array();
        fg_autofree char *ipv4 = fg_asprintf("%s/%u", a->ipv4, a->bits4);
        fg_autofree char *ipv6 = fg_asprintf("%s/%u", a->ipv6, a->bits6);

        add_text(addresses, ipv4);
        add_text(gateways, a->gateway4);
        if (*a->ipv6) {
                add_text(addresses, ipv6);
                add_text(gateways, a->gateway6);
        }
        add_text(servers, FG_NET_RESOLVER);
        add_text(search, FG_NET_DOMAIN);
        fg_json_set_str(obj, "mac", a->mac);
        fg_json_set_int(obj, "mtu", FG_NET_MTU);
        fg_json_set(obj, "addresses", addresses);
        fg_json_set(obj, "gateways", gateways);
        fg_json_set(obj, "dnsServers", servers);
        fg_json_set(obj, "dnsSearch", search);
        return obj;
}

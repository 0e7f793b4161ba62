/* SPDX-License-Identifier: Apache-2.0 */
#include "api/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/str.h"

#define SERVICE_GROUP  "service:"
#define RUNTIME_DIGITS 8 /* hexadecimal ones: they fit in ten decimal ones */
#define MIB_PER_GIB    1024
#define STREAM_PREFIX  "awslogs-stream-prefix"

void fg_docker_id(const char *task_id, const char *runtime_id, char ret[FG_DOCKER_ID_MAX])
{
        char digits[RUNTIME_DIGITS + 1] = "";

        (void)snprintf(digits, sizeof(digits), "%.*s", RUNTIME_DIGITS, runtime_id);
        (void)snprintf(ret, FG_DOCKER_ID_MAX, "%s-%010lu", task_id, strtoul(digits, NULL, 16));
}

static struct json_object *pairs_to_json(const struct fg_pairs *pairs)
{
        struct json_object *json = json_object_new_object();

        for (size_t i = 0; i < pairs->n; i++)
                fg_json_set_str(json, pairs->v[i].name, pairs->v[i].value);
        return json;
}

/* As on Fargate, where the stream's own name stands in the place of its prefix. */
static void add_log(struct json_object *json, const struct fg_container_def *c, const char *id)
{
        const struct fg_log_configuration *log = c->log_configuration;
        struct json_object *options;
        const char *prefix;

        if (!log)
                return;
        options = pairs_to_json(&log->options);
        prefix = fg_json_str(options, STREAM_PREFIX);
        if (prefix) {
                fg_autofree char *stream = fg_asprintf("%s/%s/%s", prefix, c->name, id);

                json_object_object_del(options, STREAM_PREFIX);
                fg_json_set_str(options, "awslogs-stream", stream);
        }
        fg_json_set_str(json, "logDriver", log->log_driver);
        fg_json_set(json, "logOptions", options);
}

static void add_ports(struct json_object *json, const struct fg_container_def *c)
{
        struct json_object *ports = json_object_new_array();

        for (size_t i = 0; i < c->port_mappings.n; i++) {
                const struct fg_port_mapping *m = &c->port_mappings.v[i];
                struct json_object *port;

                if (m->container_port == 0)
                        continue; /* a range, which ECS does not list either */
                port = json_object_new_object();
                fg_json_set_int(port, "ContainerPort", m->container_port);
                fg_json_set_str(port, "Protocol", m->protocol);
                fg_json_set_int(port, "HostPort", m->container_port);
                json_object_array_add(ports, port);
        }
        if (json_object_array_length(ports) > 0)
                fg_json_set(json, "ports", ports);
        else
                json_object_put(ports);
}

static struct json_object *container_to_json(const struct fg_metadata *m, size_t index)
{
        struct json_object *of_task = json_object_array_get_idx(fg_json_arr(m->task, "containers"),
                                                                index);
        const struct fg_container_def *c = &m->def->containers.v[index];
        struct json_object *json = json_object_new_object();

        fg_json_set_str(json, "dockerId", fg_json_str(of_task, "runtimeId"));
        fg_json_set_str(json, "containerArn", fg_json_str(of_task, "containerArn"));
        fg_json_set_str(json, "image", c->image);
        if (c->docker_labels.n > 0)
                fg_json_set(json, "labels", pairs_to_json(&c->docker_labels));
        add_ports(json, c);
        add_log(json, c, m->id);
        return json;
}

static struct json_object *tags_to_json(struct json_object *tags)
{
        struct json_object *json = json_object_new_object();
        const size_t count = tags ? json_object_array_length(tags) : 0;

        for (size_t i = 0; i < count; i++) {
                struct json_object *tag = json_object_array_get_idx(tags, i);
                const char *key = fg_json_str(tag, "key"), *value = fg_json_str(tag, "value");

                if (key)
                        fg_json_set_str(json, key, value ? value : "");
        }
        return json;
}

static void add_place(struct json_object *json, const struct fg_metadata *m)
{
        const char *zone = fg_json_str(m->task, "availabilityZone");
        const char *group = fg_json_str(m->task, "group");
        fg_autofree char *first = fg_asprintf("%sa", m->region);

        fg_json_set_str(json, "region", m->region);
        fg_json_set_str(json, "availabilityZone", zone ? zone : first);
        fg_json_set_str(json, "launchType", fg_json_str(m->task, "launchType"));
        fg_json_set_str(json, "vpcId", m->vpc);
        if (group && fg_starts_with(group, SERVICE_GROUP))
                fg_json_set_str(json, "serviceName", group + strlen(SERVICE_GROUP));
}

struct json_object *fg_metadata_to_json(const struct fg_metadata *m)
{
        struct json_object *json = json_object_new_object();
        struct json_object *containers = json_object_new_array();
        const char *definition = fg_json_str(m->task, "taskDefinitionArn");
        const char *revision = definition ? strrchr(definition, ':') : NULL;

        fg_json_set_str(json, "cluster", fg_json_str(m->task, "clusterArn"));
        fg_json_set_str(json, "taskArn", fg_json_str(m->task, "taskArn"));
        fg_json_set_str(json, "family", m->def->family);
        fg_json_set_str(json, "revision", revision ? revision + 1 : NULL);
        add_place(json, m);
        fg_json_set_int(json, "pullStartedAt", m->pull_started_ns);
        fg_json_set_int(json, "ephemeralStorageMiB", fg_taskdef_storage_gib(m->def) * MIB_PER_GIB);
        fg_json_set(json, "tags", tags_to_json(m->tags));
        for (size_t i = 0; i < m->def->containers.n; i++)
                json_object_array_add(containers, container_to_json(m, i));
        fg_json_set(json, "containers", containers);
        return json;
}

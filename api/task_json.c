/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/aws/time.h"
#include "api/isolation.h"
#include "api/metadata.h"
#include "api/task.h"
#include "core/clock.h"
#include "core/str.h"

static const char *const phase_names[FG_PHASES] = {
        [FG_PHASE_ACCEPTED] = "accepted",        [FG_PHASE_SCHEDULED] = "scheduled",
        [FG_PHASE_IMAGE_READY] = "imageReady",   [FG_PHASE_VM_READY] = "vmReady",
        [FG_PHASE_UNPACKED] = "unpacked",        [FG_PHASE_STARTED] = "started",
        [FG_PHASE_FIRST_OUTPUT] = "firstOutput", [FG_PHASE_STOPPING] = "stopping",
        [FG_PHASE_STOPPED] = "stopped",
};

typedef void (*set_time_fn)(struct json_object *obj, const char *key, uint64_t ns);

static void set_rfc3339(struct json_object *obj, const char *key, uint64_t ns)
{
        char text[FG_RFC3339_MAX];

        if (ns == 0)
                return;
        fg_rfc3339(ns, text);
        fg_json_set_str(obj, key, text);
}

/* ---- ECS DescribeTasks ---- */

static void set_arn(struct json_object *obj, const char *key, const struct fg_names *n,
                    const char *rest)
{
        fg_autofree char *arn = fg_asprintf("arn:aws:ecs:%s:%s:%s", n->region, n->account, rest);

        fg_json_set_str(obj, key, arn);
}

static void set_task_arn(struct json_object *obj, const struct fg_task *t, const struct fg_names *n)
{
        fg_autofree char *rest = fg_asprintf("task/%s/%s", t->cluster, t->id);

        set_arn(obj, "taskArn", n, rest);
}

static void set_number_text(struct json_object *obj, const char *key, int64_t value)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%lld", (long long)value);
        fg_json_set_str(obj, key, text);
}

static struct json_object *container_json(const struct fg_task *t, const struct fg_container *c,
                                          const struct fg_names *n)
{
        struct json_object *obj = json_object_new_object();
        char uuid[FG_UUID_LEN + 1], docker_id[FG_DOCKER_ID_MAX];
        fg_autofree char *rest = NULL;

        fg_id_to_uuid(c->runtime_id, uuid);
        rest = fg_asprintf("container/%s/%s/%s", t->cluster, t->id, uuid);
        set_arn(obj, "containerArn", n, rest);
        set_task_arn(obj, t, n);
        fg_json_set_str(obj, "name", c->def->name);
        fg_json_set_str(obj, "image", c->def->image);
        if (*c->manifest)
                fg_json_set_str(obj, "imageDigest", c->manifest);
        fg_docker_id(t->id, c->runtime_id, docker_id);
        fg_json_set_str(obj, "runtimeId", docker_id);
        fg_json_set_str(obj, "lastStatus", fg_container_state_name(c->state));
        if (c->exit_code >= 0)
                fg_json_set_int(obj, "exitCode", c->exit_code);
        fg_json_set_str(obj, "reason", c->reason);
        fg_json_set_str(obj, "healthStatus", fg_health_name(c->health));
        fg_json_set(obj, "networkInterfaces", fg_task_network_interfaces(t->network));
        set_number_text(obj, "cpu", c->def->cpu);
        if (c->def->memory)
                set_number_text(obj, "memory", c->def->memory);
        if (c->def->memory_reservation)
                set_number_text(obj, "memoryReservation", c->def->memory_reservation);
        return obj;
}

static struct json_object *phases_json(const struct fg_task *t)
{
        struct json_object *array = json_object_new_array();

        for (int i = 0; i < FG_PHASES; i++) {
                struct json_object *phase;
                double since;
                fg_autofree char *ms = NULL;

                if (t->phase_ns[i] == 0)
                        continue;
                phase = json_object_new_object();
                since = ((double)t->phase_ns[i] - (double)t->phase_ns[FG_PHASE_ACCEPTED]) /
                        (double)FG_NS_PER_MSEC;
                /* With its own text: a double printed in full shows what it cannot represent. */
                ms = fg_asprintf("%.1f", since);
                fg_json_set_str(phase, "name", phase_names[i]);
                fg_json_set_int(phase, "atNs", (int64_t)t->phase_ns[i]);
                fg_json_set(phase, "sinceAcceptMs", json_object_new_double_s(strtod(ms, NULL), ms));
                json_object_array_add(array, phase);
        }
        return array;
}

/* How each container gets its image, once the VM has been started. */
static struct json_object *images_json(const struct fg_task *t)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < t->n_containers && t->state >= FG_TASK_ACTIVATING; i++) {
                const struct fg_container *c = &t->containers[i];
                struct json_object *image = json_object_new_object();

                fg_json_set_str(image, "container", c->def->name);
                fg_json_set_str(image, "pull", fg_task_disk(t, i) ? "prepared" : "guest");
                json_object_array_add(array, image);
        }
        return array;
}

/* By container; NULL while none has been restarted. */
static struct json_object *restarts_json(const struct fg_task *t)
{
        struct json_object *obj = NULL;

        for (size_t i = 0; i < t->n_containers; i++) {
                if (t->containers[i].restart_count == 0)
                        continue;
                if (!obj)
                        obj = json_object_new_object();
                fg_json_set_int(obj, t->containers[i].def->name,
                                (int64_t)t->containers[i].restart_count);
        }
        return obj;
}

struct json_object *fg_task_ours(const struct fg_task *t, const struct fg_names *n)
{
        struct json_object *obj = json_object_new_object(), *start = json_object_new_object();
        const bool container = isolation_container(t->def);
        struct json_object *restarts;

        fg_json_set_str(obj, "id", t->id);
        fg_json_set_str(obj, "family", t->def->family);
        fg_json_set_str(obj, "accelerator", container ? "none" : n->accelerator);
        fg_json_set_str(obj, "isolation", container ? "container" : "microvm");
        fg_json_set_str(obj, "endedBy", t->ended_by);
        fg_json_set_str(start, "way", fg_way_name(t->way));
        fg_json_set_str(start, "reason", t->way_reason);
        fg_json_set(obj, "start", start);
        fg_json_set(obj, "images", images_json(t));
        if (t->network && t->network->publish.n > 0)
                fg_json_set(obj, "publish", fg_task_network_publish(t->network));
        if (t->def->fgrun && t->def->fgrun->max_run_time > 0)
                fg_json_set_int(obj, "maxRunTime", t->def->fgrun->max_run_time);
        if (t->def->fgrun && t->def->fgrun->image_pull)
                fg_json_set_str(obj, "imagePull", t->def->fgrun->image_pull);
        if (t->def->fgrun && t->def->fgrun->start)
                fg_json_set_str(obj, "fastestStart", t->def->fgrun->start);
        fg_json_set(obj, "phases", phases_json(t));
        restarts = restarts_json(t);
        if (restarts)
                fg_json_set(obj, "restarts", restarts);
        return obj;
}

static void set_times(struct json_object *obj, const struct fg_task *t, set_time_fn set)
{
        set(obj, "createdAt", t->created_ns);
        set(obj, "connectivityAt", t->connectivity_ns);
        set(obj, "pullStartedAt", t->pull_started_ns);
        set(obj, "pullStoppedAt", t->pull_stopped_ns);
        set(obj, "startedAt", t->started_ns);
        set(obj, "stoppingAt", t->stopping_ns);
        set(obj, "executionStoppedAt", t->execution_stopped_ns);
        set(obj, "stoppedAt", t->stopped_ns);
}

static struct json_object *attributes_json(void)
{
        struct json_object *array = json_object_new_array(), *attribute = json_object_new_object();

        fg_json_set_str(attribute, "name", "ecs.cpu-architecture");
        fg_json_set_str(attribute, "value", "x86_64");
        json_object_array_add(array, attribute);
        return array;
}

static struct json_object *attachments_json(const struct fg_task *t)
{
        struct json_object *array = json_object_new_array();
        const char *status = "PRECREATED";

        if (!t->network)
                return array;
        if (t->state == FG_TASK_STOPPED)
                status = "DELETED";
        else if (*t->network->a.id)
                status = "ATTACHED";
        json_object_array_add(array, fg_task_network_attachment(t->network, status));
        return array;
}

static void set_identity(struct json_object *obj, const struct fg_task *t, const struct fg_names *n)
{
        fg_autofree char *cluster = fg_asprintf("cluster/%s", t->cluster);
        fg_autofree char *definition = fg_task_definition(t);
        fg_autofree char *rest = fg_asprintf("task-definition/%s", definition);
        fg_autofree char *zone = fg_asprintf("%sa", n->region);

        set_task_arn(obj, t, n);
        set_arn(obj, "clusterArn", n, cluster);
        set_arn(obj, "taskDefinitionArn", n, rest);
        fg_json_set_str(obj, "group", t->group);
        fg_json_set_str(obj, "startedBy", t->started_by);
        fg_json_set_str(obj, "launchType", "FARGATE");
        fg_json_set_str(obj, "capacityProviderName", t->capacity_provider);
        fg_json_set_str(obj, "platformVersion", "1.4.0");
        fg_json_set_str(obj, "platformFamily", "Linux");
        fg_json_set_str(obj, "availabilityZone", zone);
        fg_json_set_str(obj, "cpu", t->def->cpu);
        fg_json_set_str(obj, "memory", t->def->memory);
}

static void set_state(struct json_object *obj, const struct fg_task *t)
{
        fg_json_set_str(obj, "lastStatus", fg_task_state_name(t->state));
        fg_json_set_str(obj, "desiredStatus", t->stop_wanted ? "STOPPED" : "RUNNING");
        fg_json_set_str(obj, "healthStatus", fg_health_name(fg_task_health(t)));
        fg_json_set_int(obj, "version", (int64_t)t->version);
        if (t->connectivity_ns)
                fg_json_set_str(obj, "connectivity", "CONNECTED");
        if (t->stop_wanted) {
                fg_json_set_str(obj, "stopCode", fg_stop_code_name(t->stop_code));
                fg_json_set_str(obj, "stoppedReason", t->stopped_reason);
        }
}

static struct json_object *task_json(const struct fg_task *t, const struct fg_names *names,
                                     set_time_fn set)
{
        struct json_object *obj = json_object_new_object();
        struct json_object *containers = json_object_new_array();
        struct json_object *storage = json_object_new_object();

        set_identity(obj, t, names);
        set_state(obj, t);
        set_times(obj, t, set);
        fg_json_set_bool(obj, "enableExecuteCommand", false);
        fg_json_set_int(storage, "sizeInGiB", fg_taskdef_storage_gib(t->def));
        fg_json_set(obj, "ephemeralStorage", storage);
        fg_json_set(obj, "overrides",
                    t->overrides ? json_object_get(t->overrides) : json_object_new_object());
        fg_json_set(obj, "attributes", attributes_json());
        fg_json_set(obj, "attachments", attachments_json(t));
        fg_json_set(obj, "inferenceAccelerators", json_object_new_array());
        for (size_t i = 0; i < t->n_containers; i++)
                json_object_array_add(containers, container_json(t, &t->containers[i], names));
        fg_json_set(obj, "containers", containers);
        return obj;
}

struct json_object *fg_task_to_ecs(const struct fg_task *t, const struct fg_names *names)
{
        return task_json(t, names, fg_aws_set_time);
}

struct json_object *fg_task_to_json(const struct fg_task *t, const struct fg_names *names)
{
        struct json_object *obj = task_json(t, names, set_rfc3339);

        fg_json_set(obj, "tags", t->tags ? json_object_get(t->tags) : json_object_new_array());
        fg_json_set(obj, "fgrun", fg_task_ours(t, names));
        return obj;
}

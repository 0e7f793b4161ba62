/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/task.h"
#include "core/str.h"

/* The timestamps by name, for both directions. */
#define TIMES(X)                                                                                   \
        X(created_ns)                                                                              \
        X(connectivity_ns)                                                                         \
        X(pull_started_ns)                                                                         \
        X(pull_stopped_ns)                                                                         \
        X(started_ns)                                                                              \
        X(stopping_ns)                                                                             \
        X(execution_stopped_ns)                                                                    \
        X(stopped_ns)

static struct json_object *container_snapshot(const struct fg_container *c)
{
        struct json_object *obj = json_object_new_object();

        fg_json_set_str(obj, "state", fg_container_state_name(c->state));
        fg_json_set_str(obj, "manifest", c->manifest);
        fg_json_set_str(obj, "disk", c->disk);
        fg_json_set_str(obj, "runtime_id", c->runtime_id);
        fg_json_set_int(obj, "exit_code", c->exit_code);
        fg_json_set_str(obj, "reason", c->reason);
        fg_json_set_int(obj, "started_ns", (int64_t)c->started_ns);
        fg_json_set_int(obj, "finished_ns", (int64_t)c->finished_ns);
        fg_json_set_str(obj, "health", fg_health_name(c->health));
        fg_json_set_int(obj, "restart_count", (int64_t)c->restart_count);
        return obj;
}

struct json_object *fg_task_snapshot(const struct fg_task *t)
{
        struct json_object *obj = json_object_new_object();
        struct json_object *containers = json_object_new_array(), *phases = json_object_new_array();

        fg_json_set_str(obj, "id", t->id);
        fg_json_set_int(obj, "version", (int64_t)t->version);
        fg_json_set_str(obj, "state", fg_task_state_name(t->state));
        fg_json_set_bool(obj, "stop_wanted", t->stop_wanted);
        if (t->stop_wanted)
                fg_json_set_str(obj, "stop_code", fg_stop_code_name(t->stop_code));
        fg_json_set_str(obj, "stopped_reason", t->stopped_reason);
#define SAVE(name) fg_json_set_int(obj, #name, (int64_t)t->name);
        TIMES(SAVE)
#undef SAVE
        for (int i = 0; i < FG_PHASES; i++)
                json_object_array_add(phases, json_object_new_int64((int64_t)t->phase_ns[i]));
        fg_json_set(obj, "phases", phases);
        fg_json_set_str(obj, "cluster", t->cluster);
        fg_json_set_int(obj, "revision", t->revision);
        fg_json_set_str(obj, "capacity_provider", t->capacity_provider);
        fg_json_set_str(obj, "started_by", t->started_by);
        fg_json_set_str(obj, "ended_by", t->ended_by);
        fg_json_set_str(obj, "group", t->group);
        fg_json_set_str(obj, "way", fg_way_name(t->way));
        fg_json_set_str(obj, "way_reason", t->way_reason);
        if (t->overrides)
                fg_json_set(obj, "overrides", json_object_get(t->overrides));
        if (t->tags)
                fg_json_set(obj, "tags", json_object_get(t->tags));
        if (t->network)
                fg_json_set(obj, "network", fg_task_network_snapshot(t->network));
        fg_json_set(obj, "definition", fg_taskdef_to_json(t->def));
        fg_json_set_int(obj, "event_seq", (int64_t)t->event_seq);
        for (size_t i = 0; i < t->n_containers; i++)
                json_object_array_add(containers, container_snapshot(&t->containers[i]));
        fg_json_set(obj, "containers", containers);
        return obj;
}

static void copy_text(char *ret, size_t size, struct json_object *obj, const char *key)
{
        const char *value = fg_json_str(obj, key);

        (void)snprintf(ret, size, "%s", value ? value : "");
}

static int restore_container(struct fg_container *c, struct json_object *obj, struct fg_error *err)
{
        const char *state = fg_json_str(obj, "state"), *health = fg_json_str(obj, "health");

        if (!state || !fg_container_state_parse(state, &c->state) ||
            (health && !fg_health_parse(health, &c->health)))
                return fg_fail(err, FG_ERR_INTERNAL, "a container without a state");
        copy_text(c->manifest, sizeof(c->manifest), obj, "manifest");
        copy_text(c->disk, sizeof(c->disk), obj, "disk");
        copy_text(c->runtime_id, sizeof(c->runtime_id), obj, "runtime_id");
        c->exit_code = (int)fg_json_int(obj, "exit_code", -1);
        c->reason = fg_strdup(fg_json_str(obj, "reason"));
        c->started_ns = (uint64_t)fg_json_int(obj, "started_ns", 0);
        c->finished_ns = (uint64_t)fg_json_int(obj, "finished_ns", 0);
        c->restart_count = (uint64_t)fg_json_int(obj, "restart_count", 0);
        return 0;
}

static void restore_way(struct fg_task *t, struct json_object *obj)
{
        const char *name = fg_json_str(obj, "way");
        const char *cold = fg_json_str(obj, "cold_reason"); /* of former versions */

        if (!name || !fg_way_parse(name, &t->way))
                t->way = cold ? FG_WAY_COLD : FG_WAY_WARM;
        t->way_reason = fg_strdup(name ? fg_json_str(obj, "way_reason") : cold);
}

static void restore_values(struct fg_task *t, struct json_object *obj)
{
        struct json_object *phases = fg_json_arr(obj, "phases");

        copy_text(t->id, sizeof(t->id), obj, "id");
        t->version = (uint64_t)fg_json_int(obj, "version", 1);
        t->stop_wanted = fg_json_bool(obj, "stop_wanted", false);
        t->stopped_reason = fg_strdup(fg_json_str(obj, "stopped_reason"));
#define LOAD(name) t->name = (uint64_t)fg_json_int(obj, #name, 0);
        TIMES(LOAD)
#undef LOAD
        for (size_t i = 0; phases && i < FG_PHASES && i < json_object_array_length(phases); i++)
                t->phase_ns[i] = (uint64_t)json_object_get_int64(
                        json_object_array_get_idx(phases, i));
        t->ended_by = fg_strdup(fg_json_str(obj, "ended_by"));
        t->cluster = fg_strdup(fg_json_str(obj, "cluster"));
        t->revision = fg_json_int(obj, "revision", 0);
        t->capacity_provider = fg_strdup(fg_json_str(obj, "capacity_provider"));
        t->started_by = fg_strdup(fg_json_str(obj, "started_by"));
        t->group = fg_strdup(fg_json_str(obj, "group"));
        restore_way(t, obj);
        t->overrides = json_object_get(fg_json_obj(obj, "overrides"));
        t->tags = json_object_get(fg_json_arr(obj, "tags"));
        t->network = fg_task_network_restore(fg_json_obj(obj, "network"));
        t->event_seq = (uint64_t)fg_json_int(obj, "event_seq", 0);
}

struct fg_task *fg_task_restore(struct json_object *snapshot, struct fg_error *err)
{
        fg_cleanup(fg_task_freep) struct fg_task *t = NULL;
        struct json_object *containers = fg_json_arr(snapshot, "containers");
        const char *state = fg_json_str(snapshot, "state");
        const char *code = fg_json_str(snapshot, "stop_code");
        struct fg_taskdef *def;

        def = fg_taskdef_load(fg_json_obj(snapshot, "definition"), err);
        if (!def) {
                fg_wrap(err, "stored task definition");
                err->code = FG_ERR_INTERNAL;
                return NULL;
        }
        t = fg_task_new(NULL, def, 0);
        restore_values(t, snapshot);
        if (!fg_id_valid(t->id) || !state || !fg_task_state_parse(state, &t->state) ||
            !containers || json_object_array_length(containers) != t->n_containers ||
            (code && !fg_stop_code_parse(code, &t->stop_code))) {
                fg_fail(err, FG_ERR_INTERNAL, "a stored task is damaged");
                return NULL;
        }
        for (size_t i = 0; i < t->n_containers; i++)
                if (restore_container(&t->containers[i], json_object_array_get_idx(containers, i),
                                      err) < 0)
                        return NULL;
        return fg_take_ptr(t);
}

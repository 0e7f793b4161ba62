/* SPDX-License-Identifier: Apache-2.0 */
#include "api/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

struct fg_task *fg_task_new(const char *id, struct fg_taskdef *take_def, uint64_t now_ns)
{
        struct fg_task *t = fg_calloc(1, sizeof(*t));

        if (id)
                memcpy(t->id, id, sizeof(t->id));
        else
                fg_id_new(t->id);
        t->version = 1;
        t->def = take_def;
        t->created_ns = now_ns;
        fg_task_phase(t, FG_PHASE_ACCEPTED, now_ns);
        t->n_containers = take_def->containers.n;
        t->containers = fg_calloc(t->n_containers, sizeof(*t->containers));
        for (size_t i = 0; i < t->n_containers; i++) {
                t->containers[i].def = &take_def->containers.v[i];
                t->containers[i].exit_code = -1;
                fg_id_new(t->containers[i].runtime_id);
        }
        return t;
}

void fg_task_free(struct fg_task *t)
{
        if (!t)
                return;
        for (size_t i = 0; i < t->n_containers; i++)
                free(t->containers[i].reason);
        free(t->containers);
        free(t->stopped_reason);
        free(t->ended_by);
        free(t->cluster);
        free(t->started_by);
        free(t->capacity_provider);
        free(t->group);
        free(t->way_reason);
        json_object_put(t->overrides);
        json_object_put(t->tags);
        fg_task_network_free(t->network);
        fg_taskdef_free(t->def);
        free(t);
}

char *fg_task_definition(const struct fg_task *t)
{
        return fg_asprintf("%s:%lld", t->def->family, (long long)t->revision);
}

static void stamp(uint64_t *field, uint64_t now_ns)
{
        if (*field == 0)
                *field = now_ns;
}

void fg_task_phase(struct fg_task *t, enum fg_phase phase, uint64_t now_ns)
{
        stamp(&t->phase_ns[phase], now_ns);
}

/* What reaching a state means for the timestamps of ECS. */
static void stamp_state(struct fg_task *t, enum fg_task_state state, uint64_t now_ns)
{
        switch (state) {
        case FG_TASK_RUNNING:
                stamp(&t->started_ns, now_ns);
                break;
        case FG_TASK_DEACTIVATING:
        case FG_TASK_STOPPING:
                stamp(&t->stopping_ns, now_ns);
                fg_task_phase(t, FG_PHASE_STOPPING, now_ns);
                break;
        case FG_TASK_DEPROVISIONING:
                stamp(&t->stopping_ns, now_ns);
                stamp(&t->execution_stopped_ns, now_ns);
                break;
        case FG_TASK_STOPPED:
                stamp(&t->stopped_ns, now_ns);
                fg_task_phase(t, FG_PHASE_STOPPED, now_ns);
                break;
        default:
                break;
        }
}

void fg_task_move(struct fg_task *t, enum fg_task_state to, uint64_t now_ns)
{
        if (to <= t->state)
                return;
        assert(fg_task_state_may_move(t->state, to));
        t->state = to;
        t->version++;
        stamp_state(t, to, now_ns);
}

void fg_task_want_stop(struct fg_task *t, enum fg_stop_code code, const char *reason,
                       uint64_t now_ns)
{
        if (t->stop_wanted)
                return;
        t->stop_wanted = true;
        t->stop_code = code;
        t->stopped_reason = fg_strdup(reason);
        t->version++;
        stamp(&t->stopping_ns, now_ns);
}

void fg_task_came(struct fg_task *t, enum fg_way way, const char *why)
{
        free(t->way_reason);
        t->way = way;
        t->way_reason = fg_strdup(why);
}

static const char *const ways[FG_WAYS] = { "warm-image", "warm", "restored", "cold" };

const char *fg_way_name(enum fg_way way)
{
        return ways[way];
}

bool fg_way_parse(const char *name, enum fg_way *ret)
{
        for (size_t i = 0; i < FG_WAYS; i++) {
                if (!fg_streq(name, ways[i]))
                        continue;
                *ret = (enum fg_way)i;
                return true;
        }
        return false;
}

enum fg_health fg_task_health(const struct fg_task *t)
{
        enum fg_health health = FG_HEALTH_HEALTHY;

        for (size_t i = 0; i < t->n_containers; i++) {
                if (!t->containers[i].def->essential)
                        continue;
                if (t->containers[i].health == FG_HEALTH_UNHEALTHY)
                        return FG_HEALTH_UNHEALTHY;
                if (t->containers[i].health == FG_HEALTH_UNKNOWN)
                        health = FG_HEALTH_UNKNOWN;
        }
        return health;
}

static bool same_image(const struct fg_container *a, const struct fg_container *b)
{
        return fg_streq(a->def->image, b->def->image) ||
               (a->manifest[0] && fg_streq(a->manifest, b->manifest));
}

bool fg_task_strict(const struct fg_task *t, size_t container)
{
        for (size_t i = 0; i < t->n_containers; i++) {
                const char *pull = fg_taskdef_image_pull(t->def, i);

                if (pull && fg_streq(pull, "guest") &&
                    same_image(&t->containers[i], &t->containers[container]))
                        return true;
        }
        return false;
}

const char *fg_task_disk(const struct fg_task *t, size_t container)
{
        const struct fg_container *c = &t->containers[container];
        const bool has = c->disk[0] && fg_streq(c->disk, c->manifest);

        return has && !fg_task_strict(t, container) ? c->disk : NULL;
}

struct fg_container *fg_task_container(struct fg_task *t, const char *name)
{
        for (size_t i = 0; name && i < t->n_containers; i++)
                if (fg_streq(t->containers[i].def->name, name))
                        return &t->containers[i];
        return NULL;
}

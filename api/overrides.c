/* SPDX-License-Identifier: Apache-2.0 */
#include "api/overrides.h"

#include <stdlib.h>
#include <string.h>

#include "api/field_row.h"
#include "api/taskdef_private.h"
#include "core/json.h"
#include "core/str.h"

static const struct fg_field container_fields[] = {
        FG_ROW_STRING(fg_container_override, name, "name", .required = true, .min = 1,
                      .max = FG_NAME_MAX, .check = fg_check_name),
        FG_ROW_STRINGS(fg_container_override, command, "command"),
        FG_ROW_OBJECTS(fg_container_override, environment, "environment", &fg_environment_object),
        FG_ROW_INT(fg_container_override, cpu, "cpu"),
        FG_ROW_INT(fg_container_override, memory, "memory", .min = FG_MEMORY_MIN),
        FG_ROW_INT(fg_container_override, memory_reservation, "memoryReservation",
                   .min = FG_MEMORY_MIN),
        FG_ROW_OBJECTS(fg_container_override, environment_files, "environmentFiles",
                       &fg_environment_file_object, .max = FG_ENVIRONMENT_FILES_MAX),
        FG_ROW_REFUSED("resourceRequirements",
                       "Tasks using the Fargate launch type do not support GPU resource "
                       "requirements"),
};
static const struct fg_object container_object = FG_OBJECT(fg_container_override, container_fields);

static const struct fg_field overrides_fields[] = {
        FG_ROW_OBJECTS(fg_overrides, containers, "containerOverrides", &container_object,
                       .max = FG_CONTAINERS_MAX, .always = true),
        FG_ROW_STRING(fg_overrides, cpu, "cpu"),
        FG_ROW_STRING(fg_overrides, memory, "memory"),
        FG_ROW_STRING(fg_overrides, execution_role_arn, "executionRoleArn",
                      .status = FG_FIELD_RECORDED),
        FG_ROW_STRING(fg_overrides, task_role_arn, "taskRoleArn", .status = FG_FIELD_RECORDED),
        FG_ROW_OBJECT(fg_overrides, ephemeral_storage, "ephemeralStorage",
                      &fg_ephemeral_storage_object),
        FG_ROW_OBJECT(fg_overrides, fgrun, "fgrun", &fg_extensions_object),
        FG_ROW_REFUSED("inferenceAcceleratorOverrides",
                       "Unsupported field 'inferenceAcceleratorOverrides'"),
};
const struct fg_object fg_overrides_object = FG_OBJECT(fg_overrides, overrides_fields);

static const struct fg_container_override *find(const struct fg_overrides *overrides,
                                                const char *name)
{
        for (size_t i = 0; i < overrides->containers.n; i++)
                if (overrides->containers.v[i].name &&
                    fg_streq(overrides->containers.v[i].name, name))
                        return &overrides->containers.v[i];
        return NULL;
}

struct fg_overrides *fg_overrides_decode(struct json_object *json, struct fg_problems *problems)
{
        struct fg_overrides *overrides = fg_calloc(1, sizeof(*overrides));
        size_t size = json ? strlen(fg_json_text(json)) : 0;
        struct fg_decode d;

        fg_decode_init(&d, "$.overrides", problems);
        if (size > FG_OVERRIDES_MAX)
                fg_decode_problem(&d, NULL, "at most 8192", "the overrides have %zu bytes", size);
        else if (json)
                fg_object_decode(&d, &fg_overrides_object, json, overrides);
        return overrides;
}

void fg_overrides_free(struct fg_overrides *overrides)
{
        if (!overrides)
                return;
        fg_object_finish(&fg_overrides_object, overrides);
        free(overrides);
}

struct json_object *fg_overrides_to_json(const struct fg_overrides *overrides,
                                         const struct fg_taskdef *def)
{
        struct json_object *json = fg_object_encode(&fg_overrides_object, overrides);
        struct json_object *list = fg_json_arr(json, "containerOverrides");

        for (size_t i = 0; def && i < def->containers.n; i++) {
                struct json_object *item;

                if (find(overrides, def->containers.v[i].name))
                        continue;
                item = json_object_new_object();
                fg_json_set_str(item, "name", def->containers.v[i].name);
                json_object_array_add(list, item);
        }
        return json;
}

static void replace(char **text, const char *with)
{
        if (!with)
                return;
        free(*text);
        *text = fg_strdup(with);
}

static void replace_strings(struct fg_strings *list, const struct fg_strings *with)
{
        if (with->n == 0)
                return;
        for (size_t i = 0; i < list->n; i++)
                free(list->v[i]);
        free(list->v);
        list->v = fg_calloc(with->n, sizeof(*list->v));
        list->n = with->n;
        for (size_t i = 0; i < with->n; i++)
                list->v[i] = fg_strdup(with->v[i]);
}

static struct fg_pair *find_pair(struct fg_pairs *pairs, const char *name)
{
        for (size_t i = 0; i < pairs->n; i++)
                if (fg_streq(pairs->v[i].name, name))
                        return &pairs->v[i];
        return NULL;
}

/* Variables of the same name get the new value, others are added. */
static void merge_environment(struct fg_pairs *pairs, const struct fg_pairs *with)
{
        struct fg_pair *v = fg_calloc(pairs->n + with->n, sizeof(*v));

        if (pairs->n > 0)
                memcpy(v, pairs->v, pairs->n * sizeof(*v));
        free(pairs->v);
        pairs->v = v;
        for (size_t i = 0; i < with->n; i++) {
                struct fg_pair *pair;

                if (!with->v[i].name)
                        continue; /* it was bad */
                pair = find_pair(pairs, with->v[i].name);
                if (!pair) {
                        pair = &pairs->v[pairs->n++];
                        pair->name = fg_strdup(with->v[i].name);
                }
                replace(&pair->value, with->v[i].value ? with->v[i].value : "");
        }
}

/* In place of the definition's, not beside them. */
static void replace_files(struct fg_container_def *c, const struct fg_container_override *with)
{
        if (with->environment_files.n == 0)
                return;
        for (size_t i = 0; i < c->environment_files.n; i++)
                fg_object_finish(&fg_environment_file_object, &c->environment_files.v[i]);
        free(c->environment_files.v);
        c->environment_files.v = fg_calloc(with->environment_files.n,
                                           sizeof(*c->environment_files.v));
        c->environment_files.n = with->environment_files.n;
        for (size_t i = 0; i < with->environment_files.n; i++) {
                c->environment_files.v[i].value = fg_strdup(with->environment_files.v[i].value);
                c->environment_files.v[i].type = fg_strdup(with->environment_files.v[i].type);
        }
}

static void apply_container(struct fg_container_def *c, const struct fg_container_override *with)
{
        replace_strings(&c->command, &with->command);
        merge_environment(&c->environment, &with->environment);
        replace_files(c, with);
        if (with->cpu > 0)
                c->cpu = with->cpu;
        if (with->memory > 0)
                c->memory = with->memory;
        if (with->memory_reservation > 0)
                c->memory_reservation = with->memory_reservation;
}

static void apply_storage(struct fg_taskdef *def, const struct fg_ephemeral_storage *with)
{
        if (!with)
                return;
        if (!def->ephemeral_storage)
                def->ephemeral_storage = fg_calloc(1, sizeof(*def->ephemeral_storage));
        *def->ephemeral_storage = *with;
}

static void apply_extensions(struct fg_taskdef *def, const struct fg_extensions *with)
{
        if (!with)
                return;
        if (!def->fgrun)
                def->fgrun = fg_calloc(1, sizeof(*def->fgrun));
        if (with->max_run_time > 0)
                def->fgrun->max_run_time = with->max_run_time;
        if (with->network_bytes_per_second > 0)
                def->fgrun->network_bytes_per_second = with->network_bytes_per_second;
        replace(&def->fgrun->image_pull, with->image_pull);
        replace(&def->fgrun->isolation, with->isolation);
        replace(&def->fgrun->start, with->start);
        if (with->publish.n > 0)
                fg_publish_replace(&def->fgrun->publish.v, &def->fgrun->publish.n, with->publish.v,
                                   with->publish.n);
}

static void apply_containers(struct fg_taskdef *def, const struct fg_overrides *overrides,
                             struct fg_decode *d)
{
        fg_autofree char *names = fg_taskdef_names(def);

        for (size_t i = 0; i < overrides->containers.n; i++) {
                const struct fg_container_override *with = &overrides->containers.v[i];
                int index = with->name ? fg_taskdef_find(def, with->name) : -1;
                size_t mark = fg_decode_enter(d, ".containerOverrides[%zu]", i);

                if (with->name && index < 0)
                        fg_decode_problem(d, "name", names,
                                          "the task definition has no container '%.*s'",
                                          FG_CLIP(with->name));
                else if (with->name && find(overrides, with->name) != with)
                        fg_decode_problem(d, "name", NULL, "the container '%s' is overridden twice",
                                          with->name);
                else if (with->name)
                        apply_container(&def->containers.v[index], with);
                fg_decode_leave(d, mark);
        }
}

/* The place in the overrides where the right value would stand for one in @def; caller frees. */
static char *place_of(const char *path, const struct fg_overrides *overrides,
                      const struct fg_taskdef *def)
{
        for (size_t i = 0; i < def->containers.n; i++) {
                const struct fg_container_override *with = find(overrides,
                                                                def->containers.v[i].name);
                fg_autofree char *container = fg_asprintf("$.containerDefinitions[%zu].", i);
                const char *member;

                if (!with || !fg_starts_with(path, container))
                        continue;
                member = path + strlen(container);
                /* A secret is in the way of a variable that was added. */
                return fg_asprintf("$.overrides.containerOverrides[%zu].%s",
                                   (size_t)(with - overrides->containers.v),
                                   fg_starts_with(member, "secrets") ? "environment" : member);
        }
        if (!fg_starts_with(path, "$.containerDefinitions"))
                return fg_asprintf("$.overrides%s", path + 1);
        return fg_asprintf("$.overrides%s",
                           overrides->containers.n > 0 ? ".containerOverrides" : "");
}

static void check_result(struct fg_taskdef *def, const struct fg_overrides *overrides,
                         struct fg_problems *problems)
{
        fg_cleanup(fg_problems_finish) struct fg_problems found = FG_PROBLEMS_INIT;
        struct fg_decode d;

        fg_decode_init(&d, "$", &found);
        fg_taskdef_check_sizes(&d, def);
        fg_taskdef_check_secrets(&d, def);
        for (size_t i = 0; i < found.n; i++) {
                struct fg_problem *p = &found.list[i];

                fg_problems_take(problems, place_of(p->path, overrides, def),
                                 fg_take_ptr(p->message), fg_take_ptr(p->allowed));
        }
}

struct fg_taskdef *fg_overrides_apply(const struct fg_overrides *overrides,
                                      const struct fg_taskdef *def, struct fg_problems *problems)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *copy = fg_taskdef_copy(def);
        size_t before = problems->n;
        struct fg_decode d;

        replace(&copy->cpu, overrides->cpu);
        replace(&copy->memory, overrides->memory);
        replace(&copy->execution_role_arn, overrides->execution_role_arn);
        replace(&copy->task_role_arn, overrides->task_role_arn);
        apply_storage(copy, overrides->ephemeral_storage);
        apply_extensions(copy, overrides->fgrun);
        fg_decode_init(&d, "$.overrides", problems);
        apply_containers(copy, overrides, &d);
        check_result(copy, overrides, problems);
        return problems->n == before ? fg_take_ptr(copy) : NULL;
}

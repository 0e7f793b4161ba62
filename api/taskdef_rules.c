/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/sizes.h"
#include "api/taskdef_private.h"
#include "core/str.h"

/* Rules between the parts of a task definition. Absent or bad parts are reported elsewhere. */

/* The size in units; the text becomes the plain spelling that ECS returns. 0: none or invalid. */
static int64_t normalise(struct fg_decode *d, const char *member, char **text, const char *allowed,
                         bool (*parse)(const char *s, int64_t *ret))
{
        int64_t value = 0;

        if (!*text)
                return 0;
        if (!parse(*text, &value) || value == 0) {
                fg_decode_problem(d, member, allowed, "Invalid '%s' setting for task.", member);
                return 0;
        }
        free(*text);
        *text = fg_asprintf("%" PRId64, value);
        return value;
}

/* 0: none, or not to be read, which has been said. */
static void check_pair(struct fg_decode *d, int64_t cpu, int64_t memory)
{
        static const char text[] = "No Fargate configuration exists for given values: ";
        fg_autofree char *allowed = NULL;

        if (cpu != 0 && !fg_size_cpu_exists(cpu)) {
                allowed = fg_size_list_cpu();
                if (memory != 0)
                        fg_decode_problem(d, "cpu", allowed,
                                          "%s%" PRId64 " CPU, %" PRId64 " memory", text, cpu,
                                          memory);
                else
                        fg_decode_problem(d, "cpu", allowed, "%s%" PRId64 " CPU", text, cpu);
        } else if (cpu != 0 && memory != 0 && !fg_size_pair_exists(cpu, memory)) {
                allowed = fg_size_list_memory(cpu);
                fg_decode_problem(d, "memory", allowed, "%s%" PRId64 " CPU, %" PRId64 " memory",
                                  text, cpu, memory);
        } else if (cpu == 0 && memory != 0 && !fg_size_memory_exists(memory)) {
                fg_decode_problem(d, "memory", "512 to 122880, as goes with the CPU",
                                  "%s%" PRId64 " memory", text, memory);
        }
}

static void check_memory(struct fg_decode *d, const struct fg_taskdef *def,
                         const struct fg_container_def *c)
{
        char allowed[32];

        (void)snprintf(allowed, sizeof(allowed), "at most %" PRId64, def->memory_mib);
        if (def->memory_mib > 0 && c->memory > def->memory_mib)
                fg_decode_problem(d, "memory", allowed,
                                  "The 'memory' setting for container '%.*s' is greater "
                                  "than for the task.",
                                  FG_CLIP(c->name ? c->name : ""));
        (void)snprintf(allowed, sizeof(allowed), "at most %" PRId64, c->memory);
        if (c->memory > 0 && c->memory < c->memory_reservation)
                fg_decode_problem(d, "memoryReservation", allowed,
                                  "memoryReservation must not be greater than memory");
}

static void check_sums(struct fg_decode *d, const struct fg_taskdef *def)
{
        int64_t cpu = 0, reserved = 0;
        char allowed[48];

        for (size_t i = 0; i < def->containers.n; i++) {
                const struct fg_container_def *c = &def->containers.v[i];

                cpu += c->cpu;
                reserved += c->memory_reservation > 0 ? c->memory_reservation : c->memory;
        }
        (void)snprintf(allowed, sizeof(allowed), "at most %" PRId64 " together", def->cpu_units);
        if (def->cpu_units > 0 && cpu > def->cpu_units)
                fg_decode_problem(d, "containerDefinitions", allowed,
                                  "The sum of all container 'cpu' values cannot be greater than "
                                  "the value of the task 'cpu'.");
        (void)snprintf(allowed, sizeof(allowed), "at most %" PRId64 " together", def->memory_mib);
        if (def->memory_mib > 0 && reserved > def->memory_mib)
                fg_decode_problem(d, "containerDefinitions", allowed,
                                  "The memory reserved for all containers cannot be greater than "
                                  "the value of the task 'memory'.");
}

void fg_taskdef_check_sizes(struct fg_decode *d, struct fg_taskdef *def)
{
        fg_autofree char *cpus = fg_size_list_cpu(), *memories = NULL;

        def->cpu_units = normalise(d, "cpu", &def->cpu, cpus, fg_size_parse_cpu);
        memories = fg_size_cpu_exists(def->cpu_units) ? fg_size_list_memory(def->cpu_units)
                                                      : fg_strdup("MiB as 512, or 0.5 GB");
        def->memory_mib = normalise(d, "memory", &def->memory, memories, fg_size_parse_memory);
        check_pair(d, def->cpu_units, def->memory_mib);
        for (size_t i = 0; i < def->containers.n; i++) {
                size_t mark = fg_decode_enter(d, ".containerDefinitions[%zu]", i);

                check_memory(d, def, &def->containers.v[i]);
                fg_decode_leave(d, mark);
        }
        check_sums(d, def);
}

static void check_names(struct fg_decode *d, const struct fg_taskdef *def)
{
        bool essential = def->containers.n == 0; /* an empty list has its own error */

        for (size_t i = 0; i < def->containers.n; i++) {
                const struct fg_container_def *c = &def->containers.v[i];
                size_t mark = fg_decode_enter(d, ".containerDefinitions[%zu]", i);

                essential |= c->essential;
                if (c->name && fg_taskdef_find(def, c->name) < (int)i)
                        fg_decode_problem(d, "name", NULL, "the container name '%s' is given twice",
                                          c->name);
                fg_decode_leave(d, mark);
        }
        if (!essential)
                fg_decode_problem(d, "containerDefinitions", NULL,
                                  "at least one container must be essential");
}

static const struct fg_volume *find_volume(const struct fg_taskdef *def, const char *name)
{
        for (size_t i = 0; i < def->volumes.n; i++)
                if (def->volumes.v[i].name && fg_streq(def->volumes.v[i].name, name))
                        return &def->volumes.v[i];
        return NULL;
}

char *fg_taskdef_names(const struct fg_taskdef *def)
{
        fg_autofree const char **names = fg_calloc(def->containers.n + 1, sizeof(*names));
        size_t n = 0;

        for (size_t i = 0; i < def->containers.n; i++)
                if (def->containers.v[i].name)
                        names[n++] = def->containers.v[i].name;
        return fg_join_names(names, n);
}

static char *volume_names(const struct fg_taskdef *def)
{
        fg_autofree const char **names = fg_calloc(def->volumes.n + 1, sizeof(*names));
        size_t n = 0;

        for (size_t i = 0; i < def->volumes.n; i++)
                if (def->volumes.v[i].name)
                        names[n++] = def->volumes.v[i].name;
        return fg_join_names(names, n);
}

static void check_volumes(struct fg_decode *d, const struct fg_taskdef *def)
{
        for (size_t i = 0; i < def->volumes.n; i++) {
                const char *name = def->volumes.v[i].name;
                size_t mark = fg_decode_enter(d, ".volumes[%zu]", i);

                if (name && find_volume(def, name) != &def->volumes.v[i])
                        fg_decode_problem(d, "name", NULL, "the volume name '%s' is given twice",
                                          name);
                fg_decode_leave(d, mark);
        }
}

static void check_mounts(struct fg_decode *d, const struct fg_taskdef *def,
                         const struct fg_container_def *c)
{
        char member[64];

        for (size_t i = 0; i < c->mount_points.n; i++) {
                const char *volume = c->mount_points.v[i].source_volume;
                fg_autofree char *allowed = NULL;

                if (!volume || find_volume(def, volume))
                        continue;
                (void)snprintf(member, sizeof(member), "mountPoints[%zu].sourceVolume", i);
                allowed = volume_names(def);
                fg_decode_problem(d, member, allowed, "Unknown volume '%.*s'.", FG_CLIP(volume));
        }
}

static void check_volumes_from(struct fg_decode *d, const struct fg_taskdef *def,
                               const struct fg_container_def *c)
{
        char member[64];

        for (size_t i = 0; i < c->volumes_from.n; i++) {
                const char *name = c->volumes_from.v[i].source_container;

                if (!name || fg_taskdef_find(def, name) >= 0)
                        continue;
                (void)snprintf(member, sizeof(member), "volumesFrom[%zu].sourceContainer", i);
                fg_decode_problem(d, member, NULL, "the task definition has no container '%.*s'",
                                  FG_CLIP(name));
        }
}

static void check_dependency(struct fg_decode *d, const struct fg_taskdef *def,
                             const struct fg_dependency *dependency)
{
        const char *name = dependency->container_name, *condition = dependency->condition;
        fg_autofree char *names = fg_taskdef_names(def);
        int index;

        if (!name)
                return;
        index = fg_taskdef_find(def, name);
        if (index < 0)
                fg_decode_problem(d, "containerName", names,
                                  "Cannot depend on container '%.*s' because it does not exist",
                                  FG_CLIP(name));
        else if (condition && fg_streq(condition, "HEALTHY") &&
                 !def->containers.v[index].health_check)
                fg_decode_problem(d, "condition", NULL,
                                  "A dependency container with HEALTHY condition must have health "
                                  "check configured");
        else if (condition && (fg_streq(condition, "SUCCESS") || fg_streq(condition, "COMPLETE")) &&
                 def->containers.v[index].essential)
                fg_decode_problem(d, "condition", "START",
                                  "A dependency container with SUCCESS or COMPLETE condition "
                                  "cannot be an essential container");
}

static void check_dependencies(struct fg_decode *d, const struct fg_taskdef *def,
                               const struct fg_container_def *c)
{
        for (size_t i = 0; i < c->depends_on.n; i++) {
                size_t mark = fg_decode_enter(d, ".dependsOn[%zu]", i);

                check_dependency(d, def, &c->depends_on.v[i]);
                fg_decode_leave(d, mark);
        }
}

/* The containers that @c waits for, as a bit set. */
static unsigned waits_for(const struct fg_taskdef *def, const struct fg_container_def *c)
{
        unsigned set = 0;

        for (size_t i = 0; i < c->depends_on.n; i++) {
                const char *name = c->depends_on.v[i].container_name;
                int index = name ? fg_taskdef_find(def, name) : -1;

                if (index >= 0)
                        set |= 1u << index;
        }
        for (size_t i = 0; i < c->volumes_from.n; i++) {
                const char *name = c->volumes_from.v[i].source_container;
                int index = name ? fg_taskdef_find(def, name) : -1;

                if (index >= 0)
                        set |= 1u << index;
        }
        return set;
}

/* Transitive closure: who waits for itself waits for ever. */
static void check_cycles(struct fg_decode *d, const struct fg_taskdef *def)
{
        const char *names[FG_CONTAINERS_MAX + 1];
        unsigned waits[FG_CONTAINERS_MAX] = { 0 };
        size_t n = def->containers.n, n_names = 0;
        fg_autofree char *list = NULL;

        for (size_t i = 0; i < n; i++)
                waits[i] = waits_for(def, &def->containers.v[i]);
        for (size_t k = 0; k < n; k++)
                for (size_t i = 0; i < n; i++)
                        if (waits[i] & (1u << k))
                                waits[i] |= waits[k];
        for (size_t i = 0; i < n; i++)
                if (waits[i] & (1u << i))
                        names[n_names++] = def->containers.v[i].name;
        names[n_names] = NULL;
        list = fg_join(names);
        if (n_names > 0)
                fg_decode_problem(d, "containerDefinitions", NULL,
                                  "these containers wait for each other for ever: %s", list);
}

void fg_taskdef_check_links(struct fg_decode *d, const struct fg_taskdef *def)
{
        check_names(d, def);
        check_volumes(d, def);
        for (size_t i = 0; i < def->containers.n; i++) {
                size_t mark = fg_decode_enter(d, ".containerDefinitions[%zu]", i);

                check_mounts(d, def, &def->containers.v[i]);
                check_volumes_from(d, def, &def->containers.v[i]);
                check_dependencies(d, def, &def->containers.v[i]);
                fg_decode_leave(d, mark);
        }
        check_cycles(d, def);
}

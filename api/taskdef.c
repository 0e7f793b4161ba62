/* SPDX-License-Identifier: Apache-2.0 */
#include "api/taskdef.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/field_row.h"
#include "api/tag.h"
#include "api/taskdef_private.h"
#include "core/json.h"
#include "core/str.h"

/* The task definition itself, and its smaller parts. */

static const struct fg_field host_fields[] = {
        FG_ROW_REFUSED("sourcePath",
                       "Fargate compatible task definitions do not support sourcePath"),
};
static const struct fg_object host_object = FG_OBJECT(fg_volume_host, host_fields);

static const struct fg_field volume_fields[] = {
        FG_ROW_STRING(fg_volume, name, "name", .required = true, .min = 1, .max = FG_NAME_MAX,
                      .check = fg_check_name),
        FG_ROW_OBJECT(fg_volume, host, "host", &host_object),
        FG_ROW_LATER("configuredAtLaunch"),
        FG_ROW_LATER("efsVolumeConfiguration"),
        FG_ROW_LATER("s3filesVolumeConfiguration"),
        FG_ROW_REFUSED("dockerVolumeConfiguration",
                       "Fargate compatible task definitions do not support "
                       "dockerVolumeConfiguration"),
        FG_ROW_REFUSED("fsxWindowsFileServerVolumeConfiguration",
                       "Fargate compatible task definitions do not support "
                       "fsxWindowsFileServerVolumeConfiguration"),
};
static const struct fg_object volume_object = FG_OBJECT(fg_volume, volume_fields);

static bool check_size(struct fg_decode *d, int64_t gib, const void *obj)
{
        (void)obj;
        if (gib >= FG_EPHEMERAL_MIN_GIB && gib <= FG_EPHEMERAL_MAX_GIB)
                return true;
        if (gib < FG_EPHEMERAL_MIN_GIB)
                fg_decode_problem(d, NULL, NULL, "EphemeralStorage size should be at least %d",
                                  FG_EPHEMERAL_MIN_GIB);
        else
                fg_decode_problem(d, NULL, NULL, "EphemeralStorage size should be at most %d",
                                  FG_EPHEMERAL_MAX_GIB);
        return false;
}

static const struct fg_field ephemeral_fields[] = {
        FG_ROW_INT(fg_ephemeral_storage, size_gib, "sizeInGiB", .required = true,
                   .min = FG_EPHEMERAL_MIN_GIB, .max = FG_EPHEMERAL_MAX_GIB,
                   .check_int = check_size),
};
const struct fg_object fg_ephemeral_storage_object = FG_OBJECT(fg_ephemeral_storage,
                                                               ephemeral_fields);

bool fg_check_image_pull(struct fg_decode *d, const char *s)
{
        static const char *const ways[] = { "prepared", "guest", NULL };

        if (fg_one_of(s, ways))
                return true;
        fg_decode_problem(d, NULL, "prepared or guest", "'%.*s' is not a valid value", FG_CLIP(s));
        return false;
}

static bool check_isolation(struct fg_decode *d, const char *s)
{
        static const char *const kinds[] = { "microvm", "container", NULL };

        if (fg_one_of(s, kinds))
                return true;
        fg_decode_problem(d, NULL, "microvm or container", "'%.*s' is not a valid value",
                          FG_CLIP(s));
        return false;
}

static bool check_start(struct fg_decode *d, const char *s)
{
        static const char *const ways[] = { "warm-image", "warm", "restored", "cold", NULL };

        if (fg_one_of(s, ways))
                return true;
        fg_decode_problem(d, NULL, "warm-image, warm, restored or cold",
                          "'%.*s' is not a valid value", FG_CLIP(s));
        return false;
}

static const struct fg_field extension_fields[] = {
        FG_ROW_INT(fg_extensions, max_run_time, "maxRunTime", .min = 1),
        FG_ROW_INT(fg_extensions, network_bytes_per_second, "networkBytesPerSecond",
                   .min = FG_TASK_RATE_MIN),
        FG_ROW_STRING(fg_extensions, image_pull, "imagePull", .check = fg_check_image_pull),
        FG_ROW_STRING(fg_extensions, isolation, "isolation", .check = check_isolation),
        FG_ROW_STRING(fg_extensions, start, "start", .check = check_start),
        FG_ROW_OBJECTS(fg_extensions, publish, "publish", &fg_publish_object,
                       .max = FG_NET_PORTS_MAX),
};
const struct fg_object fg_extensions_object = FG_OBJECT(fg_extensions, extension_fields);

static bool check_platform(struct fg_decode *d, const char *s, const char *ours,
                           const char *const *others)
{
        if (fg_streq(s, ours))
                return true;
        if (fg_one_of(s, others))
                fg_decode_problem(d, NULL, ours, "%s is not supported by this version of fgrun", s);
        else
                fg_decode_problem(d, NULL, ours, "'%.*s' is not a valid value", FG_CLIP(s));
        return false;
}

static bool check_architecture(struct fg_decode *d, const char *s)
{
        static const char *const others[] = { "ARM64", NULL };

        return check_platform(d, s, "X86_64", others);
}

static bool check_system(struct fg_decode *d, const char *s)
{
        static const char *const others[] = { "WINDOWS_SERVER_2019_CORE",
                                              "WINDOWS_SERVER_2019_FULL",
                                              "WINDOWS_SERVER_2022_CORE",
                                              "WINDOWS_SERVER_2022_FULL",
                                              "WINDOWS_SERVER_2025_CORE",
                                              "WINDOWS_SERVER_2025_FULL",
                                              NULL };

        return check_platform(d, s, "LINUX", others);
}

static const struct fg_field platform_fields[] = {
        FG_ROW_STRING(fg_runtime_platform, cpu_architecture, "cpuArchitecture",
                      .check = check_architecture),
        FG_ROW_STRING(fg_runtime_platform, operating_system_family, "operatingSystemFamily",
                      .check = check_system),
};
static const struct fg_object platform_object = FG_OBJECT(fg_runtime_platform, platform_fields);

static bool check_network_mode(struct fg_decode *d, const char *s)
{
        if (fg_streq(s, "awsvpc"))
                return true;
        fg_decode_problem(d, NULL, NULL, "Fargate only supports network mode ‘awsvpc’.");
        return false;
}

static bool check_pid_mode(struct fg_decode *d, const char *s)
{
        if (fg_streq(s, "task"))
                return true;
        fg_decode_problem(d, NULL, NULL,
                          "Tasks using the Fargate launch type do not support pidMode '%.*s'. The "
                          "supported value for pidMode is 'task'.",
                          FG_CLIP(s));
        return false;
}

static const char *const launch_types[] = { "EC2", "EXTERNAL", "FARGATE", "MANAGED_INSTANCES",
                                            NULL };

static const struct fg_field taskdef_fields[] = {
        FG_ROW_STRING(fg_taskdef, family, "family", .required = true, .min = 1, .max = FG_NAME_MAX,
                      .check = fg_check_name),
        FG_ROW_OBJECTS(fg_taskdef, containers, "containerDefinitions", &fg_container_object,
                       .required = true, .min = 1, .max = FG_CONTAINERS_MAX,
                       .text = "Container list cannot be empty."),
        FG_ROW_STRING(fg_taskdef, cpu, "cpu", .required = true,
                      .text = "Fargate requires that 'cpu' be defined at the task level."),
        FG_ROW_STRING(fg_taskdef, memory, "memory", .required = true,
                      .text = "Fargate requires that 'memory' be defined at the task level."),
        FG_ROW_STRING(fg_taskdef, network_mode, "networkMode", .check = check_network_mode),
        FG_ROW_STRING(fg_taskdef, pid_mode, "pidMode", .check = check_pid_mode),
        FG_ROW_STRINGS(fg_taskdef, requires_compatibilities, "requiresCompatibilities",
                       .allowed = launch_types),
        FG_ROW_OBJECTS(fg_taskdef, volumes, "volumes", &volume_object, .max = 64, .always = true),
        FG_ROW_OBJECT(fg_taskdef, ephemeral_storage, "ephemeralStorage",
                      &fg_ephemeral_storage_object),
        FG_ROW_OBJECT(fg_taskdef, runtime_platform, "runtimePlatform", &platform_object),
        FG_ROW_STRING(fg_taskdef, execution_role_arn, "executionRoleArn",
                      .status = FG_FIELD_RECORDED),
        FG_ROW_STRING(fg_taskdef, task_role_arn, "taskRoleArn", .status = FG_FIELD_RECORDED),
        FG_ROW_OBJECTS(fg_taskdef, tags, "tags", &fg_tag_object, .status = FG_FIELD_RECORDED,
                       .max = FG_TAGS_MAX),
        FG_ROW_OBJECT(fg_taskdef, fgrun, "fgrun", &fg_extensions_object),
        FG_ROW_LATER("enableFaultInjection"),
        FG_ROW_LATER("proxyConfiguration"),
        FG_ROW_REFUSED("inferenceAccelerators", "Unsupported field 'inferenceAccelerators'"),
        FG_ROW_REFUSED("ipcMode", "Fargate compatible task definitions do not support ipcMode"),
        FG_ROW_REFUSED("placementConstraints",
                       "Fargate compatible task definitions do not support constraints",
                       .always = true),
        FG_ROW_OUTPUT("compatibilities"),
        FG_ROW_OUTPUT("deleteRequestedAt"),
        FG_ROW_OUTPUT("deregisteredAt"),
        FG_ROW_OUTPUT("registeredAt"),
        FG_ROW_OUTPUT("registeredBy"),
        FG_ROW_OUTPUT("requiresAttributes"),
        FG_ROW_OUTPUT("revision"),
        FG_ROW_OUTPUT("status"),
        FG_ROW_OUTPUT("taskDefinitionArn"),
};

static void check_compatibilities(struct fg_decode *d, const struct fg_taskdef *def)
{
        for (size_t i = 0; i < def->requires_compatibilities.n; i++)
                if (fg_streq(def->requires_compatibilities.v[i], "FARGATE"))
                        return;
        if (def->requires_compatibilities.n > 0)
                fg_decode_problem(d, "requiresCompatibilities", NULL,
                                  "must contain FARGATE: tasks run nowhere else here");
}

static void check_taskdef(struct fg_decode *d, void *obj)
{
        struct fg_taskdef *def = obj;

        if (!def->network_mode)
                def->network_mode = fg_strdup("awsvpc");
        check_compatibilities(d, def);
        fg_tags_check(d, "tags", &def->tags);
        fg_taskdef_check_sizes(d, def);
        fg_taskdef_check_links(d, def);
        fg_taskdef_check_secrets(d, def);
}

const struct fg_object fg_taskdef_object = FG_OBJECT(fg_taskdef, taskdef_fields,
                                                     .check = check_taskdef);

struct fg_taskdef *fg_taskdef_decode(struct json_object *json, fg_image_check_fn image_check,
                                     struct fg_problems *problems)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_calloc(1, sizeof(*def));
        size_t before = problems->n, size = strlen(fg_json_text(json));
        struct fg_decode d;

        fg_decode_init(&d, "$", problems);
        d.image_check = image_check;
        if (size > FG_TASKDEF_MAX)
                fg_decode_problem(&d, NULL, NULL,
                                  "Actual length: '%zu'. Max allowed length is '%d' bytes.", size,
                                  FG_TASKDEF_MAX);
        else
                fg_object_decode(&d, &fg_taskdef_object, json, def);
        return problems->n == before ? fg_take_ptr(def) : NULL;
}

void fg_taskdef_free(struct fg_taskdef *def)
{
        if (!def)
                return;
        fg_object_finish(&fg_taskdef_object, def);
        free(def);
}

struct json_object *fg_taskdef_to_json(const struct fg_taskdef *def)
{
        return fg_object_encode(&fg_taskdef_object, def);
}

struct fg_taskdef *fg_taskdef_load(struct json_object *json, struct fg_error *err)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_calloc(1, sizeof(*def));
        struct fg_decode d;

        fg_decode_init(&d, "$", &problems);
        fg_object_decode(&d, &fg_taskdef_object, json, def);
        if (problems.n > 0) {
                fg_problems_fail(&problems, "task definition", err);
                return NULL;
        }
        return fg_take_ptr(def);
}

struct fg_taskdef *fg_taskdef_copy(const struct fg_taskdef *def)
{
        fg_autojson *json = fg_taskdef_to_json(def);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_taskdef *copy = fg_taskdef_load(json, &err);

        assert(copy); /* what was valid once stays valid */
        return copy;
}

int fg_taskdef_find(const struct fg_taskdef *def, const char *container)
{
        for (size_t i = 0; i < def->containers.n; i++)
                if (def->containers.v[i].name && fg_streq(def->containers.v[i].name, container))
                        return (int)i;
        return -1;
}

const char *fg_taskdef_image_pull(const struct fg_taskdef *def, size_t container)
{
        const struct fg_container_extensions *own = def->containers.v[container].fgrun;

        if (own && own->image_pull)
                return own->image_pull;
        return def->fgrun ? def->fgrun->image_pull : NULL;
}

int64_t fg_taskdef_storage_gib(const struct fg_taskdef *def)
{
        return def->ephemeral_storage ? def->ephemeral_storage->size_gib : FG_EPHEMERAL_DEFAULT_GIB;
}

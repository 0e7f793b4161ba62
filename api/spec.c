/* SPDX-License-Identifier: Apache-2.0 */
#include "api/spec.h"

#include "api/cwlogs/awslogs.h"
#include "api/taskdef_private.h"
#include "core/json.h"
#include "core/str.h"

/* Members that mean something to a guest; the rest of a container definition stays here. */
static const char *const passed_on[] = {
        "name",
        "essential",
        "entryPoint",
        "command",
        "environment",
        "workingDirectory",
        "user",
        "readonlyRootFilesystem",
        "cpu",
        "memory",
        "memoryReservation",
        "ulimits",
        "linuxParameters",
        "dependsOn",
        "startTimeout",
        "healthCheck",
        "restartPolicy",
        "mountPoints",
        "volumesFrom",
        "systemControls",
        "interactive",
        "pseudoTerminal",
};

static struct json_object *image_to_json(const struct fg_spec_image *image)
{
        struct json_object *json = json_object_new_object();

        fg_json_set_str(json, "reference", image->reference);
        fg_json_set_str(json, "manifest", image->manifest);
        fg_json_set_str(json, "disk", image->disk);
        return json;
}

static struct json_object *container_to_json(const struct fg_container_def *c,
                                             const struct fg_spec_image *image)
{
        fg_autojson *full = fg_object_encode(&fg_container_object, c);
        struct json_object *json = json_object_new_object();
        struct fg_awslogs logs;

        for (size_t i = 0; i < FG_ARRAY_SIZE(passed_on); i++) {
                struct json_object *member = fg_json_get(full, passed_on[i]);

                if (member)
                        fg_json_set(json, passed_on[i], json_object_get(member));
        }
        fg_json_set(json, "image", image_to_json(image));
        if (fg_awslogs_get(c->log_configuration, &logs) && logs.non_blocking)
                fg_json_set_int(json, "outputBufferBytes", (int64_t)logs.buffer_bytes);
        fg_json_set_int(json, "stopTimeout",
                        c->stop_timeout > 0 ? c->stop_timeout : FG_STOP_TIMEOUT_DEFAULT);
        return json;
}

static struct json_object *volumes_to_json(const struct fg_taskdef *def)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < def->volumes.n; i++)
                json_object_array_add(array, json_object_new_string(def->volumes.v[i].name));
        return array;
}

static struct json_object *containers_to_json(const struct fg_spec *spec)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < spec->def->containers.n; i++)
                json_object_array_add(
                        array, container_to_json(&spec->def->containers.v[i], &spec->images[i]));
        return array;
}

struct json_object *fg_spec_to_json(const struct fg_spec *spec)
{
        struct json_object *json = json_object_new_object();

        fg_json_set_str(json, "type", "task");
        fg_json_set_str(json, "id", spec->id);
        fg_json_set_int(json, "now", spec->now_ns);
        fg_json_set_str(json, "random", spec->random);
        fg_json_set_str(json, "hostname", spec->hostname);
        fg_json_set_int(json, "cpuUnits", spec->def->cpu_units);
        fg_json_set_int(json, "memoryMiB", spec->def->memory_mib);
        fg_json_set_str(json, "scratch", spec->scratch);
        if (spec->network)
                fg_json_set(json, "network", fg_task_network_guest(spec->network));
        fg_json_set_str(json, "pidMode", spec->def->pid_mode);
        fg_json_set(json, "volumes", volumes_to_json(spec->def));
        fg_json_set(json, "containers", containers_to_json(spec));
        if (spec->metadata)
                fg_json_set(json, "metadata", json_object_get(spec->metadata));
        return json;
}

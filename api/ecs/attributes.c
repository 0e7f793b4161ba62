/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

/*
 * requiresAttributes of a definition: what an instance would have to be able to do on AWS. Here
 * everything can; but clients show and compare it.
 */
enum {
        TASK_ROLE = 1 << 0,
        EXECUTION_ROLE = 1 << 1,
        PROCESSES = 1 << 2,
        AWSLOGS = 1 << 3,
        JSON_FILE = 1 << 4,
        HEALTH = 1 << 5,
        ORDER = 1 << 6,
        FILES = 1 << 7,
        SECRETS = 1 << 8,
        PARAMETERS = 1 << 9,
};

static const struct {
        const char *name;
        unsigned needs;
} attributes[] = {
        { "com.amazonaws.ecs.capability.docker-remote-api.1.18", 0 },
        { "com.amazonaws.ecs.capability.docker-remote-api.1.19", AWSLOGS },
        { "com.amazonaws.ecs.capability.logging-driver.awslogs", AWSLOGS },
        { "com.amazonaws.ecs.capability.logging-driver.json-file", JSON_FILE },
        { "com.amazonaws.ecs.capability.task-iam-role", TASK_ROLE },
        { "ecs.capability.container-health-check", HEALTH },
        { "ecs.capability.container-ordering", ORDER },
        { "ecs.capability.env-files.s3", FILES },
        { "ecs.capability.execution-role-awslogs", AWSLOGS | EXECUTION_ROLE },
        { "ecs.capability.pid-ipc-namespace-sharing", PROCESSES },
        { "ecs.capability.secrets.asm.environment-variables", SECRETS },
        { "ecs.capability.secrets.ssm.environment-variables", PARAMETERS },
        { "ecs.capability.task-eni", 0 },
};

static unsigned needs_of_secrets(struct json_object *secrets)
{
        unsigned needs = 0;

        for (size_t i = 0; secrets && i < json_object_array_length(secrets); i++) {
                const char *from = fg_json_str(json_object_array_get_idx(secrets, i), "valueFrom");

                needs |= from && strstr(from, ":secretsmanager:") ? SECRETS : PARAMETERS;
        }
        return needs;
}

static unsigned needs_of_container(struct json_object *container)
{
        const char *driver = fg_json_str(fg_json_obj(container, "logConfiguration"), "logDriver");
        unsigned needs = needs_of_secrets(fg_json_arr(container, "secrets"));

        if (driver)
                needs |= fg_streq(driver, "awslogs") ? AWSLOGS : JSON_FILE;
        if (fg_json_get(container, "healthCheck"))
                needs |= HEALTH;
        if (fg_json_get(container, "dependsOn"))
                needs |= ORDER;
        if (fg_json_get(container, "environmentFiles"))
                needs |= FILES;
        return needs;
}

static unsigned needs_of(struct json_object *document)
{
        struct json_object *containers = fg_json_arr(document, "containerDefinitions");
        unsigned needs = 0;

        for (size_t i = 0; containers && i < json_object_array_length(containers); i++)
                needs |= needs_of_container(json_object_array_get_idx(containers, i));
        if (fg_json_get(document, "taskRoleArn"))
                needs |= TASK_ROLE;
        if (fg_json_get(document, "executionRoleArn"))
                needs |= EXECUTION_ROLE;
        if (fg_json_get(document, "pidMode"))
                needs |= PROCESSES;
        return needs;
}

struct json_object *ecs_required_attributes(struct json_object *document)
{
        struct json_object *list = json_object_new_array();
        const unsigned needs = needs_of(document);

        for (size_t i = 0; i < FG_ARRAY_SIZE(attributes); i++) {
                struct json_object *attribute;

                if ((attributes[i].needs & needs) != attributes[i].needs)
                        continue;
                attribute = json_object_new_object();
                fg_json_set_str(attribute, "name", attributes[i].name);
                json_object_array_add(list, attribute);
        }
        return list;
}

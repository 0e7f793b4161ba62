/* SPDX-License-Identifier: Apache-2.0 */
#include "api/routes.h"

#include <string.h>

#include "api/aws/aws.h"
#include "core/id.h"

#define PREFIX_MIN 4

const struct fg_route fg_routes[] = {
        { "POST", "/", handle_aws, FG_QUERY_ANY, FG_ACTION_BY_HANDLER },
        { "GET", "/", handle_aws, FG_QUERY_ANY, FG_ACTION_BY_HANDLER },
        { "POST", "/v1/tasks", handle_task_run, NULL, "ecs:RunTask" },
        { "GET", "/v1/tasks", handle_task_list, "status family limit next", "ecs:ListTasks" },
        /* First: an ARN may have slashes, so "*" alone would take all of it. */
        { "GET", "/v1/tasks/*/logs", handle_task_logs, "follow container since events",
          "logs:GetLogEvents" },
        { "GET", "/v1/tasks/*", handle_task_get, "wait", "ecs:DescribeTasks" },
        { "POST", "/v1/tasks/*/stop", handle_task_stop, NULL, "ecs:StopTask" },
        { "GET", "/v1/images", handle_image_list, NULL, "fgrun:ListImages" },
        { "DELETE", "/v1/images", handle_image_remove, "reference", "fgrun:RemoveImage" },
        { "POST", "/v1/images/pull", handle_image_pull, NULL, "fgrun:PullImage" },
        { "POST", "/v1/prune", handle_prune, NULL, "fgrun:Prune" },
        { "POST", "/v1/warm", handle_warm_keep, NULL, "fgrun:KeepWarm" },
        { "GET", "/v1/warm", handle_warm_list, NULL, "fgrun:ListWarm" },
        { "DELETE", "/v1/warm", handle_warm_end, "image cpu memory", "fgrun:EndWarm" },
        { "GET", "/v1/events", handle_events, "since limit follow format", "fgrun:GetEvents" },
        { "POST", "/v1/secrets", handle_secret_create, NULL, "secretsmanager:CreateSecret" },
        { "GET", "/v1/secrets", handle_secret_list, NULL, "secretsmanager:ListSecrets" },
        { "DELETE", "/v1/secrets", handle_secret_remove, "name days",
          "secretsmanager:DeleteSecret" },
        { "GET", "/v1/secrets/value", handle_secret_get, "name", "secretsmanager:GetSecretValue" },
        { "GET", "/v1/usage", handle_usage, "by since until", "fgrun:GetUsage" },
        { "GET", "/v1/info", handle_info, NULL, "fgrun:GetInfo" },
        { "GET", "/v1/network", handle_network, NULL, "fgrun:GetNetwork" },
        { "GET", "/healthz", handle_health, FG_QUERY_ANY, "fgrun:GetHealth" },
        { "GET", "/metrics", handle_metrics, FG_QUERY_ANY, "fgrun:GetMetrics" },
        { "POST", "/v1/endpoint", handle_endpoint, NULL, NULL },
        { "POST", "/v1/keys", handle_key_create, NULL, NULL },
        { "GET", "/v1/keys", handle_key_list, NULL, NULL },
        { "DELETE", "/v1/keys/*", handle_key_revoke, NULL, NULL },
        { 0 },
};

const char *request_task_id(const struct fg_request *r, struct fg_error *err)
{
        const char *arg = fg_request_arg(r), *slash = strrchr(arg, '/');
        const char *id = slash ? slash + 1 : arg;
        size_t len = strlen(id);

        if (len >= PREFIX_MIN && len <= FG_ID_LEN && strspn(id, "0123456789abcdef") == len)
                return id;
        fg_fail(err, FG_ERR_INVALID,
                "%s is not a task: expected %d hexadecimal digits, at least the first %d of them, "
                "or a task ARN",
                arg, FG_ID_LEN, PREFIX_MIN);
        return NULL;
}

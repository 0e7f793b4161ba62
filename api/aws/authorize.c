/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/aws/call.h"
#include "core/str.h"

#define CLUSTERS_MAX 100

/* "arn:aws:ecs:REGION:ACCOUNT:cluster/NAME" or "NAME" */
static const char *short_name(const char *cluster)
{
        const char *slash = strrchr(cluster, '/');

        return slash ? slash + 1 : cluster;
}

/* The cluster in "arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID": *ret_len 0 when there is none. */
static const char *cluster_in_arn(const char *text, size_t *ret_len)
{
        const char *start = strchr(text, '/'), *end = start ? strchr(start + 1, '/') : NULL;
        bool names_one = fg_starts_with(text, "arn:aws:ecs:") && end;

        *ret_len = names_one ? (size_t)(end - start - 1) : 0;
        return names_one ? start + 1 : NULL;
}

struct question {
        struct fg_aws_call *call;
        const char *action;
        bool asked, named; /* at all; about a cluster that the request names */
};

static int ask(struct question *q, const char *cluster)
{
        const struct fg_act act = { .service = q->call->service->name,
                                    .action = q->action,
                                    .cluster = cluster,
                                    .open = q->call->operation->open };

        q->asked = true;
        return fg_request_authorize(q->call->r, &act);
}

static int ask_named(struct question *q, const char *cluster)
{
        q->named = true;
        return ask(q, short_name(cluster));
}

static int ask_arn(struct question *q, const char *text)
{
        size_t len;
        const char *start = cluster_in_arn(text, &len);
        fg_autofree char *cluster = NULL;

        if (fg_starts_with(text, "arn:aws:ecs:") && strstr(text, ":cluster/"))
                return ask_named(q, text);
        if (!start)
                return 0;
        cluster = fg_asprintf("%.*s", (int)(len > 255 ? 255 : len), start);
        return ask(q, cluster);
}

/* Every ARN in a member says its cluster itself, whatever the member "cluster" says. */
static int ask_member(struct question *q, const char *name, bool names_clusters)
{
        struct json_object *value = fg_json_get(q->call->body, name);
        const char *text = fg_json_str(q->call->body, name);

        if (text)
                return names_clusters ? ask_named(q, text) : ask_arn(q, text);
        if (!json_object_is_type(value, json_type_array) ||
            json_object_array_length(value) > CLUSTERS_MAX)
                return 0; /* what is too long, the operation refuses */
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                struct json_object *item = json_object_array_get_idx(value, i);

                text = json_object_is_type(item, json_type_string) ? json_object_get_string(item)
                                                                   : "";
                if ((names_clusters ? ask_named(q, text) : ask_arn(q, text)) < 0)
                        return -1;
        }
        return 0;
}

/* Operations of ECS that are about no cluster. */
static bool has_no_cluster(const struct fg_aws_call *call)
{
        static const char *const words[] = { "TaskDefinition",    "AccountSetting", "ListClusters",
                                             "CapacityProviders", "ForResource",    "Resource" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(words); i++)
                if (strstr(call->operation->name, words[i]))
                        return true;
        return false;
}

/* What the audit log says it was about: the first name of something, and the cluster. NULL:
 * nothing.
 */
static char *resource_of(const struct fg_aws_call *call)
{
        static const char *const names[] = { "taskDefinition", "family",   "task", "resourceArn",
                                             "logGroupName",   "SecretId", "Name", "clusterName" };
        const char *text = NULL, *cluster = fg_json_str(call->body, "cluster");

        for (size_t i = 0; i < FG_ARRAY_SIZE(names) && !text; i++)
                text = fg_json_str(call->body, names[i]);
        if (!cluster && fg_streq(call->operation->name, "RunTask"))
                cluster = call->names->cluster;
        if (text && cluster)
                return fg_asprintf("%.*s in cluster %.*s", FG_CLIP(text), FG_CLIP(cluster));
        return fg_strdup(text ? text : cluster);
}

/* The short form of a task's ARN, "task/ID", means the default cluster. */
static bool is_short_task(const char *text)
{
        const char *slash = text ? strstr(text, ":task/") : NULL;

        return slash && fg_starts_with(text, "arn:aws:ecs:") &&
               !strchr(slash + strlen(":task/"), '/');
}

int fg_aws_authorize(struct fg_aws_call *call)
{
        static const struct {
                const char *member;
                bool names_clusters;
        } members[] = { { "cluster", true }, { "clusterName", true }, { "clusters", true },
                        { "task", false },   { "tasks", false },      { "resourceArn", false },
                        { "service", false } };
        fg_autofree char *action = fg_asprintf("%s:%s", call->service->name, call->operation->name);
        fg_autofree char *resource = resource_of(call);
        struct question q = { .call = call, .action = action };

        fg_request_note_act(call->r, action, resource);
        if (fg_request_identity(call->r)->who != FG_WHO_KEY)
                return 0;
        if (!fg_streq(call->service->name, "ecs"))
                return ask(&q, NULL);
        for (size_t i = 0; i < FG_ARRAY_SIZE(members); i++)
                if (ask_member(&q, members[i].member, members[i].names_clusters) < 0)
                        return -1;
        if (is_short_task(fg_json_str(call->body, "resourceArn")))
                return ask(&q, call->d->config.cluster);
        if (has_no_cluster(call))
                return q.asked ? 0 : ask(&q, NULL);
        return q.named ? 0 : ask(&q, call->d->config.cluster);
}

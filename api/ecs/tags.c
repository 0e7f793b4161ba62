/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "api/ecs/ecs_private.h"
#include "core/db.h"
#include "core/json.h"
#include "core/str.h"

/* TagResource, UntagResource and ListTagsForResource: clusters, task definitions and tasks. */

struct tag_resource {
        char *arn;
        struct fg_pairs tags;
};

static const struct fg_field tag_fields[] = {
        FG_ROW_STRING(tag_resource, arn, "resourceArn", .required = true, .min = 1),
        FG_ROW_OBJECTS(tag_resource, tags, "tags", &fg_tag_object, .required = true, .min = 1,
                       .max = FG_TAGS_MAX),
};

static void check(struct fg_decode *d, void *obj)
{
        struct tag_resource *in = obj;

        fg_tags_check(d, "tags", &in->tags);
}

const struct fg_object ecs_tag_resource_input = FG_OBJECT(tag_resource, tag_fields, .check = check);

struct untag_resource {
        char *arn;
        struct fg_strings keys;
};

static const struct fg_field untag_fields[] = {
        FG_ROW_STRING(untag_resource, arn, "resourceArn", .required = true, .min = 1),
        FG_ROW_STRINGS(untag_resource, keys, "tagKeys", .required = true, .min = 1, .max = 50),
};

/* Those that AWS sets are not the user's to take away. */
static void check_keys(struct fg_decode *d, void *obj)
{
        const struct untag_resource *in = obj;

        for (size_t i = 0; i < in->keys.n; i++)
                if (in->keys.v[i] && strncasecmp(in->keys.v[i], "aws:", 4) == 0)
                        fg_decode_problem(d, "tagKeys", NULL, "tag keys must not begin with aws:");
}

const struct fg_object ecs_untag_resource_input = FG_OBJECT(untag_resource, untag_fields,
                                                            .check = check_keys);

struct list_tags {
        char *arn;
};

static const struct fg_field list_fields[] = {
        FG_ROW_STRING(list_tags, arn, "resourceArn", .required = true, .min = 1),
};
const struct fg_object ecs_list_tags_input = FG_OBJECT(list_tags, list_fields);

/* ---- does it exist? ---- */

#define INVALID "InvalidParameterException"

/* TagResource and UntagResource, which have more exceptions than ListTagsForResource. */
static bool changes(const struct fg_aws_call *call)
{
        return call->operation->write != NULL;
}

static int task_exists(struct fg_aws_call *call, sqlite3 *db, const char *name,
                       struct fg_error *err)
{
        const char *slash = strchr(name, '/');
        fg_autofree char *cluster = slash ? fg_asprintf("%.*s", (int)(slash - name), name) : NULL;
        fg_autostmt *stmt = NULL;
        int found;

        if (!slash)
                return 0;
        if (fg_db_prepare(db, &stmt, err, "SELECT status FROM tasks WHERE id = ? AND cluster = ?",
                          "ss", slash + 1, cluster) < 0)
                return -1;
        found = fg_db_step(stmt, err);
        if (found > 0 && changes(call) && fg_streq(fg_db_text(stmt, 0), "STOPPED"))
                return fg_aws_raise(call, INVALID,
                                    "The specified task is stopped. Specify a running task and try "
                                    "again.");
        return found;
}

/* 1, or -1: raised, or @err. */
static int cluster_exists(struct fg_aws_call *call, sqlite3 *db, const char *name,
                          struct fg_error *err)
{
        fg_autojson *cluster = NULL;
        int found = fg_cluster_get(db, name, &cluster, err);

        if (found == 0)
                return fg_aws_raise(call, ECS_CLUSTER_NOT_FOUND, "Cluster not found.");
        if (found > 0 && !fg_streq(fg_json_str(cluster, "status"), "ACTIVE"))
                return fg_aws_raise(call, INVALID,
                                    "The specified cluster is inactive. Specify an active cluster "
                                    "and try again.");
        return found;
}

static int definition_exists(struct fg_aws_call *call, sqlite3 *db, const char *name,
                             struct fg_error *err)
{
        fg_cleanup(fg_definition_finish) struct fg_definition d = { 0 };

        return strchr(name, ':') ? ecs_definition_get(call, db, name, &d, err) : 0;
}

static const char *behind(const char *resource, const char *type)
{
        return fg_starts_with(resource, type) ? resource + strlen(type) : NULL;
}

#define NO_ARN                                                                                     \
        "The specified ARN is not valid: it must be that of a cluster, a task definition or a "    \
        "task of this account and region."

int ecs_tags_also_wrong(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const char *arn = fg_json_str(call->body, "resourceArn");

        (void)db;
        (void)err;
        if (arn && *arn && !fg_arn_resource(arn, call->names, "ecs"))
                fg_problems_take(&call->problems, fg_strdup("$.resourceArn"), fg_strdup(NO_ARN),
                                 NULL);
        return 0;
}

/* As tags are stored for it: the short form of a task's ARN means the default cluster. */
static char *resource_of(const struct fg_aws_call *call, const char *arn)
{
        const char *resource = fg_arn_resource(arn, call->names, "ecs");
        const char *task = resource ? behind(resource, "task/") : NULL;

        if (task && *task && !strchr(task, '/'))
                return fg_asprintf("task/%s/%s", call->names->cluster, task);
        return fg_strdup(resource);
}

/* The resource of an ARN that names something that exists; NULL: raised, or @err. Caller frees. */
static char *find(struct fg_aws_call *call, sqlite3 *db, const char *arn, struct fg_error *err)
{
        fg_autofree char *resource = resource_of(call, arn);
        const char *name;
        int found = 0;

        if (!resource) {
                (void)fg_aws_raise(call, INVALID, NO_ARN);
                return NULL;
        }
        if ((name = behind(resource, "task/")))
                found = task_exists(call, db, name, err);
        else if ((name = behind(resource, "cluster/")))
                found = cluster_exists(call, db, name, err);
        else if ((name = behind(resource, "task-definition/")))
                found = definition_exists(call, db, name, err);
        if (found == 0)
                (void)fg_aws_raise(call, changes(call) ? "ResourceNotFoundException" : INVALID,
                                   "The specified resource cannot be found: %s", arn);
        return found > 0 ? fg_take_ptr(resource) : NULL;
}

/* ---- operations ---- */

int ecs_tag_resource(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct tag_resource *in = call->in;
        fg_autofree char *resource = find(call, db, in->arn, err);
        fg_autojson *tags = fg_tags_to_json(&in->tags), *all = NULL;

        if (!resource || fg_tags_put(db, resource, fg_json_text(tags), err) < 0)
                return -1;
        all = fg_tags_get(db, resource, err);
        if (!all)
                return -1;
        if (json_object_array_length(all) > FG_TAGS_MAX)
                return fg_aws_raise(call, INVALID, "A resource can have at most %d tags.",
                                    FG_TAGS_MAX);
        call->output = json_object_new_object();
        return 0;
}

int ecs_untag_resource(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct untag_resource *in = call->in;
        fg_autofree char *resource = find(call, db, in->arn, err);

        if (!resource || fg_tags_remove(db, resource, &in->keys, err) < 0)
                return -1;
        call->output = json_object_new_object();
        return 0;
}

int ecs_list_tags(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct list_tags *in = call->in;
        fg_autofree char *resource = find(call, db, in->arn, err);
        struct json_object *tags = resource ? fg_tags_get(db, resource, err) : NULL;

        if (!tags)
                return -1;
        call->output = json_object_new_object();
        fg_json_set(call->output, "tags", tags);
        return 0;
}

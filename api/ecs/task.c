/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/ecs/ecs_task.h"
#include "core/json.h"
#include "core/str.h"

bool ecs_check_task(struct fg_decode *d, const char *s)
{
        const char *slash = strrchr(s, '/');
        size_t len = strlen(slash ? slash + 1 : s);

        if (len == FG_ID_LEN || len == FG_UUID_LEN)
                return true;
        fg_decode_problem(d, NULL, NULL, "taskId length should be one of [32,36]");
        return false;
}

int ecs_task_id(struct fg_aws_call *call, const char *cluster, const char *text, const char **ret)
{
        const char *name = fg_arn_name(text, call->names, "ecs", "task");
        const char *slash = name && name != text ? strchr(name, '/') : NULL;
        fg_autofree char *other = slash ? fg_asprintf("%.*s", (int)(slash - name), name) : NULL;

        *ret = NULL;
        if (other && !fg_streq(other, cluster))
                return fg_aws_raise(call, "InvalidParameterException",
                                    "Invalid identifier: Identifier is for cluster %.*s. Your "
                                    "cluster is %s",
                                    FG_CLIP(other), cluster);
        if (slash)
                name = slash + 1;
        if (name && fg_id_valid(name))
                *ret = name;
        return 0;
}

char *ecs_task_arn(const struct fg_aws_call *call, const char *cluster, const char *text)
{
        if (fg_starts_with(text, "arn:"))
                return fg_strdup(text);
        return fg_arn(call->names, "ecs", "task/%s/%s", cluster, text);
}

/* The stored text is an object with members; it is passed on as it is, for it may be asked for
 * thousands of times a second. */
int ecs_task_show(struct fg_aws_call *call, sqlite3 *db, const char *cluster, const char *id,
                  bool tags, struct json_object **ret, struct fg_error *err)
{
        fg_autofree char *document = NULL, *resource = NULL, *text = NULL;
        fg_autojson *list = NULL;
        int found = fg_task_find(db, cluster, id, &document, err);

        (void)call;
        if (found <= 0)
                return found;
        if (tags) {
                resource = fg_asprintf("task/%s/%s", cluster, id);
                list = fg_tags_get(db, resource, err);
                if (!list)
                        return -1;
        }
        text = fg_asprintf("%.*s,\"tags\":%s}", (int)strlen(document) - 1, document,
                           list ? fg_json_text(list) : "[]");
        *ret = fg_json_raw(text);
        return 1;
}

const char *ecs_open_cluster(struct fg_aws_call *call, sqlite3 *db, const char *text,
                             struct fg_error *err)
{
        fg_autojson *cluster = NULL;

        if (ecs_cluster_get(call, db, text, false, &cluster, err) < 0)
                return NULL;
        return ecs_cluster_name(call, text);
}

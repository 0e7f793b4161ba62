/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/db.h"
#include "core/json.h"
#include "core/str.h"

struct delete_cluster {
        char *cluster;
};

static const struct fg_field fields[] = {
        FG_ROW_STRING(delete_cluster, cluster, "cluster", .required = true, .min = 1),
};
const struct fg_object ecs_delete_cluster_input = FG_OBJECT(delete_cluster, fields);

/* 1: tasks of it have not stopped. */
static int is_used(sqlite3 *db, const char *name, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        if (fg_db_prepare(db, &stmt, err,
                          "SELECT 1 FROM tasks WHERE cluster = ? AND status <> 'STOPPED' LIMIT 1",
                          "s", name) < 0)
                return -1;
        return fg_db_step(stmt, err);
}

int ecs_delete_cluster(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct delete_cluster *in = call->in;
        fg_autojson *cluster = NULL;
        const char *name;
        int used;

        if (ecs_cluster_get(call, db, in->cluster, false, &cluster, err) < 0)
                return -1;
        name = fg_json_str(cluster, "name");
        if (fg_streq(name, call->names->cluster))
                return fg_aws_raise(call, "ClientException",
                                    "%s is the cluster of fgd itself and cannot be deleted.", name);
        used = is_used(db, name, err);
        if (used < 0)
                return -1;
        if (used)
                return fg_aws_raise(call, "ClusterContainsTasksException",
                                    "The Cluster cannot be deleted while Tasks are active.");
        if (fg_cluster_put(db, name, "INACTIVE", fg_json_get(cluster, "document"), err) < 0)
                return -1;
        return ecs_cluster_answer(call, db, name, err);
}

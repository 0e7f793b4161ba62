/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/field.h"
#include "core/error.h"

/*
 * What stands in fgd.db beside the tasks. For scripts on the database's lane (api/store.h).
 * Results that are called "found" are 1, or 0 when there is no such row.
 */
struct json_object;

/* ---- tags: of a resource, the end of an ARN: "cluster/NAME" ---- */

/** fg_tags_put() - add or replace; @tags is the text of [{"key","value"}]. */
int fg_tags_put(sqlite3 *db, const char *resource, const char *tags, struct fg_error *err);
int fg_tags_remove(sqlite3 *db, const char *resource, const struct fg_strings *keys,
                   struct fg_error *err);
int fg_tags_clear(sqlite3 *db, const char *resource, struct fg_error *err);
/** fg_tags_get() - [{"key","value"}] in the order they were given; NULL: failure. */
struct json_object *fg_tags_get(sqlite3 *db, const char *resource, struct fg_error *err);

/* ---- clusters ---- */

/** fg_cluster_get() - {"name","status","document":{…}}. Return: found. */
int fg_cluster_get(sqlite3 *db, const char *name, struct json_object **ret, struct fg_error *err);
int fg_cluster_put(sqlite3 *db, const char *name, const char *status, struct json_object *document,
                   struct fg_error *err);
/** fg_cluster_list() - up to @limit names of ACTIVE clusters behind @after. */
struct json_object *fg_cluster_list(sqlite3 *db, const char *after, int64_t limit,
                                    struct fg_error *err);
int fg_cluster_count(sqlite3 *db, const char *name, int64_t *ret_running, int64_t *ret_pending,
                     struct fg_error *err);

/* ---- task definitions ---- */

struct fg_definition {
        char *family, *status, *registered_by;
        int64_t revision;
        uint64_t registered_ns, deregistered_ns, delete_ns;
        struct json_object *document; /* fg_taskdef_to_json() without tags */
};

void fg_definition_finish(struct fg_definition *d); /* safe on a zeroed one; for fg_cleanup() */
/** fg_definition_add() - the next revision of its family; @d gets it, and is ACTIVE. */
int fg_definition_add(sqlite3 *db, struct fg_definition *d, struct fg_error *err);
/** fg_definition_get() - @revision 0: the latest that is ACTIVE. Return: found. */
int fg_definition_get(sqlite3 *db, const char *family, int64_t revision, struct fg_definition *ret,
                      struct fg_error *err);
/** fg_definition_move() - store the status and the times of @d, which had status @from. */
int fg_definition_move(sqlite3 *db, const struct fg_definition *d, const char *from,
                       struct fg_error *err);
/** fg_definition_list() - up to @limit "FAMILY:REVISION" behind (@family, @revision); @only: of
 * this family, or NULL. */
struct fg_definition_range {
        const char *status, *only;
        const char *family; /* "": from the start */
        int64_t revision;
        bool descending;
        int64_t limit;
};
struct json_object *fg_definition_list(sqlite3 *db, const struct fg_definition_range *range,
                                       struct fg_error *err);
/** fg_family_list() - up to @limit families behind @after that start with @prefix; @active: 1 those
 * with ACTIVE revisions, 0 the others, -1 all. */
struct json_object *fg_family_list(sqlite3 *db, const char *prefix, const char *after, int active,
                                   int64_t limit, struct fg_error *err);

/* ---- tasks ---- */

/** fg_task_find() - the document of a task of this cluster, for the caller to free. Return: found.
 */
int fg_task_find(sqlite3 *db, const char *cluster, const char *id, char **ret_document,
                 struct fg_error *err);
/** fg_task_cluster() - its name, for the caller to free. Return: found. */
int fg_task_cluster(sqlite3 *db, const char *id, char **ret, struct fg_error *err);
struct fg_task_filter {
        const char *cluster;
        bool wants_stop;                         /* desiredStatus STOPPED, or RUNNING */
        const char *family, *started_by, *group; /* NULL: any */
        const char *cursor;                      /* of the page before; "": none */
        int64_t limit;
};
/** fg_task_list() - ids, the oldest first. *ret_next: the cursor, when there are more; caller
 * frees. NULL: INVALID (a cursor that is none), or failure. */
struct json_object *fg_task_list(sqlite3 *db, const struct fg_task_filter *f, char **ret_next,
                                 struct fg_error *err);
/** fg_token_find() - the ids of the tasks that a token made since @since_ns, and the hash of its
 * request, both the caller's. Return: found. */
int fg_token_find(sqlite3 *db, const char *token, uint64_t since_ns, struct json_object **ret_ids,
                  char **ret_hash, struct fg_error *err);
int fg_protection_put(sqlite3 *db, const char *task, uint64_t until_ns, struct fg_error *err);
/** fg_protection_get() - until when it lasts, 0: it does not. Return: found. */
int fg_protection_get(sqlite3 *db, const char *task, uint64_t now_ns, uint64_t *ret_until_ns,
                      struct fg_error *err);
/** fg_protection_list() - ids of up to 100 protected tasks of a cluster that have not stopped. */
struct json_object *fg_protection_list(sqlite3 *db, const char *cluster, uint64_t now_ns,
                                       struct fg_error *err);

/* ---- account settings; the principal "" is the account's default ---- */

int fg_setting_put(sqlite3 *db, const char *principal, const char *name, const char *value,
                   struct fg_error *err);
int fg_setting_remove(sqlite3 *db, const char *principal, const char *name, struct fg_error *err);
/** fg_setting_get() - of the principal, else of the account. Return: found; *ret for the caller to
 * free. */
int fg_setting_get(sqlite3 *db, const char *principal, const char *name, char **ret,
                   struct fg_error *err);
/** fg_setting_own() - the same without the account's. */
int fg_setting_own(sqlite3 *db, const char *principal, const char *name, char **ret,
                   struct fg_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/cwlogs/cwlogs.h"
#include "api/cwlogs/search.h"
#include "core/db.h"
#include "core/lane.h"
#include "core/table.h"

/* What the files of CloudWatch Logs share. */

struct cwlogs_db { /* the database lane's */
        sqlite3 *db;
        char *region, *account; /* immutable */
};

struct cwlogs_live;   /* tasks.c: a task that writes */
struct cwlogs_writer; /* put.c: a stream that is put to */

struct fg_cwlogs {
        sd_event *event;
        struct fg_lane *db_lane;   /* one thread */
        struct fg_lane *read_lane; /* one thread */
        struct cwlogs_db db;
        struct fg_logstore *store;
        char *dir;
        struct cwlogs_live *live;      /* by task (uthash) */
        struct cwlogs_writer *writers; /* by key (uthash) */
        uint64_t retained_ns;          /* CLOCK_MONOTONIC, of the last look for old events */
        bool closing;
};

/* ---- the database ---- */

/** What a job does with the database: its answer, or NULL. On the lane. */
typedef struct json_object *(*cwlogs_work_fn)(struct cwlogs_db *db, const void *in,
                                              struct fg_error *err);
/**
 * cwlogs_query() - run @work in a transaction of its own
 * @in: borrowed until @fn is called
 */
void cwlogs_query(struct fg_cwlogs *logs, cwlogs_work_fn work, const void *in, fg_cwlogs_fn fn,
                  void *userdata);
/** cwlogs_query_json() - the same with an argument that is taken; @fn may be NULL. */
void cwlogs_query_json(struct fg_cwlogs *logs, cwlogs_work_fn work, struct json_object *take_in,
                       fg_cwlogs_fn fn, void *userdata);

/** cwlogs_add_group() - 1, or 0 when there is one; -1 also when the name is AWS's. */
int cwlogs_add_group(struct cwlogs_db *db, const char *name, struct fg_error *err);
/** cwlogs_find_group() - its row's id, or -1: NOT_FOUND. */
int64_t cwlogs_find_group(struct cwlogs_db *db, const char *name, struct fg_error *err);
int64_t cwlogs_now_ms(void);
/** cwlogs_group_arn() - without the ":*" that DescribeLogGroups puts behind it; caller frees. */
char *cwlogs_group_arn(const struct cwlogs_db *db, const char *group);
/** cwlogs_arn_is_group() - of whatever region and account. */
bool cwlogs_arn_is_group(const char *arn);
/** cwlogs_group_name() - of a name or an ARN; NULL: INVALID, or NOT_FOUND for an ARN of elsewhere.
 * Caller frees. */
char *cwlogs_group_name(const struct cwlogs_db *db, const char *identifier, struct fg_error *err);
/**
 * cwlogs_free_streams() - delete one stream of a group, or all
 * @name: NULL: all. NOT_FOUND: there is no such stream
 * Return: for cwlogs_forget(): a task's log stays as long as its record or another stream needs it.
 */
struct json_object *cwlogs_free_streams(struct cwlogs_db *db, int64_t group, const char *name,
                                        struct fg_error *err);
/**
 * cwlogs_forget() - the logs that nobody needs any more go
 * @result: of a query: {"logs": [key...]}
 */
void cwlogs_forget(struct fg_cwlogs *logs, struct json_object *result);

/* ---- reading ---- */

/** What becomes of a finished search; on the lane. */
typedef struct json_object *(*cwlogs_render_fn)(const struct fg_logsearch *s, const void *in);
/** cwlogs_search() - takes @s; @in: borrowed until @fn is called. */
void cwlogs_search(struct fg_cwlogs *logs, struct fg_logsearch *take_s, cwlogs_render_fn render,
                   const void *in, fg_cwlogs_fn fn, void *userdata);

/* ---- put.c ---- */

void cwlogs_writers_tick(struct fg_cwlogs *logs);
void cwlogs_writers_close(struct fg_cwlogs *logs, const char *key); /* NULL: all of them */

/* ---- tasks.c ---- */

void cwlogs_live_save(struct fg_cwlogs *logs);
void cwlogs_live_free(struct fg_cwlogs *logs);

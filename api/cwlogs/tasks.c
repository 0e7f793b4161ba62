/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/cwlogs/awslogs.h"
#include "api/cwlogs/private.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

/* Streams that show what tasks write. */

static char *stream_name(const struct fg_awslogs *o, const char *container, const char *task)
{
        return fg_asprintf("%s/%s/%s", o->stream_prefix, container, task);
}

/* ---- the start of a task ---- */

static void add_stream(struct json_object *list, const struct fg_container_def *def,
                       const struct fg_awslogs *o, const char *task)
{
        struct json_object *s = json_object_new_object();
        fg_autofree char *name = stream_name(o, def->name, task);

        fg_json_set_str(s, "group", o->group);
        fg_json_set_bool(s, "create", o->create_group);
        fg_json_set_str(s, "name", name);
        fg_json_set_str(s, "container", def->name);
        fg_json_set_str(s, "starts",
                        o->multiline_pattern ? o->multiline_pattern : o->datetime_format);
        fg_json_set_bool(s, "datetime", o->datetime_format != NULL);
        json_object_array_add(list, s);
}

/* The streams of a task: {"task", "streams": [...]}. */
static struct json_object *task_streams(const struct fg_task *task)
{
        struct json_object *result = json_object_new_object(), *list = json_object_new_array();
        struct fg_awslogs o;

        for (size_t i = 0; i < task->n_containers; i++)
                if (fg_awslogs_get(task->containers[i].def->log_configuration, &o))
                        add_stream(list, task->containers[i].def, &o, task->id);
        fg_json_set_str(result, "task", task->id);
        fg_json_set(result, "streams", list);
        return result;
}

static int64_t ensure_group(struct cwlogs_db *db, struct json_object *s, struct fg_error *err)
{
        if (fg_json_bool(s, "create", false) &&
            cwlogs_add_group(db, fg_json_str(s, "group"), err) < 0)
                return -1;
        return cwlogs_find_group(db, fg_json_str(s, "group"), err);
}

static int start_stream(struct cwlogs_db *db, const char *task, struct json_object *s,
                        struct fg_error *err)
{
        static const char sql[] =
                "INSERT INTO log_stream (group_id, name, created_ms, key, container, put, starts, "
                "datetime) VALUES (?, ?, ?, ?, ?, 0, ?, ?)\n"
                "ON CONFLICT (group_id, name) DO UPDATE SET ended = 0 WHERE key = excluded.key";
        const char *starts = fg_json_str(s, "starts");
        const int64_t group = ensure_group(db, s, err);
        int n;

        if (group < 0)
                return -1;
        n = fg_db_run(db->db, err, sql, "isisssi", group, fg_json_str(s, "name"), cwlogs_now_ms(),
                      task, fg_json_str(s, "container"), starts ? starts : "",
                      (int64_t)fg_json_bool(s, "datetime", false));
        if (n == 0)
                return fg_fail(err, FG_ERR_CONFLICT, "The specified log stream already exists");
        return n < 0 ? -1 : 0;
}

static struct json_object *start_streams(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        struct json_object *args = (struct json_object *)(uintptr_t)in;
        struct json_object *list = fg_json_arr(args, "streams");

        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (start_stream(db, fg_json_str(args, "task"), json_object_array_get_idx(list, i),
                                 err) < 0) {
                        struct fg_error cause = *err;

                        /* What AWS says, in front of what the API says. */
                        fg_fail(err, cause.code,
                                "failed to validate logger args: create stream has been retried 1 "
                                "times: failed to create Cloudwatch log stream: %s: %s",
                                fg_err_exception(cause.code), cause.msg);
                        return NULL;
                }
        return json_object_new_object();
}

bool fg_cwlogs_task_start(struct fg_cwlogs *logs, const struct fg_task *task, fg_cwlogs_fn fn,
                          void *userdata)
{
        fg_autojson *streams = task_streams(task);

        if (json_object_array_length(fg_json_arr(streams, "streams")) == 0)
                return false;
        cwlogs_query_json(logs, start_streams, fg_take_ptr(streams), fn, userdata);
        return true;
}

/* ---- what is known of tasks that write ---- */

struct live_log { /* one container's */
        char *container;
        uint64_t first_ms, last_ms, bytes;
};

struct cwlogs_live {
        UT_hash_handle hh;
        char task[FG_ID_LEN + 1];
        struct live_log *logs;
        size_t n;
        bool dirty;
};

static void live_free(struct fg_cwlogs *logs, struct cwlogs_live *live)
{
        HASH_DEL(logs->live, live);
        for (size_t i = 0; i < live->n; i++)
                free(live->logs[i].container);
        free(live->logs);
        free(live);
}

void cwlogs_live_free(struct fg_cwlogs *logs)
{
        struct cwlogs_live *live, *next;

        HASH_ITER (hh, logs->live, live, next)
                live_free(logs, live);
}

static struct json_object *resume(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        struct json_object *args = (struct json_object *)(uintptr_t)in;

        if (fg_db_run(db->db, err, "UPDATE log_stream SET ended = 0 WHERE key = ?", "s",
                      fg_json_str(args, "task")) < 0)
                return NULL;
        return json_object_new_object();
}

void fg_cwlogs_task_resume(struct fg_cwlogs *logs, const struct fg_task *task)
{
        fg_autojson *streams = task_streams(task);
        struct json_object *list = fg_json_arr(streams, "streams");
        const size_t n = json_object_array_length(list);
        struct cwlogs_live *live;

        HASH_FIND_STR(logs->live, task->id, live);
        if (live || n == 0)
                return;
        live = fg_calloc(1, sizeof(*live));
        memcpy(live->task, task->id, sizeof(live->task));
        live->logs = fg_calloc(n, sizeof(*live->logs));
        for (live->n = 0; live->n < n; live->n++)
                live->logs[live->n].container = fg_strdup(
                        fg_json_str(json_object_array_get_idx(list, live->n), "container"));
        HASH_ADD_STR(logs->live, task, live);
        cwlogs_query_json(logs, resume, fg_take_ptr(streams), NULL, NULL);
}

void fg_cwlogs_task_output(struct fg_cwlogs *logs, const char *task, const char *container,
                           uint64_t time_ns, uint64_t bytes)
{
        struct cwlogs_live *live;

        HASH_FIND_STR(logs->live, task, live);
        for (size_t i = 0; live && i < live->n; i++) {
                struct live_log *log = &live->logs[i];
                const uint64_t ms = time_ns / FG_NS_PER_MSEC;

                if (!fg_streq(log->container, container))
                        continue;
                if (log->first_ms == 0 || ms < log->first_ms)
                        log->first_ms = ms;
                if (ms > log->last_ms)
                        log->last_ms = ms;
                log->bytes = bytes;
                live->dirty = true;
        }
}

/* ---- saving it: rows lag behind by one tick, until the end ---- */

static struct json_object *live_json(const struct cwlogs_live *live, const char *task, bool ended)
{
        struct json_object *result = json_object_new_object(), *list = json_object_new_array();

        for (size_t i = 0; live && i < live->n; i++) {
                const struct live_log *log = &live->logs[i];
                struct json_object *entry = json_object_new_object();

                fg_json_set_str(entry, "container", log->container);
                fg_json_set_int(entry, "first", (int64_t)log->first_ms);
                fg_json_set_int(entry, "last", (int64_t)log->last_ms);
                fg_json_set_int(entry, "bytes", (int64_t)log->bytes);
                json_object_array_add(list, entry);
        }
        fg_json_set_str(result, "task", task);
        fg_json_set(result, "logs", list);
        fg_json_set_bool(result, "ended", ended);
        return result;
}

/* An earlier fgd may have seen the first event; zeros are what this one has not seen. */
static int save_log(struct cwlogs_db *db, const char *task, struct json_object *log,
                    struct fg_error *err)
{
        static const char sql[] =
                "UPDATE log_stream SET first_ms = CASE WHEN first_ms = 0 THEN ?1 ELSE first_ms "
                "END,\n  last_ms = CASE WHEN ?2 > 0 THEN ?2 ELSE last_ms END,\n"
                "  ingested_ms = CASE WHEN ?2 > 0 THEN ?2 ELSE ingested_ms END,\n"
                "  bytes = CASE WHEN ?3 > 0 THEN ?3 ELSE bytes END\n"
                "WHERE key = ?4 AND container = ?5 AND put = 0";

        return fg_db_run(db->db, err, sql, "iiiss", fg_json_int(log, "first", 0),
                         fg_json_int(log, "last", 0), fg_json_int(log, "bytes", 0), task,
                         fg_json_str(log, "container"));
}

static int save_task(struct cwlogs_db *db, struct json_object *from, struct fg_error *err)
{
        struct json_object *list = fg_json_arr(from, "logs");
        const char *task = fg_json_str(from, "task");

        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (save_log(db, task, json_object_array_get_idx(list, i), err) < 0)
                        return -1;
        if (!fg_json_bool(from, "ended", false))
                return 0;
        return fg_db_run(db->db, err, "UPDATE log_stream SET ended = 1 WHERE key = ?", "s", task);
}

static struct json_object *save(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        struct json_object *tasks = (struct json_object *)(uintptr_t)in;

        for (size_t i = 0; i < json_object_array_length(tasks); i++)
                if (save_task(db, json_object_array_get_idx(tasks, i), err) < 0)
                        return NULL;
        return json_object_new_object();
}

void cwlogs_live_save(struct fg_cwlogs *logs)
{
        fg_autojson *tasks = json_object_new_array();
        struct cwlogs_live *live, *next;

        HASH_ITER (hh, logs->live, live, next) {
                if (live->dirty)
                        json_object_array_add(tasks, live_json(live, live->task, false));
                live->dirty = false;
        }
        if (json_object_array_length(tasks) > 0)
                cwlogs_query_json(logs, save, fg_take_ptr(tasks), NULL, NULL);
}

static bool has_streams(const struct fg_task *task)
{
        struct fg_awslogs o;

        for (size_t i = 0; i < task->n_containers; i++)
                if (fg_awslogs_get(task->containers[i].def->log_configuration, &o))
                        return true;
        return false;
}

void fg_cwlogs_task_end(struct fg_cwlogs *logs, const struct fg_task *task)
{
        struct json_object *tasks;
        struct cwlogs_live *live;

        if (!has_streams(task))
                return;
        HASH_FIND_STR(logs->live, task->id, live);
        tasks = json_object_new_array();
        json_object_array_add(tasks, live_json(live, task->id, true));
        cwlogs_query_json(logs, save, tasks, NULL, NULL);
        if (live)
                live_free(logs, live);
}

/* ---- tasks whose record is gone ---- */

static struct json_object *expire(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        struct json_object *ids = (struct json_object *)(uintptr_t)in;
        fg_autojson *result = json_object_new_object(), *list = json_object_new_array();

        for (size_t i = 0; i < json_object_array_length(ids); i++) {
                const char *id = json_object_get_string(json_object_array_get_idx(ids, i));
                int n = fg_db_run(db->db, err,
                                  "UPDATE log_stream SET expired = 1, ended = 1 WHERE key = ?", "s",
                                  id);

                if (n < 0)
                        return NULL;
                if (n == 0) /* no stream shows it */
                        json_object_array_add(list, json_object_new_string(id));
        }
        fg_json_set(result, "logs", fg_take_ptr(list));
        return fg_take_ptr(result);
}

static void on_expired(void *userdata, struct json_object *result, const struct fg_error *err)
{
        if (err)
                fg_log_error("logs of expired tasks cannot be removed: %s", err->msg);
        else
                cwlogs_forget(userdata, result);
}

void fg_cwlogs_tasks_expired(struct fg_cwlogs *logs, struct json_object *ids)
{
        cwlogs_query_json(logs, expire, json_object_get(ids), on_expired, logs);
}

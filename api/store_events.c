/* SPDX-License-Identifier: Apache-2.0 */
#include "api/store_private.h"
#include "core/db.h"
#include "core/str.h"

/*
 * Events lie in the database of the tasks, so that a state and its event are one commit. Numbers
 * are given once (AUTOINCREMENT) and without gaps: a reader sees what retention took from it.
 */
const char store_schema_events[] =
        "CREATE TABLE events (\n"
        "  seq INTEGER PRIMARY KEY AUTOINCREMENT,\n"
        "  time_ns INTEGER NOT NULL,\n"
        "  body TEXT NOT NULL\n"
        ") STRICT;\n"
        "CREATE TABLE event_cursors (sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;\n";

int store_add_event(sqlite3 *db, uint64_t time_ns, const char *body, struct fg_error *err)
{
        return fg_db_run(db, err, "INSERT INTO events (time_ns, body) VALUES (?, ?)", "is",
                         (int64_t)time_ns, body);
}

int store_trim_events(sqlite3 *db, uint64_t max, struct fg_error *err)
{
        return fg_db_run(db, err,
                         "DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?", "i",
                         (int64_t)max);
}

static int bounds(sqlite3 *db, struct json_object *result, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        /* The last number that was given, also when its event is gone. */
        if (fg_db_prepare(db, &stmt, err,
                          "SELECT coalesce((SELECT min(seq) FROM events), 0),\n"
                          "  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)",
                          "") < 0 ||
            fg_db_step(stmt, err) < 0)
                return -1;
        fg_json_set_int(result, "newest", sqlite3_column_int64(stmt, 1));
        fg_json_set_int(result, "oldest",
                        sqlite3_column_int64(stmt, 0) ? sqlite3_column_int64(stmt, 0)
                                                      : sqlite3_column_int64(stmt, 1) + 1);
        return 0;
}

static struct json_object *events_work(struct fg_store *s, const struct read_args *a,
                                       struct fg_error *err)
{
        fg_autojson *result = json_object_new_object();
        struct json_object *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        fg_json_set(result, "events", list);
        if (bounds(s->db, result, err) < 0 ||
            fg_db_prepare(s->db, &stmt, err,
                          "SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?", "ii",
                          (int64_t)a->from, (int64_t)a->to) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0) {
                struct json_object *row = json_object_new_object();

                fg_json_set_int(row, "seq", sqlite3_column_int64(stmt, 0));
                fg_json_set_str(row, "body", fg_db_text(stmt, 1));
                json_object_array_add(list, row);
        }
        return r < 0 ? NULL : fg_take_ptr(result);
}

void fg_store_events(struct fg_store *s, uint64_t after, unsigned limit, fg_store_read_fn fn,
                     void *userdata)
{
        struct read_args args = { .from = after < INT64_MAX ? after : INT64_MAX, .to = limit };

        store_read(s, events_work, args, fn, userdata);
}

static struct json_object *expire_work(struct fg_store *s, const struct read_args *a,
                                       struct fg_error *err)
{
        if (fg_db_run(s->db, err, "DELETE FROM events WHERE time_ns < ?", "i", (int64_t)a->from) <
            0)
                return NULL;
        return json_object_new_object();
}

void fg_store_expire_events(struct fg_store *s, uint64_t before_ns)
{
        store_read(s, expire_work, (struct read_args){ .from = before_ns }, NULL, NULL);
}

/* ---- how far a sink has got ---- */

int fg_store_cursor(struct fg_store *s, const char *sink, uint64_t *ret, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        if (fg_db_run(s->db, err,
                      "INSERT OR IGNORE INTO event_cursors VALUES\n"
                      "  (?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0))",
                      "s", sink) < 0 ||
            fg_db_prepare(s->db, &stmt, err, "SELECT seq FROM event_cursors WHERE sink = ?", "s",
                          sink) < 0 ||
            fg_db_step(stmt, err) < 0)
                return -1;
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
        return 0;
}

static struct json_object *cursor_work(struct fg_store *s, const struct read_args *a,
                                       struct fg_error *err)
{
        if (fg_db_run(s->db, err, "UPDATE event_cursors SET seq = ? WHERE sink = ?", "is",
                      (int64_t)a->from, a->text) < 0)
                return NULL;
        return json_object_new_object();
}

void fg_store_set_cursor(struct fg_store *s, const char *sink, uint64_t seq)
{
        store_read(s, cursor_work, (struct read_args){ .text = fg_strdup(sink), .from = seq }, NULL,
                   NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "api/store_private.h"
#include "api/store_tables.h"
#include "core/clock.h"
#include "core/db.h"
#include "core/str.h"

/* ---- copies of records, for the lane ---- */

struct saved {
        struct fg_store *store; /* its prices, which never change */
        struct fg_record *records;
        size_t n;
        bool fresh; /* new tasks, not versions of old ones */
        char *token, *hash;
        fg_store_done_fn done;
        void *userdata;
};

/* The strings of a record, all of them. */
#define STRINGS(X)                                                                                 \
        X(id)                                                                                      \
        X(cluster)                                                                                 \
        X(family)                                                                                  \
        X(definition)                                                                              \
        X(status)                                                                                  \
        X(started_by)                                                                              \
        X(group)                                                                                   \
        X(document)                                                                                \
        X(ours)                                                                                    \
        X(snapshot)                                                                                \
        X(tags)                                                                                    \
        X(event)

static struct saved *saved_new(struct fg_store *s, const struct fg_record *records, size_t n,
                               fg_store_done_fn done, void *userdata)
{
        struct saved *saved = fg_calloc(1, sizeof(*saved));

        *saved = (struct saved){ .store = s, .n = n, .done = done, .userdata = userdata };
        saved->records = fg_calloc(n, sizeof(*saved->records));
        for (size_t i = 0; i < n; i++) {
                struct fg_record *r = &saved->records[i];

                *r = records[i];
#define COPY(name) r->name = fg_strdup(records[i].name);
                STRINGS(COPY)
#undef COPY
        }
        return saved;
}

static void saved_free(struct saved *saved)
{
        for (size_t i = 0; i < saved->n; i++) {
                struct fg_record *r = &saved->records[i];

#define FREE(name) free((void *)(uintptr_t)r->name);
                STRINGS(FREE)
#undef FREE
        }
        free(saved->records);
        free(saved->token);
        free(saved->hash);
        free(saved);
}

/* ---- on the lane ---- */

static int put_meter(struct fg_store *s, const struct fg_record *r, struct fg_error *err)
{
        if (r->meter_start_ns && fg_meter_open(s->db, r->id, r->family, r->cpu_units, r->memory_mib,
                                               r->storage_gib, r->meter_start_ns, err) < 0)
                return -1;
        return r->meter_end_ns ? fg_meter_close(s->db, s->prices, r->id, r->meter_end_ns, err) : 0;
}

static int put_tags(sqlite3 *db, const struct fg_record *r, struct fg_error *err)
{
        fg_autofree char *resource = fg_asprintf("task/%s/%s", r->cluster, r->id);

        return r->tags ? fg_tags_put(db, resource, r->tags, err) : 0;
}

static int put_task(struct fg_store *s, const struct fg_record *r, struct fg_error *err)
{
        static const char sql[] =
                "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)\n"
                "ON CONFLICT (id) DO UPDATE SET status = excluded.status,\n"
                "  wants_stop = excluded.wants_stop, stopped_ns = excluded.stopped_ns,\n"
                "  document = excluded.document, ours = excluded.ours,\n"
                "  snapshot = excluded.snapshot";

        if (fg_db_run(s->db, err, sql, "sssssissiisss", r->id, r->cluster, r->family, r->definition,
                      r->status, (int64_t)r->wants_stop, r->started_by, r->group,
                      (int64_t)r->created_ns, (int64_t)r->stopped_ns, r->document, r->ours,
                      r->snapshot) < 0)
                return -1;
        if (r->event && store_add_event(s->db, r->event_ns, r->event, err) < 0)
                return -1;
        return put_meter(s, r, err);
}

static int put_token(sqlite3 *db, const struct saved *saved, struct fg_error *err)
{
        fg_autojson *ids = json_object_new_array();

        for (size_t i = 0; i < saved->n; i++)
                json_object_array_add(ids, json_object_new_string(saved->records[i].id));
        return fg_db_run(db, err, "INSERT OR REPLACE INTO client_tokens VALUES (?, ?, ?, ?)",
                         "ssis", saved->token, saved->hash, (int64_t)fg_now_ns(),
                         fg_json_text(ids));
}

static int save_work(sqlite3 *db, void *userdata, struct fg_error *err)
{
        struct saved *saved = userdata;

        for (size_t i = 0; i < saved->n; i++)
                if (put_task(saved->store, &saved->records[i], err) < 0 ||
                    (saved->fresh && put_tags(db, &saved->records[i], err) < 0))
                        return -1;
        return saved->token ? put_token(db, saved, err) : 0;
}

/* ---- on the loop ---- */

static void save_done(void *userdata, const struct fg_error *err)
{
        struct saved *saved = userdata;

        if (saved->done)
                saved->done(saved->userdata, err);
        saved_free(saved);
}

void fg_store_save(struct fg_store *s, const struct fg_record *record, fg_store_done_fn done,
                   void *userdata)
{
        fg_store_write(s, save_work, save_done, saved_new(s, record, 1, done, userdata));
}

void fg_store_add(struct fg_store *s, const struct fg_record *records, size_t n,
                  const struct fg_token *token, fg_store_done_fn done, void *userdata)
{
        struct saved *saved = saved_new(s, records, n, done, userdata);

        saved->fresh = true;
        if (token) {
                saved->token = fg_strdup(token->token);
                saved->hash = fg_strdup(token->hash);
        }
        fg_store_write(s, save_work, save_done, saved);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/wishes.h"

#include <stdlib.h>

#include "core/db.h"
#include "core/lane.h"
#include "core/str.h"

static const char *const migrations[] = {
        "CREATE TABLE wishes ("
        "  image TEXT NOT NULL, vcpus INTEGER NOT NULL, memory_mib INTEGER NOT NULL,"
        "  count INTEGER NOT NULL CHECK (count > 0),"
        "  PRIMARY KEY (image, vcpus, memory_mib)) STRICT, WITHOUT ROWID;",
        NULL,
};

struct fg_wishes {
        struct fg_lane *lane;
        sqlite3 *db; /* the lane's, once all wishes are loaded */
};

struct save {
        struct fg_job job;
        sqlite3 *db;
        struct fg_wish wish; /* its text is ours */
        fg_wish_saved_fn done;
        void *userdata;
        int r;
        struct fg_error err;
};

static void save_work(struct fg_job *job)
{
        struct save *s = FG_CONTAINER_OF(job, struct save, job);
        const struct fg_wish *w = &s->wish;

        s->r = w->count > 0 ? fg_db_run(s->db, &s->err,
                                        "INSERT OR REPLACE INTO wishes"
                                        " (image, vcpus, memory_mib, count) VALUES (?, ?, ?, ?)",
                                        "siii", w->image, (int64_t)w->vcpus, (int64_t)w->memory_mib,
                                        (int64_t)w->count)
                            : fg_db_run(s->db, &s->err,
                                        "DELETE FROM wishes"
                                        " WHERE image = ? AND vcpus = ? AND memory_mib = ?",
                                        "sii", w->image, (int64_t)w->vcpus, (int64_t)w->memory_mib);
}

static void save_done(struct fg_job *job)
{
        struct save *s = FG_CONTAINER_OF(job, struct save, job);

        s->done(s->userdata, &s->wish, s->r < 0 ? &s->err : NULL);
        free((char *)s->wish.image);
        free(s);
}

void fg_wishes_save(struct fg_wishes *wishes, const struct fg_wish *wish, fg_wish_saved_fn done,
                    void *userdata)
{
        struct save *s = fg_calloc(1, sizeof(*s));

        *s = (struct save){ .job = { .work = save_work, .done = save_done },
                            .db = wishes->db,
                            .wish = *wish,
                            .done = done,
                            .userdata = userdata };
        s->wish.image = fg_strdup(wish->image);
        fg_lane_submit(wishes->lane, &s->job);
}

static int load(sqlite3 *db, void (*each)(void *userdata, const struct fg_wish *wish),
                void *userdata, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err, "SELECT image, vcpus, memory_mib, count FROM wishes",
                          "") < 0)
                return -1;
        while ((r = fg_db_step(stmt, err)) > 0) {
                const struct fg_wish wish = { .image = fg_db_text(stmt, 0),
                                              .vcpus = (unsigned)sqlite3_column_int(stmt, 1),
                                              .memory_mib = (unsigned)sqlite3_column_int(stmt, 2),
                                              .count = (unsigned)sqlite3_column_int(stmt, 3) };

                each(userdata, &wish);
        }
        return r;
}

int fg_wishes_new(sd_event *event, const char *state_dir,
                  void (*each)(void *userdata, const struct fg_wish *wish), void *userdata,
                  struct fg_wishes **ret, struct fg_error *err)
{
        fg_cleanup(fg_wishes_freep) struct fg_wishes *wishes = fg_calloc(1, sizeof(*wishes));
        fg_autofree char *path = fg_asprintf("%s/warm.db", state_dir);

        if (fg_db_open(path, migrations, &wishes->db, err) < 0 ||
            load(wishes->db, each, userdata, err) < 0 ||
            fg_lane_new(event, "warm", 1, &wishes->lane, err) < 0)
                return -1;
        *ret = fg_take_ptr(wishes);
        return 0;
}

void fg_wishes_free(struct fg_wishes *wishes)
{
        if (!wishes)
                return;
        if (wishes->lane)
                fg_lane_free(wishes->lane);
        fg_db_close(wishes->db);
        free(wishes);
}

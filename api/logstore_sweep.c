/* SPDX-License-Identifier: Apache-2.0 */
#include "api/logstore_private.h"

#include <assert.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/id.h"
#include "core/str.h"

/* Removal of logs: of one task when asked to, of the oldest ones when the store is too large. */

#define TASKS_MAX (1u << 20)

FG_DEFINE_CLEANUP(FTS *, fts_close)

struct usage {
        char task[FG_ID_LEN + 1];
        uint64_t bytes;
        uint64_t written_ns; /* the youngest file's time */
};

static FTS *walk(char *dir)
{
        char *const roots[] = { dir, NULL };

        return fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
}

static void add_file(struct usage *u, const struct stat *st)
{
        uint64_t ns = (uint64_t)st->st_mtim.tv_sec * FG_NS_PER_SEC + (uint64_t)st->st_mtim.tv_nsec;

        u->bytes += (uint64_t)st->st_size;
        u->written_ns = ns > u->written_ns ? ns : u->written_ns;
}

static struct usage *usage_at(const struct fg_buf *list, size_t i)
{
        return (struct usage *)(void *)list->data + i;
}

/* Appends one struct usage per task. */
static int measure(char *dir, struct fg_buf *list, struct fg_error *err)
{
        fg_cleanup(fts_closep) FTS *fts = walk(dir);
        const FTSENT *e;
        size_t n = 0;

        while (fts && (e = fts_read(fts))) {
                struct usage task = { 0 };

                if (e->fts_info == FTS_F && n > 0)
                        add_file(usage_at(list, n - 1), e->fts_statp);
                if (e->fts_info != FTS_D || e->fts_level != 1 || !fg_id_valid(e->fts_name))
                        continue;
                memcpy(task.task, e->fts_name, FG_ID_LEN);
                if (fg_buf_append(list, &task, sizeof(task), err) < 0)
                        return -1;
                n++;
        }
        return 0;
}

static int older_first(const void *a, const void *b)
{
        const struct usage *x = a, *y = b;

        return x->written_ns < y->written_ns ? -1 : x->written_ns > y->written_ns;
}

struct sweep_job {
        struct fg_job job;
        struct fg_logstore *store; /* for the loop: outlives its lanes' jobs */
        char *dir;
        uint64_t max;
        char *spared; /* the tasks with writers */
};

/* Whatever fails here is tried again by the next sweep. */
static void sweep_work(struct fg_job *job)
{
        struct sweep_job *j = FG_CONTAINER_OF(job, struct sweep_job, job);
        fg_cleanup(fg_buf_finish) struct fg_buf list = FG_BUF_INIT(TASKS_MAX *
                                                                   sizeof(struct usage));
        struct fg_error ignored = FG_ERROR_INIT;
        uint64_t total = 0;
        size_t n;

        if (measure(j->dir, &list, &ignored) < 0 || list.len == 0)
                return;
        n = list.len / sizeof(struct usage);
        for (size_t i = 0; i < n; i++)
                total += usage_at(&list, i)->bytes;
        qsort(list.data, n, sizeof(struct usage), older_first);
        for (size_t i = 0; i < n && total > j->max; i++) {
                const struct usage *u = usage_at(&list, i);
                fg_autofree char *path = fg_asprintf("%s/%s", j->dir, u->task);

                if (!strstr(j->spared, u->task) && fg_rm_rf(path, &ignored) == 0)
                        total -= u->bytes;
        }
}

static void sweep_done(struct fg_job *job)
{
        struct sweep_job *j = FG_CONTAINER_OF(job, struct sweep_job, job);

        j->store->sweeping = false;
        free(j->dir);
        free(j->spared);
        free(j);
}

void fg_logstore_sweep(struct fg_logstore *store)
{
        struct sweep_job *j = fg_calloc(1, sizeof(*j));

        *j = (struct sweep_job){ .job = { .work = sweep_work, .done = sweep_done },
                                 .store = store,
                                 .dir = fg_strdup(store->dir),
                                 .max = store->store_bytes,
                                 .spared = fg_logwriter_tasks(store) };
        store->sweeping = true;
        store->until_sweep = store->store_bytes / 16;
        fg_lane_submit(store->write_lane, &j->job);
}

struct remove_job {
        struct fg_job job;
        char *path;
        uint64_t bytes;
        void (*done)(void *userdata, uint64_t bytes);
        void *userdata;
};

static void remove_work(struct fg_job *job)
{
        struct remove_job *j = FG_CONTAINER_OF(job, struct remove_job, job);
        fg_cleanup(fts_closep) FTS *fts = walk(j->path);
        struct fg_error ignored = FG_ERROR_INIT;
        struct usage u = { 0 };
        const FTSENT *e;

        while (fts && (e = fts_read(fts)))
                if (e->fts_info == FTS_F)
                        add_file(&u, e->fts_statp);
        if (fg_rm_rf(j->path, &ignored) == 0)
                j->bytes = u.bytes;
}

static void remove_done(struct fg_job *job)
{
        struct remove_job *j = FG_CONTAINER_OF(job, struct remove_job, job);

        if (j->done)
                j->done(j->userdata, j->bytes);
        free(j->path);
        free(j);
}

void fg_logstore_remove(struct fg_logstore *store, const char *task,
                        void (*done)(void *userdata, uint64_t bytes), void *userdata)
{
        struct remove_job *j = fg_calloc(1, sizeof(*j));

        assert(fg_id_valid(task));
        *j = (struct remove_job){ .job = { .work = remove_work, .done = remove_done },
                                  .path = fg_asprintf("%s/%s", store->dir, task),
                                  .done = done,
                                  .userdata = userdata };
        fg_lane_submit(store->write_lane, &j->job);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/logstore.h"

#include <assert.h>
#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#include "api/logstore_private.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/id.h"
#include "core/str.h"

#define MIB (UINT64_C(1) << 20)

FG_DEFINE_CLEANUP(FTS *, fts_close)

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
        return value ? value : fallback;
}

int fg_logstore_new(sd_event *event, const struct fg_logstore_options *options,
                    struct fg_logstore **ret, struct fg_error *err)
{
        fg_cleanup(fg_logstore_freep) struct fg_logstore *store = fg_calloc(1, sizeof(*store));

        store->dir = fg_strdup(options->dir);
        store->limits.segment_bytes = or_default(options->segment_bytes, 4 * MIB);
        store->limits.total_bytes = or_default(options->container_bytes, 64 * MIB);
        store->queue_bytes = or_default(options->queue_bytes, MIB);
        store->store_bytes = options->store_bytes;
        if (fg_mkdir_p(store->dir, 0700, err) < 0 ||
            fg_lane_new(event, "fgd-log-write", 1, &store->write_lane, err) < 0 ||
            fg_lane_new(event, "fgd-log-read", 1, &store->read_lane, err) < 0)
                return fg_wrap(err, "log store");
        *ret = fg_take_ptr(store);
        return 0;
}

void fg_logstore_free(struct fg_logstore *store)
{
        if (!store)
                return;
        fg_lane_free(store->write_lane);
        fg_lane_free(store->read_lane);
        assert(!store->writers && !store->readers);
        free(store->dir);
        free(store);
}

void fg_logstore_finish(struct fg_logstore *store, const char *task)
{
        store->changes++;
        fg_logreader_wake(store, task, true);
}

/* ---- removal, and the cap of the whole store ---- */

struct usage {
        char task[FG_ID_LEN + 1];
        uint64_t bytes;
        uint64_t written_ns; /* the youngest file's time */
};

/* Adds up the tasks' files. Return: how many tasks; @ret is freed by the caller. */
static size_t measure(const char *dir, struct usage **ret)
{
        char *const roots[] = { (char *)dir, NULL };
        fg_cleanup(fts_closep) FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        struct usage *list = NULL;
        const FTSENT *e;
        size_t n = 0;

        while (fts && (e = fts_read(fts))) {
                if (e->fts_info == FTS_D && e->fts_level == 1 && fg_id_valid(e->fts_name)) {
                        list = realloc(list, (n + 1) * sizeof(*list));
                        assert(list);
                        list[n] = (struct usage){ 0 };
                        memcpy(list[n++].task, e->fts_name, FG_ID_LEN);
                } else if (e->fts_info == FTS_F && n > 0) {
                        uint64_t ns = (uint64_t)e->fts_statp->st_mtim.tv_sec * FG_NS_PER_SEC +
                                      (uint64_t)e->fts_statp->st_mtim.tv_nsec;

                        list[n - 1].bytes += (uint64_t)e->fts_statp->st_size;
                        if (ns > list[n - 1].written_ns)
                                list[n - 1].written_ns = ns;
                }
        }
        *ret = list;
        return n;
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

static void sweep_work(struct fg_job *job)
{
        struct sweep_job *j = FG_CONTAINER_OF(job, struct sweep_job, job);
        struct fg_error ignored = FG_ERROR_INIT;
        fg_autofree struct usage *list = NULL;
        size_t n = measure(j->dir, &list);
        uint64_t total = 0;

        for (size_t i = 0; i < n; i++)
                total += list[i].bytes;
        if (n > 1)
                qsort(list, n, sizeof(*list), older_first);
        for (size_t i = 0; i < n && total > j->max; i++) {
                fg_autofree char *path = fg_asprintf("%s/%s", j->dir, list[i].task);

                if (strstr(j->spared, list[i].task))
                        continue;
                (void)fg_rm_rf(path, &ignored); /* tried again by the next sweep */
                total -= list[i].bytes;
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

static void sweep(struct fg_logstore *store)
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

void fg_logstore_wrote(struct fg_logstore *store, const char *task, uint64_t bytes)
{
        store->changes++;
        fg_logreader_wake(store, task, false);
        if (!store->store_bytes)
                return;
        store->until_sweep -= bytes < store->until_sweep ? bytes : store->until_sweep;
        if (store->until_sweep == 0 && !store->sweeping)
                sweep(store);
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
        char *const roots[] = { j->path, NULL };
        fg_cleanup(fts_closep) FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        struct fg_error ignored = FG_ERROR_INIT;
        const FTSENT *e;

        while (fts && (e = fts_read(fts)))
                if (e->fts_info == FTS_F)
                        j->bytes += (uint64_t)e->fts_statp->st_size;
        if (fg_rm_rf(j->path, &ignored) < 0)
                j->bytes = 0;
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

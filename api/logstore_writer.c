/* SPDX-License-Identifier: Apache-2.0 */
#include "api/logstore_private.h"

#include <inttypes.h>
#include <string.h>

#include "core/buf.h"
#include "core/id.h"
#include "core/str.h"

struct fg_logwriter {
        LIST_ENTRY(fg_logwriter) link;
        struct fg_logstore *store;
        char task[FG_ID_LEN + 1];
        char *path;
        const struct fg_logwriter_events *events; /* NULL once the owner has freed the writer */
        void *userdata;
        struct fg_buf queue; /* records and their bytes, not yet in a job */
        size_t in_flight;    /* bytes of the job that is running */
        bool busy;           /* a job is running, or its callbacks are */
        bool paused;         /* append() has returned 1 */
        bool failed;
        bool lossy;
        struct fg_error error;
        struct fg_logfile *file; /* the lane's while a job is running */
};

/* One batch of one log: at most one in flight per writer, so the logs share the lane fairly. */
struct write_job {
        struct fg_job job;
        struct fg_logwriter *writer; /* for the loop: outlives the job */
        const char *path;            /* of the writer: immutable */
        struct fg_logfile_limits limits;
        struct fg_logfile *file; /* opened by the first job */
        bool lossy;
        struct fg_buf batch;
        uint64_t next[FG_LOG_STREAMS];
        int result;
        struct fg_error err;
};

static int write_batch(struct write_job *j)
{
        struct fg_segment_record record;

        if (!j->file && fg_logfile_open(j->path, &j->limits, &j->file, &j->err) < 0)
                return -1;
        if (j->lossy)
                fg_logfile_lossy(j->file);
        for (size_t at = 0; at < j->batch.len; at += sizeof(record) + record.len) {
                memcpy(&record, j->batch.data + at, sizeof(record));
                if (fg_logfile_append(j->file, &record, j->batch.data + at + sizeof(record),
                                      &j->err) < 0)
                        return -1;
        }
        return fg_logfile_flush(j->file, &j->err);
}

static void write_work(struct fg_job *job)
{
        struct write_job *j = FG_CONTAINER_OF(job, struct write_job, job);

        j->result = write_batch(j);
        if (j->result == 0)
                memcpy(j->next, fg_logfile_next(j->file), sizeof(j->next));
}

static void write_done(struct fg_job *job);

static void submit(struct fg_logwriter *w)
{
        struct write_job *j = fg_calloc(1, sizeof(*j));

        *j = (struct write_job){ .job = { .work = write_work, .done = write_done },
                                 .writer = w,
                                 .path = w->path,
                                 .limits = w->store->limits,
                                 .file = w->file,
                                 .lossy = w->lossy,
                                 .batch = w->queue };
        w->in_flight = w->queue.len;
        w->queue = FG_BUF_INIT(w->queue.max);
        w->busy = true;
        fg_lane_submit(w->store->write_lane, &j->job);
}

static void destroy(struct fg_logwriter *w)
{
        struct fg_logstore *store = w->store;

        LIST_REMOVE(w, link);
        fg_logfile_free(w->file);
        fg_buf_finish(&w->queue);
        free(w->path);
        fg_logstore_wrote(store, w->task, 0);
        free(w);
}

/* The owner may free the writer in any of these: `busy` keeps it alive, `events` becomes NULL. */
static void tell_owner(struct fg_logwriter *w, const struct write_job *j)
{
        if (w->events && j->result < 0)
                w->events->failed(w->userdata, &j->err);
        if (w->events && j->result == 0)
                w->events->stored(w->userdata, j->next);
        if (w->events && j->result == 0 && w->paused && w->queue.len <= w->store->queue_bytes / 2) {
                w->paused = false;
                w->events->drained(w->userdata);
        }
}

static void write_done(struct fg_job *job)
{
        struct write_job *j = FG_CONTAINER_OF(job, struct write_job, job);
        struct fg_logwriter *w = j->writer;

        w->file = j->file;
        w->in_flight = 0;
        if (j->result < 0) {
                w->failed = true;
                w->error = j->err;
                fg_buf_finish(&w->queue);
        }
        fg_logstore_wrote(w->store, w->task, j->batch.len);
        tell_owner(w, j);
        fg_buf_finish(&j->batch);
        free(j);

        w->busy = false;
        if (w->queue.len > 0 && !w->failed)
                submit(w);
        else if (!w->events)
                destroy(w);
}

static bool container_valid(const char *name)
{
        size_t len = strlen(name);

        return len > 0 && len <= 255 && name[0] != '.' && !strchr(name, '/');
}

int fg_logwriter_new(struct fg_logstore *store, const char *task, const char *container,
                     const struct fg_logwriter_events *events, void *userdata,
                     struct fg_logwriter **ret, struct fg_error *err)
{
        struct fg_logwriter *w;

        if (!fg_id_valid(task) || !container_valid(container))
                return fg_fail(err, FG_ERR_INVALID, "no log can be named %s/%s", task, container);
        w = fg_calloc(1, sizeof(*w));
        w->store = store;
        memcpy(w->task, task, sizeof(w->task));
        w->path = fg_asprintf("%s/%s/%s", store->dir, task, container);
        w->events = events;
        w->userdata = userdata;
        w->queue = FG_BUF_INIT(4 * store->queue_bytes + FG_LOG_MAX_RECORD +
                               sizeof(struct fg_segment_record));
        LIST_INSERT_HEAD(&store->writers, w, link);
        submit(w); /* an empty batch opens the file */
        *ret = w;
        return 0;
}

void fg_logwriter_lossy(struct fg_logwriter *w)
{
        w->lossy = true;
}

void fg_logwriter_free(struct fg_logwriter *w)
{
        if (!w)
                return;
        w->events = NULL;
        if (!w->busy)
                destroy(w);
}

int fg_logwriter_append(struct fg_logwriter *w, unsigned stream, uint64_t offset, uint64_t time_ns,
                        const void *data, size_t len, struct fg_error *err)
{
        struct fg_segment_record record = {
                .len = (uint32_t)len, .time_ns = time_ns, .offset = offset, .stream = stream
        };

        if (w->failed) {
                *err = w->error;
                return -1;
        }
        if (stream >= FG_LOG_STREAMS || len > FG_LOG_MAX_RECORD || offset > UINT64_MAX - len)
                return fg_fail(err, FG_ERR_INVALID,
                               "log record: stream %u, offset %" PRIu64 ", %zu bytes", stream,
                               offset, len);
        if (w->in_flight + w->queue.len > 4 * w->store->queue_bytes)
                return fg_fail(err, FG_ERR_CAPACITY, "log queue is full");
        if (len > 0 && (fg_buf_reserve(&w->queue, sizeof(record) + len, err) < 0 ||
                        fg_buf_append(&w->queue, &record, sizeof(record), err) < 0 ||
                        fg_buf_append(&w->queue, data, len, err) < 0))
                return -1;
        if (w->queue.len > 0 && !w->busy)
                submit(w);
        w->paused = w->paused || w->in_flight + w->queue.len > w->store->queue_bytes;
        return w->paused ? 1 : 0;
}

bool fg_logstore_has_writer(const struct fg_logstore *store, const char *task)
{
        const struct fg_logwriter *w;

        LIST_FOREACH (w, &store->writers, link) {
                if (fg_streq(w->task, task))
                        return true;
        }
        return false;
}

char *fg_logwriter_tasks(const struct fg_logstore *store)
{
        const struct fg_logwriter *w;
        char *list, *at;
        size_t n = 0;

        LIST_FOREACH (w, &store->writers, link)
                n++;
        at = list = fg_calloc(n + 1, FG_ID_LEN + 1);
        LIST_FOREACH (w, &store->writers, link) {
                memcpy(at, w->task, FG_ID_LEN);
                at[FG_ID_LEN] = '\n';
                at += FG_ID_LEN + 1;
        }
        return list;
}

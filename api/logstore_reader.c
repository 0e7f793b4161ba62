/* SPDX-License-Identifier: Apache-2.0 */
#include "api/logstore_private.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "api/logstore_cursor.h"
#include "core/buf.h"
#include "core/str.h"

#define BATCH_BYTES   (256u * 1024)
#define BATCH_RECORDS 4096

/* The lane's half of a reader; the loop hands it over with each job. */
struct source {
        char *path; /* the task's directory */
        char *container;
        uint64_t since_ns;
        struct fg_logcursor **cursors;
        size_t n_cursors;
};

struct fg_logreader {
        LIST_ENTRY(fg_logreader) link;
        struct fg_logstore *store;
        char *task;
        bool follow;
        bool asked;         /* a read() has not been answered yet */
        bool busy;          /* a job is running, or its callback is */
        bool finished;      /* the task has stopped */
        fg_logreader_fn fn; /* NULL once the owner has freed the reader */
        void *userdata;
        struct source source;
};

struct read_job {
        struct fg_job job;
        struct fg_logreader *reader; /* for the loop: outlives the job */
        struct source *source;
        bool last;        /* nothing more can come: no record means the end */
        uint64_t changes; /* the store's count when the job was submitted */
        struct fg_logrecord *records;
        size_t n;
        struct fg_buf bytes;
        int result;
        struct fg_error err;
};

static bool wanted(const struct source *s, const char *container)
{
        if (container[0] == '.' || (s->container && !fg_streq(s->container, container)))
                return false;
        for (size_t i = 0; i < s->n_cursors; i++)
                if (fg_streq(fg_logcursor_container(s->cursors[i]), container))
                        return false;
        return true;
}

/* A task's logs appear one by one: look for new ones at each read. */
static int refresh_cursors(struct source *s, struct fg_error *err)
{
        fg_cleanup(closedirp) DIR *dir = opendir(s->path);
        const struct dirent *entry;

        if (!dir)
                return errno == ENOENT ? 0 : fg_fail_errno(err, errno, "open %s", s->path);
        while ((entry = readdir(dir))) {
                struct fg_logcursor *c;

                if (!wanted(s, entry->d_name))
                        continue;
                c = fg_logcursor_open(dirfd(dir), entry->d_name, err);
                if (!c)
                        return -1;
                s->cursors = realloc(s->cursors,
                                     (s->n_cursors + 1) * sizeof(struct fg_logcursor *));
                assert(s->cursors);
                s->cursors[s->n_cursors++] = c;
        }
        return 0;
}

/* The oldest record at hand. 1, 0: none, -1. */
static int pick(struct source *s, struct fg_logcursor **ret, struct fg_logrecord *record,
                struct fg_error *err)
{
        *ret = NULL;
        for (size_t i = 0; i < s->n_cursors; i++) {
                struct fg_logrecord candidate;
                int r = fg_logcursor_peek(s->cursors[i], &candidate, err);

                if (r < 0)
                        return -1;
                if (r > 0 && (!*ret || candidate.time_ns < record->time_ns)) {
                        *ret = s->cursors[i];
                        *record = candidate;
                }
        }
        return *ret != NULL;
}

static int read_batch(struct read_job *j)
{
        struct fg_logcursor *cursor;
        struct fg_logrecord record;
        size_t at = 0;
        int r;

        if (refresh_cursors(j->source, &j->err) < 0)
                return -1;
        while (j->bytes.len < BATCH_BYTES && j->n < BATCH_RECORDS &&
               (r = pick(j->source, &cursor, &record, &j->err)) != 0) {
                if (r < 0)
                        return -1;
                if (record.time_ns >= j->source->since_ns) {
                        if (fg_buf_append(&j->bytes, record.data, record.len, &j->err) < 0)
                                return -1;
                        j->records[j->n++] = record;
                }
                fg_logcursor_pop(cursor);
        }
        for (size_t i = 0; i < j->n; i++) { /* the bytes have stopped moving */
                j->records[i].data = j->bytes.data + at;
                at += j->records[i].len;
        }
        return 0;
}

static void read_work(struct fg_job *job)
{
        struct read_job *j = FG_CONTAINER_OF(job, struct read_job, job);

        j->records = fg_calloc(BATCH_RECORDS, sizeof(*j->records));
        j->bytes = FG_BUF_INIT(BATCH_BYTES + FG_LOG_MAX_RECORD);
        j->result = read_batch(j);
}

static void read_done(struct fg_job *job);

static void submit(struct fg_logreader *r)
{
        struct read_job *j = fg_calloc(1, sizeof(*j));

        *j = (struct read_job){
                .job = { .work = read_work, .done = read_done },
                .reader = r,
                .source = &r->source,
                .last = !r->follow || (r->finished && !fg_logstore_has_writer(r->store, r->task)),
                .changes = r->store->changes,
        };
        r->busy = true;
        fg_lane_submit(r->store->read_lane, &j->job);
}

static void destroy(struct fg_logreader *r)
{
        LIST_REMOVE(r, link);
        for (size_t i = 0; i < r->source.n_cursors; i++)
                fg_logcursor_free(r->source.cursors[i]);
        free(r->source.cursors);
        free(r->source.container);
        free(r->source.path);
        free(r->task);
        free(r);
}

/* Answer the owner unless there is nothing to say yet. It may ask again, or free the reader. */
static void read_done(struct fg_job *job)
{
        struct read_job *j = FG_CONTAINER_OF(job, struct read_job, job);
        struct fg_logreader *r = j->reader;
        bool missed = j->changes != r->store->changes;

        if (r->fn && (j->n > 0 || j->last || j->result < 0)) {
                r->asked = false;
                r->fn(r->userdata, j->records, j->result < 0 ? 0 : j->n,
                      j->result < 0 ? &j->err : NULL);
                missed = true; /* a question from inside the callback wants a look */
        }
        free(j->records);
        fg_buf_finish(&j->bytes);
        free(j);

        r->busy = false;
        if (!r->fn)
                destroy(r);
        else if (r->asked && missed)
                submit(r);
}

struct fg_logreader *fg_logreader_new(struct fg_logstore *store,
                                      const struct fg_logreader_options *options,
                                      fg_logreader_fn fn, void *userdata)
{
        struct fg_logreader *r = fg_calloc(1, sizeof(*r));

        r->store = store;
        r->task = fg_strdup(options->task);
        r->follow = options->follow;
        r->fn = fn;
        r->userdata = userdata;
        r->source.path = fg_asprintf("%s/%s", store->dir, options->task);
        r->source.container = fg_strdup(options->container);
        r->source.since_ns = options->since_ns;
        LIST_INSERT_HEAD(&store->readers, r, link);
        return r;
}

void fg_logreader_free(struct fg_logreader *r)
{
        if (!r)
                return;
        r->fn = NULL;
        if (!r->busy)
                destroy(r);
}

void fg_logreader_read(struct fg_logreader *r)
{
        assert(!r->asked);
        r->asked = true;
        if (!r->busy)
                submit(r);
}

void fg_logreader_wake(struct fg_logstore *store, const char *task, bool finish)
{
        struct fg_logreader *r;

        LIST_FOREACH (r, &store->readers, link) {
                if (!fg_streq(r->task, task))
                        continue;
                r->finished = r->finished || finish;
                if (r->asked && !r->busy)
                        submit(r);
        }
}

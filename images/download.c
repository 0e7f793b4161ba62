/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "images/private.h"

/* News of progress: every so often, and for every so many bytes, but not too many notes. */
#define NOTE_INTERVAL_NS (100 * FG_NS_PER_MSEC)
#define NOTE_BYTES       65536
#define NOTES_MAX        100

struct fetch_job {
        struct fg_job job;
        struct fg_images *images;
        atomic_bool cancel; /* set by the loop */
        char *reference;
        char digest[FG_DIGEST_LEN + 1];
        uint64_t size;
        struct fg_grant grant;
        char *dir;
        uint64_t noted_ns, noted_at; /* lane thread */
        int result;
        struct fg_error err;
};

struct fg_download {
        char digest[FG_DIGEST_LEN + 1];
        uint64_t size, at;
        struct fetch_job *job; /* alive until its done() */
        uint64_t *waiters;     /* ids of pulls */
        size_t n_waiters;
        UT_hash_handle hh;
};

struct note {
        struct fg_job job;
        struct fg_images *images;
        char digest[FG_DIGEST_LEN + 1];
        uint64_t at;
};

static struct fg_download *find(struct fg_images *images, const char *digest)
{
        struct fg_download *d;

        HASH_FIND_STR(images->downloads, digest, d);
        return d;
}

static void free_download(struct fg_images *images, struct fg_download *d)
{
        HASH_DEL(images->downloads, d);
        free(d->waiters);
        free(d);
}

static void free_job(struct fetch_job *j)
{
        fg_grant_finish(&j->grant);
        free(j->reference);
        free(j->dir);
        free(j);
}

static void note_done(struct fg_job *job)
{
        struct note *n = FG_CONTAINER_OF(job, struct note, job);
        struct fg_download *d = find(n->images, n->digest);

        if (d) {
                d->at = n->at;
                /* A progress callback may cancel pulls: look at the list anew each time. */
                for (size_t i = 0; d && i < d->n_waiters; i++) {
                        struct fg_pull *pull = fg_pull_find(n->images, d->waiters[i]);

                        if (pull)
                                fg_pull_blob_moved(pull);
                        d = find(n->images, n->digest);
                }
        }
        free(n);
}

static void on_moved(void *userdata, uint64_t at)
{
        struct fetch_job *j = userdata;
        uint64_t step = j->size / NOTES_MAX > NOTE_BYTES ? j->size / NOTES_MAX : NOTE_BYTES;
        uint64_t now = fg_mono_ns();
        struct note *n;

        if (now - j->noted_ns < NOTE_INTERVAL_NS && at - j->noted_at < step)
                return;
        j->noted_ns = now;
        j->noted_at = at;
        n = fg_calloc(1, sizeof(*n));
        n->job.done = note_done;
        n->images = j->images;
        memcpy(n->digest, j->digest, sizeof(n->digest));
        n->at = at;
        fg_lane_post(j->job.lane_, &n->job);
}

static int fetch(struct fetch_job *j)
{
        fg_cleanup(fg_blob_writer_freep) struct fg_blob_writer *w = NULL;

        if (atomic_load(&j->cancel))
                return fg_fail(&j->err, FG_ERR_CONFLICT, "cancelled");
        if (fg_blob_writer_new(j->images->store, j->digest, j->size, &w, &j->err) < 0)
                return -1;
        fg_blob_writer_watch(w, on_moved, j);
        return fg_source_fetch(&j->images->source, j->reference, &j->grant, j->dir, w, &j->cancel,
                               &j->err);
}

static void fetch_work(struct fg_job *job)
{
        struct fetch_job *j = FG_CONTAINER_OF(job, struct fetch_job, job);

        j->result = fetch(j);
}

static void fetch_done(struct fg_job *job);

static uint64_t size_in(const struct fg_manifest *m, const char *digest)
{
        size_t i = 0;

        while (i + 1 < m->n_items && !fg_streq(m->items[i].digest, digest))
                i++;
        return m->items[i].size;
}

/* The source, and the word on the size, is that of @pull; the bytes are the same from any. */
static void start(struct fg_download *d, struct fg_pull *pull)
{
        struct fetch_job *j = fg_calloc(1, sizeof(*j));

        d->size = size_in(pull->resolved.manifest, d->digest);
        j->job = (struct fg_job){ .work = fetch_work, .done = fetch_done };
        j->images = pull->images;
        j->reference = fg_strdup(pull->reference);
        memcpy(j->digest, d->digest, sizeof(j->digest));
        j->size = d->size;
        j->grant.base = fg_strdup(pull->resolved.grant.base);
        j->grant.authorization = fg_strdup(pull->resolved.grant.authorization);
        j->dir = fg_strdup(pull->resolved.dir);
        d->job = j;
        fg_lane_submit(pull->images->downloaders, &j->job);
}

static void arrived(struct fg_images *images, struct fg_download *d)
{
        fg_autofree uint64_t *waiters = fg_take_ptr(d->waiters);
        size_t n = d->n_waiters;

        fg_catalog_add_blob(&images->catalog, d->digest, d->size);
        free_download(images, d);
        fg_preparations_feed(images);
        for (size_t i = 0; i < n; i++) {
                struct fg_pull *pull = fg_pull_find(images, waiters[i]);

                if (pull)
                        fg_pull_blob_arrived(pull);
        }
}

static void remove_waiter(struct fg_download *d, uint64_t id)
{
        size_t kept = 0;

        for (size_t i = 0; i < d->n_waiters; i++)
                if (d->waiters[i] != id)
                        d->waiters[kept++] = d->waiters[i];
        d->n_waiters = kept;
}

static struct fg_pull *first_waiter(struct fg_images *images, const struct fg_download *d,
                                    const char *reference)
{
        for (size_t i = 0; i < d->n_waiters; i++) {
                struct fg_pull *pull = fg_pull_find(images, d->waiters[i]);

                if (pull && (!reference || fg_streq(pull->reference, reference)))
                        return pull;
        }
        return NULL;
}

/* Pulls of the same reference fail; others have another source and may be luckier. */
static void failed(struct fg_images *images, struct fg_download *d, const struct fetch_job *j)
{
        bool cancelled = atomic_load(&j->cancel);
        struct fg_pull *pull;

        while (d && !cancelled && (pull = first_waiter(images, d, j->reference))) {
                remove_waiter(d, pull->id);
                fg_pull_fail(pull, &j->err);
                d = find(images, j->digest);
        }
        if (!d || d->job)
                return;
        pull = first_waiter(images, d, NULL);
        if (pull && !images->closing)
                start(d, pull);
        else
                free_download(images, d);
}

static void fetch_done(struct fg_job *job)
{
        struct fetch_job *j = FG_CONTAINER_OF(job, struct fetch_job, job);
        struct fg_download *d = find(j->images, j->digest);

        d->job = NULL;
        if (j->result == 0)
                arrived(j->images, d);
        else
                failed(j->images, d, j);
        free_job(j);
}

void fg_download_want(struct fg_pull *pull, const struct fg_descriptor *layer)
{
        struct fg_images *images = pull->images;
        struct fg_download *d = find(images, layer->digest);
        bool fresh = !d;

        if (fresh) {
                d = fg_calloc(1, sizeof(*d));
                memcpy(d->digest, layer->digest, sizeof(d->digest));
                HASH_ADD_STR(images->downloads, digest, d);
        }
        d->waiters = reallocarray(d->waiters, d->n_waiters + 1, sizeof(*d->waiters));
        if (!d->waiters)
                abort();
        d->waiters[d->n_waiters++] = pull->id;
        if (fresh)
                start(d, pull);
}

void fg_download_leave(struct fg_pull *pull)
{
        struct fg_download *d, *next;

        HASH_ITER (hh, pull->images->downloads, d, next) {
                size_t before = d->n_waiters;

                remove_waiter(d, pull->id);
                if (before && d->n_waiters == 0 && d->job)
                        atomic_store(&d->job->cancel, true);
        }
}

bool fg_download_active(struct fg_images *images, const char *digest)
{
        return find(images, digest) != NULL;
}

uint64_t fg_download_at(struct fg_images *images, const char *digest)
{
        struct fg_download *d = find(images, digest);

        return d ? d->at : 0;
}

uint64_t fg_download_pending(struct fg_images *images)
{
        struct fg_download *d, *next;
        uint64_t bytes = 0;

        HASH_ITER (hh, images->downloads, d, next)
                bytes += d->size;
        return bytes;
}

void fg_download_cancel_all(struct fg_images *images)
{
        struct fg_download *d, *next;

        HASH_ITER (hh, images->downloads, d, next)
                if (d->job)
                        atomic_store(&d->job->cancel, true);
}

void fg_download_free_all(struct fg_images *images)
{
        struct fg_download *d, *next;

        HASH_ITER (hh, images->downloads, d, next)
                free_download(images, d);
}

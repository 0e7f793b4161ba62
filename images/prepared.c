/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/str.h"
#include "images/feed.h"
#include "images/paths.h"
#include "images/private.h"

/*
 * A preparation goes: verify what is there, or make it (prepare lane) -> write down what came of it
 * (index lane) -> tell all who wait. One per image, however many ask. It keeps nothing from
 * being removed: then its blobs are gone, or its result is of no use.
 */

struct waiter {
        struct waiter *next;
        fg_prepared_fn done;
        void *userdata;
};

struct fg_preparation {
        struct fg_job job;
        struct fg_images *images;
        struct fg_stored *image; /* a copy, for the lanes */
        struct waiter *waiters;
        struct fg_adopted blob; /* the result */
        int in, feed;        /* ahead of its last blobs: where they come from and go to; else -1 */
        bool *fed;           /* which of image->blobs went there */
        struct fg_error err; /* code 0: there is a result */
        UT_hash_handle hh;   /* by image->manifest */
};

static char *path_of(const struct fg_images *images, const struct fg_stored *image)
{
        return fg_blobstore_blob_path(images->store, image->prepared);
}

/* What is not as it was when its content was known is digested again before anybody has it. */
static bool intact(const struct fg_images *images, const struct fg_stored *image)
{
        char now[FG_STAMP_LEN + 1];
        fg_autofree char *path = NULL;

        if (!image->prepared[0] || !image->stamp[0])
                return false;
        path = path_of(images, image);
        return fg_stamp(path, now) && fg_streq(now, image->stamp);
}

char *fg_images_prepared(struct fg_images *images, const char *manifest)
{
        const struct fg_stored *image = fg_catalog_image(&images->catalog, manifest);

        return image && intact(images, image) ? path_of(images, image) : NULL;
}

const struct fg_image *fg_images_known(struct fg_images *images, const char *reference,
                                       struct fg_image *ret)
{
        struct fg_error ignored;
        fg_autofree char *text = fg_reference_normalize(reference, &ignored);
        const struct fg_name *name = text ? fg_catalog_find(&images->catalog, text) : NULL;

        if (!name)
                return NULL;
        *ret = fg_stored_describe(name->image, name->reference);
        return ret;
}

/* What fg-prepare has not got, it waits for in vain. */
static void stop_feeding(struct fg_preparation *p)
{
        if (p->feed >= 0)
                (void)close(fg_take_fd(p->feed));
}

/* ---- the end ---- */

static void finish(struct fg_preparation *p)
{
        struct fg_stored *image = fg_catalog_image(&p->images->catalog, p->image->manifest);
        const struct fg_error *err = p->err.code ? &p->err : NULL;
        fg_autofree char *path = NULL;

        HASH_DEL(p->images->preparations, p);
        if (!err && image)
                path = path_of(p->images, image);
        while (p->waiters) {
                struct waiter *w = p->waiters;

                p->waiters = w->next;
                if (w->done)
                        w->done(w->userdata, path, err);
                free(w);
        }
        stop_feeding(p);
        if (p->in >= 0)
                (void)close(p->in);
        fg_stored_free(p->image);
        free(p->fed);
        free(p);
}

static void record_work(struct fg_job *job)
{
        struct fg_preparation *p = FG_CONTAINER_OF(job, struct fg_preparation, job);
        struct fg_error ignored; /* a result that is not written down is made again */

        if (p->err.code)
                p->blob = (struct fg_adopted){ 0 };
        (void)fg_index_prepared(p->images->db, p->image->manifest, &p->blob,
                                p->err.code ? p->err.msg : "", &ignored);
}

static void record_done(struct fg_job *job)
{
        finish(FG_CONTAINER_OF(job, struct fg_preparation, job));
}

static void record(struct fg_preparation *p)
{
        p->job = (struct fg_job){ .work = record_work, .done = record_done };
        fg_lane_submit(p->images->index, &p->job);
}

static void make(struct fg_preparation *p);

/* What went wrong while the image came may go better now that it is there. */
static bool again(struct fg_preparation *p)
{
        if (p->in < 0 || !p->err.code || p->err.code == FG_ERR_INVALID || p->images->closing ||
            !fg_catalog_image(&p->images->catalog, p->image->manifest))
                return false;
        (void)close(fg_take_fd(p->in));
        p->err = (struct fg_error)FG_ERROR_INIT;
        make(p);
        return true;
}

/* What cannot be prepared at all is not tried again; anything else may go better another time. */
static void made(struct fg_preparation *p)
{
        struct fg_images *images = p->images;
        struct fg_stored *image = fg_catalog_image(&images->catalog, p->image->manifest);
        struct fg_error ignored;

        stop_feeding(p);
        if (again(p))
                return;
        if (!image && !p->err.code)
                (void)fg_blobstore_trash(images->store, p->blob.digest, &ignored);
        if (!image || images->closing || (p->err.code && p->err.code != FG_ERR_INVALID)) {
                finish(p);
                return;
        }
        if (!p->err.code && fg_gc_make_room(images, p->blob.size, &p->err) < 0) {
                (void)fg_blobstore_trash(images->store, p->blob.digest, &ignored);
                finish(p);
                return;
        }
        if (p->err.code)
                image->unprepared_why = fg_strdup(p->err.msg);
        else
                fg_catalog_prepare(&images->catalog, image, &p->blob);
        record(p);
}

/* ---- the work ---- */

static void make_work(struct fg_job *job)
{
        struct fg_preparation *p = FG_CONTAINER_OF(job, struct fg_preparation, job);

        (void)fg_prepare_make(&p->images->preparing, p->image, p->in, &p->blob, &p->err);
}

static void make_done(struct fg_job *job)
{
        made(FG_CONTAINER_OF(job, struct fg_preparation, job));
}

static void make(struct fg_preparation *p)
{
        p->job = (struct fg_job){ .work = make_work, .done = make_done };
        fg_lane_submit(p->images->preparers, &p->job);
}

static void verify_work(struct fg_job *job)
{
        struct fg_preparation *p = FG_CONTAINER_OF(job, struct fg_preparation, job);

        (void)fg_prepare_verify(&p->images->preparing, p->image->prepared, &p->blob, &p->err);
}

static void verify_done(struct fg_job *job)
{
        struct fg_preparation *p = FG_CONTAINER_OF(job, struct fg_preparation, job);
        struct fg_images *images = p->images;
        struct fg_stored *image = fg_catalog_image(&images->catalog, p->image->manifest);

        if (p->err.code && image && !images->closing) {
                fg_log_warn("%s; it is made anew", p->err.msg);
                fg_catalog_prepare(&images->catalog, image, NULL);
                fg_gc_collect(images);
                p->err = (struct fg_error)FG_ERROR_INIT;
                make(p);
                return;
        }
        if (!image || p->err.code) {
                finish(p);
                return;
        }
        fg_catalog_prepare(&images->catalog, image, &p->blob);
        record(p);
}

/* It is known already: there is one, or there can be none. */
static void known_done(struct fg_job *job)
{
        finish(FG_CONTAINER_OF(job, struct fg_preparation, job));
}

static struct fg_preparation *preparation_new(struct fg_images *images,
                                              const struct fg_stored *image)
{
        struct fg_preparation *p = fg_calloc(1, sizeof(*p));

        p->images = images;
        p->image = fg_stored_copy(image);
        p->in = p->feed = -1;
        HASH_ADD_KEYPTR(hh, images->preparations, p->image->manifest, FG_DIGEST_LEN, p);
        return p;
}

static struct fg_preparation *find(const struct fg_images *images, const char *manifest)
{
        struct fg_preparation *p;

        HASH_FIND(hh, images->preparations, manifest, FG_DIGEST_LEN, p);
        return p;
}

static struct fg_preparation *begin(struct fg_images *images, const struct fg_stored *image)
{
        struct fg_preparation *p = preparation_new(images, image);

        if (intact(images, image)) {
                p->job = (struct fg_job){ .done = known_done };
                fg_lane_post(images->preparers, &p->job);
        } else if (image->prepared[0]) {
                p->job = (struct fg_job){ .work = verify_work, .done = verify_done };
                fg_lane_submit(images->preparers, &p->job);
        } else if (image->unprepared_why) {
                fg_fail(&p->err, FG_ERR_INVALID, "%s", image->unprepared_why);
                p->job = (struct fg_job){ .done = known_done };
                fg_lane_post(images->preparers, &p->job);
        } else {
                make(p);
        }
        return p;
}

int fg_images_prepare(struct fg_images *images, const char *manifest, fg_prepared_fn done,
                      void *userdata, struct fg_error *err)
{
        struct fg_stored *image = fg_catalog_image(&images->catalog, manifest);
        struct fg_preparation *p;
        struct waiter *w;

        if (!image)
                return fg_fail(err, FG_ERR_NOT_FOUND, "no image %s in the store", manifest);
        p = find(images, image->manifest);
        if (!p)
                p = begin(images, image);
        w = fg_calloc(1, sizeof(*w));
        w->done = done;
        w->userdata = userdata;
        w->next = p->waiters;
        p->waiters = w;
        return 0;
}

/* ---- while it is being pulled ---- */

/* The last blob goes only when the image is stored, so that the result finds its image there. */
static void feed(struct fg_preparation *p, bool stored)
{
        const struct fg_stored *image = p->image;
        fg_autofree bool *now = fg_calloc(image->n_blobs, sizeof(*now));
        struct fg_error err = FG_ERROR_INIT;
        size_t missing = 0, last = 0;

        for (size_t i = 0; i < image->n_blobs; i++) {
                now[i] = !p->fed[i] && fg_catalog_has_blob(&p->images->catalog, image->blobs[i]);
                missing += !p->fed[i] && !now[i];
                last = now[i] ? i : last;
        }
        if (missing == 0 && !stored)
                now[last] = false;
        if (fg_feed_blobs(p->feed, p->images->store,
                          (const char(*)[FG_DIGEST_LEN + 1]) image->blobs, now, image->n_blobs,
                          &err) < 0)
                fg_log_debug("%s: %s", image->manifest, err.msg);
        for (size_t i = 0; i < image->n_blobs; i++)
                p->fed[i] = p->fed[i] || now[i];
        if (stored || err.code)
                stop_feeding(p);
}

static bool somebody_is_fed(const struct fg_images *images)
{
        const struct fg_preparation *p;

        for (p = images->preparations; p; p = p->hh.next)
                if (p->feed >= 0)
                        return true;
        return false;
}

/* One at a time: it holds a thread of the lane for as long as the download takes. */
void fg_images_prepare_ahead(struct fg_images *images, struct fg_pull *pull)
{
        const struct fg_resolved *r = &pull->resolved;
        struct fg_preparation *p;
        struct fg_error err;
        int ends[2];

        if (pull->ahead || !pull->image || !r->manifest_text || images->closing ||
            find(images, pull->image->manifest) || somebody_is_fed(images) ||
            fg_catalog_image(&images->catalog, pull->image->manifest) ||
            fg_feed_open(ends, &err) < 0)
                return;
        pull->ahead = true;
        p = preparation_new(images, pull->image);
        p->in = ends[0];
        p->feed = ends[1];
        p->fed = fg_calloc(p->image->n_blobs, sizeof(*p->fed));
        p->fed[0] = p->fed[1] = true; /* manifest and config are stored last */
        if (fg_feed_text(p->feed, r->digest, r->manifest_text, r->manifest_len, &err) < 0 ||
            fg_feed_text(p->feed, p->image->config, r->config_text, r->config_len, &err) < 0)
                stop_feeding(p);
        else
                feed(p, false);
        make(p);
}

void fg_preparations_feed(struct fg_images *images)
{
        struct fg_preparation *p, *next;

        HASH_ITER (hh, images->preparations, p, next)
                if (p->feed >= 0)
                        feed(p, false);
}

void fg_preparation_stored(struct fg_images *images, const char *manifest)
{
        struct fg_preparation *p = find(images, manifest);

        if (p && p->feed >= 0)
                feed(p, true);
}

void fg_preparation_left(struct fg_images *images, const char *manifest)
{
        struct fg_preparation *p = find(images, manifest);

        for (const struct fg_pull *pull = images->pulls; pull; pull = pull->hh.next)
                if (pull->image && fg_streq(pull->image->manifest, manifest))
                        return;
        if (p)
                stop_feeding(p);
}

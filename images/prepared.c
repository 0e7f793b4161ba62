/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/log.h"
#include "core/str.h"
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
        char digest[FG_DIGEST_LEN + 1]; /* of the result */
        uint64_t size;
        struct fg_error err; /* code 0: there is a result */
        UT_hash_handle hh;   /* by image->manifest */
};

static char *path_of(const struct fg_images *images, const struct fg_stored *image)
{
        return fg_blobstore_blob_path(images->store, image->prepared);
}

char *fg_images_prepared(struct fg_images *images, const char *manifest)
{
        const struct fg_stored *image = fg_catalog_image(&images->catalog, manifest);

        return image && image->prepared_checked ? path_of(images, image) : NULL;
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
        fg_stored_free(p->image);
        free(p);
}

static void record_work(struct fg_job *job)
{
        struct fg_preparation *p = FG_CONTAINER_OF(job, struct fg_preparation, job);
        struct fg_error ignored; /* a result that is not written down is made again */

        (void)fg_index_prepared(p->images->db, p->image->manifest, p->digest,
                                p->err.code ? p->err.msg : "", &ignored);
}

static void record_done(struct fg_job *job)
{
        finish(FG_CONTAINER_OF(job, struct fg_preparation, job));
}

/* What cannot be prepared at all is not tried again; anything else may go better another time. */
static void made(struct fg_preparation *p)
{
        struct fg_images *images = p->images;
        struct fg_stored *image = fg_catalog_image(&images->catalog, p->image->manifest);
        struct fg_error ignored;

        if (!image && !p->err.code)
                (void)fg_blobstore_trash(images->store, p->digest, &ignored);
        if (!image || images->closing || (p->err.code && p->err.code != FG_ERR_INVALID)) {
                finish(p);
                return;
        }
        if (!p->err.code && fg_gc_make_room(images, p->size, &p->err) < 0) {
                (void)fg_blobstore_trash(images->store, p->digest, &ignored);
                finish(p);
                return;
        }
        if (p->err.code)
                image->unprepared_why = fg_strdup(p->err.msg);
        else
                fg_catalog_prepare(&images->catalog, image, p->digest, p->size);
        p->job = (struct fg_job){ .work = record_work, .done = record_done };
        fg_lane_submit(images->index, &p->job);
}

/* ---- the work ---- */

static void make_work(struct fg_job *job)
{
        struct fg_preparation *p = FG_CONTAINER_OF(job, struct fg_preparation, job);

        (void)fg_prepare_make(&p->images->preparing, p->image, p->digest, &p->size, &p->err);
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

        (void)fg_prepare_verify(&p->images->preparing, p->image->prepared, &p->err);
}

static void verify_done(struct fg_job *job)
{
        struct fg_preparation *p = FG_CONTAINER_OF(job, struct fg_preparation, job);
        struct fg_images *images = p->images;
        struct fg_stored *image = fg_catalog_image(&images->catalog, p->image->manifest);

        if (p->err.code && image && !images->closing) {
                fg_log_debug("%s; it is made anew", p->err.msg);
                fg_catalog_prepare(&images->catalog, image, "", 0);
                fg_gc_collect(images);
                p->err = (struct fg_error)FG_ERROR_INIT;
                make(p);
                return;
        }
        if (image)
                image->prepared_checked = !p->err.code;
        finish(p);
}

static void refuse_done(struct fg_job *job)
{
        finish(FG_CONTAINER_OF(job, struct fg_preparation, job));
}

static struct fg_preparation *begin(struct fg_images *images, struct fg_stored *image)
{
        struct fg_preparation *p = fg_calloc(1, sizeof(*p));

        p->images = images;
        p->image = fg_stored_copy(image);
        HASH_ADD_KEYPTR(hh, images->preparations, p->image->manifest, FG_DIGEST_LEN, p);
        if (image->prepared[0]) {
                p->job = (struct fg_job){ .work = verify_work, .done = verify_done };
                fg_lane_submit(images->preparers, &p->job);
        } else if (image->unprepared_why) {
                fg_fail(&p->err, FG_ERR_INVALID, "%s", image->unprepared_why);
                p->job = (struct fg_job){ .done = refuse_done };
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
        HASH_FIND(hh, images->preparations, image->manifest, FG_DIGEST_LEN, p);
        if (!p)
                p = begin(images, image);
        w = fg_calloc(1, sizeof(*w));
        w->done = done;
        w->userdata = userdata;
        w->next = p->waiters;
        p->waiters = w;
        return 0;
}

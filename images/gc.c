/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "core/str.h"
#include "images/private.h"

/*
 * Removal in an order that a crash cannot spoil: a blob is first renamed out of sight, then deleted
 * in the lane; an image's row may outlive its blobs and is then deleted at the next start.
 */

struct drop_job {
        struct fg_job job;
        struct fg_images *images;
        char manifest[FG_DIGEST_LEN + 1]; /* "": only the trash */
};

static void drop_work(struct fg_job *job)
{
        struct drop_job *j = FG_CONTAINER_OF(job, struct drop_job, job);
        struct fg_error ignored; /* a row that stays is found damaged at the next start */

        if (j->manifest[0])
                (void)fg_index_drop(j->images->db, j->manifest, &ignored);
        fg_blobstore_empty_trash(j->images->store);
}

static void drop_done(struct fg_job *job)
{
        free(FG_CONTAINER_OF(job, struct drop_job, job));
}

static void submit_drop(struct fg_images *images, const char *manifest)
{
        struct drop_job *j = fg_calloc(1, sizeof(*j));

        j->job = (struct fg_job){ .work = drop_work, .done = drop_done };
        j->images = images;
        (void)snprintf(j->manifest, sizeof(j->manifest), "%s", manifest);
        fg_lane_submit(images->index, &j->job);
}

void fg_gc_drop(struct fg_images *images, struct fg_stored *take_image)
{
        submit_drop(images, take_image->manifest);
        fg_catalog_drop(&images->catalog, take_image);
}

void fg_gc_collect(struct fg_images *images)
{
        struct fg_catalog *c = &images->catalog;
        struct fg_blob *blob, *next_blob;
        struct fg_pull *pull, *next_pull;
        struct fg_error ignored;
        bool trashed = false;

        /* Closing: pulls are gone from the table while their commits may still be running. */
        if (images->closing)
                return;
        fg_catalog_mark_images(c);
        HASH_ITER (hh, images->pulls, pull, next_pull)
                for (size_t i = 0; pull->image && i < pull->image->n_blobs; i++)
                        fg_catalog_mark(c, pull->image->blobs[i]);
        HASH_ITER (hh, c->blobs, blob, next_blob) {
                if (blob->live || fg_blobstore_trash(images->store, blob->digest, &ignored) < 0)
                        continue;
                fg_catalog_drop_blob(c, blob);
                trashed = true;
        }
        if (trashed)
                submit_drop(images, "");
}

static uint64_t overflow(struct fg_images *images, uint64_t bytes)
{
        uint64_t want = images->catalog.bytes + fg_download_pending(images) + bytes;

        return images->max_bytes && want > images->max_bytes ? want - images->max_bytes : 0;
}

int fg_gc_make_room(struct fg_images *images, uint64_t bytes, struct fg_error *err)
{
        struct fg_stored *victim;

        if (overflow(images, bytes))
                fg_gc_collect(images);
        while (overflow(images, bytes) && (victim = fg_catalog_victim(&images->catalog))) {
                fg_gc_drop(images, victim);
                fg_gc_collect(images);
        }
        if (overflow(images, bytes))
                return fg_fail(err, FG_ERR_CAPACITY,
                               "image store is full: %" PRIu64 " of %" PRIu64
                               " bytes are in use, %" PRIu64 " more are needed",
                               images->catalog.bytes, images->max_bytes, bytes);
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>

#include "core/lane.h"
#include "images/blobstore.h"
#include "images/catalog.h"
#include "images/images.h"
#include "images/index.h"
#include "images/prepare.h"
#include "images/source.h"

/* The shared inside of images.c, gc.c, pull.c and download.c. Loop only, but where it says so. */

struct fg_images {
        sd_event *event;
        struct fg_blobstore *store;         /* paths: any thread */
        struct fg_source_config source;     /* immutable: any thread */
        sqlite3 *db;                        /* the index lane's */
        struct fg_prepare_config preparing; /* immutable: any thread */
        struct fg_lane *resolvers, *downloaders, *preparers, *index;
        struct fg_catalog catalog;
        struct fg_pull *pulls;               /* by id */
        struct fg_download *downloads;       /* by digest */
        struct fg_preparation *preparations; /* by manifest */
        uint64_t max_bytes;
        uint64_t last_id;
        bool closing;
};

struct fg_pull {
        uint64_t id;
        struct fg_images *images;
        char *reference;
        fg_pull_progress_fn progress;
        fg_pull_done_fn done;
        void *userdata;

        struct fg_resolve_job *resolving; /* alive until its done() */
        struct fg_resolved resolved;
        struct fg_stored *image;      /* what will be committed; its blobs are not garbage */
        char held[FG_DIGEST_LEN + 1]; /* manifest pinned for the time of the pull, or "" */
        unsigned missing;             /* blobs still to come */
        bool committing;
        bool ahead; /* its preparation was begun */
        const char *status;
        uint64_t reported_ns;
        sd_event_source *report_timer;
        UT_hash_handle hh;
};

struct fg_image fg_stored_describe(const struct fg_stored *image, const char *reference);

/* pull.c */
struct fg_pull *fg_pull_find(struct fg_images *images, uint64_t id);
void fg_pull_blob_arrived(struct fg_pull *pull);
void fg_pull_blob_moved(struct fg_pull *pull);
/** fg_pull_fail() - call done() with @err and forget the pull. */
void fg_pull_fail(struct fg_pull *pull, const struct fg_error *err);

/* download.c: one download per digest, however many pulls want it. */
void fg_download_want(struct fg_pull *pull, const struct fg_descriptor *layer);
void fg_download_leave(
        struct fg_pull *pull); /* all of its downloads; unwanted ones are cancelled */
bool fg_download_active(struct fg_images *images, const char *digest);
uint64_t fg_download_at(struct fg_images *images, const char *digest); /* bytes so far */
uint64_t fg_download_pending(struct fg_images *images); /* bytes that will come on top */
void fg_download_cancel_all(struct fg_images *images);
void fg_download_free_all(struct fg_images *images); /* once the lane is gone */

/* prepared.c: what is prepared while it is being pulled */
void fg_preparations_feed(struct fg_images *images); /* a blob has come */
void fg_preparation_stored(struct fg_images *images, const char *manifest);
void fg_preparation_left(struct fg_images *images, const char *manifest); /* by one of its pulls */

/* gc.c */
void fg_gc_drop(struct fg_images *images, struct fg_stored *take_image); /* row, then memory */
void fg_gc_collect(struct fg_images *images); /* blobs that nothing needs */
/** fg_gc_make_room() - evict until @bytes more fit. -1: CAPACITY. */
int fg_gc_make_room(struct fg_images *images, uint64_t bytes, struct fg_error *err);

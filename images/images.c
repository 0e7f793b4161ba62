/* SPDX-License-Identifier: Apache-2.0 */
#include "images/images.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/db.h"
#include "core/fs.h"
#include "core/str.h"
#include "images/archive.h"
#include "images/helper.h"
#include "images/private.h"

#define RESOLVERS        2
#define PREPARERS        2
#define PARALLEL_DEFAULT 3
#define PARALLEL_MAX     16

/* A query or a removal: work in the index lane, answer on the loop. */
struct request {
        struct fg_job job;
        struct fg_images *images;
        char *reference; /* to forget; NULL: nothing */
        struct fg_error err;
        uint64_t freed;
        void *userdata;
        void (*each)(void *userdata, const struct fg_image *image);
        void (*removed)(void *userdata, const struct fg_error *err);
        void (*pruned)(void *userdata, uint64_t freed, const struct fg_error *err);
};

struct fg_image fg_stored_describe(const struct fg_stored *image, const char *reference)
{
        struct fg_image ret = {
                .reference = reference,
                .size = image->size,
                .layers = image->layers,
                .pulled_ns = image->pulled_ns,
                .used_ns = image->used_ns,
                .prepared = image->prepared[0] != '\0',
                .unprepared_why = image->unprepared_why,
        };

        memcpy(ret.manifest, image->manifest, sizeof(ret.manifest));
        memcpy(ret.config, image->config, sizeof(ret.config));
        return ret;
}

static void add_found_blob(void *userdata, const char *digest, uint64_t size)
{
        fg_catalog_add_blob(userdata, digest, size);
}

static int start_lanes(struct fg_images *images, sd_event *event, unsigned parallel,
                       struct fg_error *err)
{
        if (parallel == 0)
                parallel = PARALLEL_DEFAULT;
        if (parallel > PARALLEL_MAX)
                parallel = PARALLEL_MAX;
        if (fg_lane_new(event, "image-index", 1, &images->index, err) < 0 ||
            fg_lane_new(event, "image-resolve", RESOLVERS, &images->resolvers, err) < 0 ||
            fg_lane_new(event, "image-pull", parallel, &images->downloaders, err) < 0 ||
            fg_lane_new(event, "image-prepare", PREPARERS, &images->preparers, err) < 0)
                return -1;
        return 0;
}

int fg_images_new(sd_event *event, const struct fg_images_config *config, struct fg_images **ret,
                  struct fg_error *err)
{
        fg_cleanup(fg_images_freep) struct fg_images *images = fg_calloc(1, sizeof(*images));

        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return fg_fail(err, FG_ERR_INTERNAL, "libcurl does not start");
        images->event = sd_event_ref(event);
        images->max_bytes = config->max_bytes;
        images->source.registry.ca_file = fg_strdup(config->ca_file);
        images->source.registry.insecure = fg_strdup(config->insecure);
        images->source.registry.docker_config = fg_strdup(config->docker_config);
        images->source.platform = fg_strdup(config->platform ? config->platform : "linux/amd64");
        images->source.archive_program = fg_archive_program();
        images->preparing.program = fg_helper_path("fg-prepare", "FG_PREPARE");
        images->preparing.max_bytes = config->prepared_max;
        images->preparing.limits = config->prepare;
        images->preparing.readers = config->readers;
        images->preparing.cancel = eventfd(0, EFD_CLOEXEC);
        if (images->preparing.cancel < 0)
                return fg_fail_errno(err, errno, "eventfd");
        if (config->ca_file && !fg_exists(config->ca_file))
                return fg_fail(err, FG_ERR_INVALID, "CA file %s does not exist", config->ca_file);
        if (fg_blobstore_open(config->dir, &images->store, err) < 0 ||
            fg_blobstore_each(images->store, add_found_blob, &images->catalog, err) < 0 ||
            fg_index_open(config->dir, &images->db, err) < 0 ||
            fg_index_load(images->db, &images->catalog, err) < 0)
                return fg_wrap(err, "image store");
        images->source.store = images->store;
        images->preparing.store = images->store;
        if (start_lanes(images, event, config->parallel, err) < 0)
                return -1;
        *ret = fg_take_ptr(images);
        return 0;
}

static void fail_pulls(struct fg_images *images)
{
        struct fg_error err;

        fg_fail(&err, FG_ERR_CONFLICT, "cancelled: the image store is closing");
        while (images->pulls)
                fg_pull_fail(images->pulls, &err);
}

void fg_images_free(struct fg_images *images)
{
        if (!images)
                return;
        images->closing = true;
        fail_pulls(images);
        fg_download_cancel_all(images);
        /* The index last: what the others finish, it still writes down. */
        (void)eventfd_write(images->preparing.cancel, 1);
        fg_lane_free(images->resolvers);
        fg_lane_free(images->preparers);
        fg_lane_free(images->downloaders);
        fg_lane_free(images->index);
        fg_download_free_all(images);
        fg_catalog_finish(&images->catalog);
        fg_db_close(images->db);
        fg_blobstore_free(images->store);
        sd_event_unref(images->event);
        free(images->source.registry.ca_file);
        free(images->source.registry.insecure);
        free(images->source.registry.docker_config);
        free(images->source.platform);
        free(images->source.archive_program);
        free(images->preparing.program);
        if (images->preparing.cancel > 0)
                (void)close(images->preparing.cancel);
        free(images);
}

int fg_images_pin(struct fg_images *images, const char *manifest_digest)
{
        struct fg_stored *image = fg_catalog_image(&images->catalog, manifest_digest);

        if (!image)
                return -1;
        image->pins++;
        return 0;
}

void fg_images_unpin(struct fg_images *images, const char *manifest_digest)
{
        struct fg_stored *image = fg_catalog_image(&images->catalog, manifest_digest);

        if (!image || !image->pins || --image->pins)
                return;
        if (fg_catalog_names_of(&images->catalog, image) == 0) {
                fg_gc_drop(images, image);
                fg_gc_collect(images);
        }
}

bool fg_images_has_blob(struct fg_images *images, const char *manifest_digest, const char *digest)
{
        struct fg_stored *image = fg_catalog_image(&images->catalog, manifest_digest);

        return image && fg_stored_has(image, digest);
}

int fg_images_open_blob(struct fg_images *images, const char *digest, uint64_t *ret_size,
                        struct fg_error *err)
{
        return fg_blobstore_blob(images->store, digest, ret_size, err);
}

uint64_t fg_images_bytes(struct fg_images *images)
{
        return images->catalog.bytes;
}

static void request_work(struct fg_job *job)
{
        struct request *rq = FG_CONTAINER_OF(job, struct request, job);

        if (rq->reference)
                (void)fg_index_unname(rq->images->db, rq->reference, &rq->err);
}

static void each_image(struct fg_images *images, struct request *rq)
{
        struct fg_name *name, *next_name;
        struct fg_stored *stored, *next_stored;

        HASH_ITER (hh, images->catalog.images, stored, next_stored) {
                struct fg_image image = fg_stored_describe(stored, stored->manifest);
                bool named = false;

                HASH_ITER (hh, images->catalog.names, name, next_name) {
                        if (name->image != stored)
                                continue;
                        named = true;
                        image.reference = name->reference;
                        rq->each(rq->userdata, &image);
                }
                if (!named)
                        rq->each(rq->userdata, &image);
        }
        rq->each(rq->userdata, NULL);
}

static void request_done(struct fg_job *job)
{
        struct request *rq = FG_CONTAINER_OF(job, struct request, job);
        const struct fg_error *err = rq->err.code ? &rq->err : NULL;

        if (rq->each)
                each_image(rq->images, rq);
        else if (rq->removed)
                rq->removed(rq->userdata, err);
        else
                rq->pruned(rq->userdata, rq->freed, err);
        free(rq->reference);
        free(rq);
}

static struct request *new_request(struct fg_images *images, void *userdata)
{
        struct request *rq = fg_calloc(1, sizeof(*rq));

        rq->job = (struct fg_job){ .work = request_work, .done = request_done };
        rq->images = images;
        rq->userdata = userdata;
        return rq;
}

void fg_images_list(struct fg_images *images,
                    void (*each)(void *userdata, const struct fg_image *image), void *userdata)
{
        struct request *rq = new_request(images, userdata);

        rq->each = each;
        fg_lane_submit(images->index, &rq->job);
}

static int drop_image(struct fg_images *images, struct fg_stored *image, const char *reference,
                      struct fg_error *err)
{
        if (!image)
                return fg_fail(err, FG_ERR_NOT_FOUND, "no image %s in the store", reference);
        if (image->pins)
                return fg_fail(err, FG_ERR_CONFLICT, "image %s is in use", reference);
        fg_gc_drop(images, image);
        fg_gc_collect(images);
        return 0;
}

/* An image goes with its last name. Return: 0, or -1 with rq->err set. */
static int forget(struct fg_images *images, const char *reference, struct request *rq)
{
        fg_autofree char *text = NULL;
        struct fg_name *name;

        if (fg_digest_valid(reference))
                return drop_image(images, fg_catalog_image(&images->catalog, reference), reference,
                                  &rq->err);
        text = fg_reference_normalize(reference, &rq->err);
        if (!text)
                return -1;
        name = fg_catalog_find(&images->catalog, text);
        if (!name || fg_catalog_names_of(&images->catalog, name->image) == 1)
                return drop_image(images, name ? name->image : NULL, text, &rq->err);
        fg_catalog_unname(&images->catalog, name);
        rq->reference = fg_take_ptr(text);
        return 0;
}

void fg_images_remove(struct fg_images *images, const char *reference,
                      void (*done)(void *userdata, const struct fg_error *err), void *userdata)
{
        struct request *rq = new_request(images, userdata);

        rq->removed = done;
        (void)forget(images, reference, rq);
        fg_lane_submit(images->index, &rq->job);
}

static bool keep_part(void *userdata, const char *digest)
{
        return fg_download_active(userdata, digest);
}

void fg_images_prune(struct fg_images *images,
                     void (*done)(void *userdata, uint64_t freed, const struct fg_error *err),
                     void *userdata)
{
        struct request *rq = new_request(images, userdata);
        uint64_t before = images->catalog.bytes;
        struct fg_stored *victim;

        rq->pruned = done;
        while ((victim = fg_catalog_victim(&images->catalog)))
                fg_gc_drop(images, victim);
        fg_blobstore_trash_parts(images->store, keep_part, images);
        fg_gc_collect(images);
        rq->freed = before - images->catalog.bytes;
        fg_lane_submit(images->index, &rq->job);
}

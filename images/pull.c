/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "images/private.h"

#define REPORT_INTERVAL_NS (100 * FG_NS_PER_MSEC)

/*
 * A pull goes: resolve (lane) -> wanted layers come in through download.c -> commit (index lane) ->
 * done(). Or, when the store has the reference already: touch (index lane) -> done(). When it turns
 * out to mean what it meant, done() comes at once.
 */

struct fg_resolve_job {
        struct fg_job job;
        struct fg_images *images;
        uint64_t id;
        char *reference;
        atomic_bool cancel; /* set by the loop */
        struct fg_resolved resolved;
        int result;
        struct fg_error err;
};

struct commit_job {
        struct fg_job job;
        struct fg_images *images;
        uint64_t id;
        char *reference;
        struct fg_stored *image;
        char *manifest_text, *config_text; /* NULL: only touch */
        size_t manifest_len, config_len;
        int result;
        struct fg_error err;
};

/* Removing a scratch directory blocks. */
struct discard_job {
        struct fg_job job;
        struct fg_resolved resolved;
};

struct fg_pull *fg_pull_find(struct fg_images *images, uint64_t id)
{
        struct fg_pull *pull;

        HASH_FIND(hh, images->pulls, &id, sizeof(id), pull);
        return pull;
}

static void discard_work(struct fg_job *job)
{
        fg_resolved_finish(&FG_CONTAINER_OF(job, struct discard_job, job)->resolved);
}

static void discard_done(struct fg_job *job)
{
        free(FG_CONTAINER_OF(job, struct discard_job, job));
}

static void discard(struct fg_images *images, struct fg_resolved *take_resolved)
{
        struct discard_job *j = fg_calloc(1, sizeof(*j));

        j->job = (struct fg_job){ .work = discard_work, .done = discard_done };
        j->resolved = *take_resolved;
        *take_resolved = (struct fg_resolved){ 0 };
        fg_lane_submit(images->index, &j->job);
}

/* Out of the tables: nothing will reach the pull any more. */
static void detach(struct fg_pull *pull)
{
        struct fg_images *images = pull->images;

        pull->report_timer = sd_event_source_disable_unref(pull->report_timer);
        if (pull->resolving)
                atomic_store(&pull->resolving->cancel, true);
        fg_download_leave(pull);
        HASH_DEL(images->pulls, pull);
        if (pull->image)
                fg_preparation_left(images, pull->image->manifest);
        discard(images, &pull->resolved);
        if (pull->held[0])
                fg_images_unpin(images, pull->held);
}

static void free_pull(struct fg_pull *pull)
{
        fg_stored_free(pull->image);
        free(pull->reference);
        free(pull);
}

static void finish(struct fg_pull *pull, const struct fg_image *image, const struct fg_error *err)
{
        detach(pull);
        if (pull->done)
                pull->done(pull->userdata, image, err);
        free_pull(pull);
}

void fg_pull_fail(struct fg_pull *pull, const struct fg_error *err)
{
        finish(pull, NULL, err);
}

void fg_pull_cancel(struct fg_pull *pull)
{
        pull->done = NULL;
        pull->progress = NULL;
        pull->report_timer = sd_event_source_disable_unref(pull->report_timer);
        /* A commit under way still needs its blobs kept from collection. */
        if (!pull->committing)
                finish(pull, NULL, NULL);
}

static void succeed(struct fg_pull *pull, struct fg_stored *image)
{
        struct fg_image result = fg_stored_describe(image, pull->reference);

        if (pull->done)
                image->pins++;
        finish(pull, &result, NULL);
}

static void report_now(struct fg_pull *pull)
{
        struct fg_pull_progress p = { .status = pull->status };
        struct fg_manifest *m = pull->resolved.manifest;

        pull->reported_ns = fg_mono_ns();
        if (m) {
                p.layers = (unsigned)m->n_items;
                p.total_bytes = m->size;
                p.done_bytes = m->config.size;
        }
        for (size_t i = 0; i < p.layers; i++) {
                const struct fg_descriptor *d = &m->items[i];
                bool have = fg_catalog_has_blob(&pull->images->catalog, d->digest);
                uint64_t at = have ? d->size : fg_download_at(pull->images, d->digest);

                p.layers_done += have;
                p.done_bytes += at;
        }
        if (p.done_bytes > p.total_bytes) /* a layer listed twice */
                p.done_bytes = p.total_bytes;
        pull->progress(pull->userdata, &p);
}

static int on_report_due(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_pull *pull = userdata;

        pull->report_timer = sd_event_source_disable_unref(pull->report_timer);
        report_now(pull);
        return 0;
}

/* Last in every caller: progress() may cancel the pull. What comes too soon is told later. */
static void report(struct fg_pull *pull)
{
        uint64_t since = fg_mono_ns() - pull->reported_ns;

        if (!pull->progress || pull->report_timer)
                return;
        if (since >= REPORT_INTERVAL_NS)
                report_now(pull);
        else
                (void)sd_event_add_time_relative(
                        pull->images->event, &pull->report_timer, CLOCK_MONOTONIC,
                        (REPORT_INTERVAL_NS - since) / 1000, 0, on_report_due, pull);
}

static void commit_work(struct fg_job *job)
{
        struct commit_job *j = FG_CONTAINER_OF(job, struct commit_job, job);
        const struct fg_stored *image = j->image;

        if (!j->manifest_text) {
                j->result = fg_index_touch(j->images->db, image->manifest, image->used_ns, &j->err);
                return;
        }
        j->result = fg_blobstore_put(j->images->store, image->manifest, j->manifest_text,
                                     j->manifest_len, &j->err);
        if (j->result == 0)
                j->result = fg_blobstore_put(j->images->store, image->config, j->config_text,
                                             j->config_len, &j->err);
        if (j->result == 0)
                j->result = fg_index_put(j->images->db, j->reference, image, &j->err);
}

/* The image is durable whether or not anybody still waits for it. */
static struct fg_stored *adopt(struct commit_job *j)
{
        struct fg_images *images = j->images;
        struct fg_stored *image, *before;

        if (!j->manifest_text)
                return fg_catalog_image(&images->catalog, j->image->manifest);
        fg_catalog_add_blob(&images->catalog, j->image->manifest, j->manifest_len);
        fg_catalog_add_blob(&images->catalog, j->image->config, j->config_len);
        image = fg_catalog_add(&images->catalog, fg_take_ptr(j->image));
        before = fg_catalog_name(&images->catalog, j->reference, image);
        if (before && before != image && !before->pins &&
            fg_catalog_names_of(&images->catalog, before) == 0) {
                fg_gc_drop(images, before);
                fg_gc_collect(images);
        }
        fg_preparation_stored(images, image->manifest);
        return image;
}

static void commit_done(struct fg_job *job)
{
        struct commit_job *j = FG_CONTAINER_OF(job, struct commit_job, job);
        struct fg_images *images = j->images;
        struct fg_pull *pull = fg_pull_find(images, j->id);
        struct fg_stored *image = j->result == 0 ? adopt(j) : NULL;

        if (pull && image)
                succeed(pull, image);
        else if (pull)
                fg_pull_fail(pull, &j->err);
        fg_stored_free(j->image);
        free(j->manifest_text);
        free(j->config_text);
        free(j->reference);
        free(j);
}

static void commit(struct fg_pull *pull, const struct fg_stored *image)
{
        struct commit_job *j = fg_calloc(1, sizeof(*j));

        pull->status = "verifying";
        pull->committing = true;
        j->job = (struct fg_job){ .work = commit_work, .done = commit_done };
        j->images = pull->images;
        j->id = pull->id;
        j->reference = fg_strdup(pull->reference);
        j->image = fg_stored_copy(image);
        j->image->pins = 0;
        j->manifest_text = fg_take_ptr(pull->resolved.manifest_text);
        j->config_text = fg_take_ptr(pull->resolved.config_text);
        j->manifest_len = pull->resolved.manifest_len;
        j->config_len = pull->resolved.config_len;
        fg_lane_submit(pull->images->index, &j->job);
        report(pull);
}

void fg_pull_blob_arrived(struct fg_pull *pull)
{
        if (--pull->missing == 0)
                commit(pull, pull->image);
        else
                report(pull);
}

void fg_pull_blob_moved(struct fg_pull *pull)
{
        report(pull);
}

static void add_blob(struct fg_stored *image, const char *digest)
{
        if (!fg_stored_has(image, digest))
                memcpy(image->blobs[image->n_blobs++], digest, FG_DIGEST_LEN + 1);
}

static struct fg_stored *describe(const struct fg_resolved *r)
{
        struct fg_stored *image = fg_calloc(1, sizeof(*image));
        const struct fg_manifest *m = r->manifest;

        memcpy(image->manifest, r->digest, sizeof(image->manifest));
        memcpy(image->config, m->config.digest, sizeof(image->config));
        image->size = m->size + r->manifest_len;
        image->layers = (unsigned)m->n_items;
        image->pulled_ns = image->used_ns = fg_now_ns();
        image->blobs = fg_calloc(m->n_items + 2, sizeof(*image->blobs));
        add_blob(image, image->manifest);
        add_blob(image, image->config);
        for (size_t i = 0; i < m->n_items; i++)
                add_blob(image, m->items[i].digest);
        return image;
}

static bool is_wanted(struct fg_pull *pull, size_t i)
{
        const struct fg_manifest *m = pull->resolved.manifest;

        for (size_t j = 0; j < i; j++)
                if (fg_streq(m->items[j].digest, m->items[i].digest))
                        return false;
        return !fg_catalog_has_blob(&pull->images->catalog, m->items[i].digest);
}

/* The manifest is known: what is missing decides about room and downloads. */
static int fetch_layers(struct fg_pull *pull, struct fg_error *err)
{
        struct fg_images *images = pull->images;
        const struct fg_manifest *m = pull->resolved.manifest;
        uint64_t bytes = pull->resolved.manifest_len + pull->resolved.config_len;

        pull->image = describe(&pull->resolved);
        pull->status = "downloading";
        for (size_t i = 0; i < m->n_items; i++)
                if (is_wanted(pull, i) && !fg_download_active(images, m->items[i].digest))
                        bytes += m->items[i].size;
        if (fg_gc_make_room(images, bytes, err) < 0)
                return -1;
        for (size_t i = 0; i < m->n_items; i++) {
                if (!is_wanted(pull, i))
                        continue;
                pull->missing++;
                fg_download_want(pull, &m->items[i]);
        }
        return 0;
}

static void resolve_work(struct fg_job *job)
{
        struct fg_resolve_job *j = FG_CONTAINER_OF(job, struct fg_resolve_job, job);

        if (atomic_load(&j->cancel))
                j->result = fg_fail(&j->err, FG_ERR_CONFLICT, "cancelled");
        else
                j->result = fg_source_resolve(&j->images->source, j->reference, &j->cancel,
                                              &j->resolved, &j->err);
}

static void fetch(struct fg_pull *pull)
{
        struct fg_error err = FG_ERROR_INIT;

        if (fetch_layers(pull, &err) < 0)
                fg_pull_fail(pull, &err);
        else if (pull->missing == 0)
                commit(pull, pull->image);
        else
                report(pull);
}

/* The reference means what it meant: nothing is written that somebody would have to wait for. */
static bool settle_unchanged(struct fg_pull *pull)
{
        const struct fg_name *name = fg_catalog_find(&pull->images->catalog, pull->reference);
        struct commit_job *j;

        if (!name || !fg_streq(name->image->manifest, pull->resolved.digest))
                return false;
        name->image->used_ns = fg_now_ns();
        j = fg_calloc(1, sizeof(*j));
        j->job = (struct fg_job){ .work = commit_work, .done = commit_done };
        j->images = pull->images;
        j->image = fg_stored_copy(name->image);
        fg_lane_submit(pull->images->index, &j->job);
        succeed(pull, name->image);
        return true;
}

static void resolve_done(struct fg_job *job)
{
        struct fg_resolve_job *j = FG_CONTAINER_OF(job, struct fg_resolve_job, job);
        struct fg_pull *pull = fg_pull_find(j->images, j->id);

        if (pull)
                pull->resolving = NULL;
        if (!pull) {
                discard(j->images, &j->resolved);
        } else if (j->result < 0) {
                fg_pull_fail(pull, &j->err);
        } else {
                pull->resolved = j->resolved;
                if (!settle_unchanged(pull))
                        fetch(pull);
        }
        free(j->reference);
        free(j);
}

static void resolve(struct fg_pull *pull)
{
        struct fg_resolve_job *j = fg_calloc(1, sizeof(*j));

        pull->status = "resolving";
        j->job = (struct fg_job){ .work = resolve_work, .done = resolve_done };
        j->images = pull->images;
        j->id = pull->id;
        j->reference = fg_strdup(pull->reference);
        pull->resolving = j;
        fg_lane_submit(pull->images->resolvers, &j->job);
}

/* From the store: held from now on, so that nothing can take it away before done(). */
static void reuse(struct fg_pull *pull, struct fg_stored *image)
{
        image->pins++;
        image->used_ns = fg_now_ns();
        memcpy(pull->held, image->manifest, sizeof(pull->held));
        commit(pull, image);
}

int fg_images_pull(struct fg_images *images, const char *reference, enum fg_pull_policy policy,
                   fg_pull_progress_fn progress, fg_pull_done_fn done, void *userdata,
                   struct fg_pull **ret, struct fg_error *err)
{
        fg_cleanup(fg_reference_freep) struct fg_reference *ref = NULL;
        struct fg_pull *pull;
        struct fg_name *name;

        ref = fg_reference_parse(reference, err);
        if (!ref)
                return -1;
        pull = fg_calloc(1, sizeof(*pull));
        pull->id = ++images->last_id;
        pull->images = images;
        pull->reference = fg_reference_text(ref);
        pull->done = done;
        pull->userdata = userdata;
        HASH_ADD(hh, images->pulls, id, sizeof(pull->id), pull);

        name = fg_catalog_find(&images->catalog, pull->reference);
        if (name && (policy == FG_PULL_MISSING || ref->digest[0]))
                reuse(pull, name->image);
        else
                resolve(pull);
        /* Only now: nothing is reported from within this call. */
        pull->progress = progress;
        if (ret)
                *ret = pull;
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/daemon.h"
#include "api/pool.h"
#include "api/routes.h"
#include "api/run.h"
#include "core/clock.h"
#include "core/str.h"

static void set_time(struct json_object *obj, const char *key, uint64_t ns)
{
        char text[FG_RFC3339_MAX];

        fg_rfc3339(ns, text);
        fg_json_set_str(obj, key, text);
}

static struct json_object *image_json(const struct fg_image *image)
{
        struct json_object *obj = json_object_new_object();

        fg_json_set_str(obj, "reference", image->reference);
        fg_json_set_str(obj, "manifest", image->manifest);
        fg_json_set_str(obj, "config", image->config);
        fg_json_set_int(obj, "sizeBytes", (int64_t)image->size);
        fg_json_set_int(obj, "layers", image->layers);
        set_time(obj, "pulledAt", image->pulled_ns);
        set_time(obj, "usedAt", image->used_ns);
        fg_json_set_bool(obj, "prepared", image->prepared);
        fg_json_set_str(obj, "unpreparedReason", image->unprepared_why);
        return obj;
}

/* ---- GET /v1/images ---- */

struct listing {
        struct fg_request *r;
        struct json_object *images;
};

static void on_image(void *userdata, const struct fg_image *image)
{
        struct listing *l = userdata;
        struct json_object *body;

        if (image) {
                json_object_array_add(l->images, image_json(image));
                return;
        }
        body = json_object_new_object();
        fg_json_set(body, "images", l->images);
        fg_reply_json(l->r, 200, body);
        free(l);
}

void handle_image_list(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        struct listing *l = fg_calloc(1, sizeof(*l));

        *l = (struct listing){ .r = r, .images = json_object_new_array() };
        fg_images_list(d->images, on_image, l);
}

/* ---- POST /v1/images/pull ---- */

struct pulling {
        struct fg_daemon *d;
        struct fg_stream *stream; /* NULL: the client has left */
        struct fg_pull *pull;     /* NULL: done */
};

static void write_line(struct pulling *p, struct json_object *take_line)
{
        struct fg_error err = FG_ERROR_INIT;

        /* Progress that a slow client does not take is dropped, not queued for ever. */
        (void)fg_stream_line(p->stream, take_line, &err);
}

static void on_progress(void *userdata, const struct fg_pull_progress *progress)
{
        struct json_object *line = json_object_new_object();
        struct pulling *p = userdata;

        if (disks_allowed(p->d))
                fg_images_prepare_ahead(p->d->images, p->pull);
        fg_json_set_str(line, "status", progress->status);
        fg_json_set_int(line, "doneBytes", (int64_t)progress->done_bytes);
        fg_json_set_int(line, "totalBytes", (int64_t)progress->total_bytes);
        fg_json_set_int(line, "layersDone", progress->layers_done);
        fg_json_set_int(line, "layers", progress->layers);
        write_line(p, line);
}

/* In the background: nobody waits for it. */
static void prepare(struct fg_daemon *d, const struct fg_image *image)
{
        fg_autofree char *path = fg_images_prepared(d->images, image->manifest);
        struct fg_error ignored; /* a task that needs it tries again */

        if (!path && disks_allowed(d))
                (void)fg_images_prepare(d->images, image->manifest, NULL, NULL, &ignored);
}

static void on_pulled(void *userdata, const struct fg_image *image, const struct fg_error *err)
{
        struct pulling *p = userdata;
        struct json_object *line = json_object_new_object();

        p->pull = NULL;
        if (err)
                fg_json_set(line, "error", fg_error_json(err));
        else
                fg_json_set(line, "image", image_json(image));
        write_line(p, line);
        if (!err) {
                prepare(p->d, image);
                fg_images_unpin(p->d->images, image->manifest);
        }
        fg_stream_end(p->stream);
}

static void on_drained(void *userdata)
{
        (void)userdata;
}

static void on_closed(void *userdata)
{
        struct pulling *p = userdata;

        if (p->pull)
                fg_pull_cancel(p->pull);
        free(p);
}

void handle_image_pull(void *daemon, struct fg_request *r)
{
        static const struct fg_stream_ops ops = { .drained = on_drained, .closed = on_closed };
        struct fg_daemon *d = daemon;
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *body = fg_request_members(r, (const char *const[]){ "image", NULL },
                                                      &err);
        const char *image = body ? fg_json_str(body, "image") : NULL;
        struct pulling *p;

        if (body && !image)
                fg_fail(&err, FG_ERR_INVALID, "the member \"image\" (a reference) is required");
        if (!image || fg_reference_check(image, &err) < 0) {
                fg_reply_error(r, &err);
                return;
        }
        p = fg_calloc(1, sizeof(*p));
        p->d = d;
        if (fg_images_pull(d->images, image, FG_PULL_ALWAYS, on_progress, on_pulled, p, &p->pull,
                           &err) < 0) {
                fg_reply_error(r, &err);
                free(p);
                return;
        }
        p->stream = fg_reply_stream(r, "application/x-ndjson", &ops, p);
        if (!p->stream)
                on_closed(p);
}

/* ---- DELETE /v1/images ---- */

struct removal {
        struct fg_daemon *d;
        struct fg_request *r;
        char *reference;
};

static void on_removed(void *userdata, const struct fg_error *err)
{
        struct removal *removal = userdata;
        struct json_object *body;

        if (err) {
                fg_reply_error(removal->r, err);
        } else {
                body = json_object_new_object();
                fg_pool_refill(removal->d->pool);
                fg_json_set_str(body, "removed", removal->reference);
                fg_reply_json(removal->r, 200, body);
        }
        free(removal->reference);
        free(removal);
}

void handle_image_remove(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        const char *reference = fg_request_query(r, "reference");
        struct fg_error err = FG_ERROR_INIT;
        struct removal *removal;

        if (!reference || !*reference) {
                fg_fail(&err, FG_ERR_INVALID, "the query parameter reference is required");
                fg_reply_error(r, &err);
                return;
        }
        removal = fg_calloc(1, sizeof(*removal));
        *removal = (struct removal){ .d = d, .r = r, .reference = fg_strdup(reference) };
        fg_images_remove(d->images, reference, on_removed, removal);
}

/* ---- POST /v1/prune ---- */

struct pruning {
        struct fg_daemon *d;
        struct fg_request *r;
        bool images;
        size_t tasks;     /* removed */
        size_t logs_left; /* of removed tasks, still being deleted */
        uint64_t freed_bytes;
};

static void finish_pruning(struct pruning *p)
{
        struct json_object *body = json_object_new_object();

        fg_json_set_int(body, "freedBytes", (int64_t)p->freed_bytes);
        fg_json_set_int(body, "tasks", (int64_t)p->tasks);
        fg_reply_json(p->r, 200, body);
        free(p);
}

static void on_images_pruned(void *userdata, uint64_t freed, const struct fg_error *err)
{
        struct pruning *p = userdata;

        p->freed_bytes += freed;
        if (err) {
                fg_reply_error(p->r, err);
                free(p);
                return;
        }
        fg_pool_refill(p->d->pool);
        finish_pruning(p);
}

static void prune_images(struct pruning *p)
{
        if (p->images)
                fg_images_prune(p->d->images, on_images_pruned, p);
        else
                finish_pruning(p);
}

static void on_log_removed(void *userdata, uint64_t bytes)
{
        struct pruning *p = userdata;

        p->freed_bytes += bytes;
        if (--p->logs_left == 0)
                prune_images(p);
}

static void on_tasks_pruned(void *userdata, struct json_object *ids, const struct fg_error *err)
{
        struct pruning *p = userdata;

        if (err) {
                fg_reply_error(p->r, err);
                free(p);
                return;
        }
        p->tasks = p->logs_left = json_object_array_length(ids);
        for (size_t i = 0; i < p->tasks; i++)
                fg_logstore_remove(p->d->logs,
                                   json_object_get_string(json_object_array_get_idx(ids, i)),
                                   on_log_removed, p);
        if (p->tasks == 0)
                prune_images(p);
}

void handle_prune(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *body = fg_request_members(
                r, (const char *const[]){ "images", "tasks", NULL }, &err);
        struct pruning *p;

        if (!body) {
                fg_reply_error(r, &err);
                return;
        }
        p = fg_calloc(1, sizeof(*p));
        *p = (struct pruning){ .d = d, .r = r, .images = fg_json_bool(body, "images", false) };
        if (fg_json_bool(body, "tasks", false))
                fg_store_expire(d->store, UINT64_MAX >> 1, on_tasks_pruned, p);
        else
                prune_images(p);
}

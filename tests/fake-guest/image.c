/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake-guest/guest.h"

#include <string.h>

#include "core/str.h"

#define RANGE_MAX    (4u * 1024 * 1024)
#define DOCUMENT_MAX (4u * 1024 * 1024) /* a manifest or a config */

static void end(struct guest *g)
{
        struct image *im = &g->image;

        fg_sha256_free(im->hash);
        fg_buf_finish(&im->blob);
        (void)json_object_put(im->manifest);
        *im = (struct image){ 0 };
}

static void fail(struct guest *g, const char *message)
{
        const size_t container = g->image.container;

        end(g);
        task_container_failed(g, container, "CannotPullContainerError", message);
}

static void read_blob(struct guest *g, enum image_step step, const char *digest, int64_t size)
{
        struct image *im = &g->image;

        if (!digest || !fg_digest_valid(digest)) {
                fail(g, "descriptor without a digest");
                return;
        }
        im->step = step;
        memcpy(im->digest, digest, sizeof(im->digest));
        im->size = size < 0 ? UINT64_MAX : (uint64_t)size;
        im->offset = 0;
        fg_buf_finish(&im->blob);
        im->blob = FG_BUF_INIT(DOCUMENT_MAX);
        fg_sha256_free(im->hash);
        im->hash = fg_sha256_new();
        image_request(g);
}

void image_begin(struct guest *g, size_t container)
{
        struct json_object *ref = fg_json_obj(g->containers[container].spec, "image");

        g->image.active = true;
        g->image.container = container;
        wire_event(g, "image.begin", task_member(g, container));
        read_blob(g, IMAGE_MANIFEST, fg_json_str(ref, "manifest"), -1);
}

void image_request(struct guest *g)
{
        struct image *im = &g->image;
        const uint64_t left = im->size - im->offset;
        const uint64_t length = left < RANGE_MAX ? left : RANGE_MAX;
        struct json_object *msg;

        if (!im->active || im->request || !g->talking)
                return;
        im->request = g->last_request = (uint16_t)(g->last_request % UINT16_MAX + 1);
        im->range_end = im->offset + length;
        msg = json_object_new_object();
        fg_json_set_str(msg, "type", "blob.read");
        fg_json_set_int(msg, "id", im->request);
        fg_json_set_str(msg, "digest", im->digest);
        fg_json_set_int(msg, "offset", (int64_t)im->offset);
        fg_json_set_int(msg, "length", (int64_t)length);
        wire_control(g, msg);
}

void image_forget(struct guest *g)
{
        g->image.request = 0;
}

void image_abort(struct guest *g)
{
        end(g);
}

static void next_layer(struct guest *g)
{
        struct image *im = &g->image;
        struct json_object *layers = fg_json_arr(im->manifest, "layers");
        struct json_object *layer;

        if (im->layer < (layers ? json_object_array_length(layers) : 0)) {
                layer = json_object_array_get_idx(layers, im->layer++);
                read_blob(g, IMAGE_LAYERS, fg_json_str(layer, "digest"),
                          fg_json_int(layer, "size", -1));
                return;
        }
        wire_event(g, "image.done", task_member(g, im->container));
        g->containers[im->container].image_ready = true;
        end(g);
}

static void config_read(struct guest *g)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *config = fg_json_parse(g->image.blob.data, g->image.blob.len, &err);

        if (!config) {
                fail(g, err.msg);
                return;
        }
        script_load(&g->containers[g->image.container], config);
        next_layer(g);
}

static void blob_complete(struct guest *g)
{
        struct image *im = &g->image;
        struct fg_error err = FG_ERROR_INIT;
        char digest[FG_DIGEST_LEN + 1];
        struct json_object *config;

        fg_sha256_final(im->hash, digest);
        if (!fg_streq(digest, im->digest)) {
                fail(g, "a blob does not have its digest");
                return;
        }
        switch (im->step) {
        case IMAGE_MANIFEST:
                im->manifest = fg_json_parse(im->blob.data, im->blob.len, &err);
                config = im->manifest ? fg_json_obj(im->manifest, "config") : NULL;
                if (!config)
                        fail(g, "the manifest has no config");
                else
                        read_blob(g, IMAGE_CONFIG, fg_json_str(config, "digest"),
                                  fg_json_int(config, "size", -1));
                break;
        case IMAGE_CONFIG:
                config_read(g);
                break;
        case IMAGE_LAYERS:
                next_layer(g);
                break;
        }
}

void image_blob(struct guest *g, const struct fg_frame *f)
{
        struct image *im = &g->image;
        struct fg_error err = FG_ERROR_INIT;
        bool ended;

        if (!im->active || f->stream != im->request)
                return; /* the answer to a request of before a SYNC */
        if (f->offset != im->offset || f->len > im->range_end - im->offset) {
                fail(g, "the answer is not the range that was asked for");
                return;
        }
        fg_sha256_update(im->hash, f->data, f->len);
        im->offset += f->len;
        if (im->step != IMAGE_LAYERS && fg_buf_append(&im->blob, f->data, f->len, &err) < 0) {
                fail(g, err.msg);
                return;
        }
        if (!(f->flags & FG_FRAME_LAST))
                return;
        im->request = 0;
        ended = im->offset == im->size || im->offset < im->range_end;
        if (!ended)
                image_request(g);
        else if (im->size != UINT64_MAX && im->offset != im->size)
                fail(g, "a blob is shorter than its descriptor says");
        else
                blob_complete(g);
}

void image_error(struct guest *g, struct json_object *msg)
{
        const char *text = fg_json_str(msg, "message");

        if (g->image.active && fg_json_int(msg, "id", -1) == g->image.request)
                fail(g, text ? text : "the blob cannot be had");
}

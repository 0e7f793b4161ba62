/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/blobs.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"

static struct fg_blob_range *range_at(const struct fg_blobs *b, unsigned i)
{
        return (struct fg_blob_range *)&b->ranges[(b->first + i) % FG_BLOB_SLOTS];
}

void fg_blobs_begin(struct fg_blobs *b, const char *digest, bool sized, uint64_t size)
{
        fg_blobs_stop(b);
        (void)snprintf(b->digest, sizeof(b->digest), "%s", digest);
        b->error[0] = '\0';
        b->sized = sized;
        b->size = sized ? size : FG_BLOB_SMALL;
        b->next = 0;
        b->active = true;
}

void fg_blobs_stop(struct fg_blobs *b)
{
        for (unsigned i = 0; i < FG_BLOB_SLOTS; i++) {
                fg_buf_finish(&b->ranges[i].data);
                b->ranges[i] = (struct fg_blob_range){ 0 };
        }
        b->first = b->count = 0;
        b->active = false;
}

/* The ring grows by the next range of the blob, if there is one. */
static void extend(struct fg_blobs *b)
{
        const uint32_t most = b->sized ? FG_BLOB_REQUEST : FG_BLOB_SMALL;
        const uint64_t left = b->size - b->next;
        struct fg_blob_range *r;

        if (left == 0 || b->count == FG_BLOB_SLOTS)
                return;
        r = range_at(b, b->count++);
        fg_buf_finish(&r->data);
        *r = (struct fg_blob_range){ .base = b->next,
                                     .length = left < most ? (uint32_t)left : most,
                                     .data = FG_BUF_INIT(most) };
        b->next += r->length;
}

static int append_request(struct fg_blobs *b, struct fg_blob_range *r, struct fg_buf *out,
                          struct fg_error *err)
{
        fg_autojson *m = json_object_new_object();
        struct fg_frame f = { .type = FG_FRAME_CONTROL };

        b->last_id = b->last_id == UINT16_MAX ? 1 : (uint16_t)(b->last_id + 1);
        fg_json_set_str(m, "type", "blob.read");
        fg_json_set_int(m, "id", b->last_id);
        fg_json_set_str(m, "digest", b->digest);
        fg_json_set_int(m, "offset", (int64_t)(r->base + r->data.len));
        fg_json_set_int(m, "length", (int64_t)(r->length - r->data.len));
        f.data = fg_json_text(m);
        f.len = strlen(f.data);
        if (fg_frame_append(out, &f, err) < 0)
                return -1;
        r->id = b->last_id;
        return 1;
}

int fg_blobs_append(struct fg_blobs *b, struct fg_buf *out, struct fg_error *err)
{
        if (!b->active || b->error[0])
                return 0;
        extend(b);
        for (unsigned i = 0; i < b->count; i++) {
                struct fg_blob_range *r = range_at(b, i);

                if (r->id == 0 && !r->done)
                        return append_request(b, r, out, err);
        }
        return 0;
}

static void end_range(struct fg_blobs *b, struct fg_blob_range *r)
{
        r->done = true;
        if (r->data.len == r->length)
                return;
        if (b->sized)
                (void)snprintf(b->error, sizeof(b->error), "blob %s is shorter than its descriptor",
                               b->digest);
        b->size = r->base + r->data.len;
}

static void drop_taken(struct fg_blobs *b)
{
        struct fg_blob_range *r = range_at(b, 0);

        if (b->count == 0 || !r->done || r->taken < r->data.len)
                return;
        fg_buf_finish(&r->data);
        b->first = (b->first + 1) % FG_BLOB_SLOTS;
        b->count--;
}

void fg_blobs_frame(struct fg_blobs *b, const struct fg_frame *f)
{
        struct fg_error err = FG_ERROR_INIT;

        for (unsigned i = 0; i < b->count; i++) {
                struct fg_blob_range *r = range_at(b, i);

                if (r->id != f->stream || r->done)
                        continue;
                if (f->offset != r->base + r->data.len || f->len > r->length - r->data.len ||
                    fg_buf_append(&r->data, f->data, f->len, &err) < 0)
                        (void)snprintf(b->error, sizeof(b->error), "blob %s: bad answer",
                                       b->digest);
                else if (f->flags & FG_FRAME_LAST)
                        end_range(b, r);
                drop_taken(b);
                return;
        }
}

void fg_blobs_fail(struct fg_blobs *b, uint16_t id, const char *code, const char *message)
{
        for (unsigned i = 0; i < b->count; i++) {
                if (range_at(b, i)->id == id && !range_at(b, i)->done)
                        (void)snprintf(b->error, sizeof(b->error), "%s: %s", code, message);
        }
}

void fg_blobs_rewind(struct fg_blobs *b)
{
        for (unsigned i = 0; i < b->count; i++) {
                if (!range_at(b, i)->done)
                        range_at(b, i)->id = 0;
        }
}

size_t fg_blobs_peek(const struct fg_blobs *b, const char **ret)
{
        const struct fg_blob_range *r = range_at(b, 0);

        if (b->count == 0 || r->data.len == r->taken)
                return 0;
        *ret = r->data.data + r->taken;
        return r->data.len - r->taken;
}

void fg_blobs_take(struct fg_blobs *b, size_t len)
{
        range_at(b, 0)->taken += (uint32_t)len;
        drop_taken(b);
}

bool fg_blobs_at_end(const struct fg_blobs *b)
{
        return b->active && b->count == 0 && b->next >= b->size;
}

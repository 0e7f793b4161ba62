/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/protocol.h"

#include <endian.h>
#include <string.h>

#define TRAILER_LEN        4
#define SYNC_PAYLOAD       (FG_PROTO_NONCE + 4)
#define FRAME_LEN(payload) (FG_PROTO_HEADER + (size_t)(payload) + TRAILER_LEN)
#define FLUSH_LEN          FRAME_LEN(FG_PROTO_MAX_PAYLOAD)
#define OUTPUT_MIN         8 /* the timestamp */

/* A SYNC frame's header has no variable part, so a scan can look for it. */
static const char sync_header[FG_PROTO_HEADER] = { SYNC_PAYLOAD, 0, 0, 0, FG_FRAME_SYNC };

static uint16_t get_le16(const char *p)
{
        uint16_t v;

        memcpy(&v, p, sizeof(v));
        return le16toh(v);
}

static uint32_t get_le32(const char *p)
{
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

static uint64_t get_le64(const char *p)
{
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return le64toh(v);
}

void fg_parser_init(struct fg_parser *p)
{
        /* Whoever drains the parser leaves less than one frame in it: room to feed another. */
        *p = (struct fg_parser){ .in = FG_BUF_INIT(2 * FLUSH_LEN) };
}

void fg_parser_finish(struct fg_parser *p)
{
        fg_buf_finish(&p->in);
        p->consumed = 0;
}

void fg_parser_expect_sync(struct fg_parser *p, const uint8_t nonce[FG_PROTO_NONCE])
{
        memcpy(p->want_nonce, nonce, FG_PROTO_NONCE);
        p->match_nonce = true;
        p->resync = true;
}

int fg_parser_feed(struct fg_parser *p, const void *data, size_t len, struct fg_error *err)
{
        fg_buf_consume(&p->in, p->consumed);
        p->consumed = 0;
        return fg_buf_append(&p->in, data, len, err);
}

static struct fg_frame frame_at(const char *at)
{
        return (struct fg_frame){
                .type = (enum fg_frame_type)(uint8_t)at[4],
                .flags = (uint8_t)at[5],
                .stream = get_le16(at + 6),
                .offset = get_le64(at + 8),
                .data = at + FG_PROTO_HEADER,
                .len = get_le32(at),
        };
}

static bool trailer_ok(const struct fg_frame *f)
{
        return get_le32(f->data + f->len) == FG_PROTO_TRAILER;
}

/* The first rule that @f's header breaks, or NULL. */
static const char *header_violation(const struct fg_frame *f)
{
        if (f->len > FG_PROTO_MAX_PAYLOAD)
                return "frame too long";
        if (f->flags & ~FG_FRAME_LAST)
                return "unknown flag";
        switch (f->type) {
        case FG_FRAME_SYNC:
                return f->len == SYNC_PAYLOAD ? NULL : "SYNC of a wrong length";
        case FG_FRAME_OUTPUT:
                return f->len >= OUTPUT_MIN ? NULL : "OUTPUT without a timestamp";
        case FG_FRAME_CONTROL:
        case FG_FRAME_BLOB:
                return NULL;
        case FG_FRAME_PAD:
        default:
                return "unknown frame type";
        }
}

/* Skips everything up to a SYNC (with the nonce that the host waits for). */
static int scan(struct fg_parser *p, struct fg_frame *ret)
{
        while (p->in.len - p->consumed >= FG_PROTO_HEADER) {
                const char *at = p->in.data + p->consumed;
                const char *end = p->in.data + p->in.len;
                const char *hit = memmem(at, (size_t)(end - at), sync_header, FG_PROTO_HEADER);
                struct fg_frame f;

                if (!hit) {
                        /* The rest may be the beginning of a header. */
                        p->consumed = p->in.len - (FG_PROTO_HEADER - 1);
                        return 0;
                }
                p->consumed = (size_t)(hit - p->in.data);
                if ((size_t)(end - hit) < FRAME_LEN(SYNC_PAYLOAD))
                        return 0;
                f = frame_at(hit);
                if (trailer_ok(&f) &&
                    (!p->match_nonce || memcmp(f.data, p->want_nonce, FG_PROTO_NONCE) == 0)) {
                        p->consumed += FRAME_LEN(SYNC_PAYLOAD);
                        p->resync = false;
                        *ret = f;
                        return 1;
                }
                p->consumed++;
        }
        return 0;
}

/*
 * The host gives a guest up that breaks a rule. The guest must live on: what it reads may be a
 * frame that a former host left unfinished, and the padding and SYNC of its successor.
 */
static int violated(struct fg_parser *p, const char *rule, struct fg_frame *ret,
                    struct fg_error *err)
{
        if (p->match_nonce)
                return fg_fail(err, FG_ERR_INVALID, "protocol violation: %s", rule);
        p->resync = true;
        return scan(p, ret);
}

int fg_parser_next(struct fg_parser *p, struct fg_frame *ret, struct fg_error *err)
{
        const char *rule;
        struct fg_frame f;

        if (p->resync)
                return scan(p, ret);
        if (p->in.len - p->consumed < FG_PROTO_HEADER)
                return 0;
        f = frame_at(p->in.data + p->consumed);
        rule = header_violation(&f);
        if (rule)
                return violated(p, rule, ret, err);
        if (p->in.len - p->consumed < FRAME_LEN(f.len))
                return 0;
        if (!trailer_ok(&f)) {
                /* Dropped whole: its payload may hold bytes that look like a SYNC. */
                if (!p->match_nonce)
                        p->consumed += FRAME_LEN(f.len);
                return violated(p, "wrong trailer", ret, err);
        }
        p->consumed += FRAME_LEN(f.len);
        *ret = f;
        return 1;
}

/* Room was reserved: cannot fail. */
static void put(struct fg_buf *out, const void *data, size_t len)
{
        if (len > 0)
                memcpy(out->data + out->len, data, len);
        out->len += len;
        out->data[out->len] = '\0';
}

int fg_frame_append(struct fg_buf *out, const struct fg_frame *f, struct fg_error *err)
{
        const uint32_t trailer = htole32(FG_PROTO_TRAILER);
        const uint64_t offset = htole64(f->offset);
        const uint16_t stream = htole16(f->stream);
        char header[FG_PROTO_HEADER] = { 0 };
        uint32_t len;

        if (f->len > FG_PROTO_MAX_PAYLOAD)
                return fg_fail(err, FG_ERR_INVALID, "frame of %zu bytes is too long", f->len);
        if (fg_buf_reserve(out, FRAME_LEN(f->len), err) < 0)
                return -1;
        len = htole32((uint32_t)f->len);
        memcpy(header, &len, sizeof(len));
        header[4] = (char)f->type;
        header[5] = (char)f->flags;
        memcpy(header + 6, &stream, sizeof(stream));
        memcpy(header + 8, &offset, sizeof(offset));
        put(out, header, sizeof(header));
        put(out, f->data, f->len);
        put(out, &trailer, sizeof(trailer));
        return 0;
}

int fg_sync_append(struct fg_buf *out, const uint8_t nonce[FG_PROTO_NONCE], bool flush_peer,
                   struct fg_error *err)
{
        const size_t padding = flush_peer ? FLUSH_LEN : 0;
        const uint32_t version = htole32(FG_PROTO_VERSION);
        char payload[SYNC_PAYLOAD];
        const struct fg_frame f = { .type = FG_FRAME_SYNC, .data = payload, .len = SYNC_PAYLOAD };

        memcpy(payload, nonce, FG_PROTO_NONCE);
        memcpy(payload + FG_PROTO_NONCE, &version, sizeof(version));
        if (fg_buf_reserve(out, padding + FRAME_LEN(SYNC_PAYLOAD), err) < 0)
                return -1;
        if (padding > 0) {
                memset(out->data + out->len, 0, padding);
                out->len += padding;
        }
        return fg_frame_append(out, &f, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

/*
 * The wire between fgd and a guest: one virtio-serial port named FG_PROTO_PORT, a byte stream of
 * frames. Shared by guest-init (one end) and vmm/channel.c (the other). All integers little-endian.
 * The full description of the messages is docs/protocol.md.
 *
 *   frame   = header(16) payload(len) trailer(4)
 *   header  = len u32 | type u8 | flags u8 | stream u16 | offset u64
 *   trailer = FG_PROTO_TRAILER
 *
 * Either end may vanish and come back (fgd is replaced while QEMU runs on). A new fgd first sends
 * FG_PROTO_MAX_PAYLOAD + 20 zero bytes, which complete whatever frame the guest was reading: such a
 * frame has a wrong trailer and is dropped, and zeros between frames are skipped. Then it sends a
 * SYNC frame with a fresh nonce. A guest that sees SYNC forgets its outstanding requests and
 * answers SYNC with the same nonce; the host discards everything before that answer. Then both
 * resend: the guest its unacknowledged events and output, fgd its answers to repeated requests.
 */
#define FG_PROTO_PORT        "org.fgrun.guest.0"
#define FG_PROTO_VERSION     1
#define FG_PROTO_HEADER      16
#define FG_PROTO_TRAILER     0x4e525546u
#define FG_PROTO_MAX_PAYLOAD (256u * 1024)
#define FG_PROTO_NONCE       16

/* In the initramfs of a kernel whose drivers are modules: their paths in the order to load them. */
#define FG_PROTO_MODULES_DIR "/modules"
#define FG_PROTO_MODULES     FG_PROTO_MODULES_DIR "/order"

enum fg_frame_type {
        FG_FRAME_PAD = 0,     /* never a frame: zeros between frames are skipped */
        FG_FRAME_SYNC = 1,    /* both ways; payload: nonce[16], then the protocol version u32 */
        FG_FRAME_CONTROL = 2, /* both ways; payload: one JSON object with a "type" */
        FG_FRAME_BLOB = 3,   /* host to guest; stream: request id; offset: in the blob; raw bytes */
        FG_FRAME_OUTPUT = 4, /* guest to host; stream: container index * 2 + (1 for stderr);
                                offset: of the first byte in that stream;
                                payload: timestamp u64 (CLOCK_REALTIME ns), then raw bytes */
};

#define FG_FRAME_LAST 0x01 /* BLOB: the end of the requested range. OUTPUT: the stream's end. */

struct fg_frame {
        enum fg_frame_type type;
        uint8_t flags;
        uint16_t stream;
        uint64_t offset;
        const char *data; /* borrowed from the parser until its next call */
        size_t len;
};

/*
 * An incremental parser. Bytes go in, frames come out. Violations (unknown type or flag, length
 * over the cap, wrong trailer, padding sent to the host) are errors for fgd: the guest is hostile
 * and is destroyed. The guest's parser sets `resync` instead: everything but SYNC is skipped, and a
 * frame with a wrong trailer is dropped whole. Feed at most FG_PROTO_MAX_PAYLOAD bytes between two
 * fg_parser_next() that return 0; over that, feeding may fail with CAPACITY.
 */
struct fg_parser {
        struct fg_buf in;
        size_t consumed; /* bytes at the front of `in` that are done with */
        bool resync;     /* only a SYNC frame ends this */
        uint8_t want_nonce[FG_PROTO_NONCE];
        bool match_nonce; /* the host's side: resync ends only at a SYNC with want_nonce */
};

void fg_parser_init(struct fg_parser *p);
void fg_parser_finish(struct fg_parser *p);
/** fg_parser_expect_sync() - host: discard all input until a SYNC that carries @nonce. */
void fg_parser_expect_sync(struct fg_parser *p, const uint8_t nonce[FG_PROTO_NONCE]);
int fg_parser_feed(struct fg_parser *p, const void *data, size_t len, struct fg_error *err);
/** fg_parser_next() - 1: a frame, 0: more bytes needed, -1: INVALID (protocol violation). */
int fg_parser_next(struct fg_parser *p, struct fg_frame *ret, struct fg_error *err);

/** fg_frame_append() - serialise @f to @out; CAPACITY when @out is full, INVALID when too long. */
int fg_frame_append(struct fg_buf *out, const struct fg_frame *f, struct fg_error *err);
/** fg_sync_append() - a SYNC frame; @flush_peer: preceded by the zero padding (host only). */
int fg_sync_append(struct fg_buf *out, const uint8_t nonce[FG_PROTO_NONCE], bool flush_peer,
                   struct fg_error *err);

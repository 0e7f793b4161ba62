/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "guest-init/loop.h"

#define FG_OUTPUT_RING     (1024u * 1024)
#define FG_OUTPUT_RING_MAX (64u * 1024 * 1024)
#define FG_OUTPUT_CHUNKS   4096 /* per MiB of the ring */

/* One read from the pipe: bytes from @offset up to the next chunk were written at @at. */
struct fg_chunk {
        uint64_t offset;
        uint64_t at;      /* CLOCK_REALTIME, ns */
        uint64_t skipped; /* bytes of the stream that were dropped before it */
};

/*
 * One stream of a container: a pipe's read end and the bytes that the host has not acknowledged.
 * When the ring is full the pipe is not read, so a flooding container slows itself only. A lossy
 * stream is read and dropped then; on the wire, offsets jump over what was dropped.
 * Offsets count the bytes that were taken: acked <= sent <= end <= acked + size.
 */
struct fg_output {
        struct fg_source source; /* fd -1 when closed */
        struct fg_loop *loop;
        uint16_t stream;
        bool watched; /* in the loop */
        bool exited;  /* all writers are gone */
        bool eof;     /* no byte of this pipe will follow @end */
        bool held;    /* another pipe may follow: eof is not the stream's end */
        bool last_sent;
        bool lossy;
        uint64_t dropped; /* bytes, so far */
        char *ring;
        size_t size; /* of the ring */
        struct fg_chunk *chunks;
        size_t n_chunks;
        size_t first, count; /* of chunks */
        uint64_t acked, sent, end;
};

/** fg_output_init() - @take_fd: a pipe's read end */
int fg_output_init(struct fg_output *o, struct fg_loop *loop, uint16_t stream, int take_fd,
                   struct fg_error *err);
/** fg_output_lossy() - before the first byte: never wait, buffer @bytes and drop the rest. */
int fg_output_lossy(struct fg_output *o, size_t bytes, struct fg_error *err);
/** fg_output_reopen() - the stream goes on with another pipe; its former one is at eof */
int fg_output_reopen(struct fg_output *o, int take_fd, struct fg_error *err);
void fg_output_finish(struct fg_output *o); /* what it holds is lost */
/** fg_output_exited() - the writers are gone: what is left in the pipe is all there will be */
void fg_output_exited(struct fg_output *o);
void fg_output_ack(struct fg_output *o, uint64_t offset);
/** fg_output_rewind() - the host may have lost everything after the last acknowledged byte */
void fg_output_rewind(struct fg_output *o);
/** fg_output_append() - serialise the next frame. Return: 1, or 0 when there is nothing to send. */
int fg_output_append(struct fg_output *o, struct fg_buf *out, struct fg_error *err);
bool fg_output_all_sent(const struct fg_output *o);  /* up to its end, which has been reached */
bool fg_output_all_acked(const struct fg_output *o); /* the same, stored by the host */

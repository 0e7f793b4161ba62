/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

struct json_object;

/* Puts a task's output where it belongs: stdout on stdout, stderr on stderr, byte for byte. */
struct fg_output {
        bool json;         /* write each line of the stream as it came, on stdout */
        bool timestamps;   /* put the time before each line of text */
        bool mid_line[2];  /* with timestamps: what follows continues a line */
        uint64_t first_ns; /* CLOCK_MONOTONIC after the first byte was written, or 0 */
        struct fg_buf bytes;
};

#define FG_OUTPUT_MAX (64U << 20)

void fg_output_init(struct fg_output *out, bool json, bool timestamps);
void fg_output_finish(struct fg_output *out);

/**
 * fg_output_write() - one line of the log stream that carries output ("stream", "data")
 * Says on stderr how much is missing before it ("lost"), unless json.
 * Return: 0; 1 when the reader has gone (EPIPE); -1: INTERNAL, INVALID.
 */
int fg_output_write(struct fg_output *out, struct json_object *line, struct fg_error *err);

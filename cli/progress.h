/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fg_cli;
struct json_object;

/* A pull's progress as one line at the bottom of the terminal (stderr). */
struct fg_progress {
        bool enabled;
        bool shown;
        unsigned columns;
        uint64_t drawn_ns;
};

struct fg_pull_state {
        const char *image;
        const char *status;
        uint64_t done, total; /* bytes; total 0: not known yet */
        uint64_t layers_done, layers;
};

void fg_progress_init(struct fg_progress *p, const struct fg_cli *cli);
/** fg_progress_update() - draw a line of the API's pull progress, at most 20 times a second. */
void fg_progress_update(struct fg_progress *p, const char *image, struct json_object *line);
/** fg_progress_clear() - take the bar away, before anything else is written to the terminal. */
void fg_progress_clear(struct fg_progress *p);

#define FG_PROGRESS_MAX 512
/** fg_progress_render() - the text of the line, at most @columns wide, into @ret (FG_PROGRESS_MAX).
 */
void fg_progress_render(const struct fg_pull_state *state, unsigned columns, char *ret);

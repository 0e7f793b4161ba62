/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/logstore_segment.h"

/* One log being read, record by record, while it may grow. Lane only. Private to the log store. */
struct fg_logcursor;

/** fg_logcursor_open() - @taskdir: descriptor of the task's directory; NULL with NOT_FOUND too. */
struct fg_logcursor *fg_logcursor_open(int taskdir, const char *container, struct fg_error *err);
void fg_logcursor_free(struct fg_logcursor *c);
FG_DEFINE_CLEANUP(struct fg_logcursor *, fg_logcursor_free)
const char *fg_logcursor_container(const struct fg_logcursor *c); /* lives as long as the cursor */
/**
 * fg_logcursor_peek() - the record at hand
 * @ret: borrowed until the next pop or peek
 * Return: 1; 0: nothing more for now; -1: error.
 */
int fg_logcursor_peek(struct fg_logcursor *c, struct fg_logrecord *ret, struct fg_error *err);
void fg_logcursor_pop(struct fg_logcursor *c); /* after a peek that returned 1 */

/* ---- from the middle of a log ---- */

struct fg_logplace {
        uint32_t segment;
        uint32_t partial; /* streams that stand in the middle of a line at its start */
        uint64_t time_ns; /* of its first record */
        uint64_t value;   /* the first FG_LOGPLACE_VALUE bytes of it, or 0: it is shorter */
};
#define FG_LOGPLACE_VALUE 8

/**
 * fg_logcursor_places() - where each segment begins, in order; those without a record are left out
 * Return: their number, at most @max (of the newest ones), or -1.
 */
int fg_logcursor_places(struct fg_logcursor *c, struct fg_logplace *ret, size_t max,
                        struct fg_error *err);
/** fg_logcursor_seek() - go on with the segment @n, or its next one when it was dropped. */
void fg_logcursor_seek(struct fg_logcursor *c, uint32_t n);
/** fg_logcursor_position() - of the record at hand: grows with every record, and stays. */
uint64_t fg_logcursor_position(const struct fg_logcursor *c);

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

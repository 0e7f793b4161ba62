/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/logstore_segment.h"

/*
 * One log on disk, open for appending. Lane only: everything blocks. Private to the log store.
 */
struct fg_logfile;

struct fg_logfile_limits {
        uint64_t segment_bytes;
        uint64_t total_bytes;
};

/** fg_logfile_open() - create or recover: a torn tail is cut off. @path: the log's directory. */
int fg_logfile_open(const char *path, const struct fg_logfile_limits *limits,
                    struct fg_logfile **ret, struct fg_error *err);
void fg_logfile_free(struct fg_logfile *f);
FG_DEFINE_CLEANUP(struct fg_logfile *, fg_logfile_free)
/**
 * fg_logfile_append() - buffer one record, rotating when the segment is full
 * @r: len, time, offset and stream are set. What is stored already is cut off its front; a record
 *     that would leave a gap is INVALID, but in a lossy log.
 */
int fg_logfile_append(struct fg_logfile *f, const struct fg_segment_record *r, const char *data,
                      struct fg_error *err);
void fg_logfile_lossy(struct fg_logfile *f);
/** fg_logfile_flush() - write what is buffered. After an error the log must be opened anew. */
int fg_logfile_flush(struct fg_logfile *f, struct fg_error *err);
const uint64_t *fg_logfile_next(const struct fg_logfile *f); /* of each stream, buffered included */

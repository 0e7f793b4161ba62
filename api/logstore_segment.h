/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/logstore.h"

/*
 * The files of a log: 00000001.log, 00000002.log, ... Each begins with a header that says where
 * the streams stood, so that the last one alone tells how to go on. Then records follow, each a
 * struct and its bytes. Little-endian, as is every host that runs fgd. Private to the log store.
 */
#define FG_SEGMENT_NAME_MAX 16

struct fg_segment_header {
        char magic[8];
        uint64_t next[FG_LOG_STREAMS]; /* offset of each stream at the segment's start */
        uint32_t crc;                  /* of `partial` and next[] */
        uint32_t partial;              /* bit i: stream i stood in the middle of a line */
};

struct fg_segment_record {
        uint32_t crc; /* of all that follows it, and of the bytes */
        uint32_t len; /* of the bytes */
        uint64_t time_ns;
        uint64_t offset;
        uint64_t stream;
};

/* Where a log stands: what its next segment's header and next record need to know. */
struct fg_segment_end {
        uint64_t next[FG_LOG_STREAMS];
        uint32_t partial;
        uint64_t time_ns; /* of the last record */
};

void fg_segment_name(uint32_t n, char ret[FG_SEGMENT_NAME_MAX]);
/** fg_segment_after() - the lowest segment above @n, and the highest; 0 when there is none. */
int fg_segment_after(int dirfd, uint32_t n, uint32_t *ret_lowest, uint32_t *ret_highest,
                     struct fg_error *err);
void fg_segment_header_init(struct fg_segment_header *h, const struct fg_segment_end *end);
/** fg_segment_header_parse() - false: too short or damaged. */
bool fg_segment_header_parse(const char *data, size_t len, struct fg_segment_header *ret);
void fg_segment_record_seal(struct fg_segment_record *r, const char *data); /* sets the crc */
/** fg_segment_record_parse() - 1: a whole record, 0: more bytes needed, -1: damaged. */
int fg_segment_record_parse(const char *data, size_t len, struct fg_segment_record *ret);
/**
 * fg_segment_recover() - where the valid records of an open segment end
 * @ret_end: 0 when not even the header is valid
 * @end: how the log stands at that point; left alone when there is no header
 */
int fg_segment_recover(int fd, struct fg_segment_end *end, uint64_t *ret_end, struct fg_error *err);
/** fg_segment_end_add() - a record was appended. */
void fg_segment_end_add(struct fg_segment_end *end, const struct fg_segment_record *r,
                        const char *data);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/cwlogs/pattern.h"
#include "api/logstore_cursor.h"
#include "core/cleanup.h"

/*
 * A log of the log store as CloudWatch Logs shows it: one event after the other. A task's output is
 * not stored a second time, its lines are made events while they are read:
 *
 * - A line is an event, empty ones are none. stdout and stderr are one sequence, in the order in
 *   which lines were completed; the last line of a log counts when nothing can follow it.
 * - An event's time is that of its first byte; of its last one when output of the other stream came
 *   in between. So events never go back in time.
 * - With a pattern, lines are joined to the one before them until one matches, five seconds have
 *   passed, or the event would become too long.
 * - What is longer than FG_LOGEVENT_MAX becomes several events.
 *
 * A log of put events has one record per event: its time in ms (8 bytes, little-endian), its text;
 * the record's own time is that of ingestion. Lane only.
 */
struct fg_logview;

#define FG_LOGEVENT_MAX (256u * 1024 - 26) /* as the awslogs driver cuts */
#define FG_LOGPUT_HEAD  8

struct fg_logview_options {
        const struct fg_pattern
                *starts; /* of the first line of an event; NULL: every line is one */
        bool put;        /* a log of put events */
        bool ended;      /* nothing will be appended to the log */
        uint64_t now_ms;
};

struct fg_logevent {
        uint64_t time_ms, ingestion_ms;
        uint64_t position; /* grows from event to event */
        const char *data;  /* until the next call */
        size_t len;
};

/** fg_logview_open() - @taskdir as in fg_logcursor_open(). NULL: NOT_FOUND, and others. */
struct fg_logview *fg_logview_open(int taskdir, const char *container,
                                   const struct fg_logview_options *options, struct fg_error *err);
void fg_logview_free(struct fg_logview *v);
FG_DEFINE_CLEANUP(struct fg_logview *, fg_logview_free)
/** fg_logview_segments() - how many there are. 0: the log is empty. */
size_t fg_logview_segments(const struct fg_logview *v);
/** fg_logview_segment_time() - no event of an ordered log that ends in it is older (ms). */
uint64_t fg_logview_segment_time(const struct fg_logview *v, size_t segment);
/** fg_logview_find() - the segment to start with, for all events of @time_ms and later. */
size_t fg_logview_find(const struct fg_logview *v, uint64_t time_ms);
/** fg_logview_start() - go on with the events that end in @segment or later. */
void fg_logview_start(struct fg_logview *v, size_t segment);
/** fg_logview_next() - 1; 0: no more for now; -1. */
int fg_logview_next(struct fg_logview *v, struct fg_logevent *ret, struct fg_error *err);

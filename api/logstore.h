/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * What containers wrote, on disk: DIR/<task>/<container>/NNNNNNNN.log. A log has two streams; each
 * byte has an offset in its stream. The loop never touches the disk: one lane writes, another one
 * reads. A byte reported as stored is in the file (in the page cache: it survives the death of
 * fgd, not that of the host), so it may be acknowledged to the guest, which then forgets it.
 * All functions and callbacks: loop only, none blocks unless it says so.
 */
enum { FG_LOG_STDOUT, FG_LOG_STDERR, FG_LOG_STREAMS };

#define FG_LOG_MAX_RECORD (1024u * 1024) /* bytes of one append */

struct fg_logstore_options {
        const char *dir;          /* created when missing; copied */
        uint64_t segment_bytes;   /* 0: 4 MiB; a log is rotated at this size */
        uint64_t container_bytes; /* 0: 64 MiB; beyond it a log loses its oldest segments */
        uint64_t store_bytes; /* 0: unlimited; beyond it stopped tasks lose their logs, oldest first
                               */
        size_t queue_bytes;   /* 0: 1 MiB; bytes of one log waiting to be written */
};

struct fg_logstore;
struct fg_logwriter; /* one container's log, being written */
struct fg_logreader; /* all or one of a task's logs, being read */

/** fg_logstore_new() - blocks shortly (mkdir). */
int fg_logstore_new(sd_event *event, const struct fg_logstore_options *options,
                    struct fg_logstore **ret, struct fg_error *err);
/** fg_logstore_free() - writes what is queued. Free all writers and readers first. */
void fg_logstore_free(struct fg_logstore *store);
FG_DEFINE_CLEANUP(struct fg_logstore *, fg_logstore_free)

/* ---- writing ---- */

struct fg_logwriter_events {
        /*
         * Stream i is in the file up to, not including, next[i]. The first call follows the open
         * and tells what an earlier life has stored: a resumed guest is to go on from there.
         */
        void (*stored)(void *userdata, const uint64_t next[FG_LOG_STREAMS]);
        /* The queue is at most half full again, after append() had returned 1. */
        void (*drained)(void *userdata);
        /*
         * Nothing more will be stored; the writer can only be freed. INVALID: a gap between two
         * appends of a stream (a broken guest). Else the disk's error.
         */
        void (*failed)(void *userdata, const struct fg_error *err);
};

/**
 * fg_logwriter_new() - open or create a log
 * @task: FG_ID_LEN hex digits
 * @container: an ECS container name; INVALID when it cannot be a directory's name
 * @events: static; borrowed. No callback runs after fg_logwriter_free()
 * At start, open the logs of all running tasks before the loop runs: the cap of the store spares
 * a task only while it has a writer. One writer per log at a time.
 */
int fg_logwriter_new(struct fg_logstore *store, const char *task, const char *container,
                     const struct fg_logwriter_events *events, void *userdata,
                     struct fg_logwriter **ret, struct fg_error *err);
/** fg_logwriter_lossy() - from now on a gap is no error: the bytes are missing, and readers are
 * told. */
void fg_logwriter_lossy(struct fg_logwriter *w);
/** fg_logwriter_free() - what is queued is still written, in the background. */
void fg_logwriter_free(struct fg_logwriter *w);
FG_DEFINE_CLEANUP(struct fg_logwriter *, fg_logwriter_free)

/**
 * fg_logwriter_append() - queue bytes; may be called from the start on, before stored()
 * @offset: of the first byte in its stream. Bytes that are stored already are dropped, so a guest
 *          may resend.
 * Return: 0; 1: taken, and this guest should be read no further until drained(); -1: INVALID
 * (unknown stream, record too long), CAPACITY (queue at four times its size: the 1 was ignored),
 * or the error given to failed().
 */
int fg_logwriter_append(struct fg_logwriter *w, unsigned stream, uint64_t offset, uint64_t time_ns,
                        const void *data, size_t len, struct fg_error *err);

/** fg_logstore_has_writer() - may something be appended to one of the task's logs? */
bool fg_logstore_has_writer(const struct fg_logstore *store, const char *task);

/* ---- reading ---- */

struct fg_logrecord {
        const char *container;
        unsigned stream;
        uint64_t time_ns;
        uint64_t offset;
        uint64_t lost; /* bytes of this stream missing right before this record (rotated away) */
        const char *data;
        size_t len;
};

struct fg_logreader_options {
        const char *task;
        const char *container; /* NULL: all of the task's, merged by time */
        uint64_t since_ns;     /* records before it are left out */
        bool follow;           /* wait for more until fg_logstore_finish() */
};

/*
 * The answer to one fg_logreader_read(): at least one record, or none at the end of the log (or
 * on an error, when @err is not NULL). The records are borrowed for the time of the call.
 */
typedef void (*fg_logreader_fn)(void *userdata, const struct fg_logrecord *records, size_t n,
                                const struct fg_error *err);

/** fg_logreader_new() - a task without logs is an empty log, not an error. Copies the options. */
struct fg_logreader *fg_logreader_new(struct fg_logstore *store,
                                      const struct fg_logreader_options *options,
                                      fg_logreader_fn fn, void *userdata);
/** fg_logreader_free() - at any time, also from its callback; the callback will not run again. */
void fg_logreader_free(struct fg_logreader *r);
FG_DEFINE_CLEANUP(struct fg_logreader *, fg_logreader_free)
/**
 * fg_logreader_read() - ask for the next batch (about 256 KiB at most); exactly one callback
 * follows, later, from the loop. With follow it may take until more is written. One at a time.
 */
void fg_logreader_read(struct fg_logreader *r);

/* ---- tasks ---- */

/**
 * fg_logstore_finish() - the task has stopped: its followers get the rest and then the end
 * Bytes queued by writers that were freed before are part of the rest.
 */
void fg_logstore_finish(struct fg_logstore *store, const char *task);
/**
 * fg_logstore_remove() - delete a stopped task's logs; its writers are gone
 * @done: gets the bytes freed; or NULL
 */
void fg_logstore_remove(struct fg_logstore *store, const char *task,
                        void (*done)(void *userdata, uint64_t bytes), void *userdata);

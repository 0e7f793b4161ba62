/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <systemd/sd-event.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * A lane is a small pool of threads for one kind of blocking work. The loop submits a job; a lane
 * thread runs work(); the loop then runs done(), exactly once. Jobs carry copies and ids, never
 * pointers into loop-owned state; done() looks its id up again and may find it gone. The queue is
 * the only lock in the daemon.
 */
struct fg_lane;

struct fg_job {
        void (*work)(struct fg_job *job); /* on a lane thread; blocking allowed */
        void (*done)(struct fg_job *job); /* on the loop; owns the job from here on (frees it) */
        struct fg_job *next_;             /* the lane's */
        struct fg_lane *lane_;            /* the lane's */
};

/**
 * fg_lane_new() - start a lane
 * @event:   the loop; borrowed, must outlive the lane
 * @name:    thread name, at most 15 bytes
 * @threads: 1 keeps the order of submission
 */
int fg_lane_new(sd_event *event, const char *name, unsigned threads, struct fg_lane **ret,
                struct fg_error *err);
/** fg_lane_free() - run what is queued to its end, join the threads, run the done()s. Loop only. */
void fg_lane_free(struct fg_lane *lane);
FG_DEFINE_CLEANUP(struct fg_lane *, fg_lane_free)
/** fg_lane_submit() - takes @job until its done(). Loop only (or before the loop runs). */
void fg_lane_submit(struct fg_lane *lane, struct fg_job *job);
/**
 * fg_lane_post() - from any thread while the lane lives: have @note->done() run on the loop. From
 * inside work() it runs before the job's own done(), for progress. Takes @note (a separate
 * object). A lane of no threads is a mailbox for threads that are not ours.
 */
void fg_lane_post(struct fg_lane *lane, struct fg_job *note);

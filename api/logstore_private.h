/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/queue.h>

#include "api/logstore.h"
#include "api/logstore_file.h"
#include "core/lane.h"

/* What the files of the log store share. All of it belongs to the loop. */
struct fg_logstore {
        char *dir;
        struct fg_logfile_limits limits; /* immutable; lanes copy it */
        uint64_t store_bytes;
        size_t queue_bytes;
        struct fg_lane *write_lane; /* one thread: keeps the order of all changes on disk */
        struct fg_lane *read_lane;
        LIST_HEAD(, fg_logwriter) writers;
        LIST_HEAD(, fg_logreader) readers;
        uint64_t changes;     /* batches written, and ends: tells a reader whether it missed one */
        uint64_t until_sweep; /* bytes to be written before the store's size is looked at */
        bool sweeping;
};

/** fg_logstore_wrote() - a batch is in the file, or a writer is gone (@bytes 0). */
void fg_logstore_wrote(struct fg_logstore *store, const char *task, uint64_t bytes);
/** fg_logstore_sweep() - have stopped tasks' logs removed, oldest first, until the cap is met. */
void fg_logstore_sweep(struct fg_logstore *store);
/** fg_logwriter_tasks() - heap list of tasks with writers, one per line. */
char *fg_logwriter_tasks(const struct fg_logstore *store);
/** fg_logreader_wake() - waiting readers of @task look again; @finish: they need not wait more. */
void fg_logreader_wake(struct fg_logstore *store, const char *task, bool finish);

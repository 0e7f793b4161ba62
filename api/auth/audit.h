/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * The audit log: a line of JSON for each request, in files of one directory (mode 0600) of which
 * the oldest go. Written by a lane: the loop never waits, and what it cannot get rid of in time is
 * counted and said in the next line that is written. Loop only.
 */
#define FG_AUDIT_FILES     8          /* audit.log and audit.log.1 … 7 */
#define FG_AUDIT_QUEUE_MAX (4U << 20) /* bytes that may wait for the disk */

struct fg_audit;

/* Borrowed; NULL is left out. Nothing of it may be a secret or of a body. */
struct fg_audit_entry {
        uint64_t time_ns;
        const char *request, *who, *peer, *method, *path, *action, *resource;
        const char *error; /* the exception's name */
        int status;        /* 0: no answer, the client has left */
};

/** fg_audit_new() - @max_bytes: of all files together; 0: no log, and *ret is NULL. */
int fg_audit_new(sd_event *event, const char *dir, uint64_t max_bytes, struct fg_audit **ret,
                 struct fg_error *err);
/** fg_audit_free() - writes what waits. */
void fg_audit_free(struct fg_audit *a);
FG_DEFINE_CLEANUP(struct fg_audit *, fg_audit_free)
/** fg_audit_write() - @a may be NULL. */
void fg_audit_write(struct fg_audit *a, const struct fg_audit_entry *entry);
/** fg_audit_lost() - lines that were lost: the disk was full, or too slow. */
uint64_t fg_audit_lost(const struct fg_audit *a);

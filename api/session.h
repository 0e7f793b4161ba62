/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "api/cwlogs/cwlogs.h"
#include "api/logstore.h"
#include "api/task.h"
#include "core/lane.h"
#include "core/secret.h"
#include "images/images.h"
#include "vmm/vmm.h"

/*
 * The conversation with one guest (docs/protocol.md): serves it blobs, stores its output and
 * acknowledges what is stored, hands its events on in order. The guest is hostile: whatever breaks
 * a rule ends the session. Loop only.
 */
struct fg_session;

struct fg_session_ops {
        /* The guest said hello and the logs are open. @has_task: it has got its task before. */
        void (*ready)(void *userdata, bool has_task);
        /* The next event; task.stopped comes only when all output is stored. */
        void (*event)(void *userdata, uint64_t seq, struct json_object *event);
        void (*first_output)(void *userdata, uint64_t time_ns);
        /* Over: INVALID when the guest broke the protocol. Only fg_session_free() may follow. */
        void (*down)(void *userdata, const struct fg_error *err);
};

struct fg_session_parts {
        struct fg_vmm *vmm;
        struct fg_images *images;
        struct fg_logstore *logs;
        struct fg_cwlogs *cwlogs;
        struct fg_lane *io;
};

/** fg_session_new() - connect to @task's VM; @task outlives the session. Answers through @ops. */
int fg_session_new(const struct fg_session_parts *parts, const struct fg_task *task,
                   const struct fg_session_ops *ops, void *userdata, struct fg_session **ret,
                   struct fg_error *err);
void fg_session_free(struct fg_session *s);
FG_DEFINE_CLEANUP(struct fg_session *, fg_session_free)
int fg_session_send_task(struct fg_session *s, struct json_object *task, struct fg_error *err);
/** fg_session_send_variables() - before the task: a message per line of @lines. */
int fg_session_send_variables(struct fg_session *s, const struct fg_secret *lines,
                              struct fg_error *err);
/** fg_session_resume() - after ready(has_task): the guest repeats what is not stored yet. */
int fg_session_resume(struct fg_session *s, struct fg_error *err);
/** fg_session_disks_lost() - images whose disks the guest does not have yet it is to unpack */
int fg_session_disks_lost(struct fg_session *s, struct fg_error *err);
int fg_session_stop(struct fg_session *s, const char *reason, struct fg_error *err);
/** fg_session_ack() - the guest may forget its events up to @seq: they are durable. */
void fg_session_ack(struct fg_session *s, uint64_t seq);

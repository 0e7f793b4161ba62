/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/session.h"
#include "guest-init/protocol.h"

#define BLOB_REQUESTS 8 /* outstanding ones a guest may have */

struct output { /* one container's two streams */
        struct fg_session *session;
        unsigned index;
        struct fg_logwriter *writer;
        uint64_t stored[FG_LOG_STREAMS];
        uint64_t received[FG_LOG_STREAMS];
        bool opened;
        bool lossy;    /* a gap is what the guest had no room for */
        uint64_t lost; /* bytes */
};

struct blob_request {
        uint16_t id;
        int fd;
        uint64_t offset, end;
};

struct blob_read; /* one piece being read on the io lane */

struct blobs {
        struct blob_request queue[BLOB_REQUESTS]; /* served in order */
        unsigned n;
        struct blob_read *reading; /* NULL: none */
        bool blocked;              /* the channel's queue is full */
};

struct fg_session {
        struct fg_session_parts parts;
        const struct fg_task *task;
        const struct fg_session_ops *ops;
        void *userdata;
        struct fg_channel *channel;
        struct output *outputs;
        struct blobs blobs;
        uint64_t seq;         /* the last event handed on */
        uint64_t events_paid; /* CLOCK_MONOTONIC, ns: when the guest's events so far are paid off */
        struct json_object *final; /* task.stopped, waiting for output to be stored */
        unsigned full;             /* logs that asked for a pause */
        bool hello, has_task, ready, output_seen, dead;
};

/** session_fail() - the session is over; tells the owner once. Return: -1. */
int session_fail(struct fg_session *s, const struct fg_error *err);
int session_send(struct fg_session *s, const struct fg_frame *f, struct fg_error *err);
int session_send_json(struct fg_session *s, struct json_object *take_message, struct fg_error *err);

int blobs_request(struct fg_session *s, struct json_object *message, struct fg_error *err);
void blobs_writable(struct fg_session *s);
void blobs_reset(struct fg_session *s); /* the guest has forgotten its requests */

int outputs_open(struct fg_session *s, struct fg_error *err);
void outputs_close(struct fg_session *s);
int outputs_frame(struct fg_session *s, const struct fg_frame *f, struct fg_error *err);
bool outputs_stored(const struct fg_session *s); /* everything received is in the files */
struct json_object *outputs_offsets(const struct fg_session *s);
/* Called by the outputs when something was stored. */
void session_progress(struct fg_session *s);

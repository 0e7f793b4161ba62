/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/error.h"
#include "core/id.h"
#include "core/json.h"
#include "guest-init/protocol.h"

/*
 * A guest without a machine: one process, one poll loop, that behaves on the wire as guest-init
 * does (docs/protocol.md). Its containers are small scripts, see script.c.
 */
#define RING_MAX       (1024u * 1024) /* unacknowledged output of a stream */
#define CONTAINERS_MAX 10

enum container_state {
        CONTAINER_WAITING, /* for its image, or for what it depends on */
        CONTAINER_RUNNING,
        CONTAINER_GONE, /* has exited, or never started */
};

/* Bytes from offset `acked` on; freed by acks, sent again after a reconnect. */
struct stream {
        struct fg_buf ring;
        uint64_t acked;
        uint64_t sent;
        bool closed;
        bool last_sent;
};

struct container {
        struct json_object *spec; /* borrowed from the task */
        const char *name;
        bool essential;
        enum container_state state;
        bool image_ready;
        bool started; /* at least once executed, for dependsOn START */
        int exit_code;
        bool healthy;
        uint64_t started_ns; /* CLOCK_MONOTONIC; moved back by the verb `age` */
        int64_t restarts;
        struct stream streams[2];

        struct json_object *script; /* array of statements; owned */
        size_t statement;           /* the current one */
        bool begun;                 /* it is under way */
        uint64_t done;              /* bytes or lines of it */
        uint64_t wake_ns;           /* it sleeps until then; UINT64_MAX: for ever */
        bool ignores_stop;
        uint64_t kill_ns; /* stop was asked for: SIGKILL follows then; 0: not asked */
};

struct event {
        uint64_t seq;
        struct json_object *body;
        struct event *next;
};

enum image_step { IMAGE_MANIFEST, IMAGE_CONFIG, IMAGE_LAYERS };

/* Reading one image: manifest, config, layers, one blob and one request at a time. */
struct image {
        bool active;
        size_t container;
        enum image_step step;
        size_t layer;
        char digest[FG_DIGEST_LEN + 1];
        uint64_t size; /* of the blob, UINT64_MAX: only the end of the blob tells */
        uint64_t offset;
        uint64_t range_end;
        uint16_t request; /* id of the outstanding one, 0: none */
        struct fg_sha256 *hash;
        struct fg_buf blob; /* manifest and config only */
        struct json_object *manifest;
};

struct guest {
        int listener;
        int host; /* -1: nobody is connected */
        struct fg_parser parser;
        struct fg_buf out;

        struct json_object *variables; /* that came before the task; NULL: none */
        struct json_object *task;
        bool talking; /* hello was answered: by task or resume */
        struct container containers[CONTAINERS_MAX];
        size_t n_containers;
        struct image image;
        uint16_t last_request;
        size_t next_image;

        struct event *events; /* unacknowledged, in order */
        uint64_t last_seq;
        uint64_t sent_seq;

        const char *no_disks; /* a file; where it is, disks do not come */
        const char *gate;     /* a FIFO of the test's */
        int gate_fd;          /* -1: not yet */
        bool disks_lost;      /* the host has said so */

        bool stopping;
        bool stopped; /* task.stopped was numbered */
};

/* wire.c: what leaves and enters the connection */
void wire_hello(struct guest *g);
void wire_control(struct guest *g, struct json_object *take_msg);
/** wire_event() - number and queue an event; its members are in @take_body, or NULL. */
void wire_event(struct guest *g, const char *event, struct json_object *take_body);
/** wire_pump() - serialise unsent output and events while there is room. */
void wire_pump(struct guest *g);
/** wire_stored() - a `resume` or `ack`: free what fgd has; @again: send the rest again. */
void wire_stored(struct guest *g, struct json_object *msg, bool again);
bool wire_all_acked(const struct guest *g);
void wire_frame(struct guest *g, const struct fg_frame *f);

/* stream.c */
size_t stream_room(const struct stream *s);
void stream_write(struct stream *s, const void *data, size_t len); /* at most stream_room() */
void stream_stored(struct stream *s, uint64_t offset);

/* image.c: blob.read and its answers */
void image_begin(struct guest *g, size_t container);
void image_request(struct guest *g); /* asks, or asks again, for what is missing */
void image_forget(struct guest *g);  /* a SYNC: what was asked will not be answered */
void image_abort(struct guest *g);
void image_blob(struct guest *g, const struct fg_frame *f);
void image_error(struct guest *g, struct json_object *msg);

/* task.c: containers and their order */
void task_begin(struct guest *g, struct json_object *msg);
void task_stop(struct guest *g, const char *reason, const char *message);
void task_step(struct guest *g); /* moves everything that can move */
/** task_wake_ns() - when task_step() must be called again at the latest; UINT64_MAX: never. */
uint64_t task_wake_ns(const struct guest *g);
struct json_object *task_member(const struct guest *g, size_t container);
void task_container_failed(struct guest *g, size_t container, const char *error,
                           const char *message);
void task_container_health(struct guest *g, struct container *c, const char *status);
void task_container_exited(struct guest *g, struct container *c, int code, int sig, bool oom);

/* script.c: what a container does */
void script_load(struct container *c, struct json_object *image_config);
bool script_executable(const struct container *c);
void script_run(struct guest *g, struct container *c); /* until it blocks or ends */

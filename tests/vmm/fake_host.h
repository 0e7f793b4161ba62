/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/json.h"
#include "vmm/vmm.h"

/* A small host of one VM of the fake backend, which serves it one image and keeps what it says. */

#define FLOOD   (3u * 1024 * 1024) /* more than the guest may hold unacknowledged */
#define STREAMS 4

enum { MANIFEST, CONFIG, LAYER, N_BLOBS };

struct blob {
        char *data;
        size_t len;
        char digest[FG_DIGEST_LEN + 1];
};

struct host {
        sd_event *event;
        char dir[32];
        struct fg_vmm *vmm;
        struct fg_channel *channel;
        char id[FG_ID_LEN + 1];
        struct blob blobs[N_BLOBS];

        unsigned done, ups, downs, hellos, gone;
        bool crashed, has_task;
        struct fg_error error;
        size_t n_vms;
        bool running;

        struct fg_buf events; /* "name:container:exitCode " in order */
        int64_t seq;
        struct fg_buf output[STREAMS];
        unsigned ended; /* streams, one bit each */

        const struct blob *wanted; /* the range that is being sent */
        size_t at, end;
        uint16_t request;
};

int host_setup(void **state);
int host_teardown(void **state); /* asserts that nothing is left */

void host_open(struct host *h, const char *program);
void host_start(struct host *h); /* the VM; h->error says how it went */
void host_destroy(struct host *h);
void host_list(struct host *h); /* into h->n_vms, h->running */
void host_connect(struct host *h);
void host_hang_up(struct host *h);
/** host_boot() - all of that, and send a task of the @containers: JSON, with @ for the image */
void host_boot(struct host *h, const char *containers);
/** host_run_until() - and fail when it takes too long, or becomes more */
void host_run_until(struct host *h, const unsigned *counter, unsigned value);
void host_send(struct host *h, struct json_object *take_msg);
void host_send_stored(struct host *h, const char *type); /* with what has been received */

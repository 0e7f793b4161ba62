/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/daemon.h"

/*
 * Every event, posted to one URL: docs/events.md. One at a time and in their order, each until it
 * is taken; how far it got is stored. A receiver that does not answer costs nothing but its own
 * events: they wait in the store, and the oldest go when retention takes them. Loop only.
 */
struct fg_webhook;

/** fg_webhook_new() - from the configuration; *ret is NULL when it has no `webhook`. */
int fg_webhook_new(struct fg_daemon *d, struct fg_webhook **ret, struct fg_error *err);
void fg_webhook_free(struct fg_webhook *w); /* gives up a request under way */

struct fg_webhook_state {
        uint64_t delivered, failures, refused, lost; /* since start; failures: attempts */
        uint64_t failing_ns; /* how long it has not taken anything; 0: it does */
        const char *url;
        const char *error; /* why it fails; "" when it does not */
};

/** fg_webhook_state() - zeroes without one; strings live until the next turn of the loop. */
struct fg_webhook_state fg_webhook_state(const struct fg_webhook *w);

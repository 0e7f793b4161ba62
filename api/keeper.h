/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <systemd/sd-event.h>

#include "secrets/secrets.h"

/* The vault of secrets (secrets/secrets.h) on its lane. Loop only. */
struct fg_keeper;

/** fg_keeper_new() - opens the vault; blocks (start-up only). */
int fg_keeper_new(sd_event *event, const struct fg_vault_config *config, struct fg_keeper **ret,
                  struct fg_error *err);
/** fg_keeper_free() - does what was asked for, and tells. */
void fg_keeper_free(struct fg_keeper *k);
FG_DEFINE_CLEANUP(struct fg_keeper *, fg_keeper_free)

/* On the lane. @arg is the caller's, and nobody else's until done(). NULL: @err was set. */
typedef struct json_object *(*fg_keeper_work_fn)(struct fg_vault *v, void *arg,
                                                 struct fg_error *err);
/* On the loop, exactly once; @result is borrowed, and wiped afterwards. */
typedef void (*fg_keeper_done_fn)(void *arg, struct json_object *result,
                                  const struct fg_error *err);
void fg_keeper_run(struct fg_keeper *k, fg_keeper_work_fn work, fg_keeper_done_fn done, void *arg);

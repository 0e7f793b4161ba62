/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * The guests that somebody asked to keep, as warm.db has them: a wish outlives the daemon. One row
 * per image and size. Loop only.
 */
struct fg_wishes;

struct fg_wish {
        const char *image; /* normalised reference */
        unsigned vcpus, memory_mib;
        unsigned count; /* 0: there is no such wish */
};

/** fg_wishes_new() - open warm.db below @state_dir and hand each wish to @each. Blocks. */
int fg_wishes_new(sd_event *event, const char *state_dir,
                  void (*each)(void *userdata, const struct fg_wish *wish), void *userdata,
                  struct fg_wishes **ret, struct fg_error *err);
/** fg_wishes_free() - what is being saved is finished, its done()s run; NULL is fine. */
void fg_wishes_free(struct fg_wishes *wishes);
FG_DEFINE_CLEANUP(struct fg_wishes *, fg_wishes_free)

/** @wish: as it was given; borrowed. @err: NULL when it is durable. */
typedef void (*fg_wish_saved_fn)(void *userdata, const struct fg_wish *wish,
                                 const struct fg_error *err);
/** fg_wishes_save() - in the place of what was wished for this image and size; in the order of the
    calls. */
void fg_wishes_save(struct fg_wishes *wishes, const struct fg_wish *wish, fg_wish_saved_fn done,
                    void *userdata);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * Signatures of requests that changed something, so that each is carried out once, also by the fgd
 * that comes after this one. A signature is over the whole request: an equal one is the
 * same request, but for the two seconds that auth.c says more of.
 *
 * What is remembered is in a file, which every signature is added to before its request is carried
 * out. That outlives the process. The end of the machine it outlives only when it was synced, which
 * is done for requests that are dated ahead of the clock; all others are older than the next boot,
 * and refused then for that. Loop only.
 */
#define FG_REPLAY_MAX (1U << 20) /* remembered in one window; then nothing new is taken */

struct fg_replay;

enum fg_replay_answer {
        FG_REPLAY_NEW,  /* noted; never seen before */
        FG_REPLAY_SEEN, /* it came before */
        FG_REPLAY_LOST, /* signed before a time of which nothing is known: the boot, usually */
        FG_REPLAY_FULL, /* cannot be remembered: @err */
};

/**
 * fg_replay_new() - with what the files in @dir remember
 * @window_sec: how long a signature is good, from when it is first seen
 * @max:        signatures in one window
 * Files that cannot be made, on a full disk, are tried again when one is needed: until then FULL.
 * Where there is no such file, or it is of an earlier boot, what was signed before now is LOST.
 */
struct fg_replay *fg_replay_new(const char *dir, uint64_t window_sec, uint32_t max,
                                uint64_t now_sec);
void fg_replay_free(struct fg_replay *r);
FG_DEFINE_CLEANUP(struct fg_replay *, fg_replay_free)
/** fg_replay_note() - @signature: 32 bytes, proven; @signed_sec: the time it is dated. */
enum fg_replay_answer fg_replay_note(struct fg_replay *r, const unsigned char *signature,
                                     uint64_t signed_sec, uint64_t now_sec, struct fg_error *err);

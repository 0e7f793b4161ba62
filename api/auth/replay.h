/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/cleanup.h"

/*
 * Signatures of requests that changed something, so that a recorded request cannot be sent again
 * while its time is still good. A client may send two equal requests in one second, which then have
 * one signature: a repetition within FG_REPLAY_GRACE_SEC of the first is taken for that.
 * Bounded: beyond the cap the oldest half is forgotten. Pure; one thread at a time.
 */
#define FG_REPLAY_GRACE_SEC 2

struct fg_replay;

/** fg_replay_new() - @window_sec: how long a signature is good; @max: remembered in one window. */
struct fg_replay *fg_replay_new(uint64_t window_sec, uint32_t max);
void fg_replay_free(struct fg_replay *r);
FG_DEFINE_CLEANUP(struct fg_replay *, fg_replay_free)
/** fg_replay_seen() - note @signature (32 bytes); true: it came before, and not just now. */
bool fg_replay_seen(struct fg_replay *r, const unsigned char *signature, uint64_t now_sec);

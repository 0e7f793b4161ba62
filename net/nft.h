/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/cleanup.h"
#include "core/error.h"

/* libnftables, bound to the network namespace of the thread that made it. One thread at a time. */
struct fg_nft;

int fg_nft_new(struct fg_nft **ret, struct fg_error *err);
void fg_nft_free(struct fg_nft *nft);
FG_DEFINE_CLEANUP(struct fg_nft *, fg_nft_free)
/** fg_nft_run() - one atomic batch: all of it or nothing. */
int fg_nft_run(struct fg_nft *nft, const char *batch, struct fg_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/cwlogs/private.h"
#include "api/field.h"

#define LOGS_TAGS_MAX 50

/** logs_tags_check() - keys and values; problems go to the member "tags" of the current value. */
void logs_tags_check(struct fg_decode *d, const struct fg_pairs *tags);
/** logs_tags_set() - add tags to a group, or change them. -1: INVALID, too many. */
int logs_tags_set(struct cwlogs_db *db, int64_t group, const struct fg_pairs *tags,
                  struct fg_error *err);

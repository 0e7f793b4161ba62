/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/cwlogs/private.h"
#include "api/field.h"

#define LOGS_TAGS_MAX 50

/** logs_tags_set() - add tags to a group, or change them. -1: INVALID, too many or a bad key. */
int logs_tags_set(struct cwlogs_db *db, int64_t group, const struct fg_pairs *tags,
                  struct fg_error *err);

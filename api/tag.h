/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/field.h"

#define FG_TAGS_MAX 50 /* of one resource */

/* Tags of requests: FG_ROW_OBJECTS into a struct fg_pairs. */
extern const struct fg_object fg_tag_object;

/** fg_tag_check_key() - for rows: not one of AWS's. */
bool fg_tag_check_key(struct fg_decode *d, const char *s);
/** fg_tags_check() - no key twice; problems go to @member of the current value. */
void fg_tags_check(struct fg_decode *d, const char *member, const struct fg_pairs *tags);
/** fg_tags_to_json() - [{"key","value"}]; the caller puts it. */
struct json_object *fg_tags_to_json(const struct fg_pairs *tags);

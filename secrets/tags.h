/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "secrets/private.h"

/* Tags are stored as they are answered: the text of an array of {"Key","Value"}. */

/** vault_tags_merge() - @old with @set put over it and the keys of @drop gone; any may be NULL.
 * NULL: INVALID, with E2BIG when these would be too many. */
struct json_object *vault_tags_merge(struct json_object *old, struct json_object *set,
                                     struct json_object *drop, struct fg_error *err);
/** vault_tags_parse() - of a row; an array in any case. */
struct json_object *vault_tags_parse(const char *text);

/** parameter_need() - its name, into @ret; caller frees. -1 also when there is none. */
int parameter_need(struct fg_vault *v, const char *id, char **ret, struct fg_error *err);

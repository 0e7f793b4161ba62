/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>

#include "core/error.h"
#include "images/catalog.h"

/* The durable copy of the catalogue: images.db. Blocking; one lane thread at a time. */

int fg_index_open(const char *dir, sqlite3 **ret, struct fg_error *err);
/** fg_index_load() - images and names into @c, which has the blobs. Rows that lack one are deleted:
    a removal was cut short. */
int fg_index_load(sqlite3 *db, struct fg_catalog *c, struct fg_error *err);
/** fg_index_put() - an image and what @reference means, in one transaction. */
int fg_index_put(sqlite3 *db, const char *reference, const struct fg_stored *image,
                 struct fg_error *err);
/** fg_index_prepared() - what the image's preparation came to: a blob, or why there is none. */
int fg_index_prepared(sqlite3 *db, const char *manifest, const struct fg_adopted *blob,
                      const char *why, struct fg_error *err);
int fg_index_touch(sqlite3 *db, const char *manifest, uint64_t used_ns, struct fg_error *err);
int fg_index_unname(sqlite3 *db, const char *reference, struct fg_error *err);
/** fg_index_drop() - an image with its names and blob list. */
int fg_index_drop(sqlite3 *db, const char *manifest, struct fg_error *err);

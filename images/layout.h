/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "core/buf.h"

struct fg_blob_writer;

/*
 * An OCI image layout directory: index.json, blobs/sha256/<hex>. Nothing in it is trusted: links
 * are not followed, only regular files are read, digests are checked. Blocking; any one thread.
 */

/** fg_layout_index() - the text of index.json, after a look at oci-layout. */
int fg_layout_index(const char *dir, struct fg_buf *ret, struct fg_error *err);
/** fg_layout_small_blob() - a verified blob into memory, capped by @ret. */
int fg_layout_small_blob(const char *dir, const char *digest, struct fg_buf *ret,
                         struct fg_error *err);
/** fg_layout_blob() - copy a blob into @w and commit it. */
int fg_layout_blob(const char *dir, struct fg_blob_writer *w, const atomic_bool *cancel,
                   struct fg_error *err);

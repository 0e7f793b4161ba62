/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>

#include "images/manifest.h"
#include "images/registry.h"

struct fg_blobstore;
struct fg_blob_writer;

/* Where images come from, whatever the transport. Blocking; each call on one lane thread. */

/* Immutable: any thread. */
struct fg_source_config {
        struct fg_registry_config registry;
        char *platform;        /* "linux/amd64" */
        char *archive_program; /* fg-archive */
        const struct fg_blobstore *store;
};

/* One image, found. Small documents are in memory; layers are still at the source. */
struct fg_resolved {
        struct fg_manifest *manifest; /* of one platform */
        char digest[FG_DIGEST_LEN + 1];
        char *manifest_text, *config_text;
        size_t manifest_len, config_len;
        struct fg_grant grant; /* registry: for the downloads */
        char *dir;             /* layout the layers are in, or NULL */
        char *scratch;         /* directory to remove in the end, or NULL */
};
void fg_resolved_finish(struct fg_resolved *r); /* removes the scratch directory: blocks */

int fg_source_resolve(const struct fg_source_config *config, const char *reference,
                      const atomic_bool *cancel, struct fg_resolved *ret, struct fg_error *err);
/** fg_source_fetch() - one layer into @w, committed. @grant, @dir: copies of what resolving gave.
 */
int fg_source_fetch(const struct fg_source_config *config, const char *reference,
                    const struct fg_grant *grant, const char *dir, struct fg_blob_writer *w,
                    const atomic_bool *cancel, struct fg_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>

#include "images/manifest.h"
#include "images/reference.h"

struct fg_buf;
struct fg_blob_writer;

/* Immutable for the life of the daemon: any thread. */
struct fg_registry_config {
        char *ca_file;
        char *insecure; /* comma-separated host[:port] */
        char *docker_config;
};

/* What one job learnt and the next may start from. */
struct fg_grant {
        char *base;          /* "https://host" */
        char *authorization; /* NULL: none; secret */
};
void fg_grant_finish(struct fg_grant *grant);

/*
 * A session with one repository: blocking, of one lane thread. Transient failures are tried again
 * with growing waits; a 401 is answered once with what the registry asks for.
 */
struct fg_registry;

/** @config, @ref, @cancel are borrowed. @grant: NULL or of an earlier session; copied. */
struct fg_registry *fg_registry_new(const struct fg_registry_config *config,
                                    const struct fg_reference *ref, const struct fg_grant *grant,
                                    const atomic_bool *cancel);
void fg_registry_free(struct fg_registry *r);
FG_DEFINE_CLEANUP(struct fg_registry *, fg_registry_free)

/** fg_registry_manifest() - @digest, or NULL: what the reference names. Appended to @ret. */
int fg_registry_manifest(struct fg_registry *r, const char *digest, struct fg_buf *ret,
                         char **ret_media_type, struct fg_error *err);
/** fg_registry_small_blob() - a blob into memory, capped by @ret. */
int fg_registry_small_blob(struct fg_registry *r, const char *digest, struct fg_buf *ret,
                           struct fg_error *err);
/** fg_registry_blob() - what @w lacks, resumed where it ended; then commit. */
int fg_registry_blob(struct fg_registry *r, struct fg_blob_writer *w, struct fg_error *err);
/** fg_registry_grant() - a copy of what is known now. */
void fg_registry_grant(const struct fg_registry *r, struct fg_grant *ret);

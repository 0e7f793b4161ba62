/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/error.h"

/* OCI and Docker (v2, schema 2) manifests and indexes. Pure; any thread. */

#define FG_MANIFEST_MAX (4u << 20) /* bytes of a manifest, an index or an image config */
#define FG_LAYERS_MAX   128
#define FG_INDEX_MAX    1024

#define FG_MANIFEST_ACCEPT                                                                         \
        "application/vnd.oci.image.manifest.v1+json,"                                              \
        "application/vnd.oci.image.index.v1+json,"                                                 \
        "application/vnd.docker.distribution.manifest.v2+json,"                                    \
        "application/vnd.docker.distribution.manifest.list.v2+json"

struct fg_descriptor {
        char *media_type; /* NULL: not given */
        char digest[FG_DIGEST_LEN + 1];
        uint64_t size;
        char *platform; /* index entries: "linux/amd64"; NULL: any */
        char *name;     /* index entries: org.opencontainers.image.ref.name */
};

struct fg_manifest {
        bool index;                  /* items: manifests; otherwise: layers */
        struct fg_descriptor config; /* of an image manifest */
        struct fg_descriptor *items;
        size_t n_items;
        uint64_t size; /* config and layers, each blob once */
};

/**
 * fg_manifest_parse() - decode and check
 * @media_type: what the source says it is, or NULL; the document's own word must not contradict
 * Return: NULL: INVALID (damaged, beyond the limits, or of a kind that cannot be run; by name).
 */
struct fg_manifest *fg_manifest_parse(const char *text, size_t len, const char *media_type,
                                      struct fg_error *err);
void fg_manifest_free(struct fg_manifest *m);
FG_DEFINE_CLEANUP(struct fg_manifest *, fg_manifest_free)

/**
 * fg_manifest_select() - the one entry of an index for @platform
 * @name: only entries of this name (an OCI layout's tag); NULL: any
 * Return: borrowed from @index; NULL: NOT_FOUND (says what there is), CONFLICT (more than one).
 */
const struct fg_descriptor *fg_manifest_select(const struct fg_manifest *index, const char *name,
                                               const char *platform, struct fg_error *err);
/** fg_config_check() - is this image config made for @platform? 0, or -1: INVALID. */
int fg_config_check(const char *text, size_t len, const char *platform, struct fg_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/error.h"

/* What the manifest and the config of one single-platform image say, OCI or Docker schema 2. */

#define FG_IMAGE_MANIFEST_MAX (4u << 20) /* bytes, as registries have it */
#define FG_IMAGE_CONFIG_MAX   (8u << 20)
#define FG_IMAGE_LAYERS_MAX   512

struct fg_image_layer {
        char digest[FG_DIGEST_LEN + 1];  /* of the blob */
        char diff_id[FG_DIGEST_LEN + 1]; /* of the tar inside; "" before the config was parsed */
        uint64_t size;                   /* of the blob, bytes */
};

/* Lists are NULL-terminated and never NULL after fg_image_parse_config(). */
struct fg_image {
        char config_digest[FG_DIGEST_LEN + 1];
        uint64_t config_size;
        struct fg_image_layer *layers; /* lowest first */
        size_t layer_count;
        char **entrypoint;
        char **cmd;
        char **env;        /* "NAME=value" */
        char **volumes;    /* absolute paths */
        char *user;        /* "" is root */
        char *working_dir; /* absolute; "/" when the image says nothing */
        int stop_signal;   /* SIGTERM when the image says nothing */
};

/** fg_image_parse_manifest() - NULL: INVALID. The caller has verified the text's digest. */
struct fg_image *fg_image_parse_manifest(const char *text, size_t len, struct fg_error *err);
/** fg_image_parse_config() - the rest of @image; -1: INVALID. Called once. */
int fg_image_parse_config(struct fg_image *image, const char *text, size_t len,
                          struct fg_error *err);
void fg_image_free(struct fg_image *image);
FG_DEFINE_CLEANUP(struct fg_image *, fg_image_free)

/** fg_signal_parse() - "SIGTERM", "TERM", "15", "SIGRTMIN+3"; 0 when it is none. */
int fg_signal_parse(const char *s);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "guest-init/layer.h"

/*
 * A whole image becomes a directory: its root file system, and beside it the two documents that
 * say how to run it. The same code runs in a guest and, on the host, in the sandbox that prepares
 * images; the result of either is used in the same way.
 */
#define FG_IMAGE_ROOT     "rootfs"
#define FG_IMAGE_MANIFEST "manifest.json"
#define FG_IMAGE_CONFIG   "config.json"

/* Where blobs come from: one at a time, from its first byte on. Nothing of it is trusted. */
struct fg_image_source {
        /* @size: what the blob must have, or 0 when nobody said it yet (the manifest). */
        int (*begin)(void *data, const char *digest, uint64_t size, struct fg_error *err);
        /* As fg_layer_source.read, of the blob that was begun last. */
        ssize_t (*read)(void *data, void *buf, size_t len, struct fg_error *err);
        void *data;
        bool verified; /* as fg_layer_source.verified, of layers */
};

/**
 * fg_image_unpack() - fetch, verify and unpack an image
 * @dir_fd:   holds an empty directory FG_IMAGE_ROOT and nothing else; the documents come beside it
 * @manifest: digest of a single-platform manifest
 * Return: 0, or -1: as fg_layer_apply(), or UPSTREAM when a document has another digest
 */
int fg_image_unpack(int dir_fd, const char *manifest, const struct fg_image_source *src,
                    const struct fg_layer_limits *limits, struct fg_error *err);

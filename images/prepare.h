/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "core/digest.h"
#include "core/error.h"
#include "images/images.h"

struct fg_adopted;
struct fg_blobstore;
struct fg_stored;

#define FG_PREPARE_RESULT "image.erofs" /* what fg-prepare leaves in its directory */

/* Its exit status when there is no result. */
enum { FG_PREPARE_NEVER = 1 /* this image is the reason */, FG_PREPARE_LATER = 2 };

/* Raise it with any change of what a prepared image looks like: older ones are made again. */
#define FG_PREPARE_VERSION 1

/* What the two blocking functions need; read-only, any thread. */
struct fg_prepare_config {
        const struct fg_blobstore *store;
        char *program;      /* path of fg-prepare */
        uint64_t max_bytes; /* of an unpacked image, and of the result */
        struct fg_prepare_limits limits;
        gid_t readers; /* group of whoever reads results beside us */
        int cancel;    /* becomes readable when the store closes */
};

/**
 * fg_prepare_make() - make the EROFS of an image and put it into the store as a blob
 * @feed: where its blobs come from, see images/feed.h; borrowed. -1: the image is complete.
 * Return: 0, or -1: INVALID (this image cannot be prepared: says why), or another code for what
 *         may go better the next time
 */
int fg_prepare_make(const struct fg_prepare_config *config, const struct fg_stored *image, int feed,
                    struct fg_adopted *ret, struct fg_error *err);
/** fg_prepare_verify() - is the blob still what it was made as? Reads all of it. -1: UPSTREAM,
 * NOT_FOUND. */
int fg_prepare_verify(const struct fg_prepare_config *config, const char *digest,
                      struct fg_adopted *ret, struct fg_error *err);

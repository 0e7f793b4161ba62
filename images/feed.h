/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/digest.h"
#include "core/error.h"

/*
 * How fg-prepare gets the blobs of an image: as descriptors, with their names, over a socket that
 * is its standard input. They come in any order and, while the image is still being downloaded,
 * over time; when the other end is closed, no more will.
 */
struct fg_blobstore;

#define FG_FEED_BLOBS_MAX   (512 + 2)
#define FG_FEED_MESSAGE_MAX 250 /* blobs in one message; the kernel's limit is 253 */
#define FG_FEED_NAME_LEN    64  /* hex digits of the digest */

/** fg_feed_open() - both ends, @ret[0] for the one that reads. The caller closes them. */
int fg_feed_open(int ret[2], struct fg_error *err);
/** fg_feed_blobs() - send what the store has of an image; does not wait for a reader.
 * @which: NULL: all of them, else those that are true */
int fg_feed_blobs(int feed, const struct fg_blobstore *store,
                  const char (*digests)[FG_DIGEST_LEN + 1], const bool *which, size_t n,
                  struct fg_error *err);
/** fg_feed_text() - send a blob that the store has not got yet */
int fg_feed_text(int feed, const char *digest, const char *text, size_t len, struct fg_error *err);

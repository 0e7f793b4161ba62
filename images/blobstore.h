/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/error.h"
#include "core/fs.h"

/*
 * Files of the store:
 *   blobs/sha256/<hex>  verified; here only after fsync, by rename
 *   tmp/<hex>.part      a download, possibly broken off; believed for nothing but a resume
 *   trash/              on the way out; emptied at any time
 * An opened store is immutable paths: any thread. One writer per digest (the caller sees to it).
 */
struct fg_blobstore;

/** fg_blobstore_open() - create what is missing, empty the trash, drop parts nobody resumed for a
 * day.
 */
int fg_blobstore_open(const char *dir, struct fg_blobstore **ret, struct fg_error *err);
void fg_blobstore_free(struct fg_blobstore *store);
FG_DEFINE_CLEANUP(struct fg_blobstore *, fg_blobstore_free)

/** fg_blobstore_each() - all blobs; files with strange names are skipped. */
int fg_blobstore_each(struct fg_blobstore *store,
                      void (*each)(void *userdata, const char *digest, uint64_t size),
                      void *userdata, struct fg_error *err);
/** fg_blobstore_blob() - open a blob for reading: descriptor and size. -1: NOT_FOUND. */
int fg_blobstore_blob(const struct fg_blobstore *store, const char *digest, uint64_t *ret_size,
                      struct fg_error *err);
/** fg_blobstore_put() - a small blob at once; its digest is checked. Replacing one is harmless. */
int fg_blobstore_put(const struct fg_blobstore *store, const char *digest, const void *data,
                     size_t len, struct fg_error *err);
/* A blob that was made here, and its stamp when its content was known. */
struct fg_adopted {
        char digest[FG_DIGEST_LEN + 1];
        char stamp[FG_STAMP_LEN + 1];
        uint64_t size;
};
/**
 * fg_blobstore_adopt() - make a file on the same file system a blob, under the digest it has
 * It becomes read-only and the daemon's own, whoever wrote it; @readers may read it. Blocks.
 */
int fg_blobstore_adopt(const struct fg_blobstore *store, const char *path, gid_t readers,
                       struct fg_adopted *ret, struct fg_error *err);
/** fg_blobstore_trash() - take a blob out of sight: one rename, quick. A missing one is success. */
int fg_blobstore_trash(struct fg_blobstore *store, const char *digest, struct fg_error *err);
/** fg_blobstore_trash_parts() - the same for broken-off downloads for which @keep() is false. */
void fg_blobstore_trash_parts(struct fg_blobstore *store,
                              bool (*keep)(void *userdata, const char *digest), void *userdata);
/** fg_blobstore_empty_trash() - really delete. Blocks. */
void fg_blobstore_empty_trash(const struct fg_blobstore *store);
/** fg_blobstore_scratch() - a new private directory in tmp/; caller removes it and frees the path.
 */
char *fg_blobstore_scratch(const struct fg_blobstore *store, struct fg_error *err);

/* A blob on its way in. Appending keeps a running digest; what is on disk survives the process. */
struct fg_blob_writer;

/**
 * fg_blob_writer_new() - open the part of @digest and digest what it holds already
 * @size: the blob's full size; more is refused (UPSTREAM)
 */
int fg_blob_writer_new(const struct fg_blobstore *store, const char *digest, uint64_t size,
                       struct fg_blob_writer **ret, struct fg_error *err);
/** fg_blob_writer_free() - close; an uncommitted part stays for a resume. */
void fg_blob_writer_free(struct fg_blob_writer *w);
FG_DEFINE_CLEANUP(struct fg_blob_writer *, fg_blob_writer_free)
/** fg_blob_writer_watch() - have @moved() called after every change of at(), on the same thread. */
void fg_blob_writer_watch(struct fg_blob_writer *w, void (*moved)(void *userdata, uint64_t at),
                          void *userdata);
uint64_t fg_blob_writer_at(const struct fg_blob_writer *w); /* bytes so far */
uint64_t fg_blob_writer_size(const struct fg_blob_writer *w);
const char *fg_blob_writer_digest(const struct fg_blob_writer *w);
int fg_blob_writer_restart(struct fg_blob_writer *w, struct fg_error *err); /* from byte 0 */
int fg_blob_writer_append(struct fg_blob_writer *w, const void *data, size_t len,
                          struct fg_error *err);
/**
 * fg_blob_writer_commit() - verify, sync, move among the blobs
 * Return: 0, or -1: UPSTREAM (short, or another digest: the part was emptied), errno's code.
 */
int fg_blob_writer_commit(struct fg_blob_writer *w, struct fg_error *err);

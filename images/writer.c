/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>

#include "core/fs.h"
#include "core/str.h"
#include "images/blobstore.h"
#include "images/paths.h"

#define REHASH_CHUNK 65536

struct fg_blob_writer {
        const struct fg_blobstore *store;
        char digest[FG_DIGEST_LEN + 1];
        char *part;
        int fd;
        struct fg_sha256 *hash;
        uint64_t at, size;
        void (*moved)(void *userdata, uint64_t at);
        void *userdata;
};

static void set_at(struct fg_blob_writer *w, uint64_t at)
{
        w->at = at;
        if (w->moved)
                w->moved(w->userdata, at);
}

void fg_blob_writer_watch(struct fg_blob_writer *w, void (*moved)(void *userdata, uint64_t at),
                          void *userdata)
{
        w->moved = moved;
        w->userdata = userdata;
        set_at(w, w->at);
}

/* Digests what a broken-off download left; leaves the descriptor at its end. */
static int rehash(struct fg_blob_writer *w, struct fg_error *err)
{
        fg_autofree char *chunk = fg_calloc(1, REHASH_CHUNK);
        ssize_t n;

        while ((n = read(w->fd, chunk, REHASH_CHUNK)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return fg_fail_errno(err, errno, "%s", w->part);
                fg_sha256_update(w->hash, chunk, (size_t)n);
                w->at += (uint64_t)n;
        }
        return w->at > w->size ? fg_blob_writer_restart(w, err) : 0;
}

int fg_blob_writer_new(const struct fg_blobstore *store, const char *digest, uint64_t size,
                       struct fg_blob_writer **ret, struct fg_error *err)
{
        fg_cleanup(fg_blob_writer_freep) struct fg_blob_writer *w = fg_calloc(1, sizeof(*w));

        w->store = store;
        w->size = size;
        (void)snprintf(w->digest, sizeof(w->digest), "%s", digest);
        w->part = fg_blobstore_part_path(store, digest);
        w->hash = fg_sha256_new();
        w->fd = open(w->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (w->fd < 0)
                return fg_fail_errno(err, errno, "%s", w->part);
        if (rehash(w, err) < 0)
                return -1;
        *ret = fg_take_ptr(w);
        return 0;
}

void fg_blob_writer_free(struct fg_blob_writer *w)
{
        if (!w)
                return;
        if (w->fd >= 0)
                (void)close(w->fd);
        fg_sha256_free(w->hash);
        free(w->part);
        free(w);
}

uint64_t fg_blob_writer_at(const struct fg_blob_writer *w)
{
        return w->at;
}

uint64_t fg_blob_writer_size(const struct fg_blob_writer *w)
{
        return w->size;
}

const char *fg_blob_writer_digest(const struct fg_blob_writer *w)
{
        return w->digest;
}

int fg_blob_writer_restart(struct fg_blob_writer *w, struct fg_error *err)
{
        if (ftruncate(w->fd, 0) < 0 || lseek(w->fd, 0, SEEK_SET) < 0)
                return fg_fail_errno(err, errno, "%s", w->part);
        fg_sha256_free(w->hash);
        w->hash = fg_sha256_new();
        set_at(w, 0);
        return 0;
}

int fg_blob_writer_append(struct fg_blob_writer *w, const void *data, size_t len,
                          struct fg_error *err)
{
        if (len > w->size - w->at)
                return fg_fail(err, FG_ERR_UPSTREAM, "%s is longer than the manifest's %llu bytes",
                               w->digest, (unsigned long long)w->size);
        if (fg_write_all(w->fd, data, len, err) < 0)
                return fg_wrap(err, "%s", w->part);
        fg_sha256_update(w->hash, data, len);
        set_at(w, w->at + len);
        return 0;
}

/* The digest is final: a wrong one costs the whole part. */
static int verify(struct fg_blob_writer *w, struct fg_error *err)
{
        char actual[FG_DIGEST_LEN + 1];

        if (w->at != w->size)
                return fg_fail(err, FG_ERR_UPSTREAM, "%s ended after %llu of %llu bytes", w->digest,
                               (unsigned long long)w->at, (unsigned long long)w->size);
        fg_sha256_final(w->hash, actual);
        if (fg_streq(actual, w->digest))
                return 0;
        if (fg_blob_writer_restart(w, err) < 0)
                return -1;
        return fg_fail(err, FG_ERR_UPSTREAM, "%s came with wrong content (digest %s)", w->digest,
                       actual);
}

int fg_blob_writer_commit(struct fg_blob_writer *w, struct fg_error *err)
{
        fg_autofree char *path = fg_blobstore_blob_path(w->store, w->digest);

        if (verify(w, err) < 0)
                return -1;
        /* Bytes first, then the name, then the name's directory: a name is proof of the bytes. */
        if (fsync(w->fd) < 0 || rename(w->part, path) < 0)
                return fg_fail_errno(err, errno, "%s", path);
        return fg_fsync_dir(w->store->blobs, err);
}

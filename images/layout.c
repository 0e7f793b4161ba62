/* SPDX-License-Identifier: Apache-2.0 */
#include "images/layout.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/json.h"
#include "core/str.h"
#include "images/blobstore.h"

#define COPY_CHUNK (1u << 20)
#define MARKER_MAX 4096

/* O_NONBLOCK: a FIFO in the place of a file must not hold the lane up. */
static int open_regular(int dir, const char *name, struct fg_error *err)
{
        fg_autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return fg_fail_errno(err, errno, "%s", name);
        if (!S_ISREG(st.st_mode))
                return fg_fail(err, FG_ERR_INVALID, "%s is not a regular file", name);
        return fg_take_fd(fd);
}

static int open_dir(int parent, const char *name, struct fg_error *err)
{
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? fg_fail_errno(err, errno, "%s", name) : fd;
}

static int open_root(const char *dir, struct fg_error *err)
{
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? fg_fail_errno(err, errno, "OCI layout %s", dir) : fd;
}

static int open_blob(const char *dir, const char *digest, struct fg_error *err)
{
        fg_autoclose int root = open_root(dir, err), blobs = -1, algorithm = -1;
        int fd = -1;

        if (root < 0)
                return -1;
        blobs = open_dir(root, "blobs", err);
        if (blobs >= 0)
                algorithm = open_dir(blobs, "sha256", err);
        if (algorithm >= 0)
                fd = open_regular(algorithm, digest + strlen("sha256:"), err);
        return fd < 0 ? fg_wrap(err, "OCI layout %s: blob", dir) : fd;
}

static int check_marker(int root, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(MARKER_MAX);
        fg_autoclose int fd = open_regular(root, "oci-layout", err);
        fg_autojson *doc = NULL;
        const char *version;

        if (fd < 0 || fg_buf_read_fd(&text, fd, err) < 0)
                return -1;
        doc = fg_json_parse(text.data ? text.data : "", text.len, err);
        if (!doc)
                return fg_wrap(err, "oci-layout");
        version = fg_json_str(doc, "imageLayoutVersion");
        if (!version || !fg_starts_with(version, "1."))
                return fg_fail(err, FG_ERR_INVALID, "oci-layout: unknown version \"%.50s\"",
                               version ? version : "");
        return 0;
}

int fg_layout_index(const char *dir, struct fg_buf *ret, struct fg_error *err)
{
        fg_autoclose int root = open_root(dir, err), fd = -1;

        if (root < 0)
                return -1;
        if (check_marker(root, err) < 0)
                return fg_wrap(err, "OCI layout %s", dir);
        fd = open_regular(root, "index.json", err);
        if (fd < 0 || fg_buf_read_fd(ret, fd, err) < 0)
                return fg_wrap(err, "OCI layout %s: index.json", dir);
        return 0;
}

int fg_layout_small_blob(const char *dir, const char *digest, struct fg_buf *ret,
                         struct fg_error *err)
{
        fg_autoclose int fd = open_blob(dir, digest, err);
        char actual[FG_DIGEST_LEN + 1];

        if (fd < 0)
                return -1;
        if (fg_buf_read_fd(ret, fd, err) < 0)
                return fg_wrap(err, "OCI layout %s: %s", dir, digest);
        fg_digest_of(ret->data ? ret->data : "", ret->len, actual);
        if (!fg_streq(actual, digest))
                return fg_fail(err, FG_ERR_UPSTREAM, "OCI layout %s: %s has digest %s", dir, digest,
                               actual);
        return 0;
}

int fg_layout_blob(const char *dir, struct fg_blob_writer *w, const atomic_bool *cancel,
                   struct fg_error *err)
{
        fg_autoclose int fd = open_blob(dir, fg_blob_writer_digest(w), err);
        fg_autofree char *chunk = fg_calloc(1, COPY_CHUNK);
        ssize_t n;

        /* A part may come from elsewhere; a copy is cheap, so it starts afresh. */
        if (fd < 0 || fg_blob_writer_restart(w, err) < 0)
                return -1;
        while ((n = read(fd, chunk, COPY_CHUNK)) != 0) {
                if (atomic_load(cancel))
                        return fg_fail(err, FG_ERR_CONFLICT, "cancelled");
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return fg_fail_errno(err, errno, "OCI layout %s: read", dir);
                if (fg_blob_writer_append(w, chunk, (size_t)n, err) < 0)
                        return fg_wrap(err, "OCI layout %s", dir);
        }
        return fg_blob_writer_commit(w, err) < 0 ? fg_wrap(err, "OCI layout %s", dir) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "images/blobstore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"
#include "images/paths.h"

#define ALGORITHM      "sha256:"
#define HEX_LEN        64
#define PART_SUFFIX    ".part"
#define PART_MAX_AGE_S (24 * 60 * 60)

static char *make_dir(const char *dir, const char *name, mode_t mode, struct fg_error *err)
{
        char *path = fg_asprintf("%s/%s", dir, name);

        /* One of an earlier version may be there, which let nobody pass to what QEMU reads. */
        if (fg_mkdir_p(path, mode, err) == 0 &&
            (chmod(path, mode) == 0 || fg_fail_errno(err, errno, "chmod %s", path) == 0))
                return path;
        free(path);
        return NULL;
}

static const char *hex_of(const char *digest)
{
        return digest + strlen(ALGORITHM);
}

/* "<hex><suffix>" to a digest. */
static bool digest_of_name(const char *name, const char *suffix, char ret[FG_DIGEST_LEN + 1])
{
        if (strlen(name) != HEX_LEN + strlen(suffix) || !fg_ends_with(name, suffix))
                return false;
        (void)snprintf(ret, FG_DIGEST_LEN + 1, ALGORITHM "%.*s", HEX_LEN, name);
        return fg_digest_valid(ret);
}

char *fg_blobstore_blob_path(const struct fg_blobstore *store, const char *digest)
{
        return fg_asprintf("%s/%s", store->blobs, hex_of(digest));
}

char *fg_blobstore_part_path(const struct fg_blobstore *store, const char *digest)
{
        return fg_asprintf("%s/%s" PART_SUFFIX, store->tmp, hex_of(digest));
}

void fg_blobstore_empty_trash(const struct fg_blobstore *store)
{
        fg_cleanup(closedirp) DIR *dir = opendir(store->trash);
        struct fg_error ignored;
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                fg_autofree char *path = fg_asprintf("%s/%s", store->trash, entry->d_name);

                if (!fg_streq(entry->d_name, ".") && !fg_streq(entry->d_name, ".."))
                        (void)fg_rm_rf(path, &ignored);
        }
}

/* Parts of yesterday, and scratch directories of a process that is gone. */
static void drop_stale(const struct fg_blobstore *store)
{
        fg_cleanup(closedirp) DIR *dir = opendir(store->tmp);
        time_t now = (time_t)(fg_now_ns() / FG_NS_PER_SEC);
        char digest[FG_DIGEST_LEN + 1];
        struct fg_error ignored;
        struct dirent *entry;
        struct stat st;

        while (dir && (entry = readdir(dir))) {
                fg_autofree char *path = fg_asprintf("%s/%s", store->tmp, entry->d_name);

                if (fg_streq(entry->d_name, ".") || fg_streq(entry->d_name, ".."))
                        continue;
                if (lstat(path, &st) == 0 && st.st_mtime + PART_MAX_AGE_S > now &&
                    digest_of_name(entry->d_name, PART_SUFFIX, digest))
                        continue;
                (void)fg_rm_rf(path, &ignored);
        }
}

int fg_blobstore_open(const char *dir, struct fg_blobstore **ret, struct fg_error *err)
{
        fg_cleanup(fg_blobstore_freep) struct fg_blobstore *store = fg_calloc(1, sizeof(*store));

        /* QEMU's user reaches prepared images, which are given to its group, and lists nothing. */
        store->blobs = make_dir(dir, "blobs/sha256", 0711, err);
        if (!store->blobs)
                return -1;
        store->tmp = make_dir(dir, "tmp", 0700, err);
        if (!store->tmp)
                return -1;
        store->trash = make_dir(dir, "trash", 0700, err);
        if (!store->trash)
                return -1;
        fg_blobstore_empty_trash(store);
        drop_stale(store);
        *ret = fg_take_ptr(store);
        return 0;
}

void fg_blobstore_free(struct fg_blobstore *store)
{
        if (!store)
                return;
        free(store->blobs);
        free(store->tmp);
        free(store->trash);
        free(store);
}

int fg_blobstore_each(struct fg_blobstore *store,
                      void (*each)(void *userdata, const char *digest, uint64_t size),
                      void *userdata, struct fg_error *err)
{
        fg_cleanup(closedirp) DIR *dir = opendir(store->blobs);
        char digest[FG_DIGEST_LEN + 1];
        struct dirent *entry;
        struct stat st;

        if (!dir)
                return fg_fail_errno(err, errno, "%s", store->blobs);
        while ((entry = readdir(dir)))
                if (digest_of_name(entry->d_name, "", digest) &&
                    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    S_ISREG(st.st_mode))
                        each(userdata, digest, (uint64_t)st.st_size);
        return 0;
}

int fg_blobstore_blob(const struct fg_blobstore *store, const char *digest, uint64_t *ret_size,
                      struct fg_error *err)
{
        fg_autofree char *path = NULL;
        fg_autoclose int fd = -1;
        struct stat st;

        if (!fg_digest_valid(digest))
                return fg_fail(err, FG_ERR_INVALID, "\"%.100s\" is not a digest", digest);
        path = fg_blobstore_blob_path(store, digest);
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return fg_fail_errno(err, errno, "blob %s", digest);
        *ret_size = (uint64_t)st.st_size;
        return fg_take_fd(fd);
}

int fg_blobstore_put(const struct fg_blobstore *store, const char *digest, const void *data,
                     size_t len, struct fg_error *err)
{
        fg_autofree char *path = fg_blobstore_blob_path(store, digest);
        char actual[FG_DIGEST_LEN + 1];

        fg_digest_of(data, len, actual);
        if (!fg_streq(actual, digest))
                return fg_fail(err, FG_ERR_UPSTREAM, "%s came with digest %s", digest, actual);
        return fg_write_file(path, data, len, 0600, err);
}

int fg_blobstore_adopt(const struct fg_blobstore *store, const char *path, gid_t readers,
                       struct fg_adopted *ret, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        fg_autofree char *blob = NULL;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return fg_fail_errno(err, errno, "%s", path);
        if (!S_ISREG(st.st_mode))
                return fg_fail(err, FG_ERR_INVALID, "%s is not a file", path);
        if (fchown(fd, geteuid(), readers) < 0 || fchmod(fd, 0440) < 0 || fsync(fd) < 0)
                return fg_fail_errno(err, errno, "%s", path);
        if (fg_digest_of_file(fd, ret->digest, err) < 0)
                return fg_wrap(err, "%s", path);
        blob = fg_blobstore_blob_path(store, ret->digest);
        if (rename(path, blob) < 0 || !fg_stamp(blob, ret->stamp))
                return fg_fail_errno(err, errno, "%s", blob);
        ret->size = (uint64_t)st.st_size;
        return fg_fsync_dir(store->blobs, err);
}

/* Unique within the process; an older process left nothing behind in the trash. */
static int move_to_trash(struct fg_blobstore *store, const char *path, struct fg_error *err)
{
        fg_autofree char *to = fg_asprintf("%s/%u", store->trash, store->trashed++);

        if (rename(path, to) < 0 && errno != ENOENT)
                return fg_fail_errno(err, errno, "remove %s", path);
        return 0;
}

int fg_blobstore_trash(struct fg_blobstore *store, const char *digest, struct fg_error *err)
{
        fg_autofree char *path = fg_blobstore_blob_path(store, digest);

        return move_to_trash(store, path, err);
}

void fg_blobstore_trash_parts(struct fg_blobstore *store,
                              bool (*keep)(void *userdata, const char *digest), void *userdata)
{
        fg_cleanup(closedirp) DIR *dir = opendir(store->tmp);
        char digest[FG_DIGEST_LEN + 1];
        struct fg_error ignored;
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                fg_autofree char *path = fg_asprintf("%s/%s", store->tmp, entry->d_name);

                if (digest_of_name(entry->d_name, PART_SUFFIX, digest) && !keep(userdata, digest))
                        (void)move_to_trash(store, path, &ignored);
        }
}

char *fg_blobstore_scratch(const struct fg_blobstore *store, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/scratch.XXXXXX", store->tmp);

        if (!mkdtemp(path)) {
                fg_fail_errno(err, errno, "%s", path);
                return NULL;
        }
        return fg_take_ptr(path);
}

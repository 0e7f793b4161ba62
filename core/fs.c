/* SPDX-License-Identifier: Apache-2.0 */
#include "core/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/str.h"

#define WALK_FDS     32
#define REMOVE_TRIES 16
#define OPEN_TRIES   1000

int fg_mkdir_p(const char *path, mode_t mode, struct fg_error *err)
{
        fg_autofree char *copy = fg_strdup(path);

        for (char *p = copy + 1; *p; p++) {
                if (*p != '/')
                        continue;
                *p = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return fg_fail_errno(err, errno, "mkdir %s", copy);
                *p = '/';
        }
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
                return fg_fail_errno(err, errno, "mkdir %s", copy);
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        (void)st;
        (void)flag;
        (void)ftw;
        return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int fg_rm_rf(const char *path, struct fg_error *err)
{
        /* Somebody who is just being killed may still write there, or remove something himself. */
        for (unsigned i = 1; nftw(path, remove_entry, WALK_FDS, FTW_DEPTH | FTW_PHYS) < 0; i++) {
                const bool raced = errno == ENOENT || errno == ENOTEMPTY;

                if (errno == ENOENT && !fg_exists(path))
                        return 0;
                if (!raced || i == REMOVE_TRIES)
                        return fg_fail_errno(err, errno, "remove %s", path);
        }
        return 0;
}

int fg_write_all(int fd, const void *data, size_t len, struct fg_error *err)
{
        const char *p = data;

        while (len > 0) {
                ssize_t n = write(fd, p, len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return fg_fail_errno(err, errno, "write");
                p += n;
                len -= (size_t)n;
        }
        return 0;
}

int fg_fsync_dir(const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fsync(fd) < 0)
                return fg_fail_errno(err, errno, "sync %s", path);
        return 0;
}

int fg_write_file(const char *path, const void *data, size_t len, mode_t mode, struct fg_error *err)
{
        fg_autofree char *temporary = fg_asprintf("%s.XXXXXX", path), *copy = fg_strdup(path);
        fg_autoclose int fd = mkostemp(temporary, O_CLOEXEC);

        if (fd < 0)
                return fg_fail_errno(err, errno, "create %s", temporary);
        if (fg_write_all(fd, data, len, err) < 0)
                goto fail;
        if (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0) {
                fg_fail_errno(err, errno, "write");
                goto fail;
        }
        return fg_fsync_dir(dirname(copy), err);
fail:
        (void)unlink(temporary);
        return fg_wrap(err, "%s", path);
}

/* Return: bytes copied, 0 at the end of @in, -1: errno. */
static ssize_t copy_some(int in, int out, off_t at, size_t len)
{
        off_t from = at, to = at;
        ssize_t n = copy_file_range(in, &from, out, &to, len, 0);
        char block[65536];

        /* The kernel shares or copies within a file system only. */
        if (n >= 0 || (errno != EXDEV && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
                return n;
        n = pread(in, block, len < sizeof(block) ? len : sizeof(block), at);
        return n > 0 ? pwrite(out, block, (size_t)n, at) : n;
}

static int copy_extent(int in, int out, off_t start, off_t end, struct fg_error *err)
{
        for (off_t at = start; at < end;) {
                ssize_t n = copy_some(in, out, at, (size_t)(end - at));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return fg_fail_errno(err, errno, "copy");
                if (n == 0)
                        return fg_fail(err, FG_ERR_INTERNAL, "copy: source became shorter");
                at += n;
        }
        return 0;
}

int fg_copy_sparse(const char *src, const char *dst, mode_t mode, struct fg_error *err)
{
        fg_autoclose int in = open(src, O_RDONLY | O_CLOEXEC);
        fg_autoclose int out = -1;
        off_t data = 0, hole;
        struct stat st;

        if (in < 0 || fstat(in, &st) < 0)
                return fg_fail_errno(err, errno, "%s", src);
        out = open(dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (out < 0 || ftruncate(out, st.st_size) < 0)
                return fg_fail_errno(err, errno, "%s", dst);
        while ((data = lseek(in, data, SEEK_DATA)) >= 0) {
                hole = lseek(in, data, SEEK_HOLE);
                if (copy_extent(in, out, data, hole, err) < 0)
                        return fg_wrap(err, "%s", dst);
                data = hole;
        }
        /* ENXIO: no data behind this offset, the normal end. */
        if (errno != ENXIO)
                return fg_fail_errno(err, errno, "%s", src);
        return 0;
}

int fg_lock_file(const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0)
                return fg_fail_errno(err, errno, "%s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno == EWOULDBLOCK)
                        return fg_fail(err, FG_ERR_CONFLICT, "%s is locked by another process",
                                       path);
                return fg_fail_errno(err, errno, "lock %s", path);
        }
        return fg_take_fd(fd);
}

int fg_openat2(int dir, const char *path, const struct open_how *how)
{
        long fd = -1;

        for (int i = 0; i < OPEN_TRIES; i++) {
                fd = syscall(SYS_openat2, dir, path, how, sizeof(*how));
                if (fd >= 0 || errno != EAGAIN)
                        break;
        }
        return (int)fd;
}

bool fg_stamp(const char *path, char ret[FG_STAMP_LEN + 1])
{
        struct stat st;

        if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return false;
        (void)snprintf(ret, FG_STAMP_LEN + 1, "%llu %llu %lld %lld.%09ld %lld.%09ld",
                       (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
                       (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                       (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
        return true;
}

bool fg_exists(const char *path)
{
        return access(path, F_OK) == 0;
}

bool fg_has_room(const char *path)
{
        struct statvfs fs;

        return statvfs(path, &fs) < 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= FG_ROOM_MIN;
}

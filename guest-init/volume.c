/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/binds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"

#define XATTRS_MAX 4096

/* One directory that is still to be copied, relative to both trees. */
struct todo {
        struct todo *next;
        char *path;
};

struct copy {
        int from, to;
        struct todo *todo;
};

static int open_in(int dir, const char *path, uint64_t flags)
{
        const struct open_how how = { .flags = flags | O_CLOEXEC,
                                      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

        return fg_openat2(dir, path, &how);
}

static void copy_xattrs(int from, int to)
{
        char names[XATTRS_MAX], value[XATTRS_MAX];
        ssize_t len = flistxattr(from, names, sizeof(names));

        for (ssize_t i = 0; i < len; i += (ssize_t)strlen(names + i) + 1) {
                ssize_t n = fgetxattr(from, names + i, value, sizeof(value));

                if (n >= 0)
                        (void)fsetxattr(to, names + i, value, (size_t)n, 0);
        }
}

/* Owner first: changing it clears setuid bits and capabilities. */
static int copy_attributes(int from, int to, const struct stat *st, struct fg_error *err)
{
        const struct timespec times[2] = { st->st_atim, st->st_mtim };

        if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
                return fg_fail_errno(err, errno, "set owner and mode");
        copy_xattrs(from, to);
        return futimens(to, times) < 0 ? fg_fail_errno(err, errno, "set times") : 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st,
                     struct fg_error *err)
{
        fg_autoclose int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        fg_autoclose int to = openat(to_dir, name,
                                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        ssize_t n = 1;

        if (from < 0 || to < 0)
                return fg_fail_errno(err, errno, "open");
        while (n > 0)
                n = sendfile(to, from, NULL, 1 << 30);
        if (n < 0)
                return fg_fail_errno(err, errno, "copy");
        return copy_attributes(from, to, st, err);
}

static int copy_other(int from_dir, int to_dir, const char *name, const struct stat *st,
                      struct fg_error *err)
{
        char target[4096];
        ssize_t n;
        int r;

        if (S_ISLNK(st->st_mode)) {
                n = readlinkat(from_dir, name, target, sizeof(target) - 1);
                target[n > 0 ? n : 0] = '\0';
                r = n < 0 ? -1 : symlinkat(target, to_dir, name);
        } else {
                r = mknodat(to_dir, name, st->st_mode, st->st_rdev);
        }
        if (r < 0 || fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                return fg_fail_errno(err, errno, "make");
        return 0;
}

static void push(struct copy *c, const char *dir, const char *name)
{
        struct todo *t = fg_calloc(1, sizeof(*t));

        t->path = fg_streq(dir, ".") ? fg_strdup(name) : fg_asprintf("%s/%s", dir, name);
        t->next = c->todo;
        c->todo = t;
}

static int copy_entry(struct copy *c, const char *dir, int from, int to, const char *name,
                      struct fg_error *err)
{
        struct stat st;

        if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return fg_fail_errno(err, errno, "stat");
        if (S_ISREG(st.st_mode))
                return copy_file(from, to, name, &st, err);
        if (!S_ISDIR(st.st_mode))
                return copy_other(from, to, name, &st, err);
        if (mkdirat(to, name, 0700) < 0)
                return fg_fail_errno(err, errno, "mkdir");
        push(c, dir, name);
        return 0;
}

static int copy_dir(struct copy *c, const char *path, struct fg_error *err)
{
        fg_autoclose int from = open_in(c->from, path, O_RDONLY | O_DIRECTORY);
        fg_autoclose int to = open_in(c->to, path, O_RDONLY | O_DIRECTORY);
        fg_cleanup(closedirp) DIR *d = NULL;
        struct dirent *e;
        struct stat st;

        if (from < 0 || to < 0 || fstat(from, &st) < 0 ||
            !(d = fdopendir(fcntl(from, F_DUPFD_CLOEXEC, 0))))
                return fg_fail_errno(err, errno, "open");
        while ((e = readdir(d))) {
                if (fg_streq(e->d_name, ".") || fg_streq(e->d_name, ".."))
                        continue;
                if (copy_entry(c, path, from, to, e->d_name, err) < 0)
                        return fg_wrap(err, "%s", e->d_name);
        }
        return copy_attributes(from, to, &st, err);
}

static int copy_tree(int from, int to, struct fg_error *err)
{
        struct copy c = { .from = from, .to = to };
        int r = 0;

        push(&c, ".", ".");
        while (c.todo) {
                struct todo *t = c.todo;

                c.todo = t->next;
                if (r == 0 && copy_dir(&c, t->path, err) < 0)
                        r = fg_wrap(err, "copy %s", t->path);
                free(t->path);
                free(t);
        }
        return r;
}

/* Return: 1 empty, 0 not, -1. */
static int is_empty(int dir, struct fg_error *err)
{
        fg_cleanup(closedirp) DIR *d = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 0));
        struct dirent *e;

        if (!d)
                return fg_fail_errno(err, errno, "read volume");
        while ((e = readdir(d))) {
                if (!fg_streq(e->d_name, ".") && !fg_streq(e->d_name, ".."))
                        return 0;
        }
        return 1;
}

int fg_volume_fill(int volume, const char *from, struct fg_error *err)
{
        fg_autoclose int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fg_autoclose int target = openat(volume, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int empty;

        if (source < 0 || target < 0)
                return fg_fail_errno(err, errno, "open");
        /* Two containers may start with the same volume; the lock ends with the descriptor. */
        if (flock(target, LOCK_EX) < 0)
                return fg_fail_errno(err, errno, "lock");
        empty = is_empty(target, err);
        return empty == 1 ? copy_tree(source, target, err) : empty;
}

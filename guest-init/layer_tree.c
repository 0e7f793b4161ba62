/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/layer_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/str.h"
#include "guest-init/unpack_path.h"

#define DEPTH_MAX 512 /* each level holds a descriptor */

/* A directory being emptied; the innermost first. */
struct level {
        struct level *up;
        DIR *dir;
        ino_t ino;
        size_t depth;
        bool keep; /* something in it, or itself, is to stay */
        char name[];
};

static struct level *level_free(struct level *level)
{
        struct level *up = level->up;

        if (level->dir)
                (void)closedir(level->dir);
        free(level);
        return up;
}

static void levels_freep(struct level **levels)
{
        while (*levels)
                *levels = level_free(*levels);
}

static int fail_name(struct fg_error *err, const char *name)
{
        char escaped[FG_PATH_ESCAPED];
        int sys = errno;

        return fg_fail_errno(err, sys, "remove \"%s\"", fg_path_escape(name, escaped));
}

/* Descends into @name of @dir_fd. */
static int push(struct level **levels, int dir_fd, const char *name, bool keep,
                struct fg_error *err)
{
        size_t len = strlen(name) + 1;
        struct level *level = fg_calloc(1, sizeof(*level) + len);
        struct stat st;
        int fd;

        memcpy(level->name, name, len);
        level->keep = keep;
        level->up = *levels;
        level->depth = level->up ? level->up->depth + 1 : 0;
        *levels = level;
        if (level->depth > DEPTH_MAX)
                return fg_fail(err, FG_ERR_CAPACITY, "directories nest deeper than %d", DEPTH_MAX);

        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return fail_name(err, name);
        level->dir = fdopendir(fd);
        if (!level->dir) {
                (void)close(fd);
                return fail_name(err, name);
        }
        if (fstat(fd, &st) < 0)
                return fail_name(err, name);
        level->ino = st.st_ino;
        return 0;
}

static int is_dir(int dir_fd, const char *name)
{
        struct stat st;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -1;
        return S_ISDIR(st.st_mode);
}

/* Removes a file, or descends. Return: 1 when the name stays, 0 when it is gone or descended. */
static int visit(struct level **levels, int dir_fd, const char *name, bool keep,
                 struct fg_error *err)
{
        int dir;

        if (!keep && unlinkat(dir_fd, name, 0) == 0)
                return 0;
        if (!keep && errno == ENOENT)
                return 0;
        if (!keep && errno != EISDIR)
                return fail_name(err, name);
        dir = is_dir(dir_fd, name);
        if (dir < 0)
                return fail_name(err, name);
        return dir ? push(levels, dir_fd, name, keep, err) : 1;
}

/* Leaves the innermost directory, and removes it unless it is to stay. */
static int pop(struct level **levels, int top_fd, struct fg_error *err)
{
        struct level *level = *levels, *up = level->up;

        if (level->keep && up)
                up->keep = true;
        if (!level->keep && unlinkat(up ? dirfd(up->dir) : top_fd, level->name, AT_REMOVEDIR) < 0)
                return fail_name(err, level->name);
        *levels = level_free(level);
        return 0;
}

/* One name of the innermost directory, or its end. */
static int step(struct level **levels, int top_fd, const struct fg_layer_seen *seen,
                struct fg_error *err)
{
        struct level *level = *levels;
        struct dirent *child;
        int stays;

        errno = 0;
        child = readdir(level->dir);
        if (!child)
                return errno ? fail_name(err, level->name) : pop(levels, top_fd, err);
        if (fg_streq(child->d_name, ".") || fg_streq(child->d_name, ".."))
                return 0;
        stays = visit(levels, dirfd(level->dir), child->d_name,
                      seen && fg_layer_seen_has(seen, level->ino, child->d_name), err);
        if (stays > 0)
                level->keep = true;
        return stays < 0 ? -1 : 0;
}

int fg_layer_tree_remove(int dir_fd, const char *name, const struct fg_layer_seen *seen,
                         struct fg_error *err)
{
        fg_cleanup(levels_freep) struct level *levels = NULL;
        struct stat st;

        if (fstat(dir_fd, &st) < 0)
                return fail_name(err, name);
        if (visit(&levels, dir_fd, name, seen && fg_layer_seen_has(seen, st.st_ino, name), err) < 0)
                return -1;
        while (levels)
                if (step(&levels, dir_fd, seen, err) < 0)
                        return -1;
        return 0;
}

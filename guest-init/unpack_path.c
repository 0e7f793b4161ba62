/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/unpack_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"

/* The path without its last component; leaves "" at the top. */
static size_t drop_last(const char *text, size_t len)
{
        while (len > 0 && text[len - 1] != '/')
                len--;
        return len > 0 ? len - 1 : 0;
}

/* Writes the clean form to @out, which has room for strlen(@name) + 1. Return: its components. */
static size_t clean(const char *name, char *out)
{
        size_t len = 0, depth = 0;

        while (*name) {
                size_t n = strcspn(name, "/");

                if (n == 2 && name[0] == '.' && name[1] == '.') {
                        len = drop_last(out, len);
                        depth -= depth > 0;
                } else if (n > 1 || (n == 1 && name[0] != '.')) {
                        if (len > 0)
                                out[len++] = '/';
                        memcpy(out + len, name, n);
                        len += n;
                        depth++;
                }
                name += n;
                name += strspn(name, "/");
        }
        out[len] = '\0';
        return depth;
}

int fg_path_parse(struct fg_path *ret, const char *name, size_t max_len, size_t max_depth,
                  struct fg_error *err)
{
        fg_autofree char *text = NULL;
        size_t len = strlen(name), depth;
        char *slash;

        if (len == 0)
                return fg_fail(err, FG_ERR_INVALID, "empty name");
        if (len > max_len)
                return fg_fail(err, FG_ERR_CAPACITY, "name of %zu bytes, limit is %zu", len,
                               max_len);
        text = fg_calloc(len + 1, 1);
        depth = clean(name, text);
        if (depth > max_depth)
                return fg_fail(err, FG_ERR_CAPACITY, "path of %zu components, limit is %zu", depth,
                               max_depth);

        slash = strrchr(text, '/');
        if (slash)
                *slash = '\0';
        ret->dir = slash ? text : ".";
        ret->base = slash ? slash + 1 : text;
        ret->text_ = fg_take_ptr(text);
        return 0;
}

void fg_path_finish(struct fg_path *path)
{
        free(path->text_);
        *path = FG_PATH_INIT;
}

int fg_path_open(int root_fd, const char *path, int flags)
{
        struct open_how how = {
                .flags = (unsigned)flags | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };

        return fg_openat2(root_fd, path, &how);
}

/* The directory @path below @root_fd, made as @name in @parent_fd when nothing is there. */
static int open_or_make(int root_fd, const char *path, int parent_fd, const char *name)
{
        int fd = fg_path_open(root_fd, path, O_PATH | O_DIRECTORY);

        if (fd >= 0 || errno != ENOENT)
                return fd;
        if (mkdirat(parent_fd, name, 0755) < 0 || fchmodat(parent_fd, name, 0755, 0) < 0)
                return -1;
        return fg_path_open(root_fd, path, O_PATH | O_DIRECTORY);
}

static int fail_dir(struct fg_error *err, const char *dir)
{
        char escaped[FG_PATH_ESCAPED];
        int sys = errno;

        fg_path_escape(dir, escaped);
        if (sys == ENOTDIR)
                return fg_fail(err, FG_ERR_INVALID, "its parent \"%s\" is not a directory",
                               escaped);
        if (sys == EEXIST)
                return fg_fail(err, FG_ERR_INVALID, "its parent \"%s\" is a dangling link",
                               escaped);
        if (sys == ELOOP || sys == ENAMETOOLONG)
                return fg_fail(err, FG_ERR_INVALID, "its parent \"%s\": %s", escaped,
                               strerror(sys));
        return fg_fail_errno(err, sys, "its parent \"%s\"", escaped);
}

int fg_path_open_dir(int root_fd, const char *dir, struct fg_error *err)
{
        fg_autofree char *path = NULL;
        fg_autoclose int parent = -1;
        int fd = fg_path_open(root_fd, dir, O_PATH | O_DIRECTORY);

        if (fd >= 0)
                return fd;
        if (errno != ENOENT)
                return fail_dir(err, dir);

        path = fg_strdup(dir);
        for (char *name = path, *end; name; name = end ? end + 1 : NULL) {
                end = strchr(name, '/');
                if (end)
                        *end = '\0';
                fd = open_or_make(root_fd, path, parent < 0 ? root_fd : parent, name);
                if (fd < 0)
                        return fail_dir(err, path);
                if (parent >= 0)
                        (void)close(parent);
                parent = fd;
                if (end)
                        *end = '/';
        }
        return fg_take_fd(parent);
}

const char *fg_path_escape(const char *name, char ret[FG_PATH_ESCAPED])
{
        size_t len = 0;

        for (; *name; name++) {
                unsigned char c = (unsigned char)*name;

                /* Room for one escape and for the three dots. */
                if (len + 8 > FG_PATH_ESCAPED) {
                        (void)snprintf(ret + len, FG_PATH_ESCAPED - len, "...");
                        return ret;
                }
                if (c >= ' ' && c < 0x7f && c != '\\' && c != '"')
                        ret[len++] = (char)c;
                else
                        len += (size_t)snprintf(ret + len, 5, "\\x%02x", c);
        }
        ret[len] = '\0';
        return ret;
}

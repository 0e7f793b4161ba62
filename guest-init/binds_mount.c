/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/binds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

static int make_file(const char *path, struct fg_error *err)
{
        fg_autofree char *parent = fg_strdup(path);
        fg_autoclose int fd = -1;
        struct stat st;

        if (stat(path, &st) == 0)
                return S_ISDIR(st.st_mode) ? fg_fail_errno(err, EISDIR, "mount over %s", path) : 0;
        *strrchr(parent, '/') = '\0';
        if (parent[0] && fg_mkdir_p(parent, 0755, err) < 0)
                return -1;
        (void)unlink(path); /* a link that leads nowhere */
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        return fd < 0 ? fg_fail_errno(err, errno, "create %s", path) : 0;
}

static int make_directory(const char *path, struct fg_error *err)
{
        struct stat st;

        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                return 0;
        return fg_mkdir_p(path, 0755, err);
}

static int mount_tree(const struct fg_bind *b, struct fg_error *err)
{
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

        if (b->fill && fg_volume_fill(b->tree, b->target, err) < 0)
                return fg_wrap(err, "volume at %s", b->target);
        if (b->read_only && mount_setattr(b->tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
                return fg_fail_errno(err, errno, "make %s read-only", b->target);
        if (move_mount(b->tree, "", AT_FDCWD, b->target,
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0)
                return fg_fail_errno(err, errno, "mount %s", b->target);
        return 0;
}

/* Links are followed to the end: over the root or within /proc nothing may be mounted. */
static int check_target(const char *target, struct fg_error *err)
{
        fg_autofree char *path = realpath(target, NULL);

        if (!path)
                return fg_fail_errno(err, errno, "resolve %s", target);
        if (fg_streq(path, "/") || fg_streq(path, "/proc") || fg_starts_with(path, "/proc/"))
                return fg_fail(err, FG_ERR_INVALID, "\"%s\" cannot be mounted over (it is %s)",
                               target, path);
        return 0;
}

int fg_binds_mount(struct fg_binds *b, struct fg_error *err)
{
        for (size_t i = 0; i < b->count; i++) {
                const struct fg_bind *bind = &b->list[i];
                int r = bind->directory ? make_directory(bind->target, err)
                                        : make_file(bind->target, err);

                if (r == 0)
                        r = check_target(bind->target, err);
                if (r == 0 && bind->tree >= 0)
                        r = mount_tree(bind, err);
                else if (r == 0 &&
                         mount("tmpfs", bind->target, "tmpfs", bind->flags, bind->options) < 0)
                        r = fg_fail_errno(err, errno, "mount tmpfs at %s", bind->target);
                if (r < 0)
                        return -1;
        }
        return 0;
}

static const struct {
        const char *name;
        unsigned long set, clear;
} tmpfs_flags[] = {
        { "defaults", 0, 0 },
        { "ro", MS_RDONLY, 0 },
        { "rw", 0, MS_RDONLY },
        { "suid", 0, MS_NOSUID },
        { "nosuid", MS_NOSUID, 0 },
        { "dev", 0, 0 }, /* no device works in a container but those of its /dev */
        { "nodev", MS_NODEV, 0 },
        { "exec", 0, MS_NOEXEC },
        { "noexec", MS_NOEXEC, 0 },
        { "sync", MS_SYNCHRONOUS, 0 },
        { "async", 0, MS_SYNCHRONOUS },
        { "dirsync", MS_DIRSYNC, 0 },
        { "mand", 0, 0 },
        { "nomand", 0, 0 },
        { "atime", 0, MS_NOATIME },
        { "noatime", MS_NOATIME, 0 },
        { "diratime", 0, MS_NODIRATIME },
        { "nodiratime", MS_NODIRATIME, 0 },
        { "relatime", MS_RELATIME, 0 },
        { "norelatime", 0, MS_RELATIME },
        { "strictatime", MS_STRICTATIME, 0 },
        { "nostrictatime", 0, MS_STRICTATIME },
};

static bool apply_flag(const char *name, unsigned long *flags)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(tmpfs_flags); i++) {
                if (fg_streq(name, tmpfs_flags[i].name)) {
                        *flags = (*flags & ~tmpfs_flags[i].clear) | tmpfs_flags[i].set;
                        return true;
                }
        }
        return false;
}

char *fg_tmpfs_options(struct json_object *tmpfs, unsigned long *ret_flags)
{
        struct json_object *options = fg_json_arr(tmpfs, "mountOptions");
        char *data = fg_asprintf("size=%lldm", (long long)fg_json_int(tmpfs, "size", 0));

        *ret_flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
        for (size_t i = 0; options && i < json_object_array_length(options); i++) {
                const char *o = json_object_get_string(json_object_array_get_idx(options, i));

                if (o && strchr(o, '=') && !strchr(o, ',')) { /* mode=, uid=, nr_inodes=, ... */
                        char *longer = fg_asprintf("%s,%s", data, o);

                        free(data);
                        data = longer;
                } else if (o) {
                        (void)apply_flag(o, ret_flags);
                }
        }
        return data;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/layer_parts.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/fs.h"
#include "core/str.h"
#include "guest-init/unpack_path.h"

/* Where an entry goes: a name in an open directory. */
struct place {
        int dir_fd;
        const char *name;
        struct fg_path path;
};

/* Directories merge. Anything else makes way. Return: 1 when a directory stays there, else 0. */
static int make_way(const struct place *at, bool for_dir, struct fg_error *err)
{
        struct stat st;

        if (fstatat(at->dir_fd, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : fg_fail_errno(err, errno, "look at its place");
        if (for_dir && S_ISDIR(st.st_mode))
                return 1;
        return fg_layer_tree_remove(at->dir_fd, at->name, NULL, err);
}

static int remember_dir(struct fg_layer *layer, const struct place *at, int fd,
                        struct archive_entry *entry, struct fg_error *err)
{
        struct fg_layer_dir *grown = layer->dirs;
        struct timespec times[2];
        struct stat st;

        if (fstat(fd, &st) < 0)
                return fg_fail_errno(err, errno, "stat");
        /* Room for a power of two at a time. */
        if ((layer->dir_count & (layer->dir_count - 1)) == 0) {
                size_t room = layer->dir_count ? 2 * layer->dir_count : 1;

                grown = reallocarray(layer->dirs, room, sizeof(*grown));
        }
        if (!grown)
                return fg_fail(err, FG_ERR_CAPACITY, "out of memory");
        layer->dirs = grown;
        fg_layer_attrs_mtime(entry, times);
        grown[layer->dir_count++] = (struct fg_layer_dir){
                .path = fg_asprintf("%s/%s", at->path.dir, at->name),
                .ino = st.st_ino,
                .mode = archive_entry_perm(entry),
                .mtime = times[1],
        };
        return 0;
}

static int make_dir(struct fg_layer *layer, const struct place *at, struct archive_entry *entry,
                    struct fg_error *err)
{
        fg_autoclose int fd = -1;
        int merge = make_way(at, true, err);

        if (merge < 0)
                return -1;
        if (!merge && mkdirat(at->dir_fd, at->name, 0700) < 0)
                return fg_fail_errno(err, errno, "make directory");
        fd = openat(at->dir_fd, at->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return fg_fail_errno(err, errno, "open directory");
        if (fg_layer_attrs_set(layer, fd, entry, err) < 0)
                return -1;
        return remember_dir(layer, at, fd, entry, err);
}

/* Holes of a sparse file are gaps between the blocks. */
static int write_data(struct fg_layer *layer, struct archive *tar, int fd, la_int64_t size,
                      struct fg_error *err)
{
        la_int64_t at = 0, offset;
        const void *block;
        size_t len;
        int r;

        while ((r = archive_read_data_block(tar, &block, &len, &offset)) == ARCHIVE_OK) {
                if (offset != at && lseek(fd, offset, SEEK_SET) < 0)
                        return fg_fail_errno(err, errno, "seek");
                if (fg_write_all(fd, block, len, err) < 0)
                        return -1;
                at = offset + (la_int64_t)len;
        }
        if (r != ARCHIVE_EOF)
                return fg_layer_fail_tar(layer, tar, err);
        if (at != size && ftruncate(fd, size) < 0)
                return fg_fail_errno(err, errno, "set its length");
        return 0;
}

static int make_file(struct fg_layer *layer, const struct place *at, struct archive *tar,
                     struct archive_entry *entry, struct fg_error *err)
{
        la_int64_t size = archive_entry_size(entry);
        struct timespec times[2];
        fg_autoclose int fd = -1;

        if (size < 0)
                return fg_fail(err, FG_ERR_INVALID, "negative length");
        if ((uint64_t)size > layer->limits->bytes)
                return fg_fail(err, FG_ERR_CAPACITY, "length of %jd bytes, limit is %ju",
                               (intmax_t)size, (uintmax_t)layer->limits->bytes);
        if (make_way(at, false, err) < 0)
                return -1;
        fd = openat(at->dir_fd, at->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
        if (fd < 0)
                return fg_fail_errno(err, errno, "create");
        if (write_data(layer, tar, fd, size, err) < 0 ||
            fg_layer_attrs_set(layer, fd, entry, err) < 0)
                return -1;
        fg_layer_attrs_mtime(entry, times);
        if (futimens(fd, times) < 0)
                return fg_fail_errno(err, errno, "set its time");
        return 0;
}

static int make_symlink(struct fg_layer *layer, const struct place *at, struct archive_entry *entry,
                        struct fg_error *err)
{
        const char *target = archive_entry_symlink(entry);

        if (!target || !*target)
                return fg_fail(err, FG_ERR_INVALID, "symbolic link to nowhere");
        if (strlen(target) > layer->limits->name)
                return fg_fail(err, FG_ERR_CAPACITY, "link target of %zu bytes, limit is %zu",
                               strlen(target), layer->limits->name);
        if (make_way(at, false, err) < 0)
                return -1;
        if (symlinkat(target, at->dir_fd, at->name) < 0)
                return fg_fail_errno(err, errno, "make symbolic link");
        return fg_layer_attrs_set_at(layer, at->dir_fd, at->name, entry, err);
}

/* A container's own /dev hides the image's. */
static bool is_below_dev(struct archive_entry *entry)
{
        const char *path = archive_entry_pathname(entry);

        while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
                path++;
        return fg_starts_with(path, "dev/");
}

static int make_node(struct fg_layer *layer, const struct place *at, struct archive_entry *entry,
                     struct fg_error *err)
{
        mode_t type = archive_entry_filetype(entry);
        dev_t dev = 0;

        if (type != AE_IFIFO && !layer->limits->devices && is_below_dev(entry))
                return 0;
        if (type != AE_IFIFO && !layer->limits->devices)
                return fg_fail(err, FG_ERR_DENIED, "device nodes are not allowed here");
        if (type != AE_IFIFO)
                dev = makedev((unsigned)archive_entry_rdevmajor(entry),
                              (unsigned)archive_entry_rdevminor(entry));
        if (make_way(at, false, err) < 0)
                return -1;
        if (mknodat(at->dir_fd, at->name, type | 0600, dev) < 0)
                return fg_fail_errno(err, errno, "make node");
        return fg_layer_attrs_set_at(layer, at->dir_fd, at->name, entry, err);
}

/* The target has its attributes already: they are the same file's. */
static int make_hardlink(struct fg_layer *layer, const struct place *at, const char *target,
                         struct fg_error *err)
{
        fg_cleanup(fg_path_finish) struct fg_path path = FG_PATH_INIT;
        fg_autoclose int dir_fd = -1;
        char escaped[FG_PATH_ESCAPED];
        struct stat st, old;

        fg_path_escape(target, escaped);
        if (fg_path_parse(&path, target, layer->limits->name, layer->limits->depth, err) < 0)
                return fg_wrap(err, "hard link to \"%s\"", escaped);
        dir_fd = fg_path_open(layer->root_fd, path.dir, O_PATH | O_DIRECTORY);
        if (dir_fd < 0 || fstatat(dir_fd, path.base, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return fg_fail(err, FG_ERR_INVALID, "hard link to \"%s\", which is not there: %s",
                               escaped, strerror(errno));
        if (S_ISDIR(st.st_mode))
                return fg_fail(err, FG_ERR_INVALID, "hard link to \"%s\", a directory", escaped);
        if (fstatat(at->dir_fd, at->name, &old, AT_SYMLINK_NOFOLLOW) == 0 &&
            old.st_ino == st.st_ino && old.st_dev == st.st_dev)
                return 0;
        if (make_way(at, false, err) < 0)
                return -1;
        if (linkat(dir_fd, path.base, at->dir_fd, at->name, 0) < 0)
                return fg_fail_errno(err, errno, "hard link to \"%s\"", escaped);
        return 0;
}

static int make(struct fg_layer *layer, const struct place *at, struct archive *tar,
                struct archive_entry *entry, struct fg_error *err)
{
        const char *target = archive_entry_hardlink(entry);

        if (target)
                return make_hardlink(layer, at, target, err);
        if (fg_layer_attrs_check(entry, err) < 0)
                return -1;
        switch (archive_entry_filetype(entry)) {
        case AE_IFREG:
                return make_file(layer, at, tar, entry, err);
        case AE_IFDIR:
                return make_dir(layer, at, entry, err);
        case AE_IFLNK:
                return make_symlink(layer, at, entry, err);
        case AE_IFIFO:
        case AE_IFCHR:
        case AE_IFBLK:
                return make_node(layer, at, entry, err);
        default:
                return fg_fail(err, FG_ERR_INVALID, "a socket, or of no known type");
        }
}

static int apply(struct fg_layer *layer, struct archive *tar, struct archive_entry *entry,
                 const char *name, struct fg_error *err)
{
        fg_cleanup(fg_path_finish) struct fg_path path = FG_PATH_INIT;
        fg_autoclose int dir_fd = -1;
        struct stat st;
        int kind;

        if (fg_path_parse(&path, name, layer->limits->name, layer->limits->depth, err) < 0)
                return -1;
        kind = fg_whiteout_parse(path.dir, path.base, err);
        if (kind < 0 || kind == FG_WHITEOUT_IGNORED)
                return kind < 0 ? -1 : 0;
        if (kind != FG_WHITEOUT_NONE)
                return fg_whiteout_apply(layer, kind, path.dir, path.base, err);

        if (!*path.base &&
            (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFDIR))
                return fg_fail(err, FG_ERR_INVALID, "the root can only be a directory");
        dir_fd = fg_path_open_dir(layer->root_fd, path.dir, err);
        if (dir_fd < 0)
                return -1;
        if (make(layer, &(struct place){ dir_fd, *path.base ? path.base : ".", path }, tar, entry,
                 err) < 0)
                return -1;
        if (fstat(dir_fd, &st) < 0)
                return fg_fail_errno(err, errno, "stat");
        return fg_layer_seen_add(&layer->seen, st.st_ino, path.base, err);
}

int fg_layer_entry_apply(struct fg_layer *layer, struct archive *tar, struct archive_entry *entry,
                         struct fg_error *err)
{
        const char *name = archive_entry_pathname(entry);
        char escaped[FG_PATH_ESCAPED];

        if (!name)
                name = "";
        if (apply(layer, tar, entry, name, err) < 0)
                return fg_wrap(err, "entry \"%s\"", fg_path_escape(name, escaped));
        return 0;
}

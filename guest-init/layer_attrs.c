/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/layer_parts.h"

#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "core/str.h"
#include "guest-init/unpack_path.h"

#define ACL_PREFIX "system.posix_acl_"

/*
 * Kept: what a program of the image may rely on. Dropped: labels that belong to the host the image
 * was built on (security.selinux, security.ima), and trusted.* and the like, which steer the
 * kernel itself: an overlay's attributes could make files appear that no digest covers.
 */
static bool is_kept(const char *name)
{
        return fg_streq(name, "security.capability") || fg_starts_with(name, ACL_PREFIX) ||
               (fg_starts_with(name, "user.") && !fg_starts_with(name, "user.overlay."));
}

int fg_layer_attrs_check(struct archive_entry *entry, struct fg_error *err)
{
        la_int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

        /* The last id means "leave as it is" to chown(2). */
        if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
                return fg_fail(err, FG_ERR_INVALID, "impossible owner %jd:%jd", (intmax_t)uid,
                               (intmax_t)gid);
        return 0;
}

void fg_layer_attrs_mtime(struct archive_entry *entry, struct timespec ret[2])
{
        ret[0].tv_sec = archive_entry_mtime(entry);
        ret[0].tv_nsec = archive_entry_mtime_nsec(entry);
        if (ret[0].tv_nsec < 0 || ret[0].tv_nsec > 999999999)
                ret[0].tv_nsec = 0;
        ret[1] = ret[0];
}

/* What a default ACL of the directory or a lower layer's directory of this name brought along. */
static int clear_xattrs(int fd, struct fg_error *err)
{
        ssize_t size = flistxattr(fd, NULL, 0);
        fg_autofree char *names = NULL;

        if (size == 0 || (size < 0 && errno == ENOTSUP))
                return 0;
        if (size > 0) {
                names = fg_calloc((size_t)size + 1, 1);
                size = flistxattr(fd, names, (size_t)size);
        }
        if (size < 0)
                return fg_fail_errno(err, errno, "list extended attributes");
        for (char *name = names; name < names + size; name += strlen(name) + 1)
                if (is_kept(name) && fremovexattr(fd, name) < 0 && errno != ENODATA)
                        return fg_fail_errno(err, errno, "remove extended attribute %s", name);
        return 0;
}

static int set_xattr(struct fg_layer *layer, int fd, const char *name, const void *value,
                     size_t len, struct fg_error *err)
{
        char escaped[FG_PATH_ESCAPED];

        if (!is_kept(name)) {
                layer->usage->xattrs_dropped++;
                return 0;
        }
        if (fsetxattr(fd, name, value, len, 0) == 0)
                return 0;
        /* Nobody else restores ACLs, so an image does without them where the disk does. */
        if (errno == ENOTSUP && fg_starts_with(name, ACL_PREFIX)) {
                layer->usage->xattrs_dropped++;
                return 0;
        }
        fg_fail_errno(err, errno, "extended attribute %s", fg_path_escape(name, escaped));
        if (err->sys == EINVAL || err->sys == ERANGE || err->sys == E2BIG)
                err->code = FG_ERR_INVALID;
        return -1;
}

static int set_xattrs(struct fg_layer *layer, int fd, struct archive_entry *entry,
                      struct fg_error *err)
{
        const char *name;
        const void *value;
        size_t len, sum = 0;

        (void)archive_entry_xattr_reset(entry);
        while (archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK) {
                sum += strlen(name) + len;
                if (sum > layer->limits->xattrs)
                        return fg_fail(err, FG_ERR_CAPACITY,
                                       "extended attributes of more than %zu bytes",
                                       layer->limits->xattrs);
                if (set_xattr(layer, fd, name, value, len, err) < 0)
                        return -1;
        }
        return 0;
}

/* The kernel's form of an ACL: a version, then entries ordered by tag. All little-endian. */
#define ACL_VERSION 2
#define ACL_ENTRIES 1024
#define ACL_NO_ID   UINT32_MAX

struct acl_entry {
        uint16_t tag;
        uint16_t perm;
        uint32_t id;
};

struct acl {
        uint32_t version;
        struct acl_entry entries[ACL_ENTRIES];
};

static uint16_t acl_tag(int tag)
{
        switch (tag) {
        case ARCHIVE_ENTRY_ACL_USER_OBJ:
                return 0x01;
        case ARCHIVE_ENTRY_ACL_USER:
                return 0x02;
        case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
                return 0x04;
        case ARCHIVE_ENTRY_ACL_GROUP:
                return 0x08;
        case ARCHIVE_ENTRY_ACL_MASK:
                return 0x10;
        default:
                return 0x20; /* other */
        }
}

static int compare_acl(const void *a, const void *b)
{
        const struct acl_entry *x = a, *y = b;

        return (int)le16toh(x->tag) - (int)le16toh(y->tag);
}

/* Return: entries, or 0 when a user or group has a name only: it would have to be guessed. */
static size_t build_acl(struct archive_entry *entry, int type, struct acl *acl)
{
        int type_is, perm, tag, id;
        const char *name;
        size_t count = 0;

        acl->version = htole32(ACL_VERSION);
        while (archive_entry_acl_next(entry, type, &type_is, &perm, &tag, &id, &name) ==
               ARCHIVE_OK) {
                bool named = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;

                if (count == ACL_ENTRIES || (named && id < 0))
                        return 0;
                acl->entries[count++] = (struct acl_entry){
                        .tag = htole16(acl_tag(tag)),
                        .perm = htole16((uint16_t)(perm & 7)),
                        .id = htole32(named ? (uint32_t)id : ACL_NO_ID),
                };
        }
        qsort(acl->entries, count, sizeof(acl->entries[0]), compare_acl);
        return count;
}

static int set_acl(struct fg_layer *layer, int fd, struct archive_entry *entry, int type,
                   const char *name, struct fg_error *err)
{
        fg_autofree struct acl *acl = NULL;
        size_t count;

        if (archive_entry_acl_reset(entry, type) == 0)
                return 0;
        acl = fg_calloc(1, sizeof(*acl));
        count = build_acl(entry, type, acl);
        if (count == 0) {
                layer->usage->xattrs_dropped++;
                return 0;
        }
        return set_xattr(layer, fd, name, acl,
                         offsetof(struct acl, entries) + count * sizeof(acl->entries[0]), err);
}

int fg_layer_attrs_set(struct fg_layer *layer, int fd, struct archive_entry *entry,
                       struct fg_error *err)
{
        mode_t perm = archive_entry_perm(entry);
        bool is_dir = archive_entry_filetype(entry) == AE_IFDIR;

        /* In this order: a new owner clears setuid bits and capabilities. */
        if (fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)) < 0)
                return fg_fail_errno(err, errno, "set its owner");
        if (clear_xattrs(fd, err) < 0)
                return -1;
        if (!is_dir && fchmod(fd, perm) < 0)
                return fg_fail_errno(err, errno, "set its mode");
        if (set_xattrs(layer, fd, entry, err) < 0 ||
            set_acl(layer, fd, entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ACL_PREFIX "access", err) < 0)
                return -1;
        if (!is_dir)
                return 0;
        return set_acl(layer, fd, entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ACL_PREFIX "default", err);
}

int fg_layer_attrs_set_at(struct fg_layer *layer, int dir_fd, const char *name,
                          struct archive_entry *entry, struct fg_error *err)
{
        uid_t uid = (uid_t)archive_entry_uid(entry);
        gid_t gid = (gid_t)archive_entry_gid(entry);
        struct timespec times[2];

        fg_layer_attrs_mtime(entry, times);
        layer->usage->xattrs_dropped += (unsigned)archive_entry_xattr_count(entry);
        if (fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
                return fg_fail_errno(err, errno, "set its owner");
        /* A link has no mode; anything else was just made, and is no link. */
        if (archive_entry_filetype(entry) != AE_IFLNK &&
            fchmodat(dir_fd, name, archive_entry_perm(entry), 0) < 0)
                return fg_fail_errno(err, errno, "set its mode");
        if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return fg_fail_errno(err, errno, "set its time");
        return 0;
}

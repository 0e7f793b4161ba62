/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/qemu_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/str.h"

int fg_qemu_user_get(struct fg_qemu_user *ret, struct fg_error *err)
{
        const struct passwd *pw;
        const struct group *gr;

        if (geteuid() != 0) {
                *ret = (struct fg_qemu_user){ .uid = geteuid(),
                                              .gid = getegid(),
                                              .kvm_gid = getegid() };
                return 0;
        }
        pw = getpwnam(FG_QEMU_USER);
        gr = getgrnam(FG_QEMU_USER);
        if (!pw || !gr)
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "user and group " FG_QEMU_USER " do not exist: run "
                               "scripts/qemu-user.sh, or install libvirt-daemon-system");
        *ret = (struct fg_qemu_user){
                .separate = true,
                .uid = pw->pw_uid,
                .gid = gr->gr_gid,
                .kvm_gid = pw->pw_gid,
        };
        return 0;
}

static bool may_search(const struct fg_qemu_user *user, const struct stat *st)
{
        if (st->st_uid == user->uid)
                return st->st_mode & S_IXUSR;
        if (st->st_gid == user->gid || st->st_gid == user->kvm_gid)
                return st->st_mode & S_IXGRP;
        return st->st_mode & S_IXOTH;
}

int fg_qemu_user_reaches(const struct fg_qemu_user *user, const char *path, struct fg_error *err)
{
        fg_autofree char *copy = fg_strdup(path);
        struct stat st;

        if (!user->separate)
                return 0;
        for (char *p = copy; *p; p++) {
                char *next = p + 1, after = *next;

                if (*p != '/')
                        continue;
                *next = '\0';
                if (stat(copy, &st) < 0)
                        return fg_fail_errno(err, errno, "%s", copy);
                if (!may_search(user, &st))
                        return fg_fail(err, FG_ERR_DENIED,
                                       "QEMU runs as " FG_QEMU_USER
                                       " and cannot reach %s: %s is not searchable (mode %04o)",
                                       path, copy, (unsigned)(st.st_mode & 07777));
                *next = after;
        }
        return 0;
}

int fg_qemu_user_mkdir(const struct fg_qemu_user *user, const char *path, struct fg_error *err)
{
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return fg_fail_errno(err, errno, "mkdir %s", path);
        if (!user->separate)
                return 0;
        if (chown(path, (uid_t)-1, user->gid) < 0 || chmod(path, 0710) < 0)
                return fg_fail_errno(err, errno, "give %s to " FG_QEMU_USER, path);
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/pod.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "guest-init/cgroup.h"

#define OWN_MAX 4096 /* bytes of /proc/self/cgroup */
#define OWN_LEAF                                                                                   \
        FG_CGROUP_ROOT "/init" /* PID 1: a group that has limited children has no process */
#define NO_ALL (MS_NOSUID | MS_NODEV | MS_NOEXEC)

bool fg_pod;

static int join(const char *dir, struct fg_error *err)
{
        fg_autofree char *procs = fg_asprintf("%s/cgroup.procs", dir);
        fg_autoclose int fd = -1;

        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
                return fg_fail_errno(err, errno, "mkdir %s", dir);
        fd = open(procs, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return fg_fail_errno(err, errno, "open %s", procs);
        return fg_write_all(fd, "0", 1, err) < 0 ? fg_wrap(err, "join %s", dir) : 0;
}

static int mount_cgroups(struct fg_error *err)
{
        if (mount("cgroup2", FG_CGROUP_ROOT, "cgroup2", NO_ALL, NULL) < 0)
                return fg_fail_errno(err, errno, "mount " FG_CGROUP_ROOT);
        return 0;
}

/* A runtime that knows cgroup v1's controllers alone leaves us in v2's group of fgd. */
static int join_own(const char *name, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf groups = FG_BUF_INIT(OWN_MAX);
        fg_autofree char *dir = fg_asprintf(FG_CGROUP_ROOT "/%s", name);
        fg_autofree char *own = fg_asprintf("0::/%s\n", name);

        if (fg_buf_read_file(&groups, "/proc/self/cgroup", err) < 0)
                return -1;
        return groups.len > 0 && strstr(groups.data, own) ? 0 : join(dir, err);
}

int fg_pod_init(const char *cgroup, struct fg_error *err)
{
        if (mount_cgroups(err) < 0 || join_own(cgroup, err) < 0)
                return -1;
        if (unshare(CLONE_NEWCGROUP) < 0 || umount2(FG_CGROUP_ROOT, MNT_DETACH) < 0)
                return fg_fail_errno(err, errno, "new cgroup namespace");
        return mount_cgroups(err) < 0 ? -1 : join(OWN_LEAF, err);
}

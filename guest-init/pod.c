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
#define NO_ALL    (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define V2_PREFIX "0::"

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

/* Where the host's controllers are those of cgroup v1, the runtime leaves us in v2's root. */
static int leave_root(const char *name, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf own = FG_BUF_INIT(OWN_MAX);
        fg_autofree char *dir = fg_asprintf(FG_CGROUP_ROOT "/%s", name);
        const char *line;

        if (fg_buf_read_file(&own, "/proc/self/cgroup", err) < 0)
                return -1;
        line = own.len > 0 ? strstr(own.data, V2_PREFIX) : NULL;
        if (!line)
                return fg_fail(err, FG_ERR_NOT_FOUND, "the host has no cgroup v2");
        return fg_starts_with(line, V2_PREFIX "/\n") ? join(dir, err) : 0;
}

int fg_pod_init(const char *cgroup, struct fg_error *err)
{
        if (mount_cgroups(err) < 0 || leave_root(cgroup, err) < 0)
                return -1;
        if (unshare(CLONE_NEWCGROUP) < 0 || umount2(FG_CGROUP_ROOT, MNT_DETACH) < 0)
                return fg_fail_errno(err, errno, "new cgroup namespace");
        return mount_cgroups(err) < 0 ? -1 : join(OWN_LEAF, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/mounts.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "guest-init/pod.h"

#define NEW_ROOT "/newroot"

static const struct mount_point {
        const char *type, *target, *data;
        unsigned long flags;
} kernel_mounts[] = {
        { "proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
        { "sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
        { "devtmpfs", "/dev", "mode=0755", MS_NOSUID | MS_NOEXEC },
        { "cgroup2", "/sys/fs/cgroup", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
        { "tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV },
};

static int make_dir(const char *path, struct fg_error *err)
{
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return fg_fail_errno(err, errno, "mkdir %s", path);
        return 0;
}

static int switch_root(struct fg_error *err)
{
        if (make_dir(NEW_ROOT, err) < 0)
                return -1;
        if (mount("tmpfs", NEW_ROOT, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0 ||
            chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
            chdir("/") < 0)
                return fg_fail_errno(err, errno, "leave the initramfs");
        return 0;
}

int fg_mounts_init(struct fg_error *err)
{
        if (switch_root(err) < 0)
                return -1;
        for (size_t i = 0; i < FG_ARRAY_SIZE(kernel_mounts); i++) {
                const struct mount_point *m = &kernel_mounts[i];

                if (make_dir(m->target, err) < 0)
                        return -1;
                if (mount(m->type, m->target, m->type, m->flags, m->data) < 0)
                        return fg_fail_errno(err, errno, "mount %s", m->target);
        }
        return 0;
}

int fg_mounts_scratch(const char *device, struct fg_error *err)
{
        static const char *const dirs[] = { FG_SCRATCH_IMAGES, FG_SCRATCH_CONTAINERS,
                                            FG_SCRATCH_VOLUMES };

        if (make_dir(FG_SCRATCH, err) < 0)
                return -1;
        /* nodev: a container that may mknod(2) still reaches no device through its files. The inode
           tables are holes of a file, which read as zeros: writing those, as ext4 would in the
           background, takes hundreds of MiB of the host's disk. */
        if (!fg_pod &&
            mount(device, FG_SCRATCH, "ext4", MS_NODEV | MS_NOATIME, "noinit_itable") < 0)
                return fg_fail_errno(err, errno, "mount %s at %s", device, FG_SCRATCH);
        for (size_t i = 0; i < FG_ARRAY_SIZE(dirs); i++) {
                if (make_dir(dirs[i], err) < 0)
                        return -1;
        }
        return 0;
}

int fg_mounts_loopback(struct fg_error *err)
{
        fg_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) < 0)
                return fg_fail_errno(err, errno, "bring up the loopback interface");
        return 0;
}

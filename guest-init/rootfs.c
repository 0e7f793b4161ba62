/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/binds.h"
#include "guest-init/devices.h"
#include "guest-init/image_unpack.h"
#include "guest-init/mounts.h"
#include "guest-init/process.h"

#define NO_ALL (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct {
        const char *type, *target;
        unsigned long flags;
} kernel_mounts[] = {
        { "proc", "/proc", NO_ALL },
        { "sysfs", "/sys", NO_ALL | MS_RDONLY },
        { "cgroup2", "/sys/fs/cgroup", NO_ALL | MS_RDONLY },
};

/* Docker's lists. */
static const char *const masked[] = {
        "/proc/asound",
        "/proc/acpi",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/sys/firmware",
        "/sys/devices/virtual/powercap",
};
static const char *const read_only[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                         "/proc/sysrq-trigger" };

/* The root directory itself is the upper layer's: it gets the image's mode and owner. */
static int make_upper(const char *lower, const char *upper, struct fg_error *err)
{
        struct stat st;

        if (mkdir(upper, 0755) < 0 && errno == EEXIST)
                return 0; /* of the container's former run */
        if (stat(lower, &st) < 0 || chown(upper, st.st_uid, st.st_gid) < 0 ||
            chmod(upper, st.st_mode & 07777) < 0)
                return fg_fail_errno(err, errno, "make %s", upper);
        return 0;
}

/* Copy-on-write over the image, which other containers may use as well. Return: in its root. */
static int mount_overlay(const struct fg_start *s, const char *dir, struct fg_error *err)
{
        fg_autofree char *lower = fg_asprintf("%s/" FG_IMAGE_ROOT, s->image_dir);
        fg_autofree char *upper = fg_asprintf("%s/upper", dir);
        fg_autofree char *work = fg_asprintf("%s/work", dir);
        fg_autofree char *root = fg_asprintf("%s/root", dir);
        fg_autofree char *mark = fg_asprintf("%s/work/incompat/volatile", work);
        fg_autofree char *dirty = fg_asprintf("%s/dirty", mark);
        fg_autofree char *data = fg_asprintf(
                "lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=on,volatile", lower, upper, work);

        if (make_upper(lower, upper, err) < 0)
                return -1;
        if ((mkdir(work, 0700) < 0 && errno != EEXIST) ||
            (mkdir(root, 0755) < 0 && errno != EEXIST))
                return fg_fail_errno(err, errno, "make %s", root);
        /* Left by a former run, against the use of layers that a crash may have torn. */
        (void)unlink(dirty);
        (void)rmdir(mark);
        if (mount("overlay", root, "overlay", MS_NODEV, data) < 0)
                return fg_fail_errno(err, errno, "mount overlay");
        return chdir(root) < 0 ? fg_fail_errno(err, errno, "chdir %s", root) : 0;
}

static int pivot(struct fg_error *err)
{
        if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return fg_fail_errno(err, errno, "change the root");
        return 0;
}

/* An image might have a link here, to make us mount over something else. */
static int check_directory(const char *path, struct fg_error *err)
{
        struct stat st;

        if (fg_mkdir_p(path, 0755, err) < 0)
                return -1;
        if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
                return fg_fail(err, FG_ERR_INVALID, "%s of the image is not a directory", path);
        return 0;
}

static int mount_kernel(struct fg_error *err)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(kernel_mounts); i++) {
                const char *target = kernel_mounts[i].target, *type = kernel_mounts[i].type;

                if (check_directory(target, err) < 0)
                        return -1;
                if (mount(type, target, type, kernel_mounts[i].flags, NULL) < 0)
                        return fg_fail_errno(err, errno, "mount %s", target);
        }
        return 0;
}

static int mask(const char *path, struct fg_error *err)
{
        struct stat st;
        int r;

        if (lstat(path, &st) < 0)
                return 0;
        if (S_ISDIR(st.st_mode))
                r = mount("tmpfs", path, "tmpfs", MS_RDONLY | NO_ALL, "size=0");
        else
                r = mount("/dev/null", path, NULL, MS_BIND, NULL);
        return r < 0 ? fg_fail_errno(err, errno, "mask %s", path) : 0;
}

static int protect(const char *path, struct fg_error *err)
{
        if (mount(path, path, NULL, MS_BIND, NULL) < 0) {
                if (errno == ENOENT)
                        return 0;
                return fg_fail_errno(err, errno, "bind %s", path);
        }
        if (mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | NO_ALL, NULL) < 0)
                return fg_fail_errno(err, errno, "protect %s", path);
        return 0;
}

static int hide(struct fg_error *err)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(masked); i++) {
                if (mask(masked[i], err) < 0)
                        return -1;
        }
        for (size_t i = 0; i < FG_ARRAY_SIZE(read_only); i++) {
                if (protect(read_only[i], err) < 0)
                        return -1;
        }
        return 0;
}

int fg_rootfs_enter(const struct fg_start *s, struct fg_error *err)
{
        fg_autofree char *dir = fg_asprintf(FG_SCRATCH_CONTAINERS "/%u", s->index);
        fg_cleanup(fg_binds_finish) struct fg_binds binds = { 0 };

        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return fg_fail_errno(err, errno, "make mounts private");
        if (mkdir(dir, 0700) < 0 && errno != EEXIST)
                return fg_fail_errno(err, errno, "make %s", dir);
        if (fg_binds_open(&binds, s, dir, err) < 0 || mount_overlay(s, dir, err) < 0 ||
            pivot(err) < 0 || mount_kernel(err) < 0 || fg_devices_mount(s->spec, err) < 0 ||
            fg_binds_mount(&binds, err) < 0 || fg_devices_link(err) < 0)
                return -1;
        return hide(err);
}

int fg_rootfs_finish(const struct fg_start *s, struct fg_error *err)
{
        /* As Docker: one that is not there is made, also where the root is read-only afterwards. */
        if (fg_mkdir_p(fg_process_directory(s), 0755, err) < 0)
                return fg_wrap(err, "make working directory");
        if (fg_json_bool(s->spec, "readonlyRootFilesystem", false) &&
            mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NODEV, NULL) < 0)
                return fg_fail_errno(err, errno, "make the root read-only");
        return 0;
}

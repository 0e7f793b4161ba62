/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/devices.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define SHM             "/dev/shm"
#define SHM_DEFAULT_MIB 64 /* Docker's */

const char *const fg_device_nodes[] = { "/dev/null",   "/dev/zero",    "/dev/full",
                                        "/dev/random", "/dev/urandom", "/dev/tty" };
const size_t fg_device_node_count = FG_ARRAY_SIZE(fg_device_nodes);

static const struct {
        const char *type, *target, *data;
        unsigned long flags;
} mounts[] = {
        { "tmpfs", "/dev", "mode=755,size=65536k", MS_NOSUID | MS_NODEV | MS_STRICTATIME },
        { "devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=0620,gid=5",
          MS_NOSUID | MS_NOEXEC },
        { "tmpfs", SHM, NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
        { "mqueue", "/dev/mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
};

static const struct {
        const char *path, *target;
} links[] = {
        { "/dev/ptmx", "pts/ptmx" },          { "/dev/fd", "/proc/self/fd" },
        { "/dev/stdin", "/proc/self/fd/0" },  { "/dev/stdout", "/proc/self/fd/1" },
        { "/dev/stderr", "/proc/self/fd/2" }, { "/dev/core", "/proc/kcore" },
};

int fg_devices_mount(struct json_object *container, struct fg_error *err)
{
        struct json_object *params = fg_json_obj(container, "linuxParameters");
        fg_autofree char *shm = fg_asprintf(
                "mode=1777,size=%lldm",
                (long long)fg_json_int(params, "sharedMemorySize", SHM_DEFAULT_MIB));
        struct stat st;

        for (size_t i = 0; i < FG_ARRAY_SIZE(mounts); i++) {
                const char *target = mounts[i].target;
                const char *data = fg_streq(target, SHM) ? shm : mounts[i].data;

                if (mkdir(target, 0755) < 0 && errno != EEXIST)
                        return fg_fail_errno(err, errno, "mkdir %s", target);
                if (lstat(target, &st) < 0 || !S_ISDIR(st.st_mode))
                        return fg_fail(err, FG_ERR_INVALID, "%s of the image is not a directory",
                                       target);
                if (mount(mounts[i].type, target, mounts[i].type, mounts[i].flags, data) < 0)
                        return fg_fail_errno(err, errno, "mount %s", target);
        }
        return 0;
}

int fg_devices_link(struct fg_error *err)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(links); i++) {
                if (symlink(links[i].target, links[i].path) < 0)
                        return fg_fail_errno(err, errno, "link %s", links[i].path);
        }
        return 0;
}

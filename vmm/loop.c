/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/cleanup.h"

#define LOOP_MAJOR 7
#define TRIES      64 /* another process may be faster to take a free one */

/* Where no devtmpfs is, nobody makes the node of a new device. */
static int open_device(struct fg_loop_disk *d, int flags)
{
        int fd = open(d->path, flags);

        if (fd < 0 && errno == ENOENT &&
            mknod(d->path, S_IFBLK | 0600, makedev(LOOP_MAJOR, d->minor)) == 0)
                fd = open(d->path, flags);
        return fd;
}

int fg_loop_disk_open(struct fg_loop_disk *ret, const char *file, bool read_only,
                      struct fg_error *err)
{
        const int flags = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
        fg_autoclose int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
        fg_autoclose int backing = open(file, flags);
        struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };

        if (control < 0)
                return fg_fail_errno(err, errno, "open /dev/loop-control");
        if (backing < 0)
                return fg_fail_errno(err, errno, "open %s", file);
        config.fd = (unsigned)backing;
        if (read_only)
                config.info.lo_flags |= LO_FLAGS_READ_ONLY;
        for (int i = 0; i < TRIES; i++) {
                int n = ioctl(control, LOOP_CTL_GET_FREE);

                if (n < 0)
                        return fg_fail_errno(err, errno, "find a free loop device");
                ret->minor = (unsigned)n;
                (void)snprintf(ret->path, sizeof(ret->path), "/dev/loop%d", n);
                ret->fd = open_device(ret, flags);
                if (ret->fd < 0)
                        return fg_fail_errno(err, errno, "open %s", ret->path);
                if (ioctl(ret->fd, LOOP_CONFIGURE, &config) == 0)
                        return 0;
                (void)close(ret->fd);
                ret->fd = -1;
                if (errno != EBUSY)
                        return fg_fail_errno(err, errno, "make %s of %s", ret->path, file);
        }
        return fg_fail(err, FG_ERR_CAPACITY, "no loop device stays free");
}

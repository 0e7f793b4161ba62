/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/disks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <scsi/scsi.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"
#include "guest-init/pod.h"
#include "guest-init/uevents.h"

#define READ_AHEAD_BYTES   (512ul << 10)
#define BLOCK_DEVICES      "/sys/block"
#define SERIAL_PAGE        0x80
#define INQUIRY_TIMEOUT_MS 5000
#define PAGE_HEADER        4  /* before the serial number in the answer of a SCSI disk */
#define PATIENCE_SECONDS   60 /* from the task on: the host may be busy with other VMs */

/* ---- by serial number ---- */

static bool same(const char *found, size_t len, const char *serial)
{
        return len >= strlen(serial) && memcmp(found, serial, strlen(serial)) == 0 &&
               (len == strlen(serial) || strchr("\n ", found[strlen(serial)]));
}

/* The kernel is told to ask a new disk for nothing that it can do without (vmm/cmdline.c). */
static bool has_scsi_serial(const char *device, const char *serial)
{
        fg_autofree char *path = fg_asprintf("/dev/%s", device);
        fg_autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        char page[PAGE_HEADER + FG_DISK_SERIAL_MAX] = { 0 };
        unsigned char inquiry[] = { INQUIRY, 1, SERIAL_PAGE, 0, sizeof(page), 0 };
        struct sg_io_hdr io = { .interface_id = 'S',
                                .dxfer_direction = SG_DXFER_FROM_DEV,
                                .cmdp = inquiry,
                                .cmd_len = sizeof(inquiry),
                                .dxferp = page,
                                .dxfer_len = sizeof(page),
                                .timeout = INQUIRY_TIMEOUT_MS };

        if (fd < 0 || ioctl(fd, SG_IO, &io) < 0 || (io.info & SG_INFO_OK_MASK) != SG_INFO_OK)
                return false;
        return same(page + PAGE_HEADER, strnlen(page + PAGE_HEADER, FG_DISK_SERIAL_MAX), serial);
}

static bool has_serial(const char *device, const char *serial)
{
        fg_cleanup(fg_buf_finish) struct fg_buf found = FG_BUF_INIT(FG_DISK_SERIAL_MAX);
        fg_autofree char *virtio = fg_asprintf(BLOCK_DEVICES "/%s/serial", device);
        struct fg_error ignored;

        if (fg_buf_read_file(&found, virtio, &ignored) == 0)
                return same(found.data, found.len, serial);
        return device[0] == 's' && has_scsi_serial(device, serial);
}

/* Return: path of the device, for the caller to free; NULL: there is none. */
static char *find_device(const char *serial)
{
        fg_cleanup(closedirp) DIR *dir = opendir(BLOCK_DEVICES);
        struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' && has_serial(entry->d_name, serial))
                        return fg_asprintf("/dev/%s", entry->d_name);
        return NULL;
}

/* ---- waiting ---- */

/* After each the loop's owner looks again. */
static void drain(struct fg_source *s, uint32_t events)
{
        (void)events;
        fg_uevents_drain(s->fd);
}

static void lose_patience(struct fg_timer *t)
{
        FG_CONTAINER_OF(t, struct fg_disks, patience)->late = true;
}

static int watch(struct fg_disks *d, struct fg_error *err)
{
        d->events = (struct fg_source){ .fd = fg_uevents_open(err), .ready = drain };
        if (d->events.fd < 0)
                return -1;
        d->patience = (struct fg_timer){
                .deadline = fg_mono_ns() + PATIENCE_SECONDS * FG_NS_PER_SEC, .fire = lose_patience
        };
        fg_loop_add_timer(d->loop, &d->patience);
        return fg_loop_add(d->loop, &d->events, EPOLLIN, err);
}

static bool is_mounted(const struct fg_disks *d, const char *serial)
{
        for (size_t i = 0; i < d->n_mounted; i++)
                if (fg_streq(d->mounted[i], serial))
                        return true;
        return false;
}

/* A program is read in a few long reads: each is an exit of the VM. Without it all works as well.
 */
static void read_far_ahead(const char *device)
{
        fg_autoclose int fd = open(device, O_RDONLY | O_CLOEXEC);

        if (fd >= 0)
                (void)ioctl(fd, BLKRASET, READ_AHEAD_BYTES / 512);
}

/* Return: 1, or 0: its node is still being made, or -1. */
static int mount_device(const char *device, const char *dir, struct fg_error *err)
{
        if (mkdir(dir, 0700) < 0 && errno != EEXIST)
                return fg_fail_errno(err, errno, "mkdir %s", dir);
        if (mount(device, dir, "erofs", MS_RDONLY | MS_NODEV, NULL) == 0)
                return 1;
        return errno == ENOENT || errno == ENXIO
                       ? 0
                       : fg_fail_errno(err, errno, "mount the prepared image %s", device);
}

int fg_disks_mount(struct fg_disks *d, const char *serial, const char *dir, struct fg_error *err)
{
        fg_autofree char *device = NULL;
        int r;

        if (is_mounted(d, serial))
                return 1;
        if (fg_pod) /* made by the runtime, or never there */
                return access(dir, F_OK) == 0 ? 1 : fg_fail_errno(err, errno, "no disk %s", serial);
        device = find_device(serial);
        if (!device && d->events.fd < 0) {
                if (watch(d, err) < 0)
                        return -1;
                device = find_device(serial); /* it may have come before the watch began */
        }
        if (!device && d->late)
                return fg_fail(err, FG_ERR_TIMEOUT, "no disk with the serial number %s after %d s",
                               serial, PATIENCE_SECONDS);
        r = device ? mount_device(device, dir, err) : 0;
        if (r <= 0)
                return r;
        read_far_ahead(device);
        if (d->n_mounted < FG_DISKS_MAX)
                (void)snprintf(d->mounted[d->n_mounted++], FG_DISK_SERIAL_MAX, "%s", serial);
        return 1;
}

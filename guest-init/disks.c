/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/str.h"
#include "guest-init/mounts.h"

#define BLOCK_DEVICES "/sys/block"
#define SERIAL_MAX    64

static bool has_serial(const char *device, const char *serial)
{
        fg_cleanup(fg_buf_finish) struct fg_buf found = FG_BUF_INIT(SERIAL_MAX);
        fg_autofree char *path = fg_asprintf(BLOCK_DEVICES "/%s/serial", device);
        struct fg_error ignored;

        if (fg_buf_read_file(&found, path, &ignored) < 0 || !found.data)
                return false;
        found.data[strcspn(found.data, "\n")] = '\0';
        return fg_streq(found.data, serial);
}

/* Return: path of the device, for the caller to free; NULL: there is none. */
static char *find_device(const char *serial)
{
        fg_cleanup(closedirp) DIR *dir = opendir(BLOCK_DEVICES);
        struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (has_serial(entry->d_name, serial))
                        return fg_asprintf("/dev/%s", entry->d_name);
        return NULL;
}

int fg_mounts_image(const char *serial, const char *dir, struct fg_error *err)
{
        fg_autofree char *device = find_device(serial);

        if (!device)
                return fg_fail(err, FG_ERR_NOT_FOUND, "no disk has the serial number %s", serial);
        if (mkdir(dir, 0700) < 0)
                return fg_fail_errno(err, errno, "mkdir %s", dir);
        if (mount(device, dir, "erofs", MS_RDONLY | MS_NODEV, NULL) < 0)
                return fg_fail_errno(err, errno, "mount the prepared image %s", device);
        return 0;
}

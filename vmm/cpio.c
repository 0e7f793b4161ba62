/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/cpio.h"

#include <string.h>

#define ALIGNMENT 4

static int pad(struct fg_buf *out, struct fg_error *err)
{
        static const char zeros[ALIGNMENT];

        return fg_buf_append(out, zeros, -out->len % ALIGNMENT, err);
}

int fg_cpio_add(struct fg_buf *out, const char *name, mode_t mode, const void *data, size_t len,
                struct fg_error *err)
{
        size_t name_size = strlen(name) + 1;

        /* magic, inode, mode, uid, gid, links, mtime, size, two devices, name, checksum */
        if (pad(out, err) < 0 ||
            fg_buf_printf(out, err, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
                          0, mode, 0, 0, 1, 0, len, 0, 0, 0, 0, name_size, 0) < 0 ||
            fg_buf_append(out, name, name_size, err) < 0 || pad(out, err) < 0)
                return -1;
        return fg_buf_append(out, data, len, err);
}

int fg_cpio_end(struct fg_buf *out, struct fg_error *err)
{
        return fg_cpio_add(out, "TRAILER!!!", 0, "", 0, err) < 0 ? -1 : pad(out, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"

/* Replaces @to in one step: a QEMU that is just starting reads the old file or the new one. */
static int install(const char *from, const char *to, struct fg_error *err)
{
        fg_autofree char *temporary = fg_asprintf("%s.new", to);

        if (unlink(temporary) < 0 && errno != ENOENT)
                return fg_fail_errno(err, errno, "remove %s", temporary);
        if (fg_copy_sparse(from, temporary, 0444, err) < 0)
                return -1;
        if (rename(temporary, to) < 0)
                return fg_fail_errno(err, errno, "rename to %s", to);
        return 0;
}

int fg_boot_files_prepare(const char *kernel, const char *initrd, const char *dir,
                          const struct fg_qemu_user *user, struct fg_boot_files *ret,
                          struct fg_error *err)
{
        fg_cleanup(fg_boot_files_finish) struct fg_boot_files files = {
                .kernel = fg_asprintf("%s/kernel", dir),
                .initrd = fg_asprintf("%s/initrd", dir),
        };

        if (!fg_exists(kernel))
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "no guest kernel at %s: run `make kernel` (scripts/build-kernel.sh)",
                               kernel);
        if (!fg_exists(initrd))
                return fg_fail(err, FG_ERR_NOT_FOUND, "no initramfs at %s: run `make`", initrd);
        if (fg_qemu_user_mkdir(user, dir, err) < 0 || install(kernel, files.kernel, err) < 0 ||
            install(initrd, files.initrd, err) < 0)
                return fg_wrap(err, "boot files");
        *ret = files;
        files = (struct fg_boot_files){ 0 };
        return 0;
}

void fg_boot_files_finish(struct fg_boot_files *files)
{
        free(files->kernel);
        free(files->initrd);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "vmm/stock.h"
#include "vmm/vmm.h"

#define INITRD_MAX (64u * 1024 * 1024)

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

/* Debian's kernel and, behind the initramfs, its modules. */
static int install_stock(const char *initrd, struct fg_boot_files *files, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf archives = FG_BUF_INIT(INITRD_MAX);
        fg_cleanup(fg_stock_finish) struct fg_stock stock = { 0 };

        if (fg_stock_find("/boot", "/lib/modules", &stock, err) < 0 ||
            fg_buf_read_file(&archives, initrd, err) < 0 ||
            fg_stock_add_modules(stock.modules, &archives, err) < 0 ||
            fg_write_file(files->initrd, archives.data, archives.len, 0444, err) < 0)
                return -1;
        files->acpi = true;
        files->source = fg_take_ptr(stock.kernel);
        return install(files->source, files->kernel, err);
}

static int install_own(const char *kernel, const char *initrd, struct fg_boot_files *files,
                       struct fg_error *err)
{
        if (!fg_exists(kernel))
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "no guest kernel at %s: run `make kernel` (scripts/build-kernel.sh)",
                               kernel);
        files->source = fg_strdup(kernel);
        return install(kernel, files->kernel, err) < 0 ? -1 : install(initrd, files->initrd, err);
}

int fg_boot_files_prepare(const char *kernel, const char *initrd, const char *dir,
                          const struct fg_qemu_user *user, struct fg_boot_files *ret,
                          struct fg_error *err)
{
        fg_cleanup(fg_boot_files_finish) struct fg_boot_files files = {
                .kernel = fg_asprintf("%s/kernel", dir),
                .initrd = fg_asprintf("%s/initrd", dir),
        };
        int r;

        if (!fg_exists(initrd))
                return fg_fail(err, FG_ERR_NOT_FOUND, "no initramfs at %s: run `make`", initrd);
        r = fg_qemu_user_mkdir(user, dir, err);
        if (r == 0)
                r = fg_streq(kernel, FG_KERNEL_STOCK) ? install_stock(initrd, &files, err)
                                                      : install_own(kernel, initrd, &files, err);
        if (r < 0)
                return fg_wrap(err, "boot files");
        *ret = files;
        files = (struct fg_boot_files){ 0 };
        return 0;
}

void fg_boot_files_finish(struct fg_boot_files *files)
{
        free(files->source);
        free(files->kernel);
        free(files->initrd);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/kernel.h"

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/paths.h"
#include "core/str.h"

static char *find(const char *configured, const char *installed, const char *built)
{
        fg_autofree char *exe = fg_path_exe_dir();
        fg_autofree char *path = fg_asprintf("%s/../%s", exe, built);

        if (configured)
                return fg_strdup(configured);
        return fg_exists(path) ? fg_take_ptr(path) : fg_strdup(installed);
}

char *fg_kernel_path(const char *configured)
{
        return find(configured, FG_LIBDIR "/vmlinux", "guest-init/vmlinux");
}

char *fg_initrd_path(const char *configured)
{
        return find(configured, FG_LIBDIR "/initramfs.cpio", "guest-init/initramfs.cpio");
}

char *fg_init_path(void)
{
        return find(NULL, FG_LIBDIR "/fgrun-init", "guest-init/fgrun-init");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "guest-init/protocol.h"

static int load(const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

        /* EEXIST: the kernel has it built in */
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
                return fg_fail_errno(err, errno, "load %s", path);
        (void)unlink(path); /* the initramfs is memory */
        return 0;
}

int fg_modules_load(struct fg_error *err)
{
        fg_cleanup(fclosep) FILE *order = fopen(FG_PROTO_MODULES, "re");
        fg_autofree char *line = NULL;
        size_t size = 0;
        ssize_t len;

        if (!order)
                return errno == ENOENT ? 0 : fg_fail_errno(err, errno, "open " FG_PROTO_MODULES);
        while ((len = getline(&line, &size, order)) > 0) {
                line[len - 1] = '\0'; /* the newline */
                if (load(line, err) < 0)
                        return -1;
        }
        return 0;
}

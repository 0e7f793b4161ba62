/* SPDX-License-Identifier: Apache-2.0 */
#include "images/archive.h"

#include <errno.h>
#include <fcntl.h>

#include "core/cleanup.h"
#include "images/helper.h"

#define SECONDS_MAX 3600

int fg_archive_convert(const char *program, const char *file, const char *name, const char *dir,
                       struct fg_error *err)
{
        fg_autoclose int tar = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        fg_autoclose int out = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const char *const argv[] = { "fg-archive", name, NULL };

        if (tar < 0)
                return fg_fail_errno(err, errno, "%s", file);
        if (out < 0)
                return fg_fail_errno(err, errno, "%s", dir);
        if (fg_helper_run(&(struct fg_helper){ .program = program,
                                               .argv = argv,
                                               .in = tar,
                                               .out = out,
                                               .seconds = SECONDS_MAX,
                                               .cancel = -1 },
                          err) < 0)
                return fg_wrap(err, "%s", file);
        return 0;
}

char *fg_archive_program(void)
{
        return fg_helper_path("fg-archive", "FG_ARCHIVE");
}

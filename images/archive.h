/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/**
 * fg_archive_convert() - turn a `docker save` file into an OCI layout
 * The tar is parsed by a separate program, fg-archive, which can do nothing but read the file and
 * write below @dir. Blocks; any thread.
 * @program: path of fg-archive
 * @name: the image in it ("busybox:1"), NULL: the only one
 * @dir: existing empty directory
 */
int fg_archive_convert(const char *program, const char *file, const char *name, const char *dir,
                       struct fg_error *err);
/** fg_archive_program() - where fg-archive is: $FG_ARCHIVE, beside the executable, libexec. */
char *fg_archive_program(void);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"

struct fg_loop;

#define FG_REHEARSAL_NAME "fgrun-rehearsal" /* argv[0] of the program that is run, and ends */

/**
 * fg_rehearse() - start a container of nothing and wait for its end, while nobody waits
 * What is done for the first time is slow: the kernel's paths are cold, and an emulated CPU has
 * translated none of them. Afterwards all is as before: the scratch disk is @mounted or not, no
 * group is left.
 */
int fg_rehearse(bool mounted, struct fg_error *err);
/** fg_rehearse_image() - the same with the image mounted at @dir; the scratch disk is mounted */
int fg_rehearse_image(const char *dir, struct fg_error *err);
/** fg_rehearse_output() - read a line from a pipe, as if a container had written it */
int fg_rehearse_output(struct fg_loop *loop, struct fg_error *err);
/** fg_rehearse_read() - so that the file, or most of it, is in memory */
void fg_rehearse_read(const char *path);
/** fg_rehearsal_main() - that program: reads the files it is given, runs nothing of the image */
int fg_rehearsal_main(int argc, char **argv);

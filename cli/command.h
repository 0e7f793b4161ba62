/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/cli.h"
#include "core/error.h"

/*
 * A command of fgrun: one file each, found by one table. argv[0] is "fgrun NAME"; the function
 * parses the rest and returns the exit status, or -1 with the error to print.
 */
struct fg_command {
        const char *name; /* one or two words */
        const char *usage;
        const char *summary;
        int (*run)(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
};

extern const struct fg_command fg_commands[]; /* ends with a NULL name */

/** fg_command_find() - by its name; @second may be NULL. *ret_words: how many of them it took. */
const struct fg_command *fg_command_find(const char *first, const char *second, int *ret_words);
/** fg_command_nearest() - the name that was probably meant, or NULL. */
const char *fg_command_nearest(const char *word);

int fg_cmd_help(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_image_rm(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_images(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_info(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_inspect(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_logs(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_prune(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_ps(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_pull(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_run(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_stop(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_usage(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);
int fg_cmd_version(struct fg_cli *cli, int argc, char **argv, struct fg_error *err);

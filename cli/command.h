/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <argp.h>

#include "cli/cli.h"
#include "core/error.h"

/* One option of a command; exactly one of its three targets is set. */
struct fg_option {
        const char *name;
        char letter;       /* its short form, or 0 */
        const char *value; /* what its value is called; NULL: a flag */
        const char *doc;
        bool *flag;                                           /* becomes true */
        const char **text;                                    /* becomes the value, borrowed */
        void (*set)(const char *value, struct argp_state *s); /* takes it, or argp_error() */
};

/*
 * A command of fgrun: one file each, which says what the command line is and what is done. The
 * options' targets are static variables of that file, arg_*: a process runs one command.
 */
struct fg_command {
        const char *name; /* one or two words */
        const char *summary;
        const char *doc;
        const struct fg_option *options; /* ends with a NULL name; or NULL */
        const char *args;                /* what its arguments are called; NULL: it takes none */
        const char *if_none;             /* said when there is none; NULL: there need not be one */
        const char *if_more;             /* said when there is more than one; NULL: any number */
        /* @args ends with NULL. Return: the exit status, or -1 with the error to print. */
        int (*run)(struct fg_cli *cli, char **args, struct fg_error *err);
};

extern const struct fg_command fg_cmd_bench, fg_cmd_events, fg_cmd_help, fg_cmd_image_rm,
        fg_cmd_images, fg_cmd_info, fg_cmd_inspect, fg_cmd_keys_create, fg_cmd_keys_list,
        fg_cmd_keys_revoke, fg_cmd_logs, fg_cmd_network, fg_cmd_prune, fg_cmd_ps, fg_cmd_pull,
        fg_cmd_run, fg_cmd_secret_create, fg_cmd_secret_get, fg_cmd_secret_list, fg_cmd_secret_rm,
        fg_cmd_stop, fg_cmd_usage, fg_cmd_version, fg_cmd_warm;

extern const struct fg_command *const fg_commands[]; /* in the order of the help; ends with NULL */

/** fg_command_find() - by its name; @second may be NULL. *ret_words: how many of them it took. */
const struct fg_command *fg_command_find(const char *first, const char *second, int *ret_words);
/** fg_command_group() - "'fgrun keys create', ...": the commands that begin with that word; NULL:
 * none. */
char *fg_command_group(const char *word);
/** fg_command_nearest() - the name that was probably meant, or NULL. */
const char *fg_command_nearest(const char *word);

/** fg_command_pull() - fetch an image; what it came to be is printed unless @quiet. */
int fg_command_pull(struct fg_cli *cli, const char *reference, bool quiet, struct fg_error *err);
/** fg_command_remove_each() - by @remove, and tell which; the first that fails ends it. */
int fg_command_remove_each(struct fg_cli *cli, char **names,
                           int (*remove)(struct fg_cli *cli, const char *name,
                                         struct fg_error *err),
                           struct fg_error *err);

/**
 * fg_command_run() - parse what stands after the command's name, and do it
 * @argv: [0] is not read; NULL at the end. Wrong arguments and --help end the process.
 */
int fg_command_run(const struct fg_command *command, struct fg_cli *cli, int argc, char **argv,
                   struct fg_error *err);

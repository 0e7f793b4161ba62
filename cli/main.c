/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "core/cleanup.h"
#include "core/str.h"

/* Where the command's name stands: after global options. argc: nowhere; 0: a run's option is first.
 */
static int find_word(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                if (argv[i][0] != '-' || argv[i][1] == '\0')
                        return i;
                if (fg_streq(argv[i], "--host") || fg_streq(argv[i], "--token"))
                        i++;
                else if (!fg_starts_with(argv[i], "--host=") &&
                         !fg_starts_with(argv[i], "--token=") && !fg_streq(argv[i], "--json") &&
                         !fg_streq(argv[i], "--quiet") && !fg_streq(argv[i], "-q"))
                        return 0;
        }
        return argc;
}

/* Takes @n words out of argv at @at. */
static char **without_words(int argc, char **argv, int at, int n)
{
        char **rest = fg_calloc((size_t)argc + 1, sizeof(char *));
        int len = 0;

        for (int i = 0; i < argc; i++)
                if (i < at || i >= at + n)
                        rest[len++] = argv[i];
        return rest;
}

static bool looks_like_file(const char *word)
{
        return fg_streq(word, "-") || strpbrk(word, "./") || access(word, F_OK) == 0;
}

static int dispatch(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        fg_autofree char **rest = NULL;
        const struct fg_command *command = NULL;
        int at = find_word(argc, argv), words = 0;
        fg_autofree char *group = NULL;
        const char *word, *near;

        if (at == argc || (at == 0 && (fg_streq(argv[1], "--help") || fg_streq(argv[1], "-h"))))
                return fg_cmd_help.run(cli, (char *[]){ NULL }, err);
        if (at == 0 && (fg_streq(argv[1], "--version") || fg_streq(argv[1], "-V")))
                return fg_cmd_version.run(cli, (char *[]){ NULL }, err);
        word = argv[at];
        if (at > 0)
                command = fg_command_find(word, argv[at + 1], &words);
        group = command || at == 0 ? NULL : fg_command_group(word);
        if (group)
                return fg_fail(err, FG_ERR_INVALID, "'fgrun %s' is no command by itself; try %s",
                               word, group);
        if (!command && (at == 0 || looks_like_file(word))) {
                command = &fg_cmd_run;
                words = 0;
        }
        if (!command) {
                near = fg_command_nearest(word);
                return fg_fail(err, FG_ERR_INVALID,
                               near ? "'%s' is neither a command nor a file; did you mean '%s'?"
                                    : "'%s' is neither a command nor a file; see 'fgrun help'",
                               word, near);
        }
        rest = without_words(argc, argv, at, words);
        return fg_command_run(command, cli, argc - words, rest, err);
}

int main(int argc, char **argv)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_cli cli;
        int r;

        fg_cli_init(&cli);
        /* A reader that goes away (fgrun | head) is an error of the write, not a death. */
        (void)signal(SIGPIPE, SIG_IGN);
        argp_err_exit_status = fg_err_exit(FG_ERR_INVALID);
        r = dispatch(&cli, argc, argv, &err);
        if (r < 0) {
                fg_cli_print_error(&cli, &err);
                r = fg_err_exit(err.code);
        }
        if (fflush(stdout) != 0 && errno != EPIPE && r == 0) {
                perror("fgrun: stdout");
                r = fg_err_exit(FG_ERR_INTERNAL);
        }
        fg_cli_finish(&cli);
        return r;
}

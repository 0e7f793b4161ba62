/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdio.h>

#include "core/cleanup.h"
#include "core/str.h"

#define NEAR 2 /* edits */

const struct fg_command fg_commands[] = {
        { "run", "[OPTION...] FILE", "Run a task definition and stay attached", fg_cmd_run },
        { "ps", "[OPTION...]", "List tasks", fg_cmd_ps },
        { "inspect", "ID", "Show a task", fg_cmd_inspect },
        { "logs", "[OPTION...] ID", "Print what a task wrote", fg_cmd_logs },
        { "stop", "[OPTION...] ID...", "Stop tasks", fg_cmd_stop },
        { "pull", "IMAGE...", "Fetch images", fg_cmd_pull },
        { "images", "", "List images", fg_cmd_images },
        { "image rm", "IMAGE...", "Remove images", fg_cmd_image_rm },
        { "prune", "[OPTION...]", "Remove what is not used", fg_cmd_prune },
        { "usage", "[OPTION...]", "Show what was used and what it cost", fg_cmd_usage },
        { "info", "", "Show the host, its capacity and its accelerator", fg_cmd_info },
        { "version", "", "Show the version of fgrun", fg_cmd_version },
        { "help", "[COMMAND]", "Show this text, or a command's options", fg_cmd_help },
        { NULL },
};

static bool is_two_words(const char *name, const char *first, const char *second)
{
        size_t len = strlen(first);

        return second && fg_starts_with(name, first) && name[len] == ' ' &&
               fg_streq(name + len + 1, second);
}

const struct fg_command *fg_command_find(const char *first, const char *second, int *ret_words)
{
        for (const struct fg_command *c = fg_commands; c->name; c++) {
                bool two = is_two_words(c->name, first, second);

                if (!two && !fg_streq(c->name, first))
                        continue;
                *ret_words = two ? 2 : 1;
                return c;
        }
        return NULL;
}

const char *fg_command_nearest(const char *word)
{
        const char *best = NULL;
        unsigned best_distance = NEAR + 1;

        for (const struct fg_command *c = fg_commands; c->name; c++) {
                unsigned distance = fg_edit_distance(word, c->name);

                if (distance < best_distance && distance < strlen(c->name)) {
                        best_distance = distance;
                        best = c->name;
                }
        }
        return best;
}

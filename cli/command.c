/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdio.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define NEAR      2      /* edits */
#define KEY_FIRST 0x2001 /* of options without a letter, in the order of the table */

const struct fg_command *const fg_commands[] = {
        &fg_cmd_run,
        &fg_cmd_ps,
        &fg_cmd_inspect,
        &fg_cmd_logs,
        &fg_cmd_stop,
        &fg_cmd_events,
        &fg_cmd_pull,
        &fg_cmd_images,
        &fg_cmd_image_rm,
        &fg_cmd_prune,
        &fg_cmd_warm,
        &fg_cmd_secret_create,
        &fg_cmd_secret_get,
        &fg_cmd_secret_list,
        &fg_cmd_secret_rm,
        &fg_cmd_usage,
        &fg_cmd_network,
        &fg_cmd_keys_create,
        &fg_cmd_keys_list,
        &fg_cmd_keys_revoke,
        &fg_cmd_bench,
        &fg_cmd_info,
        &fg_cmd_version,
        &fg_cmd_help,
        NULL,
};

static bool is_in_group(const char *name, const char *group)
{
        size_t len = strlen(group);

        return fg_starts_with(name, group) && name[len] == ' ';
}

static bool is_two_words(const char *name, const char *first, const char *second)
{
        return second && is_in_group(name, first) && fg_streq(name + strlen(first) + 1, second);
}

const struct fg_command *fg_command_find(const char *first, const char *second, int *ret_words)
{
        for (const struct fg_command *const *c = fg_commands; *c; c++) {
                bool two = is_two_words((*c)->name, first, second);

                if (!two && !fg_streq((*c)->name, first))
                        continue;
                *ret_words = two ? 2 : 1;
                return *c;
        }
        return NULL;
}

char *fg_command_group(const char *word)
{
        char *list = NULL;

        for (const struct fg_command *const *c = fg_commands; *c; c++) {
                fg_autofree char *before = NULL;

                if (!is_in_group((*c)->name, word))
                        continue;
                before = list;
                list = fg_asprintf("%s%s'fgrun %s'", before ? before : "", before ? ", " : "",
                                   (*c)->name);
        }
        return list;
}

const char *fg_command_nearest(const char *word)
{
        const char *best = NULL;
        unsigned best_distance = NEAR + 1;

        for (const struct fg_command *const *c = fg_commands; *c; c++) {
                unsigned distance = fg_edit_distance(word, (*c)->name);

                if (distance < best_distance && distance < strlen((*c)->name)) {
                        best_distance = distance;
                        best = (*c)->name;
                }
        }
        return best;
}

struct parsing {
        struct fg_cli *cli;
        const struct fg_command *command;
        char **args;
};

static int option_key(const struct fg_option *options, size_t i)
{
        return options[i].letter ? options[i].letter : KEY_FIRST + (int)i;
}

static error_t take_option(const struct fg_option *options, int key, char *value,
                           struct argp_state *state)
{
        for (size_t i = 0; options && options[i].name; i++) {
                const struct fg_option *o = &options[i];

                if (option_key(options, i) != key)
                        continue;
                if (o->flag)
                        *o->flag = true;
                else if (o->text)
                        *o->text = value;
                else
                        o->set(value, state);
                return 0;
        }
        return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
        struct parsing *p = state->input;
        const struct fg_command *command = p->command;

        switch (key) {
        case ARGP_KEY_INIT:
                state->child_inputs[0] = p->cli;
                return 0;
        case ARGP_KEY_ARGS:
                if (!command->args)
                        return ARGP_ERR_UNKNOWN;
                p->args = state->argv + state->next;
                if (command->if_more && p->args[1])
                        argp_error(state, "%s: '%s' is a second one", command->if_more, p->args[1]);
                return 0;
        case ARGP_KEY_NO_ARGS:
                if (command->if_none)
                        argp_error(state, "%s", command->if_none);
                return 0;
        default:
                return take_option(command->options, key, value, state);
        }
}

/* The table as argp wants it. */
static struct argp_option *argp_options(const struct fg_option *options)
{
        struct argp_option *rows;
        size_t n = 0;

        while (options && options[n].name)
                n++;
        rows = fg_calloc(n + 1, sizeof(*rows));
        for (size_t i = 0; i < n; i++)
                rows[i] = (struct argp_option){ .name = options[i].name,
                                                .key = option_key(options, i),
                                                .arg = options[i].value,
                                                .doc = options[i].doc };
        return rows;
}

int fg_command_run(const struct fg_command *command, struct fg_cli *cli, int argc, char **argv,
                   struct fg_error *err)
{
        fg_autofree struct argp_option *options = argp_options(command->options);
        fg_autofree char *name = fg_asprintf("fgrun %s", command->name);
        struct argp argp = { .options = options,
                             .parser = parse,
                             .args_doc = command->args,
                             .doc = command->doc,
                             .children = fg_cli_argp_children };
        struct parsing p = { .cli = cli, .command = command, .args = (char *[]){ NULL } };

        argv[0] = name;
        if (argp_parse(&argp, argc, argv, 0, NULL, &p) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "arguments");
        return command->run(cli, p.args, err);
}

int fg_command_remove_each(struct fg_cli *cli, char **names,
                           int (*remove)(struct fg_cli *cli, const char *name,
                                         struct fg_error *err),
                           struct fg_error *err)
{
        fg_autojson *result = json_object_new_object();
        struct json_object *removed = json_object_new_array();

        fg_json_set(result, "removed", removed);
        for (; *names; names++) {
                if (remove(cli, *names, err) < 0)
                        return fg_wrap(err, "remove %s", *names);
                (void)json_object_array_add(removed, json_object_new_string(*names));
                if (!cli->json && !cli->quiet)
                        (void)printf("removed %s\n", *names);
        }
        if (cli->json)
                fg_cli_print_json(result);
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/exitstatus.h"
#include "cli/localimage.h"
#include "cli/task.h"
#include "core/clock.h"
#include "core/id.h"
#include "core/json.h"
#include "core/str.h"

#define DEFINITION_MAX (4U << 20)
#define KEY_OVERRIDE   0x2001
#define KEY_STARTED_BY 0x2002
#define KEY_GROUP      0x2003
#define KEY_TAG        0x2004
#define KEY_PHASES     0x2005

struct args {
        struct fg_cli *cli;
        const char *file;
        const char *override;
        const char *started_by;
        const char *group;
        struct json_object *tags;
        bool detach;
        bool phases;
};

static const struct argp_option options[] = {
        { "detach", 'd', NULL, 0, "Print the task's id and leave it running", 0 },
        { "override", KEY_OVERRIDE, "FILE|JSON", 0, "Overrides, as in RunTask", 0 },
        { "started-by", KEY_STARTED_BY, "TEXT", 0, "Recorded with the task", 0 },
        { "group", KEY_GROUP, "NAME", 0, "The task's group (family:FAMILY)", 0 },
        { "tag", KEY_TAG, "KEY=VALUE", 0, "Tag the task; may be repeated", 0 },
        { "phases", KEY_PHASES, NULL, 0, "Print phases and cost even when not on a terminal", 0 },
        { 0 },
};

static void add_tag(struct args *args, const char *text, struct argp_state *state)
{
        const char *equals = strchr(text, '=');
        struct json_object *tag;

        if (!equals || equals == text)
                argp_error(state, "tag '%s': expected KEY=VALUE", text);
        tag = json_object_new_object();
        fg_json_set(tag, "key", json_object_new_string_len(text, (int)(equals - text)));
        fg_json_set_str(tag, "value", equals + 1);
        if (!args->tags)
                args->tags = json_object_new_array();
        (void)json_object_array_add(args->tags, tag);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct args *args = state->input;

        switch (key) {
        case ARGP_KEY_INIT:
                state->child_inputs[0] = args->cli;
                return 0;
        case 'd':
                args->detach = true;
                return 0;
        case KEY_OVERRIDE:
                args->override = arg;
                return 0;
        case KEY_STARTED_BY:
                args->started_by = arg;
                return 0;
        case KEY_GROUP:
                args->group = arg;
                return 0;
        case KEY_TAG:
                add_tag(args, arg, state);
                return 0;
        case KEY_PHASES:
                args->phases = true;
                return 0;
        case ARGP_KEY_ARG:
                if (args->file)
                        argp_error(state, "one FILE, please: '%s' is a second one", arg);
                args->file = arg;
                return 0;
        case ARGP_KEY_NO_ARGS:
                argp_error(state, "a task definition FILE is needed ('-' is stdin)");
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "FILE",
        .doc = "Run an ECS task definition in a microVM of its own. Attached (the default), fgrun "
               "exits with the exit code of the essential container; statuses of failures before "
               "that are in fgrun(1).",
        .children = fg_cli_argp_children,
};

static struct json_object *load_definition(const char *file, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(DEFINITION_MAX);
        struct json_object *definition;

        if (!fg_streq(file, "-"))
                return fg_json_parse_file(file, DEFINITION_MAX, err);
        if (fg_buf_read_fd(&text, STDIN_FILENO, err) < 0)
                return NULL;
        definition = fg_json_parse(text.data ? text.data : "", text.len, err);
        if (!definition)
                fg_wrap(err, "standard input");
        return definition;
}

static struct json_object *load_override(const char *text, struct fg_error *err)
{
        struct json_object *override;

        if (text[strspn(text, " \t\n")] != '{')
                return fg_json_parse_file(text, DEFINITION_MAX, err);
        override = fg_json_parse(text, strlen(text), err);
        if (!override)
                fg_wrap(err, "--override");
        return override;
}

static int build_body(const struct args *args, struct json_object *definition,
                      struct json_object **ret, struct fg_error *err)
{
        fg_autojson *body = json_object_new_object(), *override = NULL;
        char token[FG_ID_LEN + 1];

        if (args->override) {
                override = load_override(args->override, err);
                if (!override)
                        return -1;
                fg_json_set(body, "overrides", fg_take_ptr(override));
        }
        fg_id_new(token);
        fg_json_set_str(body, "clientToken", token);
        fg_json_set(body, "taskDefinition", json_object_get(definition));
        fg_json_set_str(body, "startedBy", args->started_by);
        fg_json_set_str(body, "group", args->group);
        if (args->tags)
                fg_json_set(body, "tags", json_object_get(args->tags));
        *ret = fg_take_ptr(body);
        return 0;
}

static int create(struct args *args, struct json_object *definition, struct json_object **ret,
                  struct fg_error *err)
{
        fg_autojson *body = NULL, *answer = NULL;
        struct json_object *task;

        if (build_body(args, definition, &body, err) < 0)
                return -1;
        if (fg_client_call(args->cli->client, &(struct fg_request){ "POST", "/v1/tasks", body },
                           &answer, err) < 0)
                return -1;
        task = fg_json_obj(answer, "task");
        if (!task)
                return fg_fail(err, FG_ERR_UPSTREAM, "the answer of fgd has no task");
        *ret = json_object_get(task);
        return 0;
}

/* The user's clock beside fgd's: they start at different moments and must not be mixed. */
static void print_summary(const struct args *args, const struct fg_attach *attach,
                          struct json_object *task)
{
        const struct fg_cli *cli = args->cli;
        const char *code = fg_json_str(task, "stopCode"), *why = fg_json_str(task, "stoppedReason");

        if (code && why && !cli->quiet && !fg_streq(code, "EssentialContainerExited"))
                (void)fprintf(stderr, "%sfgrun:%s task %.*s stopped: %s\n",
                              fg_cli_red(cli->colour_err), fg_cli_reset(cli->colour_err),
                              FG_TASK_SHORT, fg_task_id(task), why);
        if (cli->quiet || !(args->phases || cli->term_err))
                return;
        (void)fputs(fg_cli_dim(cli->colour_err), stderr);
        fg_task_print_phases(task, stderr);
        if (attach->output.first_ns)
                (void)fprintf(stderr, "typed to first byte %.1f ms\n",
                              (double)(attach->output.first_ns - cli->started_ns) / 1e6);
        fg_task_print_cost(task, stderr);
        (void)fputs(fg_cli_reset(cli->colour_err), stderr);
}

static int finish(struct args *args, struct fg_attach *attach, const char *id,
                  struct json_object *definition, struct fg_error *err)
{
        fg_autojson *task = NULL, *line = NULL;

        if (fg_task_get(args->cli, id, "STOPPED", &task, err) < 0)
                return -1;
        fg_progress_clear(&attach->progress);
        if (args->cli->json && !attach->reader_gone) {
                line = json_object_new_object();
                fg_json_set(line, "task", json_object_get(task));
                (void)puts(fg_json_text(line));
        }
        print_summary(args, attach, task);
        return fg_exit_status_of(task, definition);
}

static int run_attached(struct args *args, struct json_object *definition, struct fg_error *err)
{
        fg_cleanup(fg_attach_finish) struct fg_attach attach = { .cli = args->cli,
                                                                 .signal_fd = -1 };
        fg_autojson *task = NULL;
        const char *id = "";
        int r;

        if (fg_attach_init(&attach, args->cli, err) < 0)
                return -1;
        r = create(args, definition, &task, err);
        if (r == 0) {
                id = fg_task_id(task);
                fg_cli_note(args->cli, "task %s", id);
                r = fg_attach_follow(&attach, id, err);
        }
        if (r == 0)
                r = finish(args, &attach, id, definition, err);
        if (!attach.detached) {
                if (r < 0 && task)
                        fg_wrap(err, "task %.*s may still run ('fgrun logs -f' attaches again)",
                                FG_TASK_SHORT, id);
                return r;
        }
        (void)fprintf(stderr,
                      task ? "detached; 'fgrun logs -f %.*s' attaches again\n"
                           : "interrupted; 'fgrun ps' shows whether the task was made\n",
                      FG_TASK_SHORT, id);
        return FG_EXIT_INTERRUPTED;
}

static int run_detached(struct args *args, struct json_object *definition, struct fg_error *err)
{
        fg_autojson *task = NULL;

        if (create(args, definition, &task, err) < 0)
                return -1;
        if (args->cli->json)
                fg_cli_print_json(task);
        else
                (void)puts(fg_task_id(task));
        return 0;
}

static int run(struct args *args, struct fg_error *err)
{
        fg_autojson *definition = load_definition(args->file, err);
        fg_autofree char *base = fg_localimage_base(args->file);

        if (!definition || !fg_cli_client(args->cli, err))
                return -1;
        fg_localimage_resolve_all(definition, base);
        return args->detach ? run_detached(args, definition, err)
                            : run_attached(args, definition, err);
}

int fg_cmd_run(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        struct args args = { .cli = cli };
        int r;

        if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "arguments");
        r = run(&args, err);
        json_object_put(args.tags);
        return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/exitstatus.h"
#include "cli/human.h"
#include "cli/localimage.h"
#include "cli/publish.h"
#include "cli/task.h"
#include "core/clock.h"
#include "core/id.h"
#include "core/json.h"
#include "core/str.h"

#define DEFINITION_MAX (4U << 20)

static const char *arg_override, *arg_started_by, *arg_group, *arg_isolation;
static struct json_object *arg_tags, *arg_publish;
static bool arg_detach, arg_phases;
static uint64_t arg_max_run_time; /* s; 0: not given */

static void add_tag(const char *text, struct argp_state *state)
{
        const char *equals = strchr(text, '=');
        struct json_object *tag;

        if (!equals || equals == text)
                argp_error(state, "tag '%s': expected KEY=VALUE", text);
        tag = json_object_new_object();
        fg_json_set(tag, "key", json_object_new_string_len(text, (int)(equals - text)));
        fg_json_set_str(tag, "value", equals + 1);
        if (!arg_tags)
                arg_tags = json_object_new_array();
        (void)json_object_array_add(arg_tags, tag);
}

static void add_publish(const char *text, struct argp_state *state)
{
        struct fg_error err = FG_ERROR_INIT;

        if (!arg_publish)
                arg_publish = json_object_new_array();
        if (fg_publish_add(arg_publish, text, &err) < 0)
                argp_error(state, "%s", err.msg);
}

static void set_max_run_time(const char *text, struct argp_state *state)
{
        if (!fg_human_parse_duration(text, &arg_max_run_time) || arg_max_run_time < 1 ||
            arg_max_run_time > INT32_MAX)
                argp_error(state, "maximum run time '%s': expected a duration (90s, 10m, 2h30m)",
                           text);
}

static const struct fg_option options[] = {
        { "detach", 'd', NULL, "Print the task's id and leave it running", .flag = &arg_detach },
        { "override", 0, "FILE|JSON", "Overrides, as in RunTask", .text = &arg_override },
        { "isolation", 0, "KIND", "microvm, or container where fgd allows it",
          .text = &arg_isolation },
        { "max-run-time", 0, "TIME", "Stop the task after this time (90s, 10m, 2h30m)",
          .set = set_max_run_time },
        { "started-by", 0, "TEXT", "Recorded with the task", .text = &arg_started_by },
        { "group", 0, "NAME", "The task's group (family:FAMILY)", .text = &arg_group },
        { "tag", 0, "KEY=VALUE", "Tag the task; may be repeated", .set = add_tag },
        { "publish", 'p', "[ADDR:]HOST:CONTAINER[/udp]",
          "Reach a port of the task, or a range, through the host; may be repeated",
          .set = add_publish },
        { "phases", 0, NULL, "Print phases and cost even when not on a terminal",
          .flag = &arg_phases },
        { 0 },
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

/* The member @key of @obj, made when it is absent. */
static struct json_object *member(struct json_object *obj, const char *key)
{
        if (!fg_json_obj(obj, key))
                fg_json_set(obj, key, json_object_new_object());
        return fg_json_obj(obj, key);
}

static int build_body(struct json_object *definition, struct json_object **ret,
                      struct fg_error *err)
{
        fg_autojson *body = json_object_new_object(), *override = NULL;
        char token[FG_ID_LEN + 1];

        if (arg_override) {
                override = load_override(arg_override, err);
                if (!override)
                        return -1;
                fg_json_set(body, "overrides", fg_take_ptr(override));
        }
        if (arg_isolation)
                fg_json_set_str(member(member(body, "overrides"), "fgrun"), "isolation",
                                arg_isolation);
        if (arg_max_run_time > 0)
                fg_json_set_int(member(member(body, "overrides"), "fgrun"), "maxRunTime",
                                (int64_t)arg_max_run_time);
        fg_id_new(token);
        fg_json_set_str(body, "clientToken", token);
        fg_json_set(body, "taskDefinition", json_object_get(definition));
        fg_json_set_str(body, "startedBy", arg_started_by);
        fg_json_set_str(body, "group", arg_group);
        if (arg_tags)
                fg_json_set(body, "tags", json_object_get(arg_tags));
        if (arg_publish)
                fg_json_set(body, "publish", json_object_get(arg_publish));
        *ret = fg_take_ptr(body);
        return 0;
}

static int create(struct fg_cli *cli, struct json_object *definition, struct json_object **ret,
                  struct fg_error *err)
{
        fg_autojson *body = NULL, *answer = NULL;
        struct json_object *task;

        if (build_body(definition, &body, err) < 0)
                return -1;
        if (fg_client_call(cli->client, &(struct fg_request){ "POST", "/v1/tasks", body }, &answer,
                           err) < 0)
                return -1;
        task = fg_json_obj(answer, "task");
        if (!task)
                return fg_fail(err, FG_ERR_UPSTREAM, "the answer of fgd has no task");
        *ret = json_object_get(task);
        return 0;
}

/* The user's clock beside fgd's: they start at different moments and must not be mixed. */
static void print_summary(const struct fg_cli *cli, const struct fg_attach *attach,
                          struct json_object *task)
{
        const char *code = fg_json_str(task, "stopCode"), *why = fg_json_str(task, "stoppedReason");

        if (code && why && !cli->quiet && !fg_streq(code, "EssentialContainerExited"))
                (void)fprintf(stderr, "%sfgrun:%s task %.*s stopped: %s\n",
                              fg_cli_red(cli->colour_err), fg_cli_reset(cli->colour_err),
                              FG_TASK_SHORT, fg_task_id(task), why);
        if (cli->quiet || !(arg_phases || cli->term_err))
                return;
        (void)fputs(fg_cli_dim(cli->colour_err), stderr);
        fg_task_print_phases(task, stderr);
        if (attach->output.first_ns)
                (void)fprintf(stderr, "typed to first byte %.1f ms\n",
                              (double)(attach->output.first_ns - cli->started_ns) / 1e6);
        fg_task_print_cost(task, stderr);
        (void)fputs(fg_cli_reset(cli->colour_err), stderr);
}

static int finish(struct fg_cli *cli, struct fg_attach *attach, struct json_object *task,
                  struct json_object *definition)
{
        fg_autojson *line = NULL;

        fg_progress_clear(&attach->progress);
        if (cli->json && !attach->reader_gone) {
                line = json_object_new_object();
                fg_json_set(line, "task", json_object_get(task));
                (void)puts(fg_json_text(line));
        }
        print_summary(cli, attach, task);
        return fg_exit_status_of(task, definition);
}

static int run_attached(struct fg_cli *cli, struct json_object *definition, struct fg_error *err)
{
        fg_cleanup(fg_attach_finish) struct fg_attach attach = { .cli = cli, .signal_fd = -1 };
        fg_autojson *task = NULL, *stopped = NULL;
        const char *id = "";
        int r;

        if (fg_attach_init(&attach, cli, err) < 0)
                return -1;
        r = create(cli, definition, &task, err);
        if (r == 0) {
                id = fg_task_id(task);
                fg_cli_note(cli, "task %s", id);
                r = fg_attach_follow(&attach, id, &stopped, err);
        }
        if (r == 0)
                return finish(cli, &attach, stopped, definition);
        if (!attach.detached)
                return task ? fg_wrap(err,
                                      "task %.*s may still run ('fgrun logs -f' attaches again)",
                                      FG_TASK_SHORT, id)
                            : -1;
        (void)fprintf(stderr,
                      task ? "detached; 'fgrun logs -f %.*s' attaches again\n"
                           : "interrupted; 'fgrun ps' shows whether the task was made\n",
                      FG_TASK_SHORT, id);
        return FG_EXIT_INTERRUPTED;
}

static int run_detached(struct fg_cli *cli, struct json_object *definition, struct fg_error *err)
{
        fg_autojson *task = NULL;

        if (create(cli, definition, &task, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(task);
        else
                (void)puts(fg_task_id(task));
        return 0;
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *definition = load_definition(args[0], err);
        fg_autofree char *base = fg_localimage_base(args[0]);

        if (!definition || !fg_cli_client(cli, err))
                return -1;
        fg_localimage_resolve_all(definition, base);
        return arg_detach ? run_detached(cli, definition, err) : run_attached(cli, definition, err);
}

const struct fg_command fg_cmd_run = {
        .name = "run",
        .summary = "Run a task definition and stay attached",
        .doc = "Run an ECS task definition in a microVM of its own. Attached (the default), fgrun "
               "exits with the exit code of the essential container; statuses of failures before "
               "that are in fgrun(1).",
        .options = options,
        .args = "FILE",
        .if_none = "a task definition FILE is needed ('-' is stdin)",
        .if_more = "one FILE, please",
        .run = run,
};

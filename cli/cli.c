/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/embedded.h"
#include "cli/endpoint.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/paths.h"
#include "core/str.h"

#define KEY_HOST  0x1001
#define KEY_JSON  0x1002
#define KEY_TOKEN 0x1003

static const struct argp_option options[] = {
        { "host", KEY_HOST, "URL", 0, "fgd to talk to: unix:///PATH or http[s]://ADDR:PORT", 90 },
        { "token", KEY_TOKEN, "TOKEN", 0, "Its bearer token, with http[s]", 90 },
        { "json", KEY_JSON, NULL, 0, "Print JSON", 90 },
        { "quiet", 'q', NULL, 0, "No progress, states or phases", 90 },
        { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct fg_cli *cli = state->input;

        switch (key) {
        case KEY_HOST:
                cli->host = arg;
                return 0;
        case KEY_TOKEN:
                cli->token = arg;
                return 0;
        case KEY_JSON:
                cli->json = true;
                return 0;
        case 'q':
                cli->quiet = true;
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp global_argp = { .options = options, .parser = parse };

const struct argp_child fg_cli_argp_children[] = { { &global_argp, 0, "Everywhere:", 90 }, { 0 } };

static const char *env(const char *name)
{
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

void fg_cli_init(struct fg_cli *cli)
{
        const char *term = env("TERM");
        bool colours = !env("NO_COLOR") && term && strcmp(term, "dumb") != 0;

        *cli = (struct fg_cli){
                .started_ns = fg_mono_ns(),
                .host = env("FGRUN_HOST"),
                .term_out = isatty(STDOUT_FILENO),
                .term_err = isatty(STDERR_FILENO),
        };
        cli->colour_out = cli->term_out && colours;
        cli->colour_err = cli->term_err && colours;
}

void fg_cli_finish(struct fg_cli *cli)
{
        fg_client_free(fg_take_ptr(cli->client));
}

struct fg_client *fg_cli_client(struct fg_cli *cli, struct fg_error *err)
{
        fg_cleanup(fg_endpoint_finish) struct fg_endpoint endpoint = { 0 };

        if (!cli->client && fg_endpoint_find(cli, &endpoint, err) == 0)
                cli->client = fg_client_new(&endpoint, err);
        return cli->client;
}

int fg_cli_restart(struct fg_cli *cli, struct fg_error *err)
{
        fg_autofree char *own = fg_path_socket();
        const char *used = fg_client_socket(cli->client);

        if (cli->host || !used || !fg_streq(used, own) || fg_endpoint_answers(own) ||
            !fg_embedded_may_start(own))
                return 0;
        return fg_embedded_start(cli, own, err);
}

int fg_cli_call(struct fg_cli *cli, const struct fg_request *request, struct json_object **ret,
                struct fg_error *err)
{
        struct fg_client *client = fg_cli_client(cli, err);

        return client ? fg_client_call(client, request, ret, err) : -1;
}

void fg_cli_note(const struct fg_cli *cli, const char *fmt, ...)
{
        va_list ap;

        if (cli->quiet || !cli->term_err)
                return;
        (void)fputs(fg_cli_dim(cli->colour_err), stderr);
        va_start(ap, fmt);
        (void)vfprintf(stderr, fmt, ap);
        va_end(ap);
        (void)fprintf(stderr, "%s\n", fg_cli_reset(cli->colour_err));
}

/* An error with an errno is of this side: of a file, or of the connection. */
static const char *hint(const struct fg_cli *cli, const struct fg_error *err)
{
        const char *socket = cli->client ? fg_client_socket(cli->client) : NULL;

        switch (err->code) {
        case FG_ERR_CAPACITY:
                return err->sys ? NULL : "'fgrun info' shows what the host has and what is taken";
        case FG_ERR_UPSTREAM:
                return err->sys ? "is fgd running there? Without --host, fgrun starts one itself"
                                : NULL;
        case FG_ERR_DENIED:
                if (err->sys || socket)
                        return err->sys && socket ? "the socket belongs to another user" : NULL;
                return "set FGRUN_TOKEN to the token of that fgd, or AWS_ACCESS_KEY_ID and "
                       "AWS_SECRET_ACCESS_KEY to a key of it";
        case FG_ERR_NOT_FOUND:
                return err->sys ? NULL
                                : "'fgrun ps -a', 'fgrun images', 'fgrun keys list' and 'fgrun "
                                  "secret list' "
                                  "show what there is";
        default:
                return NULL;
        }
}

static void print_error_json(const struct fg_error *err, struct json_object *problems)
{
        fg_autojson *body = json_object_new_object();

        fg_json_set_str(body, "__type", fg_err_exception(err->code));
        fg_json_set_str(body, "message", err->msg);
        if (problems)
                fg_json_set(body, "errors", json_object_get(problems));
        (void)fprintf(stderr, "%s\n", fg_json_text(body));
}

void fg_cli_print_error(const struct fg_cli *cli, const struct fg_error *err)
{
        struct json_object *problems = cli->client ? fg_client_problems(cli->client) : NULL;
        size_t n = problems ? json_object_array_length(problems) : 0;
        const char *next = hint(cli, err);

        if (cli->json) {
                print_error_json(err, problems);
                return;
        }
        (void)fprintf(stderr, "%sfgrun:%s ", fg_cli_red(cli->colour_err),
                      fg_cli_reset(cli->colour_err));
        if (n > 1)
                (void)fprintf(stderr, "%zu errors:\n", n);
        else
                (void)fprintf(stderr, "%s\n", err->msg);
        /* A single one is in the message. */
        for (size_t i = 0; n > 1 && i < n; i++) {
                struct json_object *row = json_object_array_get_idx(problems, i);
                const char *path = fg_json_str(row, "path"), *text = fg_json_str(row, "message");

                (void)fprintf(stderr, "%s: %s\n", path ? path : "$", text ? text : "invalid");
        }
        if (next)
                (void)fprintf(stderr, "%s(%s)%s\n", fg_cli_dim(cli->colour_err), next,
                              fg_cli_reset(cli->colour_err));
}

void fg_cli_print_json(struct json_object *value)
{
        (void)puts(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY |
                                                                 JSON_C_TO_STRING_SPACED |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE));
}

const char *fg_cli_dim(bool on)
{
        return on ? "\033[2m" : "";
}

const char *fg_cli_red(bool on)
{
        return on ? "\033[1;31m" : "";
}

const char *fg_cli_reset(bool on)
{
        return on ? "\033[0m" : "";
}

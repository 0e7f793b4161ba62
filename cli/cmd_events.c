/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/task.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

#define RECONNECT_SEC 30 /* unless FGRUN_RECONNECT says otherwise */
#define START_AFTER   (2 * FG_NS_PER_SEC)
#define DELAY_MIN_MS  50
#define DELAY_MAX_MS  1000
#define NUMBER_MAX    24

static const char *arg_since;
static bool arg_follow;

static const struct fg_option options[] = {
        { "follow", 'f', NULL, "Go on with those still to come", .flag = &arg_follow },
        { "since", 0, "ID", "Only those after this one", .text = &arg_since },
        { 0 },
};

struct reader {
        struct fg_cli *cli;
        char last[NUMBER_MAX]; /* id of the newest event that was printed; "": none */
};

/* ---- printing ---- */

static const char *after_last(const char *text, char c)
{
        const char *at = text ? strrchr(text, c) : NULL;

        return at ? at + 1 : text ? text : "";
}

static void print_exit(struct json_object *task)
{
        struct json_object *list = fg_json_arr(task, "containers");
        const char *reason = fg_json_str(task, "stoppedReason");

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                struct json_object *c = json_object_array_get_idx(list, i);
                int64_t code = fg_json_int(c, "exitCode", -1);

                if (code >= 0)
                        (void)printf(" %s=%lld", fg_json_str(c, "name"), (long long)code);
        }
        if (reason)
                (void)printf(" (%s)", reason);
}

/* Time, task, family, state; what ended the task, once it is known. */
static void print_event(const struct fg_cli *cli, struct json_object *event)
{
        struct json_object *task = fg_json_obj(event, "detail");
        const char *definition = after_last(fg_json_str(task, "taskDefinitionArn"), '/');
        const char *status = fg_json_str(task, "lastStatus"), *time = fg_json_str(event, "time");

        if (cli->json) {
                (void)puts(fg_json_text(event));
        } else {
                (void)printf("%s %.*s %s %s", time ? time : "-", FG_TASK_SHORT,
                             after_last(fg_json_str(task, "taskArn"), '/'), definition,
                             status ? status : "-");
                print_exit(task);
                (void)putchar('\n');
        }
        (void)fflush(stdout);
}

/* ---- following ---- */

static int on_line(void *userdata, struct json_object *line, struct fg_error *err)
{
        struct reader *r = userdata;
        struct json_object *event = fg_json_obj(line, "event");
        const char *id = fg_json_str(line, "id");

        if (fg_json_int(line, "lost", 0) > 0)
                (void)fprintf(stderr, "fgrun: %lld events before were not kept\n",
                              (long long)fg_json_int(line, "lost", 0));
        if (!event || !id)
                return 0; /* a sign of life */
        (void)snprintf(r->last, sizeof(r->last), "%s", id);
        print_event(r->cli, event);
        return ferror(stdout) ? fg_fail_errno(err, EPIPE, "stdout") : 0;
}

static int stream_once(struct reader *r, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(4096);

        if (fg_buf_puts(&path, "/v1/events", err) < 0 ||
            fg_query_add(&path, "follow", "1", err) < 0 ||
            fg_query_add(&path, "format", "lines", err) < 0 ||
            fg_query_add(&path, "since", *r->last ? r->last : arg_since, err) < 0)
                return -1;
        return fg_client_stream(r->cli->client, &(struct fg_request){ "GET", path.data, NULL },
                                on_line, r, err);
}

/* Where to begin, for the time fgd is away: an event of then must not be missed. */
static int find_newest(struct reader *r, struct fg_error *err)
{
        fg_autojson *page = NULL;
        const char *newest;

        if (arg_since || *r->last)
                return 0;
        if (fg_cli_call(r->cli, &(struct fg_request){ "GET", "/v1/events?limit=1", NULL }, &page,
                        err) < 0)
                return -1;
        newest = fg_json_str(page, "newest");
        (void)snprintf(r->last, sizeof(r->last), "%s", newest ? newest : "0");
        return 0;
}

static uint64_t patience(void)
{
        const char *text = getenv("FGRUN_RECONNECT");
        uint64_t seconds = RECONNECT_SEC;

        if (text)
                (void)fg_parse_u64(text, &seconds);
        return seconds;
}

/* The time fgd has been away, and how long to wait before the next try. */
struct absence {
        uint64_t since_ns; /* 0: it has not been away */
        unsigned delay_ms;
};

static int wait_for_fgd(struct reader *r, struct absence *a, struct fg_error *err)
{
        uint64_t away_ns = fg_mono_ns() - a->since_ns;

        if (away_ns / FG_NS_PER_SEC >= patience())
                return err->code ? -1 : fg_fail(err, FG_ERR_UPSTREAM, "fgd has gone");
        *err = FG_ERROR_INIT;
        if (fg_client_pause(r->cli->client, a->delay_ms, err) < 0)
                return -1;
        a->delay_ms = a->delay_ms * 2 < DELAY_MAX_MS ? a->delay_ms * 2 : DELAY_MAX_MS;
        return away_ns > START_AFTER ? fg_cli_restart(r->cli, err) : 0;
}

static int follow(struct reader *r, struct fg_error *err)
{
        struct absence absence = { 0 };

        if (find_newest(r, err) < 0)
                return -1;
        for (;;) {
                char before[NUMBER_MAX];

                memcpy(before, r->last, sizeof(before));
                /* The stream ends when fgd does. */
                if (stream_once(r, err) < 0 && !fg_client_unreachable(r->cli->client))
                        return err->sys == EPIPE ? 0 : -1;
                if (absence.since_ns == 0 || !fg_streq(before, r->last))
                        absence = (struct absence){ fg_mono_ns(), DELAY_MIN_MS };
                if (wait_for_fgd(r, &absence, err) < 0)
                        return -1;
        }
}

/* ---- what is stored ---- */

static int print_stored(struct reader *r, struct fg_error *err)
{
        (void)snprintf(r->last, sizeof(r->last), "%s", arg_since ? arg_since : "0");
        for (;;) {
                fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(4096);
                fg_autojson *page = NULL;
                struct json_object *list;
                const char *next;

                if (fg_buf_puts(&path, "/v1/events?limit=200", err) < 0 ||
                    fg_query_add(&path, "since", r->last, err) < 0 ||
                    fg_cli_call(r->cli, &(struct fg_request){ "GET", path.data, NULL }, &page,
                                err) < 0)
                        return -1;
                list = fg_json_arr(page, "events");
                next = fg_json_str(page, "next");
                if (!list || !next || json_object_array_length(list) == 0)
                        return 0;
                for (size_t i = 0; i < json_object_array_length(list); i++)
                        print_event(r->cli, json_object_array_get_idx(list, i));
                (void)snprintf(r->last, sizeof(r->last), "%s", next);
        }
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        struct reader r = { .cli = cli };

        (void)args;
        if (!fg_cli_client(cli, err))
                return -1;
        return arg_follow ? follow(&r, err) : print_stored(&r, err);
}

const struct fg_command fg_cmd_events = {
        .name = "events",
        .summary = "Show the changes of tasks' states",
        .doc = "Show the changes of tasks' states that fgd has kept, oldest first; with -f only "
               "those still to come, or those after --since and what follows. With --json, each "
               "is one line in the form of EventBridge.",
        .options = options,
        .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/attach.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/logstream.h"
#include "core/json.h"
#include "core/str.h"

/* Also before each opening of the stream: the task did not exist yet, or fgd was away. */
static int send_stop(void *userdata, struct fg_error *err)
{
        struct fg_attach *a = userdata;
        fg_autofree char *path = NULL;
        fg_autojson *body = NULL;

        if (!a->stop_reason || !a->id)
                return 0;
        path = fg_asprintf("/v1/tasks/%s/stop", a->id);
        body = json_object_new_object();
        fg_json_set_str(body, "reason", a->stop_reason);
        fg_client_post_later(a->cli->client, path, body);
        return 0;
}

static int stop(struct fg_attach *a, const char *reason, struct fg_error *err)
{
        if (a->stop_reason)
                return 0;
        a->stop_reason = reason;
        return send_stop(a, err);
}

static int handle_signal(void *userdata, struct fg_error *err)
{
        struct fg_attach *a = userdata;
        struct signalfd_siginfo info;

        if (read(a->signal_fd, &info, sizeof(info)) != sizeof(info))
                return 0;
        fg_progress_clear(&a->progress);
        if (++a->signals > 1) {
                a->detached = true;
                return fg_fail(err, FG_ERR_INTERNAL, "detached");
        }
        fg_cli_note(a->cli, "stopping; once more to detach");
        return stop(a, "Stopped by fgrun (interrupted)", err);
}

int fg_attach_init(struct fg_attach *a, struct fg_cli *cli, struct fg_error *err)
{
        sigset_t set;

        *a = (struct fg_attach){ .cli = cli, .signal_fd = -1 };
        fg_output_init(&a->output, cli->json, false);
        fg_progress_init(&a->progress, cli);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (a->signal_fd < 0)
                return fg_fail_errno(err, errno, "signalfd");
        fg_client_watch(cli->client, a->signal_fd, handle_signal, a);
        return 0;
}

void fg_attach_finish(struct fg_attach *a)
{
        fg_progress_clear(&a->progress);
        fg_output_finish(&a->output);
        fg_client_watch(a->cli->client, -1, NULL, NULL);
        fg_closep(&a->signal_fd);
}

static int write_output(struct fg_attach *a, struct json_object *line, struct fg_error *err)
{
        int r;

        if (a->reader_gone)
                return 0;
        fg_progress_clear(&a->progress);
        r = fg_output_write(&a->output, line, err);
        if (r <= 0)
                return r;
        a->reader_gone = true;
        return stop(a, "Stopped by fgrun (its output was closed)", err);
}

/* fgd tells of every change of a task; people want to see each state once. */
static void show_status(struct fg_attach *a, const char *status)
{
        if (!status || fg_streq(status, a->status))
                return;
        (void)snprintf(a->status, sizeof(a->status), "%s", status);
        fg_progress_clear(&a->progress);
        fg_cli_note(a->cli, "%s", status);
}

static int handle_line(void *userdata, struct json_object *line, struct fg_error *err)
{
        struct fg_attach *a = userdata;
        const char *event = fg_json_str(line, "event"), *text;

        if (!event || a->cli->json)
                return write_output(a, line, err);
        if (fg_streq(event, "pull")) {
                text = fg_json_str(line, "image");
                fg_progress_update(&a->progress, text ? text : "image", line);
        } else if (fg_streq(event, "state")) {
                show_status(a, fg_json_str(line, "lastStatus"));
        }
        return 0;
}

int fg_attach_follow(struct fg_attach *a, const char *id, struct json_object **ret,
                     struct fg_error *err)
{
        fg_cleanup(fg_logstream_finish) struct fg_logstream stream = {
                .cli = a->cli,
                .id = id,
                .follow = true,
                .events = true,
                .opening = send_stop,
                .line = handle_line,
                .userdata = a,
        };

        a->id = id;
        return fg_logstream_run(&stream, ret, err);
}

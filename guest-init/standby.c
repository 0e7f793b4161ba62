/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/standby.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/cgroup.h"
#include "guest-init/mounts.h"
#include "guest-init/process.h"
#include "guest-init/rehearse.h"

#define DIR      FG_SCRATCH_CONTAINERS "/0" /* of the container whose place it takes */
#define TASK_MAX (16u << 20)

/* What is told to the process once its root is made. Whatever else a container has shapes its root,
   its namespaces or when it starts. */
static const char *const later[] = {
        "name",
        "image",
        "essential",
        "entryPoint",
        "command",
        "environment",
        "user",
        "workingDirectory",
        "cpu",
        "memory",
        "ulimits",
        "memoryReservation",
        "stopTimeout",
        "startTimeout",
        "restartPolicy",
        "outputBufferBytes",
        "linuxParameters", /* its own members: */
        "capabilities",
        "initProcessEnabled",
        "healthCheck",
};

static bool is_later(const char *name)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(later); i++) {
                if (fg_streq(name, later[i]))
                        return true;
        }
        return false;
}

/* Absent, or as if it were. */
static bool is_empty(struct json_object *value)
{
        switch (json_object_get_type(value)) {
        case json_type_array:
                return json_object_array_length(value) == 0;
        case json_type_object:
                return json_object_object_length(value) == 0;
        case json_type_string:
                return json_object_get_string_len(value) == 0;
        case json_type_boolean:
        case json_type_double:
        case json_type_int:
                return !json_object_get_boolean(value);
        case json_type_null:
        default:
                return true;
        }
}

static bool all_later(struct json_object *object)
{
        struct json_object_iter member;

        if (!object)
                return true;
        json_object_object_foreachC(object, member)
        {
                if (!is_later(member.key) && !is_empty(member.val))
                        return false;
        }
        return true;
}

bool fg_standby_fits(const struct fg_standby *b, const struct fg_start *s)
{
        return b->pid > 0 && s->index == 0 && s->pid_ns < 0 &&
               fg_streq(b->image_dir, s->image_dir) && all_later(s->spec) &&
               all_later(fg_json_obj(s->spec, "linuxParameters"));
}

/* ---- the init's side ---- */

static void forget(struct fg_standby *b)
{
        fg_closep(&b->output[0]);
        fg_closep(&b->output[1]);
        fg_closep(&b->report);
        fg_closep(&b->task);
        free(b->image_dir);
        *b = (struct fg_standby)FG_STANDBY_INIT;
}

/* Of its process, whose ends are closed with the function. */
struct ends {
        int output[2], report;
};

static void close_ends(struct ends *e)
{
        fg_closep(&e->output[0]);
        fg_closep(&e->output[1]);
        fg_closep(&e->report);
}

static int open_ends(struct fg_standby *b, struct ends *e, struct fg_error *err)
{
        int pair[2];

        for (int i = 0; i < 2; i++) {
                if (pipe2(pair, O_CLOEXEC) < 0)
                        return fg_fail_errno(err, errno, "pipe");
                b->output[i] = pair[0];
                e->output[i] = pair[1];
        }
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return fg_fail_errno(err, errno, "socketpair");
        b->report = pair[0];
        e->report = pair[1];
        b->task = memfd_create("task", MFD_CLOEXEC);
        return b->task < 0 ? fg_fail_errno(err, errno, "memfd_create") : 0;
}

static int wait_until_made(const struct fg_standby *b, struct fg_error *err)
{
        struct fg_start_report r = { 0 };
        ssize_t n;

        do
                n = read(b->report, &r, sizeof(r));
        while (n < 0 && errno == EINTR);
        if (n == sizeof(r) && r.kind == FG_START_STANDING_BY)
                return 0;
        r.message[sizeof(r.message) - 1] = '\0';
        return fg_fail(err, FG_ERR_INTERNAL, "%s", n == sizeof(r) ? r.message : "it died");
}

static int make(struct fg_standby *b, struct json_object *task, struct fg_error *err)
{
        struct json_object *spec = json_object_array_get_idx(fg_json_arr(task, "containers"), 0);
        fg_cleanup(close_ends) struct ends e = { { -1, -1 }, -1 };
        fg_autoclose int cgroup = -1;

        if (fg_cgroup_init_task(task, err) < 0)
                return -1;
        cgroup = fg_cgroup_new(0, spec, err);
        if (cgroup < 0 || open_ends(b, &e, err) < 0)
                return -1;
        b->pid = fg_start(&(struct fg_start){ .task = task,
                                              .spec = spec,
                                              .image_dir = b->image_dir,
                                              .cgroup = cgroup,
                                              .pid_ns = -1,
                                              .input = -1,
                                              .output = { e.output[0], e.output[1] },
                                              .report = e.report,
                                              .stand_by = b->task },
                          err);
        close_ends(&e);
        e = (struct ends){ { -1, -1 }, -1 };
        return b->pid < 0 ? -1 : wait_until_made(b, err);
}

int fg_standby_make(struct fg_standby *b, const char *image_dir, struct fg_error *err)
{
        static const char nothing[] = "{\"containers\":[{}]}";
        fg_autojson *task = fg_json_parse(nothing, sizeof(nothing) - 1, err);

        *b = (struct fg_standby)FG_STANDBY_INIT;
        b->image_dir = fg_strdup(image_dir);
        if (task && make(b, task, err) == 0)
                return 0;
        fg_standby_end(b);
        return -1;
}

pid_t fg_standby_release(struct fg_standby *b, struct json_object *task, int ret_output[2],
                         int *ret_report, struct fg_error *err)
{
        const char *text = fg_json_text(task);
        pid_t pid = b->pid;

        if (fg_write_all(b->task, text, strlen(text), err) < 0)
                return -1;
        if (send(b->report, "", 1, MSG_NOSIGNAL) != 1)
                return fg_fail_errno(err, errno, "the process that waited for the task");
        ret_output[0] = fg_take_fd(b->output[0]);
        ret_output[1] = fg_take_fd(b->output[1]);
        *ret_report = fg_take_fd(b->report);
        forget(b);
        return pid;
}

void fg_standby_end(struct fg_standby *b)
{
        struct fg_error ignored;

        if (b->pid > 0) {
                (void)kill(b->pid, SIGKILL);
                while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        if (b->image_dir)
                (void)fg_rm_rf(DIR, &ignored);
        forget(b);
}

bool fg_standby_reaped(struct fg_standby *b, pid_t pid)
{
        if (b->pid <= 0 || b->pid != pid)
                return false;
        b->pid = 0;
        return true;
}

/* ---- its own ---- */

/* What comes next, as far as the image alone says it: names and files are then in memory. */
static void look_ahead(const struct fg_start *s)
{
        fg_cleanup(fg_process_finish) struct fg_process p = { 0 };
        struct fg_error ignored;

        if (fg_process_init(&p, s, &ignored) == 0 && fg_process_find(&p, &ignored) == 0)
                fg_rehearse_read(p.path);
}

int fg_standby_await(struct fg_start *s, struct fg_error *err)
{
        const struct fg_start_report r = { .kind = FG_START_STANDING_BY };
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(TASK_MAX);
        char go;
        ssize_t n;

        look_ahead(s);
        if (send(s->report, &r, sizeof(r), MSG_NOSIGNAL) < 0)
                _exit(1);
        do
                n = recv(s->report, &go, 1, 0);
        while (n < 0 && errno == EINTR);
        if (n != 1) /* nobody needs it */
                _exit(0);
        if (lseek(s->stand_by, 0, SEEK_SET) < 0)
                return fg_fail_errno(err, errno, "read the task");
        if (fg_buf_read_fd(&text, s->stand_by, err) < 0)
                return -1;
        s->task = fg_json_parse(text.data, text.len, err); /* until execve() */
        if (!s->task)
                return -1;
        s->spec = json_object_array_get_idx(fg_json_arr(s->task, "containers"), s->index);
        return 0;
}

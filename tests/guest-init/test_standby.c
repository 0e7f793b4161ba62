/* SPDX-License-Identifier: Apache-2.0 */
/* The process that stands by for a container, as the init sees it: released, dead, in the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/cgroup.h"
#include "guest-init/container.h"
#include "guest-init/link.h"
#include "guest-init/process.h"
#include "guest-init/rehearse.h"
#include "guest-init/standby.h"

#define STARTED 4711 /* an ordinary start's pid */

struct fixture {
        struct fg_loop loop;
        struct fg_output outputs[2];
        struct fg_link link;
        struct fg_standby standby;
        struct fg_container container;
        struct json_object *task;
        int theirs; /* the other end of standby.report, or -1 */
        struct fg_error err;
};

/* ---- what is not under test ---- */

static unsigned started, removed;
static bool had_pipes;

pid_t fg_start(struct fg_start *s, struct fg_error *err)
{
        (void)err;
        started++;
        had_pipes = s->output[0] >= 0 && s->output[1] >= 0 && s->report >= 0;
        return STARTED;
}

int fg_cgroup_init_task(struct json_object *task, struct fg_error *err)
{
        (void)task;
        (void)err;
        return 0;
}

int fg_cgroup_new(unsigned index, struct json_object *container, struct fg_error *err)
{
        (void)index;
        (void)container;
        (void)err;
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int fg_process_init(struct fg_process *p, const struct fg_start *s, struct fg_error *err)
{
        (void)p;
        (void)s;
        return fg_fail(err, FG_ERR_INTERNAL, "not here");
}

int fg_process_find(struct fg_process *p, struct fg_error *err)
{
        (void)p;
        return fg_fail(err, FG_ERR_INTERNAL, "not here");
}

void fg_process_finish(struct fg_process *p)
{
        (void)p;
}

void fg_rehearse_read(const char *path)
{
        (void)path;
}

/* The name that the linker's --wrap looks for. */
int wrap_rm_rf(const char *path, struct fg_error *err) __asm__("__wrap_fg_rm_rf");

int wrap_rm_rf(const char *path, struct fg_error *err)
{
        (void)path;
        (void)err;
        removed++;
        return 0;
}

/* ---- */

static pid_t waiting_child(void)
{
        const pid_t pid = fork();

        if (pid == 0) {
                (void)pause();
                _exit(0);
        }
        return pid;
}

static int set_up(void **state)
{
        static const char task[] = "{\"containers\":[{\"name\":\"app\"}]}";
        static struct fixture f;
        int report[2], out[2], err[2];

        f = (struct fixture){ .standby = FG_STANDBY_INIT };
        started = removed = 0;
        f.task = fg_json_parse(task, sizeof(task) - 1, &f.err);
        if (!f.task || fg_loop_init(&f.loop, &f.err) < 0 ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) < 0 ||
            pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
                return -1;
        f.theirs = report[1];
        f.standby = (struct fg_standby){ .pid = waiting_child(),
                                         .image_dir = fg_strdup("/image"),
                                         .output = { out[0], err[0] },
                                         .report = report[0],
                                         .task = memfd_create("task", MFD_CLOEXEC) };
        (void)close(out[1]);
        (void)close(err[1]);
        f.link.outputs = f.outputs;
        f.link.output_count = 2;
        f.container = (struct fg_container){
                .spec = json_object_array_get_idx(fg_json_arr(f.task, "containers"), 0),
                .name = "app",
                .link = &f.link,
                .loop = &f.loop,
                .report.fd = -1,
                .input = -1,
        };
        f.container.start = (struct fg_start){ .task = f.task,
                                               .spec = f.container.spec,
                                               .image_dir = "/image",
                                               .pid_ns = -1,
                                               .standby = &f.standby };
        *state = &f;
        return f.standby.pid > 0 && f.standby.task >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;

        fg_standby_end(&f->standby);
        fg_container_close_report(&f->container);
        for (size_t i = 0; i < 2; i++)
                if (f->outputs[i].ring)
                        fg_output_finish(&f->outputs[i]);
        fg_closep(&f->theirs);
        (void)close(f->loop.epoll);
        json_object_put(f->task);
        return 0;
}

/* As the kernel leaves it: its end is closed, and it is still to be waited for. */
static void die(struct fixture *f)
{
        siginfo_t ignored;

        assert_int_equal(kill(f->standby.pid, SIGKILL), 0);
        assert_int_equal(waitid(P_PID, (id_t)f->standby.pid, &ignored, WEXITED | WNOWAIT), 0);
        fg_closep(&f->theirs);
}

static void end_child(pid_t pid)
{
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void ready(struct fg_source *s, uint32_t events)
{
        (void)s;
        (void)events;
}

/* ---- */

static void test_released(void **state)
{
        struct fixture *f = *state;
        const pid_t pid = f->standby.pid;
        char byte;

        assert_int_equal(fg_container_launch(&f->container, ready, &f->err), 0);
        assert_int_equal(f->container.pid, pid);
        assert_int_equal(started, 0);
        assert_int_equal(removed, 0);
        assert_int_equal(recv(f->theirs, &byte, 1, MSG_DONTWAIT), 1);
        assert_int_equal(f->standby.pid, 0);
        assert_int_equal(f->standby.report, -1);
        end_child(pid);
}

static void test_dead_peer(void **state)
{
        struct fixture *f = *state;
        int output[2] = { -1, -1 }, report = -1;

        die(f);
        assert_int_equal(fg_standby_release(&f->standby, f->task, output, &report, &f->err), -1);
        assert_non_null(strstr(f->err.msg, "waited for the task"));
        assert_int_equal(output[0], -1);
        assert_int_equal(output[1], -1);
        assert_int_equal(report, -1);
        assert_true(f->standby.pid > 0); /* who calls ends it */
}

static void test_dead_and_made_anew(void **state)
{
        struct fixture *f = *state;
        const pid_t pid = f->standby.pid;

        die(f);
        assert_int_equal(fg_container_launch(&f->container, ready, &f->err), 0);
        assert_int_equal(f->container.pid, STARTED);
        assert_int_equal(started, 1);
        assert_true(had_pipes);
        assert_true(f->container.report.fd >= 0);
        /* Nothing of the other is left, or in the way. */
        assert_int_equal(removed, 1);
        assert_int_equal(f->standby.pid, 0);
        assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

static void test_in_the_way(void **state)
{
        struct fixture *f = *state;
        const pid_t pid = f->standby.pid;

        f->container.start.image_dir = "/another";
        assert_int_equal(fg_container_launch(&f->container, ready, &f->err), 0);
        assert_int_equal(f->container.pid, STARTED);
        assert_int_equal(removed, 1);
        assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

/* What was released and cannot be watched must not run on by itself. */
static void test_released_and_not_watched(void **state)
{
        struct fixture *f = *state;
        const pid_t pid = f->standby.pid;
        const int epoll = f->loop.epoll;
        int status;

        f->loop.epoll = -1;
        assert_int_equal(fg_container_launch(&f->container, ready, &f->err), -1);
        f->loop.epoll = epoll;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WTERMSIG(status), SIGKILL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_released, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_dead_peer, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_dead_and_made_anew, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_in_the_way, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_released_and_not_watched, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

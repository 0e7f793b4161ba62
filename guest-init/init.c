/* SPDX-License-Identifier: Apache-2.0 */
/* PID 1 of a guest. It never exits: an error is reported, and the guest powers off. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/str.h"
#include "guest-init/console.h"
#include "guest-init/loop.h"
#include "guest-init/modules.h"
#include "guest-init/mounts.h"
#include "guest-init/pod.h"
#include "guest-init/rehearse.h"
#include "guest-init/start.h"
#include "guest-init/task.h"

struct init {
        struct fg_loop loop;
        struct fg_source signals;
        struct fg_task task;
};

static _Noreturn void power_off(void)
{
        if (fg_pod)
                _exit(0); /* the kernel ends what is left in the namespace of process ids */
        sync();
        /* A microVM has no power button: the VM ends where another machine would reboot. */
        (void)reboot(RB_AUTOBOOT);
        for (;;)
                (void)pause();
}

static void reap(struct fg_source *s, uint32_t events)
{
        struct init *i = FG_CONTAINER_OF(s, struct init, signals);
        struct signalfd_siginfo info;
        pid_t pid;
        int status;

        while (read(s->fd, &info, sizeof(info)) > 0)
                ;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                fg_task_reaped(&i->task, pid, status);
}

static int watch_children(struct init *i, struct fg_error *err)
{
        sigset_t all;

        sigfillset(&all);
        i->signals = (struct fg_source){ .fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK),
                                         .ready = reap };
        if (i->signals.fd < 0)
                return fg_fail_errno(err, errno, "signalfd");
        return fg_loop_add(&i->loop, &i->signals, EPOLLIN, err);
}

/* Whatever containers do, their ends and their output are dealt with; their processes are as
   usual, see fg_ordinary(). */
static int come_first(struct fg_error *err)
{
        if (!fg_pod && setpriority(PRIO_PROCESS, 0, PRIO_MIN) < 0)
                return fg_fail_errno(err, errno, "setpriority");
        return 0;
}

static int protect_from_oom(struct fg_error *err)
{
        fg_cleanup(fclosep) FILE *f = fopen("/proc/self/oom_score_adj", "we");

        if (!f || fputs("-1000", f) < 0)
                return fg_fail_errno(err, errno, "oom_score_adj");
        return 0;
}

static int set_up(struct init *i, struct fg_error *err)
{
        if (!fg_pod && (fg_modules_load(err) < 0 || fg_mounts_init(err) < 0))
                return -1;
        if (come_first(err) < 0 || protect_from_oom(err) < 0 || fg_mounts_loopback(err) < 0 ||
            fg_loop_init(&i->loop, err) < 0 || watch_children(i, err) < 0)
                return -1;
        fg_task_init(&i->task, &i->loop);
        return fg_link_open(&i->task.link, &i->loop, err);
}

int main(int argc, char **argv)
{
        static struct init init;
        struct fg_error err = FG_ERROR_INIT;
        sigset_t all;

        if (argc > 0 && fg_streq(argv[0], FG_REAPER_NAME))
                return fg_start_reaper(argc, argv);
        if (argc > 0 && fg_ends_with(argv[0], FG_REHEARSAL_NAME))
                return fg_rehearsal_main(argc, argv);
        if (argc > 0 && fg_streq(argv[0], FG_PAUSE_NAME))
                return fg_pause_main(argc, argv);
        sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, NULL);
        fg_pod = argc == 2 && fg_ends_with(argv[0], FG_POD_NAME);
        if ((fg_pod && fg_pod_init(argv[1], &err) < 0) || set_up(&init, &err) < 0) {
                fg_console("%s", err.msg);
                power_off();
        }
        while (!fg_task_over(&init.task)) {
                fg_loop_step(&init.loop);
                fg_task_step(&init.task);
                fg_metadata_observe(&init.task.metadata);
                fg_link_flush(&init.task.link);
        }
        power_off();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/start.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/caps.h"
#include "guest-init/cgroup.h"
#include "guest-init/filter.h"
#include "guest-init/image_unpack.h"
#include "guest-init/pod.h"
#include "guest-init/process.h"
#include "guest-init/rootfs.h"
#include "guest-init/standby.h"
#include "guest-init/sysctl.h"
#include "guest-init/terminal.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)

int fg_start_load_image(struct fg_start *s, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf manifest = FG_BUF_INIT(FG_IMAGE_MANIFEST_MAX);
        fg_cleanup(fg_buf_finish) struct fg_buf config = FG_BUF_INIT(FG_IMAGE_CONFIG_MAX);
        fg_autofree char *manifest_path = fg_asprintf("%s/" FG_IMAGE_MANIFEST, s->image_dir);
        fg_autofree char *config_path = fg_asprintf("%s/" FG_IMAGE_CONFIG, s->image_dir);

        if (fg_buf_read_file(&manifest, manifest_path, err) < 0 ||
            fg_buf_read_file(&config, config_path, err) < 0)
                return -1;
        s->image = fg_image_parse_manifest(manifest.data, manifest.len, err);
        if (!s->image)
                return -1;
        return fg_image_parse_config(s->image, config.data, config.len, err);
}

static int set_stdio(struct fg_start *s, struct fg_error *err)
{
        fg_autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (null < 0 || dup2(s->input >= 0 ? s->input : null, STDIN_FILENO) < 0 ||
            dup2(s->output[0], STDOUT_FILENO) < 0 || dup2(s->output[1], STDERR_FILENO) < 0)
                return fg_fail_errno(err, errno, "set up stdio");
        return 0;
}

/* PID 1 blocks and ignores what containers must see as new. */
int fg_start_reset(struct fg_error *err)
{
        sigset_t none;

        sigemptyset(&none);
        for (int sig = 1; sig < NSIG; sig++)
                (void)signal(sig, SIG_DFL);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0)
                return fg_fail_errno(err, errno, "reset signals");
        umask(022);
        return fg_ordinary(err);
}

static int create(struct fg_start *s, struct fg_error *err)
{
        const char *hostname;

        if (fg_start_reset(err) < 0 || set_stdio(s, err) < 0)
                return -1;
        if (unshare(CLONE_NEWCGROUP) < 0)
                return fg_fail_errno(err, errno, "new cgroup namespace");
        if (fg_start_load_image(s, err) < 0)
                return fg_wrap(err, "image");
        if (fg_rootfs_enter(s, err) < 0 || (s->stand_by && fg_standby_await(s, err) < 0))
                return -1;
        hostname = fg_json_str(s->task, "hostname"); /* begin.c has checked it */
        if (sethostname(hostname, strlen(hostname)) < 0)
                return fg_fail_errno(err, errno, "set hostname %s", hostname);
        if (fg_rootfs_finish(s, err) < 0)
                return -1;
        if (!fg_json_bool(s->spec, "pseudoTerminal", false))
                return 0;
        s->terminal = fg_terminal_open(err);
        return s->terminal < 0 ? -1 : 0;
}

static void report(struct fg_start *s, const struct fg_start_report *r)
{
        union {
                char space[CMSG_SPACE(sizeof(int))];
                struct cmsghdr aligned;
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *)r, .iov_len = sizeof(*r) };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        struct cmsghdr *c = &control.aligned;

        if (s->terminal >= 0 && r->kind == FG_START_READY) {
                message.msg_control = &control;
                message.msg_controllen = sizeof(control);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(c), &s->terminal, sizeof(int));
        }
        if (sendmsg(s->report, &message, 0) < 0)
                _exit(1);
}

int fg_start_confine(struct fg_start *s, struct fg_process *p, struct fg_error *err)
{
        struct json_object *params = fg_json_obj(s->spec, "linuxParameters");
        uint64_t caps;

        if (fg_caps_parse(fg_json_obj(params, "capabilities"), &caps, err) < 0)
                return -1;
        if (fg_pod)
                caps &= ~FG_CAP(CAP_MKNOD); /* a node would be one of the host's devices */
        if (fg_process_init(p, s, err) < 0 || fg_process_limits(s->spec, err) < 0 ||
            fg_process_chdir(p, err) < 0 || fg_caps_bound(caps, err) < 0)
                return -1;
        if (fg_filter_load(caps, err) < 0 || fg_process_become(p, err) < 0)
                return -1;
        /* Without capabilities of its own from here on, unless it is root. */
        if (fg_caps_set(p->user.uid == 0 ? caps : 0, err) < 0)
                return -1;
        return fg_process_find(p, err);
}

static int run(struct fg_start *s, struct fg_error *err)
{
        fg_cleanup(fg_process_finish) struct fg_process p = { 0 };
        struct fg_start_report ready = { .kind = FG_START_READY };
        struct json_object *params = fg_json_obj(s->spec, "linuxParameters");

        if (fg_start_confine(s, &p, err) < 0)
                return -1;
        ready.uid = p.user.uid;
        ready.stop_signal = s->image->stop_signal;
        report(s, &ready);
        return fg_process_exec(&p, s->report, fg_json_bool(params, "initProcessEnabled", false),
                               err);
}

static _Noreturn void child(struct fg_start *s)
{
        struct fg_start_report failed = { .kind = FG_START_FAILED };
        struct fg_error err = FG_ERROR_INIT;
        const char *name = "ResourceInitializationError";

        s->terminal = -1;
        if (fg_sysctl_apply(s->spec, &err) == 0) {
                name = "CannotCreateContainerError";
                if (create(s, &err) == 0) {
                        name = "CannotStartContainerError";
                        (void)run(s, &err);
                }
        }
        (void)snprintf(failed.error, sizeof(failed.error), "%s", name);
        (void)snprintf(failed.message, sizeof(failed.message), "%s", err.msg);
        report(s, &failed);
        _exit(1);
}

pid_t fg_start_clone(uint64_t flags, int cgroup, int pid_ns, struct fg_error *err)
{
        struct clone_args args = { .flags = flags | CLONE_INTO_CGROUP,
                                   .exit_signal = SIGCHLD,
                                   .cgroup = (uint64_t)cgroup };
        fg_autoclose int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        pid_t pid;
        int r;

        if (own < 0)
                return fg_fail_errno(err, errno, "open our namespace");
        /* A PID namespace is entered by children only: for one clone ours go there. */
        if (pid_ns >= 0 && setns(pid_ns, CLONE_NEWPID) < 0)
                return fg_fail_errno(err, errno, "enter the container's process ids");
        pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
        if (pid == 0)
                return 0;
        if (pid < 0)
                (void)fg_fail_errno(err, errno, "clone3");
        r = pid_ns >= 0 ? setns(own, CLONE_NEWPID) : 0;
        assert(r == 0); /* one's own namespace is always open */
        return pid;
}

pid_t fg_start(struct fg_start *s, struct fg_error *err)
{
        const uint64_t flags = NAMESPACES | (s->pid_ns < 0 ? CLONE_NEWPID : 0);
        pid_t pid = fg_start_clone(flags, s->cgroup, s->pid_ns, err);

        if (pid == 0)
                child(s);
        return pid;
}

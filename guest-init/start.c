/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
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
#include "guest-init/process.h"
#include "guest-init/rootfs.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC)

static int load_image(struct fg_start *s, struct fg_error *err)
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

        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(s->output[0], STDOUT_FILENO) < 0 ||
            dup2(s->output[1], STDERR_FILENO) < 0)
                return fg_fail_errno(err, errno, "set up stdio");
        return 0;
}

/* PID 1 blocks and ignores what containers must see as new. */
static int reset_process(struct fg_error *err)
{
        sigset_t none;

        sigemptyset(&none);
        for (int sig = 1; sig < NSIG; sig++)
                (void)signal(sig, SIG_DFL);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0)
                return fg_fail_errno(err, errno, "reset signals");
        umask(022);
        return fg_cgroup_killable(err);
}

static int create(struct fg_start *s, struct fg_error *err)
{
        const char *hostname = fg_json_str(s->task, "hostname");

        if (reset_process(err) < 0 || set_stdio(s, err) < 0)
                return -1;
        if (unshare(CLONE_NEWCGROUP) < 0)
                return fg_fail_errno(err, errno, "new cgroup namespace");
        if (hostname && sethostname(hostname, strlen(hostname)) < 0)
                return fg_fail_errno(err, errno, "set hostname %s", hostname);
        if (load_image(s, err) < 0)
                return fg_wrap(err, "image");
        return fg_rootfs_enter(s, err);
}

static void report(struct fg_start *s, const struct fg_start_report *r)
{
        /* Smaller than PIPE_BUF: never in parts. */
        if (write(s->report, r, sizeof(*r)) < 0)
                _exit(1);
}

static int run(struct fg_start *s, struct fg_error *err)
{
        fg_cleanup(fg_process_finish) struct fg_process p = { 0 };
        struct fg_start_report ready = { .kind = FG_START_READY };
        struct json_object *params = fg_json_obj(s->spec, "linuxParameters");
        uint64_t caps;

        if (fg_caps_parse(fg_json_obj(params, "capabilities"), &caps, err) < 0 ||
            fg_process_init(&p, s, err) < 0 || fg_process_limits(s->spec, err) < 0 ||
            fg_process_chdir(&p, err) < 0 || fg_caps_bound(caps, err) < 0)
                return -1;
        if (fg_filter_load(caps, err) < 0 || fg_process_become(&p, err) < 0)
                return -1;
        /* Without capabilities of its own from here on, unless it is root. */
        if (fg_caps_set(p.user.uid == 0 ? caps : 0, err) < 0 || fg_process_find(&p, err) < 0)
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
        const char *name = "CannotCreateContainerError";

        if (create(s, &err) == 0) {
                name = "CannotStartContainerError";
                (void)run(s, &err);
        }
        (void)snprintf(failed.error, sizeof(failed.error), "%s", name);
        (void)snprintf(failed.message, sizeof(failed.message), "%s", err.msg);
        report(s, &failed);
        _exit(1);
}

pid_t fg_start(struct fg_start *s, struct fg_error *err)
{
        struct clone_args args = { .flags = NAMESPACES | CLONE_INTO_CGROUP,
                                   .exit_signal = SIGCHLD,
                                   .cgroup = (uint64_t)s->cgroup };
        pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

        if (pid == 0)
                child(s);
        return pid < 0 ? fg_fail_errno(err, errno, "clone3") : pid;
}

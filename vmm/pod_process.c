/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/pod_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/netns.h"
#include "core/process.h"
#include "core/str.h"
#include "vmm/cgroup.h"
#include "vmm/paths.h"
#include "vmm/pod_spec.h"

#define CONFIG     "config.json"
#define PID_FILE   "pid"
#define ROOT       "root"
#define STATE      "runc" /* beside the pods: the runtime's own notes */
#define CHANNEL    3      /* guest-init/pod.h: FG_POD_CHANNEL */
#define LOCK       4
#define ABOVE      10    /* descriptors that are moved to their place find it free */
#define GROUPS_MAX 65536 /* bytes of /proc/PID/cgroup */
#define OUTPUT_MAX 2048

/* ---- start ---- */

static int listen_on(const char *path, struct fg_error *err)
{
        struct sockaddr_un addr = { .sun_family = AF_UNIX };
        fg_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (strlen(path) >= sizeof(addr.sun_path))
                return fg_fail(err, FG_ERR_INVALID, "socket path too long: %s", path);
        memcpy(addr.sun_path, path, strlen(path));
        if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 4) < 0)
                return fg_fail_errno(err, errno, "listen on %s", path);
        return fg_take_fd(fd);
}

static int lock(const char *dir, struct fg_error *err)
{
        fg_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return fg_fail_errno(err, errno, "open %s", dir);
        if (flock(fd, LOCK_EX) < 0)
                return fg_fail_errno(err, errno, "lock %s", dir);
        return fg_take_fd(fd);
}

static void actions_destroy(posix_spawn_file_actions_t *a)
{
        (void)posix_spawn_file_actions_destroy(a);
}

static void attr_destroy(posix_spawnattr_t *a)
{
        (void)posix_spawnattr_destroy(a);
}

/* Nothing of fgd's: told where systemd waits for news of fgd (NOTIFY_SOCKET), the runtime would
   wait for the same from the pod. */
static char runtime_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static char *const environment[] = { runtime_path, NULL };

static int spawn(const char *const argv[], int channel, int lock_fd, const char *console,
                 pid_t *ret)
{
        fg_cleanup(actions_destroy) posix_spawn_file_actions_t a;
        fg_cleanup(attr_destroy) posix_spawnattr_t attr;
        sigset_t none, defaults;

        sigemptyset(&none);
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE);
        (void)posix_spawn_file_actions_init(&a);
        (void)posix_spawnattr_init(&attr);
        return posix_spawnattr_setsigmask(&attr, &none)
                       ?: posix_spawnattr_setsigdefault(&attr, &defaults)
                       ?: posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
                                                                  POSIX_SPAWN_SETSIGDEF |
                                                                  POSIX_SPAWN_SETSID)
                       ?: posix_spawn_file_actions_addopen(&a, 0, "/dev/null", O_RDONLY, 0)
                       ?: posix_spawn_file_actions_addopen(
                                  &a, 1, console, O_WRONLY | O_CREAT | O_APPEND, 0600)
                       ?: posix_spawn_file_actions_adddup2(&a, 1, 2)
                       ?: posix_spawn_file_actions_adddup2(&a, channel, CHANNEL)
                       ?: posix_spawn_file_actions_adddup2(&a, lock_fd, LOCK)
                       ?: posix_spawn_file_actions_addclosefrom_np(&a, LOCK + 1)
                       ?: posix_spawnp(ret, argv[0], &a, &attr, (char *const *)argv,
                                         environment);
}

struct launch {
        const char *run_dir, *id;
        int channel, lock;
        bool scope;
};

/* In the network namespace that the pod is to be in, if it gets no new one. */
static int run(void *userdata, struct fg_error *err)
{
        const struct launch *l = userdata;
        fg_autofree char *dir = fg_vm_dir(l->run_dir, l->id);
        fg_autofree char *state = fg_asprintf("%s/" STATE, l->run_dir);
        fg_autofree char *console = fg_vm_path(l->run_dir, l->id, FG_POD_CONSOLE);
        fg_autofree char *pid_file = fg_vm_path(l->run_dir, l->id, PID_FILE);
        const char *const argv[] = { FG_POD_RUNTIME,
                                     "--root",
                                     state,
                                     l->scope ? "--systemd-cgroup" : "--systemd-cgroup=false",
                                     "run",
                                     "--detach",
                                     "--bundle",
                                     dir,
                                     "--pid-file",
                                     pid_file,
                                     "--preserve-fds",
                                     "1",
                                     l->id,
                                     NULL };
        fg_cleanup(fg_buf_finish) struct fg_buf said = FG_BUF_INIT(OUTPUT_MAX);
        fg_autoclose int high_channel = fcntl(l->channel, F_DUPFD_CLOEXEC, ABOVE);
        fg_autoclose int high_lock = fcntl(l->lock, F_DUPFD_CLOEXEC, ABOVE);
        struct fg_error ignored;
        int r, status = 0;
        pid_t pid;

        if (high_channel < 0 || high_lock < 0)
                return fg_fail_errno(err, errno, "duplicate a descriptor");
        r = spawn(argv, high_channel, high_lock, console, &pid);
        if (r == ENOENT)
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "isolation container needs " FG_POD_RUNTIME
                               ", which is not installed (Debian: apt install " FG_POD_RUNTIME ")");
        if (r != 0)
                return fg_fail_errno(err, r, "start " FG_POD_RUNTIME);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fg_fail_errno(err, errno, "wait for " FG_POD_RUNTIME);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        (void)fg_buf_read_file(&said, console, &ignored);
        return fg_fail(err, FG_ERR_INTERNAL, FG_POD_RUNTIME " failed: %s",
                       said.len > 0 ? said.data : "it said nothing");
}

static void close_disks(struct fg_pod *pod)
{
        fg_closep(&pod->scratch.fd);
        for (size_t i = 0; i < FG_VM_DISKS_MAX; i++)
                fg_closep(&pod->disks[i].fd);
}

static int open_disks(struct fg_pod *pod, const struct fg_vm_spec *spec, struct fg_error *err)
{
        if (fg_loop_disk_open(&pod->scratch, spec->scratch, false, err) < 0)
                return -1;
        for (size_t i = 0; i < spec->n_disks; i++) {
                memcpy(pod->serials[i], spec->disks[i].serial, sizeof(pod->serials[i]));
                if (fg_loop_disk_open(&pod->disks[i], spec->disks[i].path, true, err) < 0)
                        return -1;
                pod->n_disks = i + 1;
        }
        return 0;
}

static int write_config(const char *run_dir, const struct fg_pod *pod, struct fg_error *err)
{
        fg_autofree char *path = fg_vm_path(run_dir, pod->id, CONFIG);
        fg_autojson *config = fg_pod_spec(pod);
        const char *text = json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN);
        fg_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0)
                return fg_fail_errno(err, errno, "create %s", path);
        return fg_write_all(fd, text, strlen(text), err);
}

int fg_pod_start(const char *run_dir, const char *init, const struct fg_vm_spec *spec,
                 struct fg_error *err)
{
        fg_autofree char *dir = fg_vm_dir(run_dir, spec->id);
        fg_autofree char *root = fg_vm_path(run_dir, spec->id, ROOT);
        fg_autofree char *channel_path = fg_vm_path(run_dir, spec->id, FG_VM_CHANNEL);
        fg_cleanup(close_disks) struct fg_pod pod = {
                .root = root,
                .init = init,
                .cpu_units = spec->cpu_units,
                .memory_mib = spec->memory_mib,
                .scratch.fd = -1,
                .disks = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 } },
        };
        fg_autoclose int locked = -1, channel = -1;
        struct launch launch;

        memcpy(pod.id, spec->id, sizeof(pod.id));
        pod.scope = fg_cgroup_by_systemd();
        pod.network = spec->nic != NULL;
        if (fg_mkdir_p(root, 0700, err) < 0)
                return -1;
        locked = lock(dir, err);
        if (locked < 0)
                return -1;
        channel = listen_on(channel_path, err);
        if (channel < 0 || open_disks(&pod, spec, err) < 0 || write_config(run_dir, &pod, err) < 0)
                return -1;
        launch = (struct launch){ run_dir, spec->id, channel, locked, pod.scope };
        return spec->nic ? fg_netns_run_path(spec->nic->netns, run, &launch, err)
                         : run(&launch, err);
}

/* ---- what runs ---- */

/*
 * A pid may have been given to another process since it was recorded; its cgroup tells. Its name
 * does not: when the runtime says that it runs, it may still be about to become our program.
 */
static bool is_of(pid_t pid, const char *id)
{
        fg_cleanup(fg_buf_finish) struct fg_buf groups = FG_BUF_INIT(GROUPS_MAX);
        fg_autofree char *path = fg_asprintf("/proc/%d/cgroup", (int)pid);
        fg_autofree char *want = fg_asprintf("/" FG_CGROUP_POD_PREFIX "%s", id);
        struct fg_error ignored;

        return fg_buf_read_file(&groups, path, &ignored) == 0 && groups.len > 0 &&
               strstr(groups.data, want);
}

int fg_pod_open(const char *run_dir, const char *id, pid_t *ret_pid)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(32);
        fg_autofree char *path = fg_vm_path(run_dir, id, PID_FILE);
        struct fg_error ignored;
        fg_autoclose int pidfd = -1;
        uint64_t pid;

        if (fg_buf_read_file(&text, path, &ignored) < 0 || text.len == 0 ||
            !fg_parse_u64(text.data, &pid) || pid == 0 || pid > INT32_MAX)
                return -1;
        pidfd = pidfd_open((pid_t)pid, 0);
        if (pidfd < 0 || !is_of((pid_t)pid, id))
                return -1;
        *ret_pid = (pid_t)pid;
        return fg_take_fd(pidfd);
}

/* ---- removal ---- */

/* What the kernel has not ended yet would keep the cgroups. */
static void wait_for_end(int pidfd)
{
        struct pollfd p = { .fd = pidfd, .events = POLLIN };
        siginfo_t info;

        (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        while (poll(&p, 1, 10000) < 0 && errno == EINTR)
                ;
        (void)waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
}

int fg_pod_remove(const char *run_dir, const char *id, struct fg_error *err)
{
        fg_autofree char *dir = fg_vm_dir(run_dir, id);
        fg_autofree char *state = fg_asprintf("%s/" STATE, run_dir);
        fg_autofree char *note = fg_asprintf("%s/%s", state, id);
        const char *const argv[] = {
                FG_POD_RUNTIME, "--root", state, "delete", "--force", id, NULL
        };
        fg_cleanup(fg_buf_finish) struct fg_buf said = FG_BUF_INIT(OUTPUT_MAX);
        fg_autoclose int locked = -1, pidfd = -1;
        pid_t pid;
        int status;

        if (!fg_exists(dir))
                return 0;
        locked = lock(dir, err); /* a runtime that still works ends first */
        if (locked < 0)
                return -1;
        pidfd = fg_pod_open(run_dir, id, &pid);
        if (pidfd >= 0)
                wait_for_end(pidfd);
        if (fg_exists(note)) {
                status = fg_spawn(argv, &said, err);
                if (status < 0)
                        return -1;
                if (status != 0)
                        return fg_fail(err, FG_ERR_INTERNAL, FG_POD_RUNTIME " delete: %s",
                                       said.len > 0 ? said.data : "it said nothing");
        }
        return fg_cgroup_remove_pod(FG_CGROUP_ROOT, id, err) < 0 ? -1 : fg_rm_rf(dir, err);
}

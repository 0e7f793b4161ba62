/* SPDX-License-Identifier: Apache-2.0 */

/* Real guests through embedded libvirt: their start, their several ends, and what is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"
#include "guest-init/protocol.h"
#include "vmm/vmm.h"

#define DEADLINE_NS  (60 * FG_NS_PER_SEC)
#define SCRATCH_SIZE (64 * 1024 * 1024)
#define MEMORY_MIB   128

static char *self; /* this program */

struct host {
        sd_event *event;
        char dir[32];
        char *state, *run, *scratch;
        struct fg_vmm *vmm;
        struct fg_channel *channel;
        char id[FG_ID_LEN + 1];

        unsigned done, lists, ups, downs, echoes, gone;
        bool failed, crashed, listed;
        struct fg_error error;
};

/* ---- callbacks ---- */

static void on_done(void *userdata, const char *id, const struct fg_error *err)
{
        struct host *h = userdata;

        assert_string_equal(id, h->id);
        h->failed = err != NULL;
        if (err)
                h->error = *err;
        h->done++;
}

static void on_list(void *userdata, const struct fg_vm *vms, size_t n, const struct fg_error *err)
{
        struct host *h = userdata;

        assert_null(err);
        h->listed = false;
        for (size_t i = 0; i < n; i++)
                h->listed |= fg_streq(vms[i].id, h->id) && vms[i].running;
        h->lists++;
}

static void on_gone(void *userdata, const char *id, bool crashed, const char *reason)
{
        struct host *h = userdata;

        assert_string_equal(id, h->id);
        h->crashed = crashed;
        h->gone++;
}

static void on_up(void *userdata)
{
        ((struct host *)userdata)->ups++;
}

static void on_frame(void *userdata, const struct fg_frame *f)
{
        assert_int_equal(f->len, 4);
        assert_memory_equal(f->data, "echo", 4);
        ((struct host *)userdata)->echoes++;
}

static void on_down(void *userdata, const struct fg_error *err)
{
        ((struct host *)userdata)->downs++;
}

static void on_writable(void *userdata)
{
}

static const struct fg_channel_ops channel_ops = { on_up, on_frame, on_down, on_writable };

/* ---- driving ---- */

static void run_until(struct host *h, const unsigned *counter, unsigned wanted)
{
        uint64_t end = fg_mono_ns() + DEADLINE_NS;

        while (*counter < wanted) {
                assert_true(fg_mono_ns() < end);
                assert_true(sd_event_run(h->event, 100000) >= 0);
        }
}

static void open_vmm(struct host *h)
{
        struct fg_vmm_config config = {
                .uri = "embed",
                .state_dir = h->state,
                .run_dir = h->run,
                .kernel = getenv("FG_TEST_KERNEL"),
                .initrd = getenv("FG_TEST_INITRD"),
                .accel = FG_ACCEL_AUTO,
                .lanes = 2,
        };
        struct fg_error err = FG_ERROR_INIT;

        if (fg_vmm_new(h->event, &config, on_gone, h, &h->vmm, &err) < 0)
                fail_msg("%s", err.msg);
}

static void make_scratch(struct host *h)
{
        int fd = open(h->scratch, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0 && ftruncate(fd, SCRATCH_SIZE) == 0 && close(fd) == 0);
}

static struct fg_vm_spec spec_of(const struct host *h)
{
        struct fg_vm_spec spec = { .vcpus = 1, .memory_mib = MEMORY_MIB, .scratch = h->scratch };

        memcpy(spec.id, h->id, sizeof(spec.id));
        return spec;
}

static void connect_channel(struct host *h)
{
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_channel_new(h->vmm, h->id, &channel_ops, h, &h->channel, &err), 0);
        run_until(h, &h->ups, h->ups + 1);
}

static void start(struct host *h)
{
        struct fg_vm_spec spec = spec_of(h);

        make_scratch(h);
        fg_vmm_start(h->vmm, &spec, on_done, h);
        run_until(h, &h->done, h->done + 1);
        if (h->failed)
                fail_msg("%s", h->error.msg);
        connect_channel(h);
}

static void tell(struct host *h, const char *word)
{
        struct fg_frame f = { .type = FG_FRAME_CONTROL, .data = word, .len = strlen(word) };
        struct fg_error err;

        assert_int_equal(fg_channel_send(h->channel, &f, &err), 1);
}

static void end(struct host *h)
{
        fg_channel_free(fg_take_ptr(h->channel));
        fg_vmm_destroy(h->vmm, h->id, on_done, h);
        run_until(h, &h->done, h->done + 1);
        if (h->failed)
                fail_msg("%s", h->error.msg);
}

/* ---- what is there ---- */

/* The process whose command line names the VM, or 0. */
static pid_t qemu_of(const struct host *h)
{
        fg_cleanup(closedirp) DIR *proc = opendir("/proc");
        struct dirent *entry;
        uint64_t pid;

        assert_non_null(proc);
        while ((entry = readdir(proc))) {
                fg_cleanup(fg_buf_finish) struct fg_buf args = FG_BUF_INIT(65536);
                fg_autofree char *path = fg_asprintf("/proc/%s/cmdline", entry->d_name);
                struct fg_error ignored;

                if (fg_parse_u64(entry->d_name, &pid) &&
                    fg_buf_read_file(&args, path, &ignored) == 0 && args.len > 0 &&
                    strstr(args.data, "qemu") && memmem(args.data, args.len, h->id, FG_ID_LEN))
                        return (pid_t)pid;
        }
        return 0;
}

static const char *leftover_id;

static int has_id(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        return strstr(path + ftw->base, leftover_id) != NULL;
}

static void assert_nothing_left(struct host *h)
{
        leftover_id = h->id;
        assert_int_equal(qemu_of(h), 0);
        assert_int_equal(nftw(h->dir, has_id, 16, FTW_PHYS), 0);
        assert_int_equal(nftw("/sys/fs/cgroup", has_id, 16, FTW_PHYS), 0);
}

static char *proc_text(pid_t pid, const char *name)
{
        struct fg_buf text = FG_BUF_INIT(65536);
        fg_autofree char *path = fg_asprintf("/proc/%d/%s", pid, name);
        struct fg_error err;

        assert_int_equal(fg_buf_read_file(&text, path, &err), 0);
        return fg_buf_take(&text);
}

/* ---- fixtures ---- */

static void host_init(struct host *h, const char *dir)
{
        *h = (struct host){ 0 };
        (void)snprintf(h->dir, sizeof(h->dir), "%s", dir);
        h->state = fg_asprintf("%s/state", dir);
        h->run = fg_asprintf("%s/run", dir);
        h->scratch = fg_asprintf("%s/scratch.img", dir);
        assert_true(sd_event_new(&h->event) >= 0);
        fg_id_new(h->id);
}

static void host_finish(struct host *h)
{
        fg_channel_free(h->channel);
        fg_vmm_free(h->vmm);
        sd_event_unref(h->event);
        free(h->state);
        free(h->run);
        free(h->scratch);
}

/* Embedded libvirt has one root in a process's life: all tests but the adoption share a host. */
static int open_host(void **state)
{
        static struct host host;
        char dir[] = "/tmp/fgboot-XXXXXX";

        if (!getenv("FG_TEST_KERNEL") || !mkdtemp(dir) || chmod(dir, 0711) < 0)
                return -1;
        host_init(&host, dir);
        open_vmm(&host);
        *state = &host;
        return 0;
}

static int close_host(void **state)
{
        struct host *h = *state;
        char dir[sizeof(h->dir)];
        struct fg_error err = FG_ERROR_INIT;

        memcpy(dir, h->dir, sizeof(dir));
        host_finish(h);
        return fg_rm_rf(dir, &err);
}

static int new_id(void **state)
{
        struct host *h = *state;

        fg_id_new(h->id);
        h->gone = h->echoes = 0;
        return 0;
}

/* ---- tests ---- */

static void test_start_and_destroy(void **state)
{
        struct host *h = *state;

        start(h);
        tell(h, "echo");
        run_until(h, &h->echoes, 1);
        assert_non_null(strstr(fg_vmm_console_tail(h->vmm, h->id), "init is up"));
        assert_in_range(fg_vmm_memory_kib(h->vmm, h->id), 20 * 1024, (MEMORY_MIB + 256) * 1024);
        fg_vmm_list(h->vmm, on_list, h);
        run_until(h, &h->lists, 1);
        assert_true(h->listed);
        end(h);
        assert_int_equal(h->gone, 0);
        assert_nothing_left(h);
        end(h); /* of a VM that is no more */
}

/* QEMU is a user without rights, under a system call filter, in a directory others cannot enter. */
static void test_confinement(void **state)
{
        struct host *h = *state;
        fg_autofree char *status = NULL, *dir = fg_asprintf("%s/%s", h->run, h->id);
        fg_autofree char *kernel = fg_asprintf("%s/boot/kernel", h->state);
        struct stat st;
        pid_t pid;

        start(h);
        pid = qemu_of(h);
        assert_true(pid > 0);
        status = proc_text(pid, "status");
        assert_non_null(strstr(status, "CapEff:\t0000000000000000"));
        assert_non_null(strstr(status, "NoNewPrivs:\t1"));
        assert_non_null(strstr(status, "Seccomp:\t2"));
        assert_int_equal(stat(dir, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        if (geteuid() == 0) {
                assert_null(strstr(status, "\nUid:\t0"));
                assert_int_equal(stat(kernel, &st), 0);
                assert_int_equal(st.st_uid, 0);
                assert_int_equal(st.st_mode & 0222, 0);
        }
        end(h);
}

/* The limit of the process, read back from its own cgroup; version 1 or 2. */
static void test_memory_limit(void **state)
{
        struct host *h = *state;
        fg_autofree char *groups = NULL, *path = NULL;
        fg_cleanup(fg_buf_finish) struct fg_buf limit = FG_BUF_INIT(64);
        unsigned long long wanted;
        struct fg_error err;
        char *group;

        start(h);
        groups = proc_text(qemu_of(h), "cgroup");
        group = strstr(groups, ":memory:") ?: strstr(groups, "0::");
        assert_non_null(group);
        path = fg_asprintf(
                "/sys/fs/cgroup%s%.*s/%s", fg_starts_with(group, ":memory:") ? "/memory" : "",
                (int)strcspn(strchr(group, '/'), "\n"), strchr(group, '/'),
                fg_starts_with(group, ":memory:") ? "memory.limit_in_bytes" : "memory.max");
        assert_int_equal(fg_buf_read_file(&limit, path, &err), 0);
        wanted = (MEMORY_MIB + fg_vmm_info(h->vmm)->overhead_mib) * 1024ULL * 1024;
        assert_true(strtoull(limit.data, NULL, 10) == wanted);
        end(h);
        assert_nothing_left(h);
}

static void test_guest_halts(void **state)
{
        struct host *h = *state;

        start(h);
        tell(h, "halt");
        run_until(h, &h->gone, 1);
        assert_false(h->crashed);
        end(h);
        assert_nothing_left(h);
}

static void test_kernel_panics(void **state)
{
        struct host *h = *state;

        start(h);
        tell(h, "panic");
        run_until(h, &h->gone, h->gone + 1);
        assert_non_null(strstr(fg_vmm_console_tail(h->vmm, h->id), "Kernel panic"));
        end(h);
        assert_nothing_left(h);
}

static void test_qemu_killed(void **state)
{
        struct host *h = *state;
        uint64_t killed;

        start(h);
        killed = fg_mono_ns();
        assert_int_equal(kill(qemu_of(h), SIGKILL), 0);
        run_until(h, &h->gone, h->gone + 1);
        assert_true(h->crashed);
        assert_true(fg_mono_ns() - killed < FG_NS_PER_SEC);
        end(h);
        assert_nothing_left(h);
}

static void test_start_fails(void **state)
{
        struct host *h = *state;
        struct fg_vm_spec spec = spec_of(h);

        spec.scratch = "/nonexistent/scratch.img";
        fg_vmm_start(h->vmm, &spec, on_done, h);
        run_until(h, &h->done, h->done + 1);
        assert_true(h->failed);
        assert_non_null(strstr(h->error.msg, "/nonexistent"));
        assert_nothing_left(h);
}

static void test_destroy_while_starting(void **state)
{
        struct host *h = *state;
        struct fg_vm_spec spec = spec_of(h);

        make_scratch(h);
        fg_vmm_start(h->vmm, &spec, on_done, h);
        fg_vmm_start(h->vmm, &spec, on_done, h);
        fg_vmm_destroy(h->vmm, h->id, on_done, h);
        run_until(h, &h->done, h->done + 3);
        assert_nothing_left(h);
}

/* ---- adoption: each fgd is a process of its own ---- */

static int hold(const char *dir, const char *id)
{
        struct host h;

        host_init(&h, dir);
        (void)snprintf(h.id, sizeof(h.id), "%s", id);
        open_vmm(&h);
        start(&h);
        (void)printf("up\n");
        (void)fflush(stdout);
        return pause();
}

static int adopt(const char *dir, const char *id)
{
        struct host h;

        host_init(&h, dir);
        (void)snprintf(h.id, sizeof(h.id), "%s", id);
        open_vmm(&h);
        fg_vmm_list(h.vmm, on_list, &h);
        run_until(&h, &h.lists, 1);
        assert_true(h.listed);
        connect_channel(&h);
        tell(&h, "echo");
        run_until(&h, &h.echoes, 1);
        end(&h);
        assert_nothing_left(&h);
        host_finish(&h);
        return 0;
}

static pid_t spawn_self(const char *role, const struct host *h, int out)
{
        pid_t pid = fork();

        if (pid == 0) {
                if (out >= 0)
                        (void)dup2(out, STDOUT_FILENO);
                execl(self, self, role, h->dir, h->id, (char *)NULL);
                _exit(127);
        }
        return pid;
}

static void test_adoption(void **state)
{
        char dir[] = "/tmp/fgboot-XXXXXX", word[3];
        struct host h = { 0 };
        int out[2] = { -1, -1 }, status;
        struct fg_error err;
        pid_t pid;

        assert_true(mkdtemp(dir) && chmod(dir, 0711) == 0 && pipe2(out, O_CLOEXEC) == 0);
        (void)snprintf(h.dir, sizeof(h.dir), "%s", dir);
        fg_id_new(h.id);
        pid = spawn_self("hold", &h, out[1]);
        (void)close(out[1]);
        assert_int_equal(read(out[0], word, sizeof(word)), sizeof(word));
        (void)close(out[0]);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(qemu_of(&h) > 0);

        pid = spawn_self("adopt", &h, -1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(fg_rm_rf(dir, &err), 0);
}

static int test_main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_start_and_destroy, new_id),
                cmocka_unit_test_setup(test_confinement, new_id),
                cmocka_unit_test_setup(test_memory_limit, new_id),
                cmocka_unit_test_setup(test_guest_halts, new_id),
                cmocka_unit_test_setup(test_kernel_panics, new_id),
                cmocka_unit_test_setup(test_qemu_killed, new_id),
                cmocka_unit_test_setup(test_start_fails, new_id),
                cmocka_unit_test_setup(test_destroy_while_starting, new_id),
                cmocka_unit_test(test_adoption),
        };

        return cmocka_run_group_tests(tests, open_host, close_host);
}

/*
 * QEMUs are orphans, and libvirt waits for a dead one until somebody reaps it. PID 1 of a container
 * may not, so the tests run as the child of a subreaper, as fgd does.
 */
int main(int argc, char **argv)
{
        int status, result = 1;
        pid_t pid, ended;

        self = argv[0];
        if (argc == 4)
                return fg_streq(argv[1], "hold") ? hold(argv[2], argv[3]) : adopt(argv[2], argv[3]);
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
        pid = fork();
        if (pid == 0)
                return test_main();
        while ((ended = wait(&status)) > 0 || errno == EINTR)
                if (ended == pid) {
                        result = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
                        break;
                }
        return result;
}

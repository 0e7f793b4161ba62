/* SPDX-License-Identifier: Apache-2.0 */

/* Real guests through embedded libvirt: their start, their several ends, and what is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"
#include "tests/vmm/boot_host.h"

static char *self; /* this program */

/* ---- fixtures ---- */

/* Embedded libvirt has one root in a process's life: all tests but the adoption share a host. */
static int open_host(void **state)
{
        static struct host host;
        char dir[] = "/tmp/fgboot-XXXXXX";

        if (!getenv("FG_TEST_KERNEL") || !mkdtemp(dir) || chmod(dir, 0711) < 0)
                return -1;
        host_init(&host, dir);
        host_open(&host);
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
        h->memory_mib = HOST_MEMORY_MIB;
        return 0;
}

/* ---- tests ---- */

static void test_start_and_destroy(void **state)
{
        struct host *h = *state;

        host_start(h);
        host_tell(h, "echo");
        host_run_until(h, &h->echoes, 1);
        assert_non_null(strstr(fg_vmm_console_tail(h->vmm, h->id), "init is up"));
        assert_in_range(fg_vmm_memory_kib(h->vmm, h->id), 20 * 1024,
                        (HOST_MEMORY_MIB + 256) * 1024);
        fg_vmm_list(h->vmm, host_on_list, h);
        host_run_until(h, &h->lists, 1);
        assert_true(h->listed);
        host_end(h);
        assert_int_equal(h->gone, 0);
        host_assert_nothing_left(h);
        host_end(h); /* of a VM that is no more */
}

/* QEMU is a user without rights, under a system call filter, in a directory others cannot enter. */
static void test_confinement(void **state)
{
        struct host *h = *state;
        fg_autofree char *status = NULL, *dir = fg_asprintf("%s/%s", h->run, h->id);
        fg_autofree char *kernel = fg_asprintf("%s/boot/kernel", h->state);
        struct stat st;
        pid_t pid;

        host_start(h);
        pid = host_qemu(h);
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
        host_end(h);
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

        host_start(h);
        groups = proc_text(host_qemu(h), "cgroup");
        group = strstr(groups, ":memory:") ?: strstr(groups, "0::");
        assert_non_null(group);
        path = fg_asprintf(
                "/sys/fs/cgroup%s%.*s/%s", fg_starts_with(group, ":memory:") ? "/memory" : "",
                (int)strcspn(strchr(group, '/'), "\n"), strchr(group, '/'),
                fg_starts_with(group, ":memory:") ? "memory.limit_in_bytes" : "memory.max");
        assert_int_equal(fg_buf_read_file(&limit, path, &err), 0);
        wanted = (HOST_MEMORY_MIB + fg_vmm_info(h->vmm)->overhead_mib) * 1024ULL * 1024;
        assert_true(strtoull(limit.data, NULL, 10) == wanted);
        host_end(h);
        host_assert_nothing_left(h);
}

/* Sizes of Fargate's around 2 GiB, where QEMU's microvm has hung, and 3, where its RAM is split. */
static void test_memory_sizes(void **state)
{
        static const unsigned sizes[] = { 512, 1024, 2048, 3072, 4096 };
        struct host *h = *state;

        for (size_t i = 0; i < FG_ARRAY_SIZE(sizes); i++) {
                assert_int_equal(new_id(state), 0);
                h->memory_mib = sizes[i];
                host_start(h);
                host_tell(h, "echo");
                host_run_until(h, &h->echoes, 1);
                host_end(h);
        }
}

static void test_guest_halts(void **state)
{
        struct host *h = *state;

        host_start(h);
        host_tell(h, "halt");
        host_run_until(h, &h->gone, 1);
        assert_false(h->crashed);
        host_end(h);
        host_assert_nothing_left(h);
}

static void test_kernel_panics(void **state)
{
        struct host *h = *state;

        host_start(h);
        host_tell(h, "panic");
        host_run_until(h, &h->gone, h->gone + 1);
        assert_non_null(strstr(fg_vmm_console_tail(h->vmm, h->id), "Kernel panic"));
        host_end(h);
        host_assert_nothing_left(h);
}

static void test_qemu_killed(void **state)
{
        struct host *h = *state;
        uint64_t killed;

        host_start(h);
        killed = fg_mono_ns();
        assert_int_equal(kill(host_qemu(h), SIGKILL), 0);
        host_run_until(h, &h->gone, h->gone + 1);
        assert_true(h->crashed);
        assert_true(fg_mono_ns() - killed < 10 * FG_NS_PER_SEC); /* nobody is told by a timer */
        host_end(h);
        host_assert_nothing_left(h);
}

static void test_start_fails(void **state)
{
        struct host *h = *state;
        struct fg_vm_spec spec = host_spec(h);

        spec.scratch = "/nonexistent/scratch.img";
        fg_vmm_start(h->vmm, &spec, host_on_done, h);
        host_run_until(h, &h->done, h->done + 1);
        assert_true(h->failed);
        assert_non_null(strstr(h->error.msg, "/nonexistent"));
        host_assert_nothing_left(h);
}

static void test_destroy_while_starting(void **state)
{
        struct host *h = *state;
        struct fg_vm_spec spec = host_spec(h);

        host_make_scratch(h);
        fg_vmm_start(h->vmm, &spec, host_on_done, h);
        fg_vmm_start(h->vmm, &spec, host_on_done, h);
        fg_vmm_destroy(h->vmm, h->id, host_on_done, h);
        host_run_until(h, &h->done, h->done + 3);
        host_assert_nothing_left(h);
}

/* ---- adoption: each fgd is a process of its own ---- */

static int hold(const char *dir, const char *id)
{
        struct host h;

        host_init(&h, dir);
        (void)snprintf(h.id, sizeof(h.id), "%s", id);
        host_open(&h);
        host_start(&h);
        (void)printf("up\n");
        (void)fflush(stdout);
        return pause();
}

static int adopt(const char *dir, const char *id)
{
        struct host h;

        host_init(&h, dir);
        (void)snprintf(h.id, sizeof(h.id), "%s", id);
        host_open(&h);
        fg_vmm_list(h.vmm, host_on_list, &h);
        host_run_until(&h, &h.lists, 1);
        assert_true(h.listed);
        host_connect(&h);
        host_tell(&h, "echo");
        host_run_until(&h, &h.echoes, 1);
        host_end(&h);
        host_assert_nothing_left(&h);
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
        assert_true(host_qemu(&h) > 0);

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
                cmocka_unit_test_setup(test_memory_sizes, new_id),
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

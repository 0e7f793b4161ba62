/* SPDX-License-Identifier: Apache-2.0 */

/* What vmm finds out about the host and prepares on it, with files of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"
#include "vmm/accel.h"
#include "vmm/cgroup.h"
#include "vmm/console.h"
#include "vmm/embed.h"
#include "vmm/kernel.h"
#include "vmm/virt_local.h"

#define CPU_PLAIN "processor : 0\nflags : fpu sse svm_lock lmx\n"
#define CPU_SVM   "processor : 0\nflags : fpu svm sse\n"
#define STRANGER  4242

struct dir {
        char path[32];
};

static int set_up(void **state)
{
        static struct dir dir;

        (void)snprintf(dir.path, sizeof(dir.path), "/tmp/fghost-XXXXXX");
        *state = &dir;
        return mkdtemp(dir.path) && chmod(dir.path, 0711) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
        struct dir *dir = *state;
        struct fg_error err;

        return fg_rm_rf(dir->path, &err);
}

static char *put(const struct dir *dir, const char *name, const char *text, mode_t mode)
{
        char *path = fg_asprintf("%s/%s", dir->path, name);
        struct fg_error err;

        assert_int_equal(fg_write_file(path, text, strlen(text), mode, &err), 0);
        return path;
}

/* ---- accelerator ---- */

static int probe_result;

static int probe(const char *kvm, struct fg_error *err)
{
        return probe_result < 0 ? fg_fail(err, FG_ERR_INVALID, "no guest") : probe_result;
}

struct expectation {
        const char *cpu;
        mode_t mode; /* of the device; 0: there is none */
        int probe;
        enum fg_accel accel;
        const char *reason;
};

static void test_accel_auto(void **state)
{
        static const struct expectation table[] = {
                { CPU_SVM, 0666, 1, FG_ACCEL_KVM, "a probe guest ended in time" },
                { CPU_SVM, 0666, 0, FG_ACCEL_TCG, "did not end in time" },
                { CPU_SVM, 0666, -1, FG_ACCEL_TCG, "runs no guest: no guest" },
                { CPU_PLAIN, 0666, 1, FG_ACCEL_TCG, "neither vmx nor svm" },
                { CPU_SVM, 0, 1, FG_ACCEL_TCG, "cannot be opened" },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(table); i++) {
                const struct expectation *e = &table[i];
                fg_autofree char *cpuinfo = put(*state, "cpuinfo", e->cpu, 0644);
                fg_autofree char *kvm = put(*state, "kvm", "", e->mode);
                struct fg_accel_host host = { kvm, cpuinfo, STRANGER, STRANGER, STRANGER, probe };
                struct fg_error err = FG_ERROR_INIT;
                struct fg_accel_choice choice;

                if (!e->mode)
                        assert_int_equal(unlink(kvm), 0);
                probe_result = e->probe;
                assert_int_equal(fg_accel_choose(&host, FG_ACCEL_AUTO, &choice, &err), 0);
                assert_int_equal(choice.accel, e->accel);
                assert_non_null(strstr(choice.reason, e->reason));
                assert_false(choice.kvm_hidden);
                /* asked for by name, the same facts are an error */
                assert_int_equal(fg_accel_choose(&host, FG_ACCEL_KVM, &choice, &err),
                                 e->accel == FG_ACCEL_KVM ? 0 : -1);
                assert_int_equal(fg_accel_choose(&host, FG_ACCEL_TCG, &choice, &err), 0);
                assert_int_equal(choice.accel, FG_ACCEL_TCG);
        }
}

/* The device is root's alone: libvirt would probe QEMU anew at each start. */
static void test_accel_hidden(void **state)
{
        fg_autofree char *cpuinfo = put(*state, "cpuinfo", CPU_PLAIN, 0644);
        fg_autofree char *kvm = put(*state, "kvm", "", 0660);
        struct fg_accel_host host = { kvm, cpuinfo, STRANGER, STRANGER, getegid(), probe };
        struct fg_error err = FG_ERROR_INIT;
        struct fg_accel_choice choice;

        assert_int_equal(fg_accel_choose(&host, FG_ACCEL_AUTO, &choice, &err), 0);
        assert_false(choice.kvm_hidden); /* through its second group */
        host.extra_gid = STRANGER;
        assert_int_equal(fg_accel_choose(&host, FG_ACCEL_AUTO, &choice, &err), 0);
        assert_true(choice.kvm_hidden);
        assert_non_null(strstr(choice.warning, "mode 0660"));
}

/* On this very host: an answer within its time limit, whatever it is. */
static void test_probe_ends(void **state)
{
        uint64_t begin = fg_mono_ns();
        struct fg_error err = FG_ERROR_INIT;

        (void)fg_kvm_probe("/dev/kvm", &err);
        assert_true(fg_mono_ns() - begin < 3 * FG_NS_PER_SEC);
        assert_int_equal(fg_kvm_probe("/dev/null", &err), -1);
}

/* ---- files ---- */

static void test_reaches(void **state)
{
        const struct dir *dir = *state;
        struct fg_qemu_user user = { true, STRANGER, STRANGER, STRANGER };
        fg_autofree char *closed = fg_asprintf("%s/closed", dir->path);
        fg_autofree char *path = fg_asprintf("%s/closed/file", dir->path);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(mkdir(closed, 0700), 0);
        assert_int_equal(fg_qemu_user_reaches(&user, closed, &err), 0);
        assert_int_equal(fg_qemu_user_reaches(&user, path, &err), -1);
        assert_int_equal(err.code, FG_ERR_DENIED);
        assert_non_null(strstr(err.msg, "closed/ is not searchable (mode 0700)"));
        user.separate = false;
        assert_int_equal(fg_qemu_user_reaches(&user, path, &err), 0);
}

/* A directory that its group, which is QEMU's own, may enter; others may not. */
static void test_mkdir(void **state)
{
        const struct dir *dir = *state;
        struct fg_qemu_user user = { true, STRANGER, getegid(), STRANGER };
        fg_autofree char *path = fg_asprintf("%s/d", dir->path);
        struct fg_error err = FG_ERROR_INIT;
        struct stat st;

        for (int i = 0; i < 2; i++) { /* the second time it exists */
                assert_int_equal(fg_qemu_user_mkdir(&user, path, &err), 0);
                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0710);
                assert_int_equal(st.st_gid, getegid());
        }
        assert_int_equal(fg_qemu_user_reaches(&user, path, &err), 0);
}

static void test_boot_files(void **state)
{
        const struct dir *dir = *state;
        fg_autofree char *kernel = put(dir, "vmlinux", "kernel", 0600);
        fg_autofree char *initrd = put(dir, "initramfs", "initrd", 0600);
        fg_autofree char *boot = fg_asprintf("%s/boot", dir->path);
        fg_cleanup(fg_boot_files_finish) struct fg_boot_files files = { 0 };
        struct fg_qemu_user user = { .uid = geteuid(), .gid = getegid() };
        struct fg_error err = FG_ERROR_INIT;
        struct stat st;

        assert_int_equal(fg_boot_files_prepare("/nonexistent", initrd, boot, &user, &files, &err),
                         -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        assert_non_null(strstr(err.msg, "make kernel"));
        for (int i = 0; i < 2; i++) {
                fg_boot_files_finish(&files);
                assert_int_equal(fg_boot_files_prepare(kernel, initrd, boot, &user, &files, &err),
                                 0);
        }
        assert_int_equal(stat(files.kernel, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0444);
        assert_int_equal(st.st_size, strlen("kernel"));
}

static void test_embed(void **state)
{
        const struct dir *dir = *state;
        fg_autofree char *root = fg_asprintf("%s/a b&c", dir->path), *uri = fg_embed_uri(root);
        fg_autofree char *path = fg_asprintf("%s/etc/qemu.conf", root);
        fg_autofree char *wanted = fg_asprintf("qemu:///embed?root=%s/a%%20b%%26c", dir->path);
        fg_cleanup(fg_buf_finish) struct fg_buf conf = FG_BUF_INIT(4096);
        struct fg_qemu_user user = { .separate = true, .uid = geteuid(), .gid = getegid() };
        struct fg_error err = FG_ERROR_INIT;

        assert_string_equal(uri, wanted);
        assert_int_equal(fg_embed_prepare(root, &user, true, &err), 0);
        assert_int_equal(fg_buf_read_file(&conf, path, &err), 0);
        assert_non_null(strstr(conf.data, "user = \"libvirt-qemu\"\n"));
        assert_non_null(strstr(conf.data, "seccomp_sandbox = 1\n"));
        assert_non_null(strstr(conf.data, "\"memory\""));
        user.separate = false; /* without root, libvirt fails if it is to change to a user */
        assert_int_equal(fg_embed_prepare(root, &user, false, &err), 0);
        fg_buf_clear(&conf);
        assert_int_equal(fg_buf_read_file(&conf, path, &err), 0);
        assert_null(strstr(conf.data, "user ="));
        assert_non_null(strstr(conf.data, "cgroup_controllers = []\n"));
}

static void make_all(const struct dir *dir, const char *const *names, size_t n)
{
        struct fg_error err = FG_ERROR_INIT;

        for (size_t i = 0; i < n; i++) {
                fg_autofree char *path = fg_asprintf("%s/%s", dir->path, names[i]);

                assert_int_equal(fg_mkdir_p(path, 0755, &err), 0);
        }
}

static size_t existing(const struct dir *dir, const char *const *names, size_t n)
{
        size_t found = 0;

        for (size_t i = 0; i < n; i++) {
                fg_autofree char *path = fg_asprintf("%s/%s", dir->path, names[i]);

                found += fg_exists(path);
        }
        return found;
}

/* State of VMs outlives fgd, but not the machine they ran on. */
static void test_reboot(void **state)
{
        const struct dir *dir = *state;
        fg_autofree char *run = fg_asprintf("%s/run", dir->path), *vm = NULL, *life = NULL;
        struct fg_qemu_user user = { .uid = geteuid(), .gid = getegid() };
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_embed_prepare(dir->path, &user, false, &err), 0);
        assert_int_equal(mkdir(run, 0755), 0);
        vm = put(dir, "run/vm.xml", "<domstatus/>", 0600);
        assert_int_equal(fg_embed_prepare(dir->path, &user, false, &err), 0);
        assert_true(fg_exists(vm));
        life = put(dir, "life", "another boot", 0600);
        assert_int_equal(fg_embed_prepare(dir->path, &user, false, &err), 0);
        assert_false(fg_exists(vm));
}

/* A status that libvirt stored before the VM had a process would lock the VM for ever. */
static void test_unborn(void **state)
{
        const struct dir *dir = *state;
        fg_autofree char *run = fg_asprintf("%s/run/qemu", dir->path), *born = NULL, *unborn = NULL;
        fg_autofree char *channel = fg_asprintf(
                "%s/lib/qemu/channel/target/domain-1-fgrun-22222222222222", dir->path);
        fg_autofree char *lib = fg_asprintf("%s/lib/qemu/domain-1-fgrun-22222222222222", dir->path);
        fg_autofree char *other = fg_asprintf("%s/lib/qemu/domain-2-fgrun-11111111111111",
                                              dir->path);
        struct fg_qemu_user user = { .uid = geteuid(), .gid = getegid() };
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_embed_prepare(dir->path, &user, false, &err), 0);
        assert_int_equal(fg_mkdir_p(run, 0755, &err), 0);
        assert_int_equal(fg_mkdir_p(channel, 0755, &err), 0);
        assert_int_equal(fg_mkdir_p(lib, 0755, &err), 0);
        assert_int_equal(fg_mkdir_p(other, 0755, &err), 0);
        born = put(dir, "run/qemu/fgrun-11111111111111111111111111111111.xml",
                   "<!-- x -->\n<domstatus state='running' pid='4242'>\n<x pid='0'/>", 0600);
        unborn = put(dir, "run/qemu/fgrun-22222222222222222222222222222222.xml",
                     "<!-- x -->\n<domstatus state='paused' pid='0'>\n", 0600);
        assert_int_equal(fg_embed_prepare(dir->path, &user, false, &err), 0);
        assert_true(fg_exists(born) && fg_exists(other));
        assert_false(fg_exists(unborn) || fg_exists(channel) || fg_exists(lib));
}

/* The directories that a killed libvirt had made of a domain, but not yet, or no longer, knew. */
static void test_strays(void **state)
{
        static const char *const gone[] = {
                "lib/qemu/domain-3-fgrun-33333333333333",
                "lib/qemu/channel/target/domain-3-fgrun-33333333333333",
                "lib/qemu/channel/target/domain-14-fgrun-44444444444444",
        };
        static const char *const kept[] = {
                "lib/qemu/domain-2-fgrun-11111111111111",
                "lib/qemu/channel/target/domain-2-fgrun-11111111111111",
                "lib/qemu/domain-3-somebody-else",
                "lib/qemu/snapshot",
        };
        const struct dir *dir = *state;
        struct fg_qemu_user user = { .uid = geteuid(), .gid = getegid() };
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_embed_prepare(dir->path, &user, false, &err), 0);
        make_all(dir, gone, FG_ARRAY_SIZE(gone));
        make_all(dir, kept, FG_ARRAY_SIZE(kept));
        make_all(dir, (const char *const[]){ "run/qemu" }, 1);
        free(put(dir, "lib/qemu/channel/target/domain-14-fgrun-44444444444444/x", "", 0600));
        free(put(dir, "run/qemu/fgrun-11111111111111111111111111111111.xml",
                 "<domstatus state='running' pid='4242'>\n", 0600));
        free(put(dir, "run/qemu/fgrun-33333333333333333333333333333333.pid", "1", 0600));
        assert_int_equal(fg_embed_prepare(dir->path, &user, false, &err), 0);
        assert_int_equal(existing(dir, gone, FG_ARRAY_SIZE(gone)), 0);
        assert_int_equal(existing(dir, kept, FG_ARRAY_SIZE(kept)), FG_ARRAY_SIZE(kept));
}

static void test_forget(void **state)
{
        static const char *const gone[] = {
                "lib/qemu/domain-1-fgrun-11111111111111",
                "lib/qemu/domain-7-fgrun-11111111111111",
                "lib/qemu/channel/target/domain-7-fgrun-11111111111111",
                "run/qemu/fgrun-11111111111111111111111111111111.xml",
                "run/qemu/fgrun-11111111111111111111111111111111.pid",
                "log/qemu/fgrun-11111111111111111111111111111111.log",
        };
        static const char *const kept[] = {
                "lib/qemu/domain-11-fgrun-11111111111112",
                "lib/qemu/channel/target/domain-11-fgrun-11111111111112",
                "run/qemu/fgrun-11111111111112111111111111111111.xml",
                "log/qemu/fgrun-11111111111112111111111111111111.log",
        };
        const struct dir *dir = *state;
        struct fg_error err = FG_ERROR_INIT;

        make_all(dir, gone, FG_ARRAY_SIZE(gone));
        make_all(dir, kept, FG_ARRAY_SIZE(kept));
        for (int i = 0; i < 2; i++)
                assert_int_equal(
                        fg_embed_forget(dir->path, "11111111111111111111111111111111", &err), 0);
        assert_int_equal(existing(dir, gone, FG_ARRAY_SIZE(gone)), 0);
        assert_int_equal(existing(dir, kept, FG_ARRAY_SIZE(kept)), FG_ARRAY_SIZE(kept));
}

static void test_local_uri(void **state)
{
        static const char *const local[] = { "qemu:///system", "qemu:///embed?root=/x",
                                             "qemu+unix:///system?socket=/run/x" };
        static const char *const remote[] = { "qemu://host/system",
                                              "qemu+ssh://localhost/system",
                                              "qemu+ext:///system?command=x",
                                              "qemu+tcp:///system",
                                              "xen:///system",
                                              "" };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(local); i++)
                assert_true(fg_virt_uri_is_local(local[i]));
        for (size_t i = 0; i < FG_ARRAY_SIZE(remote); i++)
                assert_false(fg_virt_uri_is_local(remote[i]));
}

static void test_same_machine(void **state)
{
        (void)state;
        assert_true(fg_same_machine("a", "a") && fg_same_machine("host.example", "HOST.example"));
        assert_true(fg_same_machine("host", "host.example") && fg_same_machine("host.x", "host"));
        assert_false(fg_same_machine("host", "host2") || fg_same_machine("host.a", "host.b"));
        assert_false(fg_same_machine("", "host") || fg_same_machine("", ""));
}

static void test_cgroup_remove(void **state)
{
        const struct dir *dir = *state;
        fg_autofree char *v1 = fg_asprintf("%s/memory/machine/qemu-1-fgrun-%s.libvirt-qemu",
                                           dir->path, "0123456789abcdef0123456789abcdef");
        fg_autofree char *v2 = fg_asprintf("%s/machine/qemu-1-fgrun-%s.libvirt-qemu", dir->path,
                                           "0123456789abcdef0123456789abcdef");
        fg_autofree char *inner = fg_asprintf("%s/libvirt/vcpu0", v2);
        fg_autofree char *other = fg_asprintf("%s/machine/qemu-2-fgrun-2.libvirt-qemu", dir->path);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_mkdir_p(v1, 0755, &err), 0);
        assert_int_equal(fg_mkdir_p(inner, 0755, &err), 0);
        assert_int_equal(fg_mkdir_p(other, 0755, &err), 0);
        fg_cgroup_remove(dir->path, "0123456789abcdef0123456789abcdef");
        assert_false(fg_exists(v1) || fg_exists(v2));
        assert_true(fg_exists(other));
}

static void test_cgroup(void **state)
{
        const struct dir *dir = *state;
        fg_autofree char *v1 = fg_asprintf("%s/memory", dir->path);

        assert_false(fg_cgroup_usable(dir->path, "memory"));
        free(put(dir, "cgroup.subtree_control", "", 0644));
        free(put(dir, "cgroup.controllers", "cpu pids\n", 0644));
        assert_false(fg_cgroup_usable(dir->path, "memory"));
        free(put(dir, "cgroup.controllers", "cpu memory pids\n", 0644));
        assert_int_equal(fg_cgroup_usable(dir->path, "memory"), geteuid() == 0);
        free(put(dir, "cgroup.controllers", "", 0644));
        assert_int_equal(mkdir(v1, 0755), 0);
        free(put(dir, "memory/cgroup.procs", "", 0644));
        assert_false(fg_cgroup_usable(dir->path, "cpu"));
        assert_int_equal(fg_cgroup_usable(dir->path, "memory"), geteuid() == 0);
}

/* ---- console ---- */

static void test_console(void **state)
{
        const struct dir *dir = *state;
        fg_cleanup(fg_console_freep) struct fg_console *console = NULL;
        fg_cleanup(sd_event_unrefp) sd_event *event = NULL;
        fg_autoclose int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), qemu = -1;
        struct sockaddr_un addr = { .sun_family = AF_UNIX };
        struct fg_error err = FG_ERROR_INIT;
        char line[100];

        (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/sock", dir->path);
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(fg_console_new(event, addr.sun_path, &console, &err), -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(fg_console_new(event, addr.sun_path, &console, &err), 0);
        qemu = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_string_equal(fg_console_tail(console), "");

        assert_int_equal(write(qemu, "a\033[31mb\r\n\0", 10), 10);
        fg_console_drain(console);
        assert_string_equal(fg_console_tail(console), "a[31mb\n");
        for (int i = 0; i < 1000; i++) {
                int len = snprintf(line, sizeof(line), "%04d%*s\n", i, i % 90, "");

                assert_int_equal(write(qemu, line, (size_t)len), len);
                assert_true(sd_event_run(event, 0) >= 0);
                assert_true(strlen(fg_console_tail(console)) <= FG_CONSOLE_TAIL);
        }
        fg_console_drain(console);
        assert_int_equal(strlen(fg_console_tail(console)), FG_CONSOLE_TAIL);
        assert_non_null(strstr(fg_console_tail(console), "\n0999"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_accel_auto, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_accel_hidden, set_up, tear_down),
                cmocka_unit_test(test_probe_ends),
                cmocka_unit_test_setup_teardown(test_reaches, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_mkdir, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_boot_files, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_embed, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_reboot, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_cgroup_remove, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_unborn, set_up, tear_down),
                cmocka_unit_test(test_local_uri),
                cmocka_unit_test(test_same_machine),
                cmocka_unit_test_setup_teardown(test_strays, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_forget, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_cgroup, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_console, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

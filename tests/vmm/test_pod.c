/* SPDX-License-Identifier: Apache-2.0 */

/* What an OCI runtime is told of a pod, against golden/pod.json; FG_REGEN=1 writes it anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "vmm/backend.h"
#include "vmm/cgroup.h"
#include "vmm/pod_spec.h"

#define JSON_MAX 65536

static const struct fg_pod pod = {
        .id = "0123456789abcdef0123456789abcdef",
        .root = "/run/fgrun/pods/0123456789abcdef0123456789abcdef/root",
        .init = "/usr/lib/fgrun/fgrun-init",
        .cpu_units = 512,
        .memory_mib = 1024,
        .scratch = { .fd = -1, .minor = 7, .path = "/dev/loop7" },
        .disks = { { .fd = -1, .minor = 9, .path = "/dev/loop9" } },
        .serials = { "abc123" },
        .n_disks = 1,
};

/* Which of them fgd may give depends on what it has. */
static void check_capabilities(struct json_object *process)
{
        static const char *const never[] = { "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_BOOT",
                                             "CAP_SYS_TIME",   "CAP_SYSLOG",    "CAP_BPF" };
        struct json_object *sets = fg_json_obj(process, "capabilities");
        const char *text = json_object_to_json_string(sets);

        assert_non_null(sets);
        assert_null(fg_json_get(sets, "inheritable"));
        assert_null(fg_json_get(sets, "ambient"));
        for (size_t i = 0; i < FG_ARRAY_SIZE(never); i++)
                assert_null(strstr(text, never[i]));
        json_object_object_del(process, "capabilities");
}

static void test_spec(void **state)
{
        fg_autofree char *path = fg_asprintf("%s/pod.json", getenv("FG_GOLDEN"));
        fg_cleanup(fg_buf_finish) struct fg_buf want = FG_BUF_INIT(JSON_MAX);
        fg_autojson *spec = fg_pod_spec(&pod);
        fg_autofree char *text = NULL;
        struct fg_error err = FG_ERROR_INIT;

        check_capabilities(fg_json_obj(spec, "process"));
        text = fg_asprintf("%s\n",
                           json_object_to_json_string_ext(
                                   spec, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        if (getenv("FG_REGEN"))
                assert_int_equal(fg_write_file(path, text, strlen(text), 0644, &err), 0);
        assert_int_equal(fg_buf_read_file(&want, path, &err), 0);
        assert_string_equal(text, want.data);
}

/* One with a network is in a namespace already, with its runtime. */
static void test_network(void **state)
{
        struct fg_pod with = pod;
        fg_autojson *spec = NULL;
        const char *text;

        with.network = true;
        spec = fg_pod_spec(&with);
        text = json_object_to_json_string(fg_json_arr(fg_json_obj(spec, "linux"), "namespaces"));
        assert_string_equal(text, "[ { \"type\": \"pid\" }, { \"type\": \"mount\" }, "
                                  "{ \"type\": \"ipc\" }, { \"type\": \"uts\" } ]");
}

/* Where systemd makes its cgroup. */
static void test_scope(void **state)
{
        struct fg_pod by_systemd = pod;
        fg_autojson *spec = NULL;
        const char *own;

        by_systemd.scope = true;
        spec = fg_pod_spec(&by_systemd);
        assert_string_equal(fg_json_str(fg_json_obj(spec, "linux"), "cgroupsPath"),
                            "fgrun.slice:fgrun:0123456789abcdef0123456789abcdef");
        own = json_object_get_string(
                json_object_array_get_idx(fg_json_arr(fg_json_obj(spec, "process"), "args"), 1));
        assert_string_equal(own, "fgrun.slice/fgrun-0123456789abcdef0123456789abcdef.scope");
        assert_string_equal(
                fg_json_str(fg_json_obj(spec, "annotations"), "org.systemd.property.CollectMode"),
                "'inactive-or-failed'");
}

/* Whoever made them, and of no other pod. */
static void test_cgroups_removed(void **state)
{
        static const char *const dirs[] = { "fgrun.slice/fgrun-abc.scope/task", "fgrun-abc/init",
                                            "memory/fgrun-abc", "unified/fgrun-abc/init",
                                            "fgrun-abcd" };
        char root[] = "/tmp/fgrun-test-XXXXXX";
        struct fg_error err = FG_ERROR_INIT;

        assert_non_null(mkdtemp(root));
        for (size_t i = 0; i < FG_ARRAY_SIZE(dirs); i++) {
                fg_autofree char *path = fg_asprintf("%s/%s", root, dirs[i]);

                assert_int_equal(fg_mkdir_p(path, 0755, &err), 0);
        }
        assert_int_equal(fg_cgroup_remove_pod(root, "abc", &err), 0);
        for (size_t i = 0; i < FG_ARRAY_SIZE(dirs); i++) {
                fg_autofree char *path = fg_asprintf("%s/%s", root, dirs[i]);

                assert_int_equal(fg_exists(path), strstr(path, "abcd") != NULL);
        }
        assert_int_equal(fg_rm_rf(root, &err), 0);
}

static void test_needs_root(void **state)
{
        const struct fg_vmm without = { .pods = NULL };
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_vmm_pods(&without, &err), -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
        assert_non_null(strstr(err.msg, "root"));
}

static int with_controllers(const char *dir, const char *text, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/cgroup.controllers", dir);

        assert_int_equal(fg_write_file(path, text, strlen(text), 0644, err), 0);
        *err = (struct fg_error)FG_ERROR_INIT;
        return fg_cgroup_for_pods(dir, true, err);
}

/* Without systemd we enable them, and say which one cannot be. */
static void check_handed_on(const char *dir)
{
        fg_autofree char *has = fg_asprintf("%s/cgroup.controllers", dir);
        fg_autofree char *to = fg_asprintf("%s/cgroup.subtree_control", dir);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_write_file(has, "cpu memory pids\n", 16, 0644, &err), 0);
        assert_int_equal(fg_cgroup_for_pods(dir, false, &err), -1);
        assert_non_null(strstr(err.msg, "; memory cannot be enabled in "));
        assert_int_equal(fg_write_file(to, "", 0, 0644, &err), 0);
        assert_int_equal(fg_cgroup_for_pods(dir, false, &err), 0);
}

/* cgroup v2 alone, cut by the kernel's command line; none; and beside v1, where v2 has none. */
static void test_cgroups(void **state)
{
        char dir[] = "/tmp/fgrun-test-XXXXXX";
        fg_autofree char *unified = NULL, *procs = NULL;
        struct fg_error err = FG_ERROR_INIT;

        assert_non_null(mkdtemp(dir));
        unified = fg_asprintf("%s/unified", dir);
        procs = fg_asprintf("%s/cgroup.procs", unified);
        assert_int_equal(fg_cgroup_for_pods(dir, true, &err), -1);
        assert_non_null(strstr(err.msg, "cgroup v2"));
        assert_int_equal(with_controllers(dir, "cpuset cpu io memory hugetlb pids rdma\n", &err),
                         0);
        assert_int_equal(with_controllers(dir, "cpuset io memory pids\n", &err), -1);
        assert_non_null(strstr(err.msg, "; cpu is not in "));
        assert_int_equal(with_controllers(dir, "cpuset cpu io pids\n", &err), -1);
        assert_non_null(strstr(err.msg, "; memory is not in "));
        assert_int_equal(with_controllers(dir, "", &err), -1);
        check_handed_on(dir);
        assert_int_equal(fg_mkdir_p(unified, 0755, &err), 0);
        assert_int_equal(fg_write_file(procs, "", 0, 0644, &err), 0);
        assert_int_equal(fg_cgroup_for_pods(dir, true, &err), 0);
        assert_int_equal(fg_rm_rf(dir, &err), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_spec),    cmocka_unit_test(test_network),
                cmocka_unit_test(test_scope),   cmocka_unit_test(test_cgroups_removed),
                cmocka_unit_test(test_cgroups), cmocka_unit_test(test_needs_root)
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

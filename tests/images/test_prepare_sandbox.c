/* SPDX-License-Identifier: Apache-2.0 */

/* What somebody who took over the unpacking code could reach. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "guest-init/caps.h"
#include "images/confine.h"
#include "images/prepare_sandbox.h"

/* Inside, the number of the first expectation that fails is the exit status. */
#define EXPECT(n, condition)                                                                       \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        return (n);                                                                \
        } while (0)

static const struct fg_sandbox_limits wide = { .memory = UINT64_C(1) << 31,
                                               .cpu_seconds = 60,
                                               .file_bytes = 1u << 20,
                                               .bytes = UINT64_C(1) << 40 };

static int run_within(const struct fg_sandbox_limits *limits, int (*inside)(void *data),
                      struct fg_error *err)
{
        char dir[] = "/tmp/fgrun-test-sandbox.XXXXXX";
        struct fg_error ignored;
        fg_autoclose int fd = -1;
        int status;

        assert_non_null(mkdtemp(dir));
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        status = fg_sandbox_run(fd, limits, inside, NULL, err);
        assert_int_equal(fg_rm_rf(dir, &ignored), 0);
        return status;
}

static int run(int (*inside)(void *data))
{
        struct fg_error err = FG_ERROR_INIT;
        const int status = run_within(&wide, inside, &err);

        if (status < 0)
                print_error("%s\n", err.msg);
        return status;
}

static int sees_nothing(void *data)
{
        (void)data;
        EXPECT(1, access("/etc", F_OK) < 0 && errno == ENOENT);
        EXPECT(2, access("/root", F_OK) < 0 && access("/home", F_OK) < 0);
        EXPECT(3, access("/proc", F_OK) < 0 && access("/sys", F_OK) < 0);
        EXPECT(4, access("/dev", F_OK) < 0);
        EXPECT(5, access("/usr/bin", R_OK) == 0);
        EXPECT(6, open("/usr/bin/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EROFS);
        EXPECT(7, open("/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EROFS);
        EXPECT(8, getuid() == 0 && getpid() == 1);
        EXPECT(9, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
        return 0;
}

static void the_host_is_out_of_sight(void **state)
{
        assert_int_equal(run(sees_nothing), 0);
}

static int has_no_network(void *data)
{
        fg_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct if_nameindex *found = if_nameindex();

        (void)data;
        EXPECT(1, found && fg_streq(found[0].if_name, "lo") && !found[1].if_name);
        if_freenameindex(found);
        return 0;
}

static void there_is_no_network(void **state)
{
        assert_int_equal(run(has_no_network), 0);
}

static int opens_a_socket(void *data)
{
        (void)data;
        (void)socket(AF_INET, SOCK_DGRAM, 0);
        return 0;
}

static int makes_a_namespace(void *data)
{
        (void)data;
        (void)unshare(CLONE_NEWUSER);
        return 0;
}

static int keeps_only_its_rights(void *data)
{
        (void)data;
        EXPECT(1, mknod(FG_SANDBOX_WORK "/disk", S_IFBLK | 0600, 1) < 0 && errno == EPERM);
        EXPECT(2, chown(FG_SANDBOX_WORK, 5, 5) < 0 && errno == EPERM);
        return 0;
}

static int steps(void *data)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)data;
        EXPECT(1, fg_sandbox_step(0, opens_a_socket, NULL, &err) == 128 + SIGSYS);
        EXPECT(2, fg_sandbox_step(0, makes_a_namespace, NULL, &err) == 128 + SIGSYS);
        return 0;
}

static void other_calls_are_the_end(void **state)
{
        if (FG_SANITIZED) /* such a build has no filter */
                return;
        assert_int_equal(run(steps), 0);
}

static int weak_step(void *data)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)data;
        return fg_sandbox_step(FG_CAP(CAP_FOWNER), keeps_only_its_rights, NULL, &err);
}

static void rights_are_counted(void **state)
{
        if (!FG_SANITIZED) /* mknod(2) is not in the filter's list: only its absence lets us ask */
                return;
        assert_int_equal(run(weak_step), 0);
}

static int writes(void *data)
{
        fg_autoclose int fd = open(FG_SANDBOX_WORK "/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        (void)data;
        EXPECT(1, fd >= 0);
        EXPECT(2, fchown(fd, 1000, 1000) == 0 || geteuid() != 0);
        return 0;
}

/* What is made inside belongs to nobody outside. */
static void owners_are_far_away(void **state)
{
        char dir[] = "/tmp/fgrun-test-sandbox.XXXXXX";
        struct fg_error err = FG_ERROR_INIT;
        fg_autoclose int fd = -1;
        struct stat st;

        if (geteuid() != 0)
                return;
        assert_non_null(mkdtemp(dir));
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(fg_sandbox_run(fd, &wide, writes, NULL, &err), 0);
        assert_int_equal(fstatat(fd, "file", &st, 0), 0);
        assert_int_equal(st.st_uid, FG_SANDBOX_FIRST_ID + 1000);
        assert_int_equal(fg_rm_rf(dir, &err), 0);
}

/* ---- what it may take ---- */

#define FILES 1024 /* of 1 MiB: then it gives up, and the test has failed */

/* No file is large, and all of them together are. */
static int fills_the_disk(void *data)
{
        static const char block[1u << 20];

        (void)data;
        for (int i = 0; i < FILES; i++) {
                fg_autofree char *path = fg_asprintf(FG_SANDBOX_WORK "/%d", i);
                fg_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

                EXPECT(1, fd >= 0 && write(fd, block, sizeof(block)) == (ssize_t)sizeof(block));
        }
        return 0;
}

static void many_files_are_the_end(void **state)
{
        struct fg_sandbox_limits limits = wide;
        struct fg_error err = FG_ERROR_INIT;

        limits.bytes = 64u << 20;
        assert_int_equal(run_within(&limits, fills_the_disk, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
        assert_non_null(strstr(err.msg, "fuller by more than 67108864 bytes"));
}

static int takes_room(void *data)
{
        fg_autoclose int fd = open(FG_SANDBOX_WORK "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        (void)data;
        EXPECT(1, fallocate(fd, 0, 0, 4096) < 0 && errno == EOPNOTSUPP);
        EXPECT(2, fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096) < 0 && errno == EOPNOTSUPP);
        EXPECT(3, ftruncate(fd, 8192) == 0);
        EXPECT(4, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
        return 0;
}

static int takes_room_step(void *data)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)data;
        return fg_sandbox_step(0, takes_room, NULL, &err);
}

/* It would take all of it before anybody looks. */
static void room_is_not_taken_unwritten(void **state)
{
        if (!FG_SANITIZED)
                assert_int_equal(run(takes_room_step), 0);
}

static int writes_a_large_file(void *data)
{
        static const char block[1u << 20];
        fg_autoclose int fd = open(FG_SANDBOX_WORK "/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        (void)data;
        EXPECT(2, write(fd, block, sizeof(block)) == (ssize_t)sizeof(block));
        EXPECT(3, write(fd, block, 1) < 0 && errno == EFBIG);
        return 0;
}

static int takes_memory(void *data)
{
        size_t size = 0;

        (void)data;
        while (size < 16)
                ((char **)data)[0] = memset(fg_calloc(1, 16u << 20), (int)++size, 16u << 20);
        return 0;
}

static int takes_memory_step(void *data)
{
        struct fg_error err = FG_ERROR_INIT;
        char *last = NULL;

        (void)data;
        return fg_sandbox_step(0, takes_memory, &last, &err);
}

static int takes_time(void *data)
{
        volatile uint64_t n = 0;

        (void)data;
        while (n < UINT64_C(200) * 1000 * 1000 * 1000)
                n = n + 1;
        return 0;
}

static int takes_time_step(void *data)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)data;
        return fg_sandbox_step(0, takes_time, NULL, &err);
}

static void each_limit_is_an_end(void **state)
{
        struct fg_sandbox_limits few = wide;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(run(writes_a_large_file), 0); /* SIGXFSZ cannot end a first process */
        few.memory = 128u << 20;
        /* Its abort() asks for a system call that is not permitted. */
        if (!FG_SANITIZED)
                assert_int_equal(run_within(&few, takes_memory_step, &err), 128 + SIGSYS);
        assert_int_equal(run(takes_memory_step), 0);
        few = wide;
        few.cpu_seconds = 1;
        assert_int_equal(run_within(&few, takes_time_step, &err), 128 + SIGKILL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_host_is_out_of_sight),
                cmocka_unit_test(there_is_no_network),
                cmocka_unit_test(other_calls_are_the_end),
                cmocka_unit_test(rights_are_counted),
                cmocka_unit_test(owners_are_far_away),
                cmocka_unit_test(many_files_are_the_end),
                cmocka_unit_test(room_is_not_taken_unwritten),
                cmocka_unit_test(each_limit_is_an_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

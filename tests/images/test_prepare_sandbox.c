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

static int run(int (*inside)(void *data))
{
        char dir[] = "/tmp/fgrun-test-sandbox.XXXXXX";
        struct fg_error err = FG_ERROR_INIT;
        fg_autoclose int fd = -1;
        int status;

        assert_non_null(mkdtemp(dir));
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        status = fg_sandbox_run(fd, inside, NULL, &err);
        if (status < 0)
                print_error("%s\n", err.msg);
        assert_int_equal(fg_rm_rf(dir, &err), 0);
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
        assert_int_equal(fg_sandbox_run(fd, writes, NULL, &err), 0);
        assert_int_equal(fstatat(fd, "file", &st, 0), 0);
        assert_int_equal(st.st_uid, FG_SANDBOX_FIRST_ID + 1000);
        assert_int_equal(fg_rm_rf(dir, &err), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_host_is_out_of_sight), cmocka_unit_test(there_is_no_network),
                cmocka_unit_test(other_calls_are_the_end),  cmocka_unit_test(rights_are_counted),
                cmocka_unit_test(owners_are_far_away),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

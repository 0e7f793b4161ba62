/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "guest-init/user.h"

static char top[] = "/tmp/fg-test-user.XXXXXX";

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "\n"
                             "broken:x:abc:0::/:/bin/sh\n"
                             "short\n"
                             "app:x:1000:1001:App:/home/app:/bin/sh\n"
                             "homeless:x:1002:1002:::\n"
                             "1000:x:4242:4242::/digits:\n"
                             "app:x:9:9::/second:";
static const char group[] = "root:x:0:\n"
                            "audio:x:29:app,other\n"
                            "video:x:44:other,app\n"
                            "nobodyelse:x:45:application\n"
                            "dup:x:1001:app\n"
                            "bad:x::app\n"
                            "wheel:x:10";

static void write_file(int dir, const char *name, const char *text)
{
        fg_autoclose int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        struct fg_error err = FG_ERROR_INIT;

        assert_true(fd >= 0);
        assert_int_equal(fg_write_all(fd, text, strlen(text), &err), 0);
}

/* A fresh root with both files. Return: its descriptor. */
static int make_root(const char *name)
{
        int fd;

        assert_int_equal(chdir(top), 0);
        assert_int_equal(mkdir(name, 0755), 0);
        fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(mkdirat(fd, "etc", 0755), 0);
        write_file(fd, "etc/passwd", passwd);
        write_file(fd, "etc/group", group);
        return fd;
}

static void forms_resolve(void **state)
{
        static const struct {
                const char *spec;
                uid_t uid;
                gid_t gid;
                size_t groups;
                const char *home;
        } cases[] = {
                { "", 0, 0, 1, "/root" },
                { "root", 0, 0, 1, "/root" },
                { "app", 1000, 1001, 3, "/home/app" },
                { "1000", 1000, 1001, 3, "/home/app" },
                { "app:", 1000, 1001, 3, "/home/app" },
                { "app:video", 1000, 44, 1, "/home/app" },
                { "app:77", 1000, 77, 1, "/home/app" },
                { "app:wheel", 1000, 10, 1, "/home/app" },
                { "5:6", 5, 6, 1, "/" },
                { "5:audio", 5, 29, 1, "/" },
                { "5", 5, 0, 1, "/" },
                { ":audio", 0, 29, 1, "/root" },
                { "homeless", 1002, 1002, 1, "/" },
                { "2147483647:2147483647", 2147483647, 2147483647, 1, "/" },
        };
        fg_autoclose int root = make_root("forms");

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_cleanup(fg_user_finish) struct fg_user user = FG_USER_INIT;
                struct fg_error err = FG_ERROR_INIT;

                if (fg_user_resolve(root, cases[i].spec, &user, &err) < 0)
                        fail_msg("%s", err.msg);
                assert_int_equal(user.uid, cases[i].uid);
                assert_int_equal(user.gid, cases[i].gid);
                assert_int_equal(user.group_count, cases[i].groups);
                assert_int_equal(user.groups[0], cases[i].gid);
                assert_string_equal(user.home, cases[i].home);
        }
}

static void memberships_are_supplementary_groups(void **state)
{
        fg_cleanup(fg_user_finish) struct fg_user user = FG_USER_INIT;
        fg_autoclose int root = make_root("members");
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_user_resolve(root, "app", &user, &err), 0);
        assert_int_equal(user.groups[1], 29);
        assert_int_equal(user.groups[2], 44);
}

static void bad_forms_are_refused(void **state)
{
        static const struct {
                const char *spec, *message;
        } cases[] = {
                { "nobody", "no such user" },        { "broken", "no such user" },
                { "app:nogroup", "no such group" },  { "app:bad", "no such group" },
                { "2147483648", "range" },           { "0:4294967295", "range" },
                { "99999999999999999999", "range" }, { "-1", "no such user" },
                { "a\nb", "\"a\\x0ab\"" },
        };
        fg_autoclose int root = make_root("bad");

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_cleanup(fg_user_finish) struct fg_user user = FG_USER_INIT;
                struct fg_error err = FG_ERROR_INIT;

                assert_int_equal(fg_user_resolve(root, cases[i].spec, &user, &err), -1);
                assert_int_equal(err.code, FG_ERR_INVALID);
                if (!strstr(err.msg, cases[i].message))
                        fail_msg("case %zu: %s", i, err.msg);
        }
}

static void image_without_files_knows_numbers_only(void **state)
{
        fg_cleanup(fg_user_finish) struct fg_user user = FG_USER_INIT;
        fg_autoclose int root = make_root("without");
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(unlinkat(root, "etc/passwd", 0), 0);
        assert_int_equal(unlinkat(root, "etc/group", 0), 0);
        /* A fifo would block whoever reads it. */
        assert_int_equal(mkfifoat(root, "etc/passwd", 0644), 0);
        assert_int_equal(fg_user_resolve(root, "7:8", &user, &err), 0);
        assert_int_equal(user.uid, 7);
        assert_int_equal(user.gid, 8);
        assert_int_equal(fg_user_resolve(root, "root", &user, &err), -1);
}

static void links_stay_in_the_root(void **state)
{
        fg_cleanup(fg_user_finish) struct fg_user user = FG_USER_INIT;
        fg_autoclose int root = make_root("links");
        struct fg_error err = FG_ERROR_INIT;

        /* The absolute link leads to the image's own file, not to the host's. */
        write_file(root, "accounts", "inside:x:3:4::/in:");
        assert_int_equal(unlinkat(root, "etc/passwd", 0), 0);
        assert_int_equal(symlinkat("/../../accounts", root, "etc/passwd"), 0);
        assert_int_equal(fg_user_resolve(root, "inside", &user, &err), 0);
        assert_int_equal(user.uid, 3);
}

static void long_file_is_refused(void **state)
{
        fg_cleanup(fg_user_finish) struct fg_user user = FG_USER_INIT;
        fg_autoclose int root = make_root("long");
        fg_autoclose int fd = openat(root, "etc/passwd", O_WRONLY | O_CLOEXEC);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(ftruncate(fd, 64 << 20), 0);
        assert_int_equal(fg_user_resolve(root, "app", &user, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
}

static int set_up(void **state)
{
        return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
        struct fg_error err = FG_ERROR_INIT;

        return fg_rm_rf(top, &err);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(forms_resolve),
                cmocka_unit_test(memberships_are_supplementary_groups),
                cmocka_unit_test(bad_forms_are_refused),
                cmocka_unit_test(image_without_files_knows_numbers_only),
                cmocka_unit_test(links_stay_in_the_root),
                cmocka_unit_test(long_file_is_refused),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}

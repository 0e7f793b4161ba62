/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/config.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"

static int load(const char *text, const char *const flags[], struct fg_config *ret,
                struct fg_error *err)
{
        char path[] = "/tmp/fgrun-config-XXXXXX", name[] = "fgd", *argv[8] = { name };
        fg_autofree char *config = NULL;
        fg_autoclose int fd = mkstemp(path);
        int argc = 2, r;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        config = fg_asprintf("--config=%s", path);
        argv[1] = config;
        for (; flags[argc - 2]; argc++)
                argv[argc] = (char *)(uintptr_t)flags[argc - 2];
        r = fg_config_load(argc, argv, ret, err);
        (void)unlink(path);
        return r;
}

static void test_flags_win_over_the_file_over_the_defaults(void **state)
{
        const char *const flags[] = { "--retention-hours=2", "--state-dir=/s", "--idle-exit=9",
                                      NULL };
        struct fg_error err = FG_ERROR_INIT;
        struct fg_config c;

        (void)state;
        assert_int_equal(load("# a comment\nretention_hours = 1\nlog_task_mib = 7\nrun_dir = /r\n",
                              flags, &c, &err),
                         0);
        assert_int_equal(c.retention_hours, 2);
        assert_int_equal(c.log_task_mib, 7);
        assert_int_equal(c.max_connections, 256);
        assert_int_equal(c.idle_exit_seconds, 9);
        assert_int_equal(c.ready_fd, -1);
        assert_string_equal(c.state_dir, "/s");
        assert_string_equal(c.listen, "unix:/r/fgd.sock");
        assert_null(c.price_book);
        fg_config_finish(&c);
}

static void test_errors_name_the_place(void **state)
{
        static const struct {
                const char *text, *flag, *expect;
        } cases[] = {
                { "\nretention_hours = 0\n", NULL, "line 2: retention_hours = \"0\"" },
                { "retention_hours = 1x\n", NULL, "whole number from 1" },
                { "nonsense\n", NULL, "line 1: expected KEY = VALUE" },
                { "[a]\nregion = x\n", NULL, "has no sections" },
                { "regoin = x\n", NULL, "did you mean region?" },
                { "", "--pull-parallel=65", "command line: pull_parallel" },
                { "", "--ready-fd=-2", "ready_fd" },
                { "", "word", "word: unexpected argument" },
                { "", "--imag-pull=guest",
                  "--imag-pull=guest: unknown option; did you mean --image-pull?" },
                { "region = a\nregion = b\n", NULL, "line 2: region is set a second time" },
                { "state_dir = relative\n", NULL, "expected an absolute path" },
                { "", "--config=/tmp", "cannot read the configuration file /tmp: Is a directory" },
                { "", "--region", "--region: expected a value" },
                { "\naccel = kvmm\n", NULL,
                  "line 2: accel = \"kvmm\": expected one of: auto kvm tcg" },
                { "", "--log-level=loud", "expected one of: error warn info debug" },
                { "", "--log-level=", "log_level = \"\"" },
        };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                const char *const flags[] = { cases[i].flag, NULL };
                struct fg_error err = FG_ERROR_INIT;
                struct fg_config c;

                assert_int_equal(load(cases[i].text, flags, &c, &err), -1);
                assert_int_equal(err.code, FG_ERR_INVALID);
                if (!strstr(err.msg, cases[i].expect))
                        fail_msg("\"%s\" does not contain \"%s\"", err.msg, cases[i].expect);
        }
}

static void test_all_errors_at_once(void **state)
{
        static const char *const expect[] = { "4 errors in the settings:", "line 1: accel = \"x\"",
                                              "line 3: expected KEY = VALUE", "line 4: tls = \"x\"",
                                              "command line: network" };
        const char *const flags[] = { "--network=x", NULL };
        struct fg_error err = FG_ERROR_INIT;
        struct fg_config c;

        (void)state;
        assert_int_equal(load("accel = x\nregion = a\nnonsense\ntls = x\n", flags, &c, &err), -1);
        for (size_t i = 0; i < FG_ARRAY_SIZE(expect); i++)
                if (!strstr(err.msg, expect[i]))
                        fail_msg("\"%s\" does not contain \"%s\"", err.msg, expect[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_flags_win_over_the_file_over_the_defaults),
                cmocka_unit_test(test_errors_name_the_place),
                cmocka_unit_test(test_all_errors_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

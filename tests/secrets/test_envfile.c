/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four at the top first */
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/str.h"
#include "secrets/secrets.h"

static int setup(void **state)
{
        *state = mkdtemp(fg_strdup("/tmp/fgrun-env-XXXXXX"));
        return *state ? 0 : -1;
}

static int teardown(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        int r = fg_rm_rf(*state, &err);

        free(*state);
        return r;
}

static int collect(void *userdata, const char *name, size_t name_len, const char *value,
                   size_t value_len, struct fg_error *err)
{
        return fg_buf_printf(userdata, err, "[%.*s|%.*s]", (int)name_len, name, (int)value_len,
                             value);
}

static void test_envfile(void **state)
{
        static const struct {
                const char *text, *expected; /* in brackets, or the error */
        } cases[] = {
                { "", "" },
                { "A=1\nB=two words \n", "[A|1][B|two words ]" },
                { "A=1\r\n\r\n# comment\n   \nB=x=y", "[A|1][B|x=y]" },
                { "Q=\"quoted\"\nE=\n#A=1\n", "[Q|\"quoted\"][E|]" },
                { "A=1\nhush\n", "f.env, line 2: expected NAME=VALUE" },
                { "=hush\n", "f.env, line 1: expected NAME=VALUE" },
                { "export A=hush\n", "f.env, line 1: a name has no blanks" },
                { "A=\xff\n", "f.env, line 1: not text" },
        };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(4096);
                struct fg_error err = FG_ERROR_INIT;
                int r = fg_envfile_parse("f.env", cases[i].text, strlen(cases[i].text), collect,
                                         &out, &err);

                assert_string_equal(r < 0 ? err.msg : out.data ? out.data : "", cases[i].expected);
                assert_null(strstr(err.msg, "hush"));
        }
}

static void write_text(const char *dir, const char *name, const char *text)
{
        fg_autofree char *path = fg_asprintf("%s/%s", dir, name);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_write_file(path, text, strlen(text), 0600, &err), 0);
}

static void expect_no_file(const char *root, const char *arn, const char *text)
{
        fg_autosecret got = FG_SECRET_INIT;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_envfile_read(root, arn, &got, &err), -1);
        if (!strstr(err.msg, text))
                fail_msg("%s: %s", arn, err.msg);
}

static void test_files_stay_beneath_the_root(void **state)
{
        const char *dir = *state;
        fg_autofree char *root = fg_asprintf("%s/s3", dir);
        fg_autofree char *bucket = fg_asprintf("%s/bucket", root);
        fg_autofree char *link = fg_asprintf("%s/link.env", bucket);
        fg_autofree char *fifo = fg_asprintf("%s/fifo.env", bucket);
        fg_autosecret got = FG_SECRET_INIT;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_mkdir_p(bucket, 0700, &err), 0);
        write_text(bucket, "a.env", "A=1\n");
        write_text(dir, "outside.env", "A=1\n");
        assert_int_equal(symlink("../../outside.env", link), 0);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(fg_envfile_read(root, "arn:aws:s3:::bucket/a.env", &got, &err), 0);
        assert_string_equal(got.data, "A=1\n");
        expect_no_file(root, "arn:aws:s3:::bucket/link.env", "leads out");
        expect_no_file(root, "arn:aws:s3:::../outside.env", "leads out");
        expect_no_file(root, "arn:aws:s3:::bucket/../../outside.env", "leads out");
        expect_no_file(root, "arn:aws:s3:::bucket/fifo.env", "not a regular file");
        expect_no_file(root, "arn:aws:s3:::bucket/none.env", "No such file");
        expect_no_file(root, "arn:aws:s3:::bucket/a.txt", "ends in .env");
        expect_no_file(root, "arn:aws:s3:::/a.env", "a bucket");
}

/* Whoever renames anything, anywhere, makes the kernel give up what goes through "..". */
static void test_files_are_read_while_others_are_renamed(void **state)
{
        const char *dir = *state;
        fg_autofree char *bucket = fg_asprintf("%s/bucket", dir);
        fg_autofree char *link = fg_asprintf("%s/link.env", bucket);
        fg_autofree char *one = fg_asprintf("%s/one", dir);
        fg_autofree char *two = fg_asprintf("%s/two", dir);
        struct fg_error err = FG_ERROR_INIT;
        int failed = 0, status;
        pid_t pid;

        assert_int_equal(fg_mkdir_p(bucket, 0700, &err), 0);
        write_text(bucket, "a.env", "A=1\n");
        write_text(dir, "one", "");
        assert_int_equal(symlink("../bucket/a.env", link), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                for (;;)
                        if (rename(one, two) < 0 || rename(two, one) < 0)
                                _exit(1);
        for (int i = 0; i < 2000; i++) {
                fg_autosecret got = FG_SECRET_INIT;

                failed += fg_envfile_read(dir, "arn:aws:s3:::bucket/link.env", &got, &err) < 0;
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(failed, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_envfile),
                cmocka_unit_test_setup_teardown(test_files_stay_beneath_the_root, setup, teardown),
                cmocka_unit_test_setup_teardown(test_files_are_read_while_others_are_renamed, setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

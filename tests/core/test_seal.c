/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fs.h"
#include "core/seal.h"
#include "core/str.h"

#define CONTEXT "secret/db-password/1"

struct fixture {
        char dir[32];
        char *path;
        struct fg_seal *seal;
};

static int setup(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));
        struct fg_error err = FG_ERROR_INIT;

        memcpy(f->dir, "/tmp/fgrun-seal-XXXXXX", 23);
        assert_non_null(mkdtemp(f->dir));
        f->path = fg_asprintf("%s/key", f->dir);
        assert_int_equal(fg_seal_open(f->path, true, &f->seal, &err), 0);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        fg_seal_free(f->seal);
        assert_int_equal(fg_rm_rf(f->dir, &err), 0);
        free(f->path);
        free(f);
        return 0;
}

static void test_round_trip(void **state)
{
        struct fixture *f = *state;
        static const char *const values[] = { "", "x", "correct horse battery staple" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(values); i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf sealed = FG_BUF_INIT(1024);
                fg_autosecret plain = FG_SECRET_INIT;
                struct fg_error err = FG_ERROR_INIT;
                size_t len = strlen(values[i]);

                assert_int_equal(fg_seal_wrap(f->seal, CONTEXT, values[i], len, &sealed, &err), 0);
                assert_int_equal(sealed.len, len + FG_SEAL_OVERHEAD);
                assert_true(len < 2 || !memmem(sealed.data, sealed.len, values[i], len));
                assert_int_equal(
                        fg_seal_unwrap(f->seal, CONTEXT, sealed.data, sealed.len, &plain, &err), 0);
                assert_int_equal(plain.len, len);
                assert_string_equal(plain.data, values[i]);
        }
}

static void test_same_value_differs(void **state)
{
        struct fixture *f = *state;
        fg_cleanup(fg_buf_finish) struct fg_buf a = FG_BUF_INIT(1024), b = FG_BUF_INIT(1024);
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_seal_wrap(f->seal, CONTEXT, "value", 5, &a, &err), 0);
        assert_int_equal(fg_seal_wrap(f->seal, CONTEXT, "value", 5, &b, &err), 0);
        assert_int_equal(a.len, b.len);
        assert_memory_not_equal(a.data, b.data, a.len);
}

/* Every byte counts, and so does the name a value is stored under. */
static void test_tampering(void **state)
{
        struct fixture *f = *state;
        fg_cleanup(fg_buf_finish) struct fg_buf sealed = FG_BUF_INIT(1024);
        fg_autosecret plain = FG_SECRET_INIT;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_seal_wrap(f->seal, CONTEXT, "value", 5, &sealed, &err), 0);
        for (size_t i = 0; i < sealed.len; i++) {
                sealed.data[i] ^= 1;
                assert_int_equal(
                        fg_seal_unwrap(f->seal, CONTEXT, sealed.data, sealed.len, &plain, &err),
                        -1);
                sealed.data[i] ^= 1;
        }
        for (size_t len = 0; len < sealed.len; len++)
                assert_int_equal(fg_seal_unwrap(f->seal, CONTEXT, sealed.data, len, &plain, &err),
                                 -1);
        assert_int_equal(
                fg_seal_unwrap(f->seal, "secret/other/1", sealed.data, sealed.len, &plain, &err),
                -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
        assert_null(plain.data);
        assert_int_equal(fg_seal_unwrap(f->seal, CONTEXT, sealed.data, sealed.len, &plain, &err),
                         0);
}

static void test_key_file(void **state)
{
        struct fixture *f = *state;
        fg_cleanup(fg_seal_freep) struct fg_seal *again = NULL, *other = NULL;
        fg_autofree char *second = fg_asprintf("%s/other", f->dir);
        fg_cleanup(fg_buf_finish) struct fg_buf sealed = FG_BUF_INIT(1024);
        fg_autosecret plain = FG_SECRET_INIT;
        struct fg_error err = FG_ERROR_INIT;
        struct stat st;

        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(fg_seal_open(f->path, false, &again, &err), 0);
        assert_string_equal(fg_seal_id(again), fg_seal_id(f->seal));
        assert_int_equal(fg_seal_open(second, false, &other, &err), -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        assert_int_equal(fg_seal_open(second, true, &other, &err), 0);
        assert_string_not_equal(fg_seal_id(other), fg_seal_id(f->seal));
        assert_int_equal(fg_seal_wrap(f->seal, CONTEXT, "value", 5, &sealed, &err), 0);
        assert_int_equal(fg_seal_unwrap(other, CONTEXT, sealed.data, sealed.len, &plain, &err), -1);
        assert_int_equal(err.code, FG_ERR_DENIED);
        assert_int_equal(fg_seal_unwrap(again, CONTEXT, sealed.data, sealed.len, &plain, &err), 0);
}

static void expect_refused(const char *path, const char *text, mode_t mode, enum fg_err code)
{
        fg_cleanup(fg_seal_freep) struct fg_seal *seal = NULL;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_write_file(path, text, strlen(text), mode, &err), 0);
        assert_int_equal(fg_seal_open(path, true, &seal, &err), -1);
        assert_int_equal(err.code, code);
        assert_null(strstr(err.msg, "0123456789abcdef"));
}

static void test_bad_key_files(void **state)
{
        struct fixture *f = *state;
        static const char good[] = "0123456789abcdef0123456789abcdef"
                                   "0123456789abcdef0123456789abcdef";
        static const char *const bad[] = { "", "0123456789abcdef",
                                           "0123456789abcdef0123456789abcdef"
                                           "0123456789abcdef0123456789abcdef0",
                                           "0123456789abcdef0123456789abcdef"
                                           "0123456789abcdef0123456789abcdeg" };
        fg_autofree char *path = fg_asprintf("%s/bad", f->dir);

        for (size_t i = 0; i < FG_ARRAY_SIZE(bad); i++)
                expect_refused(path, bad[i], 0600, FG_ERR_INVALID);
        expect_refused(path, good, 0640, FG_ERR_DENIED);
        expect_refused(path, good, 0604, FG_ERR_DENIED);
}

static void test_secret(void **state)
{
        fg_autosecret s = FG_SECRET_INIT;

        (void)state;
        fg_secret_set(&s, "abc", 3);
        assert_int_equal(s.len, 3);
        assert_string_equal(s.data, "abc");
        fg_secret_alloc(&s, 4096); /* a whole page still ends in a zero */
        assert_int_equal(s.data[0], 0);
        assert_int_equal(s.data[4096], 0);
        fg_secret_finish(&s);
        assert_null(s.data);
        fg_secret_finish(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
                cmocka_unit_test_setup_teardown(test_same_value_differs, setup, teardown),
                cmocka_unit_test_setup_teardown(test_tampering, setup, teardown),
                cmocka_unit_test_setup_teardown(test_key_file, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_key_files, setup, teardown),
                cmocka_unit_test(test_secret),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

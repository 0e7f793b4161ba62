/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/taskpage.h"
#include "core/cleanup.h"

#define ID "0123456789abcdef0123456789abcdef"

static void test_defaults(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_taskpage page;

        (void)state;
        assert_int_equal(fg_taskpage_parse(NULL, NULL, &page, &err), 0);
        assert_int_equal(page.limit, FG_TASKPAGE_DEFAULT);
        assert_true(page.ns == INT64_MAX);
        assert_string_equal(page.id, "");
}

static void test_round_trip(void **state)
{
        static const uint64_t times[] = { 0, 1, 1700000000123456789, INT64_MAX };
        char cursor[FG_TASKPAGE_CURSOR_LEN + 1];
        struct fg_error err = FG_ERROR_INIT;
        struct fg_taskpage page;

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(times); i++) {
                fg_taskpage_cursor(times[i], ID, cursor);
                assert_int_equal(fg_taskpage_parse("1000", cursor, &page, &err), 0);
                assert_int_equal(page.limit, 1000);
                assert_true(page.ns == times[i]);
                assert_string_equal(page.id, ID);
        }
}

static void test_refused(void **state)
{
        static const char *const limits[] = {
                "", "0", "1001", "-1", "ten", "1 ", "99999999999999999999"
        };
        static const char *const cursors[] = {
                "",
                "1",
                "00000000000000000123456789abcdef0123456789abcde",
                "00000000000000000123456789abcdef0123456789abcdef0",
                "0000000000000000X123456789abcdef0123456789abcdef",
                "ffffffffffffffff0123456789abcdef0123456789abcdef",
        };
        struct fg_taskpage page;

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(limits); i++) {
                struct fg_error err = FG_ERROR_INIT;

                assert_int_equal(fg_taskpage_parse(limits[i], NULL, &page, &err), -1);
                assert_int_equal(err.code, FG_ERR_INVALID);
                assert_non_null(strstr(err.msg, "from 1 to 1000"));
        }
        for (size_t i = 0; i < FG_ARRAY_SIZE(cursors); i++) {
                struct fg_error err = FG_ERROR_INIT;

                assert_int_equal(fg_taskpage_parse(NULL, cursors[i], &page, &err), -1);
                assert_int_equal(err.code, FG_ERR_INVALID);
                assert_non_null(strstr(err.msg, "earlier answer"));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

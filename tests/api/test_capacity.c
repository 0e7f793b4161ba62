/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/capacity.h"
#include "core/str.h"

static void test_take_and_give(void **state)
{
        struct fg_capacity c = { .cpu_units = 1024, .memory_mib = 1000 };
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        assert_int_equal(fg_capacity_take(&c, 1024, 999, &err), 0);
        assert_int_equal(fg_capacity_take(&c, 0, 2, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
        assert_true(fg_starts_with(err.msg, "RESOURCE:MEMORY"));
        assert_int_equal(fg_capacity_take(&c, 1, 1, &err), -1);
        assert_true(fg_starts_with(err.msg, "RESOURCE:CPU"));
        assert_int_equal(c.memory_used, 999); /* a refusal takes nothing */
        fg_capacity_give(&c, 1024, 999);
        assert_int_equal(c.cpu_used, 0);
        assert_int_equal(fg_capacity_take(&c, UINT64_MAX, 1, &err), -1);
        assert_int_equal(fg_capacity_take(&c, 1, UINT64_MAX, &err), -1);
        assert_int_equal(c.memory_used, 0);
}

/* Tasks of an earlier life keep their room on a host that has shrunk. */
static void test_more_promised_than_there_is(void **state)
{
        struct fg_capacity c = {
                .cpu_units = 1024, .memory_mib = 1000, .cpu_used = 4096, .memory_used = 2000
        };
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        assert_int_equal(fg_capacity_take(&c, 1, 1, &err), -1);
        assert_non_null(strstr(err.msg, "0 of 1000 MiB are free"));
}

static void test_of_this_host(void **state)
{
        struct fg_capacity all, less;

        (void)state;
        fg_capacity_init(&all, 100, 100, 0);
        fg_capacity_init(&less, 200, 100, all.memory_mib - 1);
        assert_true(all.cpu_units >= 1024 && all.memory_mib > 0);
        assert_int_equal(less.cpu_units, 2 * all.cpu_units);
        assert_int_equal(less.memory_mib, 1);
        fg_capacity_init(&less, 100, 250, all.memory_mib - 2);
        assert_int_equal(less.memory_mib, 5);
        fg_capacity_init(&less, 100, 250, UINT64_MAX);
        assert_int_equal(less.memory_mib, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_take_and_give),
                cmocka_unit_test(test_more_promised_than_there_is),
                cmocka_unit_test(test_of_this_host),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

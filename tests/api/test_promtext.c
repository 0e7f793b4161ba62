/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "api/promtext.h"
#include "core/cleanup.h"

#define LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_values(void **state)
{
        static const char want[] = "# HELP fgrun_tasks Tasks, \\\\ by \"status\".\\nReally.\n"
                                   "# TYPE fgrun_tasks gauge\n"
                                   "fgrun_tasks 3\n"
                                   "fgrun_tasks{status=\"RUNNING\"} -1\n"
                                   "fgrun_tasks{a=\"q\\\"b\\\\s\\nn\",b=\"\"} 9223372036854775807\n"
                                   "# HELP fgrun_cpu_seconds_total CPU time.\n"
                                   "# TYPE fgrun_cpu_seconds_total counter\n"
                                   "fgrun_cpu_seconds_total 0\n"
                                   "fgrun_cpu_seconds_total 1.5\n"
                                   "fgrun_cpu_seconds_total 10\n"
                                   "fgrun_cpu_seconds_total 18446744073.709551615\n";
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(4096);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_promtext t;

        (void)state;
        fg_promtext_begin(&t, &out);
        fg_promtext_family(&t, "fgrun_tasks", "gauge", "Tasks, \\ by \"status\".\nReally.");
        fg_promtext_value(&t, NULL, 3);
        fg_promtext_value(&t, LABELS("status", "RUNNING"), -1);
        fg_promtext_value(&t, LABELS("a", "q\"b\\s\nn", "b", ""), INT64_MAX);
        fg_promtext_family(&t, "fgrun_cpu_seconds_total", "counter", "CPU time.");
        fg_promtext_seconds(&t, NULL, 0);
        fg_promtext_seconds(&t, NULL, 1500000000);
        fg_promtext_seconds(&t, NULL, UINT64_C(10000000000));
        fg_promtext_seconds(&t, NULL, UINT64_MAX);
        assert_int_equal(fg_promtext_end(&t, &err), 0);
        assert_string_equal(out.data, want);
}

static void test_histogram(void **state)
{
        static const char want[] =
                "h_bucket{p=\"x\",le=\"0.001\"} 2\nh_bucket{p=\"x\",le=\"0.002\"} 3\n"
                "h_bucket{p=\"x\",le=\"0.005\"} 3\nh_bucket{p=\"x\",le=\"0.01\"} 3\n"
                "h_bucket{p=\"x\",le=\"0.02\"} 3\nh_bucket{p=\"x\",le=\"0.05\"} 3\n"
                "h_bucket{p=\"x\",le=\"0.1\"} 3\nh_bucket{p=\"x\",le=\"0.2\"} 3\n"
                "h_bucket{p=\"x\",le=\"0.5\"} 4\nh_bucket{p=\"x\",le=\"1\"} 4\n"
                "h_bucket{p=\"x\",le=\"2\"} 4\nh_bucket{p=\"x\",le=\"5\"} 4\n"
                "h_bucket{p=\"x\",le=\"10\"} 4\nh_bucket{p=\"x\",le=\"30\"} 4\n"
                "h_bucket{p=\"x\",le=\"60\"} 4\nh_bucket{p=\"x\",le=\"120\"} 4\n"
                "h_bucket{p=\"x\",le=\"300\"} 4\nh_bucket{p=\"x\",le=\"+Inf\"} 5\n"
                "h_sum{p=\"x\"} 1000.402000001\nh_count{p=\"x\"} 5\n";
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(4096);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_histogram h = { 0 };
        struct fg_promtext t;

        (void)state;
        fg_histogram_observe(&h, 0);
        fg_histogram_observe(&h, 1000000); /* on the bound: in the bucket */
        fg_histogram_observe(&h, 1000001);
        fg_histogram_observe(&h, 400000000);
        fg_histogram_observe(&h, UINT64_C(1000000000000));
        fg_promtext_begin(&t, &out);
        fg_promtext_family(&t, "h", "histogram", "H.");
        fg_buf_clear(&out);
        fg_promtext_histogram(&t, LABELS("p", "x"), &h);
        assert_int_equal(fg_promtext_end(&t, &err), 0);
        assert_string_equal(out.data, want);
}

static void test_full_buffer_is_an_error(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(40);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_promtext t;

        (void)state;
        fg_promtext_begin(&t, &out);
        fg_promtext_family(&t, "name", "gauge", "A help text that does not fit.");
        fg_promtext_value(&t, NULL, 1);
        assert_int_equal(fg_promtext_end(&t, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_histogram),
                cmocka_unit_test(test_full_buffer_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

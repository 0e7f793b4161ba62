/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/json.h"

#define S(n) ((uint64_t)(n)*FG_NS_PER_SEC)

static struct fg_health make(const char *text)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *spec = fg_json_parse(text, strlen(text), &err);
        struct fg_health h;

        assert_non_null(spec);
        fg_health_init(&h, spec);
        return h;
}

#define CHECK(members) make("{\"healthCheck\": {\"command\": [\"CMD\", \"x\"]" members "}}")

static void assert_argv(const struct fg_health *h, const char *text)
{
        assert_string_equal(json_object_to_json_string_ext(h->argv, JSON_C_TO_STRING_PLAIN), text);
}

static void commands_and_defaults(void **state)
{
        fg_cleanup(fg_health_finish) struct fg_health none = make("{}");
        fg_cleanup(fg_health_finish) struct fg_health off = make(
                "{\"healthCheck\": {\"command\": [\"NONE\"]}}");
        fg_cleanup(fg_health_finish) struct fg_health shell = make(
                "{\"healthCheck\": {\"command\": [\"CMD-SHELL\", \"a b\"]}}");
        fg_cleanup(fg_health_finish) struct fg_health set = make(
                "{\"healthCheck\": {\"command\": [\"CMD\", \"a\", \"b c\"], \"interval\": 7,"
                " \"timeout\": 8, \"retries\": 9, \"startPeriod\": 10}}");

        assert_null(none.argv);
        assert_null(off.argv);
        assert_argv(&shell, "[\"\\/bin\\/sh\",\"-c\",\"a b\"]");
        assert_argv(&set, "[\"a\",\"b c\"]");
        assert_true(shell.interval == S(30) && shell.timeout == S(5) && shell.retries == 3 &&
                    shell.start_period == 0);
        assert_true(set.interval == S(7) && set.timeout == S(8) && set.retries == 9 &&
                    set.start_period == S(10));
}

static void failures_in_a_row(void **state)
{
        fg_cleanup(fg_health_finish) struct fg_health h = CHECK(",\"retries\": 2");

        fg_health_begin(&h, S(100), 1);
        assert_true(h.status == FG_HEALTH_UNKNOWN && h.since == 1);
        fg_health_note(&h, 1, S(101), 2);
        assert_true(h.status == FG_HEALTH_UNKNOWN && h.exit_code == 1);
        fg_health_note(&h, 0, S(102), 3);
        assert_true(h.status == FG_HEALTH_HEALTHY && h.since == 3);
        fg_health_note(&h, 1, S(103), 4);
        fg_health_note(&h, 0, S(104), 5);
        fg_health_note(&h, 1, S(105), 6);
        assert_true(h.status == FG_HEALTH_HEALTHY && h.since == 3);
        fg_health_note(&h, 137, S(106), 7);
        assert_true(h.status == FG_HEALTH_UNHEALTHY && h.since == 7);
        fg_health_note(&h, 1, S(107), 8);
        assert_true(h.since == 7);
        fg_health_note(&h, 0, S(108), 9);
        assert_true(h.status == FG_HEALTH_HEALTHY && h.since == 9);
}

static void the_start_period(void **state)
{
        fg_cleanup(fg_health_finish) struct fg_health h = CHECK(
                ",\"retries\": 1, \"startPeriod\": 10");

        fg_health_begin(&h, S(100), 1);
        fg_health_note(&h, 1, S(109), 2);
        assert_true(h.status == FG_HEALTH_UNKNOWN && h.failures == 0);
        fg_health_note(&h, 1, S(110), 3);
        assert_int_equal(h.status, FG_HEALTH_UNHEALTHY);

        fg_health_begin(&h, S(200), 4);
        assert_true(h.status == FG_HEALTH_UNKNOWN && h.since == 4 && h.exit_code == -1);
        fg_health_note(&h, 0, S(201), 5);
        fg_health_note(&h, 1, S(202), 6); /* a success has ended the period */
        assert_int_equal(h.status, FG_HEALTH_UNHEALTHY);
}

static void names(void **state)
{
        assert_string_equal(fg_health_name(FG_HEALTH_UNKNOWN), "UNKNOWN");
        assert_string_equal(fg_health_name(FG_HEALTH_UNHEALTHY), "UNHEALTHY");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_and_defaults),
                cmocka_unit_test(failures_in_a_row),
                cmocka_unit_test(the_start_period),
                cmocka_unit_test(names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

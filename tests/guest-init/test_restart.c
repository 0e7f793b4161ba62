/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/json.h"

#define S(n) ((uint64_t)(n)*FG_NS_PER_SEC)

static struct json_object *parse(const char *text)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *spec = fg_json_parse(text, strlen(text), &err);

        assert_non_null(spec);
        return spec;
}

static void off_unless_enabled(void **state)
{
        static const char *const specs[] = { "{}", "{\"restartPolicy\": {}}",
                                             "{\"restartPolicy\": {\"enabled\": false}}" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(specs); i++) {
                fg_autojson *spec = parse(specs[i]);
                struct fg_restart r;

                fg_restart_init(&r, spec);
                assert_false(fg_restart_wanted(&r, 1, S(100000)));
        }
}

static void it_must_have_run_long_enough(void **state)
{
        fg_autojson *plain = parse("{\"restartPolicy\": {\"enabled\": true}}");
        fg_autojson *set = parse("{\"restartPolicy\": {\"enabled\": true,"
                                 " \"restartAttemptPeriod\": 60}}");
        struct fg_restart r;

        fg_restart_init(&r, plain);
        r.since = S(1000);
        assert_false(fg_restart_wanted(&r, 1, S(1300) - 1));
        assert_true(fg_restart_wanted(&r, 1, S(1300)));
        fg_restart_init(&r, set);
        r.since = S(1000);
        assert_false(fg_restart_wanted(&r, 0, S(1059)));
        assert_true(fg_restart_wanted(&r, 0, S(1060))); /* success is an end like any other */
}

static void ignored_exit_codes(void **state)
{
        fg_autojson *spec = parse("{\"restartPolicy\": {\"enabled\": true,"
                                  " \"ignoredExitCodes\": [0, 143, \"7\"]}}");
        struct fg_restart r;

        fg_restart_init(&r, spec);
        assert_false(fg_restart_wanted(&r, 0, S(1000)));
        assert_false(fg_restart_wanted(&r, 143, S(1000)));
        assert_true(fg_restart_wanted(&r, 7, S(1000)));
        assert_true(fg_restart_wanted(&r, 1, S(1000)));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(off_unless_enabled),
                cmocka_unit_test(it_must_have_run_long_enough),
                cmocka_unit_test(ignored_exit_codes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

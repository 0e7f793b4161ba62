/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <string.h>

#include "api/cwlogs/awslogs.h"
#include "api/cwlogs/filter.h"
#include "api/cwlogs/pattern.h"

static const struct {
        const char *pattern, *message;
        bool matches;
} cases[] = {
        /* terms */
        { "", "anything", true },
        { "  ", "", true },
        { "ERROR", "[ERROR 401] bad", true },
        { "ERROR", "[error 401] bad", false },
        { "ERROR bad", "[ERROR 401] bad", true },
        { "ERROR good", "[ERROR 401] bad", false },
        { "?ERROR ?WARN", "WARN", true },
        { "?ERROR ?WARN", "INFO", false },
        { "?ERROR WARN", "WARN", false }, /* among others a question mark counts for nothing */
        { "?ERROR WARN", "WARN ERROR", true },
        { "-DEBUG", "INFO", true },
        { "-DEBUG", "DEBUG", false },
        { "ERROR -\"not found\"", "ERROR not found", false },
        { "ERROR -\"not found\"", "ERROR not, found", true },
        { "\"401] bad\"", "[ERROR 401] bad", true },
        { "\"a \\\"b\\\"\"", "say a \"b\"", true },
        { "\xc3\xbc", "\xc3\xbc", true },
        /* regular expressions */
        { "%^[A-Z]+ 4[0-9]{2}$%", "ERROR 404", true },
        { "%^[A-Z]+ 4[0-9]{2}$%", "ERROR 504", false },
        /* JSON */
        { "{ $.a = 1 }", "{\"a\":1}", true },
        { "{$.a=1}", "{\"a\":1}", true },
        { "{$.a=1}", " {\"a\":1.0}", true },
        { "{$.a=1}", "{\"a\":\"1\"}", true },
        { "{$.a=\"1\"}", "{\"a\":\"1\"}", true },
        { "{$.a=\"1\"}", "{\"a\":1}", false },
        { "{$.a!=\"1\"}", "{\"a\":1}", true },
        { "{$.a!=2}", "{\"a\":1}", true },
        { "{$.a!=2}", "{\"b\":1}", false }, /* what is missing compares with nothing */
        { "{$.a > 1}", "{\"a\":1.5}", true },
        { "{$.a > 1}", "{\"a\":\"2\"}", false },
        { "{$.a >= 1e3}", "{\"a\":1000}", true },
        { "{$.a <= -1}", "{\"a\":-1}", true },
        { "{$.a < -1}", "{\"a\":-1}", false },
        { "{$.code = 4*}", "{\"code\":404}", true },
        { "{$.code = 4*}", "{\"code\":504}", false },
        { "{$.ip = 10.0.*.1}", "{\"ip\":\"10.0.25.1\"}", true },
        { "{$.s = \"*b*d\"}", "{\"s\":\"abcbd\"}", true },
        { "{$.s = \"*b*d\"}", "{\"s\":\"abcbde\"}", false },
        { "{$.s = word}", "{\"s\":\"word\"}", true },
        { "{$.s = %^w.+d$%}", "{\"s\":\"word\"}", true },
        { "{$.s = %^w.+d$%}", "{\"s\":\"words\"}", false },
        { "{$.a.b.c = 1}", "{\"a\":{\"b\":{\"c\":1}}}", true },
        { "{$.a.b.c = 1}", "{\"a\":{\"b\":1}}", false },
        { "{$.a[1] = 2}", "{\"a\":[1,2]}", true },
        { "{$.a[2] = 2}", "{\"a\":[1,2]}", false },
        { "{$.a[*].b = 2}", "{\"a\":[{\"b\":1},{\"c\":2},{\"b\":2}]}", true },
        { "{$.a[*].b = 3}", "{\"a\":[{\"b\":1},{\"c\":2},{\"b\":2}]}", false },
        { "{$.a[*][*] = 4}", "{\"a\":[[1],[],[2,3,4]]}", true },
        { "{$.a[*][*] = 5}", "{\"a\":[[1],[],[2,3,4]]}", false },
        { "{$[0].a = 1}", "[{\"a\":1}]", true },
        { "{$.['a.b'] = 1}", "{\"a.b\":1}", true },
        { "{$['a b'].c = 1}", "{\"a b\":{\"c\":1}}", true },
        { "{$.a IS NULL}", "{\"a\":null}", true },
        { "{$.a IS NULL}", "{\"b\":null}", false },
        { "{$.a NOT EXISTS}", "{\"b\":1}", true },
        { "{$.a NOT EXISTS}", "{\"a\":null}", false },
        { "{$.a[*].b NOT EXISTS}", "{\"a\":[{\"c\":1}]}", true },
        { "{$.a EXISTS}", "{\"a\":null}", true },
        { "{$.a is true}", "{\"a\":true}", true },
        { "{$.a IS FALSE}", "{\"a\":true}", false },
        { "{$.a = true}", "{\"a\":true}", true },
        { "{$.a = {}", "", false }, /* refused, see below */
        { "{$.a = x}", "{\"a\":{}}", false },
        { "{$.a = 1 && $.b = 2}", "{\"a\":1,\"b\":2}", true },
        { "{$.a = 1 && $.b = 2}", "{\"a\":1,\"b\":3}", false },
        { "{$.a = 1 || $.b = 2 && $.c = 3}", "{\"a\":1}", true }, /* && binds tighter */
        { "{($.a = 1 || $.b = 2) && $.c = 3}", "{\"a\":1}", false },
        { "{(($.a = 1) || ($.b = 2)) && ($.c = 3)}", "{\"b\":2,\"c\":3}", true },
        { "{ $.user.tags[1] = \"b\" }", "{\"user\":{\"tags\":[\"a\",\"b\"]}}", true },
        { "{ $.ip != 10.0.* }", "{\"ip\":\"10.0.0.1\"}", false },
        { "{ $.ip != 10.0.* }", "{\"ip\":\"10.1.0.1\"}", true },
        { "{ $.path = * }", "{\"path\":\"/\"}", true },
        { "{ $.path = * }", "{\"other\":\"/\"}", false },
        { "{ $.ms >= 0.5 && $.ms < 1.5E1 }", "{\"ms\":14.99}", true },
        { "{ $.ms >= 0.5 && $.ms < 1.5E1 }", "{\"ms\":15}", false },
        { "{ ($.user.id = 1) && ($.users[0].email = \"a@b.c\") }",
          "{\"user\":{\"id\":1},\"users\":[{\"email\":\"a@b.c\"}]}", true },
        { "{ ($.a.b = %^GET|^PUT%) || ($.c EXISTS) }", "{\"a\":{\"b\":\"PUT /\"}}", true },
        { "{ ($.a.b = %^GET|^PUT%) || ($.c EXISTS) }", "{\"a\":{\"b\":\"a PUT\"},\"c\":0}", true },
        { "{ ($.a.b = %^GET|^PUT%) || ($.c EXISTS) }", "{\"a\":{\"b\":\"a PUT\"}}", false },
        { "{$.a = 1}", "{\"a\":1} and more", false },
        { "{$.a = 1}", "not JSON", false },
};

static const struct {
        const char *pattern, *message;
} wrong[] = {
        { "a-b", "character '-' in term 'a-b'" },
        { "\"a", "unclosed quote" },
        { "-", "empty term" },
        { "[a, b]", "patterns of fields" },
        { "%a", "ends with %" },
        { "%(a%", "missing closing parenthesis" },
        { "{", "expected a selector" },
        { "{}", "expected a selector" },
        { "{ a = 1 }", "expected a selector" },
        { "{ $ = 1 }", "expected a selector" },
        { "{ $.a }", "expected =" },
        { "{ $.a = }", "expected a value" },
        { "{ $.a = {}", "expected a value" },
        { "{ $.a = 1", "expected &&, || or }" },
        { "{ $.a = 1 & $.b = 2 }", "expected &&, || or }" },
        { "{ $.a = 1 } x", "something follows" },
        { "{ ($.a = 1 }", "expected )" },
        { "{ $.a = 1) }", "unexpected )" },
        { "{ $.a = \"x }", "unclosed quote" },
        { "{ $.a > \"x\" }", "compare with a number" },
        { "{ $.a[x] = 1 }", "array's index" },
        { "{ $.a[1 = 1 }", "expected ]" },
        { "{ $.a IS x }", "NULL, TRUE or FALSE" },
        { "{ $.a NOT x }", "expected EXISTS" },
        { "{ $.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1}",
          "more than 32 steps" },
};

static void patterns_match(void **state)
{
        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_error err = FG_ERROR_INIT;
                fg_cleanup(fg_filter_freep) struct fg_filter *f = fg_filter_parse(cases[i].pattern,
                                                                                  &err);

                if (!f && !*cases[i].message)
                        continue;
                if (!f)
                        fail_msg("%s: %s", cases[i].pattern, err.msg);
                if (fg_filter_matches(f, cases[i].message, strlen(cases[i].message)) !=
                    cases[i].matches)
                        fail_msg("%s: %s", cases[i].pattern, cases[i].message);
        }
}

static void wrong_patterns_are_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(wrong); i++) {
                struct fg_error err = FG_ERROR_INIT;
                fg_cleanup(fg_filter_freep) struct fg_filter *f = fg_filter_parse(wrong[i].pattern,
                                                                                  &err);

                if (f || err.code != FG_ERR_INVALID || !strstr(err.msg, wrong[i].message))
                        fail_msg("%s: %s", wrong[i].pattern, err.msg);
        }
}

/* As deep and as long as a pattern may be. */
static void large_patterns(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        char text[FG_FILTER_MAX + 2] = "{";
        fg_cleanup(fg_filter_freep) struct fg_filter *deep = NULL, *wide = NULL;

        (void)state;
        memset(text + 1, '(', 500);
        memcpy(text + 501, "$.a=1", 5);
        memset(text + 506, ')', 500);
        memcpy(text + 1006, "}", 2);
        deep = fg_filter_parse(text, &err);
        assert_non_null(deep);
        assert_true(fg_filter_matches(deep, "{\"a\":1}", 7));
        for (size_t at = 1; at + 8 < FG_FILTER_MAX; at += 7)
                memcpy(text + at, at > 1 ? "||$.a=1" : "  $.a=1", 8);
        memcpy(text + strlen(text), "}", 2);
        wide = fg_filter_parse(text, &err);
        assert_non_null(wide);
        assert_true(fg_filter_matches(wide, "{\"a\":1}", 7));
        memset(text, 'x', FG_FILTER_MAX + 1);
        text[FG_FILTER_MAX + 1] = '\0';
        assert_null(fg_filter_parse(text, &err));
}

static void datetime_formats(void **state)
{
        static const struct {
                const char *format, *line;
                bool matches;
        } formats[] = {
                { "%Y-%m-%d %H:%M:%S", "at 2026-11-25 13:59:59 it", true },
                { "%Y-%m-%d %H:%M:%S", "2026-13-25 13:59:59", false },
                { "[%b %d, %Y %H:%M:%S]", "[May 01, 2017 19:00:01]", true },
                { "[%b %d, %Y %H:%M:%S]", "May 01, 2017 19:00:01", false },
                { "%H:%M:%S.%L", "13:59:59.123", true },
                { "%d/%b/%Y:%H:%M:%S %z", "01/Jan/2026:00:00:00 +0100", true },
                { "%I:%M %p 100%%", "01:00 PM 100%", true },
        };
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(formats); i++) {
                fg_cleanup(fg_pattern_freep) struct fg_pattern *p = fg_pattern_datetime(
                        formats[i].format, &err);

                assert_non_null(p);
                if (fg_pattern_matches(p, formats[i].line, strlen(formats[i].line)) !=
                    formats[i].matches)
                        fail_msg("%s: %s", formats[i].format, formats[i].line);
        }
        assert_null(fg_pattern_datetime("%Y %", &err));
        assert_null(fg_pattern_datetime("", &err));
}

/* The classic that takes a backtracking engine for ever: it is given up, and is no match. */
static void a_pattern_has_bounded_time(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_cleanup(fg_pattern_freep) struct fg_pattern *p = fg_pattern_new("^(a+)+$", &err);
        char line[64];

        (void)state;
        memset(line, 'a', sizeof(line));
        line[63] = 'b';
        assert_non_null(p);
        assert_false(fg_pattern_matches(p, line, sizeof(line)));
        assert_true(fg_pattern_matches(p, line, 10));
        assert_null(
                fg_pattern_new("((((((a{1,999}){1,999}){1,999}){1,999}){1,999}){1,999})", &err));
        assert_null(fg_pattern_new("\\C", &err));
}

static void sizes(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        uint64_t n = 0;

        (void)state;
        assert_int_equal(fg_awslogs_size("25m", &n, &err), 0);
        assert_int_equal(n, 25u << 20);
        assert_int_equal(fg_awslogs_size("65536", &n, &err), 0);
        assert_int_equal(n, 65536);
        assert_int_equal(fg_awslogs_size("128KiB", &n, &err), 0);
        assert_int_equal(n, 131072);
        assert_int_equal(fg_awslogs_size("1G", &n, &err), -1);
        assert_int_equal(fg_awslogs_size("", &n, &err), -1);
        assert_int_equal(fg_awslogs_size("99999999999999999999m", &n, &err), -1);
        assert_int_equal(fg_awslogs_size("1mm", &n, &err), -1);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(patterns_match),
                cmocka_unit_test(wrong_patterns_are_refused),
                cmocka_unit_test(large_patterns),
                cmocka_unit_test(datetime_formats),
                cmocka_unit_test(a_pattern_has_bounded_time),
                cmocka_unit_test(sizes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

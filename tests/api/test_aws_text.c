/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <string.h>

#include "api/aws/arn.h"
#include "api/aws/form.h"
#include "api/aws/page.h"
#include "api/aws/xml.h"
#include "core/json.h"
#include "core/str.h"

static struct json_object *parse(const char *text, struct fg_error *err)
{
        return fg_form_parse(text, strlen(text), err);
}

static void test_form(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *form = parse("Action=Get+It%21&&b=%c3%A9%26%3d&c&d=&=x", &err);

        (void)state;
        assert_non_null(form);
        assert_string_equal(fg_json_text(form),
                            "{\"Action\":\"Get It!\",\"b\":\"é&=\",\"c\":\"\",\"d\":\"\","
                            "\"\":\"x\"}");
}

static void test_empty_form(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *form = parse("", &err);

        (void)state;
        assert_string_equal(fg_json_text(form), "{}");
}

static void test_bad_forms(void **state)
{
        static const char *const bad[] = { "a=%",   "a=%4",     "a=%4g", "a=%g4",  "%zz=1",
                                           "a=%00", "a=%ff%fe", "\xff",  "a=1&a=2" };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(bad); i++) {
                struct fg_error err = FG_ERROR_INIT;

                assert_null(parse(bad[i], &err));
                assert_int_equal(err.code, FG_ERR_INVALID);
        }
}

static void test_form_of_too_many(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(65536);
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *most = NULL;

        (void)state;
        for (int i = 0; i < 1000; i++)
                assert_int_equal(fg_buf_printf(&text, &err, "a%d&", i), 0);
        most = parse(text.data, &err);
        assert_non_null(most);
        assert_int_equal(fg_buf_puts(&text, "b", &err), 0);
        assert_null(parse(text.data, &err));
}

static void test_xml(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf xml = FG_BUF_INIT(4096);
        struct fg_error err = FG_ERROR_INIT;
        static const char text[] = "{\"a\":\"<&>\\u0001\\n\",\"b\":[1,{\"c\":true}],\"d\":null,"
                                   "\"e\":{\"f\":1.5}}";
        fg_autojson *obj = fg_json_parse(text, sizeof(text) - 1, &err);

        (void)state;
        assert_int_equal(fg_xml_append(&xml, obj, &err), 0);
        assert_string_equal(xml.data,
                            "<a>&lt;&amp;&gt;?\n</a><b><member>1</member><member><c>true</c>"
                            "</member></b><e><f>1.5</f></e>");
}

static const struct fg_names names = { .region = "r", .account = "1", .cluster = "default" };

static void test_arns(void **state)
{
        fg_autofree char *arn = fg_arn(&names, "ecs", "cluster/%s", "c");

        (void)state;
        assert_string_equal(arn, "arn:aws:ecs:r:1:cluster/c");
        assert_string_equal(fg_arn_resource(arn, &names, "ecs"), "cluster/c");
        assert_string_equal(fg_arn_name(arn, &names, "ecs", "cluster"), "c");
        assert_string_equal(fg_arn_name("c", &names, "ecs", "cluster"), "c");
        assert_null(fg_arn_name(arn, &names, "ecs", "clust"));
        assert_null(fg_arn_name(arn, &names, "ecs", "task"));
        assert_null(fg_arn_name("arn:aws:ecs:r:1:cluster", &names, "ecs", "cluster"));
        assert_null(fg_arn_resource("arn:aws:ecs:r:2:cluster/c", &names, "ecs"));
        assert_null(fg_arn_resource("arn:aws:logs:r:1:cluster/c", &names, "ecs"));
        assert_null(fg_arn_resource("c", &names, "ecs"));
}

static void test_pages(void **state)
{
        static const char *const bad[] = { "",
                                           "v1",
                                           "v1-",
                                           "v1-0",
                                           "v1-6G",
                                           "v1-6A",
                                           "v1-00",
                                           "v1-ff",
                                           "v2-61",
                                           "61",
                                           "v1-7765623a3132" /* of no list */,
                                           "v1-303132333435363738396162636465667765623a3132" };
        fg_autofree char *token = fg_page_token_of("tasks of a", "web:12"), *damaged = NULL;
        fg_autofree char *longest = NULL, *longer = NULL;
        char cursor[FG_PAGE_CURSOR_MAX + 1], most[FG_PAGE_CURSOR_MAX + 1];

        (void)state;
        assert_int_equal(fg_page_cursor_of("tasks of a", token, cursor), 0);
        assert_string_equal(cursor, "web:12");
        assert_int_equal(fg_page_cursor_of("tasks of a", NULL, cursor), 0);
        assert_string_equal(cursor, "");
        for (size_t i = 0; i < FG_ARRAY_SIZE(bad); i++)
                assert_int_equal(fg_page_cursor_of("tasks of a", bad[i], cursor), -1);
        assert_int_equal(fg_page_cursor_of("tasks of b", token, cursor), -1);
        damaged = fg_strdup(token);
        damaged[strlen(damaged) - 1] ^= 1;
        assert_int_equal(fg_page_cursor_of("tasks of a", damaged, cursor), -1);
        damaged[strlen(damaged) - 2] = '\0';
        assert_int_equal(fg_page_cursor_of("tasks of a", damaged, cursor), -1);
        memset(most, 'x', sizeof(most) - 1);
        most[sizeof(most) - 1 - 16] = '\0'; /* less what binds it to its list */
        longest = fg_page_token_of("tasks of a", most);
        assert_int_equal(fg_page_cursor_of("tasks of a", longest, cursor), 0);
        assert_string_equal(cursor, most);
        longer = fg_asprintf("%s61", longest);
        assert_int_equal(fg_page_cursor_of("tasks of a", longer, cursor), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_form),      cmocka_unit_test(test_empty_form),
                cmocka_unit_test(test_bad_forms), cmocka_unit_test(test_form_of_too_many),
                cmocka_unit_test(test_xml),       cmocka_unit_test(test_arns),
                cmocka_unit_test(test_pages),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

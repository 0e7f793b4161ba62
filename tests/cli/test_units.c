/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/base64.h"
#include "cli/command.h"
#include "cli/endpoint.h"
#include "cli/exitstatus.h"
#include "cli/human.h"
#include "cli/localimage.h"
#include "cli/progress.h"
#include "cli/publish.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

static void test_commands_are_found(void **state)
{
        int words = 0;

        for (const struct fg_command *const *c = fg_commands; *c; c++) {
                assert_non_null((*c)->run);
                assert_true((*c)->summary[0]);
                if (!strchr((*c)->name, ' '))
                        assert_ptr_equal(fg_command_find((*c)->name, "x", &words), *c);
        }
        assert_string_equal(fg_command_find("image", "rm", &words)->name, "image rm");
        assert_int_equal(words, 2);
        assert_null(fg_command_find("image", NULL, &words));
        assert_null(fg_command_find("image", "r", &words));
        assert_null(fg_command_find("im", "rm", &words));
        assert_string_equal(fg_command_nearest("lgos"), "logs");
        assert_string_equal(fg_command_nearest("inspekt"), "inspect");
        assert_null(fg_command_nearest("xy"));
}

static void test_ago(void **state)
{
        static const struct {
                uint64_t seconds;
                const char *text;
        } rows[] = {
                { 0, "now" },           { 1, "1 second ago" },  { 59, "59 seconds ago" },
                { 60, "1 minute ago" }, { 7199, "1 hour ago" }, { 86400 * 3, "3 days ago" },
        };
        uint64_t now = 1000000 * FG_NS_PER_SEC;
        char text[FG_HUMAN_MAX];

        for (size_t i = 0; i < FG_ARRAY_SIZE(rows); i++) {
                fg_human_ago(now - rows[i].seconds * FG_NS_PER_SEC, now, text);
                assert_string_equal(text, rows[i].text);
        }
        fg_human_ago(now + FG_NS_PER_SEC, now, text);
        assert_string_equal(text, "now");
}

static void test_duration_and_size(void **state)
{
        char text[FG_HUMAN_MAX];

        fg_human_duration(0, text);
        assert_string_equal(text, "0s");
        fg_human_duration(3723, text);
        assert_string_equal(text, "1h 2m 3s");
        fg_human_duration(UINT64_MAX, text);
        assert_true(fg_ends_with(text, "15s"));
        fg_human_size(999, text);
        assert_string_equal(text, "999 B");
        fg_human_size(999960, text);
        assert_string_equal(text, "1.0 MB");
        fg_human_size(1234567890, text);
        assert_string_equal(text, "1.2 GB");
}

static void test_moments(void **state)
{
        static const char *const wrong[] = { "",    "soon",  "m",           "5x",        "5m3",
                                             "-5m", "1h 2m", "9999999999d", "2026-13-01" };
        uint64_t now = UINT64_C(2000000000) * FG_NS_PER_SEC, ns = 0;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_human_time("90s", now, &ns, &err), 0);
        assert_true(ns == now - 90 * FG_NS_PER_SEC);
        assert_int_equal(fg_human_time("2h30m", now, &ns, &err), 0);
        assert_true(ns == now - 9000 * FG_NS_PER_SEC);
        assert_int_equal(fg_human_time("999999999d", now, &ns, &err), 0);
        assert_true(ns == 0);
        assert_int_equal(fg_human_time("1970-01-02", now, &ns, &err), 0);
        assert_true(ns == 86400 * FG_NS_PER_SEC);
        assert_int_equal(fg_human_time("1970-01-01T00:00:01Z", now, &ns, &err), 0);
        assert_true(ns == FG_NS_PER_SEC);
        assert_int_equal(fg_human_time("1700000000", now, &ns, &err), 0);
        assert_true(ns == UINT64_C(1700000000) * FG_NS_PER_SEC);
        for (size_t i = 0; i < FG_ARRAY_SIZE(wrong); i++) {
                err = FG_ERROR_INIT;
                assert_int_equal(fg_human_time(wrong[i], now, &ns, &err), -1);
                assert_int_equal(err.code, FG_ERR_INVALID);
        }
}

static void test_progress(void **state)
{
        struct fg_pull_state pull = { .image = "docker.io/library/busybox:latest",
                                      .status = "downloading",
                                      .done = 500000,
                                      .total = 1000000,
                                      .layers_done = 1,
                                      .layers = 2 };
        char text[FG_PROGRESS_MAX];

        fg_progress_render(&pull, 100, text);
        assert_string_equal(text, "docker.io/library/busybox:latest [==============>             ]"
                                  "  50% 500.0 kB/1.0 MB 1/2 layers");
        for (unsigned columns = 20; columns < 300; columns++) {
                fg_progress_render(&pull, columns, text);
                assert_true(strlen(text) <= columns);
        }
        fg_progress_render(&pull, 0, text);
        assert_true(strlen(text) <= 20);
        pull.done = 2000000;
        fg_progress_render(&pull, 100, text);
        assert_non_null(strstr(text, "[============================] 100%"));
        pull.total = 0;
        fg_progress_render(&pull, 100, text);
        assert_non_null(strstr(text, "downloading 2.0 MB"));
}

static void check_status(const char *task_text, const char *definition_text, int expected)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *task = fg_json_parse(task_text, strlen(task_text), &err);
        fg_autojson *definition = NULL;

        assert_non_null(task);
        if (definition_text)
                definition = fg_json_parse(definition_text, strlen(definition_text), &err);
        assert_int_equal(fg_exit_status_of(task, definition), expected);
}

static void test_exit_statuses(void **state)
{
        const char *side = "{\"containerDefinitions\":[{\"name\":\"a\",\"essential\":false},"
                           "{\"name\":\"b\"}]}";
        const char *both = "{\"containers\":[{\"name\":\"a\",\"exitCode\":1},"
                           "{\"name\":\"b\",\"exitCode\":2}]}";

        check_status(both, NULL, 1);
        check_status(both, side, 2);
        check_status("{\"containers\":[{\"name\":\"a\",\"exitCode\":1},"
                     "{\"name\":\"b\",\"exitCode\":0}],\"fgrun\":{\"endedBy\":\"b\"}}",
                     NULL, 0);
        check_status("{\"containers\":[{\"name\":\"a\",\"exitCode\":1},{\"name\":\"b\"}]}", side,
                     FG_EXIT_TASK_FAILED);
        check_status("{\"containers\":[{\"name\":\"b\"}],\"stopCode\":\"UserInitiated\"}", side,
                     FG_EXIT_INTERRUPTED);
        check_status("{\"stopCode\":\"TaskFailedToStart\"}", NULL, FG_EXIT_TASK_FAILED);
}

static void test_base64(void **state)
{
        static const struct {
                const char *text, *bytes;
        } rows[] = { { "", "" },
                     { "Zg==", "f" },
                     { "Zm8=", "fo" },
                     { "Zm9v", "foo" },
                     { "Zm9vYg==", "foob" } };
        static const char *const wrong[] = { "Z", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9\n" };
        fg_cleanup(fg_buf_finish) struct fg_buf bytes = FG_BUF_INIT(64);
        struct fg_error err = FG_ERROR_INIT;

        for (size_t i = 0; i < FG_ARRAY_SIZE(rows); i++) {
                fg_buf_clear(&bytes);
                assert_int_equal(fg_base64_decode(rows[i].text, strlen(rows[i].text), &bytes, &err),
                                 0);
                assert_int_equal(bytes.len, strlen(rows[i].bytes));
                assert_memory_equal(bytes.data, rows[i].bytes, bytes.len);
        }
        for (size_t i = 0; i < FG_ARRAY_SIZE(wrong); i++)
                assert_int_equal(fg_base64_decode(wrong[i], strlen(wrong[i]), &bytes, &err), -1);
}

static void test_hosts(void **state)
{
        static const char *const wrong[] = { "",         "unix:",   "unix://",      "http://",
                                             "https://", "tcp://x", "/run/fgd.sock" };
        fg_cleanup(fg_endpoint_finish) struct fg_endpoint endpoint = { 0 };
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_endpoint_parse("unix:///run/x.sock", NULL, &endpoint, &err), 0);
        assert_string_equal(endpoint.socket, "/run/x.sock");
        fg_endpoint_finish(&endpoint);
        assert_int_equal(fg_endpoint_parse("unix:x.sock", NULL, &endpoint, &err), 0);
        assert_string_equal(endpoint.socket, "x.sock");
        fg_endpoint_finish(&endpoint);
        assert_int_equal(setenv("FGRUN_TOKEN", "secret", 1), 0);
        assert_int_equal(fg_endpoint_parse("http://[::1]:80//", NULL, &endpoint, &err), 0);
        assert_null(endpoint.socket);
        assert_string_equal(endpoint.url, "http://[::1]:80");
        assert_string_equal(endpoint.token, "secret");
        for (size_t i = 0; i < FG_ARRAY_SIZE(wrong); i++) {
                fg_cleanup(fg_endpoint_finish) struct fg_endpoint none = { 0 };

                assert_int_equal(fg_endpoint_parse(wrong[i], NULL, &none, &err), -1);
        }
}

static void test_local_images(void **state)
{
        static const struct {
                const char *reference, *base, *expected;
        } rows[] = {
                { "busybox", "/a", "busybox" },
                { "oci:/x:t", "/a", "oci:/x:t" },
                { "oci:x:t", "/a/b", "oci:/a/b/x:t" },
                { "oci:./x", "/", "oci:/x" },
                { "oci:../x", "/a", "oci:/x" },
                { "docker-archive:../../../x.tar", "/a/b", "docker-archive:/x.tar" },
                { "oci:../build/x", "/src/examples", "oci:/src/build/x" },
                { "oci:", "/a", "oci:" },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(rows); i++) {
                fg_autofree char *got = fg_localimage_resolve(rows[i].reference, rows[i].base);

                assert_string_equal(got, rows[i].expected);
        }
}

static void test_publish(void **state)
{
        static const struct {
                const char *text, *json;
        } good[] = {
                { "8080:80", "[{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"tcp\"}]" },
                { "127.0.0.1:53:5353/udp", "[{\"hostAddress\":\"127.0.0.1\",\"hostPort\":53,"
                                           "\"containerPort\":5353,\"protocol\":\"udp\"}]" },
                { "[::1]:65535:1/tcp", "[{\"hostAddress\":\"::1\",\"hostPort\":65535,"
                                       "\"containerPort\":1,\"protocol\":\"tcp\"}]" },
                { "8000-8001:80-81",
                  "[{\"hostPort\":8000,\"containerPort\":80,\"protocol\":\"tcp\"},"
                  "{\"hostPort\":8001,\"containerPort\":81,\"protocol\":\"tcp\"}]" },
        };
        static const struct {
                const char *text, *why;
        } bad[] = {
                { "80", "expected" },
                { "80:", "expected" },
                { ":80", "expected" },
                { ":80:80", "expected" },
                { "::1:80:80", "brackets" },
                { "[::1:80:80", "expected" },
                { "[]:80:80", "expected" },
                { "80:80/sctp", "expected" },
                { "1-2-3:80", "expected" },
                { "0:80", "1 to 65535" },
                { "80:65536", "1 to 65535" },
                { "8010-8000:80-70", "before it begins" },
                { "8000-8010:80", "one length" },
                { "1-101:1-101", "100 ports" },
                { "1-18446744073709551615:1-18446744073709551615", "1 to 65535" },
        };
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(good); i++) {
                fg_autojson *array = json_object_new_array();

                if (fg_publish_add(array, good[i].text, &err) < 0)
                        fail_msg("%s", err.msg);
                assert_string_equal(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN),
                                    good[i].json);
        }
        for (size_t i = 0; i < FG_ARRAY_SIZE(bad); i++) {
                fg_autojson *array = json_object_new_array();

                assert_int_equal(fg_publish_add(array, bad[i].text, &err), -1);
                assert_int_equal(json_object_array_length(array), 0);
                if (!strstr(err.msg, bad[i].why) || !strstr(err.msg, bad[i].text))
                        fail_msg("%s: %s", bad[i].text, err.msg);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_publish),       cmocka_unit_test(test_commands_are_found),
                cmocka_unit_test(test_ago),           cmocka_unit_test(test_duration_and_size),
                cmocka_unit_test(test_moments),       cmocka_unit_test(test_progress),
                cmocka_unit_test(test_exit_statuses), cmocka_unit_test(test_base64),
                cmocka_unit_test(test_hosts),         cmocka_unit_test(test_local_images),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

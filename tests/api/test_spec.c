/* SPDX-License-Identifier: Apache-2.0 */
#include "api/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/str.h"
#include "tests/api/taskdef_support.h"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct fg_taskdef *load(const char *path)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *json = fg_json_parse_file(path, FG_TASKDEF_MAX, &err);
        struct fg_taskdef *def;

        assert_non_null(json);
        def = fg_taskdef_decode(json, NULL, &problems);
        assert_non_null(def);
        return def;
}

static struct json_object *build(const struct fg_taskdef *def)
{
        static const struct fg_spec_image images[] = {
                { .reference = "docker.io/fgrun/hello:latest", .manifest = DIGEST_A },
                { .reference = "docker.io/fgrun/hello:latest", .manifest = DIGEST_B },
        };
        struct fg_spec spec = {
                .id = "0123456789abcdef0123456789abcdef",
                .now_ns = 1700000000123456789,
                .random = "00ff",
                .hostname = "ip-10-0-0-1.internal",
                .scratch = "/dev/vda",
                .def = def,
                .images = images,
        };

        assert_true(def->containers.n <= FG_ARRAY_SIZE(images));
        return fg_spec_to_json(&spec);
}

static void examples_become_messages(void **state)
{
        static const char *const names[] = { "hello", "two-containers", "limits",
                                             "user",  "health",         "logs" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(names); i++) {
                fg_autofree char *path = fg_asprintf("%s/%s.json", FG_EXAMPLES, names[i]);
                fg_autofree char *golden = fg_asprintf("spec-%s.json", names[i]);
                fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = load(path);
                fg_autojson *json = build(def);

                fg_test_golden(json, golden);
        }
}

static void what_the_guest_need_not_know_stays_here(void **state)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(
                "{\"executionRoleArn\":\"arn:secret\",\"tags\":[{\"key\":\"k\"}]}",
                "{\"dockerLabels\":{\"a\":\"b\"},\"logConfiguration\":{\"logDriver\":"
                "\"json-file\"}}");
        fg_autojson *json = build(def);
        struct json_object *container = json_object_array_get_idx(fg_json_arr(json, "containers"),
                                                                  0);

        assert_null(fg_json_get(json, "executionRoleArn"));
        assert_null(fg_json_get(json, "tags"));
        assert_null(fg_json_get(container, "dockerLabels"));
        assert_null(fg_json_get(container, "logConfiguration"));
        assert_null(fg_json_get(container, "portMappings"));
}

static void the_stop_timeout_is_always_told(void **state)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *plain = fg_test_decode(NULL, NULL);
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *set = fg_test_decode(NULL,
                                                                             "{\"stopTimeout\":7}");
        fg_autojson *a = build(plain), *b = build(set);

        assert_int_equal(fg_json_int(json_object_array_get_idx(fg_json_arr(a, "containers"), 0),
                                     "stopTimeout", 0),
                         30);
        assert_int_equal(fg_json_int(json_object_array_get_idx(fg_json_arr(b, "containers"), 0),
                                     "stopTimeout", 0),
                         7);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(examples_become_messages),
                cmocka_unit_test(what_the_guest_need_not_know_stays_here),
                cmocka_unit_test(the_stop_timeout_is_always_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

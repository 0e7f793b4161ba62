/* SPDX-License-Identifier: Apache-2.0 */
#include "api/overrides.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"
#include "tests/api/taskdef_support.h"

#define TWO                                                                                        \
        "{\"containerDefinitions\":[{\"name\":\"app\",\"image\":\"i\",\"command\":[\"old\"],"      \
        "\"environment\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\",\"value\":\"2\"}],"     \
        "\"memory\":300},{\"name\":\"side\",\"image\":\"i\",\"cpu\":100,"                          \
        "\"secrets\":[{\"name\":\"S\",\"valueFrom\":\"/s\"}]}]}"
#define O0 "$.overrides.containerOverrides[0]"

static struct json_object *parse(const char *text)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *json = fg_json_parse(text, strlen(text), &err);

        if (!json)
                fail_msg("%s", err.msg);
        return json;
}

static struct fg_taskdef *apply_to(const struct fg_taskdef *def, const char *text,
                                   struct fg_problems *problems)
{
        fg_autojson *json = parse(text);
        fg_cleanup(fg_overrides_freep) struct fg_overrides *overrides = fg_overrides_decode(
                json, problems);

        return fg_overrides_apply(overrides, def, problems);
}

/* What stands in the definition after @text was applied; it must be valid. */
static struct fg_taskdef *apply(const struct fg_taskdef *def, const char *text)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        struct fg_taskdef *applied = apply_to(def, text, &problems);

        if (problems.n > 0)
                fail_msg("%s: %s", problems.list[0].path, problems.list[0].message);
        return applied;
}

static void bad_overrides_are_refused(void **state)
{
        static const struct {
                const char *json, *path, *message;
        } cases[] = {
                { "[]", "$.overrides", "expected an object, found an array" },
                { "{\"containerOverrides\":[{\"name\":\"web\"}]}", O0 ".name",
                  "the task definition has no container 'web' (allowed: app, side)" },
                { "{\"containerOverrides\":[{\"name\":\"app\"},{\"name\":\"app\"}]}",
                  "$.overrides.containerOverrides[1].name",
                  "the container 'app' is overridden twice" },
                { "{\"containerOverrides\":[{\"command\":[\"x\"]}]}", O0 ".name", "is required" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"image\":\"x\"}]}", O0 ".image",
                  "unknown field (allowed: …" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"command\":\"x\"}]}", O0 ".command",
                  "expected an array of strings, found a string" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"memory\":5}]}", O0 ".memory",
                  "5 is out of range (allowed: 6 to 2147483647)" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"memoryReservation\":5}]}",
                  O0 ".memoryReservation", "5 is out of range (allowed: 6 to 2147483647)" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"cpu\":-1}]}", O0 ".cpu",
                  "-1 is out of range (allowed: 0 to 2147483647)" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"environment\":"
                  "[{\"name\":\"A=B\"}]}]}",
                  O0 ".environment[0].name", "the name of a variable must not contain '='" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"environmentFiles\":[{\"type\":"
                  "\"s3\"}]}]}",
                  O0 ".environmentFiles[0].value", "is required" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"resourceRequirements\":[{}]}]}",
                  O0 ".resourceRequirements",
                  "Tasks using the Fargate launch type do not support GPU resource "
                  "requirements" },
                { "{\"inferenceAcceleratorOverrides\":[{}]}",
                  "$.overrides.inferenceAcceleratorOverrides",
                  "Unsupported field 'inferenceAcceleratorOverrides'" },
                { "{\"ephemeralStorage\":{\"sizeInGiB\":20}}",
                  "$.overrides.ephemeralStorage.sizeInGiB",
                  "EphemeralStorage size should be at least 21" },
                { "{\"Memory\":\"1024\"}", "$.overrides.Memory",
                  "unknown field; did you mean \"memory\"?" },
        };
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(TWO, NULL);

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;

                fg_taskdef_free(apply_to(def, cases[i].json, &problems));
                fg_test_problem_equal(&problems, 0, cases[i].path, cases[i].message);
                assert_int_equal(problems.n, 1);
        }
}

static void too_large_overrides_are_refused(void **state)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *json = json_object_new_object();
        fg_autofree char *large = fg_calloc(1, FG_OVERRIDES_MAX + 1);

        memset(large, 'x', FG_OVERRIDES_MAX - strlen("{\"taskRoleArn\":\"\"}"));
        fg_json_set_str(json, "taskRoleArn", large);
        fg_overrides_free(fg_overrides_decode(json, &problems));
        assert_int_equal(problems.n, 0);
        large[strlen(large)] = 'x';
        fg_json_set_str(json, "taskRoleArn", large);
        fg_overrides_free(fg_overrides_decode(json, &problems));
        fg_test_problem_equal(&problems, 0, "$.overrides",
                              "the overrides have 8193 bytes (allowed: at most 8192)");
}

static void overrides_change_only_what_they_name(void **state)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(TWO, NULL);
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *got = apply(
                def, "{\"containerOverrides\":[{\"name\":\"app\",\"command\":[\"new\"],"
                     "\"environment\":[{\"name\":\"B\",\"value\":\"3\"},{\"name\":\"C\"}],"
                     "\"memory\":200,\"memoryReservation\":100,\"cpu\":50}]}");
        const struct fg_container_def *app = &got->containers.v[0];

        assert_int_equal(app->command.n, 1);
        assert_string_equal(app->command.v[0], "new");
        assert_int_equal(app->environment.n, 3);
        assert_string_equal(app->environment.v[0].value, "1");
        assert_string_equal(app->environment.v[1].value, "3");
        assert_string_equal(app->environment.v[2].name, "C");
        assert_string_equal(app->environment.v[2].value, "");
        assert_int_equal(app->memory, 200);
        assert_int_equal(app->memory_reservation, 100);
        assert_int_equal(app->cpu, 50);
        assert_int_equal(got->containers.v[1].cpu, 100);
        /* The definition itself stays as it was. */
        assert_string_equal(def->containers.v[0].command.v[0], "old");
        assert_string_equal(def->containers.v[0].environment.v[1].value, "2");
}

static void task_level_overrides_apply(void **state)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(TWO, NULL);
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *got = apply(
                def, "{\"cpu\":\"1 vCPU\",\"memory\":\"4 GB\",\"taskRoleArn\":\"t\","
                     "\"executionRoleArn\":\"e\",\"ephemeralStorage\":{\"sizeInGiB\":50}}");

        assert_int_equal(got->cpu_units, 1024);
        assert_string_equal(got->cpu, "1024");
        assert_string_equal(got->containers.v[0].command.v[0], "old");
        assert_int_equal(got->memory_mib, 4096);
        assert_string_equal(got->task_role_arn, "t");
        assert_string_equal(got->execution_role_arn, "e");
        assert_int_equal(fg_taskdef_storage_gib(got), 50);
        assert_int_equal(fg_taskdef_storage_gib(def), 20);
}

static void sizes_are_checked_again(void **state)
{
        static const struct {
                const char *json, *path, *message;
        } cases[] = {
                { "{\"cpu\":\"512\"}", "$.overrides.memory",
                  "No Fargate configuration exists for given values: 512 CPU, 512 memory "
                  "(allowed: 1024 to 4096 in steps of 1024)" },
                { "{\"memory\":\"a lot\"}", "$.overrides.memory",
                  "Invalid 'memory' setting for task. (allowed: 512, 1024, 2048)" },
                { "{\"containerOverrides\":[{\"name\":\"side\"},{\"name\":\"app\",\"memory\":600,"
                  "\"memoryReservation\":10}]}",
                  "$.overrides.containerOverrides[1].memory",
                  "The 'memory' setting for container 'app' is greater than for the task. "
                  "(allowed: at most 512)" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"memoryReservation\":301}]}",
                  O0 ".memoryReservation",
                  "memoryReservation must not be greater than memory (allowed: at most …" },
                { "{\"containerOverrides\":[{\"name\":\"app\",\"cpu\":157}]}",
                  "$.overrides.containerOverrides",
                  "The sum of all container 'cpu' values cannot be greater than the value of the "
                  "task 'cpu'. (allowed: at most 256 together)" },
                { "{\"containerOverrides\":[{\"name\":\"side\",\"environment\":"
                  "[{\"name\":\"S\"}]}]}",
                  O0 ".environment",
                  "The secret name must be unique and not shared with any new or existing …" },
        };
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(TWO, NULL);

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;

                assert_null(apply_to(def, cases[i].json, &problems));
                fg_test_problem_equal(&problems, 0, cases[i].path, cases[i].message);
                assert_int_equal(problems.n, 1);
        }
}

/* Nothing of the containers was given: that is where it would have to be. */
static void a_smaller_task_may_not_hold_its_containers(void **state)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(
                "{\"cpu\":\"512\",\"memory\":\"4096\"}", "{\"cpu\":512,\"memory\":3000}");

        assert_null(apply_to(def, "{\"cpu\":\"256\",\"memory\":\"1024\"}", &problems));
        assert_int_equal(problems.n, 3);
        fg_test_problem_equal(&problems, 0, "$.overrides", "The 'memory' setting for container …");
        fg_test_problem_equal(&problems, 1, "$.overrides", "The sum of all container 'cpu' …");
        fg_test_problem_equal(&problems, 2, "$.overrides", "The memory reserved for all …");
}

static void all_problems_are_told_at_once(void **state)
{
        static const struct {
                const char *path, *message;
        } wanted[] = {
                { O0 ".environment[0].name", "the name of a variable must not contain '='" },
                { O0 ".cpu", "-1 is out of range…" },
                { "$.overrides.containerOverrides[1].name",
                  "the task definition has no container 'nope' (allowed: app, side)" },
                { "$.overrides.memory", "Invalid 'memory' setting for task…" },
                { "$.overrides.cpu", "No Fargate configuration exists for given values: 300 CPU…" },
                { "$.overrides.containerOverrides[2].memoryReservation",
                  "memoryReservation must not be greater than memory…" },
        };
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(TWO, NULL);

        assert_null(apply_to(def,
                             "{\"containerOverrides\":["
                             "{\"name\":\"side\",\"environment\":[{\"name\":\"A=B\"}],\"cpu\":-1},"
                             "{\"name\":\"nope\"},{\"name\":\"app\",\"memoryReservation\":301}],"
                             "\"cpu\":\"300\",\"memory\":\"x\"}",
                             &problems));
        for (size_t i = 0; i < FG_ARRAY_SIZE(wanted); i++)
                fg_test_problem_equal(&problems, i, wanted[i].path, wanted[i].message);
        assert_int_equal(problems.n, FG_ARRAY_SIZE(wanted));
}

static void every_container_is_named_in_the_answer(void **state)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(TWO, NULL);
        fg_cleanup(fg_overrides_freep) struct fg_overrides *none = fg_overrides_decode(NULL,
                                                                                       &problems);
        fg_autojson *json = parse("{\"memory\":\"1 GB\",\"containerOverrides\":"
                                  "[{\"name\":\"side\",\"command\":[\"x\"]}]}");
        fg_cleanup(fg_overrides_freep) struct fg_overrides *some = fg_overrides_decode(json,
                                                                                       &problems);
        fg_autojson *of_none = fg_overrides_to_json(none, def);
        fg_autojson *of_some = fg_overrides_to_json(some, def);

        assert_string_equal(fg_json_text(of_none),
                            "{\"containerOverrides\":[{\"name\":\"app\"},{\"name\":\"side\"}]}");
        assert_string_equal(fg_json_text(of_some),
                            "{\"containerOverrides\":[{\"name\":\"side\",\"command\":[\"x\"]},"
                            "{\"name\":\"app\"}],\"memory\":\"1 GB\"}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bad_overrides_are_refused),
                cmocka_unit_test(too_large_overrides_are_refused),
                cmocka_unit_test(overrides_change_only_what_they_name),
                cmocka_unit_test(task_level_overrides_apply),
                cmocka_unit_test(sizes_are_checked_again),
                cmocka_unit_test(a_smaller_task_may_not_hold_its_containers),
                cmocka_unit_test(all_problems_are_told_at_once),
                cmocka_unit_test(every_container_is_named_in_the_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

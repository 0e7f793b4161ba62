/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/sizes.h"
#include "core/str.h"
#include "tests/api/taskdef_support.h"

#define C0 "$.containerDefinitions[0]"

/*
 * Every rule, from taskdef_rules.json: patches of a valid document (members of the task and of its
 * container), one that keeps the rule and one that breaks it and nothing else.
 */
static struct json_object *patched(struct json_object *rule, const char *which)
{
        struct json_object *patch = fg_json_obj(rule, which);
        struct json_object *task = fg_json_obj(patch, "task");
        struct json_object *container = fg_json_obj(patch, "container");

        return fg_test_document(task ? fg_json_text(task) : NULL,
                                container ? fg_json_text(container) : NULL);
}

static void check_rule(struct json_object *rule)
{
        fg_cleanup(fg_problems_finish) struct fg_problems none = FG_PROBLEMS_INIT;
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *good = patched(rule, "good"), *bad = patched(rule, "bad");
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_taskdef_decode(
                good, fg_test_image_check, &none);

        if (!def)
                fail_msg("refused: %s: %s", fg_json_text(good), none.list[0].message);
        assert_null(fg_taskdef_decode(bad, fg_test_image_check, &problems));
        for (size_t i = 1; i < problems.n; i++)
                print_error("also: %s: %s\n", problems.list[i].path, problems.list[i].message);
        fg_test_problem_equal(&problems, 0, fg_json_str(rule, "path"),
                              fg_json_str(rule, "message"));
        assert_int_equal(problems.n, 1);
}

static void rules_accept_and_refuse(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *rules = fg_json_parse_file(FG_TEST_DIR "/taskdef_rules.json", 1 << 20, &err);

        assert_non_null(rules);
        assert_true(json_object_array_length(rules) > 100);
        for (size_t i = 0; i < json_object_array_length(rules); i++)
                check_rule(json_object_array_get_idx(rules, i));
}

static void all_problems_come_at_once(void **state)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *json = fg_test_document(
                "{\"family\":null,\"cpu\":\"300\",\"placement\":1}",
                "{\"comand\":[\"x\"],\"credentialSpecs\":[\"x\"],\"user\":7}");
        struct fg_error err = FG_ERROR_INIT;

        assert_null(fg_taskdef_decode(json, NULL, &problems));
        assert_int_equal(problems.n, 6);
        fg_test_problem_equal(&problems, 0, C0 ".comand",
                              "unknown field; did you mean \"command\"?");
        fg_test_problem_equal(&problems, 1, C0 ".credentialSpecs",
                              "credentialSpecs is not supported by this version of fgrun");
        fg_test_problem_equal(&problems, 2, C0 ".user", "expected a string, found an integer");
        fg_test_problem_equal(&problems, 3, "$.placement",
                              "unknown field (allowed: family, containerDefinitions, …");
        fg_test_problem_equal(&problems, 4, "$.family", "is required");
        fg_test_problem_equal(&problems, 5, "$.cpu",
                              "No Fargate configuration exists for given values: 300 CPU, 512 "
                              "memory (allowed: 256, 512, 1024, 2048, 4096, 8192, 16384)");
        assert_int_equal(fg_problems_fail(&problems, "task definition", &err), -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
        assert_string_equal(err.msg, "6 errors in the task definition; first: " C0
                                     ".comand: unknown field; did you mean \"command\"?");
}

static void one_bad_size_does_not_hide_the_other(void **state)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *first = fg_test_document("{\"cpu\":\"255\",\"memory\":\"x\"}", NULL);
        fg_autojson *second = fg_test_document("{\"cpu\":\"x\",\"memory\":\"100\"}", NULL);

        assert_null(fg_taskdef_decode(first, NULL, &problems));
        assert_int_equal(problems.n, 2);
        fg_test_problem_equal(
                &problems, 0, "$.memory",
                "Invalid 'memory' setting for task. (allowed: MiB as 512, or 0.5 GB)");
        fg_test_problem_equal(&problems, 1, "$.cpu",
                              "No Fargate configuration exists for given values: 255 CPU (allowed: "
                              "256, …");
        assert_null(fg_taskdef_decode(second, NULL, &problems));
        assert_int_equal(problems.n, 4);
        fg_test_problem_equal(&problems, 2, "$.cpu", "Invalid 'cpu' setting for task. …");
        fg_test_problem_equal(&problems, 3, "$.memory",
                              "No Fargate configuration exists for given values: 100 memory "
                              "(allowed: 512 …");
}

static void problems_are_capped(void **state)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *json = fg_test_document(NULL, NULL);

        for (int i = 0; i < FG_PROBLEMS_MAX + 5; i++) {
                fg_autofree char *key = fg_asprintf("zzzzzzzzzz%d", i);

                fg_json_set_int(json, key, i);
        }
        assert_null(fg_taskdef_decode(json, NULL, &problems));
        assert_int_equal(problems.n, FG_PROBLEMS_MAX);
        assert_int_equal(problems.dropped, 5);
        fg_test_problem_equal(&problems, FG_PROBLEMS_MAX, "$", "5 more errors are not shown");
}

static void too_large_definitions_are_refused_whole(void **state)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *json = fg_test_document(NULL, NULL);
        fg_autofree char *large = fg_calloc(1, FG_TASKDEF_MAX + 1);

        memset(large, 'x', FG_TASKDEF_MAX);
        fg_json_set_str(json, "family", large);
        assert_null(fg_taskdef_decode(json, NULL, &problems));
        assert_int_equal(problems.n, 1);
        assert_non_null(strstr(problems.list[0].message, "Max allowed length is '65536' bytes."));
}

static void other_json_is_not_a_definition(void **state)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *json = json_object_new_array();

        assert_null(fg_taskdef_decode(json, NULL, &problems));
        fg_test_problem_equal(&problems, 0, "$", "expected an object, found an array");
}

static void defaults_are_those_of_ecs(void **state)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(NULL, NULL);

        assert_string_equal(def->network_mode, "awsvpc");
        assert_int_equal(def->cpu_units, 256);
        assert_int_equal(def->memory_mib, 512);
        assert_int_equal(fg_taskdef_storage_gib(def), 20);
        assert_true(def->containers.v[0].essential);
        assert_int_equal(def->containers.v[0].cpu, 0);
        assert_false(def->containers.v[0].readonly_root_filesystem);
}

static void null_and_empty_members_count_as_absent(void **state)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(
                "{\"networkMode\":null,\"placementConstraints\":[],\"volumes\":[],"
                "\"ephemeralStorage\":null,\"enableFaultInjection\":false,\"tags\":null}",
                "{\"portMappings\":[],\"privileged\":false,\"volumesFrom\":[],\"links\":null,"
                "\"essential\":null,\"systemControls\":[],\"healthCheck\":null,\"entryPoint\":[]}");

        assert_true(def->containers.v[0].essential);
        assert_int_equal(def->containers.v[0].entry_point.n, 0);
}

static void everything_survives_a_round_trip(void **state)
{
        static const char task[] =
                "{\"cpu\":\".5 vCPU\",\"memory\":\"1 "
                "GB\",\"volumes\":[{\"name\":\"v\",\"host\":{}}],"
                "\"ephemeralStorage\":{\"sizeInGiB\":30},\"executionRoleArn\":\"arn:e\","
                "\"taskRoleArn\":\"arn:t\",\"tags\":[{\"key\":\"k\",\"value\":\"v\"}],"
                "\"requiresCompatibilities\":[\"FARGATE\"],"
                "\"pidMode\":\"task\",\"fgrun\":{\"imagePull\":\"guest\",\"maxRunTime\":60,"
                "\"publish\":[{\"hostPort\":8080,\"containerPort\":80}]},"
                "\"runtimePlatform\":{\"cpuArchitecture\":\"X86_64\"}}";
        static const char container[] =
                "{\"entryPoint\":[\"/bin/sh\"],\"command\":[\"-c\",\"true\"],\"user\":\"1:2\","
                "\"environment\":[{\"name\":\"A\",\"value\":\"b\"},{\"name\":\"E\"}],"
                "\"workingDirectory\":\"/w\",\"readonlyRootFilesystem\":true,\"cpu\":10,"
                "\"memory\":64,\"memoryReservation\":32,\"startTimeout\":9,\"stopTimeout\":5,"
                "\"healthCheck\":{\"command\":[\"CMD\",\"x\"],\"startPeriod\":7},"
                "\"restartPolicy\":{\"enabled\":false,\"ignoredExitCodes\":[0,-1]},"
                "\"ulimits\":[{\"name\":\"core\",\"softLimit\":0,\"hardLimit\":-1}],"
                "\"systemControls\":[{\"namespace\":\"kernel.shmmax\",\"value\":\"1\"}],"
                "\"interactive\":true,\"pseudoTerminal\":true,"
                "\"linuxParameters\":{\"initProcessEnabled\":true,\"sharedMemorySize\":128,"
                "\"capabilities\":{\"add\":[\"SYS_PTRACE\"],\"drop\":[\"ALL\"]},"
                "\"tmpfs\":[{\"containerPath\":\"/t\",\"size\":16,\"mountOptions\":[\"ro\"]}]},"
                "\"mountPoints\":[{\"sourceVolume\":\"v\",\"containerPath\":\"/v\","
                "\"readOnly\":true}],\"dockerLabels\":{\"a.b\":\"c\"},"
                "\"logConfiguration\":{\"logDriver\":\"json-file\",\"options\":{\"max-file\":\"2\"}"
                "},\"fgrun\":{\"imagePull\":\"prepared\"}}";
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(task, container);
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *copy = fg_taskdef_copy(def);
        fg_autojson *before = fg_taskdef_to_json(def);
        fg_autojson *after = fg_taskdef_to_json(copy);

        assert_int_equal(copy->cpu_units, 512);
        assert_int_equal(copy->memory_mib, 1024);
        assert_string_equal(fg_json_text(before), fg_json_text(after));
        fg_test_golden(before, "taskdef.json");
}

static void a_container_s_own_image_pull_counts_more(void **state)
{
        static const struct {
                const char *task, *container, *wanted;
        } cases[] = {
                { NULL, NULL, NULL },
                { "guest", NULL, "guest" },
                { NULL, "guest", "guest" },
                { "prepared", "guest", "guest" },
                { "guest", "prepared", "prepared" },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                static const char member[] = "{\"fgrun\":{\"imagePull\":\"%s\"}}";
                fg_autofree char *task = cases[i].task ? fg_asprintf(member, cases[i].task) : NULL;
                fg_autofree char *container = cases[i].container
                                                      ? fg_asprintf(member, cases[i].container)
                                                      : NULL;
                fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(task,
                                                                                     container);
                const char *found = fg_taskdef_image_pull(def, 0);

                assert_string_equal(found ? found : "", cases[i].wanted ? cases[i].wanted : "");
        }
}

static void both_spellings_of_sizes_are_read(void **state)
{
        static const struct {
                const char *text;
                int64_t cpu, memory; /* -1: no size */
        } spellings[] = {
                { "256", 256, 256 },      { ".25 vCPU", 256, -1 },     { "0.25vcpu", 256, -1 },
                { "1 VCPU", 1024, -1 },   { "16 vCPU", 16384, -1 },    { "0.5 GB", -1, 512 },
                { "1GB", -1, 1024 },      { "30 gb", -1, 30720 },      { "", -1, -1 },
                { "vCPU", -1, -1 },       { ". GB", -1, -1 },          { "1.2.3 GB", -1, -1 },
                { "0.3 vCPU", -1, -1 },   { "-256", -1, -1 },          { "256 units", -1, -1 },
                { "9999999999", -1, -1 }, { "1234567890 GB", -1, -1 }, { "1 G", -1, -1 },
                { "1.5", -1, -1 },        { "0.125 GB", -1, 128 },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(spellings); i++) {
                int64_t cpu = -1, memory = -1;

                assert_int_equal(fg_size_parse_cpu(spellings[i].text, &cpu), spellings[i].cpu >= 0);
                assert_int_equal(cpu, spellings[i].cpu);
                assert_int_equal(fg_size_parse_memory(spellings[i].text, &memory),
                                 spellings[i].memory >= 0);
                assert_int_equal(memory, spellings[i].memory);
        }
}

static void the_size_table_is_fargates(void **state)
{
        static const int64_t cpus[] = { 256, 512, 1024, 2048, 4096, 8192, 16384 };
        static const int pairs[] = { 3, 4, 7, 13, 23, 12, 12 };
        int total = 0;

        for (size_t i = 0; i < FG_ARRAY_SIZE(cpus); i++) {
                int n = 0;

                for (int64_t memory = 1; memory <= 131072; memory++)
                        n += fg_size_pair_exists(cpus[i], memory);
                assert_int_equal(n, pairs[i]);
                total += n;
        }
        assert_int_equal(total, 74);
        assert_true(fg_size_pair_exists(256, 512));
        assert_false(fg_size_pair_exists(512, 512));
        assert_false(fg_size_pair_exists(256, 4096));
        assert_true(fg_size_pair_exists(16384, 122880));
        assert_false(fg_size_pair_exists(32768, 122880));
}

static void dependencies_may_not_wait_for_themselves(void **state)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *json = fg_test_document(
                "{\"containerDefinitions\":["
                "{\"name\":\"a\",\"image\":\"i\",\"dependsOn\":[{\"containerName\":\"b\","
                "\"condition\":\"START\"}]},"
                "{\"name\":\"b\",\"image\":\"i\",\"dependsOn\":[{\"containerName\":\"a\","
                "\"condition\":\"START\"}]},"
                "{\"name\":\"c\",\"image\":\"i\",\"dependsOn\":[{\"containerName\":\"a\","
                "\"condition\":\"START\"}]},"
                "{\"name\":\"d\",\"image\":\"i\"}]}",
                NULL);

        assert_null(fg_taskdef_decode(json, NULL, &problems));
        assert_int_equal(problems.n, 1);
        fg_test_problem_equal(&problems, 0, "$.containerDefinitions",
                              "these containers wait for each other for ever: a, b");
}

static void the_examples_are_valid(void **state)
{
        static const char *const names[] = { "hello", "two-containers", "limits", "user", "logs" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(names); i++) {
                fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
                fg_autofree char *path = fg_asprintf("%s/%s.json", FG_EXAMPLES, names[i]);
                struct fg_error err = FG_ERROR_INIT;
                fg_autojson *json = fg_json_parse_file(path, FG_TASKDEF_MAX, &err);
                fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_taskdef_decode(
                        json, fg_test_image_check, &problems);

                assert_non_null(def);
                assert_string_equal(def->family, names[i]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rules_accept_and_refuse),
                cmocka_unit_test(all_problems_come_at_once),
                cmocka_unit_test(one_bad_size_does_not_hide_the_other),
                cmocka_unit_test(problems_are_capped),
                cmocka_unit_test(too_large_definitions_are_refused_whole),
                cmocka_unit_test(other_json_is_not_a_definition),
                cmocka_unit_test(defaults_are_those_of_ecs),
                cmocka_unit_test(null_and_empty_members_count_as_absent),
                cmocka_unit_test(everything_survives_a_round_trip),
                cmocka_unit_test(a_container_s_own_image_pull_counts_more),
                cmocka_unit_test(both_spellings_of_sizes_are_read),
                cmocka_unit_test(the_size_table_is_fargates),
                cmocka_unit_test(dependencies_may_not_wait_for_themselves),
                cmocka_unit_test(the_examples_are_valid),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

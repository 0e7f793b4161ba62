/* SPDX-License-Identifier: Apache-2.0 */
#include "api/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"
#include "tests/api/taskdef_support.h"

#define ID  "0123456789abcdef0123456789abcdef"
#define ARN "arn:aws:ecs:local-1:000000000000:"

static struct json_object *parse(const char *text)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *json = fg_json_parse(text, strlen(text), &err);

        if (!json)
                fail_msg("%s", err.msg);
        return json;
}

static struct json_object *build(const struct fg_taskdef *def, const char *group)
{
        fg_autojson *task = parse(
                "{\"taskArn\":\"" ARN "task/default/" ID "\",\"clusterArn\":\"" ARN
                "cluster/default\",\"taskDefinitionArn\":\"" ARN "task-definition/web:7\","
                "\"launchType\":\"FARGATE\",\"containers\":[{\"runtimeId\":"
                "\"" ID "-4294967295\",\"containerArn\":\"" ARN "container/default/" ID
                "/ffffffff-0000-0000-0000-000000000000\"}]}");
        fg_autojson *tags = parse("[{\"key\":\"team\",\"value\":\"a\"},{\"key\":\"empty\"}]");
        const struct fg_metadata m = { .id = ID,
                                       .region = "local-1",
                                       .vpc = group[0] == 's' ? "vpc-0a1b2c3d" : NULL,
                                       .pull_started_ns = 1700000000123456789,
                                       .def = def,
                                       .task = task,
                                       .tags = tags };

        fg_json_set_str(task, "group", group);
        return fg_metadata_to_json(&m);
}

static void all_of_it(void **state)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(
                "{\"ephemeralStorage\":{\"sizeInGiB\":30}}",
                "{\"portMappings\":[{\"containerPort\":80},{\"containerPortRange\":\"90-99\"}],"
                "\"dockerLabels\":{\"a\":\"b\"},\"logConfiguration\":{\"logDriver\":\"awslogs\","
                "\"options\":{\"awslogs-group\":\"g\",\"awslogs-region\":\"local-1\","
                "\"awslogs-stream-prefix\":\"web\"}}}");
        fg_autojson *json = build(def, "service:front");

        fg_test_golden(json, "metadata.json");
}

static void what_is_not_set_is_absent(void **state)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_test_decode(NULL, NULL);
        fg_autojson *json = build(def, "family:web");
        struct json_object *c = json_object_array_get_idx(fg_json_arr(json, "containers"), 0);

        assert_null(fg_json_get(json, "serviceName"));
        assert_null(fg_json_get(json, "vpcId"));
        assert_null(fg_json_get(c, "labels"));
        assert_null(fg_json_get(c, "ports"));
        assert_null(fg_json_get(c, "logDriver"));
        assert_int_equal(fg_json_int(json, "ephemeralStorageMiB", 0), 20 * 1024);
}

static void docker_ids_have_fargates_form(void **state)
{
        char id[FG_DOCKER_ID_MAX];

        fg_docker_id(ID, "ffffffff000000000000000000000000", id);
        assert_string_equal(id, ID "-4294967295");
        fg_docker_id(ID, "0000000a000000000000000000000000", id);
        assert_string_equal(id, ID "-0000000010");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_of_it),
                cmocka_unit_test(what_is_not_set_is_absent),
                cmocka_unit_test(docker_ids_have_fargates_form),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

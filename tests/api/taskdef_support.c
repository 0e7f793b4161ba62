/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api/taskdef_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/str.h"

static const char base[] = "{\"family\":\"web\",\"cpu\":\"256\",\"memory\":\"512\","
                           "\"containerDefinitions\":[{\"name\":\"app\",\"image\":\"busybox\"}]}";

static struct json_object *parse(const char *text)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *json = fg_json_parse(text, strlen(text), &err);

        if (!json)
                fail_msg("%s: %s", err.msg, text);
        return json;
}

static void patch(struct json_object *target, const char *text)
{
        fg_autojson *members = text ? parse(text) : json_object_new_object();

        json_object_object_foreach(members, key, value)
                fg_json_set(target, key, json_object_get(value));
}

struct json_object *fg_test_document(const char *task_patch, const char *container_patch)
{
        struct json_object *json = parse(base);
        struct json_object *list = fg_json_arr(json, "containerDefinitions");

        patch(json_object_array_get_idx(list, 0), container_patch);
        patch(json, task_patch);
        return json;
}

int fg_test_image_check(const char *reference, struct fg_error *err)
{
        if (fg_streq(reference, "BAD"))
                return fg_fail(err, FG_ERR_INVALID, "BAD is not a reference");
        return 0;
}

struct fg_taskdef *fg_test_decode(const char *task_patch, const char *container_patch)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_autojson *json = fg_test_document(task_patch, container_patch);
        struct fg_taskdef *def = fg_taskdef_decode(json, fg_test_image_check, &problems);

        if (!def)
                fail_msg("%s: %s", problems.list[0].path, problems.list[0].message);
        return def;
}

void fg_test_problem_equal(const struct fg_problems *problems, size_t i, const char *path,
                           const char *message)
{
        fg_autojson *array = fg_problems_to_json(problems);
        struct json_object *item;

        assert_true(i < json_object_array_length(array));
        item = json_object_array_get_idx(array, i);
        assert_string_equal(fg_json_str(item, "path"), path);
        if (fg_ends_with(message, "…"))
                assert_memory_equal(fg_json_str(item, "message"), message,
                                    strlen(message) - strlen("…"));
        else
                assert_string_equal(fg_json_str(item, "message"), message);
}

void fg_test_golden(struct json_object *json, const char *name)
{
        fg_autofree char *path = fg_asprintf("%s/golden/%s", FG_TEST_DIR, name);
        fg_autofree char *text = fg_asprintf(
                "%s\n", json_object_to_json_string_ext(
                                json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        fg_cleanup(fg_buf_finish) struct fg_buf wanted = FG_BUF_INIT(1024 * 1024);
        struct fg_error err = FG_ERROR_INIT;

        if (getenv("FG_REGEN") && fg_write_file(path, text, strlen(text), 0644, &err) < 0)
                fail_msg("%s", err.msg);
        if (fg_buf_read_file(&wanted, path, &err) < 0)
                fail_msg("%s (FG_REGEN=1 writes it)", err.msg);
        assert_string_equal(text, wanted.data);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four at the top first */
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/str.h"
#include "secrets/secrets.h"

#define TOKEN   "0123456789abcdef0123456789abcdef"
#define ARN     "arn:aws:secretsmanager:local-1:000000000000:secret:"
#define SSM_ARN "arn:aws:ssm:local-1:000000000000:parameter/"

struct fixture {
        char dir[32];
        char *db, *key;
        struct fg_vault *v;
};

static int open_vault(struct fixture *f, struct fg_error *err)
{
        struct fg_vault_config config = {
                .db = f->db, .key = f->key, .region = "local-1", .account = "000000000000"
        };

        return fg_vault_open(&config, &f->v, err);
}

static int setup(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));
        struct fg_error err = FG_ERROR_INIT;

        (void)snprintf(f->dir, sizeof(f->dir), "/tmp/fgrun-vault-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        f->db = fg_asprintf("%s/secrets.db", f->dir);
        f->key = fg_asprintf("%s/key", f->dir);
        assert_int_equal(open_vault(f, &err), 0);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        fg_vault_free(f->v);
        assert_int_equal(fg_rm_rf(f->dir, &err), 0);
        free(f->db);
        free(f->key);
        free(f);
        return 0;
}

static char *create(struct fixture *f, const char *name, const char *value)
{
        struct fg_secret_input in = { .id = name, .value = value, .len = strlen(value) };
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *out = fg_secret_create(f->v, &in, &err);

        assert_non_null(out);
        return fg_strdup(fg_json_str(out, "ARN"));
}

static void put(struct fixture *f, const char *id, const char *version, const char *value)
{
        struct fg_secret_input in = {
                .id = id, .version = version, .value = value, .len = strlen(value)
        };
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *out = fg_secret_put(f->v, &in, &err);

        assert_non_null(out);
}

static void expect(struct fixture *f, const char *from, const char *value)
{
        fg_autosecret got = FG_SECRET_INIT;
        struct fg_error err = FG_ERROR_INIT;

        if (fg_value_from_resolve(f->v, from, &got, &err) < 0)
                fail_msg("%s: %s", from, err.msg);
        assert_string_equal(got.data, value);
}

static void expect_error(struct fixture *f, const char *from, const char *text)
{
        fg_autosecret got = FG_SECRET_INIT;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_value_from_resolve(f->v, from, &got, &err), -1);
        assert_non_null(strstr(err.msg, text));
        assert_null(got.data);
}

static void test_versions_and_stages(void **state)
{
        struct fixture *f = *state;
        fg_autofree char *arn = create(f, "app/db", "one");
        fg_autofree char *partial = fg_strdup(ARN "app/db");
        fg_autofree char *previous = fg_asprintf("%s::AWSPREVIOUS:", arn);
        fg_autofree char *by_id = fg_asprintf("%s:::" TOKEN, arn);

        expect(f, arn, "one");
        expect(f, partial, "one");
        put(f, "app/db", TOKEN, "two");
        expect(f, arn, "two");
        expect(f, previous, "one");
        expect(f, by_id, "two");
        put(f, arn, TOKEN, "two"); /* again: the same */
        expect(f, previous, "one");
        put(f, "app/db", NULL, "three");
        expect(f, arn, "three");
        expect(f, previous, "two");
        expect_error(f, ARN "app/other", "can't find the specified secret");
        expect_error(f, "arn:aws:secretsmanager:eu-west-1:1:secret:app/db", "region and account");
}

static void test_a_version_keeps_its_value(void **state)
{
        struct fixture *f = *state;
        fg_autofree char *arn = create(f, "a", "one");
        struct fg_secret_input in = { .id = "a", .version = TOKEN, .value = "two", .len = 3 };
        struct fg_error err = FG_ERROR_INIT;

        put(f, "a", TOKEN, "one and a half");
        assert_null(fg_secret_put(f->v, &in, &err));
        assert_int_equal(err.code, FG_ERR_CONFLICT);
        assert_int_equal(err.sys, EEXIST);
        assert_null(strstr(err.msg, "half"));
        expect(f, arn, "one and a half");
}

static void test_json_key(void **state)
{
        struct fixture *f = *state;
        fg_autofree char *arn = create(f, "j", "{\"user\":\"me\",\"port\":5432}");
        fg_autofree char *plain = create(f, "p", "not-json-but-secret");
        fg_autofree char *user = fg_asprintf("%s:user::", arn);
        fg_autofree char *port = fg_asprintf("%s:port:AWSCURRENT:", arn);
        fg_autofree char *none = fg_asprintf("%s:password::", arn);
        fg_autofree char *bad = fg_asprintf("%s:user::", plain);
        struct fg_error err = FG_ERROR_INIT;
        fg_autosecret got = FG_SECRET_INIT;

        expect(f, user, "me");
        expect(f, port, "5432");
        expect_error(f, none, "did not contain json key password");
        assert_int_equal(fg_value_from_resolve(f->v, bad, &got, &err), -1);
        assert_null(strstr(err.msg, "but-secret"));
}

static void test_deletion(void **state)
{
        struct fixture *f = *state;
        fg_autofree char *arn = create(f, "gone", "x");
        struct fg_secret_input in = { .id = "gone", .value = "y", .len = 1 };
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *out = fg_secret_delete(f->v, arn, 7, &err);

        assert_non_null(out);
        json_object_put(out);
        expect_error(f, arn, "marked for deletion");
        assert_null(fg_secret_create(f->v, &in, &err));
        assert_int_equal(err.sys, EBUSY);
        out = fg_secret_restore(f->v, "gone", &err);
        json_object_put(out);
        expect(f, arn, "x");
        out = fg_secret_delete(f->v, "gone", 0, &err);
        json_object_put(out);
        expect_error(f, arn, "can't find");
        out = fg_secret_create(f->v, &in, &err);
        assert_non_null(out);
        json_object_put(out);
}

static void test_arn_of_elsewhere(void **state)
{
        struct fixture *f = *state;
        struct fg_secret_input in = {
                .id = "from-aws", .arn = ARN "from-aws-AbCdEf", .value = "v", .len = 1
        };
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *out = fg_secret_create(f->v, &in, &err);

        assert_non_null(out);
        json_object_put(out);
        expect(f, ARN "from-aws-AbCdEf", "v");
        expect_error(f, ARN "from-aws-AbCdEg", "can't find");
        in.id = "other";
        assert_null(fg_secret_create(f->v, &in, &err));
        assert_int_equal(err.code, FG_ERR_INVALID);
}

static void test_names(void **state)
{
        struct fixture *f = *state;
        static const char *const bad[] = { "", "a b", "a\nb", "a:b" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(bad); i++) {
                struct fg_secret_input in = { .id = bad[i], .value = "v", .len = 1 };
                struct fg_error err = FG_ERROR_INIT;

                assert_null(fg_secret_create(f->v, &in, &err));
                assert_int_equal(err.code, FG_ERR_INVALID);
        }
}

static struct json_object *put_parameter(struct fixture *f, const char *name, const char *type,
                                         const char *value, bool overwrite, struct fg_error *err)
{
        struct fg_parameter_input in = { .name = name,
                                         .type = type,
                                         .value = value,
                                         .len = strlen(value),
                                         .overwrite = overwrite };

        return fg_parameter_put(f->v, &in, err);
}

static void test_parameters(void **state)
{
        struct fixture *f = *state;
        /* So long that what is random does not contain it by chance, as base64 may a short word. */
        static const char hush[] = "hushNobodyMaySeeThis";
        struct fg_error err = FG_ERROR_INIT;
        fg_autosecret value = FG_SECRET_INIT;
        fg_autojson *one = put_parameter(f, "/app/port", "String", "80", false, &err);
        fg_autojson *two = put_parameter(f, "/app/port", NULL, "81", true, &err);
        fg_autojson *secure = put_parameter(f, "plain", "SecureString", hush, false, &err);
        fg_autojson *got = NULL, *list = NULL;

        assert_int_equal(fg_json_int(one, "Version", 0), 1);
        assert_int_equal(fg_json_int(two, "Version", 0), 2);
        assert_non_null(secure);
        expect(f, "/app/port", "81");
        expect(f, "/app/port:1", "80");
        expect(f, SSM_ARN "app/port", "81");
        expect(f, SSM_ARN "plain", hush);
        expect(f, "plain", hush);
        expect_error(f, "/app/port:3", "could not find version 3 of /app/port");
        expect_error(f, "/app/port:blue", "could not find label blue of /app/port");
        expect_error(f, "/app/port:1:1", "could not find label 1:1 of /app/port");
        expect_error(f, SSM_ARN "app/port:3", "could not find version 3 of /app/port");
        expect_error(f, "nothing:1", "Parameter nothing not found");
        expect_error(f, "nothing", "Parameter nothing not found");
        assert_null(put_parameter(f, "plain", "String", "x", false, &err));
        assert_int_equal(err.sys, EEXIST);
        assert_null(put_parameter(f, "new", NULL, "x", true, &err));
        assert_null(put_parameter(f, "a/b", "String", "x", false, &err));
        assert_null(put_parameter(f, "/aws/b", "String", "x", false, &err));
        got = fg_parameter_get(f->v, "plain", false, &value, &err);
        assert_non_null(got);
        assert_null(strstr(value.data, hush));
        list = fg_parameter_list(f->v, NULL, "/app/", "", NULL, 10, &err);
        assert_int_equal(json_object_array_length(list), 1);
        assert_int_equal(fg_parameter_delete(f->v, SSM_ARN "plain", &err), 0);
        expect_error(f, "plain", "not found");
}

static void expect_tags(struct fixture *f, enum fg_value_kind kind, const char *id,
                        const char *expected)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *tags = fg_vault_tags(f->v, kind, id, &err);

        assert_non_null(tags);
        assert_string_equal(fg_json_text(tags), expected);
}

static int change_tags(struct fixture *f, enum fg_value_kind kind, const char *id, const char *set,
                       const char *drop, struct fg_error *err)
{
        fg_autojson *s = set ? fg_json_parse(set, strlen(set), err) : NULL;
        fg_autojson *d = drop ? fg_json_parse(drop, strlen(drop), err) : NULL;
        const struct fg_vault_tagging tagging = { .set = s, .drop = d };

        return fg_vault_tag(f->v, kind, id, &tagging, err);
}

static void test_tags(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *one = put_parameter(f, "/a", "String", "1", false, &err);
        fg_autofree char *arn = create(f, "s", "x");
        fg_autojson *many = json_object_new_array();
        const struct fg_vault_tagging tagging = { .set = many };

        assert_non_null(one);
        assert_non_null(arn);
        for (enum fg_value_kind kind = FG_VALUE_SECRET; kind <= FG_VALUE_PARAMETER; kind++) {
                const char *id = kind == FG_VALUE_SECRET ? "s" : SSM_ARN "a";

                expect_tags(f, kind, id, "[]");
                assert_int_equal(change_tags(f, kind, id,
                                             "[{\"Key\":\"a\",\"Value\":\"1\"},"
                                             "{\"Key\":\"b\"}]",
                                             NULL, &err),
                                 0);
                assert_int_equal(change_tags(f, kind, id,
                                             "[{\"Key\":\"a\",\"Value\":\"2\"},"
                                             "{\"Key\":\"c\",\"Value\":\"3\"}]",
                                             "[\"b\",\"none\"]", &err),
                                 0);
                expect_tags(f, kind, id,
                            "[{\"Key\":\"a\",\"Value\":\"2\"},"
                            "{\"Key\":\"c\",\"Value\":\"3\"}]");
                assert_int_equal(change_tags(f, kind, id, "[{\"Key\":\"AWS:x\"}]", NULL, &err), -1);
                assert_int_equal(
                        change_tags(f, kind, id, "[{\"Key\":\"x\"},{\"Key\":\"x\"}]", NULL, &err),
                        -1);
                assert_int_equal(change_tags(f, kind, "none", NULL, "[]", &err), -1);
                assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        }
        for (int i = 0; i < 49; i++) { /* with a and c 51 */
                struct json_object *tag = json_object_new_object();
                char key[8];

                (void)snprintf(key, sizeof(key), "k%d", i);
                fg_json_set_str(tag, "Key", key);
                json_object_array_add(many, tag);
        }
        assert_int_equal(fg_vault_tag(f->v, FG_VALUE_PARAMETER, "/a", &tagging, &err), -1);
        assert_int_equal(err.sys, E2BIG);
        (void)json_object_array_del_idx(many, 48, 1);
        assert_int_equal(fg_vault_tag(f->v, FG_VALUE_PARAMETER, "/a", &tagging, &err), 0);
}

/* Neither the database nor its log shows a value, and another key does not open it. */
static void test_what_lies_on_disk(void **state)
{
        struct fixture *f = *state;
        static const char *const files[] = { "secrets.db", "secrets.db-wal", "key" };
        fg_autofree char *arn = create(f, "s", "plain-value-that-must-not-be-seen");
        struct fg_error err = FG_ERROR_INIT;

        for (size_t i = 0; i < FG_ARRAY_SIZE(files); i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf bytes = FG_BUF_INIT(16u << 20);
                fg_autofree char *path = fg_asprintf("%s/%s", f->dir, files[i]);
                struct stat st;

                assert_int_equal(fg_buf_read_file(&bytes, path, &err), 0);
                assert_true(bytes.len > 0);
                assert_null(memmem(bytes.data, bytes.len, "must-not-be", 11));
                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 077, 0);
        }
        fg_vault_free(fg_take_ptr(f->v));
        assert_int_equal(open_vault(f, &err), 0);
        expect(f, arn, "plain-value-that-must-not-be-seen");
        fg_vault_free(fg_take_ptr(f->v));
        assert_int_equal(unlink(f->key), 0);
        assert_int_equal(open_vault(f, &err), -1); /* a lost key is not replaced in silence */
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        assert_false(fg_exists(f->key));
}

static void test_value_from(void **state)
{
        static const char *const bad[] = { "",        "arn:aws:s3:::x", ARN,
                                           ARN "n:k", ARN "n:k:s:v:x",  "arn:aws:ssm:r:a:x" };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(bad); i++) {
                struct fg_value_from from;
                struct fg_error err = FG_ERROR_INIT;

                assert_int_equal(fg_value_from_parse(bad[i], &from, &err), -1);
                assert_int_equal(err.code, FG_ERR_INVALID);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_versions_and_stages, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_version_keeps_its_value, setup, teardown),
                cmocka_unit_test_setup_teardown(test_json_key, setup, teardown),
                cmocka_unit_test_setup_teardown(test_deletion, setup, teardown),
                cmocka_unit_test_setup_teardown(test_arn_of_elsewhere, setup, teardown),
                cmocka_unit_test_setup_teardown(test_names, setup, teardown),
                cmocka_unit_test_setup_teardown(test_parameters, setup, teardown),
                cmocka_unit_test_setup_teardown(test_tags, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_lies_on_disk, setup, teardown),
                cmocka_unit_test(test_value_from),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

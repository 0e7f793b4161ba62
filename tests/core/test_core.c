/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/db.h"
#include "core/digest.h"
#include "core/fs.h"
#include "core/id.h"
#include "core/json.h"
#include "core/lane.h"
#include "core/process.h"
#include "core/str.h"

static void test_error_context(void **state)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        assert_int_equal(fg_fail_errno(&err, ENOENT, "open %s", "x"), -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        fg_wrap(&err, "load %d", 7);
        assert_string_equal(err.msg, "load 7: open x: No such file or directory");
        assert_int_equal(fg_err_from_exception("ConflictException"), FG_ERR_CONFLICT);
        assert_int_equal(fg_err_from_exception("Nonsense"), FG_ERR_INTERNAL);
        assert_int_equal(fg_err_from_exception("InvalidSignatureException"), FG_ERR_DENIED);
        assert_int_equal(fg_err_from_exception("ServiceUnavailable"), FG_ERR_CAPACITY);
}

static void test_buf_cap(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(8);
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        assert_int_equal(fg_buf_append(&b, "12345678", 8, &err), 0);
        assert_int_equal(fg_buf_append(&b, "9", 1, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
        assert_string_equal(b.data, "12345678");
        fg_buf_consume(&b, 5);
        assert_string_equal(b.data, "678");
        assert_int_equal(fg_buf_printf(&b, &err, "%s", "abcde"), 0);
        assert_string_equal(b.data, "678abcde");
}

static void test_json_strict(void **state)
{
        static const char *const bad[] = { "",
                                           "{",
                                           "{}x",
                                           "[1,]",
                                           "{'a':1}",
                                           "nul",
                                           "{\"a\":01}",
                                           "\xff",
                                           "{\"a\":1,\"a\":1}",
                                           "[{\"b\":{\"c\":1,\"c\":{}}}]",
                                           "\"\\ud83d\"",
                                           "\"\\udE00\"",
                                           "\"\\ude00\\ud83d\"",
                                           "\"\\\\\\ud83d",
                                           "{\"\\ud83dx\":1}" };
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(bad); i++) {
                assert_null(fg_json_parse(bad[i], strlen(bad[i]), &err));
                assert_int_equal(err.code, FG_ERR_INVALID);
        }
        assert_null(fg_json_parse("{\n \"a\": }", 9, &err));
        assert_non_null(strstr(err.msg, "line 2"));
}

static void test_json_values(void **state)
{
        static const char text[] = " {\"s\":\"x\",\"n\":5,\"b\":true,\"o\":{},\"z\":null} \n";
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *obj = fg_json_parse(text, sizeof(text) - 1, &err);
        fg_autojson *number = fg_json_parse("12", 2, &err);

        (void)state;
        assert_non_null(obj);
        assert_non_null(number);
        assert_string_equal(fg_json_str(obj, "s"), "x");
        assert_null(fg_json_str(obj, "n"));
        assert_int_equal(fg_json_int(obj, "n", -1), 5);
        assert_int_equal(fg_json_int(obj, "s", -1), -1);
        assert_true(fg_json_bool(obj, "b", false));
        assert_non_null(fg_json_obj(obj, "o"));
        assert_null(fg_json_get(obj, "z"));
}

static void test_json_escapes(void **state)
{
        static const char text[] = "{\"s\":\"\\ud83d\\uDE00\\\\ud83d\\u00e9\"}";
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *obj = fg_json_parse(text, sizeof(text) - 1, &err);

        (void)state;
        assert_non_null(obj);
        assert_string_equal(fg_json_str(obj, "s"), "\xf0\x9f\x98\x80\\ud83d\xc3\xa9");
}

static void test_json_text_is_always_utf8(void **state)
{
        fg_autojson *obj = json_object_new_object();

        (void)state;
        fg_json_set_str(obj, "s", "gr\xc3\xbc\xc3");
        assert_string_equal(fg_json_str(obj, "s"), "gr\xc3\xbc?");
        fg_json_set_str(obj, "s", "\xff\xf0\x9f\x98\x80 \xf0\x9f\x98 \xc0\x80.");
        assert_string_equal(fg_json_str(obj, "s"), "?\xf0\x9f\x98\x80 ??? ??.");
}

static void test_strings(void **state)
{
        uint64_t n = 7;

        (void)state;
        assert_true(fg_parse_u64("18446744073709551615", &n));
        assert_true(n == UINT64_MAX);
        assert_false(fg_parse_u64("18446744073709551616", &n));
        assert_false(fg_parse_u64("", &n));
        assert_false(fg_parse_u64("-1", &n));
        assert_int_equal(fg_edit_distance("comand", "command"), 1);
        assert_int_equal(fg_edit_distance("nmae", "name"), 1);
        assert_true(fg_utf8_valid("gr\xc3\xbc\xc3\x9f", 6));
        assert_false(fg_utf8_valid("\xc0\x80", 2));
        assert_false(fg_utf8_valid("\xed\xa0\x80", 3));
        assert_false(fg_utf8_valid("\xc3", 1));
}

static void test_times(void **state)
{
        char text[FG_RFC3339_MAX];

        (void)state;
        fg_rfc3339(UINT64_C(1700000000123000000), text);
        assert_string_equal(text, "2023-11-14T22:13:20.123Z");
        assert_true(fg_rfc3339_parse(text) == UINT64_C(1700000000123000000));
        assert_true(fg_rfc3339_parse("2023-11-14T23:13:20+01:00") == UINT64_C(1700000000000000000));
        assert_true(fg_rfc3339_parse("1700000000.5") == UINT64_C(1700000000500000000));
        assert_true(fg_rfc3339_parse("yesterday") == 0);
        assert_true(fg_rfc3339_parse("2023-11-14T22:13:20") == 0);
}

static void test_ids_and_digests(void **state)
{
        char id[FG_ID_LEN + 1], again[FG_ID_LEN + 1], uuid[FG_UUID_LEN + 1],
                digest[FG_DIGEST_LEN + 1];

        (void)state;
        fg_id_new(id);
        assert_true(fg_id_valid(id));
        fg_id_to_uuid(id, uuid);
        assert_true(fg_id_from_uuid(uuid, again));
        assert_string_equal(id, again);
        assert_false(fg_id_from_uuid("------------------------------------", again));
        fg_digest_of("abc", 3, digest);
        assert_string_equal(
                digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_true(fg_digest_valid(digest));
        assert_false(fg_digest_valid("sha256:BA"));
}

/* /dev/shm is memory, /tmp may be: a file to or from one of them crosses, if the other is a disk.
 */
static void test_copy_between_file_systems(const char *file)
{
        fg_autofree char *copy = fg_asprintf("/dev/shm/fgrun-copy-%d", (int)getpid());
        fg_cleanup(fg_buf_finish) struct fg_buf here = FG_BUF_INIT(16 << 20);
        fg_cleanup(fg_buf_finish) struct fg_buf there = FG_BUF_INIT(16 << 20);
        struct fg_error err = FG_ERROR_INIT;
        struct stat st;
        int r = fg_copy_sparse(file, copy, 0600, &err);

        if (r == 0)
                r = fg_buf_read_file(&there, copy, &err) < 0 || stat(copy, &st) < 0 ? -1 : 0;
        (void)unlink(copy);
        assert_int_equal(r, 0);
        assert_int_equal(fg_buf_read_file(&here, file, &err), 0);
        assert_int_equal(here.len, there.len);
        assert_memory_equal(here.data, there.data, here.len);
        assert_true(st.st_blocks * 512 < 1 << 20);
}

static void test_files(void **state)
{
        char dir[] = "/tmp/fgrun-core-XXXXXX";
        struct fg_error err = FG_ERROR_INIT;
        fg_autofree char *file = NULL, *copy = NULL;
        struct stat st;
        int fd;

        (void)state;
        assert_non_null(mkdtemp(dir));
        file = fg_asprintf("%s/a/b/file", dir);
        copy = fg_asprintf("%s/copy", dir);
        assert_int_equal(fg_write_file(file, "x", 1, 0600, &err), -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        *strrchr(file, '/') = '\0';
        assert_int_equal(fg_mkdir_p(file, 0700, &err), 0);
        file[strlen(file)] = '/';
        assert_int_equal(fg_write_file(file, "data", 4, 0640, &err), 0);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(truncate(file, 8 << 20), 0);
        assert_int_equal(fg_copy_sparse(file, copy, 0600, &err), 0);
        assert_int_equal(stat(copy, &st), 0);
        assert_int_equal(st.st_size, 8 << 20);
        assert_true(st.st_blocks * 512 < 1 << 20);
        test_copy_between_file_systems(file);
        fd = fg_lock_file(copy, &err);
        assert_true(fd >= 0);
        assert_int_equal(fg_lock_file(copy, &err), -1);
        assert_int_equal(err.code, FG_ERR_CONFLICT);
        (void)close(fd);
        assert_int_equal(fg_rm_rf(dir, &err), 0);
        assert_false(fg_exists(dir));
        assert_int_equal(fg_rm_rf(dir, &err), 0);
}

static void test_db(void **state)
{
        static const char *const v1[] = { "CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER) STRICT",
                                          NULL };
        static const char *const v0[] = { NULL };
        char dir[] = "/tmp/fgrun-db-XXXXXX";
        struct fg_error err = FG_ERROR_INIT;
        fg_autofree char *path = NULL;

        (void)state;
        assert_non_null(mkdtemp(dir));
        path = fg_asprintf("%s/db", dir);
        for (int round = 0; round < 2; round++) {
                fg_cleanup(fg_db_closep) sqlite3 *db = NULL;
                fg_autostmt *stmt = NULL;

                assert_int_equal(fg_db_open(path, v1, &db, &err), 0);
                assert_int_equal(fg_db_run(db, &err, "INSERT OR REPLACE INTO t VALUES (?, ?)", "si",
                                           "k", INT64_C(5) + round),
                                 1);
                /* The statement that was kept, with what fails, and again with what does not. */
                assert_int_equal(fg_db_run(db, &err, "INSERT OR REPLACE INTO t VALUES (?, ?)", "ss",
                                           "other", "text"),
                                 -1);
                assert_int_equal(fg_db_run(db, &err, "INSERT OR REPLACE INTO t VALUES (?, ?)", "si",
                                           "other", INT64_C(1)),
                                 1);
                assert_int_equal(
                        fg_db_prepare(db, &stmt, &err, "SELECT v FROM t WHERE k = ?", "s", "k"), 0);
                assert_int_equal(fg_db_step(stmt, &err), 1);
                assert_int_equal(sqlite3_column_int(stmt, 0), 5 + round);
                assert_int_equal(fg_db_step(stmt, &err), 0);
                assert_int_equal(fg_db_exec(db, "nonsense", &err), -1);
        }
        {
                fg_cleanup(fg_db_closep) sqlite3 *db = NULL;

                assert_int_equal(fg_db_open(path, v0, &db, &err), -1);
                assert_int_equal(err.code, FG_ERR_CONFLICT);
        }
        assert_int_equal(fg_rm_rf(dir, &err), 0);
}

static void test_spawn(void **state)
{
        const char *const ok[] = { "sh", "-c", "echo out; echo err >&2; exit 3", NULL };
        const char *const killed[] = { "sh", "-c", "kill -9 $$", NULL };
        const char *const none[] = { "/nonexistent/program", NULL };
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(4096);
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        assert_int_equal(fg_spawn(ok, &out, &err), 3);
        assert_string_equal(out.data, "out\nerr\n");
        assert_int_equal(fg_spawn(killed, NULL, &err), 137);
        assert_int_equal(fg_spawn(none, NULL, &err), -1);
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
}

struct square {
        struct fg_job job;
        int value;
        int *sum, *left;
        sd_event *event;
};

static void square_work(struct fg_job *job)
{
        struct square *s = FG_CONTAINER_OF(job, struct square, job);

        s->value *= s->value;
}

static void square_done(struct fg_job *job)
{
        struct square *s = FG_CONTAINER_OF(job, struct square, job);

        *s->sum += s->value;
        if (--*s->left == 0)
                sd_event_exit(s->event, 0);
        free(s);
}

static struct square *square_new(int value, int *sum, int *left, sd_event *event)
{
        struct square *s = fg_calloc(1, sizeof(*s));

        *s = (struct square){ .job = { .work = square_work, .done = square_done },
                              .value = value,
                              .sum = sum,
                              .left = left,
                              .event = event };
        return s;
}

static void test_lane(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_lane *lane = NULL;
        sd_event *event = NULL;
        int sum = 0, left = 100;

        (void)state;
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(fg_lane_new(event, "test", 3, &lane, &err), 0);
        for (int i = 1; i <= 100; i++)
                fg_lane_submit(lane, &square_new(i, &sum, &left, event)->job);
        assert_int_equal(sd_event_loop(event), 0);
        assert_int_equal(sum, 338350);
        /* What is still queued when the lane goes is finished, not lost. */
        left = 2;
        fg_lane_submit(lane, &square_new(1, &sum, &left, event)->job);
        fg_lane_free(lane);
        assert_int_equal(left, 1);
        assert_int_equal(sum, 338351);
        sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_error_context),
                cmocka_unit_test(test_buf_cap),
                cmocka_unit_test(test_json_strict),
                cmocka_unit_test(test_json_values),
                cmocka_unit_test(test_json_escapes),
                cmocka_unit_test(test_json_text_is_always_utf8),
                cmocka_unit_test(test_strings),
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_ids_and_digests),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_db),
                cmocka_unit_test(test_spawn),
                cmocka_unit_test(test_lane),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

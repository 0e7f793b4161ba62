/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "billing/billing.h"
#include "core/clock.h"
#include "core/db.h"
#include "core/fs.h"
#include "core/str.h"

#define DAY0 (UINT64_C(19675) * 86400 * FG_NS_PER_SEC) /* 2023-11-14, 00:00 UTC */
#define SEC  FG_NS_PER_SEC

static const char *const migrations[] = { fg_billing_schema, NULL };

struct fixture {
        char dir[32];
        char path[64];
        sqlite3 *db;
        struct fg_prices *prices;
};

static void reopen(struct fixture *f)
{
        struct fg_error err = FG_ERROR_INIT;

        fg_db_close(f->db);
        f->db = NULL;
        if (fg_db_open(f->path, migrations, &f->db, &err) < 0)
                fail_msg("%s", err.msg);
}

static int setup(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));

        snprintf(f->dir, sizeof(f->dir), "/tmp/fg-ledger-XXXXXX");
        if (!mkdtemp(f->dir))
                return -1;
        snprintf(f->path, sizeof(f->path), "%s/db", f->dir);
        f->prices = fg_prices_default();
        reopen(f);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        fg_db_close(f->db);
        fg_prices_free(f->prices);
        (void)fg_rm_rf(f->dir, &err);
        free(f);
        return 0;
}

static void meter_open(struct fixture *f, const char *task, const char *family, uint64_t start)
{
        struct fg_error err = FG_ERROR_INIT;

        if (fg_meter_open(f->db, task, family, 256, 512, 20, start, &err) < 0)
                fail_msg("%s", err.msg);
}

static int meter_close(struct fixture *f, const char *task, uint64_t end)
{
        struct fg_error err = FG_ERROR_INIT;
        int r = fg_meter_close(f->db, f->prices, task, end, &err);

        if (r < 0)
                fail_msg("%s", err.msg);
        return r;
}

static int64_t count(struct fixture *f, const char *sql)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autostmt *stmt = NULL;

        assert_int_equal(fg_db_prepare(f->db, &stmt, &err, sql, ""), 0);
        assert_int_equal(fg_db_step(stmt, &err), 1);
        return sqlite3_column_int64(stmt, 0);
}

static struct json_object *report(struct fixture *f, const char *by, uint64_t since, uint64_t until,
                                  uint64_t now)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *r = fg_meter_report(f->db, f->prices, by, since, until, now, &err);

        if (!r)
                fail_msg("%s", err.msg);
        return r;
}

static void test_open_close_once(void **state)
{
        struct fixture *f = *state;

        meter_open(f, "a", "web", DAY0);
        meter_open(f, "a", "other", DAY0 + 30 * SEC); /* the first start wins */
        assert_int_equal(meter_close(f, "a", DAY0 + 100 * SEC), 1);
        assert_int_equal(meter_close(f, "a", DAY0 + 900 * SEC), 0); /* the first end wins */
        assert_int_equal(meter_close(f, "never", DAY0), 0);
        meter_open(f, "a", "web", DAY0 + 200 * SEC); /* a closed meter stays closed */
        assert_int_equal(count(f, "SELECT count(*) FROM meter"), 0);
        assert_int_equal(count(f, "SELECT count(*) FROM ledger"), 1);
        assert_int_equal(count(f, "SELECT seconds FROM ledger WHERE family = 'web'"), 100);
        assert_int_equal(count(f, "SELECT cost_pico FROM ledger"), 342847222);
}

static void test_in_callers_transaction(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_db_exec(f->db, "BEGIN", &err), 0);
        meter_open(f, "a", "web", DAY0);
        assert_int_equal(meter_close(f, "a", DAY0 + SEC), 1);
        assert_int_equal(fg_db_exec(f->db, "ROLLBACK", &err), 0);
        assert_int_equal(count(f, "SELECT count(*) FROM ledger"), 0);
        assert_int_equal(count(f, "SELECT count(*) FROM meter"), 0);

        assert_int_equal(fg_db_exec(f->db, "BEGIN", &err), 0);
        meter_open(f, "a", "web", DAY0);
        assert_int_equal(meter_close(f, "a", DAY0 + SEC), 1);
        assert_int_equal(fg_db_exec(f->db, "COMMIT", &err), 0);
        reopen(f);
        assert_int_equal(count(f, "SELECT count(*) FROM ledger"), 1);
}

static void test_append_only(void **state)
{
        static const char *const forbidden[] = {
                "UPDATE ledger SET cost_pico = 0",
                "DELETE FROM ledger",
                "DELETE FROM ledger WHERE task = 'a'",
                "REPLACE INTO ledger SELECT * FROM ledger",
                ("INSERT OR REPLACE INTO ledger SELECT line + 10, task, family, cpu_units,"
                 " memory_mib, storage_gib, start_ns, end_ns, 0, 0, 0, 0, '', 0 FROM ledger"),
                "INSERT INTO ledger SELECT * FROM ledger ON CONFLICT DO UPDATE SET seconds = 0",
                "DELETE FROM meter",
                "UPDATE meter SET start_ns = 0",
                "REPLACE INTO meter SELECT task, family, 1, 1, 1, 1 FROM meter",
        };
        struct fixture *f = *state;

        meter_open(f, "a", "web", DAY0);
        meter_close(f, "a", DAY0 + 70 * SEC);
        meter_open(f, "b", "web", DAY0);
        for (size_t i = 0; i < FG_ARRAY_SIZE(forbidden); i++) {
                struct fg_error err = FG_ERROR_INIT;

                if (fg_db_exec(f->db, forbidden[i], &err) == 0)
                        fail_msg("allowed: %s", forbidden[i]);
        }
        assert_int_equal(count(f, "SELECT sum(seconds) FROM ledger"), 70);
        assert_int_equal(count(f, "SELECT start_ns FROM meter"), DAY0);
}

static void test_report(void **state)
{
        struct fixture *f = *state;
        fg_autojson *by_day = NULL, *by_family = NULL, *ranged = NULL;
        static const char first[] =
                "{\"key\":\"2023-11-14\",\"tasks\":2,\"seconds\":160,\"vcpuMs\":40000,"
                "\"memoryMibMs\":81920000,\"storageMibMs\":0,\"cost\":\"$0.000548556\","
                "\"costPico\":548555555,\"open\":false}";
        static const char total[] =
                "{\"tasks\":3,\"seconds\":280,\"vcpuMs\":70000,\"memoryMibMs\":143360000,"
                "\"storageMibMs\":0,\"cost\":\"$0.000959972\",\"costPico\":959972222,"
                "\"open\":true}";

        meter_open(f, "a", "web", DAY0);
        meter_close(f, "a", DAY0 + 100 * SEC);
        meter_open(f, "b", "db", DAY0 + 86399 * SEC);
        meter_close(f, "b", DAY0 + 86400 * SEC);
        meter_open(f, "c", "web", DAY0 + 86400 * SEC);

        by_day = report(f, "day", 0, 0, DAY0 + 86520 * SEC);
        assert_int_equal(json_object_array_length(fg_json_arr(by_day, "groups")), 2);
        assert_string_equal(
                fg_json_text(json_object_array_get_idx(fg_json_arr(by_day, "groups"), 0)), first);
        assert_string_equal(fg_json_text(fg_json_obj(by_day, "total")), total);
        assert_string_equal(fg_json_str(by_day, "currency"), "USD");

        by_family = report(f, "family", 0, 0, DAY0 + 86520 * SEC);
        assert_string_equal(
                fg_json_str(json_object_array_get_idx(fg_json_arr(by_family, "groups"), 1), "key"),
                "web");
        assert_string_equal(fg_json_text(fg_json_obj(by_family, "total")), total);

        ranged = report(f, "task", DAY0 + 86399 * SEC, DAY0 + 86400 * SEC, DAY0);
        assert_int_equal(fg_json_int(fg_json_obj(ranged, "total"), "tasks", -1), 1);
        assert_int_equal(fg_json_int(fg_json_obj(ranged, "total"), "seconds", -1), 60);
}

static void test_report_empty_and_invalid(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *r = report(f, "task", 0, 0, DAY0);

        assert_int_equal(json_object_array_length(fg_json_arr(r, "groups")), 0);
        assert_string_equal(fg_json_str(fg_json_obj(r, "total"), "cost"), "$0.000000000");
        assert_null(fg_meter_report(f->db, f->prices, "1; DROP TABLE ledger", 0, 0, 0, &err));
        assert_int_equal(err.code, FG_ERR_INVALID);
}

static void test_task(void **state)
{
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *open = NULL, *closed = NULL;

        meter_open(f, "a", "web", DAY0);
        open = fg_meter_task(f->db, f->prices, "a", DAY0 + 61 * SEC + 1, &err);
        assert_string_equal(fg_json_text(open),
                            "{\"seconds\":62,\"vcpuMs\":15500,\"memoryMibMs\":31744000,"
                            "\"storageMibMs\":0,\"cost\":\"$0.000212565\",\"costPico\":212565278,"
                            "\"open\":true}");
        meter_close(f, "a", DAY0 + 62 * SEC);
        closed = fg_meter_task(f->db, f->prices, "a", DAY0 + 999 * SEC, &err);
        assert_int_equal(fg_json_int(closed, "seconds", -1), 62);
        assert_false(fg_json_bool(closed, "open", true));
        assert_null(fg_meter_task(f->db, f->prices, "b", DAY0, &err));
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
}

/* However tasks are grouped, the groups add up to the total and to the lines themselves. */
static void test_groups_add_up(void **state)
{
        static const char *const fields[] = { "tasks",       "seconds",      "vcpuMs",
                                              "memoryMibMs", "storageMibMs", "costPico" };
        static const char *const ways[] = { "task", "family", "day" };
        struct fixture *f = *state;
        struct fg_error err = FG_ERROR_INIT;
        char task[16], family[16];

        srandom(7);
        assert_int_equal(fg_db_exec(f->db, "BEGIN", &err), 0);
        for (int i = 0; i < 500; i++) {
                uint64_t start = DAY0 + (uint64_t)(random() % 864000) * SEC;

                snprintf(task, sizeof(task), "t%d", i);
                snprintf(family, sizeof(family), "f%ld", random() % 7);
                assert_int_equal(fg_meter_open(f->db, task, family, 256u << (random() % 5),
                                               512u * (1 + (unsigned)random() % 60),
                                               20 + (unsigned)random() % 100, start, &err),
                                 0);
                if (random() % 4)
                        meter_close(f, task, start + (uint64_t)random() * 1000);
        }
        assert_int_equal(fg_db_exec(f->db, "COMMIT", &err), 0);
        for (size_t w = 0; w < FG_ARRAY_SIZE(ways); w++) {
                fg_autojson *r = report(f, ways[w], 0, 0, DAY0 + 864000 * SEC);
                struct json_object *groups = fg_json_arr(r, "groups");

                assert_int_equal(fg_json_int(fg_json_obj(r, "total"), "tasks", 0), 500);
                for (size_t i = 0; i < FG_ARRAY_SIZE(fields); i++) {
                        int64_t sum = 0;

                        for (size_t g = 0; g < json_object_array_length(groups); g++)
                                sum += fg_json_int(json_object_array_get_idx(groups, g), fields[i],
                                                   0);
                        assert_int_equal(sum, fg_json_int(fg_json_obj(r, "total"), fields[i], -1));
                }
        }
}

/* ---- kill -9 at any moment ---- */

enum { PER_ROUND = 200, ROUNDS = 25 };

static void ack(int fd, const char *sign)
{
        if (write(fd, sign, 1) != 1)
                _exit(1);
}

/* Opens and closes meters, one commit each and some of them twice; tells of each commit. */
static void child_main(const char *path, int round, int fd)
{
        struct fixture f = { .prices = fg_prices_default() };
        struct fg_error err = FG_ERROR_INIT;
        char task[32];

        if (fg_db_open(path, migrations, &f.db, &err) < 0)
                _exit(1);
        for (int i = 0; i < PER_ROUND; i++) {
                snprintf(task, sizeof(task), "%d-%d", round, i);
                if (fg_db_exec(f.db, "BEGIN IMMEDIATE", &err) < 0 ||
                    fg_meter_open(f.db, task, "f", 256, 512, 20, DAY0, &err) < 0 ||
                    fg_db_exec(f.db, "COMMIT", &err) < 0)
                        _exit(1);
                ack(fd, "o");
                for (int twice = 0; twice <= i % 2; twice++) {
                        if (fg_db_exec(f.db, "BEGIN IMMEDIATE", &err) < 0 ||
                            fg_meter_close(f.db, f.prices, task, DAY0 + 90 * SEC, &err) < 0 ||
                            fg_db_exec(f.db, "COMMIT", &err) < 0)
                                _exit(1);
                }
                ack(fd, "c");
        }
        _exit(0);
}

static void read_acks(int fd, long until, int *opened, int *closed)
{
        char sign;

        while (until-- > 0 && read(fd, &sign, 1) == 1)
                ++*(sign == 'o' ? opened : closed);
}

static void kill_round(struct fixture *f, int round, int *opened, int *closed)
{
        char sql[128];
        int fds[2], status;
        pid_t pid;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                child_main(f->path, round, fds[1]);
        (void)close(fds[1]);
        *opened = *closed = 0;
        read_acks(fds[0], 1 + random() % 60, opened, closed);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        read_acks(fds[0], PER_ROUND * 2, opened, closed); /* said before it died */
        (void)close(fds[0]);

        reopen(f);
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM meter WHERE task LIKE '%d-%%'", round);
        status = (int)count(f, sql);
        assert_in_range(status, 0, 1);
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM ledger WHERE task LIKE '%d-%%'", round);
        assert_in_range(count(f, sql), *closed, *closed + 1);
        assert_in_range(status + count(f, sql), *opened, *opened + 1);
}

static void test_kill_loses_and_doubles_nothing(void **state)
{
        struct fixture *f = *state;
        int opened, closed, acknowledged = 0;

        srandom(42);
        for (int round = 0; round < ROUNDS; round++) {
                kill_round(f, round, &opened, &closed);
                acknowledged += closed;
        }
        assert_true(acknowledged > ROUNDS);
        assert_int_equal(count(f, "SELECT count(*) FROM meter JOIN ledger USING (task)"), 0);
        assert_int_equal(count(f, "SELECT count(*) FROM ledger"),
                         count(f, "SELECT count(DISTINCT task) FROM ledger"));
        assert_int_equal(count(f, "SELECT count(*) FROM ledger WHERE seconds <> 90"), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_open_close_once),
                TEST(test_in_callers_transaction),
                TEST(test_append_only),
                TEST(test_report),
                TEST(test_report_empty_and_invalid),
                TEST(test_task),
                TEST(test_groups_add_up),
                TEST(test_kill_loses_and_doubles_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "billing/billing.h"

#include "core/db.h"
#include "core/str.h"

struct group {
        struct fg_usage usage;
        int64_t cost;
        int64_t tasks;
        bool open;
};

static void group_add(struct group *to, const struct group *g)
{
        to->usage.seconds += g->usage.seconds;
        to->usage.vcpu_ms += g->usage.vcpu_ms;
        to->usage.memory_mib_ms += g->usage.memory_mib_ms;
        to->usage.storage_mib_ms += g->usage.storage_mib_ms;
        to->cost += g->cost;
        to->tasks += g->tasks;
        to->open = to->open || g->open;
}

static void group_put(const struct group *g, struct json_object *obj)
{
        char cost[32];

        fg_money_format(g->cost, cost);
        fg_json_set_int(obj, "seconds", (int64_t)g->usage.seconds);
        fg_json_set_int(obj, "vcpuMs", (int64_t)g->usage.vcpu_ms);
        fg_json_set_int(obj, "memoryMibMs", (int64_t)g->usage.memory_mib_ms);
        fg_json_set_int(obj, "storageMibMs", (int64_t)g->usage.storage_mib_ms);
        fg_json_set_str(obj, "cost", cost);
        fg_json_set_int(obj, "costPico", g->cost);
        fg_json_set_bool(obj, "open", g->open);
}

static struct json_object *group_json(const char *key, const struct group *g)
{
        struct json_object *obj = json_object_new_object();

        fg_json_set_str(obj, "key", key);
        fg_json_set_int(obj, "tasks", g->tasks);
        group_put(g, obj);
        return obj;
}

/*
 * Rows come in two shapes, told apart by column 1: lines of the ledger already summed up by
 * SQLite (which fails on overflow rather than lie), and single open meters.
 */
#define LEDGER_SUMS                                                                                \
        "0, count(*), sum(seconds), sum(vcpu_ms), sum(memory_mib_ms), sum(storage_mib_ms),"        \
        " sum(cost_pico) FROM ledger"
#define METER_ROW "1, 1, start_ns, cpu_units, memory_mib, storage_gib, 0 FROM meter"

static void read_row(sqlite3_stmt *stmt, const struct fg_prices *p, uint64_t now_ns,
                     struct group *ret)
{
        int64_t v[7];

        for (int i = 1; i < 7; i++)
                v[i] = sqlite3_column_int64(stmt, i + 1);
        *ret = (struct group){ .open = sqlite3_column_int(stmt, 1) != 0, .tasks = v[1] };
        if (ret->open) {
                fg_usage_of((uint64_t)v[2], now_ns, (unsigned)v[3], (unsigned)v[4], (unsigned)v[5],
                            &ret->usage);
                ret->cost = fg_price_of(p, &ret->usage);
                return;
        }
        ret->usage = (struct fg_usage){ .seconds = (uint64_t)v[2],
                                        .vcpu_ms = (uint64_t)v[3],
                                        .memory_mib_ms = (uint64_t)v[4],
                                        .storage_mib_ms = (uint64_t)v[5] };
        ret->cost = v[6];
}

static const char *report_sql(const char *by)
{
#define REPORT(key)                                                                                \
        "SELECT " key ", " LEDGER_SUMS " WHERE start_ns >= ?1 AND start_ns < ?2 GROUP BY 1"        \
        " UNION ALL SELECT " key ", " METER_ROW                                                    \
        " WHERE start_ns >= ?1 AND start_ns < ?2 ORDER BY 1"

        if (fg_streq(by, "task"))
                return REPORT("task");
        if (fg_streq(by, "family"))
                return REPORT("family");
        if (fg_streq(by, "day"))
                return REPORT("date(start_ns / 1000000000, 'unixepoch')");
        return NULL;
#undef REPORT
}

/* Rows are sorted by key: a group ends where the key changes. */
static int read_groups(sqlite3_stmt *stmt, const struct fg_prices *p, uint64_t now_ns,
                       struct json_object *groups, struct group *total, struct fg_error *err)
{
        fg_autofree char *key = NULL;
        struct group group = { 0 }, row;
        int r;

        while ((r = fg_db_step(stmt, err)) > 0) {
                if (key && !fg_streq(key, fg_db_text(stmt, 0))) {
                        json_object_array_add(groups, group_json(key, &group));
                        group = (struct group){ 0 };
                        free(fg_take_ptr(key));
                }
                if (!key)
                        key = fg_strdup(fg_db_text(stmt, 0));
                read_row(stmt, p, now_ns, &row);
                group_add(&group, &row);
                group_add(total, &row);
        }
        if (r == 0 && key)
                json_object_array_add(groups, group_json(key, &group));
        return r;
}

struct json_object *fg_meter_report(sqlite3 *db, const struct fg_prices *p, const char *by,
                                    uint64_t since_ns, uint64_t until_ns, uint64_t now_ns,
                                    struct fg_error *err)
{
        fg_autojson *report = json_object_new_object();
        fg_autojson *groups = json_object_new_array();
        fg_autostmt *stmt = NULL;
        struct group total = { 0 };
        const char *sql = report_sql(by);

        if (!sql) {
                fg_fail(err, FG_ERR_INVALID, "by=%s: want task, family or day", by);
                return NULL;
        }
        if (fg_db_prepare(db, &stmt, err, sql, "ii", (int64_t)since_ns,
                          until_ns ? (int64_t)until_ns : INT64_MAX) < 0 ||
            read_groups(stmt, p, now_ns, groups, &total, err) < 0) {
                fg_wrap(err, "report usage by %s", by);
                return NULL;
        }
        fg_json_set_str(report, "by", by);
        fg_json_set_str(report, "currency", "USD");
        fg_json_set_str(report, "prices", fg_prices_name(p));
        fg_json_set(report, "groups", fg_take_ptr(groups));
        fg_json_set(report, "total", group_json(NULL, &total));
        return fg_take_ptr(report);
}

struct json_object *fg_meter_task(sqlite3 *db, const struct fg_prices *p, const char *task,
                                  uint64_t now_ns, struct fg_error *err)
{
        static const char sql[] = "SELECT task, " LEDGER_SUMS " WHERE task = ?1 GROUP BY task"
                                  " UNION ALL SELECT task, " METER_ROW " WHERE task = ?1";
        fg_autostmt *stmt = NULL;
        struct json_object *obj;
        struct group g;
        int r;

        if (fg_db_prepare(db, &stmt, err, sql, "s", task) < 0)
                return NULL;
        r = fg_db_step(stmt, err);
        if (r <= 0) {
                if (r == 0)
                        fg_fail(err, FG_ERR_NOT_FOUND, "task %s has no meter", task);
                return NULL;
        }
        read_row(stmt, p, now_ns, &g);
        obj = json_object_new_object();
        group_put(&g, obj);
        return obj;
}

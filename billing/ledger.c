/* SPDX-License-Identifier: Apache-2.0 */
#include "billing/billing.h"

#include "core/db.h"

/*
 * A meter is a row of `meter` while it runs and a row of `ledger` for ever after; the triggers let
 * no statement change or drop a line, nor a meter without its line. INSERT OR REPLACE would delete
 * without a delete trigger, hence the trigger before inserts.
 */
const char fg_billing_schema[] =
        "CREATE TABLE meter ("
        " task TEXT PRIMARY KEY, family TEXT NOT NULL, cpu_units INTEGER NOT NULL,"
        " memory_mib INTEGER NOT NULL, storage_gib INTEGER NOT NULL, start_ns INTEGER NOT NULL"
        ") STRICT;"
        "CREATE TABLE ledger ("
        " line INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL UNIQUE, family TEXT NOT NULL,"
        " cpu_units INTEGER NOT NULL, memory_mib INTEGER NOT NULL, storage_gib INTEGER NOT NULL,"
        " start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, seconds INTEGER NOT NULL,"
        " vcpu_ms INTEGER NOT NULL, memory_mib_ms INTEGER NOT NULL,"
        " storage_mib_ms INTEGER NOT NULL, prices TEXT NOT NULL, cost_pico INTEGER NOT NULL"
        ") STRICT;"
        "CREATE INDEX ledger_start ON ledger (start_ns);"
        "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN"
        " SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
        "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN"
        " SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
        "CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger"
        " WHEN EXISTS (SELECT 1 FROM ledger WHERE task = NEW.task OR line = NEW.line) BEGIN"
        " SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
        "CREATE TRIGGER meter_no_update BEFORE UPDATE ON meter BEGIN"
        " SELECT RAISE(ABORT, 'a meter never changes'); END;"
        "CREATE TRIGGER meter_no_loss BEFORE DELETE ON meter"
        " WHEN NOT EXISTS (SELECT 1 FROM ledger WHERE task = OLD.task) BEGIN"
        " SELECT RAISE(ABORT, 'a meter ends as a line of the ledger'); END;"
        "CREATE TRIGGER meter_no_replace BEFORE INSERT ON meter"
        " WHEN EXISTS (SELECT 1 FROM meter WHERE task = NEW.task) BEGIN"
        " SELECT RAISE(ABORT, 'a meter never changes'); END;";

int fg_meter_open(sqlite3 *db, const char *task, const char *family, unsigned cpu_units,
                  unsigned memory_mib, unsigned storage_gib, uint64_t start_ns,
                  struct fg_error *err)
{
        static const char sql[] = "INSERT INTO meter SELECT ?1, ?2, ?3, ?4, ?5, ?6"
                                  " WHERE NOT EXISTS (SELECT 1 FROM meter WHERE task = ?1)"
                                  " AND NOT EXISTS (SELECT 1 FROM ledger WHERE task = ?1)";

        if (fg_db_run(db, err, sql, "ssiiii", task, family, (int64_t)cpu_units, (int64_t)memory_mib,
                      (int64_t)storage_gib, (int64_t)start_ns) < 0)
                return fg_wrap(err, "open the meter of task %s", task);
        return 0;
}

/* The line repeats the meter's row, so that both stay in step by construction. */
static int write_line(sqlite3 *db, const struct fg_prices *p, const char *task, uint64_t end_ns,
                      const struct fg_usage *u, struct fg_error *err)
{
        static const char sql[] =
                "INSERT INTO ledger (task, family, cpu_units, memory_mib, storage_gib, start_ns,"
                " end_ns, seconds, vcpu_ms, memory_mib_ms, storage_mib_ms, prices, cost_pico)"
                " SELECT meter.*, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM meter WHERE task = ?1";

        if (fg_db_run(db, err, sql, "siiiiisi", task, (int64_t)end_ns, (int64_t)u->seconds,
                      (int64_t)u->vcpu_ms, (int64_t)u->memory_mib_ms, (int64_t)u->storage_mib_ms,
                      fg_prices_name(p), fg_price_of(p, u)) < 0)
                return -1;
        return fg_db_run(db, err, "DELETE FROM meter WHERE task = ?", "s", task);
}

static int read_meter(sqlite3 *db, const char *task, uint64_t end_ns, struct fg_usage *ret,
                      struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err,
                          "SELECT start_ns, cpu_units, memory_mib, storage_gib FROM meter"
                          " WHERE task = ?",
                          "s", task) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r > 0)
                fg_usage_of((uint64_t)sqlite3_column_int64(stmt, 0), end_ns,
                            (unsigned)sqlite3_column_int64(stmt, 1),
                            (unsigned)sqlite3_column_int64(stmt, 2),
                            (unsigned)sqlite3_column_int64(stmt, 3), ret);
        return r;
}

/* A savepoint: atomic on its own and inside the caller's transaction alike. */
int fg_meter_close(sqlite3 *db, const struct fg_prices *p, const char *task, uint64_t end_ns,
                   struct fg_error *err)
{
        struct fg_error ignored = FG_ERROR_INIT;
        struct fg_usage u;
        int r;

        if (fg_db_exec(db, "SAVEPOINT meter", err) < 0)
                return -1;
        r = read_meter(db, task, end_ns, &u, err);
        if (r > 0 && write_line(db, p, task, end_ns, &u, err) < 0)
                r = -1;
        if (r >= 0 && fg_db_exec(db, "RELEASE meter", err) < 0)
                r = -1;
        if (r < 0) {
                (void)fg_db_exec(db, "ROLLBACK TO meter; RELEASE meter", &ignored);
                return fg_wrap(err, "close the meter of task %s", task);
        }
        return r;
}

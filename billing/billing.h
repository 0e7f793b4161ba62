/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/error.h"
#include "core/json.h"

/*
 * Meters, prices and the ledger. Exact integers throughout: usage in vCPU-milliseconds,
 * MiB-milliseconds and MiB-milliseconds of storage above the free 20 GiB; money in pico-dollars
 * (10^-12 USD) as 128-bit intermediate and int64 result. The ledger is a table in the daemon's
 * database, append-only. Functions taking sqlite3 * run on the db lane, inside the caller's
 * transaction where it has one, so that a task's state and its bill are one commit.
 */

/* SQL that creates the ledger's tables; one of the migrations of the daemon's database. */
extern const char fg_billing_schema[];

struct fg_usage {
        uint64_t seconds; /* billed: rounded up, minimum applied */
        uint64_t vcpu_ms; /* billed vCPU time: cpu units * ms / 1024, exact (see .c) */
        uint64_t memory_mib_ms;
        uint64_t storage_mib_ms; /* above the free allowance */
};

struct fg_prices; /* a price book */

/** fg_prices_default() - us-east-1 Fargate Linux/x86 list prices. */
struct fg_prices *fg_prices_default(void);
/** fg_prices_load() - from a file (docs/billing.md#price-book); INVALID names the line and key. */
struct fg_prices *fg_prices_load(const char *path, struct fg_error *err);
void fg_prices_free(struct fg_prices *p);
FG_DEFINE_CLEANUP(struct fg_prices *, fg_prices_free)
const char *fg_prices_name(const struct fg_prices *p); /* recorded with each ledger line */

/**
 * fg_usage_of() - what an interval costs in resources, by the billing rule
 * (docs/billing.md#rounding)
 * @start_ns, @end_ns: CLOCK_REALTIME; end < start (clock stepped back) counts as the minimum
 */
void fg_usage_of(uint64_t start_ns, uint64_t end_ns, unsigned cpu_units, unsigned memory_mib,
                 unsigned storage_gib, struct fg_usage *ret);
/** fg_price_of() - pico-dollars, rounded half up once at the end. */
int64_t fg_price_of(const struct fg_prices *p, const struct fg_usage *u);
/** fg_money_format() - "$0.000205708": rounded half up to 9 digits into @ret (32 bytes). */
void fg_money_format(int64_t pico, char ret[32]);

/* ---- ledger: db lane only ---- */

/** fg_meter_open() - a task's meter starts; idempotent per task (the first start wins). */
int fg_meter_open(sqlite3 *db, const char *task, const char *family, unsigned cpu_units,
                  unsigned memory_mib, unsigned storage_gib, uint64_t start_ns,
                  struct fg_error *err);
/**
 * fg_meter_close() - write the ledger line; idempotent per task (the first end wins)
 * Return: 1 closed now, 0 was closed before or never opened (no charge), -1 error.
 */
int fg_meter_close(sqlite3 *db, const struct fg_prices *p, const char *task, uint64_t end_ns,
                   struct fg_error *err);
/**
 * fg_meter_report() - usage grouped by "task", "family" or "day" (UTC day of the start)
 * @since_ns, @until_ns: lines whose start lies in [since, until); 0: open-ended
 * @now_ns: open meters are included as if they ended now, and marked "open": true
 * Return: a JSON object {"by":…, "groups":[…], "total":{…}, "currency":"USD"} as in docs/api.md.
 */
struct json_object *fg_meter_report(sqlite3 *db, const struct fg_prices *p, const char *by,
                                    uint64_t since_ns, uint64_t until_ns, uint64_t now_ns,
                                    struct fg_error *err);
/** fg_meter_task() - {"seconds","vcpuMs","memoryMibMs","storageMibMs","cost","costPico","open"} of
 * one task, or NULL. */
struct json_object *fg_meter_task(sqlite3 *db, const struct fg_prices *p, const char *task,
                                  uint64_t now_ns, struct fg_error *err);

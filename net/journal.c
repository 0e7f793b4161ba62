/* SPDX-License-Identifier: Apache-2.0 */
#include "net/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/str.h"

static const char *const migrations[] = {
        "CREATE TABLE fact(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
        "CREATE TABLE eni(id TEXT PRIMARY KEY, task TEXT NOT NULL, subnet TEXT NOT NULL,"
        " groups TEXT NOT NULL, mac TEXT NOT NULL, ipv4 TEXT NOT NULL, bits4 INTEGER NOT NULL,"
        " gateway4 TEXT NOT NULL, ipv6 TEXT NOT NULL, bits6 INTEGER NOT NULL,"
        " gateway6 TEXT NOT NULL, name TEXT NOT NULL, tap TEXT NOT NULL, rate INTEGER NOT NULL,"
        " released_ns INTEGER NOT NULL) STRICT;"
        "CREATE UNIQUE INDEX eni_task ON eni(task) WHERE released_ns = 0;"
        "CREATE UNIQUE INDEX eni_ipv4 ON eni(ipv4) WHERE released_ns = 0;"
        "CREATE INDEX eni_subnet ON eni(subnet);"
        "CREATE TABLE port(task TEXT NOT NULL, udp INTEGER NOT NULL, address TEXT NOT NULL,"
        " host INTEGER NOT NULL, container INTEGER NOT NULL, transfer INTEGER NOT NULL,"
        " PRIMARY KEY(udp, address, host)) STRICT;"
        "CREATE UNIQUE INDEX port_transfer ON port(udp, transfer);"
        "CREATE INDEX port_task ON port(task);",
        "ALTER TABLE eni ADD COLUMN pair INTEGER NOT NULL DEFAULT 0;", NULL
};

void fg_eni_free(struct fg_eni *eni)
{
        if (!eni)
                return;
        free(eni->ports);
        free(eni);
}

struct fg_eni *fg_eni_copy(const struct fg_eni *eni)
{
        struct fg_eni *copy = fg_calloc(1, sizeof(*copy));

        *copy = *eni;
        copy->ports = fg_calloc(eni->n_ports + 1, sizeof(*copy->ports));
        if (eni->n_ports > 0)
                memcpy(copy->ports, eni->ports, eni->n_ports * sizeof(*copy->ports));
        return copy;
}

int fg_journal_open(struct fg_journal *j, const char *path, struct fg_error *err)
{
        return fg_db_open(path, migrations, &j->db, err);
}

void fg_journal_close(struct fg_journal *j)
{
        if (j->db)
                fg_db_close(j->db);
        j->db = NULL;
}

/* ---- facts ---- */

char *fg_journal_get(struct fg_journal *j, const char *name)
{
        struct fg_error ignored;
        fg_autostmt *stmt = NULL;

        if (fg_db_prepare(j->db, &stmt, &ignored, "SELECT value FROM fact WHERE name = ?", "s",
                          name) < 0 ||
            fg_db_step(stmt, &ignored) != 1)
                return NULL;
        return fg_strdup(fg_db_text(stmt, 0));
}

int fg_journal_set(struct fg_journal *j, const char *name, const char *value, struct fg_error *err)
{
        return fg_db_run(j->db, err, "INSERT OR REPLACE INTO fact VALUES(?, ?)", "ss", name,
                         value) < 0
                       ? -1
                       : 0;
}

int fg_journal_unset(struct fg_journal *j, const char *name, struct fg_error *err)
{
        return fg_db_run(j->db, err, "DELETE FROM fact WHERE name = ?", "s", name) < 0 ? -1 : 0;
}

char *fg_journal_peek(const char *path, const char *name)
{
        struct fg_journal j = { .db = NULL };
        char *value = NULL;

        if (sqlite3_open_v2(path, &j.db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK)
                value = fg_journal_get(&j, name);
        fg_journal_close(&j);
        return value;
}

/* ---- attachments ---- */

static char *join_groups(const struct fg_net_attachment *a)
{
        char text[FG_NET_TASK_GROUPS * FG_NET_ID_MAX] = "";
        size_t len = 0;

        for (size_t i = 0; i < a->n_groups; i++)
                len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? "," : "",
                                        a->groups[i]);
        return fg_strdup(text);
}

static void split_groups(const char *text, struct fg_net_attachment *a)
{
        fg_autofree char *copy = fg_strdup(text);
        char *rest = copy, *one;

        while ((one = strsep(&rest, ",")) && a->n_groups < FG_NET_TASK_GROUPS)
                (void)snprintf(a->groups[a->n_groups++], FG_NET_ID_MAX, "%s", one);
}

static int add_rows(struct fg_journal *j, const struct fg_eni *eni, struct fg_error *err)
{
        const struct fg_net_attachment *a = &eni->a;
        fg_autofree char *groups = join_groups(a);

        if (fg_db_run(j->db, err, "INSERT INTO eni VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,0,?)",
                      "ssssssississsii", a->id, a->task, a->subnet, groups, a->mac, a->ipv4,
                      (int64_t)a->bits4, a->gateway4, a->ipv6, (int64_t)a->bits6, a->gateway6,
                      a->name, a->tap, (int64_t)a->bytes_per_second, (int64_t)a->pair) < 0)
                return -1;
        for (size_t i = 0; i < eni->n_ports; i++) {
                const struct fg_rules_port *p = &eni->ports[i];

                if (fg_db_run(j->db, err, "INSERT INTO port VALUES(?,?,?,?,?,?)", "sisiii", a->task,
                              (int64_t)p->port.udp, p->port.address, (int64_t)p->port.host,
                              (int64_t)p->port.container, (int64_t)p->transfer) < 0)
                        return -1;
        }
        return 0;
}

static int commit(struct fg_journal *j, int result, struct fg_error *err)
{
        struct fg_error ignored;

        if (result == 0 && fg_db_exec(j->db, "COMMIT", err) == 0)
                return 0;
        (void)fg_db_exec(j->db, "ROLLBACK", &ignored);
        return -1;
}

int fg_journal_add(struct fg_journal *j, const struct fg_eni *eni, struct fg_error *err)
{
        if (fg_db_exec(j->db, "BEGIN IMMEDIATE", err) < 0)
                return -1;
        return commit(j, add_rows(j, eni, err), err);
}

int fg_journal_release(struct fg_journal *j, const char *task, uint64_t now_ns,
                       struct fg_error *err)
{
        int r;

        if (fg_db_exec(j->db, "BEGIN IMMEDIATE", err) < 0)
                return -1;
        r = fg_db_run(j->db, err, "DELETE FROM port WHERE task = ?", "s", task);
        if (r >= 0)
                r = fg_db_run(j->db, err,
                              "UPDATE eni SET released_ns = ? WHERE task = ? AND released_ns = 0",
                              "is", (int64_t)now_ns, task);
        return commit(j, r < 0 ? -1 : 0, err);
}

int fg_journal_purge(struct fg_journal *j, uint64_t before_ns, struct fg_error *err)
{
        return fg_db_run(j->db, err, "DELETE FROM eni WHERE released_ns > 0 AND released_ns < ?",
                         "i", (int64_t)before_ns) < 0
                       ? -1
                       : 0;
}

static void copy(char *ret, size_t size, sqlite3_stmt *stmt, int column)
{
        (void)snprintf(ret, size, "%s", fg_db_text(stmt, column));
}

static void read_eni(sqlite3_stmt *stmt, struct fg_net_attachment *a)
{
        copy(a->id, sizeof(a->id), stmt, 0);
        copy(a->task, sizeof(a->task), stmt, 1);
        copy(a->subnet, sizeof(a->subnet), stmt, 2);
        split_groups(fg_db_text(stmt, 3), a);
        copy(a->mac, sizeof(a->mac), stmt, 4);
        copy(a->ipv4, sizeof(a->ipv4), stmt, 5);
        a->bits4 = (unsigned)sqlite3_column_int(stmt, 6);
        copy(a->gateway4, sizeof(a->gateway4), stmt, 7);
        copy(a->ipv6, sizeof(a->ipv6), stmt, 8);
        a->bits6 = (unsigned)sqlite3_column_int(stmt, 9);
        copy(a->gateway6, sizeof(a->gateway6), stmt, 10);
        copy(a->name, sizeof(a->name), stmt, 11);
        copy(a->tap, sizeof(a->tap), stmt, 12);
        a->bytes_per_second = (uint64_t)sqlite3_column_int64(stmt, 13);
        a->pair = sqlite3_column_int(stmt, 14) != 0;
}

static int read_ports(struct fg_journal *j, struct fg_eni *eni, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(j->db, &stmt, err,
                          "SELECT udp, address, host, container, transfer FROM port WHERE task = ?",
                          "s", eni->a.task) < 0)
                return -1;
        eni->ports = fg_calloc(FG_NET_PORTS_MAX, sizeof(*eni->ports));
        while ((r = fg_db_step(stmt, err)) == 1 && eni->n_ports < FG_NET_PORTS_MAX) {
                struct fg_rules_port *p = &eni->ports[eni->n_ports++];

                p->port.udp = sqlite3_column_int(stmt, 0) != 0;
                copy(p->port.address, sizeof(p->port.address), stmt, 1);
                p->port.host = (uint16_t)sqlite3_column_int(stmt, 2);
                p->port.container = (uint16_t)sqlite3_column_int(stmt, 3);
                p->transfer = (uint16_t)sqlite3_column_int(stmt, 4);
        }
        return r < 0 ? -1 : 0;
}

static void free_list(struct fg_eni **list, int n)
{
        for (int i = 0; i < n; i++)
                fg_eni_free(list[i]);
        free(list);
}

int fg_journal_load(struct fg_journal *j, struct fg_eni ***ret, struct fg_error *err)
{
        struct fg_eni **list = fg_calloc(FG_NET_TASKS_MAX, sizeof(struct fg_eni *));
        fg_autostmt *stmt = NULL;
        int n = 0, r;

        r = fg_db_prepare(
                j->db, &stmt, err,
                "SELECT id, task, subnet, groups, mac, ipv4, bits4, gateway4, ipv6, bits6,"
                " gateway6, name, tap, rate, pair FROM eni WHERE released_ns = 0",
                "");
        while (r >= 0 && n < FG_NET_TASKS_MAX && (r = fg_db_step(stmt, err)) == 1) {
                list[n] = fg_calloc(1, sizeof(**list));
                read_eni(stmt, &list[n]->a);
                r = read_ports(j, list[n++], err);
        }
        if (r < 0) {
                free_list(list, n);
                return -1;
        }
        *ret = list;
        return n;
}

int fg_journal_used(struct fg_journal *j, const char *subnet, const struct fg_cidr *cidr,
                    struct fg_ipam_used **ret, struct fg_error *err)
{
        fg_autofree struct fg_ipam_used *list = NULL;
        fg_autostmt *stmt = NULL;
        int n = 0, max = 0, r;

        if (fg_db_prepare(j->db, &stmt, err, "SELECT ipv4, released_ns FROM eni WHERE subnet = ?",
                          "s", subnet) < 0)
                return -1;
        while ((r = fg_db_step(stmt, err)) == 1) {
                struct fg_ip ip;

                if (!fg_ip_parse(fg_db_text(stmt, 0), &ip) || !fg_cidr_contains(cidr, &ip))
                        continue; /* of a subnet that has been changed since */
                if (n == max) {
                        max = max ? 2 * max : 256;
                        list = reallocarray(list, (size_t)max, sizeof(*list));
                        if (!list)
                                abort();
                }
                list[n++] = (struct fg_ipam_used){ .host = fg_cidr_index(cidr, &ip),
                                                   .released_ns = (uint64_t)sqlite3_column_int64(
                                                           stmt, 1) };
        }
        if (r < 0)
                return -1;
        *ret = fg_take_ptr(list);
        return n;
}

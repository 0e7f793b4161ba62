/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/db.h"
#include "net/ipam.h"
#include "net/rules.h"

/*
 * net.db: what exists, or is about to. A row is durable before the thing it names is made, and
 * stays until that is gone. One thread at a time.
 */
struct fg_journal {
        sqlite3 *db;
};

/* A task's attachment with its published ports. */
struct fg_eni {
        struct fg_net_attachment a;
        struct fg_rules_port *ports;
        size_t n_ports;
};

void fg_eni_free(struct fg_eni *eni);
FG_DEFINE_CLEANUP(struct fg_eni *, fg_eni_free)
struct fg_eni *fg_eni_copy(const struct fg_eni *eni);

int fg_journal_open(struct fg_journal *j, const char *path, struct fg_error *err);
/** fg_journal_peek() - fg_journal_get() without opening it: whoever has it open is not disturbed.
 */
char *fg_journal_peek(const char *path, const char *name);
void fg_journal_close(struct fg_journal *j);

/* Facts about the VPC itself, by name. */
char *fg_journal_get(struct fg_journal *j, const char *name); /* heap; NULL: not known */
int fg_journal_set(struct fg_journal *j, const char *name, const char *value, struct fg_error *err);
int fg_journal_unset(struct fg_journal *j, const char *name, struct fg_error *err);

/** fg_journal_add() - an attachment and its ports; durable on return. */
int fg_journal_add(struct fg_journal *j, const struct fg_eni *eni, struct fg_error *err);
/** fg_journal_release() - it is gone; its address goes into quarantine. */
int fg_journal_release(struct fg_journal *j, const char *task, uint64_t now_ns,
                       struct fg_error *err);
/** fg_journal_purge() - forget addresses released before @before_ns. */
int fg_journal_purge(struct fg_journal *j, uint64_t before_ns, struct fg_error *err);
/** fg_journal_load() - all that are not released. Return: their number, or -1. */
int fg_journal_load(struct fg_journal *j, struct fg_eni ***ret, struct fg_error *err);
/** fg_journal_used() - the addresses of a subnet that are in use or in quarantine; number or -1. */
int fg_journal_used(struct fg_journal *j, const char *subnet, const struct fg_cidr *cidr,
                    struct fg_ipam_used **ret, struct fg_error *err);

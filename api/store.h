/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "api/taskpage.h"
#include "billing/billing.h"
#include "core/cleanup.h"
#include "core/error.h"
#include "core/id.h"
#include "core/json.h"

/*
 * The daemon's database: tasks, and the ledger in the same file so that a task's state and its bill
 * are one commit. SQLite on a lane of one thread; writes that wait while a commit is under way go
 * into the next one together, and each on its own when that fails. Every callback runs, at the
 * latest from fg_store_free(), which has an error for every read. Reads queue behind the writes
 * submitted before them. Loop only.
 */
struct fg_store;

/* One version of a task to be stored. Strings are borrowed and copied. */
struct fg_record {
        const char *id, *cluster, *family, *definition, *status;
        const char *started_by, *group; /* started_by may be NULL */
        bool wants_stop;                /* desiredStatus STOPPED */
        uint64_t created_ns, stopped_ns;
        const char *document; /* fg_task_to_ecs() */
        const char *ours;     /* fg_task_ours(): what ECS has no name for */
        const char *snapshot; /* what a restarted daemon needs; NULL once stopped */
        const char *tags;     /* of a new task: [{"key","value"}], or NULL */
        uint64_t meter_start_ns, meter_end_ns; /* 0: not yet; each version repeats what it knows,
                                                  so that a version that was lost costs nothing */
        unsigned cpu_units, memory_mib, storage_gib;
        const char *event; /* that this version is a change of state, in the same commit; or NULL */
        uint64_t event_ns;
};

/* @err NULL: durable, or read. */
typedef void (*fg_store_done_fn)(void *userdata, const struct fg_error *err);
/*
 * A script on the lane, between other people's. What @userdata points to is the lane's until
 * done(). -1: nothing of it is kept.
 */
typedef int (*fg_store_work_fn)(sqlite3 *db, void *userdata, struct fg_error *err);
/* @result: borrowed for the call. */
typedef void (*fg_store_read_fn)(void *userdata, struct json_object *result,
                                 const struct fg_error *err);

/** fg_store_new() - open or create @path; takes @prices. Blocks (start-up only). */
int fg_store_new(sd_event *event, const char *path, struct fg_prices *take_prices,
                 struct fg_store **ret, struct fg_error *err);
/** fg_store_free() - commits what is queued. */
void fg_store_free(struct fg_store *s);
FG_DEFINE_CLEANUP(struct fg_store *, fg_store_free)

/** fg_store_write() - @work becomes part of the next commit; may run again when that fails. */
void fg_store_write(struct fg_store *s, fg_store_work_fn work, fg_store_done_fn done,
                    void *userdata);
/** fg_store_read() - run @work, which changes nothing; it sees at least what anybody was told of,
 * and does not hurry the next commit. */
void fg_store_read(struct fg_store *s, fg_store_work_fn work, fg_store_done_fn done,
                   void *userdata);

/** fg_store_save() - insert or replace a task; done may be NULL. Saves of one task keep their
 * order. */
void fg_store_save(struct fg_store *s, const struct fg_record *record, fg_store_done_fn done,
                   void *userdata);

/** fg_store_add() - insert @n new tasks, and the token that made them, or none of it. */
struct fg_token {
        const char *token; /* borrowed and copied, as is the hash of its request */
        const char *hash;
};
void fg_store_add(struct fg_store *s, const struct fg_record *records, size_t n,
                  const struct fg_token *token, fg_store_done_fn done, void *userdata);

/** fg_store_get() - by id, or unique prefix; result: the task's document with fgrun.usage.
 * NOT_FOUND, CONFLICT (prefix of several). */
void fg_store_get(struct fg_store *s, const char *id, fg_store_read_fn fn, void *userdata);
/**
 * fg_store_list() - a page of documents, newest first
 * @status: a state, "ACTIVE", or NULL; @family or NULL
 * Result: {"tasks": [...], "next": cursor}; no "next" with the last page.
 */
void fg_store_list(struct fg_store *s, const char *status, const char *family,
                   const struct fg_taskpage *page, fg_store_read_fn fn, void *userdata);
/** fg_store_spell_times() - the times of a stored document, seconds since the epoch, become those
 * of docs/api.md. */
void fg_store_spell_times(struct json_object *document);
/** fg_store_find_token() - {"ids","hash"} of the tasks that a token of the last 24 h made, or {}.
 */
void fg_store_find_token(struct fg_store *s, const char *token, fg_store_read_fn fn,
                         void *userdata);
/** fg_store_usage() - fg_meter_report() as of now. */
void fg_store_usage(struct fg_store *s, const char *by, uint64_t since_ns, uint64_t until_ns,
                    fg_store_read_fn fn, void *userdata);
/** fg_store_expire() - forget tasks stopped before @before_ns; result: array of their ids. */
void fg_store_expire(struct fg_store *s, uint64_t before_ns, fg_store_read_fn fn, void *userdata);
/** fg_store_events() - {"oldest","newest","events":[{"seq","body"}]}: at most @limit with a number
 * above @after, in their order. */
void fg_store_events(struct fg_store *s, uint64_t after, unsigned limit, fg_store_read_fn fn,
                     void *userdata);
/** fg_store_keep_events() - how many are kept at most. */
void fg_store_keep_events(struct fg_store *s, uint64_t max);
/** fg_store_cursor() - up to which event a sink has got; a new sink begins with those to come.
 * Blocks (start-up only). */
int fg_store_cursor(struct fg_store *s, const char *sink, uint64_t *ret, struct fg_error *err);
void fg_store_set_cursor(struct fg_store *s, const char *sink, uint64_t seq);
void fg_store_expire_events(struct fg_store *s, uint64_t before_ns);
/** fg_store_ping() - does the database answer? */
void fg_store_ping(struct fg_store *s, fg_store_read_fn fn, void *userdata);

/**
 * fg_store_load() - array of all tasks that have not stopped. Blocks (start-up only).
 * Each: {"id","cluster","family","document","ours","snapshot"}; instead of a snapshot that cannot
 * be read "problem".
 */
struct json_object *fg_store_load(struct fg_store *s, struct fg_error *err);
/** fg_store_has() - is the task stored, whatever its state? Blocks (start-up only). */
bool fg_store_has(struct fg_store *s, const char *id);
/** fg_store_own_cluster() - create the cluster of tasks that name none. Blocks (start-up only). */
int fg_store_own_cluster(struct fg_store *s, const char *name, struct fg_error *err);
/** fg_store_beat() - note that the daemon is alive now; read back by fg_store_last_beat(). */
void fg_store_beat(struct fg_store *s, uint64_t now_ns);
uint64_t fg_store_last_beat(const struct fg_store *s); /* of the former daemon; 0: none */

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aside.h"

#include <stdlib.h>

#include "api/aws/time.h"
#include "api/disk.h"
#include "api/event.h"
#include "api/event_feed.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "core/table.h"

#define RETRY_USEC 5000000

struct fg_aside {
        UT_hash_handle hh;
        struct fg_daemon *d;
        char *id; /* key; of a damaged row, so perhaps no id at all */
        char *cluster, *family, *reason;
        struct json_object *document, *ours; /* as they are stored */
        sd_event_source *retry;
        bool tried;
};

/* Jobs carry ids, not pointers. */
struct aside_ref {
        struct fg_daemon *d;
        char *id;
};

static struct fg_aside *find(struct fg_daemon *d, const char *id)
{
        struct fg_aside *aside = NULL;

        HASH_FIND_STR(d->asides, id, aside);
        return aside;
}

static struct aside_ref *ref_new(const struct fg_aside *aside)
{
        struct aside_ref *ref = fg_calloc(1, sizeof(*ref));

        *ref = (struct aside_ref){ .d = aside->d, .id = fg_strdup(aside->id) };
        return ref;
}

static struct fg_aside *ref_take(struct aside_ref *ref)
{
        struct fg_aside *aside = find(ref->d, ref->id);

        free(ref->id);
        free(ref);
        return aside;
}

static void aside_free(struct fg_aside *aside)
{
        HASH_DEL(aside->d->asides, aside);
        sd_event_source_disable_unref(aside->retry);
        json_object_put(aside->document);
        json_object_put(aside->ours);
        free(aside->id);
        free(aside->cluster);
        free(aside->family);
        free(aside->reason);
        free(aside);
}

/* ---- what clients see ---- */

static void set_time(struct json_object *document, const char *name, uint64_t ns)
{
        if (!fg_json_get(document, name))
                fg_aws_set_time(document, name, ns);
}

static void stop_containers(struct json_object *document)
{
        struct json_object *list = fg_json_arr(document, "containers");

        for (size_t i = 0; list && i < json_object_array_length(list); i++)
                fg_json_set_str(json_object_array_get_idx(list, i), "lastStatus", "STOPPED");
}

static void stop_document(struct json_object *document, const char *reason, uint64_t last_ns)
{
        bool ran = fg_json_get(document, "startedAt");

        fg_json_set_str(document, "lastStatus", "STOPPED");
        fg_json_set_str(document, "desiredStatus", "STOPPED");
        if (!fg_json_get(document, "stopCode")) {
                fg_json_set_str(document, "stopCode",
                                ran ? "TerminationNotice" : "TaskFailedToStart");
                fg_json_set_str(document, "stoppedReason", reason);
        }
        set_time(document, "stoppingAt", fg_now_ns());
        set_time(document, "executionStoppedAt", last_ns);
        set_time(document, "stoppedAt", fg_now_ns());
        fg_json_set_int(document, "version", fg_json_int(document, "version", 0) + 1);
        stop_containers(document);
}

/* ---- VM, then files, then the row ---- */

static void try_again(struct fg_aside *aside, const struct fg_error *err);

static void on_stored(void *userdata, const struct fg_error *err)
{
        struct fg_daemon *d = ((struct aside_ref *)userdata)->d;
        struct fg_aside *aside = ref_take(userdata);

        if (!aside)
                return;
        if (err) {
                try_again(aside, err);
                return;
        }
        fg_log_info("task=%s stopped reason=%s", aside->id, aside->reason);
        d->tasks_stopped++;
        if (fg_id_valid(aside->id))
                fg_logstore_finish(d->logs, aside->id);
        aside_free(aside);
        fg_event_feed_committed(d);
}

static void store(struct fg_aside *aside)
{
        struct fg_daemon *d = aside->d;
        uint64_t now_ns = fg_now_ns(), last_ns = fg_store_last_beat(d->store);
        fg_autojson *told = NULL;
        fg_autofree char *event = NULL;
        struct fg_record record = {
                .id = aside->id,
                .cluster = aside->cluster,
                .family = aside->family,
                .definition = "", /* it keeps its own, and its group */
                .group = "",
                .status = "STOPPED",
                .wants_stop = true,
                .stopped_ns = now_ns,
                .meter_end_ns = last_ns ? last_ns : now_ns,
        };

        stop_document(aside->document, aside->reason, record.meter_end_ns);
        (void)json_object_deep_copy(aside->document, &told, NULL);
        fg_store_spell_times(told);
        event = fg_event_text(told, &d->names, now_ns);
        record.document = fg_json_text(aside->document);
        record.ours = fg_json_text(aside->ours);
        record.event = event;
        record.event_ns = now_ns;
        fg_store_save(d->store, &record, on_stored, ref_new(aside));
}

static void on_removed(void *userdata, const struct fg_error *err)
{
        struct fg_aside *aside = ref_take(userdata);

        if (aside && err)
                try_again(aside, err);
        else if (aside)
                store(aside);
}

static void on_destroyed(void *userdata, const char *id, const struct fg_error *err)
{
        struct fg_aside *aside = find(userdata, id);
        fg_autofree char *dir = NULL;

        if (!aside)
                return;
        if (err) {
                try_again(aside, err);
                return;
        }
        dir = fg_asprintf("%s/tasks/%s", aside->d->config.state_dir, aside->id);
        fg_disk_remove(aside->d->io, dir, on_removed, ref_new(aside));
}

static void end(struct fg_aside *aside)
{
        /* What never was the id of a task names no VM and no directory. */
        if (fg_id_valid(aside->id))
                fg_vmm_destroy(aside->d->vmm, aside->id, on_destroyed, aside->d);
        else
                store(aside);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_aside *aside = userdata;

        (void)source;
        (void)usec;
        aside->retry = sd_event_source_disable_unref(aside->retry);
        end(aside);
        return 0;
}

static void try_again(struct fg_aside *aside, const struct fg_error *err)
{
        fg_log_error("task=%s cannot be set aside, trying again: %s", aside->id, err->msg);
        aside->tried = true;
        (void)sd_event_add_time_relative(aside->d->event, &aside->retry, CLOCK_MONOTONIC,
                                         RETRY_USEC, 0, on_retry, aside);
}

/* ---- the set ---- */

void aside_new(struct fg_daemon *d, struct json_object *stored, const struct fg_error *why)
{
        struct fg_aside *aside = fg_calloc(1, sizeof(*aside));

        aside->d = d;
        aside->id = fg_strdup(fg_json_str(stored, "id"));
        aside->cluster = fg_strdup(fg_json_str(stored, "cluster"));
        aside->family = fg_strdup(fg_json_str(stored, "family"));
        aside->document = json_object_get(fg_json_obj(stored, "document"));
        aside->ours = json_object_get(fg_json_obj(stored, "ours"));
        aside->reason = fg_asprintf("fgd cannot read what it had stored of this task: %s",
                                    why->msg);
        fg_log_error("task=%s is set aside, it will be stopped: %s", aside->id, aside->reason);
        HASH_ADD_KEYPTR(hh, d->asides, aside->id, __builtin_strlen(aside->id), aside);
}

bool aside_has(struct fg_daemon *d, const char *id)
{
        return find(d, id);
}

void aside_end_all(struct fg_daemon *d)
{
        struct fg_aside *aside, *next;

        HASH_ITER (hh, d->asides, aside, next)
                end(aside);
}

bool aside_busy(struct fg_daemon *d)
{
        struct fg_aside *aside, *next;

        HASH_ITER (hh, d->asides, aside, next)
                if (!aside->tried)
                        return true;
        return false;
}

void aside_free_all(struct fg_daemon *d)
{
        struct fg_aside *aside, *next;

        HASH_ITER (hh, d->asides, aside, next)
                aside_free(aside);
}

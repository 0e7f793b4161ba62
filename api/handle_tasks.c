/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/engine.h"
#include "api/routes.h"
#include "core/str.h"

#define REASON_MAX 1024 /* as in ECS */
#define STATES                                                                                     \
        "PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING or "   \
        "STOPPED"

/* ---- answering with a stored task ---- */

struct task_reply {
        struct fg_request *r;
        int status;
};

static void on_document(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct task_reply *reply = userdata;
        struct json_object *body;

        if (err) {
                fg_reply_error(reply->r, err);
        } else {
                body = json_object_new_object();
                fg_json_set(body, "task", json_object_get(result));
                fg_reply_json(reply->r, reply->status, body);
        }
        free(reply);
}

void reply_task(void *daemon, struct fg_request *r, const char *id, int status)
{
        struct fg_daemon *d = daemon;
        struct task_reply *reply = fg_calloc(1, sizeof(*reply));

        *reply = (struct task_reply){ .r = r, .status = status };
        fg_store_get(d->store, id, on_document, reply);
}

/* ---- GET /v1/tasks ---- */

static void on_list(void *userdata, struct json_object *result, const struct fg_error *err)
{
        if (err)
                fg_reply_error(userdata, err);
        else
                fg_reply_json(userdata, 200, json_object_get(result));
}

void handle_task_list(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        const char *status = fg_request_query(r, "status");
        struct fg_error err = FG_ERROR_INIT;
        enum fg_task_state state;
        struct fg_taskpage page;

        if (status && !fg_streq(status, "ACTIVE") && !fg_task_state_parse(status, &state))
                fg_fail(&err, FG_ERR_INVALID, "status = \"%.*s\": expected ACTIVE, " STATES,
                        FG_CLIP(status));
        else
                (void)fg_taskpage_parse(fg_request_query(r, "limit"), fg_request_query(r, "next"),
                                        &page, &err);
        if (err.code)
                fg_reply_error(r, &err);
        else
                fg_store_list(d->store, status, fg_request_query(r, "family"), &page, on_list, r);
}

/* ---- GET /v1/tasks/ID, at once or when a state is reached ---- */

struct waiter {
        struct fg_watcher watcher;
        struct fg_daemon *d;
        struct fg_request *r;
        enum fg_task_state wanted;
};

static void waiter_free(void *userdata)
{
        struct waiter *w = userdata;

        fg_unwatch(&w->watcher);
        free(w);
}

static void on_changed(struct fg_watcher *watcher, const struct fg_task *t)
{
        struct waiter *w = FG_CONTAINER_OF(watcher, struct waiter, watcher);

        if (!fg_task_state_reached(t->state, w->wanted))
                return;
        fg_request_on_left(w->r, NULL, NULL);
        reply_task(w->d, w->r, t->id, 200);
        waiter_free(w);
}

static const struct fg_task *find_active(struct fg_daemon *d, const char *prefix)
{
        return strlen(prefix) == FG_ID_LEN ? fg_engine_task(d, prefix) : NULL;
}

static void reply_task_when(struct fg_daemon *d, struct fg_request *r, const char *id,
                            enum fg_task_state wanted)
{
        const struct fg_task *t = find_active(d, id);
        struct waiter *w;

        /* Only what is active can still change; a prefix is answered as it is now. */
        if (!t || fg_task_state_reached(t->state, wanted)) {
                reply_task(d, r, id, 200);
                return;
        }
        w = fg_calloc(1, sizeof(*w));
        w->d = d;
        w->r = r;
        w->wanted = wanted;
        w->watcher.changed = on_changed;
        memcpy(w->watcher.id, t->id, sizeof(w->watcher.id));
        fg_watch(d, &w->watcher);
        fg_request_on_left(r, waiter_free, w);
}

void handle_task_get(void *daemon, struct fg_request *r)
{
        const char *wait = fg_request_query(r, "wait"), *id;
        struct fg_error err = FG_ERROR_INIT;
        enum fg_task_state wanted;

        id = request_task_id(r, &err);
        if (!id) {
                fg_reply_error(r, &err);
        } else if (!wait) {
                reply_task(daemon, r, id, 200);
        } else if (!fg_task_state_parse(wait, &wanted)) {
                fg_fail(&err, FG_ERR_INVALID, "wait = \"%.*s\": expected " STATES, FG_CLIP(wait));
                fg_reply_error(r, &err);
        } else {
                reply_task_when(daemon, r, id, wanted);
        }
}

/* ---- POST /v1/tasks/ID/stop ---- */

struct stop {
        struct fg_daemon *d;
        struct fg_request *r;
        char *reason;
        char id[FG_ID_LEN + 1];
};

static void stop_free(struct stop *s)
{
        free(s->reason);
        free(s);
}

static int take_reason(struct json_object *body, char **ret, struct fg_error *err)
{
        const char *reason = fg_json_str(body, "reason");

        if (fg_json_get(body, "reason") && (!reason || strlen(reason) > REASON_MAX))
                return fg_fail(err, FG_ERR_INVALID, "reason: must be a string of at most %d bytes",
                               REASON_MAX);
        *ret = fg_strdup(reason);
        return 0;
}

static void on_stop_stored(void *userdata, const struct fg_error *err)
{
        struct stop *s = userdata;

        /* NOT_FOUND: it has stopped already, which is what was asked for. */
        if (err && err->code != FG_ERR_NOT_FOUND)
                fg_reply_error(s->r, err);
        else
                reply_task(s->d, s->r, s->id, 200);
        stop_free(s);
}

static void on_stop_found(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct stop *s = userdata;
        const char *id;

        if (err) {
                fg_reply_error(s->r, err);
                stop_free(s);
                return;
        }
        id = fg_json_str(fg_json_obj(result, "fgrun"), "id");
        memcpy(s->id, id, sizeof(s->id));
        fg_engine_stop(s->d, s->id, s->reason, on_stop_stored, s);
}

void handle_task_stop(void *daemon, struct fg_request *r)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *body = fg_request_json(r, &err);
        const char *id = body ? request_task_id(r, &err) : NULL;
        char *reason = NULL;
        struct stop *s;

        if (!id || take_reason(body, &reason, &err) < 0) {
                fg_reply_error(r, &err);
                return;
        }
        s = fg_calloc(1, sizeof(*s));
        s->d = daemon;
        s->r = r;
        s->reason = reason;
        fg_store_get(s->d->store, id, on_stop_found, s);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "api/engine.h"
#include "api/field.h"
#include "api/routes.h"
#include "core/clock.h"
#include "core/str.h"

#define QUEUE_LOW 262144 /* read on below this many bytes not yet taken by the client */

/* One client that reads a task's log, and perhaps its events. */
struct tail {
        struct fg_watcher watcher; /* only with events=1 */
        struct fg_daemon *d;
        struct fg_request *r;
        struct fg_stream *stream;
        struct fg_logreader *reader;
        char *container;
        uint64_t since_ns;
        bool follow, events;
        bool reading; /* a batch was asked for */
        bool ended;
};

static void tail_free(struct tail *t)
{
        fg_unwatch(&t->watcher);
        fg_logreader_free(t->reader);
        free(t->container);
        free(t);
}

static void write_line(struct tail *t, struct json_object *take_line)
{
        fg_autojson *line = take_line;
        struct fg_error err = FG_ERROR_INIT;

        /* A client this far behind is cut off: others must not pay for it. */
        if (!t->ended && fg_stream_line(t->stream, fg_take_ptr(line), &err) < 0) {
                t->ended = true;
                fg_stream_end(t->stream);
        }
}

static void set_data(struct json_object *line, const char *data, size_t len)
{
        fg_autofree char *base64 = NULL;

        if (fg_utf8_valid(data, len)) {
                fg_json_set(line, "data", json_object_new_string_len(data, (int)len));
                return;
        }
        base64 = fg_calloc(1, 4 * ((len + 2) / 3) + 1);
        (void)EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)data, (int)len);
        fg_json_set_str(line, "dataBase64", base64);
}

static struct json_object *record_line(const struct fg_logrecord *record)
{
        struct json_object *line = json_object_new_object();
        char time[FG_RFC3339_MAX];

        fg_rfc3339(record->time_ns, time);
        fg_json_set_str(line, "container", record->container);
        fg_json_set_str(line, "stream", record->stream == FG_LOG_STDERR ? "stderr" : "stdout");
        fg_json_set_str(line, "time", time);
        fg_json_set_int(line, "timeNs", (int64_t)record->time_ns);
        fg_json_set_int(line, "offset", (int64_t)record->offset);
        if (record->lost)
                fg_json_set_int(line, "lost", (int64_t)record->lost);
        set_data(line, record->data, record->len);
        return line;
}

static void read_more(struct tail *t)
{
        if (t->reading || t->ended || fg_stream_queued(t->stream) > QUEUE_LOW)
                return;
        t->reading = true;
        fg_logreader_read(t->reader);
}

static void on_records(void *userdata, const struct fg_logrecord *records, size_t n,
                       const struct fg_error *err)
{
        struct tail *t = userdata;

        t->reading = false;
        for (size_t i = 0; i < n; i++)
                write_line(t, record_line(&records[i]));
        if (err) {
                struct json_object *line = json_object_new_object();

                fg_json_set(line, "error", fg_error_json(err));
                write_line(t, line);
        }
        if (n == 0 && !t->ended) {
                t->ended = true;
                fg_stream_end(t->stream);
                return;
        }
        read_more(t);
}

static void on_drained(void *userdata)
{
        read_more(userdata);
}

static void on_closed(void *userdata)
{
        tail_free(userdata);
}

/* ---- events ---- */

static void on_changed(struct fg_watcher *watcher, const struct fg_task *task)
{
        struct tail *t = FG_CONTAINER_OF(watcher, struct tail, watcher);
        struct json_object *line = json_object_new_object();
        char time[FG_RFC3339_MAX];

        fg_rfc3339(fg_now_ns(), time);
        fg_json_set_str(line, "event", "state");
        fg_json_set_str(line, "lastStatus", fg_task_state_name(task->state));
        fg_json_set_str(line, "time", time);
        write_line(t, line);
}

static void on_pulling(struct fg_watcher *watcher, const char *image,
                       const struct fg_pull_progress *p)
{
        struct tail *t = FG_CONTAINER_OF(watcher, struct tail, watcher);
        struct json_object *line = json_object_new_object();

        fg_json_set_str(line, "event", "pull");
        fg_json_set_str(line, "image", image);
        fg_json_set_str(line, "status", p->status);
        fg_json_set_int(line, "doneBytes", (int64_t)p->done_bytes);
        fg_json_set_int(line, "totalBytes", (int64_t)p->total_bytes);
        fg_json_set_int(line, "layersDone", p->layers_done);
        fg_json_set_int(line, "layers", p->layers);
        write_line(t, line);
}

/* ---- starting ---- */

static void open_tail(struct tail *t, const char *id)
{
        static const struct fg_stream_ops ops = { .drained = on_drained, .closed = on_closed };
        const struct fg_task *active = fg_engine_task(t->d, id);
        struct fg_logreader_options options = { .task = id,
                                                .container = t->container,
                                                .since_ns = t->since_ns,
                                                .follow = t->follow && active };

        t->stream = fg_reply_stream(t->r, "application/x-ndjson", &ops, t);
        if (!t->stream) {
                tail_free(t);
                return;
        }
        t->reader = fg_logreader_new(t->d->logs, &options, on_records, t);
        if (t->events && active) {
                memcpy(t->watcher.id, active->id, sizeof(t->watcher.id));
                t->watcher.changed = on_changed;
                t->watcher.pulling = on_pulling;
                fg_watch(t->d, &t->watcher);
                on_changed(&t->watcher, active);
        }
        read_more(t);
}

static int check_container(const struct tail *t, struct json_object *task, struct fg_error *err)
{
        struct json_object *list = fg_json_arr(task, "containers");
        size_t n = list ? json_object_array_length(list) : 0;
        fg_autofree const char **names = fg_calloc(n + 1, sizeof(*names));
        fg_autofree char *all = NULL;

        for (size_t i = 0; i < n; i++) {
                names[i] = fg_json_str(json_object_array_get_idx(list, i), "name");
                if (!t->container || fg_streq(names[i], t->container))
                        return 0;
        }
        all = fg_join_names(names, n);
        return t->container
                       ? fg_fail(err, FG_ERR_NOT_FOUND, "the task has no container %.*s; it has %s",
                                 FG_CLIP(t->container), all)
                       : 0;
}

static void on_found(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct tail *t = userdata;
        struct fg_error wrong = FG_ERROR_INIT;

        if (!err && check_container(t, result, &wrong) < 0)
                err = &wrong;
        if (err) {
                fg_reply_error(t->r, err);
                tail_free(t);
                return;
        }
        open_tail(t, fg_json_str(fg_json_obj(result, "fgrun"), "id"));
}

void handle_task_logs(void *daemon, struct fg_request *r)
{
        const char *since = fg_request_query(r, "since"), *id;
        struct fg_error err = FG_ERROR_INIT;
        uint64_t since_ns = since ? fg_rfc3339_parse(since) : 0;
        bool follow, events;
        struct tail *t;

        id = request_task_id(r, &err);
        if (id && (fg_request_flag(r, "follow", &follow, &err) < 0 ||
                   fg_request_flag(r, "events", &events, &err) < 0))
                id = NULL;
        if (id && since && since_ns == 0) {
                fg_fail(&err, FG_ERR_INVALID,
                        "since = %s: expected an RFC 3339 time or seconds since the epoch", since);
                id = NULL;
        }
        if (!id) {
                fg_reply_error(r, &err);
                return;
        }
        t = fg_calloc(1, sizeof(*t));
        t->d = daemon;
        t->r = r;
        t->container = fg_strdup(fg_request_query(r, "container"));
        t->since_ns = since_ns;
        t->follow = follow;
        t->events = events;
        fg_store_get(t->d->store, id, on_found, t);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/daemon.h"
#include "api/event.h"
#include "api/event_feed.h"
#include "api/routes.h"
#include "core/buf.h"
#include "core/log.h"
#include "core/str.h"

#define PAGE_MAX          1000
#define PAGE_DEFAULT      100
#define QUEUE_LOW         262144 /* read on below this many bytes not yet taken by the client */
#define HEARTBEAT_SECONDS 10
#define LINE_MAX_BYTES    (1u << 20)

/* ---- a page ---- */

static int put_page(struct fg_buf *out, struct json_object *result, const char *since,
                    struct fg_error *err)
{
        struct json_object *list = fg_json_arr(result, "events");
        int64_t last = since ? strtoll(since, NULL, 10) : 0;

        if (fg_buf_puts(out, "{\"events\":[", err) < 0)
                return -1;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *row = json_object_array_get_idx(list, i);

                last = fg_json_int(row, "seq", 0);
                if ((i > 0 && fg_buf_puts(out, ",", err) < 0) ||
                    fg_buf_puts(out, fg_json_str(row, "body"), err) < 0)
                        return -1;
        }
        return fg_buf_printf(out, err,
                             "],\"next\":\"%lld\",\"oldest\":\"%lld\",\"newest\":\"%lld\"}\n",
                             (long long)last, (long long)fg_json_int(result, "oldest", 0),
                             (long long)fg_json_int(result, "newest", 0));
}

static void on_page(void *userdata, struct json_object *result, const struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(PAGE_MAX *
                                                                  (size_t)LINE_MAX_BYTES);
        struct fg_request *r = userdata;
        struct fg_error wrong = FG_ERROR_INIT;

        if (!err && put_page(&out, result, fg_request_query(r, "since"), &wrong) < 0)
                err = &wrong;
        if (err)
                fg_reply_error(r, err);
        else
                fg_reply_text(r, 200, "application/json", out.data);
}

/* ---- a stream ---- */

struct follower {
        struct fg_daemon *d;
        struct fg_stream *stream;
        struct fg_event_feed *feed;
        sd_event_source *heartbeat;
        bool lines;   /* lines of JSON instead of server-sent events */
        bool reading; /* a batch was asked for */
        bool ended;
};

static void follower_free(struct follower *f)
{
        fg_event_feed_free(f->feed);
        sd_event_source_disable_unref(f->heartbeat);
        free(f);
}

static void end(struct follower *f)
{
        if (f->ended)
                return;
        f->ended = true;
        fg_stream_end(f->stream);
}

static void write_text(struct follower *f, const struct fg_buf *text)
{
        struct fg_error err = FG_ERROR_INIT;

        /* A client this far behind is cut off: it comes back with the last id it has seen. */
        if (!f->ended && fg_stream_text(f->stream, text->data, text->len, &err) < 0)
                end(f);
}

static void write_event(struct follower *f, const struct fg_event *event)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(LINE_MAX_BYTES);
        struct fg_error err = FG_ERROR_INIT;
        int r;

        if (f->lines)
                r = fg_buf_printf(&text, &err, "{\"id\":\"%llu\",\"event\":%s}\n",
                                  (unsigned long long)event->seq, event->body);
        else
                r = fg_buf_printf(&text, &err, "id: %llu\nevent: %s\ndata: %s\n\n",
                                  (unsigned long long)event->seq, FG_EVENT_DETAIL_TYPE,
                                  event->body);
        if (r >= 0)
                write_text(f, &text);
}

static void write_lost(struct follower *f, uint64_t lost)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(256);
        struct fg_error err = FG_ERROR_INIT;

        if (fg_buf_printf(&text, &err,
                          f->lines ? "{\"lost\":%llu}\n" : "event: lost\ndata: {\"lost\":%llu}\n\n",
                          (unsigned long long)lost) >= 0)
                write_text(f, &text);
}

static void read_more(struct follower *f)
{
        if (f->reading || f->ended || fg_stream_queued(f->stream) > QUEUE_LOW)
                return;
        f->reading = true;
        fg_event_feed_read(f->feed);
}

static void on_events(void *userdata, const struct fg_event *events, size_t n, uint64_t lost,
                      const struct fg_error *err)
{
        struct follower *f = userdata;

        f->reading = false;
        if (err) {
                fg_log_warn("events cannot be read: %s", err->msg);
                end(f);
                return;
        }
        if (lost > 0)
                write_lost(f, lost);
        for (size_t i = 0; i < n; i++)
                write_event(f, &events[i]);
        read_more(f);
}

/* So that both ends notice when the other is gone, and proxies keep the connection. */
static int on_heartbeat(sd_event_source *source, uint64_t usec, void *userdata)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(16);
        struct follower *f = userdata;
        struct fg_error err = FG_ERROR_INIT;

        (void)usec;
        if (fg_buf_puts(&text, f->lines ? "{}\n" : ":\n\n", &err) >= 0)
                write_text(f, &text);
        (void)sd_event_source_set_time_relative(source, HEARTBEAT_SECONDS * 1000000);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void on_drained(void *userdata)
{
        read_more(userdata);
}

static void on_closed(void *userdata)
{
        follower_free(userdata);
}

static void follow(struct fg_daemon *d, struct fg_request *r, uint64_t after)
{
        static const struct fg_stream_ops ops = { .drained = on_drained, .closed = on_closed };
        const char *format = fg_request_query(r, "format");
        struct follower *f = fg_calloc(1, sizeof(*f));

        f->d = d;
        f->lines = format && fg_streq(format, "lines");
        f->stream = fg_reply_stream(r, f->lines ? "application/x-ndjson" : "text/event-stream",
                                    &ops, f);
        if (!f->stream) {
                follower_free(f);
                return;
        }
        f->feed = fg_event_feed_new(d, after, on_events, f);
        (void)sd_event_add_time_relative(d->event, &f->heartbeat, CLOCK_MONOTONIC,
                                         HEARTBEAT_SECONDS * 1000000, 0, on_heartbeat, f);
        read_more(f);
}

/* ---- GET /v1/events ---- */

static int parse_number(const char *name, const char *text, uint64_t max, uint64_t *ret,
                        struct fg_error *err)
{
        if (!text || (fg_parse_u64(text, ret) && *ret <= max))
                return 0;
        return fg_fail(err, FG_ERR_INVALID, "%s = %s: expected a whole number of at most %llu",
                       name, text, (unsigned long long)max);
}

void handle_events(void *daemon, struct fg_request *r)
{
        const char *since = fg_request_query(r, "since"), *format = fg_request_query(r, "format");
        uint64_t after = 0, limit = PAGE_DEFAULT;
        struct fg_daemon *d = daemon;
        struct fg_error err = FG_ERROR_INIT;
        bool following;

        if (fg_request_flag(r, "follow", &following, &err) < 0) {
                fg_reply_error(r, &err);
                return;
        }
        if (following)
                after = FG_EVENTS_NEWEST;
        /* What a browser sends by itself after a break wins over the query it began with. */
        if (following && fg_request_header(r, "Last-Event-ID"))
                since = fg_request_header(r, "Last-Event-ID");
        if (parse_number("since", since, INT64_MAX, &after, &err) < 0 ||
            parse_number("limit", fg_request_query(r, "limit"), PAGE_MAX, &limit, &err) < 0) {
                fg_reply_error(r, &err);
        } else if (format && !fg_streq(format, "sse") && !fg_streq(format, "lines")) {
                fg_fail(&err, FG_ERR_INVALID, "format = %s: expected sse or lines", format);
                fg_reply_error(r, &err);
        } else if (following) {
                follow(d, r, after);
        } else {
                fg_store_events(d->store, after, limit ? (unsigned)limit : PAGE_DEFAULT, on_page,
                                r);
        }
}

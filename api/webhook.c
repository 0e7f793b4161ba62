/* SPDX-License-Identifier: Apache-2.0 */
#include "api/webhook.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/event_feed.h"
#include "api/webhook_post.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "core/str.h"

#define SINK            "webhook"
#define SECRET_MIN      16
#define SECRET_MAX      4096
#define DELAY_FIRST_MS  500
#define DELAY_MAX_MS    300000
#define STORE_EVERY     16 /* events between two notes of how far it got */
#define READ_AGAIN_SECS 5

struct waiting {
        struct waiting *next;
        uint64_t number;
        char *body;
};

struct fg_webhook {
        struct fg_daemon *d;
        struct fg_lane *lane;
        struct fg_poster *poster; /* the lane's, while it posts */
        struct fg_secret secret;
        struct fg_event_feed *feed;
        struct waiting *first, **last; /* a batch, of which the first is being delivered */
        sd_event_source *retry;
        atomic_bool cancel;
        bool leaving;
        unsigned unstored; /* delivered since the note */
        uint64_t delay_ms, failing_since_ns;
        struct fg_webhook_state state;
        char *host; /* of the URL; the rest of it may be a secret */
        struct fg_error error;
};

/* ---- one event ---- */

struct post {
        struct fg_job job;
        struct fg_webhook *w;
        char *body;
        uint64_t number, wait;
        enum fg_post result;
        struct fg_error err;
};

static void start(struct fg_webhook *w);

static void post_work(struct fg_job *job)
{
        struct post *p = FG_CONTAINER_OF(job, struct post, job);

        p->result = fg_poster_post(p->w->poster, p->number, p->body, &p->wait, &p->err);
}

static void pop(struct fg_webhook *w)
{
        struct waiting *e = w->first;

        w->first = e->next;
        if (!w->first)
                w->last = &w->first;
        free(e->body);
        free(e);
}

/* A note that is lost with fgd costs a few events that are sent again. */
static void advance(struct fg_webhook *w, uint64_t number)
{
        pop(w);
        if (w->first && ++w->unstored < STORE_EVERY)
                return;
        w->unstored = 0;
        fg_store_set_cursor(w->d->store, SINK, number);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_webhook *w = userdata;

        (void)source;
        (void)usec;
        w->retry = sd_event_source_disable_unref(w->retry);
        start(w);
        return 0;
}

/* Doubling, up to five minutes, and not in step with others; longer when it was asked for. */
static void later(struct fg_webhook *w, uint64_t asked_seconds)
{
        uint64_t ms, random;

        w->delay_ms = w->delay_ms == 0 ? DELAY_FIRST_MS : w->delay_ms * 2;
        if (w->delay_ms > DELAY_MAX_MS)
                w->delay_ms = DELAY_MAX_MS;
        fg_random(&random, sizeof(random));
        ms = w->delay_ms + random % (w->delay_ms / 4);
        if (ms < asked_seconds * 1000)
                ms = asked_seconds * 1000;
        (void)sd_event_add_time_relative(w->d->event, &w->retry, CLOCK_MONOTONIC, ms * 1000, 0,
                                         on_retry, w);
}

static void on_failure(struct fg_webhook *w, const struct post *p)
{
        w->state.failures++;
        w->error = p->err;
        if (w->failing_since_ns == 0) {
                w->failing_since_ns = fg_mono_ns();
                fg_log_warn("the webhook does not take event %llu, trying again: %s",
                            (unsigned long long)p->number, p->err.msg);
        }
        later(w, p->wait);
}

static void on_end(struct fg_webhook *w, const struct post *p)
{
        if (w->failing_since_ns != 0)
                fg_log_info("the webhook takes events again");
        w->failing_since_ns = 0;
        w->delay_ms = 0;
        w->error = FG_ERROR_INIT;
        if (p->result == FG_POST_REFUSED) {
                w->state.refused++;
                fg_log_warn("the webhook refuses event %llu, which it will not get: %s",
                            (unsigned long long)p->number, p->err.msg);
        } else {
                w->state.delivered++;
        }
        advance(w, p->number);
        start(w);
}

static void post_done(struct fg_job *job)
{
        struct post *p = FG_CONTAINER_OF(job, struct post, job);
        struct fg_webhook *w = p->w;

        if (!w->leaving && p->result == FG_POST_AGAIN)
                on_failure(w, p);
        else if (!w->leaving)
                on_end(w, p);
        free(p->body);
        free(p);
}

static void start(struct fg_webhook *w)
{
        struct post *p;

        if (!w->first) {
                fg_event_feed_read(w->feed);
                return;
        }
        p = fg_calloc(1, sizeof(*p));
        *p = (struct post){ .job = { .work = post_work, .done = post_done },
                            .w = w,
                            .body = fg_strdup(w->first->body),
                            .number = w->first->number };
        fg_lane_submit(w->lane, &p->job);
}

static void on_events(void *userdata, const struct fg_event *events, size_t n, uint64_t lost,
                      const struct fg_error *err)
{
        struct fg_webhook *w = userdata;

        if (err) {
                fg_log_warn("events for the webhook cannot be read: %s", err->msg);
                (void)sd_event_add_time_relative(w->d->event, &w->retry, CLOCK_MONOTONIC,
                                                 READ_AGAIN_SECS * 1000000, 0, on_retry, w);
                return;
        }
        w->state.lost += lost;
        if (lost)
                fg_log_warn("%llu events were not kept long enough for the webhook",
                            (unsigned long long)lost);
        for (size_t i = 0; i < n; i++) {
                struct waiting *e = fg_calloc(1, sizeof(*e));

                e->number = events[i].seq;
                e->body = fg_strdup(events[i].body);
                *w->last = e;
                w->last = &e->next;
        }
        start(w);
}

/* ---- life ---- */

static int read_secret(struct fg_webhook *w, const char *path, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT_SECRET(SECRET_MAX);
        struct stat st;

        if (fg_buf_read_file(&text, path, err) < 0)
                return fg_wrap(err, "webhook_secret");
        if (stat(path, &st) == 0 && (st.st_mode & 077))
                return fg_fail(err, FG_ERR_DENIED, "webhook_secret: %s has mode %04o, must be 0600",
                               path, (unsigned)st.st_mode & 07777);
        while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
                text.len--;
        if (text.len < SECRET_MIN)
                return fg_fail(err, FG_ERR_INVALID, "webhook_secret: %s has less than %d bytes",
                               path, SECRET_MIN);
        fg_secret_set(&w->secret, text.data, text.len);
        return 0;
}

static char *host_of(const char *url)
{
        const char *host = strstr(url, "://") + 3; /* the poster has checked it */

        return fg_asprintf("%.*s", (int)(strcspn(host, "/?#") + (size_t)(host - url)), url);
}

static int open_webhook(struct fg_webhook *w, struct fg_error *err)
{
        const struct fg_config *c = &w->d->config;
        struct fg_poster_config config = { .url = c->webhook,
                                           .ca_file = c->ca_file,
                                           .secret = c->webhook_secret ? &w->secret : NULL,
                                           .cancel = &w->cancel };
        uint64_t cursor;

        if ((c->webhook_secret && read_secret(w, c->webhook_secret, err) < 0) ||
            fg_poster_new(&config, &w->poster, err) < 0 ||
            fg_store_cursor(w->d->store, SINK, &cursor, err) < 0 ||
            fg_lane_new(w->d->event, "webhook", 1, &w->lane, err) < 0)
                return -1;
        w->host = host_of(c->webhook);
        w->state.url = w->host;
        w->feed = fg_event_feed_new(w->d, cursor, on_events, w);
        fg_event_feed_read(w->feed);
        return 0;
}

int fg_webhook_new(struct fg_daemon *d, struct fg_webhook **ret, struct fg_error *err)
{
        struct fg_webhook *w;

        *ret = NULL;
        if (!d->config.webhook)
                return 0;
        w = fg_calloc(1, sizeof(*w));
        w->d = d;
        w->last = &w->first;
        if (open_webhook(w, err) < 0) {
                fg_webhook_free(w);
                return -1;
        }
        *ret = w;
        return 0;
}

void fg_webhook_free(struct fg_webhook *w)
{
        if (!w)
                return;
        w->leaving = true;
        atomic_store(&w->cancel, true);
        sd_event_source_disable_unref(w->retry);
        fg_event_feed_free(w->feed);
        if (w->lane)
                fg_lane_free(w->lane);
        while (w->first)
                pop(w);
        fg_poster_free(w->poster);
        fg_secret_finish(&w->secret);
        free(w->host);
        free(w);
}

struct fg_webhook_state fg_webhook_state(const struct fg_webhook *w)
{
        struct fg_webhook_state state = { .error = "" };

        if (!w)
                return state;
        state = w->state;
        state.error = w->error.msg;
        state.failing_ns = w->failing_since_ns ? fg_mono_ns() - w->failing_since_ns : 0;
        return state;
}

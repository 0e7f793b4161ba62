/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cwlogs/search.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/str.h"

#define STEP_BYTES   (8u << 20)            /* then others have their turn */
#define STEP_NS      (50 * FG_NS_PER_MSEC) /* the same, for patterns that take long */
#define SEARCH_BYTES (UINT64_C(256) << 20) /* of one request */
#define SHARE_MIN    (UINT64_C(2) << 20)   /* of one source; more than the largest event */
#define CLOCK_EVERY  64                    /* events between looks at the clock */

void fg_logsearch_free(struct fg_logsearch *s)
{
        if (!s)
                return;
        fg_logview_free(s->view);
        fg_pattern_free(s->starts);
        fg_filter_free(s->filter);
        fg_logpage_free(&s->page);
        for (size_t i = 0; i < s->n_sources; i++) {
                free(s->sources[i].name);
                free(s->sources[i].container);
                free(s->sources[i].starts);
        }
        free(s->sources);
        free(s->dir);
        free(s);
}

static struct fg_logkey key_of(const struct fg_logsource *source, const struct fg_logevent *e)
{
        return (struct fg_logkey){ .time_ms = e->time_ms,
                                   .stream = source->id,
                                   .position = e->position };
}

/* ---- a source ---- */

/* 1, 0: its log does not exist (yet, or any more), -1. */
static int open_view(struct fg_logsearch *s, struct fg_error *err)
{
        const struct fg_logsource *source = &s->sources[s->at];
        fg_autofree char *path = fg_asprintf("%s/%s", s->dir, source->key);
        fg_autoclose int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct fg_logview_options options = { .put = source->put,
                                              .ended = source->ended,
                                              .now_ms = s->now_ms };

        if (dir < 0)
                return errno == ENOENT ? 0 : fg_fail_errno(err, errno, "open log %s", path);
        if (source->starts) {
                s->starts = source->datetime ? fg_pattern_datetime(source->starts, err)
                                             : fg_pattern_new(source->starts, err);
                if (!s->starts)
                        return -1;
                options.starts = s->starts;
        }
        s->view = fg_logview_open(dir, source->container, &options, err);
        if (!s->view)
                return err->code == FG_ERR_NOT_FOUND ? 0 : -1;
        return fg_logview_segments(s->view) > 0;
}

static void close_source(struct fg_logsearch *s)
{
        fg_logview_free(fg_take_ptr(s->view));
        fg_pattern_free(fg_take_ptr(s->starts));
        s->at++;
}

/* Backwards, an ordered log is read segment by segment; the first look is at the last one. */
static void start_source(struct fg_logsearch *s)
{
        const struct fg_logsource *source = &s->sources[s->at];
        const uint64_t left = s->scanned < SEARCH_BYTES ? SEARCH_BYTES - s->scanned : 0;

        s->share = left / (s->n_sources - s->at);
        if (s->share < SHARE_MIN)
                s->share = SHARE_MIN;
        s->pass_until = s->until;
        s->pass_any = false;
        s->segment = 0;
        if (source->unordered || source->put)
                fg_logview_start(s->view, source->unordered || s->page.last
                                                  ? 0
                                                  : fg_logview_find(s->view, s->from.time_ms));
        else if (!s->page.last)
                fg_logview_start(s->view, fg_logview_find(s->view, s->from.time_ms));
        else {
                s->segment = fg_logview_find(s->view, s->until.time_ms) + 1;
                fg_logview_start(s->view, s->segment - 1);
        }
}

/* ---- events ---- */

enum verdict { GO_ON, PASS_DONE, SOURCE_DONE };

static enum verdict take_event(struct fg_logsearch *s, const struct fg_logevent *e)
{
        const struct fg_logsource *source = &s->sources[s->at];
        const struct fg_logkey key = key_of(source, e);
        const bool ordered = !source->unordered;

        s->scanned += e->len + FG_LOGPAGE_EXTRA;
        if (!s->pass_any)
                s->pass_first = key;
        s->pass_any = true;
        if (fg_logkey_compare(&key, &s->from) < 0)
                return GO_ON;
        if (fg_logkey_compare(&key, &s->pass_until) >= 0)
                return ordered ? PASS_DONE : GO_ON;
        if (!fg_logpage_wants(&s->page, &key))
                return ordered && !s->page.last ? SOURCE_DONE : GO_ON;
        if (ordered && !s->page.last && s->share < e->len + FG_LOGPAGE_EXTRA) {
                fg_logpage_cut(&s->page, &key);
                return SOURCE_DONE;
        }
        s->share -= s->share < e->len + FG_LOGPAGE_EXTRA ? s->share : e->len + FG_LOGPAGE_EXTRA;
        if (!s->filter || fg_filter_matches(s->filter, e->data, e->len))
                fg_logpage_add(&s->page, &key, e, source->name);
        return GO_ON;
}

/*
 * One pass over a log backwards is done. What it has given is the latest there is: when the page is
 * full the earlier segments cannot add to it. Return: true when there is another pass.
 */
static bool next_pass(struct fg_logsearch *s)
{
        if (s->segment <= 1 || s->page.bounded)
                return false;
        s->segment--;
        if (s->pass_any)
                s->pass_until = s->pass_first;
        s->pass_any = false;
        if (fg_logview_segment_time(s->view, s->segment) < s->from.time_ms)
                return false;
        fg_logview_start(s->view, s->segment - 1);
        return true;
}

/* 1: the source is done, 0: the step is, -1. */
static int read_source(struct fg_logsearch *s, uint64_t step_until, uint64_t until_ns,
                       struct fg_error *err)
{
        for (unsigned n = 1;; n++) {
                struct fg_logevent e;
                enum verdict verdict = PASS_DONE;
                int r = fg_logview_next(s->view, &e, err);

                if (r < 0)
                        return -1;
                if (r > 0)
                        verdict = take_event(s, &e);
                if (verdict == SOURCE_DONE || (verdict == PASS_DONE && !next_pass(s)))
                        return 1;
                if (s->scanned >= step_until || (n % CLOCK_EVERY == 0 && fg_mono_ns() >= until_ns))
                        return 0;
        }
}

/* Sources are in the order of their first event: behind the page's end there is nothing to find. */
static bool worth_opening(const struct fg_logsearch *s)
{
        const struct fg_logsource *source = &s->sources[s->at];
        const struct fg_logkey first = { .time_ms = source->first_ms };

        return s->page.last || fg_logpage_wants(&s->page, &first);
}

/* 1: the source is done (or there was nothing to do), 0: the step is, -1. */
static int step_source(struct fg_logsearch *s, uint64_t step_until, uint64_t until_ns,
                       struct fg_error *err)
{
        if (!s->view) {
                int r = worth_opening(s) ? open_view(s, err) : 0;

                if (r <= 0)
                        return r < 0 ? -1 : 1;
                start_source(s);
        }
        return read_source(s, step_until, until_ns, err);
}

int fg_logsearch_step(struct fg_logsearch *s, struct fg_error *err)
{
        const uint64_t step_until = s->scanned + STEP_BYTES, until_ns = fg_mono_ns() + STEP_NS;
        bool more = s->at < s->n_sources;

        while (more && s->scanned < step_until && fg_mono_ns() < until_ns) {
                int r = step_source(s, step_until, until_ns, err);

                if (r < 0)
                        return fg_wrap(err, "log stream %s", s->sources[s->at].name);
                if (r > 0)
                        close_source(s);
                more = s->at < s->n_sources;
        }
        if (more)
                return 1;
        fg_logpage_finish(&s->page);
        return 0;
}

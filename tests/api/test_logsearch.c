/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api/logstore_fixture.h"

#include <stdio.h>

#include "api/cwlogs/search.h"
#include "core/clock.h"

/* A log as it was written, and the events it should be, worked out in the simplest way. */

#define MAX_EVENTS 20000

struct expected {
        uint64_t time_ms;
        char *text;
        size_t len;
};

struct model {
        struct expected events[MAX_EVENTS];
        size_t n;
        uint64_t last;
        struct {
                char text[4096];
                size_t len;
                uint64_t start, offset;
                bool apart;
        } streams[FG_LOG_STREAMS];
};

static struct model model;

static void model_event(unsigned s, uint64_t time)
{
        struct expected *e = &model.events[model.n];

        if (model.streams[s].len > 0) {
                e->time_ms = (model.streams[s].apart ? time : model.streams[s].start) / 1000000;
                e->text = strndup(model.streams[s].text, model.streams[s].len);
                e->len = model.streams[s].len;
                model.n++;
        }
        model.streams[s].len = 0;
        assert_true(model.n < MAX_EVENTS);
}

static void model_write(struct writer *w, unsigned s, uint64_t time, const char *data, size_t len)
{
        append(w, s, model.streams[s].offset, time, data, len);
        model.last = time;
        model.streams[s].offset += len;
        model.streams[!s].apart = true;
        for (size_t i = 0; i < len; i++) {
                if (data[i] == '\n') {
                        model_event(s, time);
                        continue;
                }
                if (model.streams[s].len == 0) {
                        model.streams[s].start = time;
                        model.streams[s].apart = false;
                }
                model.streams[s].text[model.streams[s].len++] = data[i];
        }
}

static void model_end(void)
{
        unsigned first = model.streams[0].apart;

        model_event(first, model.last);
        model_event(!first, model.last);
}

static void model_clear(void)
{
        for (size_t i = 0; i < model.n; i++)
                free(model.events[i].text);
        memset(&model, 0, sizeof(model));
}

/* Lines of all lengths, in pieces of all lengths; partial ones stay for a while. */
static void write_random(struct fixture *f, struct writer *w, size_t lines)
{
        uint64_t time = UINT64_C(1700000000000000000);
        char text[400];

        for (size_t i = 0; i < lines; i++) {
                unsigned s = random() % 4 == 0;
                size_t len = (size_t)(random() % (random() % 10 == 0 ? 300 : 30));

                for (size_t k = 0; k < len; k++)
                        text[k] = "abcdefghijklmnopqrs\n"[random() % 20];
                if (random() % 3)
                        text[len++] = '\n';
                if (model.streams[s].len > 2000)
                        text[len++] = '\n';
                time += (uint64_t)(random() % 1500000);
                if (len == 0)
                        continue; /* with nothing under way the loop would wait in vain */
                model_write(w, s, time, text, len);
                if (i % 50 == 0)
                        run_once(f);
        }
}

static struct fg_logsearch *search_new(struct fixture *f, size_t limit, bool last)
{
        struct fg_logsearch *s = fg_calloc(1, sizeof(*s));

        s->dir = fg_strdup(f->dir);
        s->sources = fg_calloc(1, sizeof(*s->sources));
        s->n_sources = 1;
        s->sources[0] = (struct fg_logsource){ .id = 1,
                                               .name = fg_strdup("s"),
                                               .key = TASK,
                                               .container = fg_strdup("app"),
                                               .ended = true };
        s->until.time_ms = UINT64_MAX;
        fg_logpage_init(&s->page, limit, last);
        return s;
}

static void search_run(struct fg_logsearch *s)
{
        struct fg_error err = FG_ERROR_INIT;
        int r;

        while ((r = fg_logsearch_step(s, &err)) > 0)
                ;
        if (r < 0)
                fail_msg("%s", err.msg);
}

static void check_item(const struct fg_logitem *item, const struct expected *e)
{
        if (item->len != e->len || memcmp(item->data, e->text, e->len) != 0)
                fail_msg("expected '%s', got '%s'", e->text, item->data);
        assert_int_equal(item->key.time_ms, e->time_ms);
}

/* Page by page, as a client reads a stream with the tokens it gets. */
static void check_forwards(struct fixture *f, size_t first, uint64_t from_ms, size_t limit)
{
        struct fg_logkey from = { .time_ms = from_ms };
        bool more = true;

        while (more) {
                fg_cleanup(fg_logsearch_freep) struct fg_logsearch *s = search_new(f, limit, false);

                s->from = from;
                search_run(s);
                for (size_t i = 0; i < s->page.n; i++)
                        check_item(&s->page.items[i], &model.events[first++]);
                more = s->page.bounded;
                from = s->page.bound;
        }
        assert_int_equal(first, model.n);
}

static void check_backwards(struct fixture *f, size_t limit)
{
        struct fg_logkey until = { .time_ms = UINT64_MAX };
        size_t left = model.n;

        for (;;) {
                fg_cleanup(fg_logsearch_freep) struct fg_logsearch *s = search_new(f, limit, true);

                s->until = until;
                search_run(s);
                if (s->page.n == 0)
                        break;
                assert_true(s->page.n <= left);
                left -= s->page.n;
                for (size_t i = 0; i < s->page.n; i++)
                        check_item(&s->page.items[i], &model.events[left + i]);
                until = s->page.items[0].key;
        }
        assert_int_equal(left, 0);
}

static size_t first_from(uint64_t time_ms)
{
        size_t i = 0;

        while (i < model.n && model.events[i].time_ms < time_ms)
                i++;
        return i;
}

static void check_random_log(struct fixture *f, unsigned seed)
{
        struct fg_error err = FG_ERROR_INIT;
        struct writer w;

        f->options.segment_bytes = 20000;
        srandom(seed);
        store_open(f);
        writer_open(f, &w, TASK, "app");
        write_random(f, &w, 8000);
        wait_stored(f, &w, 0, model.streams[0].offset);
        wait_stored(f, &w, 1, model.streams[1].offset);
        fg_logwriter_free(w.w);
        model_end();
        assert_true(model.n > 5000);
        check_forwards(f, 0, 0, 10000);
        check_forwards(f, 0, 0, 97);
        check_backwards(f, 10000);
        check_backwards(f, 101);
        for (int i = 0; i < 30; i++) {
                uint64_t ms = model.events[(size_t)random() % model.n].time_ms;

                check_forwards(f, first_from(ms), ms, 3000);
        }
        model_clear();
        store_close(f);
        assert_int_equal(fg_rm_rf(f->dir, &err), 0);
}

static void test_random_logs(void **state)
{
        for (unsigned seed = 1; seed <= 4; seed++)
                check_random_log(*state, seed);
}

/* ---- joined lines ---- */

static char *joined_texts(struct fixture *f, const char *starts, bool ended, uint64_t now_ms)
{
        fg_cleanup(fg_logsearch_freep) struct fg_logsearch *s = search_new(f, 0, false);
        struct fg_buf b = FG_BUF_INIT(65536);
        struct fg_error err = FG_ERROR_INIT;

        s->sources[0].starts = fg_strdup(starts);
        s->sources[0].ended = ended;
        s->now_ms = now_ms;
        search_run(s);
        for (size_t i = 0; i < s->page.n; i++)
                assert_int_equal(fg_buf_printf(&b, &err, "[%s]", s->page.items[i].data), 0);
        return fg_buf_take(&b);
}

static void expect_joined(struct fixture *f, bool ended, uint64_t now_ms, const char *expected)
{
        fg_autofree char *texts = joined_texts(f, "^[A-Z]", ended, now_ms);

        assert_string_equal(texts, expected);
}

static void test_joined_lines(void **state)
{
        static const char lines[] = "x\nA\n 1\n\n 2\nB\n";
        const uint64_t second = FG_NS_PER_SEC;
        struct fixture *f = *state;
        struct writer w;

        store_open(f);
        writer_open(f, &w, TASK, "app");
        append(&w, 0, 0, second, lines, strlen(lines));
        append(&w, 0, strlen(lines), 7 * second, " late\n", 6); /* 6 s after its line */
        wait_stored(f, &w, 0, strlen(lines) + 6);
        fg_logwriter_free(w.w);
        expect_joined(f, true, 0, "[x][A\n 1\n\n 2][B][ late]");
        expect_joined(f, false, 8000, "[x][A\n 1\n\n 2][B]");
        expect_joined(f, false, 13000, "[x][A\n 1\n\n 2][B][ late]");
        store_close(f);
}

/* ---- long lines, lost bytes, rotation ---- */

static void test_long_lines_are_cut(void **state)
{
        struct fixture *f = *state;
        fg_autofree char *line = fg_calloc(1, FG_LOGEVENT_MAX * 2 + 11);
        fg_cleanup(fg_logsearch_freep) struct fg_logsearch *s = NULL;
        const size_t len = FG_LOGEVENT_MAX * 2 + 10;
        struct writer w;

        memset(line, 'x', len - 1);
        line[len - 1] = '\n';
        store_open(f);
        writer_open(f, &w, TASK, "app");
        for (size_t at = 0; at < len; at += 100000)
                append(&w, 0, at, 1, line + at, len - at < 100000 ? len - at : 100000);
        wait_stored(f, &w, 0, len);
        fg_logwriter_free(w.w);
        s = search_new(f, 0, false);
        search_run(s);
        assert_int_equal(s->page.n, 3);
        assert_int_equal(s->page.items[0].len, FG_LOGEVENT_MAX);
        assert_int_equal(s->page.items[1].len, FG_LOGEVENT_MAX);
        assert_int_equal(s->page.items[2].len, 9);
        store_close(f);
}

static void test_the_oldest_are_gone(void **state)
{
        struct fixture *f = *state;
        fg_cleanup(fg_logsearch_freep) struct fg_logsearch *s = NULL;
        struct writer w;
        char line[32];
        size_t len = 0;

        f->options.segment_bytes = 2000;
        f->options.container_bytes = 8000;
        store_open(f);
        writer_open(f, &w, TASK, "app");
        for (unsigned i = 0; i < 1000; i++) {
                (void)snprintf(line, sizeof(line), "line %04u\n", i);
                append(&w, 0, len, (i + 1) * FG_NS_PER_MSEC, line, 10);
                len += 10;
        }
        wait_stored(f, &w, 0, len);
        fg_logwriter_free(w.w);
        s = search_new(f, 0, false);
        search_run(s);
        assert_in_range(s->page.n, 100, 250);
        assert_string_equal(s->page.items[s->page.n - 1].data, "line 0999");
        store_close(f);
}

/* ---- the page ---- */

static void test_page_keeps_the_first(void **state)
{
        struct fg_logevent e = { .data = "x", .len = 1 };
        struct fg_logpage p;

        (void)state;
        for (int last = 0; last < 2; last++) {
                fg_logpage_init(&p, 100, last);
                for (uint64_t i = 0; i < 5000; i++) {
                        struct fg_logkey key = { .time_ms = i * 7919 % 5003 };

                        if (fg_logpage_wants(&p, &key))
                                fg_logpage_add(&p, &key, &e, "s");
                }
                fg_logpage_finish(&p);
                assert_int_equal(p.n, 100);
                for (size_t i = 1; i < p.n; i++)
                        assert_true(p.items[i - 1].key.time_ms < p.items[i].key.time_ms);
                if (last)
                        assert_int_equal(p.items[99].key.time_ms, 5002);
                else
                        assert_int_equal(p.items[0].key.time_ms, 0);
                assert_true(p.bounded);
                fg_logpage_free(&p);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_random_logs),
                TEST(test_joined_lines),
                TEST(test_long_lines_are_cut),
                TEST(test_the_oldest_are_gone),
                cmocka_unit_test(test_page_keeps_the_first),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api/logstore_fixture.h"

static void test_since_and_merge(void **state)
{
        struct fg_logreader_options o = ALL;
        struct fixture *f = *state;
        struct writer a, b;
        struct reader r;

        store_open(f);
        writer_open(f, &a, TASK, "alpha");
        writer_open(f, &b, TASK, "beta");
        append(&a, 0, 0, 100, "1", 1);
        append(&a, 0, 1, 300, "3", 1);
        append(&a, 0, 2, 400, "4", 1);
        append(&b, 0, 0, 200, "2", 1);
        append(&b, 0, 1, 500, "5", 1);
        wait_stored(f, &a, 0, 3);
        wait_stored(f, &b, 0, 2);

        read_all(f, &r, &o);
        assert_string_equal(r.data[0].data, "12345");
        assert_string_equal(r.order, "abaab");
        reader_close(&r);

        o.since_ns = 300;
        read_all(f, &r, &o);
        assert_string_equal(r.data[0].data, "345");
        assert_int_equal(r.lost, 0); /* left out, not lost */
        reader_close(&r);

        o.container = "beta";
        read_all(f, &r, &o);
        assert_string_equal(r.data[0].data, "5");
        reader_close(&r);

        o.container = "gamma";
        read_all(f, &r, &o);
        assert_int_equal(r.records, 0);
        reader_close(&r);
        fg_logwriter_free(a.w);
        fg_logwriter_free(b.w);
}

static void test_follow(void **state)
{
        struct fg_logreader_options o = ALL;
        struct fixture *f = *state;
        struct writer a, b;
        struct reader r;

        store_open(f);
        o.follow = true;
        reader_open(f, &r, &o); /* before the task has any log */
        fg_logreader_read(r.r);
        writer_open(f, &a, TASK, "alpha");
        append(&a, 0, 0, 1, "one", 3);
        while (r.answers < 1)
                run_once(f);
        assert_string_equal(r.data[0].data, "one");

        fg_logreader_read(r.r);
        wait_stored(f, &a, 0, 3);
        writer_open(f, &b, TASK, "beta");
        append(&b, 0, 0, 2, "two", 3);
        while (r.answers < 2)
                run_once(f);
        assert_string_equal(r.order, "ab");

        /* The end comes after what freed writers had queued. */
        fg_logreader_read(r.r);
        append(&a, 0, 3, 3, "three", 5);
        fg_logwriter_free(a.w);
        append(&b, 0, 3, 4, "four", 4);
        fg_logstore_finish(f->store, TASK);
        fg_logwriter_free(b.w);
        while (r.answers < 3)
                run_once(f);
        while (!r.ended)
                read_answer(f, &r);
        assert_int_equal(r.data[0].len, 15);
        reader_close(&r);
}

static void test_follow_ends_without_logs(void **state)
{
        struct fg_logreader_options o = ALL;
        struct fixture *f = *state;
        struct reader waiting, unasked;

        store_open(f);
        o.follow = true;
        reader_open(f, &waiting, &o);
        reader_open(f, &unasked, &o);
        fg_logreader_read(waiting.r);
        fg_logstore_finish(f->store, "ffffffffffffffffffffffffffffffff");
        fg_logstore_finish(f->store, TASK);
        while (!waiting.ended)
                run_once(f);
        read_answer(f, &unasked);
        assert_true(unasked.ended);
        reader_close(&waiting);
        reader_close(&unasked);
}

enum { READERS = 8, TOTAL = 3 << 20 };

static char pattern(uint64_t offset)
{
        return (char)((offset * 2654435761u) >> 13);
}

static void assert_pattern(const struct fg_buf *b, uint64_t len)
{
        assert_int_equal(b->len, len);
        for (uint64_t i = 0; i < len; i++)
                if (b->data[i] != pattern(i))
                        fail_msg("byte %ju differs", (uintmax_t)i);
}

static void test_parallel_readers(void **state)
{
        struct fg_logreader_options o = ALL;
        struct fixture *f = *state;
        struct reader readers[READERS], slow;
        struct writer w;
        char block[3000];
        uint64_t at = 0;
        int ended = 0;

        f->options.segment_bytes = 64 * 1024;
        store_open(f);
        o.follow = true;
        reader_open(f, &slow, &o); /* asks once and then never again */
        fg_logreader_read(slow.r);
        for (int i = 0; i < READERS; i++) {
                reader_open(f, &readers[i], &o);
                fg_logreader_read(readers[i].r);
        }
        writer_open(f, &w, TASK, "app");
        while (ended < READERS) {
                size_t len = TOTAL - at < sizeof(block) ? TOTAL - at : sizeof(block);

                for (size_t i = 0; i < len; i++)
                        block[i] = pattern(at + i);
                if (len > 0 && at < w.next[0] + 200000)
                        append(&w, 0, at, 1, block, len), at += len;
                if (w.w && w.next[0] == TOTAL) {
                        fg_logwriter_free(fg_take_ptr(w.w));
                        fg_logstore_finish(f->store, TASK);
                }
                (void)sd_event_run(f->event, at < TOTAL ? 0 : LIMIT);
                ended = 0;
                for (int i = 0; i < READERS; i++) {
                        ended += readers[i].ended;
                        if (readers[i].answers > 0 && !readers[i].ended) {
                                readers[i].answers = 0;
                                fg_logreader_read(readers[i].r);
                        }
                }
        }
        for (int i = 0; i < READERS; i++) {
                assert_pattern(&readers[i].data[0], TOTAL);
                assert_int_equal(readers[i].lost, 0);
                reader_close(&readers[i]);
        }
        assert_int_equal(slow.answers, 1);
        while (!slow.ended)
                read_answer(f, &slow);
        assert_pattern(&slow.data[0], TOTAL);
        reader_close(&slow);
}

/* A reader that stays behind loses what is rotated away, is told how much, and goes on. */
static void test_reader_falls_behind(void **state)
{
        struct fg_logreader_options o = ALL;
        struct fixture *f = *state;
        struct writer w;
        struct reader r;
        char block[1000];

        memset(block, 'x', sizeof(block));
        f->options.segment_bytes = 10000;
        f->options.container_bytes = 30000;
        store_open(f);
        writer_open(f, &w, TASK, "app");
        o.follow = true;
        reader_open(f, &r, &o);
        append(&w, 0, 0, 1, block, 1000);
        read_answer(f, &r);
        for (unsigned i = 1; i < 200; i++)
                append(&w, 0, i * 1000, 1, block, 1000);
        wait_stored(f, &w, 0, 200000);
        fg_logwriter_free(w.w);
        fg_logstore_finish(f->store, TASK);
        while (!r.ended)
                read_answer(f, &r);
        assert_in_range(r.lost, 100000, 190000);
        assert_int_equal(r.lost + r.data[0].len, 200000);
        reader_close(&r);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_since_and_merge),          TEST(test_follow),
                TEST(test_follow_ends_without_logs), TEST(test_parallel_readers),
                TEST(test_reader_falls_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

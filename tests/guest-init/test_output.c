/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of a container's output: what is sent, resent, held back and ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest-init/output.h"
#include "guest-init/protocol.h"

struct fixture {
        struct fg_loop loop;
        struct fg_output output;
        struct fg_buf wire;
        struct fg_parser parser;
        struct fg_error err;
        int pipe; /* write end */
};

static int set_up(void **state)
{
        static struct fixture f;
        int pair[2];

        f = (struct fixture){ .wire = FG_BUF_INIT(16 << 20) };
        if (pipe2(pair, O_CLOEXEC) < 0 || fcntl(pair[1], F_SETFL, O_NONBLOCK) < 0)
                return -1;
        f.pipe = pair[1];
        fg_parser_init(&f.parser);
        *state = &f;
        return fg_loop_init(&f.loop, &f.err) |
               fg_output_init(&f.output, &f.loop, 3, pair[0], &f.err);
}

static int tear_down(void **state)
{
        struct fixture *f = *state;

        fg_output_exited(&f->output);
        free(f->output.ring);
        free(f->output.chunks);
        fg_buf_finish(&f->wire);
        fg_parser_finish(&f->parser);
        (void)close(f->loop.epoll);
        if (f->pipe >= 0)
                (void)close(f->pipe);
        return 0;
}

static void write_text(struct fixture *f, const char *text)
{
        assert_int_equal(write(f->pipe, text, strlen(text)), strlen(text));
        fg_loop_step(&f->loop);
}

/* The next frame on the wire, its bytes after the timestamp. */
static bool next(struct fixture *f, struct fg_frame *ret)
{
        fg_buf_clear(&f->wire);
        if (fg_output_append(&f->output, &f->wire, &f->err) == 0)
                return false;
        assert_int_equal(fg_parser_feed(&f->parser, f->wire.data, f->wire.len, &f->err), 0);
        assert_int_equal(fg_parser_next(&f->parser, ret, &f->err), 1);
        assert_int_equal(ret->stream, 3);
        ret->data += 8;
        ret->len -= 8;
        return true;
}

static void expect(struct fixture *f, uint64_t offset, const char *text)
{
        struct fg_frame frame = { 0 };

        assert_true(next(f, &frame));
        assert_int_equal(frame.offset, offset);
        assert_int_equal(frame.len, strlen(text));
        assert_memory_equal(frame.data, text, frame.len);
}

static void sends_once_and_again_after_a_rewind(void **state)
{
        struct fixture *f = *state;
        struct fg_frame frame = { 0 };

        write_text(f, "hello");
        expect(f, 0, "hello");
        assert_false(next(f, &frame));
        write_text(f, "world");
        fg_output_ack(&f->output, 2);
        fg_output_rewind(&f->output);
        expect(f, 2, "llo");
        expect(f, 5, "world");
        fg_output_ack(&f->output, 10);
        fg_output_rewind(&f->output);
        assert_false(next(f, &frame));
}

static void keeps_the_time_of_a_chunk(void **state)
{
        struct fixture *f = *state;
        char first[8], second[8];
        struct fg_frame frame = { 0 };

        write_text(f, "x");
        assert_true(next(f, &frame));
        memcpy(first, frame.data - 8, sizeof(first));
        fg_output_rewind(&f->output);
        assert_true(next(f, &frame));
        memcpy(second, frame.data - 8, sizeof(second));
        assert_memory_equal(first, second, sizeof(first));
}

static void acknowledges_no_more_than_there_is(void **state)
{
        struct fixture *f = *state;

        write_text(f, "abc");
        fg_output_ack(&f->output, 1000);
        assert_int_equal(f->output.acked, 3);
        fg_output_ack(&f->output, 1);
        assert_int_equal(f->output.acked, 3);
        write_text(f, "d");
        expect(f, 3, "d");
}

static void ends_once_with_its_last_frame(void **state)
{
        struct fixture *f = *state;
        struct fg_frame frame = { 0 };

        write_text(f, "abc");
        assert_int_equal(close(f->pipe), 0);
        f->pipe = -1;
        fg_loop_step(&f->loop);
        expect(f, 0, "abc");
        assert_false(fg_output_all_sent(&f->output));
        assert_true(next(f, &frame));
        assert_int_equal(frame.flags, FG_FRAME_LAST);
        assert_int_equal(frame.offset, 3);
        assert_true(fg_output_all_sent(&f->output));
        assert_false(fg_output_all_acked(&f->output));
        fg_output_ack(&f->output, 3);
        assert_true(fg_output_all_acked(&f->output));
}

/* More than the ring holds, while nothing is acknowledged; then every byte arrives in order. */
static void stops_reading_when_full(void **state)
{
        struct fixture *f = *state;
        static char block[60000];
        uint64_t written = 0, seen = 0;
        struct fg_frame frame = { 0 };
        ssize_t n;

        for (int i = 0; i < 100; i++) {
                for (size_t j = 0; j < sizeof(block); j++)
                        block[j] = (char)((written + j) % 251);
                n = write(f->pipe, block, sizeof(block));
                written += n > 0 ? (uint64_t)n : 0;
                if (f->output.watched)
                        fg_loop_step(&f->loop);
        }
        assert_int_equal(f->output.end, FG_OUTPUT_RING);
        assert_false(f->output.watched);
        fg_output_exited(&f->output);
        assert_false(f->output.eof);
        while (seen < written) {
                assert_true(next(f, &frame));
                assert_int_equal(frame.offset, seen);
                for (size_t i = 0; i < frame.len; i++)
                        assert_int_equal((uint8_t)frame.data[i], (seen + i) % 251);
                seen += frame.len;
                fg_output_ack(&f->output, seen);
        }
        assert_true(f->output.eof);
}

/* Another process holds the write end open: what was written is all there is. */
static void does_not_wait_for_a_borrowed_pipe(void **state)
{
        struct fixture *f = *state;

        write_text(f, "a");
        assert_int_equal(write(f->pipe, "b", 1), 1);
        fg_output_exited(&f->output);
        assert_true(f->output.eof);
        assert_int_equal(f->output.end, 2);
}

/* What does not fit is dropped: on the wire the offsets jump over it, whatever is sent again. */
static void a_lossy_stream_never_waits(void **state)
{
        struct fixture *f = *state;
        struct fg_frame frame = { 0 };

        assert_int_equal(fg_output_lossy(&f->output, 8, &f->err), 0);
        write_text(f, "12345678dropped");
        assert_true(f->output.watched);
        fg_loop_step(&f->loop);
        assert_int_equal(f->output.dropped, 7);
        expect(f, 0, "12345678");
        fg_output_ack(&f->output, 6);
        write_text(f, "abcdef");
        write_text(f, "more");
        assert_int_equal(f->output.dropped, 11);
        fg_output_rewind(&f->output);
        expect(f, 6, "78");
        expect(f, 15, "abcdef");
        assert_false(next(f, &frame));
        fg_output_ack(&f->output, 10); /* inside of what was dropped */
        fg_output_rewind(&f->output);
        expect(f, 15, "abcdef");
        fg_output_ack(&f->output, 21);
        write_text(f, "end");
        expect(f, 25, "end");
        fg_output_ack(&f->output, 28);
        assert_int_equal(f->output.acked, f->output.end);
}

/* Its table of chunks is larger than an ordinary stream's, and comes round as well. */
static void a_large_ring_comes_round(void **state)
{
        struct fixture *f = *state;
        char line[16];

        assert_int_equal(fg_output_lossy(&f->output, 2 * FG_OUTPUT_RING, &f->err), 0);
        for (unsigned i = 0; i < FG_OUTPUT_CHUNKS + 150; i++) {
                (void)snprintf(line, sizeof(line), "%07u\n", i);
                write_text(f, line);
                expect(f, 8ul * i, line); /* what was sent is not added to: a chunk of its own */
                if (i >= 100)
                        fg_output_ack(&f->output, (i - 100ul) * 8);
        }
        fg_output_rewind(&f->output);
        for (unsigned i = FG_OUTPUT_CHUNKS + 50 - 1; i < FG_OUTPUT_CHUNKS + 150; i++) {
                (void)snprintf(line, sizeof(line), "%07u\n", i);
                expect(f, 8ul * i, line);
        }
}

/* Nobody waits for a container that is gone: its last bytes are not dropped. */
static void a_lossy_stream_keeps_its_end(void **state)
{
        struct fixture *f = *state;
        struct fg_frame frame = { 0 };

        assert_int_equal(fg_output_lossy(&f->output, 8, &f->err), 0);
        assert_int_equal(write(f->pipe, "12345678last", 12), 12);
        fg_output_exited(&f->output);
        assert_int_equal(close(f->pipe), 0);
        f->pipe = -1;
        expect(f, 0, "12345678");
        fg_output_ack(&f->output, 8);
        expect(f, 8, "last");
        assert_int_equal(f->output.dropped, 0);
        assert_true(next(f, &frame));
        assert_true(frame.flags & FG_FRAME_LAST);
        assert_int_equal(frame.offset, 12);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
                TEST(sends_once_and_again_after_a_rewind),
                TEST(keeps_the_time_of_a_chunk),
                TEST(acknowledges_no_more_than_there_is),
                TEST(ends_once_with_its_last_frame),
                TEST(stops_reading_when_full),
                TEST(does_not_wait_for_a_borrowed_pipe),
                TEST(a_lossy_stream_never_waits),
                TEST(a_large_ring_comes_round),
                TEST(a_lossy_stream_keeps_its_end),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

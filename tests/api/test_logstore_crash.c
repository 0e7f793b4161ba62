/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api/logstore_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SEGMENT(f)  fg_asprintf("%s/%s/app/00000001.log", (f)->dir, TASK)
#define LAST_RECORD (32 + 13) /* "last\nrecord\n." and its head */

static void write_three(struct fixture *f)
{
        struct writer w;

        store_open(f);
        writer_open(f, &w, TASK, "app");
        append(&w, 0, 0, 1, "first ", 6);
        append(&w, 1, 0, 2, "error", 5);
        append(&w, 0, 6, 3, "last\nrecord\n.", 13);
        wait_stored(f, &w, 0, 19);
        fg_logwriter_free(w.w);
        store_close(f);
}

/* After any damage to the last record: the ones before it are there, and a resend completes it. */
static void check_recovery(struct fixture *f, bool intact)
{
        struct writer w;
        struct reader r;

        store_open(f);
        writer_open(f, &w, TASK, "app");
        assert_int_equal(w.next[0], intact ? 19 : 6);
        assert_int_equal(w.next[1], 5);
        append(&w, 0, 6, 3, "last\nrecord\n.", 13);
        append(&w, 0, 19, 4, "!", 1);
        wait_stored(f, &w, 0, 20);
        fg_logwriter_free(w.w);
        read_all(f, &r, &ALL);
        assert_string_equal(r.data[0].data, "first last\nrecord\n.!");
        assert_string_equal(r.data[1].data, "error");
        assert_int_equal(r.lost, 0);
        reader_close(&r);
        store_close(f);
}

static void test_torn_at_every_byte(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf whole = FG_BUF_INIT(4096);
        struct fg_error err = FG_ERROR_INIT;
        struct fixture *f = *state;
        fg_autofree char *path = SEGMENT(f);

        write_three(f);
        assert_int_equal(fg_buf_read_file(&whole, path, &err), 0);
        for (size_t cut = 0; cut <= LAST_RECORD; cut++) {
                assert_int_equal(fg_write_file(path, whole.data, whole.len - cut, 0600, &err), 0);
                check_recovery(f, cut == 0);
        }
}

static void test_damaged_at_every_byte(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf whole = FG_BUF_INIT(4096);
        struct fg_error err = FG_ERROR_INIT;
        struct fixture *f = *state;
        fg_autofree char *path = SEGMENT(f);

        write_three(f);
        assert_int_equal(fg_buf_read_file(&whole, path, &err), 0);
        for (size_t i = 1; i <= LAST_RECORD; i++) {
                whole.data[whole.len - i] ^= 0x40;
                assert_int_equal(fg_write_file(path, whole.data, whole.len, 0600, &err), 0);
                whole.data[whole.len - i] ^= 0x40;
                check_recovery(f, false);
        }
}

/* fgd died between creating a segment and writing its header. */
static void test_torn_header(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf whole = FG_BUF_INIT(4096);
        struct fg_error err = FG_ERROR_INIT;
        struct fixture *f = *state;
        fg_autofree char *first = SEGMENT(f);
        fg_autofree char *second = fg_asprintf("%s/%s/app/00000002.log", f->dir, TASK);

        write_three(f);
        assert_int_equal(fg_buf_read_file(&whole, first, &err), 0);
        for (size_t len = 0; len < 32; len++) {
                assert_int_equal(fg_write_file(first, whole.data, whole.len, 0600, &err), 0);
                assert_int_equal(fg_write_file(second, whole.data, len, 0600, &err), 0);
                check_recovery(f, true);
        }
}

/* A reader that has seen a torn tail sees what takes its place. */
static void test_reader_survives_torn_tail(void **state)
{
        struct fg_logreader_options o = ALL;
        struct fixture *f = *state;
        fg_autofree char *path = SEGMENT(f);
        struct writer w;
        struct reader r;

        write_three(f);
        assert_int_equal(truncate(path, 32 + 38 + 37 + LAST_RECORD - 1), 0);
        store_open(f);
        o.follow = true;
        reader_open(f, &r, &o);
        read_answer(f, &r);
        assert_string_equal(r.data[0].data, "first ");
        fg_logreader_read(r.r);
        writer_open(f, &w, TASK, "app");
        append(&w, 0, 6, 3, "and last", 8);
        while (r.answers < 2)
                run_once(f);
        assert_string_equal(r.data[0].data, "first and last");
        fg_logwriter_free(w.w);
        reader_close(&r);
}

/* A disk that takes no more: it is said once, and what was stored before is still good. */
static void test_write_error(void **state)
{
        struct rlimit unlimited, small = { .rlim_cur = 300000 };
        static char block[100000];
        struct fixture *f = *state;
        struct writer w;
        struct reader r;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
        small.rlim_max = unlimited.rlim_max;
        assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        store_open(f);
        writer_open(f, &w, TASK, "app");
        append(&w, 0, 0, 1, block, 100000);
        wait_stored(f, &w, 0, 100000);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        append(&w, 0, 100000, 2, block, 100000);
        append(&w, 0, 200000, 3, block, 100000);
        while (!w.failed)
                run_once(f);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
        assert_int_equal(w.failed, 1);
        assert_int_equal(w.error.sys, EFBIG);
        fg_logwriter_free(w.w);

        writer_open(f, &w, TASK, "app");
        assert_in_range(w.next[0], 100000, 200000);
        append(&w, 0, 100000, 2, block, 100000);
        append(&w, 0, 200000, 3, block, 100000);
        wait_stored(f, &w, 0, 300000);
        fg_logwriter_free(w.w);
        read_all(f, &r, &ALL);
        assert_int_equal(r.data[0].len, 300000);
        assert_int_equal(r.lost, 0);
        reader_close(&r);
}

/* ---- what a lossy log and time may do ---- */

struct times {
        uint64_t expected;
        size_t records;
        bool answered, ended;
};

static void on_times(void *userdata, const struct fg_logrecord *records, size_t n,
                     const struct fg_error *err)
{
        struct times *t = userdata;

        assert_null(err);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(records[i].time_ns, t->expected);
        t->records += n;
        t->ended = n == 0;
        t->answered = true;
}

static void check_times(struct fixture *f, uint64_t expected)
{
        struct times t = { .expected = expected };
        struct fg_logreader *r = fg_logreader_new(f->store, &ALL, on_times, &t);

        while (!t.ended) {
                t.answered = false;
                fg_logreader_read(r);
                while (!t.answered)
                        run_once(f);
        }
        assert_int_equal(t.records, 4);
        fg_logreader_free(r);
}

static void test_gap_of_a_lossy_log(void **state)
{
        struct fixture *f = *state;
        struct writer w;
        struct reader r;

        store_open(f);
        writer_open(f, &w, TASK, "app");
        fg_logwriter_lossy(w.w);
        append(&w, 0, 0, 1, "ab", 2);
        append(&w, 0, 10, 1, "cd", 2);
        append(&w, 0, 8, 1, "xxcde", 5); /* sent again, from within what is missing */
        wait_stored(f, &w, 0, 13);
        fg_logwriter_free(w.w);
        read_all(f, &r, &ALL);
        assert_string_equal(r.data[0].data, "abcde");
        assert_int_equal(r.lost, 8);
        reader_close(&r);
}

/* What arrives late from the other stream does not make time go back. */
static void test_time_does_not_go_back(void **state)
{
        struct fixture *f = *state;
        struct writer w;

        store_open(f);
        for (unsigned i = 0; i < 2; i++) { /* also over a restart */
                writer_open(f, &w, TASK, "app");
                append(&w, 0, 2 * (uint64_t)i, 5000, "a\n", 2);
                append(&w, 1, 2 * (uint64_t)i, 4000, "b\n", 2);
                wait_stored(f, &w, 1, 2 * (uint64_t)i + 2);
                fg_logwriter_free(w.w);
        }
        check_times(f, 5000);
}

/* ---- kill -9 at any moment ---- */

enum { ROUNDS = 30, STEP = 997 };

static char pattern(unsigned stream, uint64_t offset)
{
        return (char)(offset % 251 + stream);
}

/* Output as a guest sends it: from a little before what is stored, on and on. */
static void flood(struct fixture *f, struct writer *w, int fd)
{
        uint64_t at[2] = { w->next[0] > 50 ? w->next[0] - 50 : 0, w->next[1] };
        char block[STEP];

        for (unsigned i = 0; i < 100000; i++) {
                unsigned stream = i % 3 == 0;

                for (size_t k = 0; k < STEP; k++)
                        block[k] = pattern(stream, at[stream] + k);
                append(w, stream, at[stream], i + 1, block, STEP);
                at[stream] += STEP;
                if (i % 16 == 0) { /* the acknowledgement of what is stored */
                        run_once(f);
                        if (write(fd, w->next, sizeof(w->next)) != sizeof(w->next))
                                _exit(1);
                }
        }
}

static void child_main(struct fixture *f, int fd)
{
        struct writer w;

        store_open(f);
        writer_open(f, &w, TASK, "app");
        flood(f, &w, fd);
        _exit(0);
}

static void kill_round(struct fixture *f, uint64_t acked[2])
{
        uint64_t next[2];
        int fds[2], status;
        long wanted = 1 + random() % 40;
        pid_t pid;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                child_main(f, fds[1]);
        (void)close(fds[1]);
        for (long i = 0; read(fds[0], next, sizeof(next)) == sizeof(next); i++) {
                memcpy(acked, next, sizeof(next));
                if (i == wanted)
                        assert_int_equal(kill(pid, SIGKILL), 0);
        }
        (void)close(fds[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
}

static void test_kill_loses_nothing_acknowledged(void **state)
{
        struct fixture *f = *state;
        uint64_t acked[2] = { 0, 0 };
        struct writer w;
        struct reader r;

        f->options.segment_bytes = 50000;
        f->options.container_bytes = UINT64_C(1) << 30;
        srandom(11);
        for (int round = 0; round < ROUNDS; round++) {
                kill_round(f, acked);
                store_open(f);
                writer_open(f, &w, TASK, "app");
                assert_true(w.next[0] >= acked[0] && w.next[1] >= acked[1]);
                fg_logwriter_free(w.w);
                store_close(f);
        }
        store_open(f);
        read_all(f, &r, &ALL);
        assert_int_equal(r.lost, 0);
        assert_true(acked[0] > ROUNDS * STEP);
        for (unsigned s = 0; s < 2; s++) {
                assert_int_equal(r.data[s].len, r.next[s]);
                assert_int_equal(r.data[s].len, w.next[s]);
                for (size_t i = 0; i < r.data[s].len; i++)
                        if (r.data[s].data[i] != pattern(s, i))
                                fail_msg("stream %u differs at byte %zu", s, i);
        }
        reader_close(&r);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_torn_at_every_byte),    TEST(test_damaged_at_every_byte),
                TEST(test_torn_header),           TEST(test_reader_survives_torn_tail),
                TEST(test_write_error),           TEST(test_gap_of_a_lossy_log),
                TEST(test_time_does_not_go_back), TEST(test_kill_loses_nothing_acknowledged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

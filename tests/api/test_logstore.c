/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api/logstore_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
static uint64_t file_bytes(const char *dir, int *ret_files)
{
        fg_cleanup(closedirp) DIR *d = opendir(dir);
        const struct dirent *entry;
        uint64_t sum = 0;

        *ret_files = 0;
        while (d && (entry = readdir(d))) {
                struct stat st;

                if (entry->d_name[0] == '.')
                        continue;
                assert_int_equal(fstatat(dirfd(d), entry->d_name, &st, 0), 0);
                sum += (uint64_t)st.st_size;
                ++*ret_files;
        }
        return sum;
}

static void test_binary_round_trip(void **state)
{
        struct fixture *f = *state;
        unsigned char bytes[256];
        struct writer w;
        struct reader r;

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (unsigned char)i;
        store_open(f);
        writer_open(f, &w, TASK, "app");
        assert_int_equal(w.next[0], 0);
        append(&w, FG_LOG_STDOUT, 0, 10, bytes, 256);
        append(&w, FG_LOG_STDERR, 0, 11, "oops", 4);
        append(&w, FG_LOG_STDOUT, 256, 12, bytes, 100);
        append(&w, FG_LOG_STDOUT, 356, 12, "", 0);
        wait_stored(f, &w, FG_LOG_STDOUT, 356);
        fg_logwriter_free(w.w);

        read_all(f, &r, &ALL);
        assert_int_equal(r.records, 3);
        assert_int_equal(r.lost, 0);
        assert_int_equal(r.data[0].len, 356);
        assert_memory_equal(r.data[0].data, bytes, 256);
        assert_memory_equal(r.data[0].data + 256, bytes, 100);
        assert_string_equal(r.data[1].data, "oops");
        reader_close(&r);
}

static void test_resent_bytes_are_dropped(void **state)
{
        struct fixture *f = *state;
        struct writer w;
        struct reader r;

        store_open(f);
        writer_open(f, &w, TASK, "app");
        append(&w, 0, 0, 1, "hello ", 6);
        append(&w, 0, 0, 1, "hello ", 6);
        append(&w, 0, 3, 1, "lo world", 8);
        append(&w, 0, 10, 1, "d", 1);
        wait_stored(f, &w, 0, 11);
        fg_logwriter_free(w.w);
        writer_open(f, &w, TASK, "app");
        assert_int_equal(w.next[0], 11);
        append(&w, 0, 6, 1, "world!", 6);
        wait_stored(f, &w, 0, 12);
        fg_logwriter_free(w.w);

        read_all(f, &r, &ALL);
        assert_string_equal(r.data[0].data, "hello world!");
        reader_close(&r);
}

static void test_gap_is_an_error(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fixture *f = *state;
        struct writer w;
        struct reader r;

        store_open(f);
        writer_open(f, &w, TASK, "app");
        append(&w, 1, 0, 1, "ab", 2);
        wait_stored(f, &w, 1, 2);
        append(&w, 1, 3, 1, "d", 1);
        while (!w.failed)
                run_once(f);
        assert_int_equal(w.error.code, FG_ERR_INVALID);
        assert_non_null(strstr(w.error.msg, "expected offset 2, got 3"));
        assert_int_equal(fg_logwriter_append(w.w, 1, 2, 1, "c", 1, &err), -1);
        assert_string_equal(err.msg, w.error.msg);
        fg_logwriter_free(w.w);

        read_all(f, &r, &ALL);
        assert_string_equal(r.data[1].data, "ab");
        reader_close(&r);
}

static void test_names_and_arguments(void **state)
{
        static const char *const bad[] = { "", ".", "..", ".x", "a/b", "../x" };
        struct fg_error err = FG_ERROR_INIT;
        struct fixture *f = *state;
        struct fg_logwriter *none = NULL;
        struct writer w;

        store_open(f);
        for (size_t i = 0; i < FG_ARRAY_SIZE(bad); i++)
                assert_int_equal(
                        fg_logwriter_new(f->store, TASK, bad[i], &writer_events, NULL, &none, &err),
                        -1);
        assert_int_equal(
                fg_logwriter_new(f->store, "../../etc", "a", &writer_events, NULL, &none, &err),
                -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
        writer_open(f, &w, TASK, "app");
        assert_int_equal(fg_logwriter_append(w.w, 2, 0, 1, "x", 1, &err), -1);
        assert_int_equal(fg_logwriter_append(w.w, 0, UINT64_MAX, 1, "x", 1, &err), -1);
        assert_int_equal(fg_logwriter_append(w.w, 0, 0, 1, "x", FG_LOG_MAX_RECORD + 1, &err), -1);
        fg_logwriter_free(w.w);
}

static void test_open_failure_is_told(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fixture *f = *state;
        fg_autofree char *path = fg_asprintf("%s/%s", f->dir, TASK);
        struct writer w = { 0 };

        store_open(f);
        assert_int_equal(fg_write_file(path, "x", 1, 0600, &err), 0); /* not a directory */
        assert_int_equal(fg_logwriter_new(f->store, TASK, "app", &writer_events, &w, &w.w, &err),
                         0);
        while (!w.failed)
                run_once(f);
        assert_int_equal(w.stored, 0);
        fg_logwriter_free(w.w);
}

static void test_rotation_and_cap(void **state)
{
        struct fixture *f = *state;
        fg_autofree char *path = fg_asprintf("%s/%s/app", f->dir, TASK);
        struct writer w;
        struct reader r;
        char line[101];
        int files;

        f->options.segment_bytes = 1024;
        f->options.container_bytes = 4096;
        store_open(f);
        writer_open(f, &w, TASK, "app");
        for (unsigned i = 0; i < 200; i++) {
                snprintf(line, sizeof(line), "%0100u", i);
                append(&w, i % 2, i / 2 * 100, i, line, 100);
        }
        wait_stored(f, &w, 1, 10000);
        fg_logwriter_free(w.w);
        assert_in_range(file_bytes(path, &files), 3000, 4096 + 1024 + 200);
        assert_in_range(files, 4, 6);

        read_all(f, &r, &ALL);
        assert_int_equal(r.lost + r.data[0].len + r.data[1].len, 20000);
        assert_in_range(r.lost, 15000, 18000);
        assert_int_equal(r.next[0], 10000);
        assert_memory_equal(r.data[1].data + r.data[1].len - 100, line, 100);
        reader_close(&r);

        /* Stream 0 was quiet in the last segments: the header still knows where it stood. */
        writer_open(f, &w, TASK, "app");
        for (unsigned i = 0; i < 40; i++)
                append(&w, 1, 10000 + i * 100, 300, line, 100);
        wait_stored(f, &w, 1, 14000);
        fg_logwriter_free(w.w);
        writer_open(f, &w, TASK, "app");
        assert_int_equal(w.next[0], 10000);
        assert_int_equal(w.next[1], 14000);
        fg_logwriter_free(w.w);
}

static void test_free_while_busy(void **state)
{
        struct fixture *f = *state;
        struct writer w;
        struct reader r;

        store_open(f);
        writer_open(f, &w, TASK, "app");
        append(&w, 0, 0, 1, "kept", 4);
        append(&w, 0, 4, 1, " too", 4);
        fg_logwriter_free(w.w);
        reader_open(f, &r, &ALL);
        fg_logreader_read(r.r);
        reader_close(&r);
        store_close(f);
        assert_int_equal(r.answers, 0);

        store_open(f);
        read_all(f, &r, &ALL);
        assert_string_equal(r.data[0].data, "kept too");
        reader_close(&r);
}

static void test_backpressure(void **state)
{
        static char block[10000];
        struct fg_error err = FG_ERROR_INIT;
        struct fixture *f = *state;
        struct writer w, other;
        uint64_t offset = 0;
        int r;

        f->options.queue_bytes = 100000;
        store_open(f);
        writer_open(f, &w, TASK, "app");
        writer_open(f, &other, TASK, "other");
        while (append(&w, 0, offset, 1, block, sizeof(block)) == 0)
                offset += sizeof(block);
        offset += sizeof(block); /* 1 means taken */
        assert_in_range(offset, 100000, 120000);
        assert_int_equal(append(&other, 0, 0, 1, "x", 1), 0); /* the others are not paused */
        while ((r = fg_logwriter_append(w.w, 0, offset, 1, block, sizeof(block), &err)) == 1)
                offset += sizeof(block);
        assert_int_equal(r, -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
        assert_in_range(offset, 400000, 420000);
        while (!w.drained)
                run_once(f);
        wait_stored(f, &w, 0, offset); /* all that was taken */
        assert_int_equal(w.drained, 1);
        assert_int_equal(append(&w, 0, offset, 1, "x", 1), 0);
        fg_logwriter_free(w.w);
        fg_logwriter_free(other.w);
}

static void fill_task(struct fixture *f, struct writer *w, const char *task)
{
        char block[1000] = "";

        writer_open(f, w, task, "app");
        for (unsigned i = 0; i < 50; i++)
                append(w, 0, i * 1000, 1, block, 1000);
        wait_stored(f, w, 0, 50000);
}

static bool has_logs(struct fixture *f, const char *task)
{
        fg_autofree char *path = fg_asprintf("%s/%s", f->dir, task);

        return fg_exists(path);
}

static void test_store_cap(void **state)
{
        static const char running[] = "00000000000000000000000000000001";
        static const char oldest[] = "00000000000000000000000000000002";
        static const char newer[] = "00000000000000000000000000000003";
        struct fixture *f = *state;
        struct writer w, w1;

        store_open(f); /* no cap yet */
        fill_task(f, &w1, running);
        fg_logwriter_free(w1.w);
        fill_task(f, &w, oldest);
        fg_logwriter_free(w.w);
        fill_task(f, &w, newer);
        fg_logwriter_free(w.w);
        store_close(f);

        f->options.store_bytes = 120000;
        store_open(f);
        writer_open(f, &w1, running, "app");
        append(&w1, 0, 50000, 1, "x", 1);
        wait_stored(f, &w1, 0, 50001);
        fg_logwriter_free(w1.w);
        store_close(f);                    /* runs what is queued, the sweep included */
        assert_true(has_logs(f, running)); /* the oldest of all, but it has a writer */
        assert_false(has_logs(f, oldest));
        assert_true(has_logs(f, newer));
}

static void on_removed(void *userdata, uint64_t bytes)
{
        *(uint64_t *)userdata = bytes;
}

static void test_remove(void **state)
{
        struct fixture *f = *state;
        uint64_t bytes = 0;
        struct writer w;

        store_open(f);
        fill_task(f, &w, TASK);
        fg_logwriter_free(w.w);
        fg_logstore_remove(f->store, TASK, on_removed, &bytes);
        while (!bytes)
                run_once(f);
        assert_in_range(bytes, 50000, 60000);
        assert_false(has_logs(f, TASK));
        fg_logstore_remove(f->store, TASK, NULL, NULL); /* nothing there: nothing to do */
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_binary_round_trip),
                TEST(test_resent_bytes_are_dropped),
                TEST(test_gap_is_an_error),
                TEST(test_names_and_arguments),
                TEST(test_open_failure_is_told),
                TEST(test_rotation_and_cap),
                TEST(test_free_while_busy),
                TEST(test_backpressure),
                TEST(test_store_cap),
                TEST(test_remove),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

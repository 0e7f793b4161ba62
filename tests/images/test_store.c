/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "core/buf.h"
#include "core/db.h"
#include "core/fs.h"
#include "core/str.h"
#include "images/blobstore.h"
#include "images/catalog.h"
#include "images/index.h"

#define SIZE       (256 * 1024)
#define CHUNK      4096
#define KILL_STEPS 48

struct fixture {
        char dir[32];
        char content[SIZE];
        char digest[FG_DIGEST_LEN + 1];
        struct fg_blobstore *store;
        struct fg_error err;
};

static int set_up(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));

        (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-store.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        for (size_t i = 0; i < SIZE; i++)
                f->content[i] = (char)(i * 31 + i / 977);
        fg_digest_of(f->content, SIZE, f->digest);
        assert_int_equal(fg_blobstore_open(f->dir, &f->store, &f->err), 0);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;

        fg_blobstore_free(f->store);
        assert_int_equal(fg_rm_rf(f->dir, &f->err), 0);
        free(f);
        return 0;
}

/* Writes what the part lacks of @content and commits. */
static int write_rest(struct fixture *f, const char *content, struct fg_error *err)
{
        fg_cleanup(fg_blob_writer_freep) struct fg_blob_writer *w = NULL;

        if (fg_blob_writer_new(f->store, f->digest, SIZE, &w, err) < 0)
                return -1;
        while (fg_blob_writer_at(w) < SIZE) {
                uint64_t at = fg_blob_writer_at(w);

                if (fg_blob_writer_append(w, content + at, CHUNK - at % CHUNK, err) < 0)
                        return -1;
        }
        return fg_blob_writer_commit(w, err);
}

/* Return: 1 the blob is there and right, 0 it is not there. Never: there and wrong. */
static int believed(struct fixture *f)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(2 * SIZE);
        fg_autoclose int fd = -1;
        struct fg_error err;
        uint64_t size;

        fd = fg_blobstore_blob(f->store, f->digest, &size, &err);
        if (fd < 0)
                return 0;
        assert_int_equal(fg_buf_read_fd(&text, fd, &err), 0);
        assert_int_equal(size, SIZE);
        assert_memory_equal(text.data, f->content, SIZE);
        return 1;
}

static void test_write(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(believed(f), 0);
        assert_int_equal(write_rest(f, f->content, &f->err), 0);
        assert_int_equal(believed(f), 1);
        assert_int_equal(fg_blobstore_trash(f->store, f->digest, &f->err), 0);
        assert_int_equal(believed(f), 0);
}

/* A version that nobody else had to read images with made it for itself alone. */
static void test_store_of_an_earlier_version(void **state)
{
        struct fixture *f = *state;
        fg_autofree char *blobs = fg_asprintf("%s/blobs/sha256", f->dir);
        struct stat st;

        fg_blobstore_free(f->store);
        f->store = NULL;
        assert_int_equal(chmod(blobs, 0700), 0);
        assert_int_equal(fg_blobstore_open(f->dir, &f->store, &f->err), 0);
        assert_int_equal(stat(blobs, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0711);
}

static void test_wrong_content(void **state)
{
        struct fixture *f = *state;
        fg_cleanup(fg_blob_writer_freep) struct fg_blob_writer *w = NULL;
        fg_autofree char *wrong = fg_calloc(1, SIZE);

        assert_int_equal(write_rest(f, wrong, &f->err), -1);
        assert_int_equal(f->err.code, FG_ERR_UPSTREAM);
        assert_int_equal(believed(f), 0);
        /* The part was emptied: nothing wrong is resumed. */
        assert_int_equal(fg_blob_writer_new(f->store, f->digest, SIZE, &w, &f->err), 0);
        assert_int_equal(fg_blob_writer_at(w), 0);
        assert_int_equal(fg_blob_writer_append(w, f->content, 5, &f->err), 0);
        assert_int_equal(fg_blob_writer_commit(w, &f->err), -1);
        assert_int_equal(fg_blob_writer_append(w, f->content, SIZE, &f->err), -1);
        assert_int_equal(f->err.code, FG_ERR_UPSTREAM);
        assert_int_equal(fg_blobstore_put(f->store, f->digest, "x", 1, &f->err), -1);
        assert_int_equal(believed(f), 0);
}

static void test_damaged_part(void **state)
{
        struct fixture *f = *state;
        fg_autofree char *part = fg_asprintf("%s/tmp/%s.part", f->dir, f->digest + 7);
        fg_autofree char *zeros = fg_calloc(1, SIZE);
        struct fg_error err;

        /* A crash of the machine may leave length without bytes; and a part may be too long. */
        assert_int_equal(fg_write_file(part, zeros, CHUNK, 0600, &err), 0);
        assert_int_equal(write_rest(f, f->content, &err), -1);
        assert_int_equal(write_rest(f, f->content, &err), 0);
        assert_int_equal(believed(f), 1);
        fg_blobstore_trash(f->store, f->digest, &err);
        assert_int_equal(fg_write_file(part, zeros, SIZE, 0600, &err), 0);
        assert_int_equal(truncate(part, SIZE + 1), 0);
        assert_int_equal(write_rest(f, f->content, &err), 0);
        assert_int_equal(believed(f), 1);
}

/* A child that writes and commits again and again, until it is killed. */
static void run_child(struct fixture *f, int ready)
{
        struct fg_error err;

        for (;;) {
                if (write_rest(f, f->content, &err) < 0)
                        _exit(1);
                if (write(ready, "", 1) != 1)
                        _exit(2);
                if (fg_blobstore_trash(f->store, f->digest, &err) < 0)
                        _exit(3);
                fg_blobstore_empty_trash(f->store);
        }
}

static void test_kill_anywhere(void **state)
{
        struct fixture *f = *state;
        unsigned resumed = 0;
        struct stat st;

        /* On, where no kill has met a write yet. */
        for (unsigned step = 0; step < KILL_STEPS || (!resumed && step < 100 * KILL_STEPS);
             step++) {
                fg_autofree char *part = fg_asprintf("%s/tmp/%s.part", f->dir, f->digest + 7);
                struct timespec wait = { .tv_nsec = 1 + (long)(step % KILL_STEPS) * 61000 };
                int ready[2], status;
                char byte;
                pid_t pid;

                assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        run_child(f, ready[1]);
                (void)close(ready[1]);
                assert_int_equal(read(ready[0], &byte, 1), 1);
                (void)nanosleep(&wait, NULL);
                assert_int_equal(kill(pid, SIGKILL), 0);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status));
                (void)close(ready[0]);

                resumed += stat(part, &st) == 0 && st.st_size > 0;
                fg_blobstore_free(f->store);
                f->store = NULL;
                assert_int_equal(fg_blobstore_open(f->dir, &f->store, &f->err), 0);
                (void)believed(f);
                assert_int_equal(write_rest(f, f->content, &f->err), 0);
                assert_int_equal(believed(f), 1);
        }
        assert_true(resumed > 0);
}

static struct fg_stored *make_image(char manifest, char layer, uint64_t used_ns)
{
        struct fg_stored *image = fg_calloc(1, sizeof(*image));

        memset(image->manifest, manifest, FG_DIGEST_LEN);
        memset(image->config, 'c', FG_DIGEST_LEN);
        image->used_ns = used_ns;
        image->blobs = fg_calloc(3, sizeof(*image->blobs));
        memcpy(image->blobs[0], image->manifest, FG_DIGEST_LEN);
        memcpy(image->blobs[1], image->config, FG_DIGEST_LEN);
        memset(image->blobs[2], layer, FG_DIGEST_LEN);
        image->n_blobs = 3;
        return image;
}

static void add_blobs(struct fg_catalog *c, const struct fg_stored *image)
{
        for (size_t i = 0; i < image->n_blobs; i++)
                fg_catalog_add_blob(c, image->blobs[i], 10);
}

static void test_catalog(void **state)
{
        fg_cleanup(fg_catalog_finish) struct fg_catalog c = { 0 };
        struct fg_stored *a = make_image('a', 'x', 5), *b = make_image('b', 'x', 3);
        struct fg_blob *blob;

        (void)state;
        add_blobs(&c, a);
        add_blobs(&c, b);
        assert_int_equal(c.bytes, 40); /* two manifests, a config, a layer */
        a = fg_catalog_add(&c, a);
        b = fg_catalog_add(&c, b);
        assert_null(fg_catalog_name(&c, "r:a", a));
        assert_null(fg_catalog_name(&c, "r:b", b));
        assert_ptr_equal(fg_catalog_victim(&c), b);
        b->pins = 1;
        assert_ptr_equal(fg_catalog_victim(&c), a);
        b->pins = 0;
        assert_ptr_equal(fg_catalog_name(&c, "r:a", b), a);
        assert_ptr_equal(fg_catalog_victim(&c), a); /* younger, but nameless */
        fg_catalog_drop(&c, a);
        fg_catalog_mark_images(&c);
        for (blob = c.blobs; blob; blob = blob->hh.next)
                assert_int_equal(blob->live, blob->digest[0] != 'a');
        fg_catalog_drop(&c, b);
        assert_null(fg_catalog_find(&c, "r:a"));
        assert_null(fg_catalog_victim(&c));
}

static void test_index(void **state)
{
        struct fixture *f = *state;
        fg_cleanup(fg_db_closep) sqlite3 *db = NULL;
        fg_cleanup(fg_stored_freep) struct fg_stored *a = make_image('a', 'x', 5);
        fg_cleanup(fg_stored_freep) struct fg_stored *b = make_image('b', 'y', 6);
        fg_cleanup(fg_catalog_finish) struct fg_catalog c = { 0 }, again = { 0 };

        assert_int_equal(fg_index_open(f->dir, &db, &f->err), 0);
        assert_int_equal(fg_index_put(db, "r:1", a, &f->err), 0);
        assert_int_equal(fg_index_put(db, "r:2", a, &f->err), 0);
        assert_int_equal(fg_index_put(db, "r:2", b, &f->err), 0);
        assert_int_equal(fg_index_touch(db, a->manifest, 77, &f->err), 0);
        add_blobs(&c, a); /* of b, a blob is gone */
        assert_int_equal(fg_index_load(db, &c, &f->err), 0);
        assert_int_equal(fg_catalog_find(&c, "r:1")->image->used_ns, 77);
        assert_true(fg_stored_has(fg_catalog_image(&c, a->manifest), a->blobs[2]));
        assert_null(fg_catalog_find(&c, "r:2"));
        /* The damaged row went for good. */
        add_blobs(&again, a);
        add_blobs(&again, b);
        assert_int_equal(fg_index_load(db, &again, &f->err), 0);
        assert_null(fg_catalog_image(&again, b->manifest));
        assert_int_equal(fg_index_drop(db, a->manifest, &f->err), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_write, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_store_of_an_earlier_version, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_wrong_content, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_damaged_part, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_kill_anywhere, set_up, tear_down),
                cmocka_unit_test(test_catalog),
                cmocka_unit_test_setup_teardown(test_index, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

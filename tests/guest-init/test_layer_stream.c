/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/guest-init/layer_fixture.h"

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/str.h"

#define ZEROS "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static const char *const filters[] = { "gzip", "zstd", "none" };

/* A layer with a bit of everything, and the end of the tar. */
static void build(struct fixture *f)
{
        static char noise[3000];
        unsigned random = 1;

        for (size_t i = 0; i < sizeof(noise); i++) {
                random = random * 1103515245 + 12345;
                noise[i] = (char)(random >> 16);
        }
        put(f, "dir/", '5');
        put(f, "dir/file", .data = noise, .len = sizeof(noise));
        pax(f, "path", "dir/another");
        put(f, "x", .data = "text");
        put(f, "dir/link", '2', "file");
        put(f, "hard", '1', "dir/file");
        assert_int_equal(fg_buf_append(&f->tar, (char[1024]){ 0 }, 1024, &f->err), 0);
}

static int run(struct fixture *f, struct blob *b)
{
        f->err = FG_ERROR_INIT;
        f->usage = (struct fg_layer_usage){ 0 };
        return fg_layer_apply(f->root, &b->src, &f->limits, &f->usage, &f->err);
}

static void every_compression_is_seen(void **state)
{
        struct fixture *f = *state;

        build(f);
        for (size_t i = 0; i < FG_ARRAY_SIZE(filters); i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf packed = { 0 };
                static const size_t steps[] = { 1, 511, 4096, SIZE_MAX };

                pack(&f->tar, filters[i], &packed);
                for (size_t j = 0; j < FG_ARRAY_SIZE(steps); j++) {
                        struct blob b;

                        blob_init(&b, &packed, &f->tar);
                        b.step = steps[j];
                        if (run(f, &b) < 0)
                                fail_msg("%s by %zu: %s", filters[i], steps[j], f->err.msg);
                        assert_int_equal(f->usage.bytes, f->tar.len);
                        expect_text(f, "dir/another", "text");
                }
        }
}

static void empty_layer_is_fine(void **state)
{
        struct fixture *f = *state;

        apply_ok(f);
        assert_int_equal(f->usage.entries, 0);
}

static void double_compression_is_refused(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf once = { 0 }, twice = { 0 };
        struct fixture *f = *state;
        struct blob b;

        build(f);
        pack(&f->tar, "gzip", &once);
        pack(&once, "gzip", &twice);
        blob_init(&b, &twice, &once);
        assert_int_equal(run(f, &b), -1);
        assert_int_equal(f->err.code, FG_ERR_INVALID);
        assert_non_null(strstr(f->err.msg, "more than once"));
}

/* Return: of the layer of build(), said to have these digests (NULL: its own). */
static int run_as(struct fixture *f, const char *digest, const char *diff_id, bool verified)
{
        fg_cleanup(fg_buf_finish) struct fg_buf packed = { 0 };
        struct blob b;

        fg_buf_clear(&f->tar);
        build(f);
        pack(&f->tar, "gzip", &packed);
        blob_init(&b, &packed, &f->tar);
        b.src.verified = verified;
        b.src.digest = digest ? digest : b.src.digest;
        b.src.diff_id = diff_id ? diff_id : b.src.diff_id;
        return run(f, &b);
}

static void wrong_digests_are_refused(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(run_as(f, ZEROS, NULL, false), -1);
        assert_int_equal(f->err.code, FG_ERR_UPSTREAM);
        assert_true(fg_starts_with(f->err.msg, "layer sha256:000000000000: digest is sha256:"));

        assert_int_equal(run_as(f, NULL, ZEROS, false), -1);
        assert_int_equal(f->err.code, FG_ERR_UPSTREAM);
        assert_non_null(strstr(f->err.msg, ": diff_id is sha256:"));
}

/* Whoever verified the blob vouches for the compressed bytes alone. */
static void a_verified_blob_is_still_held_against_its_diff_id(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(run_as(f, ZEROS, NULL, true), 0);
        assert_int_equal(run_as(f, NULL, ZEROS, true), -1);
        assert_int_equal(f->err.code, FG_ERR_UPSTREAM);
}

/* Digests cover what no reader of tars or gzip looks at. */
static void trailing_bytes_count(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf packed = { 0 };
        struct fixture *f = *state;
        char diff_id[FG_DIGEST_LEN + 1];
        struct blob b;

        build(f);
        fg_digest_of(f->tar.data, f->tar.len, diff_id);
        assert_int_equal(fg_buf_append(&f->tar, "behind the end", 14, &f->err), 0);
        pack(&f->tar, "gzip", &packed);
        blob_init(&b, &packed, &f->tar);
        assert_int_equal(run(f, &b), 0);
        blob_init(&b, &packed, &f->tar);
        b.src.diff_id = diff_id;
        assert_int_equal(run(f, &b), -1);
        assert_non_null(strstr(f->err.msg, "diff_id is"));

        assert_int_equal(fg_buf_append(&packed, "behind the end", 14, &f->err), 0);
        blob_init(&b, &packed, &f->tar);
        b.src.size -= 14;
        assert_int_equal(run(f, &b), -1);
        assert_non_null(strstr(f->err.msg, "longer than its"));
}

static void truncation_is_noticed_everywhere(void **state)
{
        struct fixture *f = *state;

        build(f);
        for (size_t i = 0; i < FG_ARRAY_SIZE(filters); i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf packed = { 0 };
                size_t whole;

                pack(&f->tar, filters[i], &packed);
                whole = packed.len;
                for (size_t len = 0; len < whole; len += 29) {
                        struct blob b;

                        packed.len = whole;
                        blob_init(&b, &packed, &f->tar);
                        packed.len = len;
                        assert_int_equal(run(f, &b), -1);
                        if (f->err.code != FG_ERR_UPSTREAM && f->err.code != FG_ERR_INVALID)
                                fail_msg("%s at %zu: %s", filters[i], len, f->err.msg);
                }
        }
}

static void damage_is_noticed_everywhere(void **state)
{
        struct fixture *f = *state;

        build(f);
        for (size_t i = 0; i < FG_ARRAY_SIZE(filters); i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf packed = { 0 };

                pack(&f->tar, filters[i], &packed);
                for (size_t at = 0; at < packed.len; at += 19) {
                        struct blob b;

                        blob_init(&b, &packed, &f->tar);
                        packed.data[at] = (char)(packed.data[at] ^ (1 << (at % 8)));
                        if (run(f, &b) == 0)
                                fail_msg("%s at %zu: not noticed", filters[i], at);
                        packed.data[at] = (char)(packed.data[at] ^ (1 << (at % 8)));
                }
        }
}

static void failing_source_speaks_for_itself(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf packed = { 0 };
        struct fixture *f = *state;

        build(f);
        pack(&f->tar, "gzip", &packed);
        for (size_t at = 1; at < packed.len; at += 100) {
                struct blob b;

                blob_init(&b, &packed, &f->tar);
                b.step = 50;
                b.fail_at = at;
                assert_int_equal(run(f, &b), -1);
                assert_int_equal(f->err.code, FG_ERR_TIMEOUT);
                assert_non_null(strstr(f->err.msg, "the line went dead"));
        }
}

static void other_formats_are_refused(void **state)
{
        static const char *const formats[] = { "PK\3\4zip", "070701cpio", "!<arch>\n", "hello" };
        struct fixture *f = *state;

        for (size_t i = 0; i < FG_ARRAY_SIZE(formats); i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf bytes = FG_BUF_INIT(4096);
                struct blob b;

                assert_int_equal(fg_buf_puts(&bytes, formats[i], &f->err), 0);
                assert_int_equal(fg_buf_append(&bytes, (char[2048]){ 0 }, 2048, &f->err), 0);
                blob_init(&b, &bytes, &bytes);
                assert_int_equal(run(f, &b), -1);
                assert_int_equal(f->err.code, FG_ERR_INVALID);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                layer_test(every_compression_is_seen),
                layer_test(empty_layer_is_fine),
                layer_test(double_compression_is_refused),
                layer_test(wrong_digests_are_refused),
                layer_test(a_verified_blob_is_still_held_against_its_diff_id),
                layer_test(trailing_bytes_count),
                layer_test(truncation_is_noticed_everywhere),
                layer_test(damage_is_noticed_everywhere),
                layer_test(failing_source_speaks_for_itself),
                layer_test(other_formats_are_refused),
        };

        return run_layer_tests(tests);
}

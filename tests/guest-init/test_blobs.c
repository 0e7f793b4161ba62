/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a blob through the channel: the window, order, ends, faults, a host that comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "guest-init/blobs.h"

#define DIGEST "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define SIZE   (9 * (uint64_t)FG_BLOB_REQUEST + 1000)

struct request {
        uint16_t id;
        uint64_t offset;
        uint64_t length;
};

static struct fg_blobs blobs;
static char content[SIZE];

static int set_up(void **state)
{
        blobs = (struct fg_blobs){ 0 };
        for (size_t i = 0; i < sizeof(content); i++)
                content[i] = (char)(i % 253);
        return 0;
}

static int tear_down(void **state)
{
        fg_blobs_stop(&blobs);
        return 0;
}

/* Return: how many requests there were; the first @max of them. */
static size_t requests(struct request *ret, size_t max)
{
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(1 << 20);
        struct fg_parser parser;
        struct fg_error err = FG_ERROR_INIT;
        struct fg_frame f;
        size_t n = 0;

        fg_parser_init(&parser);
        while (fg_blobs_append(&blobs, &wire, &err) > 0)
                ;
        assert_int_equal(fg_parser_feed(&parser, wire.data ?: "", wire.len, &err), 0);
        while (fg_parser_next(&parser, &f, &err) > 0) {
                fg_autojson *m = fg_json_parse(f.data, f.len, &err);

                assert_true(n < max);
                assert_string_equal(fg_json_str(m, "digest"), DIGEST);
                ret[n++] = (struct request){ .id = (uint16_t)fg_json_int(m, "id", 0),
                                             .offset = (uint64_t)fg_json_int(m, "offset", -1),
                                             .length = (uint64_t)fg_json_int(m, "length", 0) };
        }
        fg_parser_finish(&parser);
        return n;
}

static void answer(const struct request *r, uint64_t offset, size_t len, bool last)
{
        const struct fg_frame f = { .type = FG_FRAME_BLOB,
                                    .flags = last ? FG_FRAME_LAST : 0,
                                    .stream = r->id,
                                    .offset = offset,
                                    .data = content + offset,
                                    .len = len };

        fg_blobs_frame(&blobs, &f);
}

static uint64_t take_all(uint64_t at)
{
        const char *data;
        size_t len;

        while ((len = fg_blobs_peek(&blobs, &data)) > 0) {
                assert_memory_equal(data, content + at, len);
                fg_blobs_take(&blobs, len);
                at += len;
        }
        return at;
}

static void reads_in_order_within_a_window(void **state)
{
        struct request r[FG_BLOB_SLOTS] = { 0 }, more[FG_BLOB_SLOTS] = { 0 };

        fg_blobs_begin(&blobs, DIGEST, true, SIZE);
        assert_int_equal(requests(r, FG_BLOB_SLOTS), FG_BLOB_SLOTS);
        for (size_t i = FG_BLOB_SLOTS; i-- > 0;) /* answered in the wrong order */
                answer(&r[i], r[i].offset, r[i].length, true);
        assert_int_equal(requests(more, FG_BLOB_SLOTS), 0);
        assert_int_equal(take_all(0), FG_BLOB_SLOTS * (uint64_t)FG_BLOB_REQUEST);
        assert_false(fg_blobs_at_end(&blobs));
        assert_int_equal(requests(more, FG_BLOB_SLOTS), 2);
        assert_int_equal(more[1].length, 1000);
        answer(&more[0], more[0].offset, more[0].length, true);
        answer(&more[1], more[1].offset, 1000, true);
        assert_int_equal(take_all(r[7].offset + r[7].length), SIZE);
        assert_true(fg_blobs_at_end(&blobs));
}

static void asks_a_new_host_only_for_the_rest(void **state)
{
        struct request r[2] = { 0 }, again[2] = { 0 };

        fg_blobs_begin(&blobs, DIGEST, true, FG_BLOB_REQUEST + 10);
        assert_int_equal(requests(r, 2), 2);
        answer(&r[0], 0, 100, false);
        answer(&r[1], r[1].offset, 10, true);
        assert_int_equal(take_all(0), 100);
        fg_blobs_rewind(&blobs);
        assert_int_equal(requests(again, 2), 1);
        assert_int_equal(again[0].offset, 100);
        assert_int_equal(again[0].length, FG_BLOB_REQUEST - 100);
        assert_int_not_equal(again[0].id, r[0].id);
        answer(&r[0], 100, 100, false); /* late: its request is forgotten */
        assert_int_equal(take_all(100), 100);
        answer(&again[0], 100, FG_BLOB_REQUEST - 100, true);
        assert_int_equal(take_all(100), FG_BLOB_REQUEST + 10);
        assert_true(fg_blobs_at_end(&blobs));
}

static void learns_the_size_of_a_manifest(void **state)
{
        struct request r = { 0 };

        fg_blobs_begin(&blobs, DIGEST, false, 0);
        assert_int_equal(requests(&r, 1), 1);
        assert_int_equal(r.length, FG_BLOB_SMALL);
        answer(&r, 0, 500, false);
        answer(&r, 500, 0, true);
        assert_int_equal(take_all(0), 500);
        assert_true(fg_blobs_at_end(&blobs));
        assert_string_equal(blobs.error, "");
}

static void an_empty_blob_ends_too(void **state)
{
        struct request r = { 0 };

        fg_blobs_begin(&blobs, DIGEST, false, 0);
        assert_int_equal(requests(&r, 1), 1);
        answer(&r, 0, 0, true);
        assert_true(fg_blobs_at_end(&blobs));
        fg_blobs_begin(&blobs, DIGEST, true, 0);
        assert_int_equal(requests(&r, 1), 0);
        assert_true(fg_blobs_at_end(&blobs));
}

static void notices_a_short_blob(void **state)
{
        struct request r = { 0 };

        fg_blobs_begin(&blobs, DIGEST, true, 1000);
        assert_int_equal(requests(&r, 1), 1);
        answer(&r, 0, 999, true);
        assert_non_null(strstr(blobs.error, "shorter"));
}

static void refuses_bytes_that_were_not_asked_for(void **state)
{
        struct request r = { 0 };

        fg_blobs_begin(&blobs, DIGEST, true, 1000);
        assert_int_equal(requests(&r, 1), 1);
        answer(&r, 0, 1001, true);
        assert_string_not_equal(blobs.error, "");
        fg_blobs_begin(&blobs, DIGEST, true, 1000);
        assert_int_equal(requests(&r, 1), 1);
        answer(&r, 1, 10, false);
        assert_string_not_equal(blobs.error, "");
}

static void passes_an_error_on(void **state)
{
        struct request r = { 0 };

        fg_blobs_begin(&blobs, DIGEST, true, 1000);
        assert_int_equal(requests(&r, 1), 1);
        fg_blobs_fail(&blobs, (uint16_t)(r.id + 1), "NOT_FOUND", "another's");
        assert_string_equal(blobs.error, "");
        fg_blobs_fail(&blobs, r.id, "NOT_FOUND", "gone");
        assert_string_equal(blobs.error, "NOT_FOUND: gone");
        assert_int_equal(requests(&r, 1), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
                TEST(reads_in_order_within_a_window),
                TEST(asks_a_new_host_only_for_the_rest),
                TEST(learns_the_size_of_a_manifest),
                TEST(an_empty_blob_ends_too),
                TEST(notices_a_short_blob),
                TEST(refuses_bytes_that_were_not_asked_for),
                TEST(passes_an_error_on),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

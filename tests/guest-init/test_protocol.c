/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cleanup.h"
#include "guest-init/protocol.h"

#define FRAME_MAX (FG_PROTO_HEADER + FG_PROTO_MAX_PAYLOAD + 4)

static const uint8_t nonce_a[FG_PROTO_NONCE] = "aaaaaaaaaaaaaaa";
static const uint8_t nonce_b[FG_PROTO_NONCE] = "bbbbbbbbbbbbbbb";

static struct fg_frame frame(enum fg_frame_type type, const char *data, size_t len)
{
        return (struct fg_frame){ .type = type, .data = data, .len = len };
}

static void append(struct fg_buf *out, const struct fg_frame *f)
{
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_frame_append(out, f, &err), 0);
}

static void append_control(struct fg_buf *out, const char *text)
{
        struct fg_frame f = frame(FG_FRAME_CONTROL, text, strlen(text));

        append(out, &f);
}

static void append_sync(struct fg_buf *out, const uint8_t *nonce, bool flush_peer)
{
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_sync_append(out, nonce, flush_peer, &err), 0);
}

static void feed(struct fg_parser *p, const void *data, size_t len)
{
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_parser_feed(p, data, len, &err), 0);
}

static int next(struct fg_parser *p, struct fg_frame *ret)
{
        struct fg_error err = FG_ERROR_INIT;
        int r = fg_parser_next(p, ret, &err);

        assert_int_equal(err.code, r < 0 ? FG_ERR_INVALID : FG_ERR_NONE);
        return r;
}

static void expect_control(struct fg_parser *p, const char *text)
{
        struct fg_frame f;

        assert_int_equal(next(p, &f), 1);
        assert_int_equal(f.type, FG_FRAME_CONTROL);
        assert_int_equal(f.len, strlen(text));
        assert_memory_equal(f.data, text, f.len);
}

static void expect_sync(struct fg_parser *p, const uint8_t *nonce)
{
        const uint8_t version[4] = { FG_PROTO_VERSION, 0, 0, 0 };
        struct fg_frame f;

        assert_int_equal(next(p, &f), 1);
        assert_int_equal(f.type, FG_FRAME_SYNC);
        assert_int_equal(f.len, FG_PROTO_NONCE + 4);
        assert_memory_equal(f.data, nonce, FG_PROTO_NONCE);
        assert_memory_equal(f.data + FG_PROTO_NONCE, version, sizeof(version));
}

static void expect_nothing(struct fg_parser *p)
{
        struct fg_frame f;

        assert_int_equal(next(p, &f), 0);
}

/* A host's parser that has been synchronised. */
static void host_init(struct fg_parser *p)
{
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(64);

        fg_parser_init(p);
        fg_parser_expect_sync(p, nonce_a);
        append_sync(&wire, nonce_a, false);
        feed(p, wire.data, wire.len);
        expect_sync(p, nonce_a);
}

static void test_layout_of_a_frame(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(64);
        const uint8_t expected[] = { 3,    0,    0,    0,    FG_FRAME_BLOB, 1,    0x34, 0x12,
                                     0xef, 0xcd, 0xab, 0x89, 0x67,          0x45, 0x23, 0x01,
                                     'x',  'y',  'z',  'F',  'U',           'R',  'N' };
        struct fg_frame f = frame(FG_FRAME_BLOB, "xyz", 3);

        f.flags = FG_FRAME_LAST;
        f.stream = 0x1234;
        f.offset = 0x0123456789abcdef;
        append(&wire, &f);
        assert_int_equal(wire.len, sizeof(expected));
        assert_memory_equal(wire.data, expected, sizeof(expected));
}

static void test_every_type_byte_by_byte(void **state)
{
        static const char binary[] = "\0\1\2\3\4\5\6\7\0\xff\xfe\0FURN";
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(4096);
        fg_cleanup(fg_parser_finish) struct fg_parser p;
        struct fg_frame f, sent[4];
        size_t seen = 0;

        sent[0] = frame(FG_FRAME_CONTROL, "{\"type\":\"hello\"}", 16);
        sent[1] = frame(FG_FRAME_BLOB, "", 0);
        sent[1].flags = FG_FRAME_LAST;
        sent[1].stream = UINT16_MAX;
        sent[1].offset = UINT64_MAX;
        sent[2] = frame(FG_FRAME_OUTPUT, binary, sizeof(binary));
        sent[2].stream = 3;
        sent[2].offset = 1u << 20;
        sent[3] = frame(FG_FRAME_SYNC, "nonce nonce nonc\1\0\0", FG_PROTO_NONCE + 4);
        for (size_t i = 0; i < FG_ARRAY_SIZE(sent); i++)
                append(&wire, &sent[i]);

        fg_parser_init(&p);
        for (size_t i = 0; i < wire.len; i++) {
                feed(&p, wire.data + i, 1);
                if (next(&p, &f) == 0)
                        continue;
                assert_true(seen < FG_ARRAY_SIZE(sent));
                assert_int_equal(f.type, sent[seen].type);
                assert_int_equal(f.flags, sent[seen].flags);
                assert_int_equal(f.stream, sent[seen].stream);
                assert_int_equal(f.offset, sent[seen].offset);
                assert_int_equal(f.len, sent[seen].len);
                assert_memory_equal(f.data, sent[seen].data, f.len);
                seen++;
        }
        assert_int_equal(seen, FG_ARRAY_SIZE(sent));
}

static void test_many_frames_in_one_feed(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(1 << 16);
        fg_cleanup(fg_parser_finish) struct fg_parser p;
        char text[32];

        for (int i = 0; i < 1000; i++) {
                (void)snprintf(text, sizeof(text), "frame %d", i);
                append_control(&wire, text);
        }
        host_init(&p);
        feed(&p, wire.data, wire.len);
        for (int i = 0; i < 1000; i++) {
                (void)snprintf(text, sizeof(text), "frame %d", i);
                expect_control(&p, text);
        }
        expect_nothing(&p);
}

static void test_longest_payload(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(FRAME_MAX);
        fg_cleanup(fg_parser_finish) struct fg_parser p;
        fg_autofree char *data = calloc(1, FG_PROTO_MAX_PAYLOAD + 1);
        struct fg_error err = FG_ERROR_INIT;
        struct fg_frame f = frame(FG_FRAME_BLOB, data, FG_PROTO_MAX_PAYLOAD);

        assert_non_null(data);
        append(&wire, &f);
        host_init(&p);
        feed(&p, wire.data, wire.len);
        assert_int_equal(next(&p, &f), 1);
        assert_int_equal(f.len, FG_PROTO_MAX_PAYLOAD);

        /* A full buffer is left as it was. */
        f.data = data;
        assert_int_equal(fg_frame_append(&wire, &f, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
        assert_int_equal(wire.len, FRAME_MAX);

        f.len = FG_PROTO_MAX_PAYLOAD + 1;
        assert_int_equal(fg_frame_append(&wire, &f, &err), -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
}

/* Header bytes that break a rule, each for a reason of its own. */
static const char violations[][FG_PROTO_HEADER + 1] = {
        "\1\0\4\0\2\0\0\0\0\0\0\0\0\0\0\0",       /* one byte over the cap */
        "\xff\xff\xff\xff\2\0\0\0\0\0\0\0\0\0\0", /* length near the end of the type */
        "\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0",       /* unknown type */
        "\0\0\0\0\xff\0\0\0\0\0\0\0\0\0\0\0",     /* unknown type */
        "\0\0\0\0\2\2\0\0\0\0\0\0\0\0\0\0",       /* unknown flag */
        "\23\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0",      /* SYNC of 19 bytes */
        "\7\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0",       /* OUTPUT without its timestamp */
        "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",       /* PAD with a length */
};

static void test_host_refuses_violations(void **state)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(violations); i++) {
                fg_cleanup(fg_parser_finish) struct fg_parser p;
                struct fg_frame f;

                host_init(&p);
                feed(&p, violations[i], FG_PROTO_HEADER - 1);
                assert_int_equal(next(&p, &f), 0);
                feed(&p, violations[i] + FG_PROTO_HEADER - 1, 1);
                assert_int_equal(next(&p, &f), -1);
                assert_int_equal(next(&p, &f), -1);
        }
}

static void test_host_refuses_padding_and_bad_trailers(void **state)
{
        static const char zeros[FG_PROTO_HEADER];
        fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(64);
        fg_cleanup(fg_parser_finish) struct fg_parser padded, trailed;
        struct fg_frame f;

        host_init(&padded);
        feed(&padded, zeros, sizeof(zeros));
        assert_int_equal(next(&padded, &f), -1);

        append_control(&wire, "{}");
        wire.data[wire.len - 1] ^= 1;
        host_init(&trailed);
        feed(&trailed, wire.data, wire.len);
        assert_int_equal(next(&trailed, &f), -1);
        assert_int_equal(next(&trailed, &f), -1);
}

static void test_guest_scans_after_violations(void **state)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(violations); i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf wire = FG_BUF_INIT(256);
                fg_cleanup(fg_parser_finish) struct fg_parser p;

                append_control(&wire, "skipped until a SYNC");
                append_sync(&wire, nonce_a, false);
                append_control(&wire, "heard");
                fg_parser_init(&p);
                feed(&p, violations[i], FG_PROTO_HEADER);
                feed(&p, wire.data, wire.len);
                expect_sync(&p, nonce_a);
                expect_control(&p, "heard");
                expect_nothing(&p);
        }
}

static void test_guest_drops_a_frame_with_a_bad_trailer_whole(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf inner = FG_BUF_INIT(256), wire = FG_BUF_INIT(256);
        fg_cleanup(fg_parser_finish) struct fg_parser p;
        struct fg_frame f;

        /* A blob is data of strangers: a SYNC inside it must not be believed. */
        append_sync(&inner, nonce_b, false);
        f = frame(FG_FRAME_BLOB, inner.data, inner.len);
        append(&wire, &f);
        wire.data[wire.len - 1] ^= 1;
        append_control(&wire, "skipped");
        append_sync(&wire, nonce_a, false);
        fg_parser_init(&p);
        feed(&p, wire.data, wire.len);
        expect_sync(&p, nonce_a);
        expect_nothing(&p);
}

/* A host may die after any byte; its successor's padding and SYNC must always get through. */
static void test_guest_recovers_from_a_cut_anywhere(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf first = FG_BUF_INIT(4096);
        fg_cleanup(fg_buf_finish) struct fg_buf second = FG_BUF_INIT(2 * FRAME_MAX);
        struct fg_frame f = frame(FG_FRAME_BLOB, NULL, 0);
        char blob[256] = { 0 };

        append_sync(&first, nonce_a, false);
        append_control(&first, "{\"type\":\"resume\"}");
        f.data = blob;
        f.len = sizeof(blob); /* the lowest byte of the length is zero */
        append(&first, &f);
        f.len = 0; /* the header begins with four zeros */
        f.stream = 7;
        append(&first, &f);
        append_sync(&second, nonce_b, true);
        append_control(&second, "after");

        for (size_t cut = 0; cut <= first.len; cut++) {
                fg_cleanup(fg_parser_finish) struct fg_parser p;

                fg_parser_init(&p);
                feed(&p, first.data, cut);
                while (next(&p, &f) == 1)
                        continue;
                feed(&p, second.data, second.len);
                expect_sync(&p, nonce_b);
                expect_control(&p, "after");
                expect_nothing(&p);
        }
}

static void test_guest_recovers_from_a_cut_longest_frame(void **state)
{
        const size_t cuts[] = { 1, 3, 5, FG_PROTO_HEADER, FRAME_MAX / 2, FRAME_MAX - 1 };
        fg_cleanup(fg_buf_finish) struct fg_buf first = FG_BUF_INIT(FRAME_MAX);
        fg_cleanup(fg_buf_finish) struct fg_buf second = FG_BUF_INIT(2 * FRAME_MAX);
        fg_autofree char *blob = malloc(FG_PROTO_MAX_PAYLOAD);
        struct fg_frame f = frame(FG_FRAME_BLOB, blob, FG_PROTO_MAX_PAYLOAD);

        assert_non_null(blob);
        memset(blob, 0x14, FG_PROTO_MAX_PAYLOAD);
        append(&first, &f);
        append_sync(&second, nonce_b, true);
        for (size_t i = 0; i < FG_ARRAY_SIZE(cuts); i++) {
                fg_cleanup(fg_parser_finish) struct fg_parser p;

                fg_parser_init(&p);
                feed(&p, first.data, cuts[i]);
                expect_nothing(&p);
                for (size_t at = 0; at < second.len; at += 4096) {
                        size_t n = second.len - at < 4096 ? second.len - at : 4096;

                        if (at > 0)
                                expect_nothing(&p);
                        feed(&p, second.data + at, n);
                }
                expect_sync(&p, nonce_b);
                expect_nothing(&p);
        }
}

/* What a guest sent to a former host, cut at the front and at the end, comes before its answer. */
static void test_host_discards_until_its_nonce(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf stale = FG_BUF_INIT(4096),
                                                fresh = FG_BUF_INIT(4096);

        append_sync(&stale, nonce_b, false);
        append_control(&stale, "{\"type\":\"hello\"}");
        append_control(&stale, "stale");
        append_sync(&fresh, nonce_a, false);
        append_control(&fresh, "fresh");
        for (size_t cut = 0; cut <= stale.len; cut++) {
                fg_cleanup(fg_parser_finish) struct fg_parser front, end;

                fg_parser_init(&front);
                fg_parser_expect_sync(&front, nonce_a);
                feed(&front, stale.data + cut, stale.len - cut);
                expect_nothing(&front);
                feed(&front, fresh.data, fresh.len);
                expect_sync(&front, nonce_a);
                expect_control(&front, "fresh");

                fg_parser_init(&end);
                fg_parser_expect_sync(&end, nonce_a);
                feed(&end, stale.data, cut);
                for (size_t i = 0; i < fresh.len; i++) {
                        feed(&end, fresh.data + i, 1);
                        if (i + 1 == FG_PROTO_HEADER + FG_PROTO_NONCE + 8)
                                expect_sync(&end, nonce_a);
                        else if (i + 1 < fresh.len)
                                expect_nothing(&end);
                }
                expect_control(&end, "fresh");
                expect_nothing(&end);
        }
}

static void test_undrained_parser_has_a_cap(void **state)
{
        fg_cleanup(fg_parser_finish) struct fg_parser p;
        struct fg_error err = FG_ERROR_INIT;
        static const char bytes[FRAME_MAX];

        fg_parser_init(&p);
        feed(&p, bytes, sizeof(bytes));
        feed(&p, bytes, sizeof(bytes));
        assert_int_equal(fg_parser_feed(&p, bytes, 1, &err), -1);
        assert_int_equal(err.code, FG_ERR_CAPACITY);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layout_of_a_frame),
                cmocka_unit_test(test_every_type_byte_by_byte),
                cmocka_unit_test(test_many_frames_in_one_feed),
                cmocka_unit_test(test_longest_payload),
                cmocka_unit_test(test_host_refuses_violations),
                cmocka_unit_test(test_host_refuses_padding_and_bad_trailers),
                cmocka_unit_test(test_guest_scans_after_violations),
                cmocka_unit_test(test_guest_drops_a_frame_with_a_bad_trailer_whole),
                cmocka_unit_test(test_guest_recovers_from_a_cut_anywhere),
                cmocka_unit_test(test_guest_recovers_from_a_cut_longest_frame),
                cmocka_unit_test(test_host_discards_until_its_nonce),
                cmocka_unit_test(test_undrained_parser_has_a_cap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The frame parser, as host or as guest by the lowest bit of the first byte. What comes out may
 * not depend on how the bytes were cut on their way in, and must survive being sent again.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "core/cleanup.h"
#include "guest-init/protocol.h"

#define LOG_MAX (4u << 20)

static const uint8_t nonce[FG_PROTO_NONCE] = "0123456789abcde";

/* Serialises every frame to @log. Return: what the parser said in the end. */
static int parse(const uint8_t *data, size_t len, size_t step, bool host, struct fg_buf *log)
{
        fg_cleanup(fg_parser_finish) struct fg_parser p;
        struct fg_error err = FG_ERROR_INIT;
        struct fg_frame f;
        int r = 0;

        fg_parser_init(&p);
        if (host)
                fg_parser_expect_sync(&p, nonce);
        for (size_t at = 0; at < len && r == 0; at += step) {
                r = fg_parser_feed(&p, data + at, len - at < step ? len - at : step, &err);
                assert(r == 0);
                while ((r = fg_parser_next(&p, &f, &err)) == 1) {
                        assert(f.len <= FG_PROTO_MAX_PAYLOAD);
                        r = fg_frame_append(log, &f, &err);
                        assert(r == 0);
                }
        }
        assert(r == 0 || (host && err.code == FG_ERR_INVALID));
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        const size_t steps[] = { 1, 7, 4096 };
        fg_cleanup(fg_buf_finish) struct fg_buf whole = FG_BUF_INIT(LOG_MAX);
        fg_cleanup(fg_buf_finish) struct fg_buf again = FG_BUF_INIT(LOG_MAX);
        bool host;
        int r;

        if (len < 1 || len > LOG_MAX)
                return 0;
        host = data[0] & 1;
        data++;
        len--;
        r = parse(data, len, FG_PROTO_MAX_PAYLOAD, host, &whole);
        for (size_t i = 0; i < FG_ARRAY_SIZE(steps); i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf cut = FG_BUF_INIT(LOG_MAX);

                assert(parse(data, len, steps[i], host, &cut) == r);
                assert(cut.len == whole.len);
                assert(whole.len == 0 || memcmp(cut.data, whole.data, whole.len) == 0);
        }
        if (whole.len == 0)
                return 0;
        assert(parse((uint8_t *)whole.data, whole.len, 4096, host, &again) == 0);
        assert(again.len == whole.len && memcmp(again.data, whole.data, whole.len) == 0);
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/page.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/str.h"

/* Version and hexadecimal text: nobody takes it for something to be made by hand. */
#define PREFIX "v1-"

static int decode(const char *token, char ret[FG_PAGE_CURSOR_MAX + 1])
{
        const char *hex = token ? token + strlen(PREFIX) : "";
        size_t len;

        ret[0] = '\0';
        if (!token)
                return 0;
        if (!fg_starts_with(token, PREFIX))
                return -1;
        len = strlen(hex) / 2;
        if (len == 0 || strlen(hex) % 2 != 0 || len > FG_PAGE_CURSOR_MAX ||
            strspn(hex, "0123456789abcdef") != strlen(hex))
                return -1;
        for (size_t i = 0; i < len; i++) {
                char byte[] = { hex[2 * i], hex[2 * i + 1], '\0' };

                ret[i] = (char)strtol(byte, NULL, 16);
        }
        ret[len] = '\0';
        return strlen(ret) == len && fg_utf8_valid(ret, len) ? 0 : -1;
}

static char *encode(const char *cursor)
{
        char hex[2 * FG_PAGE_CURSOR_MAX + 1];

        assert(strlen(cursor) <= FG_PAGE_CURSOR_MAX);
        fg_hex(cursor, strlen(cursor), hex);
        return fg_asprintf(PREFIX "%s", hex);
}

/* ---- tokens that belong to their list ---- */

#define MARK_LEN 16 /* stands before the cursor, and binds it to the list */

static void make_mark(const char *list, const char *cursor, char ret[MARK_LEN + 1])
{
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *h = fg_sha256_new();
        char digest[FG_DIGEST_LEN + 1];

        fg_sha256_update(h, list, strlen(list) + 1);
        fg_sha256_update(h, cursor, strlen(cursor));
        fg_sha256_final(h, digest);
        (void)snprintf(ret, MARK_LEN + 1, "%s", digest + FG_DIGEST_LEN - MARK_LEN);
}

int fg_page_cursor_of(const char *list, const char *token, char ret[FG_PAGE_CURSOR_MAX + 1])
{
        char mark[MARK_LEN + 1];

        if (decode(token, ret) < 0)
                return -1;
        if (!token)
                return 0;
        if (strlen(ret) <= MARK_LEN)
                return -1;
        make_mark(list, ret + MARK_LEN, mark);
        if (!fg_starts_with(ret, mark))
                return -1;
        memmove(ret, ret + MARK_LEN, strlen(ret + MARK_LEN) + 1);
        return 0;
}

bool fg_page_token_valid(const char *token)
{
        char cursor[FG_PAGE_CURSOR_MAX + 1];

        return decode(token, cursor) == 0 && strlen(cursor) > MARK_LEN;
}

char *fg_page_token_of(const char *list, const char *cursor)
{
        fg_autofree char *marked = NULL;
        char mark[MARK_LEN + 1];

        make_mark(list, cursor, mark);
        marked = fg_asprintf("%s%s", mark, cursor);
        return encode(marked);
}

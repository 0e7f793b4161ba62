/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/page.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/str.h"

/* Version and hexadecimal text: nobody takes it for something to be made by hand. */
#define PREFIX "v1-"

int fg_page_cursor(const char *token, char ret[FG_PAGE_CURSOR_MAX + 1])
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

char *fg_page_token(const char *cursor)
{
        char hex[2 * FG_PAGE_CURSOR_MAX + 1];

        assert(strlen(cursor) <= FG_PAGE_CURSOR_MAX);
        fg_hex(cursor, strlen(cursor), hex);
        return fg_asprintf(PREFIX "%s", hex);
}

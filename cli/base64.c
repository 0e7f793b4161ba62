/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int decode_quad(const char *text, size_t digits, char ret[3])
{
        uint32_t bits = 0;

        for (size_t i = 0; i < 4; i++) {
                const char *at = i < digits ? strchr(alphabet, text[i]) : alphabet;

                if (!at || *at == '\0')
                        return -1;
                bits = bits << 6 | (uint32_t)(at - alphabet);
        }
        ret[0] = (char)(bits >> 16);
        ret[1] = (char)(bits >> 8);
        ret[2] = (char)bits;
        return 0;
}

int fg_base64_decode(const char *text, size_t len, struct fg_buf *ret, struct fg_error *err)
{
        if (len % 4 != 0)
                return fg_fail(err, FG_ERR_INVALID, "base64: length is not a multiple of four");
        if (fg_buf_reserve(ret, len / 4 * 3 + 1, err) < 0)
                return -1;
        for (size_t i = 0; i < len; i += 4) {
                size_t digits = 4;
                char bytes[3];

                while (i + 4 == len && digits > 2 && text[i + digits - 1] == '=')
                        digits--;
                if (decode_quad(text + i, digits, bytes) < 0)
                        return fg_fail(err, FG_ERR_INVALID, "base64: invalid character");
                if (fg_buf_append(ret, bytes, digits - 1, err) < 0)
                        return -1;
        }
        return 0;
}

size_t fg_base64_size(const char *text, size_t len)
{
        size_t padding = 0;

        while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
                padding++;
        return len / 4 * 3 - padding;
}

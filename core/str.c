/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDIT_MAX 64

bool fg_starts_with(const char *s, const char *prefix)
{
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool fg_ends_with(const char *s, const char *suffix)
{
        size_t n = strlen(s), m = strlen(suffix);

        return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool fg_parse_u64(const char *s, uint64_t *ret)
{
        uint64_t value = 0;

        if (*s == '\0')
                return false;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return false;
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
                        return false;
        }
        *ret = value;
        return true;
}

char *fg_asprintf(const char *fmt, ...)
{
        va_list ap;
        char *s = NULL;

        va_start(ap, fmt);
        if (vasprintf(&s, fmt, ap) < 0)
                abort();
        va_end(ap);
        return s;
}

char *fg_strdup(const char *s)
{
        char *copy;

        if (!s)
                return NULL;
        copy = strdup(s);
        if (!copy)
                abort();
        return copy;
}

void *fg_calloc(size_t n, size_t size)
{
        void *p = calloc(n ? n : 1, size ? size : 1);

        if (!p)
                abort();
        return p;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
        unsigned m = a < b ? a : b;

        return m < c ? m : c;
}

unsigned fg_edit_distance(const char *a, const char *b)
{
        unsigned d[EDIT_MAX + 1][EDIT_MAX + 1];
        size_t n = strlen(a), m = strlen(b);

        if (n > EDIT_MAX || m > EDIT_MAX)
                return 99;
        for (size_t i = 0; i <= n; i++)
                d[i][0] = (unsigned)i;
        for (size_t j = 0; j <= m; j++)
                d[0][j] = (unsigned)j;
        for (size_t i = 1; i <= n; i++)
                for (size_t j = 1; j <= m; j++) {
                        d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
                                       d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            d[i - 2][j - 2] + 1 < d[i][j])
                                d[i][j] = d[i - 2][j - 2] + 1;
                }
        return d[n][m];
}

bool fg_secret_eq(const void *a, const void *b, size_t len)
{
        const volatile unsigned char *x = a, *y = b;
        unsigned char diff = 0;

        for (size_t i = 0; i < len; i++)
                diff |= x[i] ^ y[i];
        return diff == 0;
}

void fg_hex(const void *bytes, size_t len, char *ret_hex)
{
        static const char digits[] = "0123456789abcdef";
        const unsigned char *p = bytes;

        for (size_t i = 0; i < len; i++) {
                *ret_hex++ = digits[p[i] >> 4];
                *ret_hex++ = digits[p[i] & 15];
        }
        *ret_hex = '\0';
}

/* Length of the sequence that starts with @c, and the smallest code point it may encode. */
static unsigned utf8_length(unsigned char c, uint32_t *ret_min)
{
        if (c < 0x80) {
                *ret_min = 0;
                return 1;
        }
        if ((c & 0xe0) == 0xc0) {
                *ret_min = 0x80;
                return 2;
        }
        if ((c & 0xf0) == 0xe0) {
                *ret_min = 0x800;
                return 3;
        }
        if ((c & 0xf8) == 0xf0) {
                *ret_min = 0x10000;
                return 4;
        }
        return 0;
}

bool fg_utf8_valid(const char *s, size_t len)
{
        const unsigned char *p = (const unsigned char *)s;

        for (size_t i = 0; i < len;) {
                uint32_t min = 0, code;
                unsigned n = utf8_length(p[i], &min);

                if (n == 0 || n > len - i)
                        return false;
                code = n == 1 ? p[i] : p[i] & (0xffu >> (n + 1));
                for (unsigned k = 1; k < n; k++) {
                        if ((p[i + k] & 0xc0) != 0x80)
                                return false;
                        code = code << 6 | (p[i + k] & 0x3f);
                }
                if (code < min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                        return false;
                i += n;
        }
        return true;
}

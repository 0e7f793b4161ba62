/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Small words on strings. None of them allocates unless it says so. */

static inline bool fg_streq(const char *a, const char *b)
{
        return __builtin_strcmp(a, b) == 0;
}

bool fg_starts_with(const char *s, const char *prefix);
bool fg_ends_with(const char *s, const char *suffix);
/** fg_parse_u64() - whole string as an unsigned decimal. Return: true, or false and *ret untouched.
 */
bool fg_parse_u64(const char *s, uint64_t *ret);
/** fg_asprintf() - formatted heap string, never NULL (aborts out of memory: small, fixed sizes). */
char *fg_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), malloc));
char *fg_strdup(const char *s);         /* as strdup, NULL gives NULL, aborts out of memory */
void *fg_calloc(size_t n, size_t size); /* zeroed, aborts out of memory: small, fixed sizes only */
/** fg_edit_distance() - Damerau-Levenshtein, for "did you mean"; strings over 64 bytes give 99. */
unsigned fg_edit_distance(const char *a, const char *b);
/** fg_secret_eq() - constant-time comparison of two byte strings of one length. */
bool fg_secret_eq(const void *a, const void *b, size_t len);
void fg_hex(const void *bytes, size_t len, char *ret_hex); /* 2 * len + 1 bytes, lower case */
bool fg_utf8_valid(const char *s, size_t len);

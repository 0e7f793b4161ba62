/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/form.h"

#include <string.h>

#include "core/json.h"
#include "core/str.h"

#define PAIRS_MAX 1000

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of the escape at @text, or -1. */
static int escaped_byte(const char *text, size_t len)
{
        int high = len > 2 ? hex_digit(text[1]) : -1, low = high >= 0 ? hex_digit(text[2]) : -1;

        return low >= 0 ? high * 16 + low : -1;
}

/* Decodes @len bytes at @text into a new string; NULL: not text, or a broken escape. */
static char *unescape(const char *text, size_t len)
{
        fg_autofree unsigned char *out = fg_calloc(1, len + 1);
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
                int c = (unsigned char)text[i];

                if (c == '%') {
                        c = escaped_byte(text + i, len - i);
                        i += 2;
                } else if (c == '+') {
                        c = ' ';
                }
                if (c <= 0)
                        return NULL;
                out[n++] = (unsigned char)c;
        }
        return fg_utf8_valid((char *)out, n) ? (char *)fg_take_ptr(out) : NULL;
}

static int add_pair(struct json_object *form, const char *pair, size_t len, struct fg_error *err)
{
        const char *equals = memchr(pair, '=', len);
        size_t name_len = equals ? (size_t)(equals - pair) : len;
        fg_autofree char *name = unescape(pair, name_len);
        fg_autofree char *value = equals ? unescape(equals + 1, len - name_len - 1) : fg_strdup("");

        if (!name || !value)
                return fg_fail(err, FG_ERR_INVALID,
                               "the form is not UTF-8 text in percent-encoding");
        if (json_object_object_get_ex(form, name, NULL))
                return fg_fail(err, FG_ERR_INVALID, "the form has a parameter twice");
        fg_json_set(form, name, json_object_new_string(value));
        return 0;
}

struct json_object *fg_form_parse(const char *text, size_t len, struct fg_error *err)
{
        fg_autojson *form = json_object_new_object();
        const char *end = text + len;
        size_t n = 0;

        while (text < end) {
                const char *stop = memchr(text, '&', (size_t)(end - text));

                if (!stop)
                        stop = end;
                if (++n > PAIRS_MAX) {
                        fg_fail(err, FG_ERR_INVALID, "the form has more than %d parameters",
                                PAIRS_MAX);
                        return NULL;
                }
                if (stop > text && add_pair(form, text, (size_t)(stop - text), err) < 0)
                        return NULL;
                text = stop + 1;
        }
        return fg_take_ptr(form);
}

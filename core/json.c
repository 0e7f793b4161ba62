/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include <json-c/json_visit.h>
#include <json-c/printbuf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/str.h"

/* The tokener's buffer holds strings of what was parsed, which may have been a secret. */
static void tokener_free(struct json_tokener *tok)
{
        if (tok->pb)
                explicit_bzero(tok->pb->buf, (size_t)tok->pb->size);
        json_tokener_free(tok);
}
FG_DEFINE_CLEANUP(struct json_tokener *, tokener_free)

static void position(const char *text, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
        *ret_line = *ret_column = 1;
        for (size_t i = 0; i < offset; i++) {
                (*ret_column)++;
                if (text[i] == '\n') {
                        (*ret_line)++;
                        *ret_column = 1;
                }
        }
}

static struct json_object *fail_at(const char *text, size_t offset, const char *what,
                                   struct fg_error *err)
{
        unsigned line, column;

        position(text, offset, &line, &column);
        fg_fail(err, FG_ERR_INVALID, "not valid JSON: %s at line %u, column %u", what, line,
                column);
        return NULL;
}

/* The \uD800 to \uDFFF at @text; 0: it is something else. */
static unsigned surrogate(const char *text, size_t len)
{
        char digits[5] = "";

        if (len < 6 || text[0] != '\\' || text[1] != 'u')
                return 0;
        memcpy(digits, text + 2, 4);
        if (strspn(digits, "0123456789abcdefABCDEF") != 4 || strtoul(digits, NULL, 16) >> 11 != 27)
                return 0;
        return (unsigned)strtoul(digits, NULL, 16);
}

/* Length of an escape in a string; 0: half a character of UTF-16, which is none. */
static size_t escape_length(const char *text, size_t len)
{
        unsigned first = surrogate(text, len), second;

        if (!first)
                return 2;
        second = len > 6 ? surrogate(text + 6, len - 6) : 0;
        return first < 0xdc00 && second >= 0xdc00 ? 12 : 0;
}

/*
 * json-c takes 'single quotes', NaN and Infinity even when strict, and half a pair of surrogates
 * for U+FFFD. Offset of the first of these, or @len; *ret_members counts the colons outside
 * strings, one for each member of an object.
 */
static size_t scan(const char *text, size_t len, size_t *ret_members)
{
        bool quoted = false;
        size_t n;

        *ret_members = 0;
        for (size_t i = 0; i < len; i++) {
                if (quoted && text[i] == '\\') {
                        n = escape_length(text + i, len - i);
                        if (n == 0)
                                return i;
                        i += n - 1;
                        continue;
                }
                if (text[i] == '"')
                        quoted = !quoted;
                else if (!quoted && text[i] == ':')
                        (*ret_members)++;
                else if (!quoted && text[i] && strchr("'NIi", text[i]))
                        return i;
        }
        return len;
}

static int count_member(struct json_object *value, int flags, struct json_object *parent,
                        const char *key, size_t *index, void *userarg)
{
        size_t *left = userarg;

        if (key && !(flags & JSON_C_VISIT_SECOND))
                (*left)--;
        return JSON_C_VISIT_RETURN_CONTINUE;
}

/* json-c keeps the last of two members of one name: then the text has more than the value. */
static bool has_duplicates(struct json_object *value, size_t members)
{
        size_t left = members;

        return json_c_visit(value, 0, count_member, &left) == 0 && left > 0;
}

struct json_object *fg_json_parse(const char *text, size_t len, struct fg_error *err)
{
        fg_cleanup(tokener_freep) struct json_tokener *tok = json_tokener_new_ex(FG_JSON_DEPTH);
        fg_autojson *value = NULL;
        enum json_tokener_error code;
        size_t lenient, members;

        if (!tok)
                abort();
        if (len > INT_MAX)
                return fail_at(text, 0, "too long", err);
        lenient = scan(text, len, &members);
        if (lenient < len)
                return fail_at(text, lenient,
                               text[lenient] == '\\' ? "half of a surrogate pair"
                                                     : "unexpected character",
                               err);
        json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        value = json_tokener_parse_ex(tok, text, (int)len);
        code = json_tokener_get_error(tok);
        /* A number at the very end is complete only once something follows it. */
        if (code == json_tokener_continue) {
                value = json_tokener_parse_ex(tok, "", 1);
                if (!value)
                        return fail_at(text, len, "unexpected end", err);
        } else if (code != json_tokener_success) {
                return fail_at(text, json_tokener_get_parse_end(tok), json_tokener_error_desc(code),
                               err);
        }
        if (!value)
                return fail_at(text, 0, "null is not expected here", err);
        if (has_duplicates(value, members)) {
                fg_fail(err, FG_ERR_INVALID, "an object has two members of the same name");
                return NULL;
        }
        return fg_take_ptr(value);
}

struct json_object *fg_json_parse_file(const char *path, size_t max, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(max);
        struct json_object *value;

        if (fg_buf_read_file(&text, path, err) < 0)
                return NULL;
        value = fg_json_parse(text.data ? text.data : "", text.len, err);
        if (!value)
                fg_wrap(err, "%s", path);
        return value;
}

struct json_object *fg_json_get(struct json_object *obj, const char *key)
{
        struct json_object *value = NULL;

        if (json_object_is_type(obj, json_type_object))
                json_object_object_get_ex(obj, key, &value);
        return value;
}

static struct json_object *get_typed(struct json_object *obj, const char *key, enum json_type type)
{
        struct json_object *value = fg_json_get(obj, key);

        return value && json_object_is_type(value, type) ? value : NULL;
}

const char *fg_json_str(struct json_object *obj, const char *key)
{
        struct json_object *value = get_typed(obj, key, json_type_string);

        return value ? json_object_get_string(value) : NULL;
}

int64_t fg_json_int(struct json_object *obj, const char *key, int64_t fallback)
{
        struct json_object *value = get_typed(obj, key, json_type_int);

        return value ? json_object_get_int64(value) : fallback;
}

bool fg_json_bool(struct json_object *obj, const char *key, bool fallback)
{
        struct json_object *value = get_typed(obj, key, json_type_boolean);

        return value ? json_object_get_boolean(value) : fallback;
}

struct json_object *fg_json_obj(struct json_object *obj, const char *key)
{
        return get_typed(obj, key, json_type_object);
}

struct json_object *fg_json_arr(struct json_object *obj, const char *key)
{
        return get_typed(obj, key, json_type_array);
}

void fg_json_set(struct json_object *obj, const char *key, struct json_object *take_value)
{
        if (json_object_object_add(obj, key, take_value) < 0)
                abort();
}

/* A text cut in the middle of a character, or bytes of a foreign console: '?' for what is wrong. */
static struct json_object *repaired(const char *value)
{
        fg_autofree char *copy = fg_strdup(value);

        for (char *p = copy; *p; p++) {
                size_t n = 1;

                while (n < 4 && p[n] && !fg_utf8_valid(p, n))
                        n++;
                if (fg_utf8_valid(p, n))
                        p += n - 1;
                else
                        *p = '?';
        }
        return json_object_new_string(copy);
}

void fg_json_set_str(struct json_object *obj, const char *key, const char *value)
{
        if (value)
                fg_json_set(obj, key,
                            fg_utf8_valid(value, strlen(value)) ? json_object_new_string(value)
                                                                : repaired(value));
}

void fg_json_set_int(struct json_object *obj, const char *key, int64_t value)
{
        fg_json_set(obj, key, json_object_new_int64(value));
}

void fg_json_set_bool(struct json_object *obj, const char *key, bool value)
{
        fg_json_set(obj, key, json_object_new_boolean(value));
}

static int print_raw(struct json_object *obj, struct printbuf *out, int level, int flags)
{
        const char *text = json_object_get_userdata(obj);

        return printbuf_memappend(out, text, (int)strlen(text));
}

static void free_raw(struct json_object *obj, void *text)
{
        free(text);
}

struct json_object *fg_json_raw(const char *text)
{
        struct json_object *obj = json_object_new_object();

        json_object_set_serializer(obj, print_raw, fg_strdup(text), free_raw);
        return obj;
}

static int wipe(struct json_object *value, int flags, struct json_object *parent, const char *key,
                size_t *index, void *userarg)
{
        (void)flags;
        (void)parent;
        (void)key;
        (void)index;
        (void)userarg;
        if (json_object_is_type(value, json_type_string))
                explicit_bzero((char *)(uintptr_t)json_object_get_string(value),
                               (size_t)json_object_get_string_len(value));
        return JSON_C_VISIT_RETURN_CONTINUE;
}

void fg_json_wipe(struct json_object *value)
{
        if (!value)
                return;
        (void)json_c_visit(value, 0, wipe, NULL);
}

const char *fg_json_text(struct json_object *obj)
{
        return json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN |
                                                           JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "api/cwlogs/filter_private.h"
#include "core/json.h"
#include "core/str.h"

struct term {
        const char *text;
        size_t len;
        char kind; /* '+', '-' or '?' */
};

struct fg_filter {
        char *text; /* of the terms */
        struct term *terms;
        size_t n_terms;
        bool any; /* one of the terms is enough */
        struct fg_pattern *pattern;
        struct filter_json *json;
};

void fg_filter_free(struct fg_filter *f)
{
        if (!f)
                return;
        filter_json_free(f->json);
        fg_pattern_free(f->pattern);
        free(f->terms);
        free(f->text);
        free(f);
}

/* ---- terms ---- */

static bool word_char(char c)
{
        return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* "…": \" and \\ are one character. Return: after the closing quote, or NULL. */
static char *read_phrase(char *s, struct term *t)
{
        char *out = s;

        t->text = s;
        for (; *s && *s != '"'; s++) {
                if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
                        s++;
                *out++ = *s;
        }
        t->len = (size_t)(out - t->text);
        return *s == '"' ? s + 1 : NULL;
}

/* Return: after the term, or NULL: INVALID. */
static char *read_term(char *s, struct term *t, struct fg_error *err)
{
        char *end;

        t->kind = '+';
        if (*s == '-' || *s == '?')
                t->kind = *s++;
        if (*s == '"') {
                end = read_phrase(s + 1, t);
                if (!end)
                        fg_fail(err, FG_ERR_INVALID, "Invalid filter pattern: unclosed quote");
                return end;
        }
        for (end = s; *end && !isspace((unsigned char)*end); end++) {
                if (word_char(*end))
                        continue;
                fg_fail(err, FG_ERR_INVALID,
                        "Invalid filter pattern: character '%c' in term '%.64s': a term with "
                        "other characters than letters, digits and _ goes into double quotes",
                        isprint((unsigned char)*end) ? *end : '?', s);
                return NULL;
        }
        t->text = s;
        t->len = (size_t)(end - s);
        return end;
}

static int read_terms(struct fg_filter *f, const char *pattern, struct fg_error *err)
{
        size_t either = 0;
        char *s;

        f->text = fg_strdup(pattern);
        f->terms = fg_calloc(strlen(pattern) + 1, sizeof(*f->terms));
        for (s = f->text; s && *s;) {
                struct term *t = &f->terms[f->n_terms];

                if (isspace((unsigned char)*s)) {
                        s++;
                        continue;
                }
                s = read_term(s, t, err);
                if (!s)
                        return -1;
                if (t->len == 0)
                        return fg_fail(err, FG_ERR_INVALID, "Invalid filter pattern: empty term");
                either += t->kind == '?';
                f->n_terms++;
        }
        /* As on AWS, a question mark counts only among its like. */
        f->any = either > 0 && either == f->n_terms;
        return 0;
}

static bool terms_match(const struct fg_filter *f, const char *message, size_t len)
{
        for (size_t i = 0; i < f->n_terms; i++) {
                const struct term *t = &f->terms[i];
                bool found = memmem(message, len, t->text, t->len) != NULL;

                if (f->any && found)
                        return true;
                if (!f->any && found == (t->kind == '-'))
                        return false;
        }
        return !f->any;
}

/* ---- the whole ---- */

/* %…% alone. */
static int read_expression(struct fg_filter *f, const char *s, struct fg_error *err)
{
        const size_t len = strlen(s);
        fg_autofree char *text = NULL;

        if (len < 3 || s[len - 1] != '%')
                return fg_fail(err, FG_ERR_INVALID,
                               "Invalid filter pattern: a regular expression ends with %%");
        text = fg_strdup(s + 1);
        text[len - 2] = '\0';
        f->pattern = fg_pattern_new(text, err);
        return f->pattern ? 0 : fg_wrap(err, "Invalid filter pattern");
}

static int read_pattern(struct fg_filter *f, const char *pattern, struct fg_error *err)
{
        fg_autofree char *trimmed = NULL;
        size_t len = strlen(pattern);

        if (len > FG_FILTER_MAX)
                return fg_fail(err, FG_ERR_INVALID,
                               "Invalid filter pattern: longer than %d characters", FG_FILTER_MAX);
        while (isspace((unsigned char)*pattern)) {
                pattern++;
                len--;
        }
        trimmed = fg_strdup(pattern);
        while (len > 0 && isspace((unsigned char)trimmed[len - 1]))
                trimmed[--len] = '\0';
        if (*trimmed == '[')
                return fg_fail(err, FG_ERR_INVALID,
                               "Invalid filter pattern: patterns of fields ([a, b, ...]) are not "
                               "supported by this version of fgrun");
        if (*trimmed == '%')
                return read_expression(f, trimmed, err);
        if (*trimmed != '{')
                return read_terms(f, trimmed, err);
        f->json = filter_json_parse(trimmed, err);
        return f->json ? 0 : -1;
}

struct fg_filter *fg_filter_parse(const char *pattern, struct fg_error *err)
{
        fg_cleanup(fg_filter_freep) struct fg_filter *f = fg_calloc(1, sizeof(*f));

        return read_pattern(f, pattern, err) < 0 ? NULL : fg_take_ptr(f);
}

static bool json_matches(const struct filter_json *j, const char *message, size_t len)
{
        struct fg_error ignored = FG_ERROR_INIT;
        fg_autojson *value = NULL;

        while (len > 0 && isspace((unsigned char)*message)) {
                message++;
                len--;
        }
        if (len == 0 || (*message != '{' && *message != '['))
                return false;
        value = fg_json_parse(message, len, &ignored);
        return value && filter_json_matches(j, value);
}

bool fg_filter_matches(const struct fg_filter *f, const char *message, size_t len)
{
        if (f->json)
                return json_matches(f->json, message, len);
        if (f->pattern)
                return fg_pattern_matches(f->pattern, message, len);
        return terms_match(f, message, len);
}

/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "api/cwlogs/pattern.h"

#include <pcre2.h>
#include <string.h>

#include "core/buf.h"
#include "core/str.h"

#define MATCH_LIMIT 10000 /* steps at one place of the subject */
#define HEAP_KIB    1024
#define NESTING     32 /* parentheses in parentheses */

struct fg_pattern {
        pcre2_code *code;
        pcre2_match_data *data;
        pcre2_match_context *context;
};

void fg_pattern_free(struct fg_pattern *p)
{
        if (!p)
                return;
        pcre2_match_context_free(p->context);
        pcre2_match_data_free(p->data);
        pcre2_code_free(p->code);
        free(p);
}

static pcre2_code *compile(const char *expression, struct fg_error *err)
{
        pcre2_compile_context *context = pcre2_compile_context_create(NULL);
        pcre2_code *code = NULL;
        PCRE2_SIZE offset = 0;
        PCRE2_UCHAR text[128];
        int number = 0;

        if (!context) {
                fg_fail(err, FG_ERR_CAPACITY, "no memory for a regular expression");
                return NULL;
        }
        (void)pcre2_set_parens_nest_limit(context, NESTING);
        code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
                             PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &number,
                             &offset, context);
        pcre2_compile_context_free(context);
        if (!code) {
                (void)pcre2_get_error_message(number, text, sizeof(text));
                fg_fail(err, FG_ERR_INVALID, "regular expression, byte %zu: %s", (size_t)offset + 1,
                        (const char *)text);
        }
        return code;
}

struct fg_pattern *fg_pattern_new(const char *expression, struct fg_error *err)
{
        fg_cleanup(fg_pattern_freep) struct fg_pattern *p = fg_calloc(1, sizeof(*p));

        if (strlen(expression) > FG_PATTERN_MAX) {
                fg_fail(err, FG_ERR_INVALID, "regular expression: longer than %d bytes",
                        FG_PATTERN_MAX);
                return NULL;
        }
        p->code = compile(expression, err);
        if (!p->code)
                return NULL;
        p->data = pcre2_match_data_create(1, NULL);
        p->context = pcre2_match_context_create(NULL);
        if (!p->data || !p->context) {
                fg_fail(err, FG_ERR_CAPACITY, "no memory for a regular expression");
                return NULL;
        }
        (void)pcre2_set_match_limit(p->context, MATCH_LIMIT);
        (void)pcre2_set_heap_limit(p->context, HEAP_KIB);
        return fg_take_ptr(p);
}

bool fg_pattern_matches(const struct fg_pattern *p, const char *line, size_t len)
{
        if (len > FG_PATTERN_SUBJECT)
                len = FG_PATTERN_SUBJECT;
        return pcre2_match(p->code, (PCRE2_SPTR)line, len, 0, 0, p->data, p->context) >= 0;
}

/* ---- awslogs-datetime-format ---- */

static const struct {
        char conversion;
        const char *expression;
} conversions[] = {
        { 'a', "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)" },
        { 'A', "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)" },
        { 'w', "[0-6]" },
        { 'd', "(?:0[1-9]|[12][0-9]|3[01])" },
        { 'b', "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)" },
        { 'B', "(?:January|February|March|April|May|June|July|August|September|October|November"
               "|December)" },
        { 'm', "(?:0[1-9]|1[0-2])" },
        { 'Y', "[0-9]{4}" },
        { 'y', "[0-9]{2}" },
        { 'H', "(?:[01][0-9]|2[0-3])" },
        { 'I', "(?:0[1-9]|1[0-2])" },
        { 'p', "[AP]M" },
        { 'M', "[0-5][0-9]" },
        { 'S', "(?:[0-5][0-9]|60)" },
        { 'L', "[0-9]{3}" },
        { 'f', "[0-9]{6}" },
        { 'z', "[+-][0-9]{4}" },
        { 'Z', "[A-Z]{1,4}T" },
        { 'j', "(?:[0-2][0-9][0-9]|3[0-5][0-9]|36[0-6])" },
        { '%', "%" },
};

static int append_conversion(struct fg_buf *b, char c, struct fg_error *err)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(conversions); i++)
                if (conversions[i].conversion == c)
                        return fg_buf_puts(b, conversions[i].expression, err);
        return fg_fail(err, FG_ERR_INVALID, c ? "%%%c is not known" : "it ends with %%", c);
}

static int append_literal(struct fg_buf *b, char c, struct fg_error *err)
{
        return fg_buf_printf(b, err, strchr("\\^$.[]|()?*+{}", c) ? "\\%c" : "%c", c);
}

struct fg_pattern *fg_pattern_datetime(const char *format, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(FG_PATTERN_MAX);

        for (const char *s = format; *s; s++)
                if ((*s == '%' ? append_conversion(&b, *++s, err) : append_literal(&b, *s, err)) <
                    0) {
                        fg_wrap(err, "datetime format");
                        return NULL;
                }
        if (b.len == 0) {
                fg_fail(err, FG_ERR_INVALID, "datetime format: it is empty");
                return NULL;
        }
        return fg_pattern_new(b.data, err);
}

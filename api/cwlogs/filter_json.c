/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/cwlogs/filter_private.h"
#include "core/str.h"

/*
 * { ($.a = 1 || $.b[0] = "x*") && $.c NOT EXISTS }: conditions joined by && and ||, read in one
 * pass with a stack of waiting operators in place of recursion.
 */
struct parser {
        struct filter_json *j;
        char *s;       /* where the parser is, in j->text */
        char *waiting; /* '(', '&' and '|' */
        size_t n_waiting;
        struct fg_error *err;
};

static int fail(struct parser *p, const char *what)
{
        return fg_fail(p->err, FG_ERR_INVALID, "Invalid filter pattern: character %zu: %s",
                       (size_t)(p->s - p->j->text) + 1, what);
}

static void skip_space(struct parser *p)
{
        while (isspace((unsigned char)*p->s))
                p->s++;
}

/* A word in any case, not followed by more of a word. */
static bool take_word(struct parser *p, const char *word)
{
        const size_t len = strlen(word);

        if (strncasecmp(p->s, word, len) != 0 || isalnum((unsigned char)p->s[len]))
                return false;
        p->s += len;
        skip_space(p);
        return true;
}

/* ---- selectors: $.a.b[0]['c d'] ---- */

static bool name_char(char c)
{
        return isalnum((unsigned char)c) || (c && strchr("_-@$", c)) || (unsigned char)c >= 0x80;
}

static int add_step(struct parser *p, struct filter_condition *c, const char *name, size_t index)
{
        if (c->n_steps == FILTER_STEPS)
                return fail(p, "a selector of more than 32 steps");
        c->steps[c->n_steps++] = (struct filter_step){ .name = name, .index = index };
        return 0;
}

static int read_bracket(struct parser *p, struct filter_condition *c)
{
        const char *name;
        char quote;
        size_t index = SIZE_MAX;

        p->s++;
        quote = *p->s;
        if (quote == '\'' || quote == '"') {
                name = ++p->s;
                p->s += strcspn(p->s, quote == '"' ? "\"" : "'");
                if (!*p->s || p->s[1] != ']')
                        return fail(p, "an unclosed name in brackets");
                *p->s = '\0';
                p->s += 2;
                return add_step(p, c, name, 0);
        }
        if (*p->s == '*') {
                p->s++;
        } else {
                const size_t digits = strspn(p->s, "0123456789");

                if (digits == 0 || digits > 6)
                        return fail(p, "expected an array's index, as in [0]");
                index = strtoul(p->s, NULL, 10);
                p->s += digits;
        }
        if (*p->s != ']')
                return fail(p, "expected ]");
        p->s++;
        return add_step(p, c, NULL, index);
}

static int read_name(struct parser *p, struct filter_condition *c)
{
        const char *name = p->s;

        while (name_char(*p->s))
                p->s++;
        if (p->s == name)
                return fail(p, "expected a member's name");
        return add_step(p, c, name, 0);
}

static int read_step(struct parser *p, struct filter_condition *c)
{
        if (*p->s == '.')
                p->s++;
        return *p->s == '[' ? read_bracket(p, c) : read_name(p, c);
}

/* A name's end is cut off when the selector has been read: until then its next byte is needed. */
static int read_selector(struct parser *p, struct filter_condition *c)
{
        char *ends[FILTER_STEPS];
        size_t n_ends = 0;

        if (*p->s != '$')
                return fail(p, "expected a selector, as in $.name");
        p->s++;
        while (*p->s == '.' || *p->s == '[') {
                if (read_step(p, c) < 0)
                        return -1;
                ends[n_ends++] = p->s;
        }
        if (c->n_steps == 0)
                return fail(p, "expected a selector, as in $.name");
        skip_space(p);
        for (size_t i = 0; i < n_ends; i++)
                if (ends[i] != p->s)
                        *ends[i] = '\0';
        return 0;
}

/* ---- operators and values ---- */

static int read_operator(struct parser *p, struct filter_condition *c)
{
        static const struct {
                const char *text;
                enum filter_op op;
        } operators[] = { { "!=", FILTER_NE }, { "<=", FILTER_LE }, { ">=", FILTER_GE },
                          { "=", FILTER_EQ },  { "<", FILTER_LT },  { ">", FILTER_GT } };

        for (size_t i = 0; i < FG_ARRAY_SIZE(operators); i++) {
                const size_t len = strlen(operators[i].text);

                if (strncmp(p->s, operators[i].text, len) != 0)
                        continue;
                c->op = operators[i].op;
                *p->s = '\0'; /* also the end of a name that it followed at once */
                p->s += len;
                skip_space(p);
                return 0;
        }
        return fail(p, "expected =, !=, <, <=, >, >=, IS or [NOT] EXISTS");
}

/* 1: it was one of them, 0, -1. */
static int read_predicate(struct parser *p, struct filter_condition *c)
{
        if (take_word(p, "NOT")) {
                c->op = FILTER_NOT_EXISTS;
                return take_word(p, "EXISTS") ? 1 : fail(p, "expected EXISTS");
        }
        if (take_word(p, "EXISTS")) {
                c->op = FILTER_EXISTS;
                return 1;
        }
        if (!take_word(p, "IS"))
                return 0;
        if (take_word(p, "NULL"))
                c->op = FILTER_IS_NULL;
        else if (take_word(p, "TRUE"))
                c->op = FILTER_IS_TRUE;
        else if (take_word(p, "FALSE"))
                c->op = FILTER_IS_FALSE;
        else
                return fail(p, "expected NULL, TRUE or FALSE");
        return 1;
}

static int read_quoted(struct parser *p, struct filter_condition *c)
{
        char *out = ++p->s;

        c->value = out;
        c->quoted = true;
        for (; *p->s && *p->s != '"'; p->s++) {
                if (*p->s == '\\' && (p->s[1] == '"' || p->s[1] == '\\'))
                        p->s++;
                *out++ = *p->s;
        }
        if (!*p->s)
                return fail(p, "unclosed quote");
        *out = '\0';
        p->s++;
        c->wild = strchr(c->value, '*') != NULL;
        return 0;
}

static int read_expression(struct parser *p, struct filter_condition *c)
{
        char *text = ++p->s;

        p->s += strcspn(p->s, "%");
        if (!*p->s)
                return fail(p, "a regular expression ends with %");
        *p->s++ = '\0';
        c->pattern = fg_pattern_new(text, p->err);
        return c->pattern ? 0 : fg_wrap(p->err, "Invalid filter pattern");
}

static int read_bare(struct parser *p, struct filter_condition *c)
{
        const size_t len = strcspn(p->s, " \t\r\n(){}&|<>=!\"%");
        char *end;

        if (len == 0)
                return fail(p, "expected a value");
        c->value = c->bare = fg_asprintf("%.*s", (int)len, p->s);
        p->s += len;
        c->wild = strchr(c->value, '*') != NULL;
        c->number = strtod(c->value, &end);
        c->numeric = *end == '\0' && strspn(c->value, "+-.0123456789eE") == len;
        return 0;
}

static int read_condition(struct parser *p)
{
        struct filter_condition *c = &p->j->conditions[p->j->n_conditions++];
        int r;

        if (read_selector(p, c) < 0)
                return -1;
        r = read_predicate(p, c);
        if (r != 0)
                return r < 0 ? -1 : 0;
        if (read_operator(p, c) < 0)
                return -1;
        if (*p->s == '"')
                r = read_quoted(p, c);
        else if (*p->s == '%')
                r = read_expression(p, c);
        else
                r = read_bare(p, c);
        if (r == 0 && c->op != FILTER_EQ && c->op != FILTER_NE && !c->numeric)
                return fail(p, "<, <=, > and >= compare with a number");
        return r;
}

/* ---- the expression ---- */

static void emit(struct parser *p, int item)
{
        p->j->program[p->j->n_program++] = item;
}

static void emit_waiting(struct parser *p)
{
        emit(p, p->waiting[--p->n_waiting] == '&' ? FILTER_AND : FILTER_OR);
}

/* What binds at least as tightly as the operator at hand is done first. */
static void push_operator(struct parser *p, char op)
{
        while (p->n_waiting > 0 && p->waiting[p->n_waiting - 1] != '(' &&
               (op == '|' || p->waiting[p->n_waiting - 1] == '&'))
                emit_waiting(p);
        p->waiting[p->n_waiting++] = op;
}

/* An operand is due: parentheses that open, then a condition. */
static int read_operand(struct parser *p)
{
        skip_space(p);
        while (*p->s == '(') {
                p->waiting[p->n_waiting++] = '(';
                p->s++;
                skip_space(p);
        }
        emit(p, (int)p->j->n_conditions);
        return read_condition(p);
}

static int close_parentheses(struct parser *p)
{
        skip_space(p);
        while (*p->s == ')') {
                while (p->n_waiting > 0 && p->waiting[p->n_waiting - 1] != '(')
                        emit_waiting(p);
                if (p->n_waiting == 0)
                        return fail(p, "unexpected )");
                p->n_waiting--;
                p->s++;
                skip_space(p);
        }
        return 0;
}

static int read_expressions(struct parser *p)
{
        for (;;) {
                if (read_operand(p) < 0 || close_parentheses(p) < 0)
                        return -1;
                if (*p->s == '}')
                        break;
                if ((*p->s != '&' && *p->s != '|') || p->s[1] != *p->s)
                        return fail(p, "expected &&, || or }");
                push_operator(p, *p->s);
                p->s += 2;
        }
        if (p->s[1])
                return fail(p, "something follows the }");
        while (p->n_waiting > 0) {
                if (p->waiting[p->n_waiting - 1] == '(')
                        return fail(p, "expected )");
                emit_waiting(p);
        }
        return 0;
}

void filter_json_free(struct filter_json *j)
{
        if (!j)
                return;
        for (size_t i = 0; i < j->n_conditions; i++) {
                fg_pattern_free(j->conditions[i].pattern);
                free(j->conditions[i].bare);
        }
        free(j->conditions);
        free(j->program);
        free(j->text);
        free(j);
}

struct filter_json *filter_json_parse(const char *pattern, struct fg_error *err)
{
        fg_cleanup(filter_json_freep) struct filter_json *j = fg_calloc(1, sizeof(*j));
        /* Each condition and each operator takes at least two bytes, and a parenthesis one. */
        const size_t len = strlen(pattern), most = len / 2 + 2;
        fg_autofree char *waiting = fg_calloc(1, len + 1);
        struct parser p = { .j = j, .waiting = waiting, .err = err };

        j->text = fg_strdup(pattern);
        j->conditions = fg_calloc(most, sizeof(*j->conditions));
        j->program = fg_calloc(2 * most, sizeof(*j->program));
        p.s = j->text + 1;
        return read_expressions(&p) < 0 ? NULL : fg_take_ptr(j);
}

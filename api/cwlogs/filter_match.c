/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "api/cwlogs/filter_private.h"
#include "core/str.h"

/* Does a JSON pattern match? One missing member makes a comparison false, whatever it compares. */

/* `*` in @pattern stands for any bytes. Without recursion: only the last * is ever tried again. */
static bool wildcard_matches(const char *pattern, const char *s, size_t len)
{
        const char *end = s + len, *star = NULL, *retry = NULL;

        while (s < end) {
                if (*pattern == '*') {
                        star = ++pattern;
                        retry = s;
                } else if (*pattern == *s && *pattern) {
                        pattern++;
                        s++;
                } else if (star) {
                        pattern = star;
                        s = ++retry;
                } else {
                        return false;
                }
        }
        while (*pattern == '*')
                pattern++;
        return *pattern == '\0';
}

static bool text_equals(const struct filter_condition *c, const char *s, size_t len)
{
        if (c->pattern)
                return fg_pattern_matches(c->pattern, s, len);
        if (c->wild)
                return wildcard_matches(c->value, s, len);
        return strlen(c->value) == len && memcmp(c->value, s, len) == 0;
}

static bool number_compares(const struct filter_condition *c, double value)
{
        switch (c->op) {
        case FILTER_EQ:
                return value == c->number;
        case FILTER_NE:
                return value != c->number;
        case FILTER_LT:
                return value < c->number;
        case FILTER_LE:
                return value <= c->number;
        case FILTER_GT:
                return value > c->number;
        case FILTER_GE:
                return value >= c->number;
        default:
                return false;
        }
}

/* A number, string or boolean; objects and arrays compare with nothing. */
static bool compares(const struct filter_condition *c, struct json_object *value)
{
        const enum json_type type = json_object_get_type(value);
        const bool number = type == json_type_int || type == json_type_double;
        const char *text;
        size_t len;
        bool equal;

        if (!number && type != json_type_string && type != json_type_boolean)
                return false;
        if (number && c->numeric)
                return number_compares(c, json_object_get_double(value));
        if (c->op != FILTER_EQ && c->op != FILTER_NE)
                return false;
        if (number && c->quoted)
                return c->op == FILTER_NE;
        text = json_object_get_string(value);
        len = type == json_type_string ? (size_t)json_object_get_string_len(value) : strlen(text);
        equal = text_equals(c, text, len);
        return equal == (c->op == FILTER_EQ);
}

static bool holds(const struct filter_condition *c, struct json_object *value)
{
        switch (c->op) {
        case FILTER_IS_NULL:
                return value == NULL;
        case FILTER_IS_TRUE:
        case FILTER_IS_FALSE:
                return json_object_is_type(value, json_type_boolean) &&
                       (json_object_get_boolean(value) != 0) == (c->op == FILTER_IS_TRUE);
        case FILTER_EXISTS:
                return true;
        case FILTER_NOT_EXISTS:
                return false;
        default:
                return compares(c, value);
        }
}

/* true: there is one, which may be null. */
static bool descend(const struct filter_step *step, struct json_object *from,
                    struct json_object **ret)
{
        if (step->name)
                return json_object_is_type(from, json_type_object) &&
                       json_object_object_get_ex(from, step->name, ret);
        if (!json_object_is_type(from, json_type_array) ||
            step->index >= json_object_array_length(from))
                return false;
        *ret = json_object_array_get_idx(from, step->index);
        return true;
}

/*
 * [*] tries all elements: like an odometer, whose wheels are the steps with a wildcard. The tries
 * are capped, since arrays in arrays multiply.
 */
#define TRIES_MAX 10000

struct odometer {
        size_t wheel[FILTER_STEPS], length[FILTER_STEPS];
};

/* How many steps could be made, up to all of them: then *ret is the value. */
static size_t follow(const struct filter_condition *c, struct odometer *o,
                     struct json_object *message, struct json_object **ret)
{
        struct json_object *at = message;

        for (size_t i = 0; i < c->n_steps; i++) {
                struct filter_step step = c->steps[i];

                if (!step.name && step.index == SIZE_MAX) {
                        const bool array = json_object_is_type(at, json_type_array);

                        step.index = o->wheel[i];
                        o->length[i] = array ? json_object_array_length(at) : 0;
                }
                if (!descend(&step, at, &at))
                        return i;
        }
        *ret = at;
        return c->n_steps;
}

/* The last wheel that was reached and can turn, turns; those behind it start anew. */
static bool turn(struct odometer *o, size_t reached)
{
        size_t i = reached < FILTER_STEPS ? reached + 1 : FILTER_STEPS;

        while (i > 0 && o->wheel[i - 1] + 1 >= o->length[i - 1])
                i--;
        if (i == 0)
                return false;
        o->wheel[i - 1]++;
        for (; i < FILTER_STEPS; i++)
                o->wheel[i] = o->length[i] = 0;
        return true;
}

static bool condition_holds(const struct filter_condition *c, struct json_object *message)
{
        struct odometer o = { 0 };
        bool found = false;

        for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
                struct json_object *value = NULL;
                const size_t reached = follow(c, &o, message, &value);

                if (reached == c->n_steps) {
                        found = true;
                        if (holds(c, value))
                                return true;
                }
                if (!turn(&o, reached))
                        break;
        }
        return c->op == FILTER_NOT_EXISTS && !found;
}

bool filter_json_matches(const struct filter_json *j, struct json_object *message)
{
        fg_autofree bool *stack = fg_calloc(j->n_program + 1, sizeof(*stack));
        size_t n = 0;

        for (size_t i = 0; i < j->n_program; i++) {
                const int item = j->program[i];

                if (item >= 0) {
                        stack[n++] = condition_holds(&j->conditions[item], message);
                        continue;
                }
                n--;
                stack[n - 1] = item == FILTER_AND ? stack[n - 1] && stack[n]
                                                  : stack[n - 1] || stack[n];
        }
        return n == 1 && stack[0];
}

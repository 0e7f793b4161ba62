/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <json-c/json.h>

#include "api/cwlogs/filter.h"
#include "api/cwlogs/pattern.h"

/* ---- JSON patterns: conditions, joined by a program in postfix order ---- */

enum filter_op { /* of a condition */
                 FILTER_EQ,
                 FILTER_NE,
                 FILTER_LT,
                 FILTER_LE,
                 FILTER_GT,
                 FILTER_GE,
                 FILTER_IS_NULL,
                 FILTER_IS_TRUE,
                 FILTER_IS_FALSE,
                 FILTER_EXISTS,
                 FILTER_NOT_EXISTS,
};

struct filter_step {      /* one member or element on the way to a value */
        const char *name; /* NULL: an element */
        size_t index;     /* SIZE_MAX: any element */
};

#define FILTER_STEPS 32

struct filter_condition {
        struct filter_step steps[FILTER_STEPS];
        size_t n_steps;
        enum filter_op op;
        const char *value; /* may hold * as a wildcard, when `wild` */
        char *bare;        /* a value without quotes is a copy; owned */
        bool wild;
        bool quoted;
        bool numeric; /* `number` is the value */
        double number;
        struct fg_pattern *pattern; /* of %...% */
};

enum { FILTER_AND = -1, FILTER_OR = -2 }; /* else: a condition's index */

struct filter_json {
        char *text; /* the pattern, cut into strings the conditions point to */
        struct filter_condition *conditions;
        size_t n_conditions;
        int *program;
        size_t n_program;
};

struct filter_json *filter_json_parse(const char *pattern, struct fg_error *err);
void filter_json_free(struct filter_json *j);
FG_DEFINE_CLEANUP(struct filter_json *, filter_json_free)
bool filter_json_matches(const struct filter_json *j, struct json_object *message);

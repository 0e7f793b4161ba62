/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct json_object;

/* The sections of a result as tables, for the terminal and for the page. */

struct bench_column {
        const char *title, *key; /* of the member of its rows */
        const char *format;      /* decimals of a number; which of the samples; NULL: as it is */
};

struct bench_table {
        const char *name; /* of the section */
        const struct bench_column *columns;
        size_t n;
};

/** bench_tables - in their order, "start" first; a section may have two; ends with a name of NULL.
 */
extern const struct bench_table bench_tables[];

/** bench_cell() - what a row shows in a column; the caller frees it. */
char *bench_cell(struct json_object *row, const struct bench_column *column);

/* A result may come from a file, so nothing of it need be there, or be what it should be. */

/** bench_length() - of an array; 0: there is none. */
size_t bench_length(struct json_object *array);
/** bench_positive() - a number from 0 to BENCH_LARGE; what is none, or less, is 0. */
#define BENCH_LARGE 1e15
double bench_positive(struct json_object *number);
/** bench_value() - the same of a member. */
double bench_value(struct json_object *obj, const char *key);
/** bench_name() - a text, "?" when it is missing. */
const char *bench_name(struct json_object *obj, const char *key);

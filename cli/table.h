/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/cleanup.h"

struct libscols_line;
struct libscols_table;
struct fg_table;

/* An aligned table for people, over libsmartcols. Cells are copied; NULL is an empty cell. */

struct fg_column {
        const char *title;
        bool right;
        bool shrink; /* may be cut when the terminal is too narrow */
};

struct fg_table *fg_table_new(FILE *out, const struct fg_column *columns, size_t n);
void fg_table_free(struct fg_table *t);
FG_DEFINE_CLEANUP(struct fg_table *, fg_table_free)

void fg_table_row(struct fg_table *t);                         /* begins a row */
void fg_table_cell(struct fg_table *t, const char *text);      /* next cell of the row */
void fg_table_colour(struct fg_table *t, const char *colour);  /* of the last cell: "red" */
void fg_table_format(struct fg_table *t, const char *fmt, ...) /* next cell, formatted */
        __attribute__((format(printf, 2, 3)));
void fg_table_print(struct fg_table *t);

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>

#include "core/str.h"

struct fg_table {
        struct libscols_table *table;
        struct libscols_line *line;
        size_t next;
};

struct fg_table *fg_table_new(FILE *out, const struct fg_column *columns, size_t n)
{
        struct fg_table *t = fg_calloc(1, sizeof(*t));

        t->table = scols_new_table();
        if (!t->table)
                abort();
        (void)scols_table_set_stream(t->table, out);
        for (size_t i = 0; i < n; i++) {
                int flags = (columns[i].right ? SCOLS_FL_RIGHT : 0) |
                            (columns[i].shrink ? SCOLS_FL_TRUNC : 0);

                if (!scols_table_new_column(t->table, columns[i].title, 0, flags))
                        abort();
        }
        return t;
}

void fg_table_free(struct fg_table *t)
{
        if (!t)
                return;
        scols_unref_table(t->table);
        free(t);
}

void fg_table_row(struct fg_table *t)
{
        t->line = scols_table_new_line(t->table, NULL);
        if (!t->line)
                abort();
        t->next = 0;
}

void fg_table_cell(struct fg_table *t, const char *text)
{
        if (scols_line_set_data(t->line, t->next++, text ? text : "") < 0)
                abort();
}

void fg_table_format(struct fg_table *t, const char *fmt, ...)
{
        char text[256];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        fg_table_cell(t, text);
}

void fg_table_colour(struct fg_table *t, const char *colour)
{
        struct libscols_cell *cell = scols_line_get_cell(t->line, t->next - 1);

        if (cell && scols_cell_set_color(cell, colour) == 0)
                (void)scols_table_enable_colors(t->table, 1);
}

void fg_table_print(struct fg_table *t)
{
        (void)scols_print_table(t->table);
}

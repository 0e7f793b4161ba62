/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench/tables.h"
#include "core/cleanup.h"
#include "core/json.h"

#define PAGE_MAX (8U << 20)

struct bench_page bench_page_new(struct fg_error *err)
{
        return (struct bench_page){ .text = FG_BUF_INIT(PAGE_MAX), .err = err };
}

bool bench_page_ok(const struct bench_page *page)
{
        return !page->failed;
}

static void append(struct bench_page *page, const char *text, size_t len)
{
        if (!page->failed && fg_buf_append(&page->text, text, len, page->err) < 0)
                page->failed = true;
}

void bench_put(struct bench_page *page, const char *markup)
{
        append(page, markup, strlen(markup));
}

void bench_putf(struct bench_page *page, const char *fmt, ...)
{
        char text[1024];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        bench_put(page, text);
}

static const char *entity(char c)
{
        switch (c) {
        case '<':
                return "&lt;";
        case '>':
                return "&gt;";
        case '&':
                return "&amp;";
        case '"':
                return "&quot;";
        case '\'':
                return "&#39;";
        default:
                return (unsigned char)c < ' ' && c != '\n' ? " " : NULL;
        }
}

void bench_put_text(struct bench_page *page, const char *text)
{
        for (; text && *text && !page->failed; text++) {
                const char *instead = entity(*text);

                append(page, instead ? instead : text, instead ? strlen(instead) : 1);
        }
}

void bench_put_element(struct bench_page *page, const char *tag, const char *text)
{
        bench_putf(page, "<%s>", tag);
        bench_put_text(page, text);
        bench_putf(page, "</%.*s>", (int)strcspn(tag, " "), tag);
}

void bench_put_table(struct bench_page *page, const struct bench_table *table,
                     struct json_object *rows)
{
        bench_put(page, "<div class=\"wide\"><table>\n<tr>");
        for (size_t i = 0; i < table->n; i++)
                bench_put_element(page, "th scope=\"col\"", table->columns[i].title);
        bench_put(page, "</tr>\n");
        for (size_t r = 0; r < bench_length(rows); r++) {
                bench_put(page, "<tr>");
                for (size_t i = 0; i < table->n; i++) {
                        fg_autofree char *cell = bench_cell(json_object_array_get_idx(rows, r),
                                                            &table->columns[i]);

                        bench_put_element(page, i == 0 ? "th scope=\"row\"" : "td", cell);
                }
                bench_put(page, "</tr>\n");
        }
        bench_put(page, "</table></div>\n");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The result as one page: no script, no font, no picture from elsewhere. */
#include <math.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/json.h"

#define PAGE_MAX (8U << 20)
#define LEFT     170 /* of the plot's axis, in pixels */
#define WIDTH    700
#define ROW      34
#define DOT_MIN  0.5 /* ms at the left end of the scale */
#define SLOWEST  0.0

static const char head[] =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>fgrun "
        "bench</title>\n"
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 "
        "1em}"
        "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;border-bottom:1px "
        "solid #ddd}td:first-child,th:first-child{text-align:left}svg text{font:13px system-ui,"
        "sans-serif}.dot{fill:#2a6fb0;fill-opacity:.35}.typed{fill:#d9822b;fill-opacity:.35}"
        ".p50{stroke:#12395c;stroke-width:2}.grid{stroke:#ddd}pre{white-space:pre-wrap}</style>"
        "</head><body>\n<h1>fgrun bench</h1>\n";

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
        default:
                return NULL;
        }
}

/* Everything that was not written by us goes through here. */
static int put_text(struct fg_buf *page, const char *text, struct fg_error *err)
{
        for (; text && *text; text++) {
                const char *instead = entity(*text);

                if (fg_buf_append(page, instead ? instead : text, instead ? strlen(instead) : 1,
                                  err) < 0)
                        return -1;
        }
        return 0;
}

static double number(struct json_object *obj, const char *key)
{
        return json_object_get_double(fg_json_get(obj, key));
}

static size_t length(struct json_object *array)
{
        return array ? json_object_array_length(array) : 0;
}

/* Logarithmic, so that a container and a boot have room on one scale. */
static double x_of(double ms, double max_ms)
{
        double low = log10(DOT_MIN), high = log10(max_ms > 1 ? max_ms : 1);

        return LEFT + WIDTH * (log10(ms > DOT_MIN ? ms : DOT_MIN) - low) / (high - low);
}

static double slowest(struct json_object *rows)
{
        double max = 0;

        for (size_t i = 0; i < length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);

                max = fmax(max, fmax(number(row, "p99_ms"),
                                     number(fg_json_obj(row, "typed"), "p99_ms")));
        }
        return max * 1.1;
}

static int put_dots(struct fg_buf *page, struct json_object *samples, const char *class, double y,
                    double max_ms, struct fg_error *err)
{
        for (size_t i = 0; i < length(samples); i++) {
                double ms = json_object_get_double(json_object_array_get_idx(samples, i));

                if (fg_buf_printf(page, err,
                                  "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>", class,
                                  x_of(ms, max_ms), y) < 0)
                        return -1;
        }
        return 0;
}

static int put_row(struct fg_buf *page, struct json_object *row, double y, double max_ms,
                   struct fg_error *err)
{
        struct json_object *typed = fg_json_obj(row, "typed");
        const double p50 = x_of(number(row, "p50_ms"), max_ms);

        if (fg_buf_printf(page, err, "<text x=\"0\" y=\"%.1f\">", y + 4) < 0 ||
            put_text(page, fg_json_str(row, "name"), err) < 0 ||
            fg_buf_puts(page, "</text>", err) < 0 ||
            put_dots(page, fg_json_arr(row, "samples_ms"), "dot", y - 5, max_ms, err) < 0 ||
            put_dots(page, fg_json_arr(typed, "samples_ms"), "typed", y + 7, max_ms, err) < 0)
                return -1;
        return fg_buf_printf(
                page, err,
                "<line class=\"p50\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", p50, p50,
                y - 12, y + 2);
}

static int put_grid(struct fg_buf *page, size_t rows, double max_ms, struct fg_error *err)
{
        for (unsigned ms = 1; ms <= max_ms; ms *= 10) {
                const double x = x_of(ms, max_ms);

                if (fg_buf_printf(
                            page, err,
                            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%zu\"/>"
                            "<text x=\"%.1f\" y=\"%zu\">%u ms</text>\n",
                            x, x, rows * ROW, x - 12, rows * ROW + 16, ms) < 0)
                        return -1;
        }
        return 0;
}

static int put_plot(struct fg_buf *page, struct json_object *rows, struct fg_error *err)
{
        const double max_ms = slowest(rows);

        if (fg_buf_printf(page, err, "<svg viewBox=\"0 0 %d %zu\" role=\"img\">\n",
                          LEFT + WIDTH + 20, length(rows) * ROW + 24) < 0 ||
            put_grid(page, length(rows), max_ms, err) < 0)
                return -1;
        for (size_t i = 0; i < length(rows); i++)
                if (put_row(page, json_object_array_get_idx(rows, i), ROW * ((double)i + 0.5),
                            max_ms, err) < 0)
                        return -1;
        return fg_buf_puts(
                page,
                "</svg>\n<p>Every dot is one start. Blue: from the request to the first "
                "instruction; the bar is the median. Orange: from the typed command to the "
                "first byte that was read.</p>\n",
                err);
}

/* The tables as they are printed: one text for the terminal and the page. */
static int put_tables(struct fg_buf *page, struct json_object *result, struct fg_error *err)
{
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        int r;

        if (!out)
                return fg_fail_errno(err, errno, "memory");
        bench_print(result, out);
        (void)fclose(out);
        r = fg_buf_puts(page, "<pre>", err);
        if (r == 0)
                r = put_text(page, text, err);
        free(text);
        return r < 0 ? -1 : fg_buf_puts(page, "</pre>\n", err);
}

char *bench_html(struct json_object *result, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf page = FG_BUF_INIT(PAGE_MAX);

        if (fg_buf_puts(&page, head, err) < 0 || fg_buf_puts(&page, "<h2>Start</h2>\n", err) < 0 ||
            put_plot(&page, fg_json_arr(result, "start"), err) < 0 ||
            put_tables(&page, result, err) < 0 || fg_buf_puts(&page, "</body></html>\n", err) < 0)
                return NULL;
        return fg_buf_take(&page);
}

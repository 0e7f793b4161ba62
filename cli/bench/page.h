/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/buf.h"
#include "core/error.h"

struct bench_table;
struct json_object;

/*
 * A page, or a part of it, as it grows. Its first failure is kept in err, and nothing is appended
 * after it, so that who writes need not ask; bench_page_ok() says in the end whether all is there.
 */
struct bench_page {
        struct fg_buf text;
        struct fg_error *err; /* borrowed */
        bool failed;
        unsigned figures; /* so far, for their ids */
};

struct bench_page bench_page_new(struct fg_error *err);
bool bench_page_ok(const struct bench_page *page);

/** bench_put() - markup and words of our own, as they are. */
void bench_put(struct bench_page *page, const char *markup);
void bench_putf(struct bench_page *page, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
/** bench_put_text() - what was not written by us: names, versions, reasons. NULL: nothing. */
void bench_put_text(struct bench_page *page, const char *text);
/** bench_put_element() - <@tag>@text</@tag>, the text as for bench_put_text(); @tag is ours and
 * may have attributes. */
void bench_put_element(struct bench_page *page, const char *tag, const char *text);
/** bench_put_table() - a section's rows. */
void bench_put_table(struct bench_page *page, const struct bench_table *table,
                     struct json_object *rows);

extern const char bench_page_style[];

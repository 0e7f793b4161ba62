/* SPDX-License-Identifier: Apache-2.0 */
#include "api/field.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/str.h"

#define NAMES_SHOWN    20
#define NAME_SHOWN_MAX 256

void fg_decode_init(struct fg_decode *d, const char *root, struct fg_problems *problems)
{
        *d = (struct fg_decode){ .problems = problems };
        d->len = strlen(root);
        assert(d->len < sizeof(d->path));
        memcpy(d->path, root, d->len);
}

/* Tables bound the depth and fg_clip() the names, so that the path always fits. */
size_t fg_decode_enter(struct fg_decode *d, const char *fmt, ...)
{
        size_t mark = d->len;
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(d->path + d->len, sizeof(d->path) - d->len, fmt, ap);
        va_end(ap);
        d->len += strlen(d->path + d->len);
        return mark;
}

void fg_decode_leave(struct fg_decode *d, size_t mark)
{
        d->len = mark;
        d->path[mark] = '\0';
}

void fg_decode_problem(struct fg_decode *d, const char *member, const char *allowed,
                       const char *fmt, ...)
{
        char *message = NULL;
        va_list ap;

        va_start(ap, fmt);
        if (vasprintf(&message, fmt, ap) < 0)
                abort();
        va_end(ap);
        fg_problems_take(d->problems,
                         fg_asprintf("%s%s%s", d->path, member ? "." : "", member ? member : ""),
                         message, fg_strdup(allowed));
}

bool fg_decode_refuse(struct fg_decode *d, const struct fg_error *err)
{
        fg_decode_problem(d, NULL, NULL, "%s", err->msg);
        return false;
}

const char *fg_nearest(const char *name, const char *const *names, size_t n)
{
        unsigned best = 1 + (unsigned)strnlen(name, 32) / 3;
        const char *found = NULL;

        for (size_t i = 0; i < n; i++) {
                unsigned steps = fg_edit_distance(name, names[i]);

                if (steps < best || (steps == best && !found)) {
                        best = steps;
                        found = names[i];
                }
        }
        return found;
}

char *fg_join(const char *const *names)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(64 * 1024);
        struct fg_error err = FG_ERROR_INIT;

        for (size_t i = 0; names[i]; i++)
                if (fg_buf_printf(&text, &err, "%s%s", i > 0 ? ", " : "", names[i]) < 0)
                        abort(); /* lists are ours or capped */
        return text.len > 0 ? fg_buf_take(&text) : fg_strdup("");
}

char *fg_join_names(const char *const *names, size_t n)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(NAMES_SHOWN * NAME_SHOWN_MAX);
        struct fg_error err = FG_ERROR_INIT;

        for (size_t i = 0; i < n && i < NAMES_SHOWN; i++)
                if (fg_buf_printf(&text, &err, "%s%.*s", i > 0 ? ", " : "", FG_CLIP(names[i])) < 0)
                        break;
        if (n > NAMES_SHOWN)
                (void)fg_buf_puts(&text, ", …", &err);
        return text.len > 0 ? fg_buf_take(&text) : fg_strdup("none");
}

bool fg_one_of(const char *s, const char *const *names)
{
        for (size_t i = 0; names[i]; i++)
                if (fg_streq(s, names[i]))
                        return true;
        return false;
}

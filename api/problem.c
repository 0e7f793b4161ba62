/* SPDX-License-Identifier: Apache-2.0 */
#include "api/problem.h"

#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define QUOTE_MAX 64

void fg_problems_finish(struct fg_problems *p)
{
        for (size_t i = 0; i < p->n; i++) {
                free(p->list[i].path);
                free(p->list[i].message);
                free(p->list[i].allowed);
        }
        *p = FG_PROBLEMS_INIT;
}

void fg_problems_take(struct fg_problems *p, char *path, char *message, char *allowed)
{
        if (p->n == FG_PROBLEMS_MAX) {
                p->dropped++;
                free(path);
                free(message);
                free(allowed);
                return;
        }
        p->list[p->n++] = (struct fg_problem){ .path = path,
                                               .message = message,
                                               .allowed = allowed };
}

static char *sentence(const struct fg_problem *problem)
{
        if (!problem->allowed)
                return fg_strdup(problem->message);
        return fg_asprintf("%s (allowed: %s)", problem->message, problem->allowed);
}

static void append(struct json_object *array, const char *path, const char *message)
{
        struct json_object *item = json_object_new_object();

        fg_json_set_str(item, "path", path);
        fg_json_set_str(item, "message", message);
        json_object_array_add(array, item);
}

struct json_object *fg_problems_to_json(const struct fg_problems *p)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < p->n; i++) {
                fg_autofree char *text = sentence(&p->list[i]);

                append(array, p->list[i].path, text);
        }
        if (p->dropped > 0) {
                fg_autofree char *text = fg_asprintf("%zu more errors are not shown", p->dropped);

                append(array, "$", text);
        }
        return array;
}

int fg_problems_fail(const struct fg_problems *p, const char *what, struct fg_error *err)
{
        fg_autofree char *text = p->n > 0 ? sentence(&p->list[0]) : NULL;
        size_t total = p->n + p->dropped;

        if (!text)
                return fg_fail(err, FG_ERR_INVALID, "the %s is not valid", what);
        if (total == 1)
                return fg_fail(err, FG_ERR_INVALID, "1 error in the %s: %s: %s", what,
                               p->list[0].path, text);
        return fg_fail(err, FG_ERR_INVALID, "%zu errors in the %s; first: %s: %s", total, what,
                       p->list[0].path, text);
}

int fg_clip(const char *s)
{
        size_t len = strnlen(s, QUOTE_MAX + 1);

        if (len <= QUOTE_MAX)
                return (int)len;
        len = QUOTE_MAX;
        while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80)
                len--; /* not inside a character */
        return (int)len;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cwlogs/page.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

int fg_logkey_compare(const struct fg_logkey *a, const struct fg_logkey *b)
{
        if (a->time_ms != b->time_ms)
                return a->time_ms < b->time_ms ? -1 : 1;
        if (a->stream != b->stream)
                return a->stream < b->stream ? -1 : 1;
        return a->position < b->position ? -1 : a->position > b->position;
}

/* > 0: @a leaves the page before @b does. */
static int farther(const struct fg_logpage *p, const struct fg_logkey *a, const struct fg_logkey *b)
{
        return p->last ? fg_logkey_compare(b, a) : fg_logkey_compare(a, b);
}

void fg_logpage_init(struct fg_logpage *p, size_t limit, bool last)
{
        *p = (struct fg_logpage){ .limit = limit && limit < FG_LOGPAGE_EVENTS ? limit
                                                                              : FG_LOGPAGE_EVENTS,
                                  .last = last };
        p->items = fg_calloc(p->limit + 1, sizeof(*p->items));
}

void fg_logpage_free(struct fg_logpage *p)
{
        for (size_t i = 0; i < p->n; i++)
                free(p->items[i].data);
        free(p->items);
        *p = (struct fg_logpage){ 0 };
}

bool fg_logpage_wants(const struct fg_logpage *p, const struct fg_logkey *key)
{
        return !p->bounded || farther(p, &p->bound, key) > 0;
}

void fg_logpage_cut(struct fg_logpage *p, const struct fg_logkey *key)
{
        if (!fg_logpage_wants(p, key))
                return;
        p->bound = *key;
        p->bounded = true;
}

/* ---- a heap with the farthest item in front ---- */

static void swap(struct fg_logitem *a, struct fg_logitem *b)
{
        struct fg_logitem item = *a;

        *a = *b;
        *b = item;
}

static void sift_up(struct fg_logpage *p, size_t i)
{
        while (i > 0 && farther(p, &p->items[i].key, &p->items[(i - 1) / 2].key) > 0) {
                swap(&p->items[i], &p->items[(i - 1) / 2]);
                i = (i - 1) / 2;
        }
}

static void sift_down(struct fg_logpage *p)
{
        for (size_t i = 0;;) {
                size_t child = 2 * i + 1;

                if (child >= p->n)
                        return;
                if (child + 1 < p->n &&
                    farther(p, &p->items[child + 1].key, &p->items[child].key) > 0)
                        child++;
                if (farther(p, &p->items[child].key, &p->items[i].key) <= 0)
                        return;
                swap(&p->items[i], &p->items[child]);
                i = child;
        }
}

static void pop(struct fg_logpage *p)
{
        struct fg_logitem *first = &p->items[0];

        p->bytes -= first->len + FG_LOGPAGE_EXTRA;
        free(first->data);
        *first = p->items[--p->n];
        sift_down(p);
}

void fg_logpage_add(struct fg_logpage *p, const struct fg_logkey *key, const struct fg_logevent *e,
                    const char *stream_name)
{
        struct fg_logitem *item = &p->items[p->n];

        assert(p->n <= p->limit);
        *item = (struct fg_logitem){ .key = *key,
                                     .ingestion_ms = e->ingestion_ms,
                                     .data = fg_calloc(1, e->len + 1),
                                     .len = e->len,
                                     .stream_name = stream_name };
        memcpy(item->data, e->data, e->len);
        p->bytes += e->len + FG_LOGPAGE_EXTRA;
        sift_up(p, p->n++);
        while (p->n > p->limit || (p->bytes > FG_LOGPAGE_BYTES && p->n > 1)) {
                fg_logpage_cut(p, &p->items[0].key);
                pop(p);
        }
}

static int by_key(const void *a, const void *b)
{
        const struct fg_logitem *x = a, *y = b;

        return fg_logkey_compare(&x->key, &y->key);
}

void fg_logpage_finish(struct fg_logpage *p)
{
        while (p->n > 0 && p->bounded && !fg_logpage_wants(p, &p->items[0].key))
                pop(p);
        if (p->n > 0)
                qsort(p->items, p->n, sizeof(*p->items), by_key);
}

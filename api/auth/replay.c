/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/replay.h"

#include <stdlib.h>
#include <string.h>

#include "core/str.h"

#define FIRST_SLOTS 256

/* Open addressing, never more than half full. Only who has a key gets an entry. */
struct entry {
        uint64_t print; /* first bytes of an HMAC: as good as random; 0: free */
        uint64_t first_sec;
};

struct table {
        struct entry *slots;
        uint32_t n_slots, used;
        uint64_t since_sec;
};

struct fg_replay {
        struct table now, before; /* what `before` forgets was good for a window at least */
        uint64_t window_sec;
        uint32_t max;
};

static void table_reset(struct table *t, uint64_t now_sec)
{
        free(t->slots);
        *t = (struct table){ .slots = fg_calloc(FIRST_SLOTS, sizeof(struct entry)),
                             .n_slots = FIRST_SLOTS,
                             .since_sec = now_sec };
}

static struct entry *find(const struct table *t, uint64_t print)
{
        uint32_t i = (uint32_t)print & (t->n_slots - 1);

        while (t->slots[i].print && t->slots[i].print != print)
                i = (i + 1) & (t->n_slots - 1);
        return &t->slots[i];
}

static void grow(struct table *t)
{
        struct table bigger = { .slots = fg_calloc((size_t)t->n_slots * 2, sizeof(struct entry)),
                                .n_slots = t->n_slots * 2,
                                .used = t->used,
                                .since_sec = t->since_sec };

        for (uint32_t i = 0; i < t->n_slots; i++)
                if (t->slots[i].print)
                        *find(&bigger, t->slots[i].print) = t->slots[i];
        free(t->slots);
        *t = bigger;
}

struct fg_replay *fg_replay_new(uint64_t window_sec, uint32_t max)
{
        struct fg_replay *r = fg_calloc(1, sizeof(*r));

        r->window_sec = window_sec;
        r->max = max;
        table_reset(&r->now, 0);
        table_reset(&r->before, 0);
        return r;
}

void fg_replay_free(struct fg_replay *r)
{
        if (!r)
                return;
        free(r->now.slots);
        free(r->before.slots);
        free(r);
}

bool fg_replay_seen(struct fg_replay *r, const unsigned char *signature, uint64_t now_sec)
{
        struct entry *e;
        uint64_t print;

        memcpy(&print, signature, sizeof(print));
        print = print ? print : 1;
        if (r->now.used >= r->max || now_sec >= r->now.since_sec + r->window_sec) {
                free(r->before.slots);
                r->before = r->now;
                r->now.slots = NULL;
                table_reset(&r->now, now_sec);
        }
        e = find(&r->before, print);
        if (!e->print)
                e = find(&r->now, print);
        if (e->print)
                return now_sec > e->first_sec + FG_REPLAY_GRACE_SEC;
        if (++r->now.used > r->now.n_slots / 2) {
                grow(&r->now);
                e = find(&r->now, print);
        }
        *e = (struct entry){ .print = print, .first_sec = now_sec };
        return false;
}

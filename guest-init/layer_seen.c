/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/layer_parts.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024 /* a power of two */

/* FNV-1a over both parts, then the finaliser of MurmurHash3, since FNV's low bits mix badly. */
static uint64_t hash(ino_t dir, const char *name)
{
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < sizeof(dir); i++)
                h = (h ^ ((dir >> (8 * i)) & 0xff)) * UINT64_C(0x100000001b3);
        for (; *name; name++)
                h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
        h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
        h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
        h ^= h >> 33;
        return h ? h : 1;
}

/* The slot that holds @h, or the empty one where it belongs. */
static uint64_t *find(const struct fg_layer_seen *seen, uint64_t h)
{
        size_t i = h & seen->mask;

        while (seen->slots[i] != 0 && seen->slots[i] != h)
                i = (i + 1) & seen->mask;
        return &seen->slots[i];
}

static int grow(struct fg_layer_seen *seen, struct fg_error *err)
{
        size_t size = seen->slots ? (seen->mask + 1) * 2 : FIRST_SLOTS;
        struct fg_layer_seen bigger = { .mask = size - 1, .count = seen->count };

        bigger.slots = calloc(size, sizeof(*bigger.slots));
        if (!bigger.slots)
                return fg_fail(err, FG_ERR_CAPACITY, "out of memory");
        for (size_t i = 0; seen->slots && i <= seen->mask; i++)
                if (seen->slots[i] != 0)
                        *find(&bigger, seen->slots[i]) = seen->slots[i];
        free(seen->slots);
        *seen = bigger;
        return 0;
}

int fg_layer_seen_add(struct fg_layer_seen *seen, ino_t dir, const char *name, struct fg_error *err)
{
        uint64_t h = hash(dir, name), *slot;

        if ((!seen->slots || seen->count > seen->mask / 2) && grow(seen, err) < 0)
                return -1;
        slot = find(seen, h);
        seen->count += *slot == 0;
        *slot = h;
        return 0;
}

bool fg_layer_seen_has(const struct fg_layer_seen *seen, ino_t dir, const char *name)
{
        return seen->slots && *find(seen, hash(dir, name)) != 0;
}

void fg_layer_seen_finish(struct fg_layer_seen *seen)
{
        free(seen->slots);
        *seen = (struct fg_layer_seen){ 0 };
}

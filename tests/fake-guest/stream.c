/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake-guest/guest.h"

#include <stdlib.h>

size_t stream_room(const struct stream *s)
{
        return RING_MAX - s->ring.len;
}

void stream_write(struct stream *s, const void *data, size_t len)
{
        struct fg_error err = FG_ERROR_INIT;

        if (fg_buf_append(&s->ring, data, len, &err) < 0)
                abort();
}

void stream_stored(struct stream *s, uint64_t offset)
{
        const uint64_t end = s->acked + s->ring.len;

        if (offset <= s->acked)
                return;
        if (offset > end)
                offset = end;
        fg_buf_consume(&s->ring, (size_t)(offset - s->acked));
        s->acked = offset;
        if (s->sent < offset)
                s->sent = offset;
}

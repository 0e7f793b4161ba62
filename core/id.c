/* SPDX-License-Identifier: Apache-2.0 */
#include "core/id.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/str.h"

void fg_random(void *bytes, size_t len)
{
        char *p = bytes;

        while (len > 0) {
                ssize_t n = getrandom(p, len, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        abort();
                p += n;
                len -= (size_t)n;
        }
}

void fg_id_new(char ret[FG_ID_LEN + 1])
{
        uint8_t bytes[FG_ID_LEN / 2];

        fg_random(bytes, sizeof(bytes));
        fg_hex(bytes, sizeof(bytes), ret);
}

bool fg_id_valid(const char *s)
{
        return strlen(s) == FG_ID_LEN && strspn(s, "0123456789abcdef") == FG_ID_LEN;
}

void fg_id_to_uuid(const char *id, char ret[FG_UUID_LEN + 1])
{
        (void)snprintf(ret, FG_UUID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12,
                       id + 16, id + 20);
}

bool fg_id_from_uuid(const char *uuid, char ret[FG_ID_LEN + 1])
{
        size_t n = 0;

        if (strlen(uuid) != FG_UUID_LEN)
                return false;
        for (const char *p = uuid; *p; p++) {
                if (*p == '-')
                        continue;
                if (n == FG_ID_LEN)
                        return false;
                ret[n++] = *p;
        }
        ret[n] = '\0';
        return fg_id_valid(ret);
}

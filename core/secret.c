/* SPDX-License-Identifier: Apache-2.0 */
#include "core/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fg_secret_alloc(struct fg_secret *s, size_t len)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        size_t mapped = (len + page) / page * page; /* at least one byte more than len */
        void *data;

        fg_secret_finish(s);
        data = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (data == MAP_FAILED)
                abort();
        /* Where a kernel or a limit does not allow it, the bytes are still wiped. */
        (void)madvise(data, mapped, MADV_DONTDUMP);
        (void)madvise(data, mapped, MADV_WIPEONFORK);
        (void)mlock(data, mapped);
        *s = (struct fg_secret){ .data = data, .len = len, .mapped_ = mapped };
}

void fg_secret_set(struct fg_secret *s, const void *data, size_t len)
{
        fg_secret_alloc(s, len);
        if (len > 0)
                memcpy(s->data, data, len);
}

void fg_secret_finish(struct fg_secret *s)
{
        if (s->data) {
                explicit_bzero(s->data, s->mapped_);
                (void)munmap(s->data, s->mapped_);
        }
        *s = FG_SECRET_INIT;
}

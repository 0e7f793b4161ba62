/* SPDX-License-Identifier: Apache-2.0 */
#include "api/logstore_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "core/buf.h"
#include "core/str.h"

static const char magic[8] = "fglog 1\n";

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structs are written as they are");
_Static_assert(sizeof(struct fg_segment_header) == 32 && sizeof(struct fg_segment_record) == 32,
               "no padding on disk");

void fg_segment_name(uint32_t n, char ret[FG_SEGMENT_NAME_MAX])
{
        (void)snprintf(ret, FG_SEGMENT_NAME_MAX, "%08" PRIu32 ".log", n);
}

/* 0: not a segment's name. */
static uint32_t parse_name(const char *name)
{
        char digits[11] = "", back[FG_SEGMENT_NAME_MAX];
        size_t len = strlen(name);
        uint64_t n;

        if (len < 12 || len >= 15)
                return 0;
        memcpy(digits, name, len - 4);
        if (!fg_parse_u64(digits, &n) || n > UINT32_MAX)
                return 0;
        fg_segment_name((uint32_t)n, back);
        return fg_streq(back, name) ? (uint32_t)n : 0;
}

int fg_segment_after(int dirfd, uint32_t n, uint32_t *ret_lowest, uint32_t *ret_highest,
                     struct fg_error *err)
{
        fg_cleanup(closedirp) DIR *dir = NULL;
        fg_autoclose int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const struct dirent *entry;

        if (fd < 0 || !(dir = fdopendir(fd)))
                return fg_fail_errno(err, errno, "list a log");
        (void)fg_take_fd(fd);
        *ret_lowest = *ret_highest = 0;
        while ((entry = readdir(dir))) {
                uint32_t found = parse_name(entry->d_name);

                if (found <= n)
                        continue;
                if (!*ret_lowest || found < *ret_lowest)
                        *ret_lowest = found;
                if (found > *ret_highest)
                        *ret_highest = found;
        }
        return 0;
}

static uint32_t crc_of(const void *data, size_t len, uint32_t crc)
{
        return (uint32_t)crc32(crc, data, (uInt)len);
}

/* Seeded, so that headers without a partial line are as they were before there was this member. */
static uint32_t header_crc(const struct fg_segment_header *h)
{
        return crc_of(h->next, sizeof(h->next), h->partial);
}

void fg_segment_header_init(struct fg_segment_header *h, const struct fg_segment_end *end)
{
        *h = (struct fg_segment_header){ .partial = end->partial };
        memcpy(h->magic, magic, sizeof(magic));
        memcpy(h->next, end->next, sizeof(h->next));
        h->crc = header_crc(h);
}

void fg_segment_end_add(struct fg_segment_end *end, const struct fg_segment_record *r,
                        const char *data)
{
        const uint32_t bit = UINT32_C(1) << r->stream;

        end->next[r->stream] = r->offset + r->len;
        end->time_ns = r->time_ns;
        end->partial = data[r->len - 1] == '\n' ? end->partial & ~bit : end->partial | bit;
}

bool fg_segment_header_parse(const char *data, size_t len, struct fg_segment_header *ret)
{
        if (len < sizeof(*ret))
                return false;
        memcpy(ret, data, sizeof(*ret));
        return memcmp(ret->magic, magic, sizeof(magic)) == 0 && ret->crc == header_crc(ret);
}

static uint32_t record_crc(const struct fg_segment_record *r, const char *data)
{
        uint32_t crc = crc_of(&r->len, sizeof(*r) - offsetof(struct fg_segment_record, len), 0);

        return crc_of(data, r->len, crc);
}

void fg_segment_record_seal(struct fg_segment_record *r, const char *data)
{
        r->crc = record_crc(r, data);
}

int fg_segment_record_parse(const char *data, size_t len, struct fg_segment_record *ret)
{
        if (len < sizeof(*ret))
                return 0;
        memcpy(ret, data, sizeof(*ret));
        if (ret->len == 0 || ret->len > FG_LOG_MAX_RECORD || ret->stream >= FG_LOG_STREAMS)
                return -1;
        if (len - sizeof(*ret) < ret->len)
                return 0;
        return ret->crc == record_crc(ret, data + sizeof(*ret)) ? 1 : -1;
}

int fg_segment_recover(int fd, struct fg_segment_end *end, uint64_t *ret_end, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = { 0 };
        struct fg_segment_header header;
        struct fg_segment_record record;
        struct stat st;
        uint64_t at;

        if (fstat(fd, &st) < 0)
                return fg_fail_errno(err, errno, "stat a log segment");
        b.max = (size_t)st.st_size;
        if (fg_buf_read_fd(&b, fd, err) < 0)
                return fg_wrap(err, "recover a log segment");
        *ret_end = 0;
        if (!fg_segment_header_parse(b.data, b.len, &header))
                return 0;
        memcpy(end->next, header.next, sizeof(header.next));
        end->partial = header.partial;
        at = sizeof(header);
        while (fg_segment_record_parse(b.data + at, b.len - at, &record) > 0) {
                fg_segment_end_add(end, &record, b.data + at + sizeof(record));
                at += sizeof(record) + record.len;
        }
        *ret_end = at;
        return 0;
}

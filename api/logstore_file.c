/* SPDX-License-Identifier: Apache-2.0 */
#include "api/logstore_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/str.h"

#define OUT_MAX (2 * FG_LOG_MAX_RECORD)
#define OUT_LOW (256u * 1024) /* written out beyond this */

struct fg_logfile {
        struct fg_logfile_limits limits;
        int dirfd;
        int fd; /* the last segment, -1 before the first one */
        uint32_t first, last;
        uint64_t size;  /* of the last segment, buffered bytes included */
        uint64_t total; /* of all segments */
        struct fg_segment_end end;
        bool lossy;
        struct fg_buf out;
};

const uint64_t *fg_logfile_next(const struct fg_logfile *f)
{
        return f->end.next;
}

void fg_logfile_lossy(struct fg_logfile *f)
{
        f->lossy = true;
}

void fg_logfile_free(struct fg_logfile *f)
{
        if (!f)
                return;
        fg_closep(&f->fd);
        fg_closep(&f->dirfd);
        fg_buf_finish(&f->out);
        free(f);
}

static int segment_size(const struct fg_logfile *f, uint32_t n, uint64_t *ret, struct fg_error *err)
{
        char name[FG_SEGMENT_NAME_MAX];
        struct stat st;

        fg_segment_name(n, name);
        if (fstatat(f->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return fg_fail_errno(err, errno, "stat log segment %s", name);
        *ret = (uint64_t)st.st_size;
        return 0;
}

static int new_segment(struct fg_logfile *f, struct fg_error *err)
{
        struct fg_segment_header header;
        char name[FG_SEGMENT_NAME_MAX];

        fg_segment_name(f->last + 1, name);
        fg_closep(&f->fd);
        f->fd = openat(f->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
        if (f->fd < 0)
                return fg_fail_errno(err, errno, "create log segment %s", name);
        f->last++;
        if (!f->first)
                f->first = f->last;
        f->size = sizeof(header);
        f->total += sizeof(header);
        fg_segment_header_init(&header, &f->end);
        return fg_buf_append(&f->out, &header, sizeof(header), err);
}

/* The oldest segments go until the log fits; readers notice by the offsets. */
static int drop_oldest(struct fg_logfile *f, struct fg_error *err)
{
        char name[FG_SEGMENT_NAME_MAX];
        uint32_t highest;
        uint64_t size = 0;

        while (f->total > f->limits.total_bytes && f->first < f->last) {
                if (segment_size(f, f->first, &size, err) < 0)
                        return -1;
                fg_segment_name(f->first, name);
                if (unlinkat(f->dirfd, name, 0) < 0)
                        return fg_fail_errno(err, errno, "drop log segment %s", name);
                f->total -= size;
                if (fg_segment_after(f->dirfd, f->first, &f->first, &highest, err) < 0)
                        return -1;
        }
        return 0;
}

int fg_logfile_flush(struct fg_logfile *f, struct fg_error *err)
{
        if (f->out.len == 0)
                return 0;
        if (fg_write_all(f->fd, f->out.data, f->out.len, err) < 0)
                return fg_wrap(err, "append to a log");
        fg_buf_clear(&f->out);
        return 0;
}

static int rotate(struct fg_logfile *f, struct fg_error *err)
{
        if (fg_logfile_flush(f, err) < 0 || new_segment(f, err) < 0)
                return -1;
        return drop_oldest(f, err);
}

int fg_logfile_append(struct fg_logfile *f, const struct fg_segment_record *r, const char *data,
                      struct fg_error *err)
{
        struct fg_segment_record cut = *r;
        const uint64_t *next = &f->end.next[r->stream];

        if (r->offset > *next && !f->lossy)
                return fg_fail(err, FG_ERR_INVALID,
                               "gap in stream %" PRIu64 ": expected offset %" PRIu64
                               ", got %" PRIu64,
                               r->stream, *next, r->offset);
        if (*next > r->offset) {
                if (*next - r->offset >= r->len)
                        return 0;
                data += *next - r->offset;
                cut.len -= (uint32_t)(*next - r->offset);
                cut.offset = *next;
        }
        /* The streams of a log arrive side by side: in the file, time never goes back. */
        if (cut.time_ns < f->end.time_ns)
                cut.time_ns = f->end.time_ns;
        fg_segment_record_seal(&cut, data);

        if ((f->fd < 0 || f->size >= f->limits.segment_bytes) && rotate(f, err) < 0)
                return -1;
        if (fg_buf_append(&f->out, &cut, sizeof(cut), err) < 0 ||
            fg_buf_append(&f->out, data, cut.len, err) < 0)
                return -1;
        f->size += sizeof(cut) + cut.len;
        f->total += sizeof(cut) + cut.len;
        fg_segment_end_add(&f->end, &cut, data);
        return f->out.len > OUT_LOW ? fg_logfile_flush(f, err) : 0;
}

/* The last segment goes on where its valid records end. Without even a header it is dropped. */
static int recover_last(struct fg_logfile *f, struct fg_error *err)
{
        char name[FG_SEGMENT_NAME_MAX];

        fg_segment_name(f->last, name);
        f->fd = openat(f->dirfd, name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
        if (f->fd < 0)
                return fg_fail_errno(err, errno, "open log segment %s", name);
        if (fg_segment_recover(f->fd, &f->end, &f->size, err) < 0)
                return -1;
        if (f->size > 0)
                return ftruncate(f->fd, (off_t)f->size) < 0
                               ? fg_fail_errno(err, errno, "cut log segment %s", name)
                               : 1;
        fg_closep(&f->fd);
        f->fd = -1;
        if (unlinkat(f->dirfd, name, 0) < 0)
                return fg_fail_errno(err, errno, "drop log segment %s", name);
        return 0;
}

static int recover(struct fg_logfile *f, struct fg_error *err)
{
        uint32_t n, highest;
        uint64_t size = 0;
        int found;

        do {
                if (fg_segment_after(f->dirfd, 0, &f->first, &f->last, err) < 0)
                        return -1;
                found = f->last ? recover_last(f, err) : 1;
        } while (found == 0);
        if (found < 0)
                return -1;
        for (n = f->first; n;) {
                if (segment_size(f, n, &size, err) < 0)
                        return -1;
                f->total += size;
                if (fg_segment_after(f->dirfd, n, &n, &highest, err) < 0)
                        return -1;
        }
        return 0;
}

int fg_logfile_open(const char *path, const struct fg_logfile_limits *limits,
                    struct fg_logfile **ret, struct fg_error *err)
{
        fg_cleanup(fg_logfile_freep) struct fg_logfile *f = fg_calloc(1, sizeof(*f));

        f->limits = *limits;
        f->fd = -1;
        f->dirfd = -1;
        f->out = FG_BUF_INIT(OUT_MAX);
        if (fg_mkdir_p(path, 0700, err) < 0)
                return -1;
        f->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (f->dirfd < 0)
                return fg_fail_errno(err, errno, "open %s", path);
        if (recover(f, err) < 0)
                return fg_wrap(err, "%s", path);
        *ret = fg_take_ptr(f);
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/str.h"

#define FIRST_SLOTS 256
#define BOOT_ID_LEN 36
#define FILE_MAX    (64U << 20)

/* The file: this, then records, in the byte order of the machine it never leaves. */
struct header {
        char magic[8];
        char boot_id[BOOT_ID_LEN + 4];
        uint64_t known_sec; /* nothing is known of what was signed before */
};

struct record {
        uint64_t print; /* first bytes of an HMAC: as good as random; 0: a free slot */
        uint64_t seen_sec;
};

/* Open addressing, never more than half full. Only who has a key gets an entry. */
struct table {
        uint64_t *slots;
        uint32_t n_slots, used;
};

struct fg_replay {
        struct table now, before; /* what `before` forgets was good for a window at least */
        uint64_t since_sec;       /* of `now` */
        char *dir, *path, *path_before;
        struct header header;
        int fd; /* of path */
        off_t len;
        bool durable; /* its name is */
        uint64_t window_sec;
        uint32_t max;
};

static const char magic[8] = "FGSIGN1";

/* ---- in memory ---- */

static void table_reset(struct table *t)
{
        free(t->slots);
        *t = (struct table){ .slots = fg_calloc(FIRST_SLOTS, sizeof(*t->slots)),
                             .n_slots = FIRST_SLOTS };
}

static uint64_t *find(const struct table *t, uint64_t print)
{
        uint32_t i = (uint32_t)print & (t->n_slots - 1);

        while (t->slots[i] && t->slots[i] != print)
                i = (i + 1) & (t->n_slots - 1);
        return &t->slots[i];
}

static void grow(struct table *t)
{
        struct table bigger = { .slots = fg_calloc((size_t)t->n_slots * 2, sizeof(*t->slots)),
                                .n_slots = t->n_slots * 2,
                                .used = t->used };

        for (uint32_t i = 0; i < t->n_slots; i++)
                if (t->slots[i])
                        *find(&bigger, t->slots[i]) = t->slots[i];
        free(t->slots);
        *t = bigger;
}

static void add(struct table *t, uint64_t print)
{
        if (*find(t, print))
                return;
        if (++t->used > t->n_slots / 2)
                grow(t);
        *find(t, print) = print;
}

/* ---- in the file ---- */

static void close_file(struct fg_replay *r)
{
        if (r->fd >= 0)
                (void)close(r->fd);
        r->fd = -1;
}

static int create_file(struct fg_replay *r, struct fg_error *err)
{
        close_file(r);
        r->len = sizeof(r->header);
        r->durable = false;
        r->fd = open(r->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (r->fd < 0)
                return fg_fail_errno(err, errno, "%s", r->path);
        if (fg_write_all(r->fd, &r->header, sizeof(r->header), err) == 0)
                return 0;
        close_file(r);
        return fg_wrap(err, "%s", r->path);
}

/* A record that was written in part is written over by the next one. */
static int append(struct fg_replay *r, const struct record *record, bool sync, struct fg_error *err)
{
        ssize_t n = pwrite(r->fd, record, sizeof(*record), r->len);

        if (n != (ssize_t)sizeof(*record))
                return fg_fail_errno(err, n < 0 ? errno : ENOSPC, "%s", r->path);
        if (sync && fdatasync(r->fd) < 0)
                return fg_fail_errno(err, errno, "%s", r->path);
        if (sync && !r->durable && fg_fsync_dir(r->dir, err) < 0)
                return -1;
        r->durable = r->durable || sync;
        r->len += (off_t)sizeof(*record);
        return 0;
}

/* The records of one file that are still good, into `before` and behind @records. */
static int load(struct fg_replay *r, const char *path, uint64_t now_sec, struct header *ret,
                struct fg_buf *records, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf bytes = FG_BUF_INIT(records->max);
        struct fg_error why = FG_ERROR_INIT;

        if (fg_buf_read_file(&bytes, path, &why) < 0 || bytes.len < sizeof(*ret))
                return 0; /* known_sec is 0: nothing is known */
        memcpy(ret, bytes.data, sizeof(*ret));
        for (size_t at = sizeof(*ret); at + sizeof(struct record) <= bytes.len;
             at += sizeof(struct record)) {
                struct record record;

                memcpy(&record, bytes.data + at, sizeof(record));
                if (!record.print || record.seen_sec + r->window_sec < now_sec ||
                    *find(&r->before, record.print))
                        continue;
                add(&r->before, record.print);
                if (fg_buf_append(records, &record, sizeof(record), err) < 0)
                        return -1;
        }
        return 0;
}

static void read_boot_id(char ret[BOOT_ID_LEN + 4])
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(128);
        struct fg_error err = FG_ERROR_INIT;

        if (fg_buf_read_file(&text, "/proc/sys/kernel/random/boot_id", &err) == 0)
                (void)snprintf(ret, BOOT_ID_LEN + 4, "%.*s", BOOT_ID_LEN, text.data);
}

/*
 * Everything that was read becomes `before`, and is written anew as such: whatever is killed in
 * between, each signature is in one of the two files.
 */
static int restore(struct fg_replay *r, uint64_t now_sec, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf bytes = FG_BUF_INIT(FILE_MAX);
        struct header last = { 0 }, older = { 0 };

        r->header = (struct header){ .known_sec = now_sec };
        memcpy(r->header.magic, magic, sizeof(magic));
        read_boot_id(r->header.boot_id);
        if (fg_buf_append(&bytes, &r->header, sizeof(r->header), err) < 0 ||
            load(r, r->path, now_sec, &last, &bytes, err) < 0 ||
            load(r, r->path_before, now_sec, &older, &bytes, err) < 0)
                return -1;
        if (r->header.boot_id[0] && memcmp(last.magic, magic, sizeof(magic)) == 0 &&
            memcmp(last.boot_id, r->header.boot_id, sizeof(last.boot_id)) == 0)
                r->header.known_sec = last.known_sec;
        if (r->before.used > 0) {
                if (fg_write_file(r->path_before, bytes.data, bytes.len, 0600, err) < 0)
                        return -1;
        } else {
                (void)unlink(r->path_before);
        }
        return create_file(r, err);
}

struct fg_replay *fg_replay_new(const char *dir, uint64_t window_sec, uint32_t max,
                                uint64_t now_sec)
{
        struct fg_replay *r = fg_calloc(1, sizeof(*r));
        struct fg_error err = FG_ERROR_INIT;

        *r = (struct fg_replay){ .dir = fg_strdup(dir),
                                 .path = fg_asprintf("%s/signatures", dir),
                                 .path_before = fg_asprintf("%s/signatures.before", dir),
                                 .fd = -1,
                                 .since_sec = now_sec,
                                 .window_sec = window_sec,
                                 .max = max };
        table_reset(&r->now);
        table_reset(&r->before);
        (void)restore(r, now_sec, &err); /* else the next request that needs it tries again */
        return r;
}

void fg_replay_free(struct fg_replay *r)
{
        if (!r)
                return;
        close_file(r);
        free(r->now.slots);
        free(r->before.slots);
        free(r->dir);
        free(r->path);
        free(r->path_before);
        free(r);
}

/* ---- both ---- */

static int rotate(struct fg_replay *r, uint64_t now_sec, struct fg_error *err)
{
        if (rename(r->path, r->path_before) < 0)
                return fg_fail_errno(err, errno, "%s", r->path);
        free(r->before.slots);
        r->before = r->now;
        r->now = (struct table){ 0 };
        table_reset(&r->now);
        r->since_sec = now_sec;
        return create_file(r, err);
}

enum fg_replay_answer fg_replay_note(struct fg_replay *r, const unsigned char *signature,
                                     uint64_t signed_sec, uint64_t now_sec, struct fg_error *err)
{
        struct record record = { .seen_sec = now_sec };

        memcpy(&record.print, signature, sizeof(record.print));
        record.print = record.print ? record.print : 1;
        if (r->fd < 0 && restore(r, now_sec, err) < 0)
                return FG_REPLAY_FULL;
        if (signed_sec < r->header.known_sec)
                return FG_REPLAY_LOST;
        if (now_sec > r->since_sec + r->window_sec && rotate(r, now_sec, err) < 0)
                return FG_REPLAY_FULL;
        if (*find(&r->before, record.print) || *find(&r->now, record.print))
                return FG_REPLAY_SEEN;
        if (r->now.used >= r->max) {
                fg_fail(err, FG_ERR_THROTTLED, "more than %u changes in %u s", r->max,
                        (unsigned)r->window_sec);
                return FG_REPLAY_FULL;
        }
        if (append(r, &record, signed_sec > now_sec, err) < 0)
                return FG_REPLAY_FULL;
        add(&r->now, record.print);
        return FG_REPLAY_NEW;
}

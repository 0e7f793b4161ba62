/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest-init/layer_fixture.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/fs.h"
#include "core/str.h"

#define TAR_MAX (256u << 20)

static struct fg_error unexpected;

static void append(struct fg_buf *b, const void *data, size_t len)
{
        if (fg_buf_append(b, data, len, &unexpected) < 0)
                fail_msg("%s", unexpected.msg);
}

static void append_padding(struct fg_buf *b)
{
        static const char zeros[512];

        append(b, zeros, -b->len % 512);
}

static void octal(char *field, size_t size, uint64_t value)
{
        for (size_t i = size - 1; i-- > 0; value >>= 3)
                field[i] = (char)('0' + (value & 7));
}

static void put_header(struct fg_buf *tar, const struct tar_entry *e, size_t len)
{
        char h[512] = { 0 };
        unsigned sum = 0;

        memcpy(h, e->name, strnlen(e->name, 100));
        octal(h + 100, 8, e->mode);
        octal(h + 108, 8, e->uid);
        octal(h + 116, 8, e->gid);
        octal(h + 124, 12, len);
        octal(h + 136, 12, e->mtime ? e->mtime : TAR_MTIME);
        h[156] = e->type;
        if (e->link)
                memcpy(h + 157, e->link, strnlen(e->link, 100));
        memcpy(h + 257,
               "ustar\0"
               "00",
               8);
        octal(h + 329, 8, e->major);
        octal(h + 337, 8, e->minor);
        memset(h + 148, ' ', 8);
        for (size_t i = 0; i < sizeof(h); i++)
                sum += (unsigned char)h[i];
        (void)snprintf(h + 148, 8, "%06o", sum);
        append(tar, h, sizeof(h));
}

void fixture_put(struct fixture *f, struct tar_entry e)
{
        size_t len = e.len ? e.len : e.data ? strlen(e.data) : 0;

        if (f->pax.len > 0) {
                put_header(&f->tar, &(struct tar_entry){ .name = "pax", .type = 'x' }, f->pax.len);
                append(&f->tar, f->pax.data, f->pax.len);
                append_padding(&f->tar);
                fg_buf_clear(&f->pax);
        }
        if (!e.type)
                e.type = '0';
        if (!e.mode)
                e.mode = e.type == '5' ? 0755 : 0644;
        put_header(&f->tar, &e, len);
        append(&f->tar, e.data ? e.data : "", len);
        append_padding(&f->tar);
}

void fixture_pax(struct fixture *f, const char *key, const void *value, size_t len)
{
        size_t body = strlen(key) + len + 3, total = body;
        char head[32];

        /* The number counts its own digits. */
        while (body + (size_t)snprintf(head, sizeof(head), "%zu", total) != total)
                total = body + strlen(head);
        append(&f->pax, head, strlen(head));
        append(&f->pax, " ", 1);
        append(&f->pax, key, strlen(key));
        append(&f->pax, "=", 1);
        append(&f->pax, value, len);
        append(&f->pax, "\n", 1);
}

static la_ssize_t on_write(struct archive *a, void *data, const void *block, size_t len)
{
        append(data, block, len);
        return (la_ssize_t)len;
}

void pack(const struct fg_buf *tar, const char *filter, struct fg_buf *ret)
{
        struct archive *a = archive_write_new();
        struct archive_entry *entry = archive_entry_new();

        *ret = FG_BUF_INIT(TAR_MAX);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_pathname(entry, "data");
        if (!fg_streq(filter, "none"))
                assert_int_equal(archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
        assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
        assert_int_equal(archive_write_set_bytes_per_block(a, 0), ARCHIVE_OK);
        assert_int_equal(archive_write_open(a, ret, NULL, on_write, NULL), ARCHIVE_OK);
        assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
        assert_int_equal(archive_write_data(a, tar->data, tar->len), tar->len);
        assert_int_equal(archive_write_close(a), ARCHIVE_OK);
        archive_entry_free(entry);
        archive_write_free(a);
}

static ssize_t blob_read(void *data, void *buf, size_t len, struct fg_error *err)
{
        struct blob *b = data;
        size_t n = b->bytes->len - b->at;

        if (b->fail_at && b->at >= b->fail_at)
                return fg_fail(err, FG_ERR_TIMEOUT, "the line went dead");
        n = n < len ? n : len;
        n = n < b->step ? n : b->step;
        if (n > 0)
                memcpy(buf, b->bytes->data + b->at, n);
        b->at += n;
        return (ssize_t)n;
}

void blob_init(struct blob *b, const struct fg_buf *bytes, const struct fg_buf *tar)
{
        *b = (struct blob){ .bytes = bytes, .step = SIZE_MAX };
        fg_digest_of(bytes->data, bytes->len, b->digest);
        fg_digest_of(tar->data, tar->len, b->diff_id);
        b->src = (struct fg_layer_source){
                .read = blob_read,
                .data = b,
                .digest = b->digest,
                .diff_id = b->diff_id,
                .size = bytes->len,
        };
}

int apply(struct fixture *f)
{
        static const char end[1024];
        fg_cleanup(fg_buf_finish) struct fg_buf packed = { 0 };
        struct blob blob;
        int r;

        append(&f->tar, end, sizeof(end));
        pack(&f->tar, "gzip", &packed);
        blob_init(&blob, &packed, &f->tar);
        blob.step = 1000;
        f->err = FG_ERROR_INIT;
        r = fg_layer_apply(f->root, &blob.src, &f->limits, &f->usage, &f->err);
        fg_buf_clear(&f->tar);
        return r;
}

void apply_ok(struct fixture *f)
{
        if (apply(f) < 0)
                fail_msg("%s", f->err.msg);
}

void apply_fails(struct fixture *f, enum fg_err code, const char *message)
{
        if (apply(f) == 0)
                fail_msg("not refused, expected: %s", message);
        if (!strstr(f->err.msg, message) || f->err.code != code)
                fail_msg("refused with %s: %s", fg_err_name(f->err.code), f->err.msg);
}

void expect_text(struct fixture *f, const char *path, const char *text)
{
        fg_autoclose int fd = openat(f->root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        char got[256];
        ssize_t n;

        if (fd < 0)
                fail_msg("%s: %s", path, strerror(errno));
        n = read(fd, got, sizeof(got) - 1);
        assert_true(n >= 0);
        got[n] = '\0';
        assert_string_equal(got, text);
}

void expect_absent(struct fixture *f, const char *path)
{
        struct stat st;

        if (fstatat(f->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
                fail_msg("%s exists", path);
        assert_true(errno == ENOENT || errno == ENOTDIR);
}

void expect_link(struct fixture *f, const char *path, const char *target)
{
        char got[4096];
        ssize_t n = readlinkat(f->root, path, got, sizeof(got) - 1);

        if (n < 0)
                fail_msg("%s: %s", path, strerror(errno));
        got[n] = '\0';
        assert_string_equal(got, target);
}

struct stat expect_stat(struct fixture *f, const char *path)
{
        struct stat st;

        if (fstatat(f->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                fail_msg("%s: %s", path, strerror(errno));
        return st;
}

ssize_t xattr_of(struct fixture *f, const char *path, const char *name, char *ret, size_t len)
{
        fg_autoclose int fd = openat(f->root, path, O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fgetxattr(fd, name, ret, len);
}

int fixture_set_up(void **state)
{
        struct fixture *f = fg_calloc(1, sizeof(*f));
        char top[] = "/var/tmp/fg-test-layer.XXXXXX";

        f->tar = FG_BUF_INIT(TAR_MAX);
        f->pax = FG_BUF_INIT(TAR_MAX);
        f->limits = FG_LAYER_LIMITS_DEFAULT;
        *state = f;
        /* The root is one below, so that what climbs out of it lands where it is looked for. */
        if (!mkdtemp(top) || chdir(top) < 0 || mkdir("root", 0755) < 0)
                return -1;
        f->root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return f->root < 0 ? -1 : 0;
}

int fixture_tear_down(void **state)
{
        fg_autofree struct fixture *f = *state;
        fg_autofree char *top = getcwd(NULL, 0);
        struct fg_error err = FG_ERROR_INIT;

        fg_buf_finish(&f->tar);
        fg_buf_finish(&f->pax);
        (void)close(f->root);
        return chdir("/") < 0 ? -1 : fg_rm_rf(top, &err);
}

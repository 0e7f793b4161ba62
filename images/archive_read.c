/* SPDX-License-Identifier: Apache-2.0 */
#include "images/archive_read.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>

#include "core/fs.h"
#include "core/str.h"
#include "core/table.h"

#define READ_CHUNK 65536
#define LINKS_MAX  4096
#define HOPS_MAX   8
#define TMP_NAME   "blobs/sha256/tmp"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"

struct link {
        char *path, *target;
        UT_hash_handle hh;
};

struct fg_links {
        struct link *table;
};

FG_DEFINE_CLEANUP(struct archive *, archive_read_free)

void fg_links_free(struct fg_links *links)
{
        struct link *l, *next;

        HASH_ITER (hh, links->table, l, next) {
                HASH_DEL(links->table, l);
                free(l->path);
                free(l->target);
                free(l);
        }
        free(links);
}

/* Drops the last component of @path. Return: its new length. */
static size_t cut_last(char *path)
{
        char *slash = strrchr(path, '/');
        size_t len = slash ? (size_t)(slash - path) : 0;

        path[len] = '\0';
        return len;
}

/* "a/b/../c" and "./a/c" to "a/c". NULL: leaves the archive. */
static char *clean_path(const char *path)
{
        fg_autofree char *copy = fg_strdup(path), *out = fg_calloc(1, strlen(path) + 2);
        char *rest = copy, *part;
        size_t len = 0;

        while ((part = strsep(&rest, "/"))) {
                if (!*part || fg_streq(part, "."))
                        continue;
                if (fg_streq(part, "..")) {
                        if (len == 0)
                                return NULL;
                        len = cut_last(out);
                        continue;
                }
                if (len)
                        out[len++] = '/';
                memcpy(out + len, part, strlen(part) + 1);
                len += strlen(part);
        }
        return fg_take_ptr(out);
}

static struct link *find_link(const struct fg_links *links, const char *path)
{
        struct link *l;

        HASH_FIND_STR(links->table, path, l);
        return l;
}

static int add_link(struct fg_links *links, const char *path, struct archive_entry *entry,
                    struct fg_error *err)
{
        const char *hard = archive_entry_hardlink(entry), *soft = archive_entry_symlink(entry);
        const char *slash = strrchr(path, '/');
        fg_autofree char *joined = NULL;
        struct link *l;

        if ((!hard && !soft) || find_link(links, path))
                return 0;
        if (HASH_COUNT(links->table) >= LINKS_MAX)
                return fg_fail(err, FG_ERR_INVALID, "more than %d links", LINKS_MAX);
        if (hard || soft[0] == '/' || !slash)
                joined = fg_strdup(hard ? hard : soft);
        else
                joined = fg_asprintf("%.*s/%s", (int)(slash - path), path, soft);
        l = fg_calloc(1, sizeof(*l));
        l->path = fg_strdup(path);
        l->target = clean_path(joined) ?: fg_strdup("");
        HASH_ADD_KEYPTR(hh, links->table, l->path, strlen(l->path), l);
        return 0;
}

char *fg_links_resolve(const struct fg_links *links, const char *path, struct fg_error *err)
{
        char *at = clean_path(path);
        struct link *l;

        for (int hop = 0; at && *at; hop++) {
                l = find_link(links, at);
                if (!l)
                        return at;
                free(at);
                at = hop < HOPS_MAX ? fg_strdup(l->target) : NULL;
        }
        free(at);
        fg_fail(err, FG_ERR_INVALID, "\"%.200s\" is not a path in the archive", path);
        return NULL;
}

static int fail_archive(struct archive *a, struct fg_error *err)
{
        const char *text = archive_error_string(a);

        return fg_fail(err, FG_ERR_INVALID, "not a readable tar: %s", text ? text : "unknown");
}

static int open_archive(int fd, struct archive **ret, struct fg_error *err)
{
        fg_cleanup(archive_read_freep) struct archive *a = archive_read_new();

        if (!a)
                abort();
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fg_fail_errno(err, errno, "not a file");
        (void)archive_read_support_format_tar(a);
        (void)archive_read_support_filter_gzip(a);
        (void)archive_read_support_filter_zstd(a);
        if (archive_read_open_fd(a, fd, READ_CHUNK) != ARCHIVE_OK)
                return fail_archive(a, err);
        *ret = fg_take_ptr(a);
        return 0;
}

/* The next entry and its clean path. Return: 1, 0 at the end, -1. */
static int next_entry(struct archive *a, struct archive_entry **ret, char **ret_path,
                      struct fg_error *err)
{
        const char *name;
        int r;

        for (;;) {
                r = archive_read_next_header(a, ret);
                if (r == ARCHIVE_EOF)
                        return 0;
                if (r < ARCHIVE_WARN)
                        return fail_archive(a, err);
                name = archive_entry_pathname(*ret);
                if (!name || strlen(name) > FG_ARCHIVE_PATH_MAX)
                        continue;
                *ret_path = clean_path(name);
                if (*ret_path)
                        return 1;
        }
}

static int read_text(struct archive *a, struct fg_buf *ret, struct fg_error *err)
{
        fg_autofree char *chunk = fg_calloc(1, READ_CHUNK);
        la_ssize_t n;

        fg_buf_clear(ret);
        while ((n = archive_read_data(a, chunk, READ_CHUNK)) > 0)
                if (fg_buf_append(ret, chunk, (size_t)n, err) < 0)
                        return -1;
        return n < 0 ? fail_archive(a, err) : 0;
}

int fg_archive_scan(int fd, struct fg_buf *ret, struct fg_links **ret_links, struct fg_error *err)
{
        fg_cleanup(fg_links_freep) struct fg_links *links = fg_calloc(1, sizeof(*links));
        fg_cleanup(archive_read_freep) struct archive *a = NULL;
        struct archive_entry *entry;
        int r;

        if (open_archive(fd, &a, err) < 0)
                return -1;
        for (;;) {
                fg_autofree char *path = NULL;

                r = next_entry(a, &entry, &path, err);
                if (r <= 0)
                        break;
                if (add_link(links, path, entry, err) < 0)
                        return -1;
                if (fg_streq(path, "manifest.json") && read_text(a, ret, err) < 0)
                        return fg_wrap(err, "manifest.json");
        }
        if (r < 0)
                return -1;
        if (ret->len == 0)
                return fg_fail(err, FG_ERR_INVALID, "no manifest.json: not made by docker save");
        *ret_links = fg_take_ptr(links);
        return 0;
}

static const char *type_of(const unsigned char *head, size_t len)
{
        if (len >= 2 && head[0] == 0x1f && head[1] == 0x8b)
                return LAYER_TYPE "+gzip";
        if (len >= 4 && head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd)
                return LAYER_TYPE "+zstd";
        return LAYER_TYPE;
}

static int copy_data(struct archive *a, int fd, struct fg_member *m, struct fg_error *err)
{
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *hash = fg_sha256_new();
        fg_autofree char *chunk = fg_calloc(1, READ_CHUNK);
        la_ssize_t n;

        m->media_type = LAYER_TYPE;
        while ((n = archive_read_data(a, chunk, READ_CHUNK)) > 0) {
                if (m->size == 0)
                        m->media_type = type_of((unsigned char *)chunk, (size_t)n);
                fg_sha256_update(hash, chunk, (size_t)n);
                m->size += (uint64_t)n;
                if (fg_write_all(fd, chunk, (size_t)n, err) < 0)
                        return -1;
        }
        if (n < 0)
                return fail_archive(a, err);
        fg_sha256_final(hash, m->digest);
        return 0;
}

static int extract_one(struct archive *a, struct fg_member *m, struct fg_error *err)
{
        fg_autoclose int fd = open(TMP_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        fg_autofree char *to = NULL;

        if (fd < 0)
                return fg_fail_errno(err, errno, "create a blob");
        if (copy_data(a, fd, m, err) < 0)
                return -1;
        to = fg_asprintf("blobs/sha256/%s", m->digest + strlen("sha256:"));
        return rename(TMP_NAME, to) < 0 ? fg_fail_errno(err, errno, "store a blob") : 0;
}

static struct fg_member *find_member(struct fg_member *members, size_t n, const char *path)
{
        for (size_t i = 0; i < n; i++)
                if (!members[i].digest[0] && fg_streq(members[i].path, path))
                        return &members[i];
        return NULL;
}

/* A layer that is used twice is in the list twice, but in the archive once. */
static void share(struct fg_member *members, size_t n, const struct fg_member *found)
{
        struct fg_member *m;

        while ((m = find_member(members, n, found->path))) {
                memcpy(m->digest, found->digest, sizeof(m->digest));
                m->size = found->size;
                m->media_type = found->media_type;
        }
}

int fg_archive_extract(int fd, struct fg_member *members, size_t n, struct fg_error *err)
{
        fg_cleanup(archive_read_freep) struct archive *a = NULL;
        struct archive_entry *entry;
        int r;

        if (open_archive(fd, &a, err) < 0)
                return -1;
        for (;;) {
                fg_autofree char *path = NULL;
                struct fg_member *m;

                r = next_entry(a, &entry, &path, err);
                if (r <= 0)
                        break;
                m = find_member(members, n, path);
                if (!m || archive_entry_filetype(entry) != AE_IFREG ||
                    archive_entry_hardlink(entry))
                        continue;
                if (extract_one(a, m, err) < 0)
                        return fg_wrap(err, "%s", path);
                share(members, n, m);
        }
        for (size_t i = 0; i < n && r == 0; i++)
                if (!members[i].digest[0])
                        return fg_fail(err, FG_ERR_INVALID, "\"%.200s\" is missing in the archive",
                                       members[i].path);
        return r;
}

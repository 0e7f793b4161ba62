/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/str.h"
#include "secrets/secrets.h"

#define S3_ARN       "arn:aws:s3:::"
#define ARN_MAX_LEN  1200
#define ENV_LINE_MAX 32768

/* ---- lines ---- */

static int parse_line(const char *line, size_t len, fg_envfile_fn fn, void *userdata,
                      struct fg_error *err)
{
        const char *equals = memchr(line, '=', len);

        if (len == 0 || line[0] == '#')
                return 0;
        if (len > ENV_LINE_MAX)
                return fg_fail(err, FG_ERR_INVALID, "longer than %d bytes", ENV_LINE_MAX);
        if (memchr(line, '\0', len) || !fg_utf8_valid(line, len))
                return fg_fail(err, FG_ERR_INVALID, "not text");
        if (!equals || equals == line)
                return fg_fail(err, FG_ERR_INVALID, "expected NAME=VALUE");
        if (memchr(line, ' ', (size_t)(equals - line)) ||
            memchr(line, '\t', (size_t)(equals - line)))
                return fg_fail(err, FG_ERR_INVALID, "a name has no blanks");
        return fn(userdata, line, (size_t)(equals - line), equals + 1,
                  len - (size_t)(equals - line) - 1, err);
}

static bool is_blank(const char *line, size_t len)
{
        for (size_t i = 0; i < len; i++)
                if (line[i] != ' ' && line[i] != '\t')
                        return false;
        return true;
}

int fg_envfile_parse(const char *what, const char *text, size_t len, fg_envfile_fn fn,
                     void *userdata, struct fg_error *err)
{
        unsigned number = 0;

        if (len > FG_ENVFILE_MAX)
                return fg_fail(err, FG_ERR_INVALID, "%s: longer than %d bytes", what,
                               FG_ENVFILE_MAX);
        while (len > 0) {
                const char *newline = memchr(text, '\n', len);
                size_t whole = newline ? (size_t)(newline - text) + 1 : len;
                size_t line = newline ? whole - 1 : whole;

                number++;
                while (line > 0 && text[line - 1] == '\r')
                        line--;
                if (!is_blank(text, line) && parse_line(text, line, fn, userdata, err) < 0)
                        return fg_wrap(err, "%s, line %u", what, number);
                text += whole;
                len -= whole;
        }
        return 0;
}

/* ---- where a file is ---- */

int fg_envfile_locate(const char *arn, char **ret, struct fg_error *err)
{
        const char *path = arn + strlen(S3_ARN);
        const char *slash;

        if (!fg_starts_with(arn, S3_ARN) || strlen(arn) > ARN_MAX_LEN)
                return fg_fail(err, FG_ERR_INVALID, "expected arn:aws:s3:::BUCKET/KEY.env");
        slash = strchr(path, '/');
        if (!slash || slash == path || !fg_ends_with(path, ".env"))
                return fg_fail(err, FG_ERR_INVALID,
                               "expected arn:aws:s3:::BUCKET/KEY.env: a bucket, and a key that "
                               "ends in .env");
        *ret = fg_strdup(path);
        return 0;
}

static int open_beneath(const char *root, const char *path, struct fg_error *err)
{
        struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
        fg_autoclose int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd;

        if (dir < 0)
                return fg_fail_errno(err, errno, "s3_root = %s", root);
        fd = fg_openat2(dir, path, &how);
        if (fd < 0 && errno == EXDEV)
                return fg_fail(err, FG_ERR_DENIED, "leads out of s3_root");
        return fd < 0 ? fg_fail_errno(err, errno, "below s3_root") : fd;
}

int fg_envfile_read(const char *root, const char *arn, struct fg_secret *ret, struct fg_error *err)
{
        fg_autofree char *path = NULL;
        fg_autoclose int fd = -1;
        struct stat st;
        ssize_t n;

        if (fg_envfile_locate(arn, &path, err) < 0)
                return -1;
        fd = open_beneath(root, path, err);
        if (fd < 0)
                return -1;
        if (fstat(fd, &st) < 0)
                return fg_fail_errno(err, errno, "below s3_root");
        if (!S_ISREG(st.st_mode))
                return fg_fail(err, FG_ERR_INVALID, "not a regular file");
        if (st.st_size > FG_ENVFILE_MAX)
                return fg_fail(err, FG_ERR_INVALID, "longer than %d bytes", FG_ENVFILE_MAX);
        fg_secret_alloc(ret, (size_t)st.st_size);
        n = pread(fd, ret->data, ret->len, 0);
        if (n < 0)
                return fg_fail_errno(err, errno, "below s3_root");
        ret->len = (size_t)n;
        return 0;
}

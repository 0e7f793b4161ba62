/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/http.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/str.h"

#define METHOD      "GET"
#define BAD_REQUEST 400
#define TOO_LARGE   413

static const struct {
        int status;
        const char *reason;
} reasons[] = {
        { FG_HTTP_OK, "OK" },
        { BAD_REQUEST, "Bad Request" },
        { FG_HTTP_NOT_FOUND, "Not Found" },
        { 405, "Method Not Allowed" },
        { TOO_LARGE, "Content Too Large" },
        { FG_HTTP_TOO_MANY, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { FG_HTTP_INTERNAL, "Internal Server Error" },
        { 505, "HTTP Version Not Supported" },
};

const char *fg_http_reason(int status)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(reasons); i++) {
                if (reasons[i].status == status)
                        return reasons[i].reason;
        }
        return "Error";
}

/* One line of the head, which ends in CRLF: @len is without it. */
struct line {
        const char *at;
        size_t len;
};

static bool is_token(const char *s, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                const unsigned char c = (unsigned char)s[i];

                if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
                        return false;
        }
        return len > 0;
}

static bool is_printable(const char *s, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                const unsigned char c = (unsigned char)s[i];

                if (c <= ' ' || c >= 0x7f)
                        return false;
        }
        return len > 0;
}

/* "GET /path?query HTTP/1.1" */
static int parse_request_line(struct line l, struct fg_http_request *ret, bool *ret_old)
{
        const char *target = memchr(l.at, ' ', l.len), *version, *query;
        size_t left, target_len;

        if (!target || !is_token(l.at, (size_t)(target - l.at)))
                return BAD_REQUEST;
        left = l.len - (size_t)(++target - l.at);
        version = memchr(target, ' ', left);
        if (!version || !is_printable(target, (size_t)(version - target)))
                return BAD_REQUEST;
        target_len = (size_t)(version - target);
        left -= target_len + 1;
        version++;
        if (left != strlen("HTTP/1.1") || memcmp(version, "HTTP/", 5) != 0)
                return BAD_REQUEST;
        if (memcmp(version, "HTTP/1.", 7) != 0)
                return 505;
        *ret_old = version[7] == '0';
        if (!*ret_old && version[7] != '1')
                return 505;
        if ((size_t)(target - 1 - l.at) != strlen(METHOD) || memcmp(l.at, METHOD, 3) != 0)
                return 405;
        if (*target != '/')
                return BAD_REQUEST;
        query = memchr(target, '?', target_len);
        ret->path = target;
        ret->path_len = query ? (size_t)(query - target) : target_len;
        return 0;
}

static bool is_named(struct line l, const char *name)
{
        const size_t len = strlen(name);

        return l.len > len && l.at[len] == ':' && strncasecmp(l.at, name, len) == 0;
}

/* "Content-Length: 0" may stand there, any other body may not. */
static bool is_zero(struct line l)
{
        const char *colon = memchr(l.at, ':', l.len);

        for (const char *c = colon + 1; c < l.at + l.len; c++) {
                if (*c != ' ' && *c != '\t' && *c != '0')
                        return false;
        }
        return true;
}

static int parse_field(struct line l, unsigned *hosts)
{
        const char *colon = l.at ? memchr(l.at, ':', l.len) : NULL;

        /* This also refuses a continuation of the line before. */
        if (!colon || !is_token(l.at, (size_t)(colon - l.at)))
                return BAD_REQUEST;
        for (const char *c = colon + 1; c < l.at + l.len; c++) {
                if ((unsigned char)*c < ' ' && *c != '\t')
                        return BAD_REQUEST;
        }
        if (is_named(l, "transfer-encoding") || (is_named(l, "content-length") && !is_zero(l)))
                return TOO_LARGE;
        *hosts += is_named(l, "host");
        return 0;
}

static const char *find_crlf(const char *at, const char *end)
{
        while (at < end && (at = memchr(at, '\r', (size_t)(end - at)))) {
                if (end - at > 1 && at[1] == '\n')
                        return at;
                at++;
        }
        return NULL;
}

/* The end of the last line of the head, which an empty one follows; NULL: it has not come yet. */
static const char *find_blank(const char *at, const char *end)
{
        while ((at = find_crlf(at, end))) {
                at += 2;
                if (end - at > 1 && at[0] == '\r' && at[1] == '\n')
                        return at;
        }
        return NULL;
}

static struct line next_line(const char **at, const char *end)
{
        const char *crlf = find_crlf(*at, end);
        struct line l = { *at, (size_t)(crlf - *at) };

        *at = crlf + 2;
        return l;
}

int fg_http_parse(const char *data, size_t len, struct fg_http_request *ret)
{
        const char *end = find_blank(data, data + len), *at = data;
        unsigned hosts = 0, fields = 0;
        bool old = false;
        int status;

        if (!end)
                return len < FG_HTTP_HEAD_MAX ? 0 : 431;
        if (memchr(data, '\0', (size_t)(end - data)))
                return BAD_REQUEST;
        status = parse_request_line(next_line(&at, end), ret, &old);
        while (status == 0 && at < end) {
                if (++fields > FG_HTTP_FIELDS_MAX)
                        return 431;
                status = parse_field(next_line(&at, end), &hosts);
        }
        if (status == 0 && (hosts > 1 || (hosts == 0 && !old)))
                return BAD_REQUEST;
        return status ? status : FG_HTTP_OK;
}

int fg_http_respond(struct fg_buf *out, int status, const char *json, struct fg_error *err)
{
        if (fg_buf_printf(out, err,
                          "HTTP/1.1 %d %s\r\n"
                          "Content-Type: application/json\r\n"
                          "Content-Length: %zu\r\n"
                          "%s"
                          "Connection: close\r\n\r\n",
                          status, fg_http_reason(status), strlen(json),
                          status == 405 ? "Allow: " METHOD "\r\n" : "") < 0)
                return -1;
        return fg_buf_puts(out, json, err);
}

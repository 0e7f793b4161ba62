/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "api/auth/sigv4_private.h"
#include "core/str.h"

#define VALUE_MAX 1024 /* of a parameter that matters here, decoded */

int sigv4_hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

const char *sigv4_find_header(const struct fg_sigv4_message *m, const char *name)
{
        for (size_t i = 0; i < m->n_headers; i++)
                if (strcasecmp(m->headers[i].name, name) == 0)
                        return m->headers[i].value;
        return NULL;
}

bool sigv4_next_param(const char **rest, struct sigv4_param *ret)
{
        const char *p = *rest, *end, *equals;

        while (*p == '&')
                p++;
        if (*p == '\0')
                return false;
        end = strchrnul(p, '&');
        equals = memchr(p, '=', (size_t)(end - p));
        ret->name = p;
        ret->name_len = (size_t)((equals ? equals : end) - p);
        ret->value = equals ? equals + 1 : end;
        ret->value_len = (size_t)(end - ret->value);
        *rest = end;
        return true;
}

/* ---- what the parts of a claim look like ---- */

static enum fg_auth_result incomplete(struct fg_error *err, const char *what)
{
        fg_fail(err, FG_ERR_DENIED, "%s", what);
        return FG_AUTH_INCOMPLETE;
}

/* The part up to @stop or the end; false when empty, too long, or of other characters than a
 * name's. */
static bool take_part(const char **p, char stop, char *ret, size_t size)
{
        size_t n = 0;

        for (; **p && **p != stop; (*p)++) {
                if (n + 1 >= size || (!isalnum((unsigned char)**p) && !strchr("-_.", **p)))
                        return false;
                ret[n++] = **p;
        }
        ret[n] = '\0';
        if (stop && **p == stop)
                (*p)++;
        else if (stop)
                return false;
        return n > 0;
}

/* "AKIA…/20150830/us-east-1/ecs/aws4_request" */
static enum fg_auth_result parse_credential(const char *text, struct fg_sigv4_claim *ret,
                                            struct fg_error *err)
{
        if (take_part(&text, '/', ret->key_id, sizeof(ret->key_id)) &&
            take_part(&text, '/', ret->date, sizeof(ret->date)) &&
            take_part(&text, '/', ret->region, sizeof(ret->region)) &&
            take_part(&text, '/', ret->service, sizeof(ret->service)) &&
            fg_streq(text, "aws4_request"))
                return FG_AUTH_OK;
        return incomplete(err, "Credential must have the form "
                               "KEYID/YYYYMMDD/REGION/SERVICE/aws4_request.");
}

static enum fg_auth_result parse_signed_headers(const char *text, struct fg_sigv4_claim *ret,
                                                struct fg_error *err)
{
        size_t len = strlen(text);

        if (len == 0 || len >= sizeof(ret->signed_headers))
                return incomplete(err, "SignedHeaders is empty or too long.");
        for (size_t i = 0; i < len; i++)
                if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.;", text[i]))
                        return incomplete(err, "SignedHeaders must be names of headers in lower "
                                               "case, separated by ';'.");
        memcpy(ret->signed_headers, text, len + 1);
        return FG_AUTH_OK;
}

static enum fg_auth_result parse_signature(const char *text, struct fg_sigv4_claim *ret,
                                           struct fg_error *err)
{
        if (strlen(text) != 2 * sizeof(ret->signature))
                return incomplete(err, "Signature must be 64 hexadecimal digits.");
        for (size_t i = 0; i < sizeof(ret->signature); i++) {
                int high = sigv4_hex_value(text[2 * i]), low = sigv4_hex_value(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return incomplete(err, "Signature must be 64 hexadecimal digits.");
                ret->signature[i] = (unsigned char)(high << 4 | low);
        }
        return FG_AUTH_OK;
}

/* "20150830T123600Z", or (Date only) what RFC 9110 calls an IMF-fixdate. */
static enum fg_auth_result parse_date(const char *text, struct fg_sigv4_claim *ret,
                                      struct fg_error *err)
{
        struct tm tm = { 0 };
        const char *end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
        time_t t;

        if (!end || *end) {
                tm = (struct tm){ 0 };
                end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        }
        t = end && *end == '\0' ? timegm(&tm) : -1;
        if (t < 0 || strftime(ret->stamp, sizeof(ret->stamp), "%Y%m%dT%H%M%SZ", &tm) != 16)
                return incomplete(err, "Date must be in ISO-8601 'basic format', such as "
                                       "20150830T123600Z.");
        ret->time = (uint64_t)t;
        return FG_AUTH_OK;
}

/* ---- Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=… ---- */

enum { CREDENTIAL, SIGNED_HEADERS, SIGNATURE, DATE, EXPIRES, ALGORITHM, N_PARTS };

static const struct {
        const char *name, *param;
} parts[N_PARTS] = {
        [CREDENTIAL] = { "Credential", "X-Amz-Credential" },
        [SIGNED_HEADERS] = { "SignedHeaders", "X-Amz-SignedHeaders" },
        [SIGNATURE] = { "Signature", "X-Amz-Signature" },
        [DATE] = { NULL, "X-Amz-Date" },
        [EXPIRES] = { NULL, "X-Amz-Expires" },
        [ALGORITHM] = { NULL, "X-Amz-Algorithm" },
};

struct values {
        char text[N_PARTS][VALUE_MAX + 1];
        bool there[N_PARTS];
};

static enum fg_auth_result parse_values(const struct values *v, struct fg_sigv4_claim *ret,
                                        struct fg_error *err)
{
        enum fg_auth_result r = parse_credential(v->text[CREDENTIAL], ret, err);

        if (r == FG_AUTH_OK)
                r = parse_signed_headers(v->text[SIGNED_HEADERS], ret, err);
        if (r == FG_AUTH_OK)
                r = parse_signature(v->text[SIGNATURE], ret, err);
        if (r == FG_AUTH_OK && v->there[DATE])
                r = parse_date(v->text[DATE], ret, err);
        return r;
}

static bool take_field(struct values *v, const char *field, size_t len)
{
        for (size_t i = 0; i < N_PARTS && parts[i].name; i++) {
                size_t n = strlen(parts[i].name);

                if (len <= n || strncmp(field, parts[i].name, n) != 0 || field[n] != '=')
                        continue;
                if (v->there[i] || len - n - 1 > VALUE_MAX)
                        return false;
                v->there[i] = true;
                memcpy(v->text[i], field + n + 1, len - n - 1);
                return true;
        }
        return false;
}

static enum fg_auth_result split_header(const char *text, struct values *v, struct fg_error *err)
{
        size_t len = 0;

        for (const char *p = text; *p; p += len) {
                p += strspn(p, " \t,");
                len = strcspn(p, " \t,");
                if (len > 0 && !take_field(v, p, len))
                        return incomplete(err, "Authorization header has a part that is unknown, "
                                               "given twice or too long.");
        }
        for (size_t i = CREDENTIAL; i <= SIGNATURE; i++)
                if (!v->there[i]) {
                        fg_fail(err, FG_ERR_DENIED, "Authorization header requires '%s' parameter.",
                                parts[i].name);
                        return FG_AUTH_INCOMPLETE;
                }
        return FG_AUTH_OK;
}

static enum fg_auth_result parse_header(const struct fg_sigv4_message *m, const char *text,
                                        struct fg_sigv4_claim *ret, struct fg_error *err)
{
        const char *date = sigv4_find_header(m, "x-amz-date");
        struct values v = { 0 };
        enum fg_auth_result r;

        if (!date)
                date = sigv4_find_header(m, "date");
        if (!date)
                return incomplete(err, "Authorization header requires existence of either a "
                                       "'X-Amz-Date' or a 'Date' header.");
        r = split_header(text, &v, err);
        if (r == FG_AUTH_OK)
                r = parse_values(&v, ret, err);
        return r == FG_AUTH_OK ? parse_date(date, ret, err) : r;
}

/* ---- ?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=… ---- */

static bool decode(const char *text, size_t len, char ret[VALUE_MAX + 1])
{
        size_t n = 0;

        for (size_t i = 0; i < len; i++, n++) {
                if (n >= VALUE_MAX)
                        return false;
                ret[n] = text[i];
                if (text[i] == '%') {
                        int high = i + 2 < len ? sigv4_hex_value(text[i + 1]) : -1;
                        int low = high >= 0 ? sigv4_hex_value(text[i + 2]) : -1;

                        if (low < 0)
                                return false;
                        ret[n] = (char)(high << 4 | low);
                        i += 2;
                }
        }
        ret[n] = '\0';
        return memchr(ret, '\0', n) == NULL;
}

/* Its place in parts[], or N_PARTS. */
static size_t find_part(const struct sigv4_param *param)
{
        size_t i = 0;

        while (i < N_PARTS && (strlen(parts[i].param) != param->name_len ||
                               strncmp(parts[i].param, param->name, param->name_len) != 0))
                i++;
        return i;
}

static enum fg_auth_result split_query(const char *query, struct values *v, struct fg_error *err)
{
        struct sigv4_param param;

        while (sigv4_next_param(&query, &param)) {
                size_t i = find_part(&param);

                if (i == N_PARTS)
                        continue;
                if (v->there[i] || !decode(param.value, param.value_len, v->text[i])) {
                        fg_fail(err, FG_ERR_DENIED,
                                "%s is given twice, too long or not well encoded.", parts[i].param);
                        return FG_AUTH_INCOMPLETE;
                }
                v->there[i] = true;
        }
        if (!v->there[ALGORITHM] && !v->there[SIGNATURE])
                return FG_AUTH_MISSING;
        for (size_t i = 0; i < N_PARTS; i++)
                if (!v->there[i]) {
                        fg_fail(err, FG_ERR_DENIED,
                                "AWS query-string parameters must include '%s'.", parts[i].param);
                        return FG_AUTH_INCOMPLETE;
                }
        return FG_AUTH_OK;
}

static enum fg_auth_result parse_query(const char *query, struct fg_sigv4_claim *ret,
                                       struct fg_error *err)
{
        struct values v = { 0 };
        enum fg_auth_result r = split_query(query, &v, err);

        if (r != FG_AUTH_OK)
                return r;
        if (!fg_streq(v.text[ALGORITHM], SIGV4_PREFIX))
                return incomplete(err, "X-Amz-Algorithm must be " SIGV4_PREFIX ".");
        if (!fg_parse_u64(v.text[EXPIRES], &ret->expires) || ret->expires == 0 ||
            ret->expires > FG_SIGV4_EXPIRES_MAX)
                return incomplete(err, "X-Amz-Expires must be a number of seconds from 1 to "
                                       "604800.");
        ret->presigned = true;
        return parse_values(&v, ret, err);
}

enum fg_auth_result fg_sigv4_parse(const struct fg_sigv4_message *m, struct fg_sigv4_claim *ret,
                                   struct fg_error *err)
{
        const char *text = sigv4_find_header(m, "authorization"), *query = strchr(m->uri, '?');
        enum fg_auth_result r = FG_AUTH_MISSING;

        *ret = (struct fg_sigv4_claim){ 0 };
        if (query && strstr(query, "X-Amz-"))
                r = parse_query(query + 1, ret, err);
        if (!text || r == FG_AUTH_INCOMPLETE)
                return r;
        if (r == FG_AUTH_OK)
                return incomplete(err, "The request is signed twice, in its header and in its "
                                       "query.");
        if (!fg_starts_with(text, SIGV4_PREFIX) ||
            !strchr(" \t", text[strlen(SIGV4_PREFIX)] ? text[strlen(SIGV4_PREFIX)] : 'x'))
                return incomplete(err, "Authorization header requires the algorithm " SIGV4_PREFIX
                                       " (or a bearer token).");
        return parse_header(m, text + strlen(SIGV4_PREFIX), ret, err);
}

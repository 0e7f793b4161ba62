/* SPDX-License-Identifier: Apache-2.0 */
#include "images/auth.h"

#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/str.h"

#define VALUE_MAX 4096

/* RFC 9110 section 11: challenges are "scheme" or "scheme key=value, ..." in one comma list. */

static const char *skip_space(const char *p)
{
        return p + strspn(p, " \t");
}

static size_t token_len(const char *p)
{
        return strspn(p, "!#$%&'*+-.^_`|~0123456789"
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

void fg_challenge_finish(struct fg_challenge *c)
{
        free(c->realm);
        free(c->service);
        free(c->scope);
        *c = (struct fg_challenge){ 0 };
}

/* A token or a quoted string at *@p; moves *@p behind it. NULL: malformed. */
static char *parse_value(const char **p, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf value = FG_BUF_INIT(VALUE_MAX);
        const char *s = *p;
        size_t len;

        if (*s != '"') {
                /* Wider than a token: bare URLs are seen in the wild. */
                len = strcspn(s, ", \t\"");
                if (len == 0 || fg_buf_append(&value, s, len, err) < 0)
                        return NULL;
                *p = s + len;
                return fg_buf_take(&value);
        }
        for (s++; *s && *s != '"'; s++) {
                if (*s == '\\' && s[1])
                        s++;
                if (fg_buf_append(&value, s, 1, err) < 0)
                        return NULL;
        }
        if (*s != '"')
                return NULL;
        *p = s + 1;
        return fg_buf_take(&value);
}

static char **parameter_slot(struct fg_challenge *c, const char *name, size_t len)
{
        if (len == 5 && strncasecmp(name, "realm", len) == 0)
                return &c->realm;
        if (len == 7 && strncasecmp(name, "service", len) == 0)
                return &c->service;
        if (len == 5 && strncasecmp(name, "scope", len) == 0)
                return &c->scope;
        return NULL;
}

static enum fg_auth_scheme scheme_of(const char *name, size_t len)
{
        if (len == 6 && strncasecmp(name, "Bearer", len) == 0)
                return FG_AUTH_BEARER;
        if (len == 5 && strncasecmp(name, "Basic", len) == 0)
                return FG_AUTH_BASIC;
        return FG_AUTH_NONE;
}

/* key=value at *@p into @c. Return: 1 taken, 0 not a parameter (a new scheme), -1 malformed. */
static int parse_parameter(const char **p, struct fg_challenge *c, struct fg_error *err)
{
        fg_autofree char *value = NULL;
        size_t len = token_len(*p);
        const char *s = skip_space(*p + len);
        char **slot;

        if (len == 0)
                return -1;
        if (*s != '=')
                return 0;
        s = skip_space(s + 1);
        slot = parameter_slot(c, *p, len);
        value = parse_value(&s, err);
        if (!value)
                return -1;
        if (slot && !*slot)
                *slot = fg_take_ptr(value);
        *p = s;
        return 1;
}

/* One scheme and its parameters. Return: 0, or -1 malformed. */
static int parse_one(const char **p, struct fg_challenge *c, struct fg_error *err)
{
        size_t len = token_len(*p);
        int r = 1;

        if (len == 0)
                return -1;
        c->scheme = scheme_of(*p, len);
        *p = skip_space(*p + len);
        while (**p && r > 0) {
                const char *comma = *p + strspn(*p, ", \t");

                if (!*comma) {
                        *p = comma;
                        break;
                }
                *p = comma;
                r = parse_parameter(p, c, err);
        }
        return r < 0 ? -1 : 0;
}

int fg_challenge_parse(const char *header, struct fg_challenge *ret, struct fg_error *err)
{
        fg_cleanup(fg_challenge_finish) struct fg_challenge best = { 0 };
        const char *p = header + strspn(header, ", \t");

        while (*p) {
                fg_cleanup(fg_challenge_finish) struct fg_challenge c = { 0 };

                if (parse_one(&p, &c, err) < 0)
                        return fg_fail(err, FG_ERR_UPSTREAM,
                                       "malformed WWW-Authenticate \"%.200s\"", header);
                if (c.scheme <= best.scheme)
                        continue;
                fg_challenge_finish(&best);
                best = c;
                c = (struct fg_challenge){ 0 };
        }
        if (best.scheme == FG_AUTH_BEARER && !best.realm)
                return fg_fail(err, FG_ERR_UPSTREAM, "WWW-Authenticate: Bearer without a realm");
        *ret = best;
        best = (struct fg_challenge){ 0 };
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/sigv4_private.h"
#include "core/str.h"

#define PARAMS_MAX 128

static bool is_unreserved(char c)
{
        return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.' || c == '~';
}

static int append_char(struct fg_buf *out, char c, struct fg_error *err)
{
        return fg_buf_append(out, &c, 1, err);
}

static int append_encoded(struct fg_buf *out, unsigned char c, struct fg_error *err)
{
        static const char digits[] = "0123456789ABCDEF";
        char text[3] = { '%', digits[c >> 4], digits[c & 15] };

        return is_unreserved((char)c) ? append_char(out, (char)c, err)
                                      : fg_buf_append(out, text, sizeof(text), err);
}

/* ---- the path: without "." and "..", then encoded once more than it already is ---- */

static int push_segment(struct fg_buf *out, const char *segment, size_t len, struct fg_error *err)
{
        if (len == 0 || (len == 1 && segment[0] == '.'))
                return 0;
        if (len == 2 && memcmp(segment, "..", 2) == 0) {
                while (out->len > 0 && out->data[--out->len] != '/')
                        ;
                return 0;
        }
        if (append_char(out, '/', err) < 0)
                return -1;
        for (size_t i = 0; i < len; i++)
                if (append_encoded(out, (unsigned char)segment[i], err) < 0)
                        return -1;
        return 0;
}

static int append_path(struct fg_sigv4 *v, const char *path, size_t len, struct fg_error *err)
{
        struct fg_buf *out = &v->scratch;
        const char *end = path + len, *slash;

        fg_buf_clear(out);
        for (const char *p = path; p < end; p = slash + 1) {
                slash = memchr(p, '/', (size_t)(end - p));
                if (!slash)
                        slash = end;
                if (push_segment(out, p, (size_t)(slash - p), err) < 0)
                        return -1;
        }
        if ((out->len == 0 || (len > 0 && end[-1] == '/')) && append_char(out, '/', err) < 0)
                return -1;
        return fg_buf_append(&v->text, out->data, out->len, err);
}

/* ---- the query: every parameter encoded the one way, in order ---- */

struct span {
        size_t name, name_len, value, value_len; /* in the scratch buffer */
};

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
        int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

        return r ? r : (a_len > b_len) - (a_len < b_len);
}

static int compare_spans(const void *a, const void *b, void *base)
{
        const struct span *x = a, *y = b;
        const char *text = base;
        int r = compare_bytes(text + x->name, x->name_len, text + y->name, y->name_len);

        return r ? r : compare_bytes(text + x->value, x->value_len, text + y->value, y->value_len);
}

static int append_normal(struct fg_buf *out, const char *text, size_t len, struct fg_error *err)
{
        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)text[i];
                int high = c == '%' && i + 2 < len ? sigv4_hex_value(text[i + 1]) : -1;
                int low = high >= 0 ? sigv4_hex_value(text[i + 2]) : -1;

                if (low >= 0) {
                        c = (unsigned char)(high << 4 | low);
                        i += 2;
                } else if (c == '+') {
                        c = ' ';
                }
                if (append_encoded(out, c, err) < 0)
                        return -1;
        }
        return 0;
}

static bool is_the_signature(const struct sigv4_param *p)
{
        static const char name[] = "X-Amz-Signature";

        return p->name_len == strlen(name) && memcmp(p->name, name, p->name_len) == 0;
}

static int collect_params(struct fg_buf *out, const char *query, bool presigned,
                          struct span spans[PARAMS_MAX], size_t *ret_n, struct fg_error *err)
{
        struct sigv4_param p;
        size_t n = 0;

        fg_buf_clear(out);
        while (sigv4_next_param(&query, &p)) {
                struct span *s = &spans[n];

                if (presigned && is_the_signature(&p))
                        continue;
                if (++n > PARAMS_MAX)
                        return fg_fail(err, FG_ERR_DENIED, "more than %d query parameters",
                                       PARAMS_MAX);
                s->name = out->len;
                if (append_normal(out, p.name, p.name_len, err) < 0)
                        return -1;
                s->name_len = out->len - s->name;
                s->value = out->len;
                if (append_normal(out, p.value, p.value_len, err) < 0)
                        return -1;
                s->value_len = out->len - s->value;
        }
        *ret_n = n;
        return 0;
}

static int append_query(struct fg_sigv4 *v, const char *query, bool presigned, struct fg_error *err)
{
        struct span spans[PARAMS_MAX];
        size_t n = 0;

        if (collect_params(&v->scratch, query, presigned, spans, &n, err) < 0)
                return -1;
        if (n > 1)
                qsort_r(spans, n, sizeof(spans[0]), compare_spans, v->scratch.data);
        for (size_t i = 0; i < n; i++) {
                const char *text = v->scratch.data;

                if ((i > 0 && append_char(&v->text, '&', err) < 0) ||
                    fg_buf_append(&v->text, text + spans[i].name, spans[i].name_len, err) < 0 ||
                    append_char(&v->text, '=', err) < 0 ||
                    fg_buf_append(&v->text, text + spans[i].value, spans[i].value_len, err) < 0)
                        return -1;
        }
        return 0;
}

static int append_uri(struct fg_sigv4 *v, const struct fg_sigv4_message *m, bool presigned,
                      struct fg_error *err)
{
        const char *mark = strchrnul(m->uri, '?');

        if (append_path(v, m->uri, (size_t)(mark - m->uri), err) < 0 ||
            append_char(&v->text, '\n', err) < 0)
                return -1;
        return *mark ? append_query(v, mark + 1, presigned, err) : 0;
}

static int append_uri_as_sent(struct fg_sigv4 *v, const struct fg_sigv4_message *m,
                              struct fg_error *err)
{
        const char *mark = strchrnul(m->uri, '?');

        if (fg_buf_append(&v->text, m->uri, (size_t)(mark - m->uri), err) < 0 ||
            append_char(&v->text, '\n', err) < 0)
                return -1;
        return *mark ? fg_buf_puts(&v->text, mark + 1, err) : 0;
}

/* ---- headers ---- */

static bool is_signed(const char *list, const char *name)
{
        size_t n = strlen(name);

        for (const char *p = list; *p;) {
                size_t len = strcspn(p, ";");

                if (len == n && strncasecmp(p, name, n) == 0)
                        return true;
                p += len + (p[len] == ';');
        }
        return false;
}

/* What changes the meaning of a request must be signed. */
static int check_signed(const struct fg_sigv4_message *m, const char *list, struct fg_error *err)
{
        if (!is_signed(list, "host"))
                return fg_fail(err, FG_ERR_DENIED,
                               "'Host' or ':authority' must be a 'SignedHeader' in the AWS "
                               "Authorization.");
        for (size_t i = 0; i < m->n_headers; i++)
                if (strncasecmp(m->headers[i].name, "x-amz-", 6) == 0 &&
                    !is_signed(list, m->headers[i].name))
                        return fg_fail(err, FG_ERR_DENIED,
                                       "'%.64s' must be a 'SignedHeader' in the AWS Authorization.",
                                       m->headers[i].name);
        return 0;
}

/* Trimmed, and of several spaces one. */
static int append_value(struct fg_buf *out, const char *value, struct fg_error *err)
{
        size_t len;

        for (value += strspn(value, " \t"); *value; value += len) {
                len = strcspn(value, " \t");
                if (fg_buf_append(out, value, len, err) < 0)
                        return -1;
                value += len;
                len = strspn(value, " \t");
                if (value[len] && len > 0 && append_char(out, ' ', err) < 0)
                        return -1;
        }
        return 0;
}

static int append_header(struct fg_buf *out, const struct fg_sigv4_message *m, const char *name,
                         size_t len, struct fg_error *err)
{
        bool found = false;

        if (fg_buf_append(out, name, len, err) < 0 || append_char(out, ':', err) < 0)
                return -1;
        for (size_t i = 0; i < m->n_headers; i++) {
                if (strncasecmp(m->headers[i].name, name, len) != 0 ||
                    m->headers[i].name[len] != '\0')
                        continue;
                if ((found && append_char(out, ',', err) < 0) ||
                    append_value(out, m->headers[i].value, err) < 0)
                        return -1;
                found = true;
        }
        if (!found)
                return fg_fail(err, FG_ERR_DENIED, "The signed header '%.*s' is not there.",
                               (int)(len > 64 ? 64 : len), name);
        return append_char(out, '\n', err);
}

static int append_headers(struct fg_buf *out, const struct fg_sigv4_message *m, const char *list,
                          struct fg_error *err)
{
        for (const char *p = list; *p;) {
                size_t len = strcspn(p, ";");

                if (append_header(out, m, p, len, err) < 0)
                        return -1;
                p += len + (p[len] == ';');
        }
        return fg_buf_printf(out, err, "\n%s\n", list);
}

/* ---- the body ---- */

static int append_payload(struct fg_sigv4 *v, const struct fg_sigv4_message *m,
                          struct fg_error *err)
{
        const char *said = sigv4_find_header(m, "x-amz-content-sha256");
        char hash[2 * SHA256_LEN + 1];

        if (said && fg_streq(said, "UNSIGNED-PAYLOAD")) {
                if (m->body_len > 0 && !m->body_may_be_unsigned)
                        return fg_fail(err, FG_ERR_DENIED,
                                       "UNSIGNED-PAYLOAD is accepted over TLS only.");
                return fg_buf_puts(&v->text, said, err);
        }
        sigv4_hex_digest(v, m->body, m->body_len, hash);
        if (said && !fg_streq(said, hash))
                return fg_fail(err, FG_ERR_DENIED,
                               "x-amz-content-sha256 is not the SHA-256 of the body that came.");
        return fg_buf_puts(&v->text, hash, err);
}

const char *fg_sigv4_canonical(struct fg_sigv4 *v, const struct fg_sigv4_message *m,
                               const struct fg_sigv4_claim *claim, bool as_sent,
                               struct fg_error *err)
{
        fg_buf_clear(&v->text);
        if (check_signed(m, claim->signed_headers, err) < 0 ||
            fg_buf_printf(&v->text, err, "%s\n", m->method) < 0 ||
            (as_sent ? append_uri_as_sent(v, m, err) : append_uri(v, m, claim->presigned, err)) <
                    0 ||
            append_char(&v->text, '\n', err) < 0 ||
            append_headers(&v->text, m, claim->signed_headers, err) < 0 ||
            append_payload(v, m, err) < 0)
                return NULL;
        return v->text.data;
}

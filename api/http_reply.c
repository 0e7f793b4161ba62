/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/field.h"
#include "api/http_private.h"
#include "api/problem.h"
#include "core/str.h"

#define STREAM_MAX   (4u << 20) /* a slower client loses its stream, not others' */
#define STREAM_BLOCK 65536

const char *fg_request_id(const struct fg_request *r)
{
        return r->id;
}

const char *fg_request_arg(const struct fg_request *r)
{
        return r->arg;
}

const char *fg_request_form(const struct fg_request *r)
{
        const char *mark = strchr(r->uri, '?');

        return mark ? mark + 1 : "";
}

const char *fg_request_query(const struct fg_request *r, const char *name)
{
        return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

int fg_request_flag(const struct fg_request *r, const char *name, bool *ret, struct fg_error *err)
{
        const char *value = fg_request_query(r, name);

        *ret = value && (fg_streq(value, "1") || fg_streq(value, "true"));
        if (!value || *ret || fg_streq(value, "0") || fg_streq(value, "false"))
                return 0;
        return fg_fail(err, FG_ERR_INVALID, "%s = %.100s: expected 1, true, 0 or false", name,
                       value);
}

const char *fg_request_header(const struct fg_request *r, const char *name)
{
        return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

struct counted {
        const char *name;
        size_t n;
};

static enum MHD_Result count(void *userdata, enum MHD_ValueKind kind, const char *name,
                             const char *value)
{
        struct counted *c = userdata;

        (void)kind;
        (void)value;
        c->n += strcasecmp(name, c->name) == 0;
        return MHD_YES;
}

bool fg_request_header_twice(const struct fg_request *r, const char *name)
{
        struct counted c = { .name = name };

        (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count, &c);
        return c.n > 1;
}

const char *fg_request_body(const struct fg_request *r, size_t *ret_len)
{
        *ret_len = r->body.len;
        return r->body.data ? r->body.data : "";
}

struct json_object *fg_request_json(struct fg_request *r, struct fg_error *err)
{
        if (r->body.len == 0)
                r->json = json_object_new_object();
        if (!r->json)
                r->json = fg_json_parse(r->body.data, r->body.len, err);
        if (r->json && !json_object_is_type(r->json, json_type_object)) {
                fg_fail(err, FG_ERR_INVALID, "the body must be a JSON object");
                return NULL;
        }
        return r->json;
}

static const char *first_unknown(struct json_object *body, const char *const *allowed)
{
        json_object_object_foreach(body, key, value)
        {
                (void)value;
                if (!fg_one_of(key, allowed))
                        return key;
        }
        return NULL;
}

struct json_object *fg_request_members(struct fg_request *r, const char *const *allowed,
                                       struct fg_error *err)
{
        struct json_object *body = fg_request_json(r, err);
        const char *unknown = body ? first_unknown(body, allowed) : NULL;
        fg_autofree char *list = unknown ? fg_join(allowed) : NULL;

        if (!unknown)
                return body;
        fg_fail(err, FG_ERR_INVALID, "unknown member \"%.*s\" (allowed: %s)", FG_CLIP(unknown),
                list);
        return NULL;
}

/* The answer is there: hand it to MHD, or drop it when the client has left meanwhile. */
static void finish(struct fg_request *r, int status, const char *content_type)
{
        assert(r->response);
        r->answered = true;
        r->status = status;
        http_audit(r);
        (void)MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
        (void)MHD_add_response_header(r->response, "x-fgrun-request-id", r->id);
        /* Nobody keeps a connection without having said who he is. */
        if (r->refused || r->identity.who == FG_WHO_NOBODY)
                (void)MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONNECTION, "close");
        if (r->allow)
                (void)MHD_add_response_header(r->response, MHD_HTTP_HEADER_ALLOW, r->allow);
        (void)MHD_add_response_header(r->response, "x-amzn-RequestId", r->id);
        http_resume(r);
}

void fg_request_on_left(struct fg_request *r, void (*left)(void *userdata), void *userdata)
{
        r->left = left;
        r->left_userdata = userdata;
}

/* An answer may have been a secret: no copy of it stays behind. */
struct answer {
        size_t len;
        char text[];
};

static void answer_free(void *text)
{
        struct answer *a = FG_CONTAINER_OF(text, struct answer, text);

        explicit_bzero(a->text, a->len);
        free(a);
}

static struct MHD_Response *text_response(const char *text)
{
        size_t len = strlen(text);
        struct answer *a = fg_calloc(1, sizeof(*a) + len + 1);

        a->len = len;
        memcpy(a->text, text, len);
        return MHD_create_response_from_buffer_with_free_callback(len, a->text, answer_free);
}

void fg_reply_text(struct fg_request *r, int status, const char *content_type, const char *text)
{
        if (!r->connection) {
                r->status = status;
                http_request_free(r);
                return;
        }
        r->response = text_response(text);
        finish(r, status, content_type);
}

void fg_reply_json(struct fg_request *r, int status, struct json_object *take_body)
{
        fg_autofree char *text = fg_asprintf("%s\n", fg_json_text(take_body));

        json_object_put(take_body);
        fg_reply_text(r, status, "application/json", text);
        explicit_bzero(text, strlen(text));
}

struct json_object *fg_error_json(const struct fg_error *err)
{
        struct json_object *body = json_object_new_object();

        fg_json_set_str(body, "__type", fg_err_exception(err->code));
        fg_json_set_str(body, "message", err->msg);
        return body;
}

void fg_reply_error(struct fg_request *r, const struct fg_error *err)
{
        fg_request_note_error(r, fg_err_exception(err->code));
        fg_reply_json(r, fg_err_http(err->code), fg_error_json(err));
}

void fg_reply_problems(struct fg_request *r, const char *what, const struct fg_problems *problems)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *body;

        fg_problems_fail(problems, what, &err);
        fg_request_note_error(r, fg_err_exception(err.code));
        body = fg_error_json(&err);
        fg_json_set(body, "errors", fg_problems_to_json(problems));
        fg_reply_json(r, fg_err_http(err.code), body);
}

/* ---- streams ---- */

static ssize_t read_stream(void *userdata, uint64_t pos, char *buf, size_t max)
{
        struct fg_stream *s = userdata;
        size_t n = s->out.len < max ? s->out.len : max;

        (void)pos;
        if (s->r->gone)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        if (n == 0 && !s->ended) {
                s->draining = true;
                s->ops->drained(s->userdata);
                s->draining = false;
                n = s->out.len < max ? s->out.len : max;
        }
        if (n == 0 && s->ended)
                return MHD_CONTENT_READER_END_OF_STREAM;
        if (n == 0) {
                http_suspend(s->r);
                return 0;
        }
        memcpy(buf, s->out.data, n);
        fg_buf_consume(&s->out, n);
        return (ssize_t)n;
}

struct fg_stream *fg_reply_stream(struct fg_request *r, const char *content_type,
                                  const struct fg_stream_ops *ops, void *userdata)
{
        r->stream = (struct fg_stream){
                .r = r, .ops = ops, .userdata = userdata, .out = FG_BUF_INIT(STREAM_MAX)
        };
        if (!r->connection) {
                http_request_free(r);
                return NULL;
        }
        r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream,
                                                        &r->stream, NULL);
        (void)MHD_add_response_header(r->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        /* MHD would send the last chunk of a body that it leaves out. */
        if (fg_streq(r->method, MHD_HTTP_METHOD_HEAD))
                (void)MHD_set_response_options(r->response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
                                               MHD_RO_END);
        finish(r, MHD_HTTP_OK, content_type);
        return &r->stream;
}

int fg_stream_text(struct fg_stream *s, const char *text, size_t len, struct fg_error *err)
{
        if (fg_buf_append(&s->out, text, len, err) < 0)
                return fg_wrap(err, "the client reads too slowly");
        if (!s->draining)
                http_resume(s->r);
        return 0;
}

int fg_stream_line(struct fg_stream *s, struct json_object *take_line, struct fg_error *err)
{
        fg_autojson *line = take_line;
        fg_autofree char *text = fg_asprintf("%s\n", fg_json_text(line));

        return fg_stream_text(s, text, strlen(text), err);
}

size_t fg_stream_queued(const struct fg_stream *s)
{
        return s->out.len;
}

void fg_stream_end(struct fg_stream *s)
{
        s->ended = true;
        if (!s->draining)
                http_resume(s->r);
}

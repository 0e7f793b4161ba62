/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/aws/call.h"
#include "api/aws/xml.h"
#include "core/str.h"

#define XML_MAX  (4u << 20)
#define TEXT_MAX (64u * 1024)

/* ---- the protocols ---- */

static void reply_json(struct fg_request *r, int status, struct json_object *body)
{
        const char *text = fg_json_text(body);

        fg_reply_text(r, status, "application/x-amz-json-1.1", text);
        explicit_bzero((char *)(uintptr_t)text, strlen(text)); /* it may have been a secret */
}

static void reply_json_error(struct fg_request *r, int status, const char *exception,
                             struct json_object *take_members, const char *message)
{
        fg_autojson *body = take_members ? take_members : json_object_new_object();

        fg_request_note_error(r, exception);
        fg_json_set_str(body, "__type", exception);
        fg_json_set_str(body, "message", message);
        reply_json(r, status, body);
}

static void reply_xml_error(struct fg_request *r, int status, const char *exception,
                            const char *message)
{
        fg_cleanup(fg_buf_finish) struct fg_buf xml = FG_BUF_INIT(XML_MAX);
        struct fg_error err = FG_ERROR_INIT;

        fg_request_note_error(r, exception);
        if (fg_buf_printf(&xml, &err,
                          "<ErrorResponse><Error><Type>%s</Type><Code>%s</Code><Message>",
                          status < 500 ? "Sender" : "Receiver", exception) < 0 ||
            fg_xml_append_text(&xml, message, &err) < 0 ||
            fg_buf_printf(&xml, &err, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>",
                          fg_request_id(r)) < 0)
                fg_reply_text(r, 500, "text/xml", "<ErrorResponse/>");
        else
                fg_reply_text(r, status, "text/xml", xml.data);
}

static int make_xml(struct fg_buf *xml, const struct fg_aws_call *call, struct json_object *output,
                    struct fg_error *err)
{
        const char *name = call->operation->name;

        if (fg_buf_printf(xml, err,
                          "<%sResponse xmlns=\"https://%s.amazonaws.com/doc/%s/\"><%sResult>", name,
                          call->service->name, call->service->version, name) < 0 ||
            fg_xml_append(xml, output, err) < 0)
                return -1;
        return fg_buf_printf(xml, err,
                             "</%sResult><ResponseMetadata><RequestId>%s</RequestId>"
                             "</ResponseMetadata></%sResponse>",
                             name, fg_request_id(call->r), name);
}

/* ---- answers ---- */

static void reply_error(struct fg_aws_call *call, int status, const char *exception,
                        const char *message)
{
        if (call->service->target)
                reply_json_error(call->r, status, exception, NULL, message);
        else
                reply_xml_error(call->r, status, exception, message);
        fg_aws_call_free(call);
}

void fg_aws_reply(struct fg_aws_call *call, struct json_object *take_output)
{
        fg_autojson *output = take_output ? take_output : json_object_new_object();
        fg_cleanup(fg_buf_finish) struct fg_buf xml = FG_BUF_INIT(XML_MAX);
        struct fg_error err = FG_ERROR_INIT;

        if (call->service->target) {
                reply_json(call->r, 200, output);
        } else if (make_xml(&xml, call, output, &err) < 0) {
                fg_aws_fail_error(call, &err);
                return;
        } else {
                fg_reply_text(call->r, 200, "text/xml", xml.data);
        }
        fg_aws_call_free(call);
}

void fg_aws_fail(struct fg_aws_call *call, const char *exception, const char *fmt, ...)
{
        fg_autofree char *message = NULL;
        va_list ap;

        va_start(ap, fmt);
        if (vasprintf(&message, fmt, ap) < 0)
                abort();
        va_end(ap);
        reply_error(call, 400, exception, message);
}

void fg_aws_fail_with(struct fg_aws_call *call, const char *exception,
                      struct json_object *take_members, const char *message)
{
        reply_json_error(call->r, 400, exception, take_members, message);
        fg_aws_call_free(call);
}

void fg_aws_fail_error(struct fg_aws_call *call, const struct fg_error *err)
{
        const struct fg_aws_exceptions *e = &call->service->exceptions;
        const char *exception = NULL;

        switch (err->code) {
        case FG_ERR_INVALID:
                exception = call->operation->invalid ? call->operation->invalid : e->invalid;
                break;
        case FG_ERR_DENIED:
                exception = e->denied;
                break;
        case FG_ERR_NOT_FOUND:
                exception = e->not_found;
                break;
        case FG_ERR_CONFLICT:
                exception = e->conflict;
                break;
        case FG_ERR_THROTTLED:
                exception = call->service->target ? "ThrottlingException" : "Throttling";
                break;
        default:
                break;
        }
        if (exception)
                reply_error(call, 400, exception, err->msg);
        else
                reply_error(call, 500, e->internal, err->msg);
}

/* "$.tags[0].key" as people who send a request know it: "tags[0].key". */
static const char *plain_path(const char *path)
{
        if (!fg_starts_with(path, "$"))
                return path;
        if (path[1] == '.')
                return path + 2;
        return path[1] ? path + 1 : "request";
}

static int list_problems(struct fg_buf *text, const struct fg_problems *problems,
                         struct fg_error *err)
{
        size_t total = problems->n + problems->dropped;

        if (total > 1 && fg_buf_printf(text, err, "%zu errors: ", total) < 0)
                return -1;
        for (size_t i = 0; i < problems->n; i++) {
                const struct fg_problem *p = &problems->list[i];

                if (fg_buf_printf(text, err, "%s%s: %s", i > 0 ? "; " : "", plain_path(p->path),
                                  p->message) < 0 ||
                    (p->allowed && fg_buf_printf(text, err, " (allowed: %s)", p->allowed) < 0))
                        return -1;
        }
        return 0;
}

void fg_aws_fail_problems(struct fg_aws_call *call, const struct fg_problems *problems)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(TEXT_MAX);
        const char *exception = call->operation->invalid ? call->operation->invalid
                                                         : call->service->exceptions.invalid;
        struct fg_error err = FG_ERROR_INIT;

        /* A message that is too long ends where it is full. */
        (void)list_problems(&text, problems, &err);
        reply_error(call, 400, exception, text.data ? text.data : "the request is not valid");
}

void fg_aws_refuse(struct fg_request *r, int status, const char *exception, const char *message)
{
        if (fg_request_header(r, "X-Amz-Target"))
                reply_json_error(r, status, exception, NULL, message);
        else
                reply_xml_error(r, status, exception, message);
}

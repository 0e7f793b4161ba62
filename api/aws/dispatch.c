/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/aws/call.h"
#include "api/aws/form.h"
#include "api/field.h"
#include "core/str.h"

/* Services of AWS that people may well call here, and that are not. */
static const struct {
        const char *target, *title;
} elsewhere[] = {
        { "AmazonEC2ContainerRegistry_V20150921", "Amazon ECR" },
        { "AnyScaleFrontendService", "Application Auto Scaling" },
        { "Route53AutoNaming_v20170314", "AWS Cloud Map" },
};

void fg_aws_call_free(struct fg_aws_call *call)
{
        if (call->in) {
                fg_object_finish(call->operation->input, call->in);
                free(call->in);
        }
        if (call->free_state)
                call->free_state(call->state);
        fg_problems_finish(&call->problems);
        json_object_put(call->body);
        json_object_put(call->output);
        free(call);
}

static const struct fg_aws_operation *find_operation(const struct fg_aws_service *service,
                                                     const char *name)
{
        for (const struct fg_aws_operation *op = service->operations; op->name; op++)
                if (fg_streq(op->name, name))
                        return op;
        return NULL;
}

static int decode(struct fg_aws_call *call)
{
        const struct fg_object *input = call->operation->input;
        struct fg_decode d;

        if (!input)
                return 0;
        fg_decode_init(&d, "$", &call->problems);
        call->in = fg_calloc(1, input->size);
        fg_object_decode(&d, input, call->body, call->in);
        return call->problems.n > 0 ? -1 : 0;
}

static int look_for_more(struct fg_aws_call *call, struct sqlite3 *db, struct fg_error *err)
{
        (void)call->operation->also_wrong(call, db, err);
        call->exception = NULL;
        return 0;
}

static void fail_input(struct fg_aws_call *call)
{
        fg_json_wipe(call->body); /* a secret may be in it */
        fg_aws_fail_problems(call, &call->problems);
}

/* From here on the operation is known, and who answers has a call to answer to. */
static void start(struct fg_daemon *d, struct fg_request *r, const struct fg_aws_service *service,
                  const struct fg_aws_operation *operation, struct json_object *take_body)
{
        fg_autofree char *caller = fg_auth_arn(d->auth, fg_request_identity(r));
        struct fg_aws_call *call = fg_calloc(1, sizeof(*call));

        *call = (struct fg_aws_call){ .d = d,
                                      .r = r,
                                      .service = service,
                                      .operation = operation,
                                      .names = &d->names,
                                      .body = take_body,
                                      .problems = FG_PROBLEMS_INIT };
        (void)snprintf(call->caller, sizeof(call->caller), "%s", caller);
        if (fg_aws_authorize(call) < 0)
                fg_aws_call_free(call);
        else if (decode(call) < 0 && operation->also_wrong)
                fg_aws_work(call, look_for_more, false, fail_input);
        else if (call->problems.n > 0)
                fail_input(call);
        else if (operation->handle)
                operation->handle(call);
        else if (operation->write)
                fg_aws_work(call, operation->write, true, NULL);
        else
                fg_aws_work(call, operation->read, false, NULL);
}

static void refuse_operation(struct fg_request *r, const struct fg_aws_service *service,
                             const char *name)
{
        bool absent = fg_one_of(name, service->model);
        fg_autofree char *text =
                absent ? fg_asprintf("%s:%s is not supported by this version of fgrun (docs/ecs.md "
                                     "lists what is)",
                                     service->name, name)
                       : fg_asprintf("%s has no operation %.*s", service->name, FG_CLIP(name));
        const char *exception = absent ? "UnsupportedFeatureException"
                                       : "UnknownOperationException";

        fg_aws_refuse(r, 400, service->target ? exception : "InvalidAction", text);
}

/* ---- JSON 1.1 ---- */

static void refuse_target(struct fg_request *r, const char *target)
{
        fg_autofree char *text = NULL;

        for (size_t i = 0; i < FG_ARRAY_SIZE(elsewhere) && !text; i++)
                if (fg_starts_with(target, elsewhere[i].target))
                        text = fg_asprintf("%s is not supported by this version of fgrun (asked "
                                           "for: %.*s)",
                                           elsewhere[i].title, FG_CLIP(target));
        if (!text)
                text = fg_asprintf("X-Amz-Target: %.*s: no such service", FG_CLIP(target));
        fg_aws_refuse(r, 400, "UnknownOperationException", text);
}

static const struct fg_aws_service *find_target(const char *target, size_t len)
{
        for (size_t i = 0; fg_aws_services[i]; i++) {
                const char *ours = fg_aws_services[i]->target;

                if (ours && strlen(ours) == len && strncmp(ours, target, len) == 0)
                        return fg_aws_services[i];
        }
        return NULL;
}

static void dispatch_target(struct fg_daemon *d, struct fg_request *r, const char *target)
{
        const char *dot = strchrnul(target, '.');
        const struct fg_aws_service *service = find_target(target, (size_t)(dot - target));
        const struct fg_aws_operation *operation;
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *body;

        if (!service || !*dot) {
                refuse_target(r, target);
                return;
        }
        operation = find_operation(service, dot + 1);
        if (!operation) {
                refuse_operation(r, service, dot + 1);
                return;
        }
        body = fg_request_json(r, &err);
        if (!body) {
                fg_aws_refuse(r, 400, "SerializationException", err.msg);
                return;
        }
        start(d, r, service, operation, json_object_get(body));
}

/* ---- query ---- */

static const struct fg_aws_service *find_version(const char *version)
{
        for (size_t i = 0; fg_aws_services[i]; i++)
                if (!fg_aws_services[i]->target && fg_streq(fg_aws_services[i]->version, version))
                        return fg_aws_services[i];
        return NULL;
}

static void dispatch_form(struct fg_daemon *d, struct fg_request *r, struct json_object *take_form)
{
        fg_autojson *form = take_form;
        const char *action = fg_json_str(form, "Action"), *version = fg_json_str(form, "Version");
        const struct fg_aws_service *service = version ? find_version(version) : NULL;
        const struct fg_aws_operation *operation;
        fg_autofree char *text = NULL;

        if (!action || !*action) {
                fg_aws_refuse(r, 400, "MissingAction",
                              "POST / takes an operation of an AWS API: an X-Amz-Target header, or "
                              "a form with Action and Version");
                return;
        }
        if (!service) {
                version = version && *version ? version : "NO_VERSION_SPECIFIED";
                text = fg_asprintf("Could not find operation %.*s for version %.*s",
                                   FG_CLIP(action), FG_CLIP(version));
                fg_aws_refuse(r, 400, "InvalidAction", text);
                return;
        }
        operation = find_operation(service, action);
        if (!operation) {
                refuse_operation(r, service, action);
                return;
        }
        json_object_object_del(form, "Action");
        json_object_object_del(form, "Version");
        start(d, r, service, operation, fg_take_ptr(form));
}

void handle_aws(void *daemon, struct fg_request *r)
{
        const char *target = fg_request_header(r, "X-Amz-Target");
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *form;
        const char *body;
        size_t len;

        if (target && fg_request_header_twice(r, "X-Amz-Target")) {
                fg_aws_refuse(r, 400, "UnknownOperationException",
                              "X-Amz-Target is given more than once");
                return;
        }
        if (target) {
                dispatch_target(daemon, r, target);
                return;
        }
        body = fg_request_body(r, &len);
        if (len == 0) {
                body = fg_request_form(r);
                len = strlen(body);
        }
        form = fg_form_parse(body, len, &err);
        if (form)
                dispatch_form(daemon, r, form);
        else
                fg_aws_refuse(r, 400, "MalformedQueryString", err.msg);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/aws.h"

/* Security Token Service: only the question that tools ask to see whether credentials work. */

static void get_caller_identity(struct fg_aws_call *call)
{
        const struct fg_identity *who = fg_request_identity(call->r);
        struct json_object *output = json_object_new_object();

        fg_json_set_str(output, "UserId",
                        who->who == FG_WHO_KEY ? who->key_id : call->names->account);
        fg_json_set_str(output, "Account", call->names->account);
        fg_json_set_str(output, "Arn", call->caller);
        fg_aws_reply(call, output);
}

static const struct fg_aws_operation operations[] = {
        { .name = "GetCallerIdentity", .handle = get_caller_identity, .open = true },
        { 0 },
};

static const char *const model[] = {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "DecodeAuthorizationMessage",
        "GetAccessKeyInfo",
        "GetCallerIdentity",
        "GetFederationToken",
        "GetSessionToken",
        NULL,
};

const struct fg_aws_service fg_sts_service = {
        .name = "sts",
        .version = "2011-06-15",
        .operations = operations,
        .model = model,
        .exceptions = { .invalid = "ValidationError",
                        .denied = "AccessDenied",
                        .not_found = "ValidationError",
                        .conflict = "ValidationError",
                        .internal = "InternalFailure" },
};

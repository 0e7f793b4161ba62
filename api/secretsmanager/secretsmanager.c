/* SPDX-License-Identifier: Apache-2.0 */
#include "api/secretsmanager/secretsmanager.h"

#include <openssl/evp.h>
#include <string.h>

#include "api/aws/keep.h"
#include "api/field_row.h"
#include "api/tag.h"
#include "core/str.h"

#define PAGE_MAX     100
#define DAYS_DEFAULT 30

/* What any of the operations takes; each has the rows of its own. */
struct sm_input {
        char *name, *id, *token, *description, *kms_key, *text, *binary, *version, *stage, *next,
                *to, *from;
        struct fg_strings stages, keys;
        struct fg_pairs tags;
        int64_t max, days;
        bool force, planned, deprecated;
};

/* ---- what the tables ask ---- */

static int decode_binary(const char *base64, struct fg_secret *ret, struct fg_error *err)
{
        size_t len = strlen(base64);
        int n;

        if (len > 2 * FG_SECRET_VALUE_MAX)
                return fg_fail(err, FG_ERR_INVALID, "at most %d bytes", FG_SECRET_VALUE_MAX);
        fg_secret_alloc(ret, len);
        n = EVP_DecodeBlock((unsigned char *)ret->data, (const unsigned char *)base64, (int)len);
        if (n < 0)
                return fg_fail(err, FG_ERR_INVALID, "not base64");
        n -= fg_ends_with(base64, "==") ? 2 : fg_ends_with(base64, "=") ? 1 : 0;
        ret->len = n > 0 ? (size_t)n : 0;
        return 0;
}

static bool check_binary(struct fg_decode *d, const char *s)
{
        fg_autosecret value = FG_SECRET_INIT;
        struct fg_error err = FG_ERROR_INIT;

        return decode_binary(s, &value, &err) == 0 || fg_decode_refuse(d, &err);
}

static bool check_name(struct fg_decode *d, const char *s)
{
        struct fg_error err = FG_ERROR_INIT;

        return fg_secret_name_check(s, &err) == 0 || fg_decode_refuse(d, &err);
}

static void check_input(struct fg_decode *d, void *obj)
{
        const struct sm_input *in = obj;

        if (in->text && in->binary)
                fg_decode_problem(d, "SecretBinary", NULL,
                                  "You can't specify both a binary secret value and a string "
                                  "secret value in the same secret.");
        fg_tags_check(d, "Tags", &in->tags);
}

#define ROW_ID    FG_ROW_STRING(sm_input, id, "SecretId", .required = true, .min = 1, .max = 2048)
#define ROW_TOKEN FG_ROW_STRING(sm_input, token, "ClientRequestToken", .min = 32, .max = 64)
#define ROW_VALUE                                                                                  \
        FG_ROW_STRING(sm_input, text, "SecretString", .max = FG_SECRET_VALUE_MAX),                 \
                FG_ROW_STRING(sm_input, binary, "SecretBinary", .check = check_binary)
#define ROW_PAGE                                                                                   \
        FG_ROW_INT(sm_input, max, "MaxResults", .min = 1, .max = PAGE_MAX),                        \
                FG_ROW_STRING(sm_input, next, "NextToken", .min = 1, .max = 4096)
#define ROW_ABOUT                                                                                  \
        FG_ROW_STRING(sm_input, description, "Description", .max = 2048),                          \
                FG_ROW_STRING(sm_input, kms_key, "KmsKeyId", .max = 2048)

static const struct fg_field tag_fields[] = {
        FG_ROW_STRING(fg_pair, name, "Key", .required = true, .min = 1, .max = 128,
                      .check = fg_tag_check_key),
        FG_ROW_STRING(fg_pair, value, "Value", .max = 256),
};
static const struct fg_object tag_object = FG_OBJECT(fg_pair, tag_fields);

static const struct fg_field create_fields[] = {
        FG_ROW_STRING(sm_input, name, "Name", .required = true, .min = 1, .max = 512,
                      .check = check_name),
        ROW_TOKEN,
        ROW_ABOUT,
        ROW_VALUE,
        FG_ROW_OBJECTS(sm_input, tags, "Tags", &tag_object, .max = 50),
        FG_ROW_LATER("AddReplicaRegions"),
        FG_ROW_LATER("ForceOverwriteReplicaSecret"),
};
static const struct fg_object create_object = FG_OBJECT(sm_input, create_fields,
                                                        .check = check_input);

static const struct fg_field get_fields[] = {
        ROW_ID,
        FG_ROW_STRING(sm_input, version, "VersionId", .min = 32, .max = 64),
        FG_ROW_STRING(sm_input, stage, "VersionStage", .min = 1, .max = 256),
};
static const struct fg_object get_object = FG_OBJECT(sm_input, get_fields);

static const struct fg_field put_fields[] = {
        ROW_ID,
        ROW_TOKEN,
        ROW_VALUE,
        FG_ROW_STRINGS(sm_input, stages, "VersionStages", .max = 20),
};
static const struct fg_object put_object = FG_OBJECT(sm_input, put_fields, .check = check_input);

static const struct fg_field update_fields[] = { ROW_ID, ROW_TOKEN, ROW_ABOUT, ROW_VALUE };
static const struct fg_object update_object = FG_OBJECT(sm_input, update_fields,
                                                        .check = check_input);

static const struct fg_field id_fields[] = { ROW_ID };
static const struct fg_object id_object = FG_OBJECT(sm_input, id_fields);

static const struct fg_field list_fields[] = {
        ROW_PAGE,
        FG_ROW_BOOL(sm_input, planned, "IncludePlannedDeletion"),
        FG_ROW_LATER("Filters"),
        FG_ROW_LATER("SortOrder"),
};
static const struct fg_object list_object = FG_OBJECT(sm_input, list_fields);

static const struct fg_field stage_fields[] = {
        ROW_ID,
        FG_ROW_STRING(sm_input, stage, "VersionStage", .required = true, .min = 1, .max = 256),
        FG_ROW_STRING(sm_input, to, "MoveToVersionId", .min = 32, .max = 64),
        FG_ROW_STRING(sm_input, from, "RemoveFromVersionId", .min = 32, .max = 64),
};
static const struct fg_object stage_object = FG_OBJECT(sm_input, stage_fields);

static const struct fg_field versions_fields[] = {
        ROW_ID,
        ROW_PAGE,
        FG_ROW_BOOL(sm_input, deprecated, "IncludeDeprecated"),
};
static const struct fg_object versions_object = FG_OBJECT(sm_input, versions_fields);

static const struct fg_field tag_resource_fields[] = {
        ROW_ID,
        FG_ROW_OBJECTS(sm_input, tags, "Tags", &tag_object, .required = true, .max = 50),
};
static const struct fg_object tag_resource_object = FG_OBJECT(sm_input, tag_resource_fields,
                                                              .check = check_input);

static const struct fg_field untag_resource_fields[] = {
        ROW_ID,
        FG_ROW_STRINGS(sm_input, keys, "TagKeys", .required = true, .max = 50),
};
static const struct fg_object untag_resource_object = FG_OBJECT(sm_input, untag_resource_fields);

static const struct fg_field delete_fields[] = {
        ROW_ID,
        FG_ROW_INT(sm_input, days, "RecoveryWindowInDays", .min = 7, .max = 30),
        FG_ROW_BOOL(sm_input, force, "ForceDeleteWithoutRecovery"),
};
static const struct fg_object delete_object = FG_OBJECT(sm_input, delete_fields);

/* ---- values ---- */

/* The value of a request: 1, or 0 when it has none. The decoded input keeps no copy. */
static int take_value(struct sm_input *in, struct fg_secret *ret, struct fg_error *err)
{
        int r = in->text || in->binary;

        if (in->text)
                fg_secret_set(ret, in->text, strlen(in->text));
        else if (in->binary)
                r = decode_binary(in->binary, ret, err) < 0 ? -1 : 1;
        fg_aws_wipe(in->text);
        fg_aws_wipe(in->binary);
        return r;
}

static int fill(const struct fg_aws_call *call, struct fg_secret *value,
                struct fg_secret_input *ret, struct fg_error *err)
{
        struct sm_input *in = call->in;
        bool binary = in->binary != NULL;
        int r = take_value(in, value, err);

        *ret = (struct fg_secret_input){ .id = in->name ? in->name : in->id,
                                         .version = in->token,
                                         .description = in->description,
                                         .kms_key = in->kms_key,
                                         .tags = fg_json_arr(call->body, "Tags"),
                                         .stages = fg_json_arr(call->body, "VersionStages"),
                                         .value = r > 0 ? value->data : NULL,
                                         .len = value->len,
                                         .binary = binary };
        return r;
}

static void set_value(struct json_object *out, const struct fg_secret *value, bool binary)
{
        fg_autosecret base64 = FG_SECRET_INIT;

        if (!binary) {
                fg_json_set(out, "SecretString",
                            json_object_new_string_len(value->data, (int)value->len));
                return;
        }
        fg_secret_alloc(&base64, 4 * ((value->len + 2) / 3));
        (void)EVP_EncodeBlock((unsigned char *)base64.data, (const unsigned char *)value->data,
                              (int)value->len);
        fg_json_set_str(out, "SecretBinary", base64.data);
}

/* ---- operations, on the vault's lane ---- */

static struct json_object *create(struct fg_vault *v, void *arg, struct fg_error *err)
{
        fg_autosecret value = FG_SECRET_INIT;
        struct fg_secret_input in;

        return fill(arg, &value, &in, err) < 0 ? NULL : fg_secret_create(v, &in, err);
}

static struct json_object *put(struct fg_vault *v, void *arg, struct fg_error *err)
{
        fg_autosecret value = FG_SECRET_INIT;
        struct fg_secret_input in;
        int r = fill(arg, &value, &in, err);

        if (r == 0)
                fg_fail(err, FG_ERR_INVALID,
                        "You must provide either SecretString or SecretBinary.");
        return r <= 0 ? NULL : fg_secret_put(v, &in, err);
}

static struct json_object *update(struct fg_vault *v, void *arg, struct fg_error *err)
{
        fg_autosecret value = FG_SECRET_INIT;
        struct fg_secret_input in;

        return fill(arg, &value, &in, err) < 0 ? NULL : fg_secret_update(v, &in, err);
}

static struct json_object *get(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct sm_input *in = call->in;
        fg_autosecret value = FG_SECRET_INIT;
        struct json_object *out;
        bool binary = false;

        out = fg_secret_get(v, in->id, in->version, in->stage, &value, &binary, err);
        if (out)
                set_value(out, &value, binary);
        return out;
}

static struct json_object *describe(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct sm_input *in = call->in;

        return fg_secret_describe(v, in->id, err);
}

static struct json_object *list(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct fg_aws_call *call = arg;
        const struct sm_input *in = call->in;
        unsigned max = in->max ? (unsigned)in->max : PAGE_MAX;
        struct fg_aws_list l = { .call = call, .query = in->planned ? "all" : "", .key = "Name" };
        struct json_object *out;

        if (fg_aws_list_start(&l, in->next, err) < 0)
                return NULL;
        out = fg_secret_list(v, l.after, max + 1, in->planned, err);
        if (out)
                fg_aws_list_end(&l, out, fg_json_arr(out, "SecretList"), max);
        return out;
}

static struct json_object *list_versions(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct fg_aws_call *call = arg;
        const struct sm_input *in = call->in;
        unsigned max = in->max ? (unsigned)in->max : PAGE_MAX;
        fg_autofree char *query = fg_asprintf("%d %s", in->deprecated, in->id);
        struct fg_aws_list l = { .call = call, .query = query, .key = "VersionId" };
        struct json_object *out;

        if (fg_aws_list_start(&l, in->next, err) < 0)
                return NULL;
        out = fg_secret_versions(v, in->id, l.after, max + 1, in->deprecated, err);
        if (out)
                fg_aws_list_end(&l, out, fg_json_arr(out, "Versions"), max);
        return out;
}

static struct json_object *change_stage(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct sm_input *in = call->in;
        const struct fg_secret_staging staging = { .stage = in->stage,
                                                   .to = in->to,
                                                   .from = in->from };

        return fg_secret_stage(v, in->id, &staging, err);
}

/* Nobody can put a policy on a secret: what an access key may do is said by its own. */
static struct json_object *get_policy(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct sm_input *in = call->in;
        fg_autojson *about = fg_secret_describe(v, in->id, err);
        struct json_object *out;

        if (!about)
                return NULL;
        out = json_object_new_object();
        fg_json_set_str(out, "ARN", fg_json_str(about, "ARN"));
        fg_json_set_str(out, "Name", fg_json_str(about, "Name"));
        return out;
}

static struct json_object *tag(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct sm_input *in = call->in;
        const struct fg_vault_tagging tagging = { .set = fg_json_arr(call->body, "Tags"),
                                                  .drop = fg_json_arr(call->body, "TagKeys") };

        return fg_vault_tag(v, FG_VALUE_SECRET, in->id, &tagging, err) < 0
                       ? NULL
                       : json_object_new_object();
}

static struct json_object *delete_secret(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct sm_input *in = call->in;
        int64_t days = in->days ? in->days : DAYS_DEFAULT;

        if (in->force && in->days) {
                fg_fail(err, FG_ERR_INVALID,
                        "You can't use ForceDeleteWithoutRecovery in conjunction with "
                        "RecoveryWindowInDays.");
                return NULL;
        }
        return fg_secret_delete(v, in->id, in->force ? 0 : (unsigned)days, err);
}

static struct json_object *restore(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct sm_input *in = call->in;

        return fg_secret_restore(v, in->id, err);
}

#define OPERATION(work)                                                                            \
        static void handle_##work(struct fg_aws_call *call)                                        \
        {                                                                                          \
                fg_aws_keep(call, work);                                                           \
        }
OPERATION(create)
OPERATION(put)
OPERATION(update)
OPERATION(get)
OPERATION(describe)
OPERATION(list)
OPERATION(list_versions)
OPERATION(change_stage)
OPERATION(get_policy)
OPERATION(tag)
OPERATION(delete_secret)
OPERATION(restore)
#undef OPERATION

static const struct fg_aws_operation operations[] = {
        { .name = "CreateSecret", .handle = handle_create, .input = &create_object },
        { .name = "DeleteSecret", .handle = handle_delete_secret, .input = &delete_object },
        { .name = "DescribeSecret", .handle = handle_describe, .input = &id_object },
        { .name = "GetResourcePolicy", .handle = handle_get_policy, .input = &id_object },
        { .name = "GetSecretValue", .handle = handle_get, .input = &get_object },
        { .name = "ListSecretVersionIds",
          .handle = handle_list_versions,
          .input = &versions_object },
        { .name = "ListSecrets", .handle = handle_list, .input = &list_object },
        { .name = "PutSecretValue", .handle = handle_put, .input = &put_object },
        { .name = "RestoreSecret", .handle = handle_restore, .input = &id_object },
        { .name = "TagResource", .handle = handle_tag, .input = &tag_resource_object },
        { .name = "UntagResource", .handle = handle_tag, .input = &untag_resource_object },
        { .name = "UpdateSecret", .handle = handle_update, .input = &update_object },
        { .name = "UpdateSecretVersionStage",
          .handle = handle_change_stage,
          .input = &stage_object },
        { 0 },
};

static const char *const model[] = {
        "BatchGetSecretValue",
        "CancelRotateSecret",
        "CreateSecret",
        "DeleteResourcePolicy",
        "DeleteSecret",
        "DescribeSecret",
        "GetRandomPassword",
        "GetResourcePolicy",
        "GetSecretValue",
        "ListSecretVersionIds",
        "ListSecrets",
        "PutResourcePolicy",
        "PutSecretValue",
        "RemoveRegionsFromReplication",
        "ReplicateSecretToRegions",
        "RestoreSecret",
        "RotateSecret",
        "StopReplicationToReplica",
        "TagResource",
        "UntagResource",
        "UpdateSecret",
        "UpdateSecretVersionStage",
        "ValidateResourcePolicy",
        NULL,
};

const struct fg_aws_service fg_secretsmanager_service = {
        .name = "secretsmanager",
        .target = "secretsmanager",
        .operations = operations,
        .model = model,
        .exceptions = { .invalid = "InvalidParameterException",
                        .denied = "DecryptionFailure",
                        .not_found = "ResourceNotFoundException",
                        .conflict = "ResourceExistsException",
                        .token = "InvalidNextTokenException",
                        .internal = "InternalServiceError" },
};

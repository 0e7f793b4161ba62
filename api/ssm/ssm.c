/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ssm/ssm.h"

#include <errno.h>
#include <string.h>

#include "api/aws/keep.h"
#include "api/field_row.h"
#include "api/tag.h"
#include "core/str.h"

#define NAMES_MAX    10
#define PATH_PAGE    10
#define LIST_PAGE    50
#define LIST_DEFAULT 10

struct ssm_filter {
        char *key, *option;
        struct fg_strings values;
};

struct ssm_input {
        char *name, *value, *type, *description, *kms_key, *pattern, *tier, *data_type, *path,
                *next, *resource_type, *resource;
        struct fg_strings names, keys;
        struct fg_pairs tags;
        FG_LIST(struct ssm_filter) filters;
        int64_t max;
        bool overwrite, decrypt, recursive;
};

#define ROW_NAME FG_ROW_STRING(ssm_input, name, "Name", .required = true, .min = 1, .max = 2048)
#define ROW_NAMES                                                                                  \
        FG_ROW_STRINGS(ssm_input, names, "Names", .required = true, .min = 1, .max = NAMES_MAX)
#define ROW_DECRYPT FG_ROW_BOOL(ssm_input, decrypt, "WithDecryption")
#define ROW_NEXT    FG_ROW_STRING(ssm_input, next, "NextToken", .max = 4096)

static const char *const types[] = { "String", "StringList", "SecureString", NULL };
static const char *const tiers[] = { "Standard", "Advanced", NULL };
static const char *const data_types[] = { "text", NULL };

static const struct fg_field tag_fields[] = {
        FG_ROW_STRING(fg_pair, name, "Key", .required = true, .min = 1, .max = 128,
                      .check = fg_tag_check_key),
        FG_ROW_STRING(fg_pair, value, "Value", .required = true, .min = 1, .max = 256),
};
static const struct fg_object tag_object = FG_OBJECT(fg_pair, tag_fields);

static bool check_name(struct fg_decode *d, const char *s)
{
        struct fg_error err = FG_ERROR_INIT;

        return fg_parameter_name_check(s, &err) == 0 || fg_decode_refuse(d, &err);
}

static void check_tags(struct fg_decode *d, void *obj)
{
        const struct ssm_input *in = obj;

        fg_tags_check(d, "Tags", &in->tags);
}

static void check_put(struct fg_decode *d, void *obj)
{
        const struct ssm_input *in = obj;

        check_tags(d, obj);
        if (in->overwrite && in->tags.n > 0)
                fg_decode_problem(d, "Overwrite", NULL,
                                  "tags and overwrite can't be used together. To create a "
                                  "parameter with tags, please remove overwrite flag. To update "
                                  "tags for an existing parameter, please use AddTagsToResource or "
                                  "RemoveTagsFromResource.");
}

static const struct fg_field put_fields[] = {
        FG_ROW_STRING(ssm_input, name, "Name", .required = true, .min = 1, .max = 2048,
                      .check = check_name),
        FG_ROW_STRING(ssm_input, value, "Value", .required = true, .min = 1,
                      .max = FG_PARAMETER_MAX),
        FG_ROW_STRING(ssm_input, type, "Type", .allowed = types),
        FG_ROW_STRING(ssm_input, description, "Description", .max = 1024),
        FG_ROW_STRING(ssm_input, kms_key, "KeyId", .max = 256),
        FG_ROW_STRING(ssm_input, tier, "Tier", .allowed = tiers),
        FG_ROW_STRING(ssm_input, data_type, "DataType", .allowed = data_types),
        FG_ROW_BOOL(ssm_input, overwrite, "Overwrite"),
        FG_ROW_OBJECTS(ssm_input, tags, "Tags", &tag_object, .max = 50),
        FG_ROW_LATER("AllowedPattern"),
        FG_ROW_LATER("Policies"),
};
static const struct fg_object put_object = FG_OBJECT(ssm_input, put_fields, .check = check_put);

static const struct fg_field get_fields[] = { ROW_NAME, ROW_DECRYPT };
static const struct fg_object get_object = FG_OBJECT(ssm_input, get_fields);

static const struct fg_field get_all_fields[] = { ROW_NAMES, ROW_DECRYPT };
static const struct fg_object get_all_object = FG_OBJECT(ssm_input, get_all_fields);

static const struct fg_field path_fields[] = {
        FG_ROW_STRING(ssm_input, path, "Path", .required = true, .min = 1, .max = 2048),
        FG_ROW_BOOL(ssm_input, recursive, "Recursive"),
        FG_ROW_INT(ssm_input, max, "MaxResults", .min = 1, .max = PATH_PAGE),
        ROW_DECRYPT,
        ROW_NEXT,
        FG_ROW_LATER("ParameterFilters"),
};
static const struct fg_object path_object = FG_OBJECT(ssm_input, path_fields);

static const struct fg_field name_fields[] = { ROW_NAME };
static const struct fg_object name_object = FG_OBJECT(ssm_input, name_fields);

static const struct fg_field names_fields[] = { ROW_NAMES };
static const struct fg_object names_object = FG_OBJECT(ssm_input, names_fields);

static const char *const filter_keys[] = { "Name", "Type", NULL };
static const char *const filter_options[] = { "Equals", "BeginsWith", "Contains", NULL };
static const struct fg_field filter_fields[] = {
        FG_ROW_STRING(ssm_filter, key, "Key", .required = true, .allowed = filter_keys),
        FG_ROW_STRING(ssm_filter, option, "Option", .allowed = filter_options),
        FG_ROW_STRINGS(ssm_filter, values, "Values", .required = true, .min = 1, .max = 1),
};
static const struct fg_object filter_object = FG_OBJECT(ssm_filter, filter_fields);

static const struct fg_field describe_fields[] = {
        FG_ROW_INT(ssm_input, max, "MaxResults", .min = 1, .max = LIST_PAGE),
        ROW_NEXT,
        FG_ROW_OBJECTS(ssm_input, filters, "ParameterFilters", &filter_object, .max = 2),
        FG_ROW_LATER("Filters"),
};
static const struct fg_object describe_object = FG_OBJECT(ssm_input, describe_fields);

#define ROW_RESOURCE                                                                               \
        FG_ROW_STRING(ssm_input, resource_type, "ResourceType", .required = true),                 \
                FG_ROW_STRING(ssm_input, resource, "ResourceId", .required = true, .min = 1,       \
                              .max = 2048)

static const struct fg_field resource_fields[] = { ROW_RESOURCE };
static const struct fg_object resource_object = FG_OBJECT(ssm_input, resource_fields);

static const struct fg_field add_tags_fields[] = {
        ROW_RESOURCE,
        FG_ROW_OBJECTS(ssm_input, tags, "Tags", &tag_object, .required = true, .max = 1000),
};
static const struct fg_object add_tags_object = FG_OBJECT(ssm_input, add_tags_fields,
                                                          .check = check_tags);

static const struct fg_field remove_tags_fields[] = {
        ROW_RESOURCE,
        FG_ROW_STRINGS(ssm_input, keys, "TagKeys", .required = true, .max = 1000),
};
static const struct fg_object remove_tags_object = FG_OBJECT(ssm_input, remove_tags_fields);

/* ---- operations, on the vault's lane ---- */

static struct json_object *put(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        struct ssm_input *in = call->in;
        struct fg_parameter_input p = { .name = in->name,
                                        .type = in->type,
                                        .description = in->description,
                                        .kms_key = in->kms_key,
                                        .tier = in->tier,
                                        .tags = fg_json_arr(call->body, "Tags"),
                                        .value = in->value,
                                        .len = strlen(in->value),
                                        .overwrite = in->overwrite };
        struct json_object *out = fg_parameter_put(v, &p, err);

        fg_aws_wipe(in->value);
        return out;
}

static struct json_object *get_one(struct fg_vault *v, const char *name, bool decrypt,
                                   struct fg_error *err)
{
        fg_autosecret value = FG_SECRET_INIT;
        struct json_object *out = fg_parameter_get(v, name, decrypt, &value, err);

        if (out)
                fg_json_set(out, "Value", json_object_new_string_len(value.data, (int)value.len));
        return out;
}

static struct json_object *get(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;
        struct json_object *one = get_one(v, in->name, in->decrypt, err), *out;

        if (!one) {
                if (err->code == FG_ERR_NOT_FOUND && err->sys == ENODATA)
                        call->exception = "ParameterVersionNotFound";
                return NULL;
        }
        out = json_object_new_object();
        fg_json_set(out, "Parameter", one);
        return out;
}

static struct json_object *get_all(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;
        fg_autojson *out = json_object_new_object();
        struct json_object *found = json_object_new_array(), *invalid = json_object_new_array();

        fg_json_set(out, "Parameters", found);
        fg_json_set(out, "InvalidParameters", invalid);
        for (size_t i = 0; i < in->names.n; i++) {
                struct json_object *one = get_one(v, in->names.v[i], in->decrypt, err);

                if (one)
                        json_object_array_add(found, one);
                else if (err->code == FG_ERR_NOT_FOUND || err->code == FG_ERR_INVALID)
                        json_object_array_add(invalid, json_object_new_string(in->names.v[i]));
                else
                        return NULL;
        }
        return fg_take_ptr(out);
}

static struct json_object *remove_one(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;

        return fg_parameter_delete(v, in->name, err) < 0 ? NULL : json_object_new_object();
}

static struct json_object *remove_all(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;
        fg_autojson *out = json_object_new_object();
        struct json_object *gone = json_object_new_array(), *invalid = json_object_new_array();

        fg_json_set(out, "DeletedParameters", gone);
        fg_json_set(out, "InvalidParameters", invalid);
        for (size_t i = 0; i < in->names.n; i++) {
                int r = fg_parameter_delete(v, in->names.v[i], err);

                if (r < 0 && err->code != FG_ERR_NOT_FOUND && err->code != FG_ERR_INVALID)
                        return NULL;
                json_object_array_add(r == 0 ? gone : invalid,
                                      json_object_new_string(in->names.v[i]));
        }
        return fg_take_ptr(out);
}

/* Of what a tag operation can go wrong with, the model has names. */
static void name_tag_error(struct fg_aws_call *call, const struct fg_error *err)
{
        if (err->code == FG_ERR_NOT_FOUND)
                call->exception = "InvalidResourceId";
        else if (err->code == FG_ERR_INVALID && err->sys == E2BIG)
                call->exception = "TooManyTagsError";
}

static int check_resource(struct fg_aws_call *call, struct fg_error *err)
{
        const struct ssm_input *in = call->in;

        if (fg_streq(in->resource_type, "Parameter"))
                return 0;
        call->exception = "InvalidResourceType";
        return fg_fail(err, FG_ERR_INVALID, "ResourceType %.64s: there is only Parameter here",
                       in->resource_type);
}

static struct json_object *change_tags(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;
        const struct fg_vault_tagging tagging = { .set = fg_json_arr(call->body, "Tags"),
                                                  .drop = fg_json_arr(call->body, "TagKeys") };

        if (check_resource(call, err) < 0)
                return NULL;
        if (fg_vault_tag(v, FG_VALUE_PARAMETER, in->resource, &tagging, err) == 0)
                return json_object_new_object();
        name_tag_error(call, err);
        return NULL;
}

static struct json_object *list_tags(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;
        struct json_object *tags, *out;

        if (check_resource(call, err) < 0)
                return NULL;
        tags = fg_vault_tags(v, FG_VALUE_PARAMETER, in->resource, err);
        if (!tags) {
                name_tag_error(call, err);
                return NULL;
        }
        out = json_object_new_object();
        fg_json_set(out, "TagList", tags);
        return out;
}

/* ---- pages ---- */

static const char *last_name(struct json_object *list)
{
        size_t n = json_object_array_length(list);

        return n ? fg_json_str(json_object_array_get_idx(list, n - 1), "Name") : NULL;
}

/* Is a name directly below a path, or anywhere below it? */
static bool is_below(const char *name, const char *path, bool recursive)
{
        return recursive || !strchr(name + strlen(path), '/');
}

static int add_names(struct fg_vault *v, const struct ssm_input *in, const char *path,
                     struct json_object *list, struct json_object *found, struct fg_error *err)
{
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                const char *name = fg_json_str(json_object_array_get_idx(list, i), "Name");
                struct json_object *one;

                if (!is_below(name, path, in->recursive))
                        continue;
                one = get_one(v, name, in->decrypt, err);
                if (!one)
                        return -1;
                json_object_array_add(found, one);
        }
        return 0;
}

/* Looks at names until one more than a page has is found. */
static int add_path(struct fg_vault *v, struct fg_aws_call *call, const char *path,
                    struct json_object *out, struct fg_error *err)
{
        const struct ssm_input *in = call->in;
        const size_t max = in->max ? (size_t)in->max : PATH_PAGE;
        fg_autofree char *query = fg_asprintf("%d %s", in->recursive, path), *after = NULL;
        struct fg_aws_list l = { .call = call, .query = query, .key = "Name" };
        struct json_object *found = json_object_new_array();
        bool more = true;

        fg_json_set(out, "Parameters", found);
        if (fg_aws_list_start(&l, in->next, err) < 0)
                return -1;
        after = fg_strdup(l.after);
        while (more && json_object_array_length(found) <= max) {
                fg_autojson *list = fg_parameter_list(v, after, path, "", NULL, LIST_PAGE, err);

                if (!list || add_names(v, in, path, list, found, err) < 0)
                        return -1;
                more = json_object_array_length(list) == LIST_PAGE;
                if (more) {
                        free(after);
                        after = fg_strdup(last_name(list));
                }
        }
        fg_aws_list_end(&l, out, found, max);
        return 0;
}

static struct json_object *get_path(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;
        fg_autojson *out = json_object_new_object();
        fg_autofree char *path = NULL;

        if (in->path[0] != '/') {
                fg_fail(err, FG_ERR_INVALID,
                        "The parameter doesn't meet the parameter name requirements. The parameter "
                        "path must begin with a forward slash \"/\".");
                return NULL;
        }
        path = fg_asprintf("%s%s", in->path, fg_ends_with(in->path, "/") ? "" : "/");
        return add_path(v, call, path, out, err) < 0 ? NULL : fg_take_ptr(out);
}

static struct json_object *describe(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;
        struct json_object *filters = fg_json_arr(call->body, "ParameterFilters"), *list, *out;
        struct fg_aws_list l = { .call = call,
                                 .query = filters ? fg_json_text(filters) : "",
                                 .key = "Name" };
        const char *prefix = "", *part = "", *type = NULL, *equals = NULL;
        unsigned max = in->max ? (unsigned)in->max : LIST_DEFAULT;

        if (fg_aws_list_start(&l, in->next, err) < 0)
                return NULL;
        for (size_t i = 0; i < in->filters.n; i++) {
                const struct ssm_filter *f = &in->filters.v[i];

                if (fg_streq(f->key, "Type"))
                        type = f->values.v[0];
                else if (!f->option || fg_streq(f->option, "Equals"))
                        prefix = equals = f->values.v[0];
                else if (fg_streq(f->option, "BeginsWith"))
                        prefix = f->values.v[0];
                else
                        part = f->values.v[0];
        }
        list = fg_parameter_list(v, l.after, prefix, part, type, equals ? 1 : max + 1, err);
        if (!list)
                return NULL;
        for (size_t i = 0; i < json_object_array_length(list); i++) /* older models lack it */
                json_object_object_del(json_object_array_get_idx(list, i), "ARN");
        out = json_object_new_object();
        fg_json_set(out, "Parameters", list);
        /* The shortest name with the prefix is the first one: it is the name, or there is none. */
        if (equals && last_name(list) && !fg_streq(last_name(list), equals))
                json_object_array_del_idx(list, 0, 1);
        fg_aws_list_end(&l, out, list, max);
        return out;
}

#define OPERATION(work)                                                                            \
        static void handle_##work(struct fg_aws_call *call)                                        \
        {                                                                                          \
                fg_aws_keep(call, work);                                                           \
        }
OPERATION(put)
OPERATION(get)
OPERATION(get_all)
OPERATION(get_path)
OPERATION(remove_one)
OPERATION(remove_all)
OPERATION(describe)
OPERATION(change_tags)
OPERATION(list_tags)
#undef OPERATION

static const struct fg_aws_operation operations[] = {
        { .name = "AddTagsToResource", .handle = handle_change_tags, .input = &add_tags_object },
        { .name = "DeleteParameter", .handle = handle_remove_one, .input = &name_object },
        { .name = "DeleteParameters", .handle = handle_remove_all, .input = &names_object },
        { .name = "DescribeParameters", .handle = handle_describe, .input = &describe_object },
        { .name = "GetParameter", .handle = handle_get, .input = &get_object },
        { .name = "GetParameters", .handle = handle_get_all, .input = &get_all_object },
        { .name = "GetParametersByPath", .handle = handle_get_path, .input = &path_object },
        { .name = "ListTagsForResource", .handle = handle_list_tags, .input = &resource_object },
        { .name = "PutParameter", .handle = handle_put, .input = &put_object },
        { .name = "RemoveTagsFromResource",
          .handle = handle_change_tags,
          .input = &remove_tags_object },
        { 0 },
};

const struct fg_aws_service fg_ssm_service = {
        .name = "ssm",
        .target = "AmazonSSM",
        .operations = operations,
        .model = fg_ssm_model,
        .exceptions = { .invalid = "ValidationException",
                        .denied = "InvalidKeyId",
                        .not_found = "ParameterNotFound",
                        .conflict = "ParameterAlreadyExists",
                        .token = "InvalidNextToken",
                        .internal = "InternalServerError" },
};

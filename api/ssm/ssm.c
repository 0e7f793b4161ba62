/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ssm/ssm.h"

#include <string.h>

#include "api/aws/keep.h"
#include "api/field_row.h"
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
                *next;
        struct fg_strings names;
        FG_LIST(struct fg_pair) tags;
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
        FG_ROW_STRING(fg_pair, name, "Key", .required = true, .min = 1, .max = 128),
        FG_ROW_STRING(fg_pair, value, "Value", .max = 256),
};
static const struct fg_object tag_object = FG_OBJECT(fg_pair, tag_fields);

static const struct fg_field put_fields[] = {
        ROW_NAME,
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
static const struct fg_object put_object = FG_OBJECT(ssm_input, put_fields);

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
        const struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;
        struct json_object *one = get_one(v, in->name, in->decrypt, err), *out;

        if (!one)
                return NULL;
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

struct path_page {
        struct json_object *found;
        size_t max;
        bool full; /* and there is more */
};

static int add_names(struct fg_vault *v, const struct ssm_input *in, const char *path,
                     struct json_object *list, struct path_page *page, struct fg_error *err)
{
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                const char *name = fg_json_str(json_object_array_get_idx(list, i), "Name");
                struct json_object *one;

                if (!is_below(name, path, in->recursive))
                        continue;
                page->full = json_object_array_length(page->found) == page->max;
                if (page->full)
                        return 0;
                one = get_one(v, name, in->decrypt, err);
                if (!one)
                        return -1;
                json_object_array_add(page->found, one);
        }
        return 0;
}

/* Takes names until the page is full; its last name is where the next one begins. */
static int add_path(struct fg_vault *v, const struct ssm_input *in, const char *path,
                    struct json_object *out, struct fg_error *err)
{
        struct path_page page = { .found = json_object_new_array(),
                                  .max = in->max ? (size_t)in->max : PATH_PAGE };
        fg_autofree char *after = fg_strdup(in->next ? in->next : "");
        bool more = true;

        fg_json_set(out, "Parameters", page.found);
        while (more && !page.full) {
                fg_autojson *list = fg_parameter_list(v, after, path, "", NULL, LIST_PAGE, err);

                if (!list || add_names(v, in, path, list, &page, err) < 0)
                        return -1;
                more = json_object_array_length(list) == LIST_PAGE;
                if (more) {
                        free(after);
                        after = fg_strdup(last_name(list));
                }
        }
        if (page.full)
                fg_json_set_str(out, "NextToken", last_name(page.found));
        return 0;
}

static struct json_object *get_path(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
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
        return add_path(v, in, path, out, err) < 0 ? NULL : fg_take_ptr(out);
}

static struct json_object *describe(struct fg_vault *v, void *arg, struct fg_error *err)
{
        const struct fg_aws_call *call = arg;
        const struct ssm_input *in = call->in;
        const char *prefix = "", *part = "", *type = NULL, *equals = NULL;
        unsigned max = in->max ? (unsigned)in->max : LIST_DEFAULT;
        struct json_object *list, *out;

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
        list = fg_parameter_list(v, in->next, prefix, part, type, equals ? 1 : max, err);
        if (!list)
                return NULL;
        for (size_t i = 0; i < json_object_array_length(list); i++) /* older models lack it */
                json_object_object_del(json_object_array_get_idx(list, i), "ARN");
        out = json_object_new_object();
        fg_json_set(out, "Parameters", list);
        /* The shortest name with the prefix is the first one: it is the name, or there is none. */
        if (equals && last_name(list) && !fg_streq(last_name(list), equals))
                json_object_array_del_idx(list, 0, 1);
        else if (!equals && json_object_array_length(list) == max)
                fg_json_set_str(out, "NextToken", last_name(list));
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
#undef OPERATION

static const struct fg_aws_operation operations[] = {
        { .name = "DeleteParameter", .handle = handle_remove_one, .input = &name_object },
        { .name = "DeleteParameters", .handle = handle_remove_all, .input = &names_object },
        { .name = "DescribeParameters", .handle = handle_describe, .input = &describe_object },
        { .name = "GetParameter", .handle = handle_get, .input = &get_object },
        { .name = "GetParameters", .handle = handle_get_all, .input = &get_all_object },
        { .name = "GetParametersByPath", .handle = handle_get_path, .input = &path_object },
        { .name = "PutParameter", .handle = handle_put, .input = &put_object },
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
                        .internal = "InternalServerError" },
};

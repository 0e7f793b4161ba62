/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

/* PutAccountSetting, PutAccountSettingDefault, ListAccountSettings, DeleteAccountSetting. */

static const char *const on_off[] = { "enabled", "disabled", "on", "off", NULL };
static const char *const insights[] = { "enabled", "disabled", "enhanced", NULL };
static const char *const log_modes[] = { "blocking", "non-blocking", NULL };
static const char *const days[] = { "0", "7", "14", NULL };
static const char *const enabled[] = { "enabled", "disabled", NULL };

/* In the order of the alphabet, which is that of pages. */
static const struct {
        const char *name, *value; /* as it is when nobody has set it */
        const char *const *allowed;
} settings[] = {
        { "awsvpcTrunking", "disabled", on_off },
        { "containerInsights", "disabled", insights },
        { "containerInstanceLongArnFormat", "enabled", on_off },
        { "defaultLogDriverMode", "non-blocking", log_modes },
        { "fargateEventWindows", "disabled", enabled },
        { "fargateFIPSMode", "disabled", on_off },
        { "fargateTaskRetirementWaitPeriod", "7", days },
        { "guardDutyActivate", "off", on_off },
        { "serviceLongArnFormat", "enabled", on_off },
        { "tagResourceAuthorization", "off", on_off },
        { "taskLongArnFormat", "enabled", on_off },
};

static int find_setting(const char *name)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++)
                if (fg_streq(settings[i].name, name))
                        return (int)i;
        return -1;
}

static bool check_name(struct fg_decode *d, const char *s)
{
        const char *names[FG_ARRAY_SIZE(settings) + 1] = { NULL };
        fg_autofree char *allowed = NULL;

        if (find_setting(s) >= 0)
                return true;
        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++)
                names[i] = settings[i].name;
        allowed = fg_join(names);
        fg_decode_problem(d, NULL, allowed, "'%.*s' is not a setting", FG_CLIP(s));
        return false;
}

/* "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE" */
static bool check_principal(struct fg_decode *d, const char *s)
{
        const char *part = s;

        for (int i = 0; part && i < 5; i++) {
                part = strchr(part, ':');
                part = part ? part + 1 : NULL;
        }
        if (fg_starts_with(s, "arn:aws:") && part && *part)
                return true;
        fg_decode_problem(d, NULL, "arn:aws:iam::ACCOUNT:user/NAME, …:role/NAME, …:root",
                          "'%.*s' is not the ARN of a principal", FG_CLIP(s));
        return false;
}

struct account_setting {
        char *name, *value, *principal, *next_token;
        bool effective;
        int64_t max_results;
};

static const struct fg_field put_fields[] = {
        FG_ROW_STRING(account_setting, name, "name", .required = true, .check = check_name),
        FG_ROW_STRING(account_setting, value, "value", .required = true),
        FG_ROW_STRING(account_setting, principal, "principalArn", .min = 1, .max = 256,
                      .check = check_principal),
};
static const struct fg_field default_fields[] = {
        FG_ROW_STRING(account_setting, name, "name", .required = true, .check = check_name),
        FG_ROW_STRING(account_setting, value, "value", .required = true),
};
static const struct fg_field delete_fields[] = {
        FG_ROW_STRING(account_setting, name, "name", .required = true, .check = check_name),
        FG_ROW_STRING(account_setting, principal, "principalArn", .min = 1, .max = 256,
                      .check = check_principal),
};
static const struct fg_field list_fields[] = {
        FG_ROW_STRING(account_setting, name, "name", .check = check_name),
        FG_ROW_STRING(account_setting, value, "value"),
        FG_ROW_STRING(account_setting, principal, "principalArn", .min = 1, .max = 256,
                      .check = check_principal),
        FG_ROW_BOOL(account_setting, effective, "effectiveSettings"),
        FG_ROW_STRING(account_setting, next_token, "nextToken"),
        FG_ROW_INT(account_setting, max_results, "maxResults", .min = 1, .max = 10),
};

static void check_value(struct fg_decode *d, void *obj)
{
        struct account_setting *in = obj;
        int i = in->name ? find_setting(in->name) : -1;
        fg_autofree char *allowed = NULL;

        if (i < 0 || !in->value || fg_one_of(in->value, settings[i].allowed))
                return;
        allowed = fg_join(settings[i].allowed);
        fg_decode_problem(d, "value", allowed, "'%.*s' is not a value of %s", FG_CLIP(in->value),
                          in->name);
}

const struct fg_object ecs_put_account_setting_input = FG_OBJECT(account_setting, put_fields,
                                                                 .check = check_value);
const struct fg_object ecs_put_account_setting_default_input = FG_OBJECT(
        account_setting, default_fields, .check = check_value);
const struct fg_object ecs_delete_account_setting_input = FG_OBJECT(account_setting, delete_fields);
const struct fg_object ecs_list_account_settings_input = FG_OBJECT(account_setting, list_fields);

static struct json_object *show(const char *name, const char *value, const char *principal)
{
        struct json_object *setting = json_object_new_object();

        fg_json_set_str(setting, "name", name);
        fg_json_set_str(setting, "value", value);
        fg_json_set_str(setting, "principalArn", principal);
        fg_json_set_str(setting, "type", "user");
        return setting;
}

static const char *principal_of(const struct fg_aws_call *call)
{
        const struct account_setting *in = call->in;

        return in->principal ? in->principal : call->caller;
}

static char *root_arn(const struct fg_aws_call *call)
{
        return fg_asprintf("arn:aws:iam::%s:root", call->names->account);
}

/* As whose a setting is stored: root's are those of everybody who has none. */
static const char *owner_of(const struct fg_aws_call *call)
{
        fg_autofree char *root = root_arn(call);

        return fg_streq(principal_of(call), root) ? "" : principal_of(call);
}

static int answer(struct fg_aws_call *call, const char *principal, const char *value)
{
        const struct account_setting *in = call->in;

        call->output = json_object_new_object();
        fg_json_set(call->output, "setting", show(in->name, value, principal));
        return 0;
}

int ecs_put_account_setting(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct account_setting *in = call->in;

        if (fg_setting_put(db, owner_of(call), in->name, in->value, err) < 0)
                return -1;
        return answer(call, principal_of(call), in->value);
}

int ecs_put_account_setting_default(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct account_setting *in = call->in;
        fg_autofree char *root = root_arn(call);

        if (fg_setting_put(db, "", in->name, in->value, err) < 0)
                return -1;
        return answer(call, root, in->value);
}

int ecs_delete_account_setting(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct account_setting *in = call->in;
        fg_autofree char *value = NULL;

        if (fg_setting_remove(db, owner_of(call), in->name, err) < 0 ||
            fg_setting_get(db, owner_of(call), in->name, &value, err) < 0)
                return -1;
        return answer(call, principal_of(call),
                      value ? value : settings[find_setting(in->name)].value);
}

/* The setting's value for the principal, NULL when it is not to be listed. -1: failure. */
static int value_of(struct fg_aws_call *call, sqlite3 *db, size_t i, char **ret,
                    struct fg_error *err)
{
        const struct account_setting *in = call->in;
        int found = in->effective ? fg_setting_get(db, owner_of(call), settings[i].name, ret, err)
                                  : fg_setting_own(db, owner_of(call), settings[i].name, ret, err);

        if (found < 0)
                return -1;
        if (!found && in->effective)
                *ret = fg_strdup(settings[i].value);
        if (*ret && in->value && !fg_streq(in->value, *ret)) {
                free(*ret);
                *ret = NULL;
        }
        return 0;
}

int ecs_list_account_settings(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct account_setting *in = call->in;
        size_t limit = in->max_results ? (size_t)in->max_results : FG_ARRAY_SIZE(settings);
        struct json_object *list = json_object_new_array();
        char cursor[FG_PAGE_CURSOR_MAX + 1];

        call->output = json_object_new_object();
        fg_json_set(call->output, "settings", list);
        if (ecs_page_start(call, in->next_token, cursor) < 0)
                return -1;
        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++) {
                fg_autofree char *value = NULL;

                if (strcmp(settings[i].name, cursor) <= 0 ||
                    (in->name && !fg_streq(in->name, settings[i].name)))
                        continue;
                if (value_of(call, db, i, &value, err) < 0)
                        return -1;
                if (!value)
                        continue;
                if (json_object_array_length(list) == limit) {
                        struct json_object *last = json_object_array_get_idx(list, limit - 1);

                        ecs_page_next(call, fg_json_str(last, "name"));
                        break;
                }
                json_object_array_add(list, show(settings[i].name, value, principal_of(call)));
        }
        return 0;
}

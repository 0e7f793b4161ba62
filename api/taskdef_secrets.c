/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/field_row.h"
#include "api/taskdef_private.h"
#include "core/str.h"
#include "secrets/secrets.h"

/* Variables whose values are elsewhere: `secrets` and `environmentFiles` of a container. */

static bool check_name(struct fg_decode *d, const char *s)
{
        if (!strchr(s, '='))
                return true;
        fg_decode_problem(d, NULL, NULL, "the name of a variable must not contain '='");
        return false;
}

static bool check_value_from(struct fg_decode *d, const char *s)
{
        struct fg_value_from from;
        struct fg_error err = FG_ERROR_INIT;

        if (fg_value_from_parse(s, &from, &err) == 0) {
                fg_value_from_finish(&from);
                return true;
        }
        return fg_decode_refuse(d, &err);
}

static bool check_arn(struct fg_decode *d, const char *s)
{
        fg_autofree char *path = NULL;
        struct fg_error err = FG_ERROR_INIT;

        return fg_envfile_locate(s, &path, &err) == 0 || fg_decode_refuse(d, &err);
}

static const struct fg_field secret_fields[] = {
        FG_ROW_STRING(fg_secret_ref, name, "name", .required = true, .min = 1, .check = check_name),
        FG_ROW_STRING(fg_secret_ref, value_from, "valueFrom", .required = true, .min = 1,
                      .check = check_value_from),
};
const struct fg_object fg_secret_object = FG_OBJECT(fg_secret_ref, secret_fields);

static const char *const file_types[] = { "s3", NULL };

static const struct fg_field file_fields[] = {
        FG_ROW_STRING(fg_environment_file, value, "value", .required = true, .min = 1,
                      .check = check_arn),
        FG_ROW_STRING(fg_environment_file, type, "type", .required = true, .allowed = file_types),
};
const struct fg_object fg_environment_file_object = FG_OBJECT(fg_environment_file, file_fields);

/* Is the name of secret @n taken by a variable, or by a secret before it? */
static bool is_taken(const struct fg_container_def *c, size_t n)
{
        const char *name = c->secrets.v[n].name;

        for (size_t i = 0; name && i < c->environment.n; i++)
                if (c->environment.v[i].name && fg_streq(c->environment.v[i].name, name))
                        return true;
        for (size_t i = 0; name && i < n; i++)
                if (c->secrets.v[i].name && fg_streq(c->secrets.v[i].name, name))
                        return true;
        return false;
}

void fg_taskdef_check_secrets(struct fg_decode *d, const struct fg_taskdef *def)
{
        char member[128];

        for (size_t i = 0; i < def->containers.n; i++) {
                const struct fg_container_def *c = &def->containers.v[i];

                for (size_t n = 0; n < c->secrets.n; n++) {
                        if (!is_taken(c, n))
                                continue;
                        (void)snprintf(member, sizeof(member),
                                       "containerDefinitions[%zu].secrets[%zu].name", i, n);
                        fg_decode_problem(d, member, NULL,
                                          "The secret name must be unique and not shared with any "
                                          "new or existing environment variables set on the "
                                          "container, such as '%.*s'.",
                                          FG_CLIP(c->secrets.v[n].name));
                }
        }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/cwlogs/awslogs.h"
#include "api/field_row.h"
#include "api/taskdef_private.h"
#include "core/buf.h"
#include "core/str.h"

/* What a log driver's options may be. Those of json-file are recorded only. */
struct driver {
        const char *name;
        const char *const *required;
        const char *const *known;
};

static const char *const awslogs_required[] = { "awslogs-region", "awslogs-group",
                                                "awslogs-stream-prefix", NULL };
static const char *const awslogs_known[] = { "awslogs-group",
                                             "awslogs-region",
                                             "awslogs-stream-prefix",
                                             "awslogs-create-group",
                                             "awslogs-datetime-format",
                                             "awslogs-multiline-pattern",
                                             "mode",
                                             "max-buffer-size",
                                             NULL };
static const char *const json_file_required[] = { NULL };
static const char *const json_file_known[] = { "max-size", "max-file", NULL };

static const struct driver drivers[] = {
        { "awslogs", awslogs_required, awslogs_known },
        { "json-file", json_file_required, json_file_known },
};
static const char *const later_drivers[] = { "splunk", "awsfirelens", NULL };

static bool check_driver(struct fg_decode *d, const char *s)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(drivers); i++)
                if (fg_streq(drivers[i].name, s))
                        return true;
        if (fg_one_of(s, later_drivers))
                fg_decode_problem(d, NULL, "awslogs, json-file",
                                  "log driver %s is not supported by this version of fgrun", s);
        else
                fg_decode_problem(d, NULL, "awslogs, json-file", "'%.*s' is not a valid log driver",
                                  FG_CLIP(s));
        return false;
}

static const char *option(const struct fg_log_configuration *log, const char *name)
{
        for (size_t i = 0; i < log->options.n; i++)
                if (fg_streq(log->options.v[i].name, name))
                        return log->options.v[i].value;
        return NULL;
}

static void check_required(struct fg_decode *d, const struct fg_log_configuration *log,
                           const struct driver *driver)
{
        const char *missing[FG_ARRAY_SIZE(awslogs_required)];
        fg_autofree char *list = NULL;
        size_t n = 0;

        for (size_t i = 0; driver->required[i]; i++)
                if (!option(log, driver->required[i]))
                        missing[n++] = driver->required[i];
        missing[n] = NULL;
        if (n == 0)
                return;
        list = fg_join(missing);
        fg_decode_problem(d, "options", NULL, "Log driver %s requires options: %s", driver->name,
                          list);
}

static void check_known(struct fg_decode *d, const struct fg_log_configuration *log,
                        const struct driver *driver)
{
        fg_autofree char *known = fg_join(driver->known);

        for (size_t i = 0; i < log->options.n; i++)
                if (!fg_one_of(log->options.v[i].name, driver->known))
                        fg_decode_problem(d, "options", known,
                                          "'%.*s' is not an option of log driver %s",
                                          FG_CLIP(log->options.v[i].name), driver->name);
}

static void check_values(struct fg_decode *d, const struct fg_log_configuration *log)
{
        for (size_t i = 0; i < log->options.n; i++) {
                const struct fg_pair *option = &log->options.v[i];
                fg_autofree char *member = fg_asprintf("options.%.64s", option->name);
                struct fg_error err = FG_ERROR_INIT;

                if (fg_awslogs_check(option->name, option->value, &err) < 0)
                        fg_decode_problem(d, member, NULL, "'%.*s': %s", FG_CLIP(option->value),
                                          err.msg);
        }
}

static void check_log(struct fg_decode *d, void *obj)
{
        const struct fg_log_configuration *log = obj;
        const struct driver *driver = NULL;

        for (size_t i = 0; log->log_driver && i < FG_ARRAY_SIZE(drivers); i++)
                if (fg_streq(drivers[i].name, log->log_driver))
                        driver = &drivers[i];
        if (!driver)
                return; /* reported already */
        check_required(d, log, driver);
        check_known(d, log, driver);
        if (fg_streq(driver->name, "awslogs"))
                check_values(d, log);
        if (option(log, "awslogs-datetime-format") && option(log, "awslogs-multiline-pattern"))
                fg_decode_problem(d, "options", NULL,
                                  "awslogs-datetime-format and awslogs-multiline-pattern "
                                  "exclude each other");
}

static const struct fg_field log_fields[] = {
        FG_ROW_STRING(fg_log_configuration, log_driver, "logDriver", .required = true,
                      .check = check_driver),
        FG_ROW_MAP(fg_log_configuration, options, "options", .max = 64),
        FG_ROW_LATER("secretOptions"),
};

const struct fg_object fg_log_configuration_object = FG_OBJECT(fg_log_configuration, log_fields,
                                                               .check = check_log);

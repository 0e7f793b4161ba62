/* SPDX-License-Identifier: Apache-2.0 */
#include "api/field_row.h"
#include "api/taskdef_private.h"
#include "core/str.h"

/* What happens to a container while it runs: healthCheck and restartPolicy. */

/* ECS's defaults, which it fills in. */
#define INTERVAL       30
#define TIMEOUT        5
#define RETRIES        3
#define RESTART_PERIOD 300

static void check_health(struct fg_decode *d, void *obj)
{
        struct fg_health_check *check = obj;
        const char *how = check->command.n > 0 ? check->command.v[0] : NULL;

        if (how && !fg_streq(how, "CMD") && !fg_streq(how, "CMD-SHELL"))
                fg_decode_problem(d, "command[0]", "CMD, CMD-SHELL", "'%.*s' is not a valid value",
                                  FG_CLIP(how));
        else if (check->command.n == 1)
                fg_decode_problem(d, "command", NULL, "has no command after %s", how);
        if (check->interval == 0)
                check->interval = INTERVAL;
        if (check->timeout == 0)
                check->timeout = TIMEOUT;
        if (check->retries == 0)
                check->retries = RETRIES;
}

static const struct fg_field health_fields[] = {
        FG_ROW_STRINGS(fg_health_check, command, "command", .required = true, .min = 1),
        FG_ROW_INT(fg_health_check, interval, "interval", .min = 5, .max = 300),
        FG_ROW_INT(fg_health_check, timeout, "timeout", .min = 2, .max = 60),
        FG_ROW_INT(fg_health_check, retries, "retries", .min = 1, .max = 10),
        FG_ROW_INT(fg_health_check, start_period, "startPeriod", .max = 300),
};
const struct fg_object fg_health_check_object = FG_OBJECT(fg_health_check, health_fields,
                                                          .check = check_health);

static void check_restart(struct fg_decode *d, void *obj)
{
        struct fg_restart_policy *policy = obj;

        (void)d;
        if (policy->attempt_period == 0)
                policy->attempt_period = RESTART_PERIOD;
}

static const struct fg_field restart_fields[] = {
        FG_ROW_BOOL(fg_restart_policy, enabled, "enabled", .required = true, .always = true),
        FG_ROW_INTS(fg_restart_policy, ignored_exit_codes, "ignoredExitCodes", .max = 50),
        FG_ROW_INT(fg_restart_policy, attempt_period, "restartAttemptPeriod", .min = 60,
                   .max = 1800),
};
const struct fg_object fg_restart_policy_object = FG_OBJECT(fg_restart_policy, restart_fields,
                                                            .check = check_restart);

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cwlogs/awslogs.h"

#include <ctype.h>
#include <string.h>

#include "api/cwlogs/pattern.h"
#include "core/str.h"

static const char *option(const struct fg_log_configuration *log, const char *name)
{
        for (size_t i = 0; i < log->options.n; i++)
                if (fg_streq(log->options.v[i].name, name))
                        return log->options.v[i].value;
        return NULL;
}

bool fg_awslogs_get(const struct fg_log_configuration *log, struct fg_awslogs *ret)
{
        struct fg_error ignored = FG_ERROR_INIT;
        const char *mode, *size, *create;

        if (!log || !fg_streq(log->log_driver, "awslogs"))
                return false;
        mode = option(log, "mode");
        size = option(log, "max-buffer-size");
        create = option(log, "awslogs-create-group");
        *ret = (struct fg_awslogs){
                .group = option(log, "awslogs-group"),
                .region = option(log, "awslogs-region"),
                .stream_prefix = option(log, "awslogs-stream-prefix"),
                .datetime_format = option(log, "awslogs-datetime-format"),
                .multiline_pattern = option(log, "awslogs-multiline-pattern"),
                .create_group = create && fg_streq(create, "true"),
                .non_blocking = !mode || fg_streq(mode, "non-blocking"),
                .buffer_bytes = FG_AWSLOGS_BUFFER,
        };
        if (size)
                (void)fg_awslogs_size(size, &ret->buffer_bytes, &ignored);
        return ret->group && ret->stream_prefix;
}

int fg_awslogs_size(const char *text, uint64_t *ret, struct fg_error *err)
{
        static const char units[] = "bkmg";
        const size_t digits = strspn(text, "0123456789");
        const char *end = text + digits, *unit;
        char number[12];
        uint64_t value;
        unsigned shift = 0;

        if (digits == 0 || digits >= sizeof(number))
                return fg_fail(err, FG_ERR_INVALID, "expected a number and a unit, as in 25m");
        memcpy(number, text, digits);
        number[digits] = '\0';
        if (*end) {
                unit = strchr(units, tolower((unsigned char)*end));
                shift = unit ? 10 * (unsigned)(unit - units) : 0;
                if (!unit ||
                    (end[1] && strcasecmp(end + 1, "b") != 0 && strcasecmp(end + 1, "ib") != 0))
                        return fg_fail(err, FG_ERR_INVALID, "'%.16s' is not one of b, k, m, g",
                                       end);
        }
        if (!fg_parse_u64(number, &value) || value > FG_AWSLOGS_BUFFER_MAX ||
            value << shift > FG_AWSLOGS_BUFFER_MAX || value << shift < FG_AWSLOGS_BUFFER_MIN)
                return fg_fail(err, FG_ERR_INVALID, "expected 64k to 64m");
        *ret = value << shift;
        return 0;
}

/* ---- names ---- */

int fg_log_group_name_check(const char *name, struct fg_error *err)
{
        static const char others[] = "._-/#";
        const char *s = name;

        while (*s &&
               ((isalnum((unsigned char)*s) && (unsigned char)*s < 0x80) || strchr(others, *s)))
                s++;
        if (*s)
                return fg_fail(err, FG_ERR_INVALID,
                               "Value '%.64s' at 'logGroupName' failed to satisfy constraint: "
                               "Member must satisfy regular expression pattern: "
                               "[\\.\\-_/#A-Za-z0-9]+",
                               name);
        if (s == name || s - name > FG_LOG_NAME_MAX)
                return fg_fail(err, FG_ERR_INVALID,
                               "Value at 'logGroupName' failed to satisfy constraint: Member must "
                               "have length between 1 and %d",
                               FG_LOG_NAME_MAX);
        return 0;
}

int fg_log_stream_name_check(const char *name, struct fg_error *err)
{
        const size_t len = strlen(name);

        if (strpbrk(name, ":*"))
                return fg_fail(err, FG_ERR_INVALID,
                               "Value '%.64s' at 'logStreamName' failed to satisfy constraint: "
                               "Member must satisfy regular expression pattern: [^:*]*",
                               name);
        if (len == 0 || len > FG_LOG_NAME_MAX)
                return fg_fail(err, FG_ERR_INVALID,
                               "Value at 'logStreamName' failed to satisfy constraint: Member must "
                               "have length between 1 and %d",
                               FG_LOG_NAME_MAX);
        return 0;
}

/* ---- values of options ---- */

/* Any region: a definition made for AWS runs here as it is, and logs to this host's groups. */
static int check_region(const char *value, struct fg_error *err)
{
        const char *s = value;

        while (islower((unsigned char)*s) || isdigit((unsigned char)*s) || *s == '-')
                s++;
        if (*s || s == value || s - value > 32 || !strchr(value, '-'))
                return fg_fail(err, FG_ERR_INVALID, "expected a region's name, as us-east-1");
        return 0;
}

/* What is left must hold a container's name (255) and a task's id. */
static int check_prefix(const char *value, struct fg_error *err)
{
        if (strlen(value) > 200)
                return fg_fail(err, FG_ERR_INVALID, "longer than 200 bytes");
        return fg_log_stream_name_check(value, err);
}

static int check_bool(const char *value, struct fg_error *err)
{
        if (fg_streq(value, "true") || fg_streq(value, "false"))
                return 0;
        return fg_fail(err, FG_ERR_INVALID, "expected true or false");
}

static int check_mode(const char *value, struct fg_error *err)
{
        if (fg_streq(value, "blocking") || fg_streq(value, "non-blocking"))
                return 0;
        return fg_fail(err, FG_ERR_INVALID, "expected blocking or non-blocking");
}

static int check_size(const char *value, struct fg_error *err)
{
        uint64_t ignored;

        return fg_awslogs_size(value, &ignored, err);
}

static int check_pattern(const char *value, struct fg_error *err)
{
        fg_cleanup(fg_pattern_freep) struct fg_pattern *p = fg_pattern_new(value, err);

        return p ? 0 : -1;
}

static int check_datetime(const char *value, struct fg_error *err)
{
        fg_cleanup(fg_pattern_freep) struct fg_pattern *p = fg_pattern_datetime(value, err);

        return p ? 0 : -1;
}

int fg_awslogs_check(const char *name, const char *value, struct fg_error *err)
{
        static const struct {
                const char *name;
                int (*check)(const char *value, struct fg_error *err);
        } checks[] = {
                { "awslogs-group", fg_log_group_name_check },
                { "awslogs-region", check_region },
                { "awslogs-stream-prefix", check_prefix },
                { "awslogs-create-group", check_bool },
                { "awslogs-datetime-format", check_datetime },
                { "awslogs-multiline-pattern", check_pattern },
                { "mode", check_mode },
                { "max-buffer-size", check_size },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(checks); i++)
                if (fg_streq(checks[i].name, name))
                        return checks[i].check(value, err);
        return 0;
}

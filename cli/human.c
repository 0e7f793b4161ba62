/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/human.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"

static const struct {
        const char *name;
        char letter;
        uint64_t seconds;
} units[] = {
        { "day", 'd', 86400 },
        { "hour", 'h', 3600 },
        { "minute", 'm', 60 },
        { "second", 's', 1 },
};

void fg_human_ago(uint64_t then_ns, uint64_t now_ns, char *ret)
{
        uint64_t seconds = now_ns > then_ns ? (now_ns - then_ns) / FG_NS_PER_SEC : 0;

        for (size_t i = 0; i < FG_ARRAY_SIZE(units); i++) {
                uint64_t n = seconds / units[i].seconds;

                if (n == 0)
                        continue;
                (void)snprintf(ret, FG_HUMAN_MAX, "%llu %s%s ago", (unsigned long long)n,
                               units[i].name, n == 1 ? "" : "s");
                return;
        }
        (void)snprintf(ret, FG_HUMAN_MAX, "now");
}

void fg_human_duration(uint64_t seconds, char *ret)
{
        size_t len = 0;

        (void)snprintf(ret, FG_HUMAN_MAX, "0s");
        for (size_t i = 0; i < FG_ARRAY_SIZE(units); i++) {
                uint64_t n = seconds / units[i].seconds;

                seconds %= units[i].seconds;
                if (n > 0)
                        len += (size_t)snprintf(ret + len, FG_HUMAN_MAX - len, "%s%llu%c",
                                                len ? " " : "", (unsigned long long)n,
                                                units[i].letter);
        }
}

void fg_human_size(uint64_t bytes, char *ret)
{
        static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB" };
        double value = (double)bytes;
        size_t i = 0;

        while (value >= 999.95 && i + 1 < FG_ARRAY_SIZE(names)) {
                value /= 1000;
                i++;
        }
        (void)snprintf(ret, FG_HUMAN_MAX, i == 0 ? "%.0f %s" : "%.1f %s", value, names[i]);
}

bool fg_human_parse_duration(const char *text, uint64_t *ret_seconds)
{
        uint64_t total = 0;

        if (*text == '\0')
                return false;
        while (*text) {
                uint64_t n = 0;
                size_t i = 0, digits = strspn(text, "0123456789");

                if (digits == 0 || digits > 9)
                        return false;
                for (; digits > 0; digits--)
                        n = n * 10 + (uint64_t)(*text++ - '0');
                while (i < FG_ARRAY_SIZE(units) && units[i].letter != *text)
                        i++;
                if (i == FG_ARRAY_SIZE(units))
                        return false;
                total += n * units[i].seconds;
                text++;
        }
        *ret_seconds = total;
        return true;
}

static bool looks_like_date(const char *text)
{
        return strlen(text) == 10 && text[4] == '-' && text[7] == '-';
}

int fg_human_time(const char *text, uint64_t now_ns, uint64_t *ret_ns, struct fg_error *err)
{
        fg_autofree char *full = NULL;
        uint64_t seconds, ns;

        if (fg_human_parse_duration(text, &seconds)) {
                *ret_ns = seconds < now_ns / FG_NS_PER_SEC ? now_ns - seconds * FG_NS_PER_SEC : 0;
                return 0;
        }
        full = looks_like_date(text) ? fg_asprintf("%sT00:00:00Z", text) : fg_strdup(text);
        ns = fg_rfc3339_parse(full);
        if (ns == 0)
                return fg_fail(err, FG_ERR_INVALID,
                               "time '%s': expected a duration (90s, 10m, 2h30m, 7d), a date, an "
                               "RFC 3339 time or epoch seconds",
                               text);
        *ret_ns = ns;
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
        struct timespec ts;

        if (clock_gettime(id, &ts) < 0)
                abort();
        return (uint64_t)ts.tv_sec * FG_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t fg_now_ns(void)
{
        return read_clock(CLOCK_REALTIME);
}

uint64_t fg_mono_ns(void)
{
        return read_clock(CLOCK_MONOTONIC);
}

void fg_rfc3339(uint64_t ns, char *ret)
{
        time_t seconds = (time_t)(ns / FG_NS_PER_SEC);
        struct tm tm;
        size_t n;

        gmtime_r(&seconds, &tm);
        n = strftime(ret, FG_RFC3339_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(ret + n, FG_RFC3339_MAX - n, ".%03uZ",
                       (unsigned)(ns % FG_NS_PER_SEC / FG_NS_PER_MSEC));
}

/* ".123456789" or "" at *s into nanoseconds; *s moves past it. */
static uint64_t parse_fraction(const char **s)
{
        uint64_t ns = 0, unit = FG_NS_PER_SEC / 10;

        if (**s != '.')
                return 0;
        for ((*s)++; **s >= '0' && **s <= '9'; (*s)++) {
                ns += (uint64_t)(**s - '0') * unit;
                unit /= 10;
        }
        return ns;
}

/* "Z", "+01:00" or "-0130" as seconds east of UTC; false when it is neither. */
static bool parse_zone(const char *s, int *ret)
{
        int hours, minutes, used = 0;

        *ret = 0;
        if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
                return true;
        if (*s != '+' && *s != '-')
                return false;
        if (sscanf(s + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || s[1 + used] != '\0')
                return false;
        *ret = (hours * 3600 + minutes * 60) * (*s == '-' ? -1 : 1);
        return true;
}

static uint64_t parse_epoch(const char *s)
{
        uint64_t seconds = 0, fraction;

        if (*s < '0' || *s > '9')
                return 0;
        for (; *s >= '0' && *s <= '9'; s++) {
                seconds = seconds * 10 + (uint64_t)(*s - '0');
                if (seconds > UINT64_MAX / FG_NS_PER_SEC / 2)
                        return 0;
        }
        fraction = parse_fraction(&s);
        return *s ? 0 : seconds * FG_NS_PER_SEC + fraction;
}

uint64_t fg_rfc3339_parse(const char *s)
{
        struct tm tm = { 0 };
        const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
        uint64_t fraction;
        time_t seconds;
        int zone;

        if (!rest)
                return parse_epoch(s);
        fraction = parse_fraction(&rest);
        if (!parse_zone(rest, &zone))
                return 0;
        seconds = timegm(&tm) - zone;
        return seconds < 0 ? 0 : (uint64_t)seconds * FG_NS_PER_SEC + fraction;
}

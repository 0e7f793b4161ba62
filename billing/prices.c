/* SPDX-License-Identifier: Apache-2.0 */
#include "billing/billing.h"

#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <string.h>

#include "core/str.h"

#define PICO_DIGITS 12
#define PICO        INT64_C(1000000000000)
#define MS_PER_HOUR 3600000
#define MAX_RATE    (1000 * PICO) /* dollars an hour; keeps every product within 128 bits */

enum { NAME, VCPU, MEMORY, STORAGE, KEYS };

static const struct key {
        const char *section, *name;
} keys[KEYS] = {
        [NAME] = { "", "name" },
        [VCPU] = { "linux-x86", "vcpu_hour" },
        [MEMORY] = { "linux-x86", "gb_hour" },
        [STORAGE] = { "linux-x86", "storage_gb_hour" },
};

struct fg_prices {
        char *name;
        int64_t rate[KEYS]; /* pico-dollars per vCPU-hour or GiB-hour; [NAME] is unused */
};

static struct fg_prices *prices_new(const char *name)
{
        struct fg_prices *p = fg_calloc(1, sizeof(*p));

        p->name = fg_strdup(name);
        return p;
}

struct fg_prices *fg_prices_default(void)
{
        struct fg_prices *p = prices_new("fargate-us-east-1-linux-x86");

        p->rate[VCPU] = INT64_C(40480000000);  /* $0.04048 */
        p->rate[MEMORY] = INT64_C(4445000000); /* $0.004445 */
        p->rate[STORAGE] = INT64_C(111000000); /* $0.000111 */
        return p;
}

void fg_prices_free(struct fg_prices *p)
{
        if (!p)
                return;
        free(p->name);
        free(p);
}

const char *fg_prices_name(const struct fg_prices *p)
{
        return p->name;
}

/* "0.04048": digits, and at most twelve more after a point. No sign, no exponent, no rounding. */
static bool parse_dollars(const char *s, int64_t *ret)
{
        int64_t v = 0;
        int decimals = -1; /* -1: before the point */

        if (*s < '0' || *s > '9')
                return false;
        for (; *s; s++) {
                if (*s == '.' && decimals < 0 && s[1]) {
                        decimals = 0;
                        continue;
                }
                if (*s < '0' || *s > '9' || decimals == PICO_DIGITS || v > MAX_RATE / 10)
                        return false;
                v = v * 10 + (*s - '0');
                decimals += decimals >= 0;
        }
        for (int i = decimals < 0 ? 0 : decimals; i < PICO_DIGITS; i++) {
                if (v > MAX_RATE / 10)
                        return false;
                v *= 10;
        }
        *ret = v;
        return true;
}

struct load {
        struct fg_prices *prices;
        bool seen[KEYS];
        struct fg_error why; /* of the first bad line; inih reports its number */
};

static int set_value(struct load *l, const char *section, const char *name, const char *value)
{
        size_t k = 0;

        while (k < KEYS && (!fg_streq(keys[k].section, section) || !fg_streq(keys[k].name, name)))
                k++;
        if (k == KEYS)
                return fg_fail(&l->why, FG_ERR_INVALID, "unknown key \"%s\" in section [%s]", name,
                               section);
        if (l->seen[k])
                return fg_fail(&l->why, FG_ERR_INVALID, "\"%s\" is given twice", name);
        l->seen[k] = true;
        if (k == NAME) {
                if (!*value)
                        return fg_fail(&l->why, FG_ERR_INVALID, "\"name\" is empty");
                free(l->prices->name);
                l->prices->name = fg_strdup(value);
                return 0;
        }
        if (!parse_dollars(value, &l->prices->rate[k]))
                return fg_fail(&l->why, FG_ERR_INVALID,
                               "\"%s = %s\": want dollars like 0.04048, at most 12 decimals", name,
                               value);
        return 0;
}

static int on_value(void *userdata, const char *section, const char *name, const char *value)
{
        struct load *l = userdata;

        if (l->why.code != FG_ERR_NONE)
                return 0;
        return set_value(l, section, name, value) == 0;
}

struct fg_prices *fg_prices_load(const char *path, struct fg_error *err)
{
        fg_cleanup(fg_prices_freep) struct fg_prices *p = prices_new("");
        fg_cleanup(fclosep) FILE *f = fopen(path, "re");
        struct load l = { .prices = p };
        int line;

        if (!f) {
                fg_fail_errno(err, errno, "price book %s", path);
                return NULL;
        }
        line = ini_parse_file(f, on_value, &l);
        if (line != 0) {
                fg_fail(err, FG_ERR_INVALID, "price book %s, line %d: %s", path, line,
                        l.why.code ? l.why.msg : "want [section] or key = value");
                return NULL;
        }
        for (size_t k = 0; k < KEYS; k++) {
                if (l.seen[k])
                        continue;
                fg_fail(err, FG_ERR_INVALID, "price book %s: \"%s\" is missing in section [%s]",
                        path, keys[k].name, keys[k].section);
                return NULL;
        }
        return fg_take_ptr(p);
}

int64_t fg_price_of(const struct fg_prices *p, const struct fg_usage *u)
{
        /* One fraction over a common denominator, so that rounding happens once. */
        const unsigned __int128 per = (unsigned __int128)MS_PER_HOUR * 1024;
        unsigned __int128 sum = (unsigned __int128)u->vcpu_ms * (uint64_t)p->rate[VCPU] * 1024;

        sum += (unsigned __int128)u->memory_mib_ms * (uint64_t)p->rate[MEMORY];
        sum += (unsigned __int128)u->storage_mib_ms * (uint64_t)p->rate[STORAGE];
        sum = (sum + per / 2) / per;
        return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

void fg_money_format(int64_t pico, char ret[32])
{
        uint64_t v = pico < 0 ? -(uint64_t)pico : (uint64_t)pico;
        uint64_t nano = v / 1000 + (v % 1000 >= 500);

        snprintf(ret, 32, "%s$%" PRIu64 ".%09" PRIu64, pico < 0 ? "-" : "", nano / 1000000000,
                 nano % 1000000000);
}

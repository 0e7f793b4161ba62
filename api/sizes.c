/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sizes.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/str.h"

/* Memory goes from min to max in steps; the smallest CPU also has half a GiB below its range. */
static const struct size {
        int64_t cpu, min, max, step;
} sizes[] = {
        { 256, 1024, 2048, 1024 },      { 512, 1024, 4096, 1024 },   { 1024, 2048, 8192, 1024 },
        { 2048, 4096, 16384, 1024 },    { 4096, 8192, 30720, 1024 }, { 8192, 16384, 61440, 4096 },
        { 16384, 32768, 122880, 8192 },
};
#define SMALLEST_CPU    256
#define SMALLEST_MEMORY 512

static const struct size *find(int64_t cpu)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(sizes); i++)
                if (sizes[i].cpu == cpu)
                        return &sizes[i];
        return NULL;
}

/* "1.5" times 1024; false when that is no whole number. */
static bool parse_decimal(const char *s, size_t len, int64_t *ret)
{
        int64_t number = 0, scale = 0;
        size_t digits = 0;

        for (size_t i = 0; i < len; i++) {
                if (s[i] == '.' && scale == 0) {
                        scale = 1;
                        continue;
                }
                if (s[i] < '0' || s[i] > '9' || ++digits > 9)
                        return false;
                number = number * 10 + (s[i] - '0');
                scale *= 10;
        }
        if (scale == 0)
                scale = 1;
        if (digits == 0 || number * 1024 % scale != 0)
                return false;
        *ret = number * 1024 / scale;
        return true;
}

static bool parse(const char *s, const char *unit, int64_t *ret)
{
        size_t len = strspn(s, "0123456789.");
        const char *rest = s + len + strspn(s + len, " ");
        uint64_t plain;

        if (strcasecmp(rest, unit) == 0)
                return parse_decimal(s, len, ret);
        if (!fg_parse_u64(s, &plain) || plain > INT32_MAX)
                return false;
        *ret = (int64_t)plain;
        return true;
}

bool fg_size_parse_cpu(const char *s, int64_t *ret_units)
{
        return parse(s, "vCPU", ret_units);
}

bool fg_size_parse_memory(const char *s, int64_t *ret_mib)
{
        return parse(s, "GB", ret_mib);
}

bool fg_size_cpu_exists(int64_t cpu)
{
        return find(cpu) != NULL;
}

bool fg_size_memory_exists(int64_t memory)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(sizes); i++)
                if (fg_size_pair_exists(sizes[i].cpu, memory))
                        return true;
        return false;
}

bool fg_size_pair_exists(int64_t cpu, int64_t memory)
{
        const struct size *size = find(cpu);

        if (!size)
                return false;
        if (cpu == SMALLEST_CPU && memory == SMALLEST_MEMORY)
                return true;
        return memory >= size->min && memory <= size->max && (memory - size->min) % size->step == 0;
}

char *fg_size_list_cpu(void)
{
        char *list = NULL;

        for (size_t i = 0; i < FG_ARRAY_SIZE(sizes); i++) {
                fg_autofree char *before = list;

                list = fg_asprintf("%s%s%" PRId64, before ? before : "", before ? ", " : "",
                                   sizes[i].cpu);
        }
        return list;
}

char *fg_size_list_memory(int64_t cpu)
{
        const struct size *size = find(cpu);

        if (cpu == SMALLEST_CPU)
                return fg_asprintf("%d, %" PRId64 ", %" PRId64, SMALLEST_MEMORY, size->min,
                                   size->max);
        return fg_asprintf("%" PRId64 " to %" PRId64 " in steps of %" PRId64, size->min, size->max,
                           size->step);
}

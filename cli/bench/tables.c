/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/tables.h"

#include <ctype.h>
#include <math.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

size_t bench_length(struct json_object *array)
{
        return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static bool is_number(struct json_object *value)
{
        return json_object_is_type(value, json_type_int) ||
               json_object_is_type(value, json_type_double);
}

double bench_positive(struct json_object *number)
{
        const double value = json_object_get_double(number);

        return value > 0 ? fmin(value, BENCH_LARGE) : 0; /* NaN is 0, too */
}

double bench_value(struct json_object *obj, const char *key)
{
        return bench_positive(fg_json_get(obj, key));
}

const char *bench_name(struct json_object *obj, const char *key)
{
        const char *text = fg_json_str(obj, key);

        return text ? text : "?";
}

static const struct bench_column start[] = {
        { "START", "name" },
        { "P50", "p50_ms", "1" },
        { "P90", "p90_ms", "1" },
        { "P99", "p99_ms", "1" },
        { "FIRST BYTE P50", "typed", "p50_ms" },
        { "P99", "typed", "p99_ms" },
        { "END P50", "whole", "p50_ms" },
        { "RUNS", "samples_ms" },
};
static const struct bench_column rate[] = {
        { "RATE", "name" },     { "AT A TIME", "concurrency" }, { "STARTS/S", "perSecond", "1" },
        { "STARTS", "starts" }, { "FAILED", "failed" },         { "WAYS", "ways" },
};
static const struct bench_column memory[] = {
        { "MEMORY", "name" },
        { "INSTANCES", "instances" },
        { "PSS MIB EACH", "pssMiB", "1" },
        { "RSS", "rssMiB", "1" },
        { "LESS AVAILABLE", "availableMiB", "1" },
        { "IN THE BUDGET", "inBudget" },
        { "PROMISED EACH", "promisedMiB" },
        { "ADMITTED", "admitted" },
};
static const struct bench_column efficiency[] = {
        { "EFFICIENCY", "name" },
        { "EMULATED", "emulated" },
        { "INTEGER/S", "integerPerSecond", "0" },
        { "MEMORY MB/S", "memoryMBPerSecond", "0" },
        { "RANDOM/S", "memoryRandomPerSecond", "0" },
        { "SYSCALLS/S", "syscallsPerSecond", "0" },
        { "DISK WRITE MB/S", "diskWriteMBPerSecond", "0" },
        { "READ MB/S", "diskReadMBPerSecond", "0" },
};
static const struct bench_column network[] = {
        { "NETWORK", "name" },
        { "EMULATED", "emulated" },
        { "ROUND TRIP US", "roundTripUs", "1" },
        { "FROM IT MB/S", "fromMBPerSecond", "0" },
        { "TO IT MB/S", "toMBPerSecond", "0" },
};
static const struct bench_column noise[] = {
        { "NOISY NEIGHBOUR", "name" },
        { "IT TAKES", "neighbour" },
        { "P50", "p50_ms", "2" },
        { "P99", "p99_ms", "2" },
        { "P99 / ALONE", "timesAlone", "2" },
        { "ALONE IT IS", "alone" },
};
static const struct bench_column images[] = {
        { "IMAGE", "image" },
        { "MB", "sizeMB", "0" },
        { "BY", "name" },
        { "FIRST RUN", "first", "p50_ms" },
        { "LATER", "later", "p50_ms" },
        { "ACCEPT TO START", "accepted", "p50_ms" },
};
static const struct bench_column loaded[] = {
        { "LOADED", "name" },
        { "INSTANCES", "instances" },
        { "START BESIDE NONE", "alone", "p50_ms" },
        { "BESIDE THEM", "beside", "p50_ms" },
};
static const struct bench_column targets[] = {
        { "TARGET", "measure" },     { "", "bound" },    { "IS", "target", "2" },
        { "CAME", "measured", "2" }, { "UNIT", "unit" }, { "MET", "met" },
        { "NOTE", "note" },
};
static const struct bench_column isolation[] = {
        { "ISOLATION", "name" },        { "KERNEL", "kernel" },
        { "RELEASE", "kernelRelease" }, { "UPTIME S", "uptimeSeconds" },
        { "PROCESSES", "processes" },   { "NAMESPACES", "namespaces" },
        { "KERNEL LOG", "kernelLog" },  { "MODULES", "modules" },
        { "DEVICES", "devices" },       { "CAPABILITIES", "capabilities" },
        { "SECCOMP", "seccomp" },
};
static const struct bench_column reached[] = {
        { "REACHED", "name" },
        { "PARAMETERS", "parametersReadable" },
        { "WRITABLE", "parametersWritable" },
        { "IN /PROC", "procLeaks" },
        { "IN /SYS", "sysLeaks" },
        { "SYSCTL", "sysctlWritable" },
        { "FILES WRITABLE", "writable" },
        { "OTHERS' CGROUPS", "cgroupsSeen" },
        { "WRITABLE", "cgroupsWritable" },
        { "SYSCALLS", "syscalls" },
};

#define TABLE(section)                                                                             \
        {                                                                                          \
#section, section, FG_ARRAY_SIZE(section)                                          \
        }
const struct bench_table bench_tables[] = {
        TABLE(start),      TABLE(rate),
        TABLE(memory),     TABLE(loaded),
        TABLE(efficiency), TABLE(network),
        TABLE(noise),      TABLE(images),
        TABLE(isolation),  { "isolation", reached, FG_ARRAY_SIZE(reached) },
        TABLE(targets),    { 0 },
};

/* How many there are of what: "cold 1, warm 9". */
static char *counts(struct json_object *members)
{
        char *text = fg_strdup("");

        json_object_object_foreach(members, name, number)
        {
                fg_autofree char *before = text;

                text = fg_asprintf("%s%s%s %.0f", before, *before ? ", " : "", name,
                                   bench_positive(number));
        }
        return text;
}

char *bench_cell(struct json_object *row, const struct bench_column *column)
{
        struct json_object *value = fg_json_get(row, column->key);
        const char *format = column->format;
        const bool wants_samples = format && !isdigit((unsigned char)*format);
        const bool has_samples = json_object_is_type(value, json_type_object);

        if (has_samples && !format)
                return counts(value);
        if (has_samples) { /* one percentile of them */
                value = fg_json_get(value, format);
                format = "1";
        }
        if (!value)
                return fg_strdup("-");
        if (json_object_is_type(value, json_type_array))
                return fg_asprintf("%zu", json_object_array_length(value));
        if (json_object_is_type(value, json_type_boolean))
                return fg_strdup(json_object_get_boolean(value) ? "yes" : "no");
        if (!format)
                return fg_strdup(json_object_get_string(value));
        if (!is_number(value) || (wants_samples && !has_samples))
                return fg_strdup("-");
        return fg_asprintf("%.*f", *format - '0', json_object_get_double(value));
}

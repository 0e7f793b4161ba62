/* SPDX-License-Identifier: Apache-2.0 */
/* What the project set out for, on two cores without hardware virtualisation, beside what came. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define IMAGE_FACTOR 1.5 /* that an image may be larger or smaller than its target names */

static double number(struct json_object *obj, const char *key)
{
        struct json_object *value = fg_json_get(obj, key);

        return value ? json_object_get_double(value) : NAN;
}

/* The row of a section with this name, and of those the last that @fits. */
static struct json_object *row_of(struct json_object *result, const char *section, const char *name,
                                  bool (*fits)(struct json_object *row))
{
        struct json_object *rows = fg_json_arr(result, section), *found = NULL;

        for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);
                const char *its = fg_json_str(row, "name");

                if (its && fg_streq(its, name) && (!fits || fits(row)))
                        found = row;
        }
        return found;
}

/* The median of a way to start, until the first instruction or until the first byte. */
static double start_ms(struct json_object *result, const char *name, bool typed)
{
        struct json_object *row = row_of(result, "start", name, NULL);

        return number(typed ? fg_json_obj(row, "typed") : row, "p50_ms");
}

static bool one_at_a_time(struct json_object *row)
{
        return fg_json_int(row, "concurrency", 0) == 1;
}

/* Fewer than the target's are no answer to it, only something that is known. */
#define MEMORY_TARGET 10
#define LOADED_TARGET 50

static bool of_ten_at_most(struct json_object *row)
{
        return fg_json_int(row, "instances", 0) <= MEMORY_TARGET;
}

/* ---- each: NAN when something of it was not measured ---- */

static double warm_image(struct json_object *r)
{
        return start_ms(r, "microvm-warm-image", false) / start_ms(r, "runc", true);
}

static double warm(struct json_object *r)
{
        return start_ms(r, "microvm-warm", false) / start_ms(r, "docker", true);
}

static double restored(struct json_object *r)
{
        return start_ms(r, "microvm-restored", false) / start_ms(r, "docker", true);
}

static double cold(struct json_object *r)
{
        return start_ms(r, "microvm-cold", false) / start_ms(r, "qemu-floor", false);
}

static double typed(struct json_object *r)
{
        return start_ms(r, "microvm-warm", true) / start_ms(r, "docker", true);
}

static double rate(struct json_object *r)
{
        return number(row_of(r, "rate", "microvm-warm-image", one_at_a_time), "perSecond") /
               number(row_of(r, "rate", "docker", one_at_a_time), "perSecond");
}

static double memory(struct json_object *r)
{
        return number(row_of(r, "memory", "microvm-restored", of_ten_at_most), "pssMiB");
}

static char *memory_note(struct json_object *r)
{
        struct json_object *row = row_of(r, "memory", "microvm-restored", of_ten_at_most);
        const int n = (int)fg_json_int(row, "instances", 0);

        return row && n < MEMORY_TARGET ? fg_asprintf("of %d only", n) : NULL;
}

static double loaded(struct json_object *r)
{
        struct json_object *row = row_of(r, "loaded", "microvm-warm-image", NULL);

        return number(fg_json_obj(row, "beside"), "p50_ms") /
               number(fg_json_obj(row, "alone"), "p50_ms");
}

/* The microVM's or docker's row of an image whose size in MB is nearest to @mb, at most a factor
 * away. */
static struct json_object *image_row(struct json_object *r, const char *name, double mb)
{
        struct json_object *rows = fg_json_arr(r, "images"), *best = NULL;
        double nearest = log(IMAGE_FACTOR);

        for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);
                const double off = fabs(log(number(row, "sizeMB") / mb));

                if (!fg_streq(fg_json_str(row, "name"), name) || !(off < nearest))
                        continue;
                nearest = off;
                best = row;
        }
        return best;
}

static double large(struct json_object *r)
{
        return number(fg_json_obj(image_row(r, "microvm", 1000), "accepted"), "p50_ms") /
               number(fg_json_obj(image_row(r, "microvm", 5), "accepted"), "p50_ms");
}

static double first(struct json_object *r)
{
        return number(fg_json_obj(image_row(r, "microvm", 400), "first"), "p50_ms") /
               number(fg_json_obj(image_row(r, "docker", 400), "first"), "p50_ms");
}

static char *loaded_note(struct json_object *r)
{
        struct json_object *row = row_of(r, "loaded", "microvm-warm-image", NULL);
        const int n = (int)fg_json_int(row, "instances", 0);

        return row && n < LOADED_TARGET ? fg_asprintf("beside %d tasks only", n) : NULL;
}

static const struct target {
        const char *measure;
        const char *unit; /* of the limit; NULL: a ratio */
        bool at_least;
        double limit;
        double (*value)(struct json_object *result);
        char *(*note)(struct json_object *result); /* why it was not quite measured; NULL: it was */
} targets[] = {
        { "warm with image, accept to first instruction / runc run", NULL, false, 1.0, warm_image },
        { "warm, prepared image / docker run", NULL, false, 0.2, warm },
        { "restored, prepared image / docker run", NULL, false, 0.5, restored },
        { "cold, prepared image / bare QEMU", NULL, false, 1.4, cold },
        { "fgrun FILE typed to first byte, warm / docker run", NULL, false, 0.35, typed },
        { "starts per second, warm and refilled / a loop of docker run --rm", NULL, true, 2, rate },
        { "start of a 1 GB image / of a 5 MB image, prepared", NULL, false, 1.1, large },
        { "first run of a 400 MB image / docker pull and docker run", NULL, false, 0.8, first },
        { "memory of an idle restored guest, of ten", "MiB", false, 25, memory, memory_note },
        { "warm start beside 50 tasks / beside none", NULL, false, 1.2, loaded, loaded_note },
};

static struct json_object *target_json(const struct target *t, struct json_object *result)
{
        struct json_object *row = json_object_new_object();
        const double value = t->value(result);
        fg_autofree char *note = t->note ? t->note(result) : NULL;

        fg_json_set_str(row, "measure", t->measure);
        fg_json_set_str(row, "unit", t->unit ? t->unit : "ratio");
        fg_json_set_str(row, "bound", t->at_least ? "at least" : "at most");
        fg_json_set(row, "target", bench_number(t->limit));
        if (!isfinite(value))
                return row;
        fg_json_set(row, "measured", bench_number(value));
        if (note)
                fg_json_set_str(row, "note", note);
        else
                fg_json_set_bool(row, "met", t->at_least ? value >= t->limit : value <= t->limit);
        return row;
}

void bench_targets(struct json_object *result)
{
        struct json_object *rows = json_object_new_array();

        for (size_t i = 0; i < FG_ARRAY_SIZE(targets); i++)
                (void)json_object_array_add(rows, target_json(&targets[i], result));
        fg_json_set(result, "targets", rows);
}

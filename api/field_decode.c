/* SPDX-License-Identifier: Apache-2.0 */
#include "api/field.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/json.h"
#include "core/str.h"

static const char *const wanted[] = {
        [FG_FIELD_STRING] = "a string",
        [FG_FIELD_INT] = "an integer",
        [FG_FIELD_BOOL] = "true or false",
        [FG_FIELD_STRINGS] = "an array of strings",
        [FG_FIELD_INTS] = "an array of integers",
        [FG_FIELD_MAP] = "an object whose values are strings",
        [FG_FIELD_OBJECT] = "an object",
        [FG_FIELD_OBJECTS] = "an array of objects",
        [FG_FIELD_JSON] = "a value",
};

static const char *found(struct json_object *json)
{
        switch (json_object_get_type(json)) {
        case json_type_null:
                return "null";
        case json_type_boolean:
                return json_object_get_boolean(json) ? "true" : "false";
        case json_type_double:
                return "a number with a fraction";
        case json_type_int:
                return "an integer";
        case json_type_object:
                return "an object";
        case json_type_array:
                return "an array";
        case json_type_string:
                return "a string";
        }
        return "something else";
}

static bool is_type(struct fg_decode *d, struct json_object *json, enum json_type type,
                    const char *expected)
{
        if (json && json_object_is_type(json, type))
                return true;
        fg_decode_problem(d, NULL, NULL, "expected %s, found %s", expected, found(json));
        return false;
}

/* Stores a value of any pointer type without an alias of another type. */
static void put(void *obj, const struct fg_field *f, const void *value, size_t size)
{
        memcpy((char *)obj + f->offset, value, size);
}

static void put_list(void *obj, const struct fg_field *f, void *take_v, size_t n)
{
        FG_LIST(void) list = { .v = take_v, .n = n };

        put(obj, f, &list, sizeof(list));
}

static bool length_fits(struct fg_decode *d, const struct fg_field *f, size_t len)
{
        char allowed[64];

        if (len == 0 && f->min > 0) {
                fg_decode_problem(d, NULL, NULL, "%s", f->text ? f->text : "must not be empty");
                return false;
        }
        if (f->max == 0 || len <= (size_t)f->max)
                return true;
        (void)snprintf(allowed, sizeof(allowed), "at most %" PRId64 " bytes", f->max);
        fg_decode_problem(d, NULL, allowed, "is %zu bytes long", len);
        return false;
}

static bool is_allowed(struct fg_decode *d, const struct fg_field *f, const char *s)
{
        fg_autofree char *list = NULL;

        if (!f->allowed || fg_one_of(s, f->allowed))
                return true;
        list = fg_join(f->allowed);
        fg_decode_problem(d, NULL, list, "'%.*s' is not a valid value", FG_CLIP(s));
        return false;
}

/* A string that keeps all rules of its row; NULL: a problem was reported. Borrowed from @json. */
static const char *checked_string(struct fg_decode *d, const struct fg_field *f,
                                  struct json_object *json)
{
        const char *s;
        size_t len;

        if (!is_type(d, json, json_type_string, "a string"))
                return NULL;
        s = json_object_get_string(json);
        len = (size_t)json_object_get_string_len(json);
        if (strlen(s) != len || !fg_utf8_valid(s, len)) {
                fg_decode_problem(d, NULL, NULL, "must be UTF-8 text without NUL characters");
                return NULL;
        }
        if (f->type == FG_FIELD_STRING && !length_fits(d, f, len))
                return NULL;
        if (!is_allowed(d, f, s) || (f->check && !f->check(d, s)))
                return NULL;
        return s;
}

static void decode_string(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                          void *obj)
{
        char *copy = fg_strdup(checked_string(d, f, json));

        put(obj, f, &copy, sizeof(copy));
}

/* json-c holds a number that no int64_t can by the nearest that can. */
static void out_of_range(struct fg_decode *d, int64_t value, const char *allowed)
{
        if (value == INT64_MAX || value == INT64_MIN)
                fg_decode_problem(d, NULL, allowed, "the integer is out of range");
        else
                fg_decode_problem(d, NULL, allowed, "%" PRId64 " is out of range", value);
}

static void decode_int(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                       void *obj)
{
        int64_t max = f->max > 0 ? f->max : INT32_MAX;
        char allowed[64];
        int64_t value;

        if (!is_type(d, json, json_type_int, wanted[f->type]))
                return;
        value = json_object_get_int64(json);
        if (f->check_int && !f->check_int(d, value, obj))
                return;
        if (value < f->min || value > max) {
                (void)snprintf(allowed, sizeof(allowed), "%" PRId64 " to %" PRId64, f->min, max);
                out_of_range(d, value, allowed);
                return;
        }
        put(obj, f, &value, sizeof(value));
}

static void decode_bool(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                        void *obj)
{
        bool value;

        if (!is_type(d, json, json_type_boolean, wanted[f->type]))
                return;
        value = json_object_get_boolean(json);
        put(obj, f, &value, sizeof(value));
}

/* Number of elements to decode; those beyond the limit are reported as a whole and left out. */
static size_t count(struct fg_decode *d, const struct fg_field *f, size_t n)
{
        char allowed[64];

        if (n == 0 && f->min > 0)
                fg_decode_problem(d, NULL, NULL, "%s", f->text ? f->text : "must not be empty");
        if (f->max == 0 || n <= (size_t)f->max)
                return n;
        (void)snprintf(allowed, sizeof(allowed), "at most %" PRId64, f->max);
        fg_decode_problem(d, NULL, allowed, "has %zu elements", n);
        return (size_t)f->max;
}

static void decode_strings(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                           void *obj)
{
        char **v;
        size_t n, kept = 0;

        if (!is_type(d, json, json_type_array, wanted[f->type]))
                return;
        n = count(d, f, json_object_array_length(json));
        if (n == 0)
                return;
        v = fg_calloc(n, sizeof(*v));
        for (size_t i = 0; i < n; i++) {
                size_t mark = fg_decode_enter(d, "[%zu]", i);
                const char *s = checked_string(d, f, json_object_array_get_idx(json, i));

                if (s)
                        v[kept++] = fg_strdup(s);
                fg_decode_leave(d, mark);
        }
        put_list(obj, f, v, kept);
}

/* The limits of the row are those of the list. */
static void decode_ints(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                        void *obj)
{
        int64_t *v;
        size_t n, kept = 0;

        if (!is_type(d, json, json_type_array, wanted[f->type]))
                return;
        n = count(d, f, json_object_array_length(json));
        if (n == 0)
                return;
        v = fg_calloc(n, sizeof(*v));
        for (size_t i = 0; i < n; i++) {
                struct json_object *item = json_object_array_get_idx(json, i);
                size_t mark = fg_decode_enter(d, "[%zu]", i);
                int64_t value = 0;

                if (is_type(d, item, json_type_int, wanted[FG_FIELD_INT])) {
                        value = json_object_get_int64(item);
                        if (value < INT32_MIN || value > INT32_MAX)
                                out_of_range(d, value, NULL);
                        else
                                v[kept++] = value;
                }
                fg_decode_leave(d, mark);
        }
        put_list(obj, f, v, kept);
}

/* Unusual names are quoted, so that a path can be read back. */
static size_t enter_member(struct fg_decode *d, const char *key)
{
        size_t plain = strspn(key, "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

        if (*key != '\0' && key[plain] == '\0')
                return fg_decode_enter(d, ".%.*s", FG_CLIP(key));
        return fg_decode_enter(d, "[\"%.*s\"]", FG_CLIP(key));
}

static void decode_map(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                       void *obj)
{
        struct json_object_iter it;
        struct fg_pair *v;
        size_t n, kept = 0;

        if (!is_type(d, json, json_type_object, wanted[f->type]))
                return;
        n = count(d, f, (size_t)json_object_object_length(json));
        if (n == 0)
                return;
        v = fg_calloc(n, sizeof(*v));
        json_object_object_foreachC(json, it)
        {
                size_t mark = enter_member(d, it.key);
                const char *s = kept < n ? checked_string(d, f, it.val) : NULL;

                if (s)
                        v[kept++] = (struct fg_pair){ fg_strdup(it.key), fg_strdup(s) };
                fg_decode_leave(d, mark);
        }
        put_list(obj, f, v, kept);
}

static void decode_json(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                        void *obj)
{
        void *value = json_object_get(json);

        (void)d;
        put(obj, f, &value, sizeof(value));
}

/* Objects hold objects. The tables, which are finite and without cycles, bound the depth. */
/* NOLINTBEGIN(misc-no-recursion) */
static void decode_nested(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                          void *obj)
{
        void *nested;

        if (!is_type(d, json, json_type_object, wanted[f->type]))
                return;
        nested = fg_calloc(1, f->object->size);
        fg_object_decode(d, f->object, json, nested);
        put(obj, f, &nested, sizeof(nested));
}

static void decode_objects(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                           void *obj)
{
        char *v;
        size_t n;

        if (!is_type(d, json, json_type_array, wanted[f->type]))
                return;
        n = count(d, f, json_object_array_length(json));
        if (n == 0)
                return;
        v = fg_calloc(n, f->object->size);
        for (size_t i = 0; i < n; i++) {
                size_t mark = fg_decode_enter(d, "[%zu]", i);

                fg_object_decode(d, f->object, json_object_array_get_idx(json, i),
                                 v + i * f->object->size);
                fg_decode_leave(d, mark);
        }
        put_list(obj, f, v, n);
}

static void decode_supported(struct fg_decode *d, const struct fg_field *f,
                             struct json_object *json, void *obj)
{
        static void (*const decoders[])(struct fg_decode *, const struct fg_field *,
                                        struct json_object *, void *) = {
                [FG_FIELD_STRING] = decode_string,   [FG_FIELD_INT] = decode_int,
                [FG_FIELD_BOOL] = decode_bool,       [FG_FIELD_STRINGS] = decode_strings,
                [FG_FIELD_MAP] = decode_map,         [FG_FIELD_OBJECT] = decode_nested,
                [FG_FIELD_OBJECTS] = decode_objects, [FG_FIELD_JSON] = decode_json,
                [FG_FIELD_INTS] = decode_ints,
        };

        decoders[f->type](d, f, json, obj);
}

/* What ECS itself returns for a field that was not used, in definitions copied from its answers. */
static bool has_no_effect(struct json_object *json)
{
        switch (json_object_get_type(json)) {
        case json_type_boolean:
                return !json_object_get_boolean(json);
        case json_type_array:
                return json_object_array_length(json) == 0;
        case json_type_object:
                return json_object_object_length(json) == 0;
        case json_type_string:
                return json_object_get_string_len(json) == 0;
        default:
                return false;
        }
}

static void decode_known(struct fg_decode *d, const struct fg_field *f, struct json_object *json,
                         void *obj)
{
        switch (f->status) {
        case FG_FIELD_SUPPORTED:
        case FG_FIELD_RECORDED:
                decode_supported(d, f, json, obj);
                return;
        case FG_FIELD_LATER:
                if (!has_no_effect(json))
                        fg_decode_problem(d, NULL, NULL,
                                          "%s is not supported by this version of fgrun", f->name);
                return;
        case FG_FIELD_REFUSED:
                if (!has_no_effect(json))
                        fg_decode_problem(d, NULL, NULL, "%s", f->text);
                return;
        case FG_FIELD_OUTPUT:
                fg_decode_problem(d, NULL, NULL,
                                  "%s is set by ECS in its answers and cannot be given", f->name);
                return;
        }
}

static const struct fg_field *find(const struct fg_object *o, const char *key)
{
        for (size_t i = 0; i < o->n_fields; i++)
                if (fg_streq(o->fields[i].name, key))
                        return &o->fields[i];
        return NULL;
}

/* The fields that can be given. */
static char *supported_names(const struct fg_object *o)
{
        fg_autofree const char **names = fg_calloc(o->n_fields + 1, sizeof(*names));
        size_t n = 0;

        for (size_t i = 0; i < o->n_fields; i++)
                if (o->fields[i].status == FG_FIELD_SUPPORTED ||
                    o->fields[i].status == FG_FIELD_RECORDED)
                        names[n++] = o->fields[i].name;
        return fg_join(names);
}

static void report_unknown(struct fg_decode *d, const struct fg_object *o, const char *key)
{
        fg_autofree char *allowed = NULL;
        const char *names[64];
        const char *nearest;

        assert(o->n_fields <= FG_ARRAY_SIZE(names));
        for (size_t i = 0; i < o->n_fields; i++)
                names[i] = o->fields[i].name;
        nearest = fg_nearest(key, names, o->n_fields);
        if (nearest) {
                fg_decode_problem(d, NULL, NULL, "unknown field; did you mean \"%s\"?", nearest);
                return;
        }
        allowed = supported_names(o);
        fg_decode_problem(d, NULL, allowed, "unknown field");
}

static void decode_members(struct fg_decode *d, const struct fg_object *o, struct json_object *json,
                           void *obj)
{
        json_object_object_foreach(json, key, value)
        {
                const struct fg_field *f = find(o, key);
                size_t mark = enter_member(d, key);

                if (!f)
                        report_unknown(d, o, key);
                else if (value)
                        decode_known(d, f, value, obj);
                fg_decode_leave(d, mark);
        }
}

void fg_object_decode(struct fg_decode *d, const struct fg_object *o, struct json_object *json,
                      void *obj)
{
        for (size_t i = 0; i < o->n_fields; i++)
                if (o->fields[i].fallback)
                        put(obj, &o->fields[i], &o->fields[i].fallback, sizeof(bool));
        if (!is_type(d, json, json_type_object, "an object"))
                return;
        decode_members(d, o, json, obj);
        for (size_t i = 0; i < o->n_fields; i++) {
                const struct fg_field *f = &o->fields[i];

                if (f->required && !fg_json_get(json, f->name))
                        fg_decode_problem(d, f->name, NULL, "%s",
                                          f->text ? f->text : "is required");
        }
        if (o->check)
                o->check(d, obj);
}
/* NOLINTEND(misc-no-recursion) */

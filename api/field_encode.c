/* SPDX-License-Identifier: Apache-2.0 */
#include "api/field.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"

typedef FG_LIST(void) any_list;

static const void *at(const void *obj, const struct fg_field *f)
{
        return (const char *)obj + f->offset;
}

static void *get_pointer(const void *obj, const struct fg_field *f)
{
        void *p;

        memcpy(&p, at(obj, f), sizeof(p));
        return p;
}

static any_list get_list(const void *obj, const struct fg_field *f)
{
        any_list list;

        memcpy(&list, at(obj, f), sizeof(list));
        return list;
}

static struct json_object *encode_strings(const any_list *list)
{
        struct json_object *array = json_object_new_array();
        char *const *v = list->v;

        for (size_t i = 0; i < list->n; i++)
                json_object_array_add(array, json_object_new_string(v[i]));
        return array;
}

static struct json_object *encode_ints(const any_list *list)
{
        struct json_object *array = json_object_new_array();
        const int64_t *v = list->v;

        for (size_t i = 0; i < list->n; i++)
                json_object_array_add(array, json_object_new_int64(v[i]));
        return array;
}

static struct json_object *encode_map(const any_list *list)
{
        struct json_object *map = json_object_new_object();
        const struct fg_pair *v = list->v;

        for (size_t i = 0; i < list->n; i++)
                fg_json_set_str(map, v[i].name, v[i].value);
        return map;
}

/* Objects hold objects; the tables bound the depth. */
/* NOLINTBEGIN(misc-no-recursion) */
static struct json_object *encode_objects(const struct fg_object *o, const any_list *list)
{
        struct json_object *array = json_object_new_array();
        const char *v = list->v;

        for (size_t i = 0; i < list->n; i++)
                json_object_array_add(array, fg_object_encode(o, v + i * o->size));
        return array;
}

static struct json_object *encode_list(const struct fg_field *f, const any_list *list)
{
        if (list->n == 0 && !f->always)
                return NULL;
        switch (f->type) {
        case FG_FIELD_STRINGS:
                return encode_strings(list);
        case FG_FIELD_INTS:
                return encode_ints(list);
        case FG_FIELD_MAP:
                return encode_map(list);
        default:
                return encode_objects(f->object, list);
        }
}

/* NULL: the member is absent. */
static struct json_object *encode_member(const struct fg_field *f, const void *obj)
{
        const char *text;
        const void *nested;
        any_list list;

        switch (f->type) {
        case FG_FIELD_STRING:
                text = get_pointer(obj, f);
                if (!text && f->always)
                        text = "";
                return text ? json_object_new_string(text) : NULL;
        case FG_FIELD_INT:
                return *(const int64_t *)at(obj, f) != 0 || f->always
                               ? json_object_new_int64(*(const int64_t *)at(obj, f))
                               : NULL;
        case FG_FIELD_BOOL:
                return *(const bool *)at(obj, f) || f->always
                               ? json_object_new_boolean(*(const bool *)at(obj, f))
                               : NULL;
        case FG_FIELD_OBJECT:
                nested = get_pointer(obj, f);
                return nested ? fg_object_encode(f->object, nested) : NULL;
        case FG_FIELD_JSON:
                return json_object_get(get_pointer(obj, f));
        default:
                list = get_list(obj, f);
                return encode_list(f, &list);
        }
}

struct json_object *fg_object_encode(const struct fg_object *o, const void *obj)
{
        struct json_object *json = json_object_new_object();

        for (size_t i = 0; i < o->n_fields; i++) {
                const struct fg_field *f = &o->fields[i];
                struct json_object *value = NULL;

                if (f->status == FG_FIELD_SUPPORTED || f->status == FG_FIELD_RECORDED)
                        value = encode_member(f, obj);
                else if (f->always)
                        value = json_object_new_array();
                if (value)
                        fg_json_set(json, f->name, value);
        }
        return json;
}

static void finish_list(const struct fg_field *f, const any_list *list)
{
        char **strings = list->v;
        struct fg_pair *pairs = list->v;
        char *objects = list->v;

        for (size_t i = 0; i < list->n; i++) {
                if (f->type == FG_FIELD_STRINGS) {
                        free(strings[i]);
                } else if (f->type == FG_FIELD_MAP) {
                        free(pairs[i].name);
                        free(pairs[i].value);
                } else if (f->type != FG_FIELD_INTS) {
                        fg_object_finish(f->object, objects + i * f->object->size);
                }
        }
        free(list->v);
}

static void finish_member(const struct fg_field *f, void *obj)
{
        void *nested;
        any_list list;

        switch (f->type) {
        case FG_FIELD_STRING:
                free(get_pointer(obj, f));
                return;
        case FG_FIELD_INT:
        case FG_FIELD_BOOL:
                return;
        case FG_FIELD_OBJECT:
                nested = get_pointer(obj, f);
                if (nested)
                        fg_object_finish(f->object, nested);
                free(nested);
                return;
        case FG_FIELD_JSON:
                json_object_put(get_pointer(obj, f));
                return;
        default:
                list = get_list(obj, f);
                finish_list(f, &list);
        }
}

void fg_object_finish(const struct fg_object *o, void *obj)
{
        for (size_t i = 0; i < o->n_fields; i++)
                if (o->fields[i].status == FG_FIELD_SUPPORTED ||
                    o->fields[i].status == FG_FIELD_RECORDED)
                        finish_member(&o->fields[i], obj);
}
/* NOLINTEND(misc-no-recursion) */

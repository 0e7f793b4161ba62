/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/xml.h"

#include <string.h>

#include "core/json.h"

int fg_xml_append_text(struct fg_buf *out, const char *text, struct fg_error *err)
{
        for (const char *p = text; *p; p++) {
                const char *entity = NULL;

                switch (*p) {
                case '&':
                        entity = "&amp;";
                        break;
                case '<':
                        entity = "&lt;";
                        break;
                case '>':
                        entity = "&gt;";
                        break;
                default:
                        if ((unsigned char)*p < ' ' && !strchr("\t\n\r", *p))
                                entity = "?";
                }
                if (fg_buf_append(out, entity ? entity : p, entity ? strlen(entity) : 1, err) < 0)
                        return -1;
        }
        return 0;
}

/* Values hold values; what fgd answers is as deep as its own tables. */
/* NOLINTBEGIN(misc-no-recursion) */
static int append_element(struct fg_buf *out, const char *name, struct json_object *value,
                          struct fg_error *err);

static int append_value(struct fg_buf *out, struct json_object *value, struct fg_error *err)
{
        if (json_object_is_type(value, json_type_object))
                return fg_xml_append(out, value, err);
        if (!json_object_is_type(value, json_type_array))
                return fg_xml_append_text(out, json_object_get_string(value), err);
        for (size_t i = 0; i < json_object_array_length(value); i++)
                if (append_element(out, "member", json_object_array_get_idx(value, i), err) < 0)
                        return -1;
        return 0;
}

static int append_element(struct fg_buf *out, const char *name, struct json_object *value,
                          struct fg_error *err)
{
        if (!value)
                return 0;
        if (fg_buf_printf(out, err, "<%s>", name) < 0 || append_value(out, value, err) < 0)
                return -1;
        return fg_buf_printf(out, err, "</%s>", name);
}

int fg_xml_append(struct fg_buf *out, struct json_object *obj, struct fg_error *err)
{
        json_object_object_foreach(obj, name, value)
        {
                if (append_element(out, name, value, err) < 0)
                        return -1;
        }
        return 0;
}
/* NOLINTEND(misc-no-recursion) */

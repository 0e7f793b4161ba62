/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tag.h"

#include <strings.h>

#include "api/field_row.h"
#include "core/json.h"
#include "core/str.h"

bool fg_tag_check_key(struct fg_decode *d, const char *s)
{
        if (strncasecmp(s, "aws:", 4) != 0)
                return true;
        fg_decode_problem(d, NULL, NULL, "tag keys must not begin with aws:");
        return false;
}

static const struct fg_field fields[] = {
        FG_ROW_STRING(fg_pair, name, "key", .status = FG_FIELD_RECORDED, .required = true, .min = 1,
                      .max = 128, .check = fg_tag_check_key),
        FG_ROW_STRING(fg_pair, value, "value", .status = FG_FIELD_RECORDED, .max = 256),
};
const struct fg_object fg_tag_object = FG_OBJECT(fg_pair, fields);

void fg_tags_check(struct fg_decode *d, const char *member, const struct fg_pairs *tags)
{
        for (size_t i = 0; i < tags->n; i++)
                for (size_t j = 0; tags->v[i].name && j < i; j++)
                        if (tags->v[j].name && fg_streq(tags->v[i].name, tags->v[j].name))
                                fg_decode_problem(d, member, NULL, "the key '%.*s' is given twice",
                                                  FG_CLIP(tags->v[i].name));
}

struct json_object *fg_tags_to_json(const struct fg_pairs *tags)
{
        struct json_object *list = json_object_new_array();

        for (size_t i = 0; i < tags->n; i++) {
                struct json_object *tag = json_object_new_object();

                fg_json_set_str(tag, "key", tags->v[i].name);
                fg_json_set_str(tag, "value", tags->v[i].value ? tags->v[i].value : "");
                json_object_array_add(list, tag);
        }
        return list;
}

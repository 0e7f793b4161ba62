/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/field.h"
#include "core/cleanup.h"

/* How a table is written: one FG_ROW_…() per member, FG_OBJECT() around them. */

/* The member's offset; does not compile when the member has another C type than the row says. */
#define FG_OFFSET(owner, member, ctype)                                                            \
        (offsetof(struct owner, member) +                                                          \
         0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((struct owner *)0)->member),     \
                                                      ctype)                                       \
                                 ? 1                                                               \
                                 : -1]))
#define FG_ROW_STRING(owner, member, key, ...)                                                     \
        {                                                                                          \
                .name = key, .type = FG_FIELD_STRING, .offset = FG_OFFSET(owner, member, char *),  \
                __VA_ARGS__                                                                        \
        }
#define FG_ROW_INT(owner, member, key, ...)                                                        \
        {                                                                                          \
                .name = key, .type = FG_FIELD_INT, .offset = FG_OFFSET(owner, member, int64_t),    \
                __VA_ARGS__                                                                        \
        }
#define FG_ROW_BOOL(owner, member, key, ...)                                                       \
        {                                                                                          \
                .name = key, .type = FG_FIELD_BOOL, .offset = FG_OFFSET(owner, member, bool),      \
                __VA_ARGS__                                                                        \
        }
#define FG_ROW_STRINGS(owner, member, key, ...)                                                    \
        {                                                                                          \
                .name = key, .type = FG_FIELD_STRINGS,                                             \
                .offset = FG_OFFSET(owner, member, struct fg_strings), __VA_ARGS__                 \
        }
#define FG_ROW_INTS(owner, member, key, ...)                                                       \
        {                                                                                          \
                .name = key, .type = FG_FIELD_INTS,                                                \
                .offset = FG_OFFSET(owner, member, struct fg_ints), __VA_ARGS__                    \
        }
#define FG_ROW_MAP(owner, member, key, ...)                                                        \
        {                                                                                          \
                .name = key, .type = FG_FIELD_MAP,                                                 \
                .offset = FG_OFFSET(owner, member, struct fg_pairs), __VA_ARGS__                   \
        }
#define FG_ROW_OBJECT(owner, member, key, table, ...)                                              \
        {                                                                                          \
                .name = key, .type = FG_FIELD_OBJECT, .offset = offsetof(struct owner, member),    \
                .object = table, __VA_ARGS__                                                       \
        }
#define FG_ROW_OBJECTS(owner, member, key, table, ...)                                             \
        {                                                                                          \
                .name = key, .type = FG_FIELD_OBJECTS, .offset = offsetof(struct owner, member),   \
                .object = table, __VA_ARGS__                                                       \
        }
#define FG_ROW_JSON(owner, member, key, ...)                                                       \
        {                                                                                          \
                .name = key, .type = FG_FIELD_JSON,                                                \
                .offset = FG_OFFSET(owner, member, struct json_object *), __VA_ARGS__              \
        }
#define FG_ROW_LATER(key, ...)                                                                     \
        {                                                                                          \
                .name = key, .status = FG_FIELD_LATER, __VA_ARGS__                                 \
        }
#define FG_ROW_REFUSED(key, why, ...)                                                              \
        {                                                                                          \
                .name = key, .status = FG_FIELD_REFUSED, .text = why, __VA_ARGS__                  \
        }
#define FG_ROW_OUTPUT(key)                                                                         \
        {                                                                                          \
                .name = key, .status = FG_FIELD_OUTPUT                                             \
        }

#define FG_OBJECT(owner, rows, ...)                                                                \
        {                                                                                          \
                .size = sizeof(struct owner), .fields = rows, .n_fields = FG_ARRAY_SIZE(rows),     \
                __VA_ARGS__                                                                        \
        }

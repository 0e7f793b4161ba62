/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/field_row.h"
#include "api/taskdef_private.h"
#include "core/str.h"

/* systemControls and volumesFrom. */

#define NAME_CHARS                                                                                 \
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:@+" /* and separators */

/*
 * "net.core.somaxconn" or "net/core/somaxconn". As sysctl(8) has it, the first separator is the one
 * of the name; the other may stand within its parts, as in the name of a network interface.
 */
static bool check_control(struct fg_decode *d, const char *s)
{
        const char separator = s[strcspn(s, "./")];
        const char *part = s;
        bool good = separator != '\0' && s[strspn(s, NAME_CHARS "./")] == '\0';

        while (good && part) {
                const char *next = strchr(part, separator);
                size_t len = next ? (size_t)(next - part) : strlen(part);

                /* With dots as separators a slash is a dot of the path. */
                good = len > 0 && strspn(part, separator == '.' ? "/" : ".") < len;
                part = next ? next + 1 : NULL;
        }
        if (!good)
                fg_decode_problem(d, NULL, "a name below /proc/sys, as net.core.somaxconn",
                                  "'%.*s' is not the name of a system control", FG_CLIP(s));
        return good;
}

static const struct fg_field control_fields[] = {
        FG_ROW_STRING(fg_system_control, name, "namespace", .required = true, .min = 1, .max = 255,
                      .check = check_control),
        FG_ROW_STRING(fg_system_control, value, "value", .required = true, .min = 1, .max = 4095),
};
const struct fg_object fg_system_control_object = FG_OBJECT(fg_system_control, control_fields);

static const struct fg_field from_fields[] = {
        FG_ROW_STRING(fg_volume_from, source_container, "sourceContainer", .required = true,
                      .min = 1),
        FG_ROW_BOOL(fg_volume_from, read_only, "readOnly"),
};
const struct fg_object fg_volume_from_object = FG_OBJECT(fg_volume_from, from_fields);

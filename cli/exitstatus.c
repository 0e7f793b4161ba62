/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exitstatus.h"

#include <stdbool.h>

#include "core/json.h"
#include "core/str.h"

static bool is_essential(struct json_object *definition, const char *name)
{
        struct json_object *containers = fg_json_arr(definition, "containerDefinitions");

        for (size_t i = 0; containers && i < json_object_array_length(containers); i++) {
                struct json_object *container = json_object_array_get_idx(containers, i);
                const char *other = fg_json_str(container, "name");

                if (other && fg_streq(other, name))
                        return fg_json_bool(container, "essential", true);
        }
        return true;
}

int fg_exit_status_of(struct json_object *task, struct json_object *definition)
{
        struct json_object *containers = fg_json_arr(task, "containers");
        const char *first = fg_json_str(fg_json_obj(task, "fgrun"), "endedBy");
        const char *stop_code = fg_json_str(task, "stopCode");
        int64_t status = -1;

        for (size_t i = 0; containers && i < json_object_array_length(containers); i++) {
                struct json_object *container = json_object_array_get_idx(containers, i);
                const char *name = fg_json_str(container, "name");
                int64_t code = fg_json_int(container, "exitCode", -1);

                if (code < 0 || !name || !is_essential(definition, name))
                        continue;
                if (first && fg_streq(first, name))
                        return (int)code & 0xff;
                if (status < 0)
                        status = code & 0xff;
        }
        if (status >= 0)
                return (int)status;
        return stop_code && fg_streq(stop_code, "UserInitiated") ? FG_EXIT_INTERRUPTED
                                                                 : FG_EXIT_TASK_FAILED;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/restart.h"

#include "core/clock.h"
#include "core/json.h"

#define PERIOD 300 /* s; ECS's default */

void fg_restart_init(struct fg_restart *r, struct json_object *spec)
{
        struct json_object *policy = fg_json_obj(spec, "restartPolicy");
        const int64_t period = fg_json_int(policy, "restartAttemptPeriod", PERIOD);

        *r = (struct fg_restart){
                .enabled = fg_json_bool(policy, "enabled", false),
                .ignored = fg_json_arr(policy, "ignoredExitCodes"),
                .period = (uint64_t)(period < 0 ? 0 : period) * FG_NS_PER_SEC,
        };
}

bool fg_restart_wanted(const struct fg_restart *r, int exit_code, uint64_t mono_now)
{
        if (!r->enabled || mono_now - r->since < r->period)
                return false;
        for (size_t i = 0; r->ignored && i < json_object_array_length(r->ignored); i++) {
                struct json_object *code = json_object_array_get_idx(r->ignored, i);

                if (json_object_is_type(code, json_type_int) &&
                    json_object_get_int64(code) == exit_code)
                        return false;
        }
        return true;
}

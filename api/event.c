/* SPDX-License-Identifier: Apache-2.0 */
#include "api/event.h"

#include <stdio.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"

#define STATE_MAX (64 * 1024) /* ten containers with a reason of 1 KiB each, and more */

char *fg_event_state(const struct fg_task *t)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(STATE_MAX);
        struct fg_error err = FG_ERROR_INIT;

        (void)fg_buf_printf(&b, &err, "%s %d", fg_task_state_name(t->state), t->stop_wanted);
        for (size_t i = 0; i < t->n_containers; i++) {
                const struct fg_container *c = &t->containers[i];

                (void)fg_buf_printf(&b, &err, " %s %d", fg_container_state_name(c->state),
                                    c->exit_code);
        }
        return fg_buf_take(&b);
}

static struct json_object *resources_json(struct json_object *task)
{
        struct json_object *list = json_object_new_array();
        const char *arn = fg_json_str(task, "taskArn");

        json_object_array_add(list, json_object_new_string(arn ? arn : ""));
        return list;
}

char *fg_event_text(struct json_object *task, const struct fg_names *names, uint64_t now_ns)
{
        fg_autojson *event = json_object_new_object();
        char id[FG_ID_LEN + 1], uuid[FG_UUID_LEN + 1], time[FG_RFC3339_MAX];

        fg_id_new(id);
        fg_id_to_uuid(id, uuid);
        fg_rfc3339(now_ns, time);
        json_object_object_del(task, "fgrun");
        fg_json_set_str(task, "updatedAt", time);
        fg_json_set_str(event, "version", "0");
        fg_json_set_str(event, "id", uuid);
        fg_json_set_str(event, "detail-type", FG_EVENT_DETAIL_TYPE);
        fg_json_set_str(event, "source", "aws.ecs");
        fg_json_set_str(event, "account", names->account);
        fg_json_set_str(event, "time", time);
        fg_json_set_str(event, "region", names->region);
        fg_json_set(event, "resources", resources_json(task));
        fg_json_set(event, "detail", json_object_get(task));
        return fg_strdup(fg_json_text(event));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/publish.h"

#include <limits.h>
#include <string.h>

#include "core/json.h"
#include "core/str.h"

static struct json_object *fail(const char *text, struct fg_error *err)
{
        fg_fail(err, FG_ERR_INVALID, "publish '%s': expected [ADDR:]HOST:CONTAINER[/tcp|/udp]",
                text);
        return NULL;
}

struct json_object *fg_publish_parse(const char *text, struct fg_error *err)
{
        fg_autofree char *copy = fg_strdup(text);
        char *protocol = strchr(copy, '/'), *container = strrchr(copy, ':'), *host;
        struct json_object *obj;
        uint64_t from, to;

        if (protocol)
                *protocol++ = '\0';
        if (!container || (protocol && !fg_streq(protocol, "tcp") && !fg_streq(protocol, "udp")))
                return fail(text, err);
        *container++ = '\0';
        host = strrchr(copy, ':');
        if (host)
                *host++ = '\0';
        if (fg_parse_u64(host ? host : copy, &from) && fg_parse_u64(container, &to) &&
            (from < 1 || from > UINT16_MAX || to < 1 || to > UINT16_MAX)) {
                fg_fail(err, FG_ERR_INVALID, "publish '%s': ports are from 1 to 65535", text);
                return NULL;
        }
        if (!fg_parse_u64(host ? host : copy, &from) || !fg_parse_u64(container, &to) ||
            (host && !*copy))
                return fail(text, err);
        obj = json_object_new_object();
        if (host)
                fg_json_set_str(obj, "hostAddress", copy);
        fg_json_set_int(obj, "hostPort", (int64_t)from);
        fg_json_set_int(obj, "containerPort", (int64_t)to);
        fg_json_set_str(obj, "protocol", protocol ? protocol : "tcp");
        return obj;
}

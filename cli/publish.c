/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/publish.h"

#include <limits.h>
#include <string.h>

#include "core/json.h"
#include "core/str.h"

#define PORTS_MAX 100 /* of one task, as fgd has it */

struct range {
        uint64_t first, last;
};

static int fail(const char *text, struct fg_error *err)
{
        return fg_fail(err, FG_ERR_INVALID,
                       "publish '%s': expected [ADDR:]HOST:CONTAINER[/tcp|/udp], where HOST and "
                       "CONTAINER are ports or ranges (8000-8010), and an IPv6 ADDR is in brackets",
                       text);
}

static bool parse_range(char *text, struct range *ret)
{
        char *last = strchr(text, '-');

        if (last)
                *last++ = '\0';
        if (!fg_parse_u64(text, &ret->first))
                return false;
        ret->last = ret->first;
        return !last || fg_parse_u64(last, &ret->last);
}

static int check(const char *text, const struct range *host, const struct range *container,
                 struct fg_error *err)
{
        if (host->first < 1 || host->last > UINT16_MAX || container->first < 1 ||
            container->last > UINT16_MAX)
                return fg_fail(err, FG_ERR_INVALID, "publish '%s': ports are from 1 to 65535",
                               text);
        if (host->last < host->first || container->last < container->first)
                return fg_fail(err, FG_ERR_INVALID, "publish '%s': a range ends before it begins",
                               text);
        if (host->last - host->first != container->last - container->first)
                return fg_fail(err, FG_ERR_INVALID,
                               "publish '%s': the two ranges are not of one length", text);
        if (host->last - host->first >= PORTS_MAX)
                return fg_fail(err, FG_ERR_INVALID,
                               "publish '%s': a task publishes %d ports at most", text, PORTS_MAX);
        return 0;
}

/* Return: the address without brackets, "" for all, or NULL. */
static char *take_address(char *text, char **ret_rest)
{
        char *end = *text == '[' ? strstr(text, "]:") : strrchr(text, ':');
        char *address = text;

        *ret_rest = text;
        if (!end)
                return *text == '[' ? NULL : (char *)"";
        *ret_rest = end + (*text == '[' ? 2 : 1);
        *end = '\0';
        if (*text == '[')
                address++;
        return *address && (address != text || !strchr(address, ':')) ? address : NULL;
}

int fg_publish_add(struct json_object *publish, const char *text, struct fg_error *err)
{
        fg_autofree char *copy = fg_strdup(text);
        char *protocol = strchr(copy, '/'), *container = strrchr(copy, ':'), *ports, *address;
        struct range from, to;

        if (protocol)
                *protocol++ = '\0';
        if (!container || (protocol && !fg_streq(protocol, "tcp") && !fg_streq(protocol, "udp")))
                return fail(text, err);
        *container++ = '\0';
        address = take_address(copy, &ports);
        if (!address || !parse_range(ports, &from) || !parse_range(container, &to))
                return fail(text, err);
        if (check(text, &from, &to, err) < 0)
                return -1;
        for (uint64_t i = 0; i <= from.last - from.first; i++) {
                struct json_object *obj = json_object_new_object();

                if (*address)
                        fg_json_set_str(obj, "hostAddress", address);
                fg_json_set_int(obj, "hostPort", (int64_t)(from.first + i));
                fg_json_set_int(obj, "containerPort", (int64_t)(to.first + i));
                fg_json_set_str(obj, "protocol", protocol ? protocol : "tcp");
                (void)json_object_array_add(publish, obj);
        }
        return 0;
}

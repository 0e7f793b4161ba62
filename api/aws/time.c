/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/time.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/json.h"

struct json_object *fg_aws_time(uint64_t ns)
{
        char text[32];

        /* With its own text: a double printed in full would show what it cannot represent. */
        (void)snprintf(text, sizeof(text), "%" PRIu64 ".%03u", ns / FG_NS_PER_SEC,
                       (unsigned)(ns % FG_NS_PER_SEC / FG_NS_PER_MSEC));
        return json_object_new_double_s((double)ns / (double)FG_NS_PER_SEC, text);
}

void fg_aws_set_time(struct json_object *obj, const char *key, uint64_t ns)
{
        if (ns > 0)
                fg_json_set(obj, key, fg_aws_time(ns));
}

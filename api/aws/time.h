/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct json_object;

/** fg_aws_time() - a timestamp as the JSON protocol has it: seconds since the epoch, a number. */
struct json_object *fg_aws_time(uint64_t ns);
/** fg_aws_set_time() - the same as a member; 0 ns: left out. */
void fg_aws_set_time(struct json_object *obj, const char *key, uint64_t ns);

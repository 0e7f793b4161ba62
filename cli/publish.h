/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

struct json_object;

/**
 * fg_publish_parse() - "[ADDR:]HOST:CONTAINER[/udp]" as an element of a request's `publish`
 * Whether the numbers are ports is fgd's to check. The caller puts the object; NULL: INVALID.
 */
struct json_object *fg_publish_parse(const char *text, struct fg_error *err);

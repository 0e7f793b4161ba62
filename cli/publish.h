/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

struct json_object;

/**
 * fg_publish_add() - "[ADDR:]HOST:CONTAINER[/udp]" to a request's `publish`
 * A range of ports (8000-8010:80-90) is as many elements. INVALID says what is allowed.
 */
int fg_publish_add(struct json_object *publish, const char *text, struct fg_error *err);

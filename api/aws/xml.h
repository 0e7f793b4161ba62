/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/buf.h"

struct json_object;

/**
 * fg_xml_append() - the members of a JSON object as elements, lists as <member>s
 * Scalars become text; what XML cannot carry becomes '?'.
 */
int fg_xml_append(struct fg_buf *out, struct json_object *obj, struct fg_error *err);
int fg_xml_append_text(struct fg_buf *out, const char *text, struct fg_error *err);

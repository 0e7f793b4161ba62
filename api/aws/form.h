/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "core/error.h"

struct json_object;

/**
 * fg_form_parse() - an application/x-www-form-urlencoded body
 * Return: an object whose values are strings, for the caller to put. NULL: INVALID (a broken
 * escape, a name twice, what is not UTF-8 text).
 */
struct json_object *fg_form_parse(const char *text, size_t len, struct fg_error *err);

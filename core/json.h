/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * json-c with the sharp edges off: strict parsing with a depth limit, duplicate members are
 * refused, and so are halves of surrogate pairs; typed getters. Getters borrow: pointers live as
 * long as the object. Constructors abort out of memory (small values) and never return NULL.
 */
struct json_object;

FG_DEFINE_CLEANUP(struct json_object *, json_object_put)
#define fg_autojson   fg_cleanup(json_object_putp) struct json_object

#define FG_JSON_DEPTH 32

/** fg_json_parse() - one JSON value and nothing after it; NULL: INVALID with line and column. */
struct json_object *fg_json_parse(const char *text, size_t len, struct fg_error *err);
struct json_object *fg_json_parse_file(const char *path, size_t max, struct fg_error *err);

/* Member access. A missing member or null gives the fallback / NULL; so does a wrong type. */
struct json_object *fg_json_get(struct json_object *obj, const char *key); /* any type */
const char *fg_json_str(struct json_object *obj, const char *key);
int64_t fg_json_int(struct json_object *obj, const char *key, int64_t fallback);
bool fg_json_bool(struct json_object *obj, const char *key, bool fallback);
struct json_object *fg_json_obj(struct json_object *obj, const char *key);
struct json_object *fg_json_arr(struct json_object *obj, const char *key);

/* Building. The value is taken by the container. NULL strings are left out. */
void fg_json_set(struct json_object *obj, const char *key, struct json_object *take_value);
void fg_json_set_str(struct json_object *obj, const char *key, const char *value);
void fg_json_set_int(struct json_object *obj, const char *key, int64_t value);
void fg_json_set_bool(struct json_object *obj, const char *key, bool value);
/** fg_json_raw() - a value whose text is @text as it is, which must be JSON; it has no members. */
struct json_object *fg_json_raw(const char *text);
/** fg_json_wipe() - overwrite the strings below @value (or NULL) before it is put. */
void fg_json_wipe(struct json_object *value);
/** fg_json_text() - compact text, borrowed from @obj until it changes. */
const char *fg_json_text(struct json_object *obj);

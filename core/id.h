/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define FG_ID_LEN   32 /* lower-case hex digits of a task id */
#define FG_UUID_LEN 36

void fg_random(void *bytes, size_t len); /* getrandom(2); aborts when the kernel refuses */
void fg_id_new(char ret[FG_ID_LEN + 1]);
bool fg_id_valid(const char *s);
/** fg_id_to_uuid() - the same 128 bits with dashes: a task's VM has the task's id as its UUID. */
void fg_id_to_uuid(const char *id, char ret[FG_UUID_LEN + 1]);
bool fg_id_from_uuid(const char *uuid, char ret[FG_ID_LEN + 1]);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/capability.h>
#include <stdint.h>

#include "core/error.h"

/* Sets of capabilities are 64-bit masks. */
#define FG_CAP(cap) (UINT64_C(1) << (cap))

struct json_object;

/**
 * fg_caps_parse() - what a container may have: Docker's default set with its "add" and "drop"
 * @capabilities: linuxParameters.capabilities, or NULL; "ALL" works in both lists
 */
int fg_caps_parse(struct json_object *capabilities, uint64_t *ret, struct fg_error *err);
/** fg_caps_bound() - nothing outside @set can be had by any later execve() */
int fg_caps_bound(uint64_t set, struct fg_error *err);
/** fg_caps_set() - permitted and effective become @set, inheritable and ambient empty */
int fg_caps_set(uint64_t set, struct fg_error *err);
/** fg_caps_limit() - both */
int fg_caps_limit(uint64_t set, struct fg_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

/** fg_base64_decode() - append the bytes of standard, padded base64 text; -1: INVALID, CAPACITY. */
int fg_base64_decode(const char *text, size_t len, struct fg_buf *ret, struct fg_error *err);
/** fg_base64_size() - how many bytes the text stands for, if it is valid. */
size_t fg_base64_size(const char *text, size_t len);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/buf.h"
#include "core/error.h"

/** fg_secret_read() - the value of a secret: a file, or standard input ("-" or NULL), where a
 * terminal is asked for one line and shows nothing. @ret wipes itself. */
int fg_secret_read(const char *file, struct fg_buf *ret, struct fg_error *err);

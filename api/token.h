/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/** fg_token_get() - the bearer token in STATE_DIR/token, made (mode 0600) at the first call. */
char *fg_token_get(const char *state_dir, struct fg_error *err);

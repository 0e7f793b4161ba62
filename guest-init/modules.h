/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/** fg_modules_load() - load and remove what FG_PROTO_MODULES lists; our own kernel needs nothing */
int fg_modules_load(struct fg_error *err);

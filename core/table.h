/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* uthash with another hash function: clang warns about the fall-throughs of the default one. */
#define HASH_FUNCTION HASH_OAT
#include <uthash.h>

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* What the programs that open strangers' archives share: they confine themselves first. */

/* A sanitizer's runtime needs address space and system calls of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FG_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FG_SANITIZED 1
#endif
#endif
#ifndef FG_SANITIZED
#define FG_SANITIZED 0
#endif

/** fg_confine_limit() - soft and hard limit of a resource, see setrlimit(2) */
int fg_confine_limit(int resource, uint64_t value, struct fg_error *err);
/** fg_confine_calls() - any other system call ends the process; nothing in a sanitized build. With
 * fallocate(2) a process may only punch holes, or it could fill a disk before anybody sees it. */
int fg_confine_calls(const int *calls, size_t n, struct fg_error *err);

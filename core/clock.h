/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FG_NS_PER_SEC  UINT64_C(1000000000)
#define FG_NS_PER_MSEC UINT64_C(1000000)

uint64_t fg_now_ns(void);  /* CLOCK_REALTIME, ns since the epoch */
uint64_t fg_mono_ns(void); /* CLOCK_MONOTONIC, ns */
#define FG_RFC3339_MAX 40
/** fg_rfc3339() - "2026-01-02T03:04:05.678Z" into @ret (FG_RFC3339_MAX bytes). */
void fg_rfc3339(uint64_t ns, char *ret);
/** fg_rfc3339_parse() - the reverse; also takes a plain number of epoch seconds. 0 when invalid. */
uint64_t fg_rfc3339_parse(const char *s);

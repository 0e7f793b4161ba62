/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What a fuzz target defines; libFuzzer or replay.c calls it. Return: always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

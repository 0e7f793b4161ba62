/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The task sizes of Fargate. 1 vCPU is 1024 CPU units. Both spellings of ECS are read: "256" and
 * ".25 vCPU", "512" (MiB) and "0.5 GB".
 */

/** fg_size_parse_cpu() - CPU units. Return: false for text that is no size. */
bool fg_size_parse_cpu(const char *s, int64_t *ret_units);
/** fg_size_parse_memory() - MiB. Return: false for text that is no size. */
bool fg_size_parse_memory(const char *s, int64_t *ret_mib);

bool fg_size_cpu_exists(int64_t cpu);
bool fg_size_memory_exists(int64_t memory); /* with any CPU */
bool fg_size_pair_exists(int64_t cpu, int64_t memory);
/** fg_size_list_cpu() - "256, 512, …"; caller frees. */
char *fg_size_list_cpu(void);
/** fg_size_list_memory() - what goes with @cpu, which exists; caller frees. */
char *fg_size_list_memory(int64_t cpu);

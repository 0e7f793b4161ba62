/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Functions that have no safe use here. Included before every file by the build; calling one of
 * them fails to compile, and the name of the error says what to use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef strcpy
#define strcpy(d, s) use_snprintf_instead_of_strcpy
#undef strcat
#define strcat(d, s) use_fg_buf_printf_instead_of_strcat
#undef strncpy
#define strncpy(d, s, n) use_snprintf_instead_of_strncpy
#undef strncat
#define strncat(d, s, n) use_fg_buf_printf_instead_of_strncat
#undef sprintf
#define sprintf(...) use_snprintf_instead_of_sprintf
#undef vsprintf
#define vsprintf(...) use_vsnprintf_instead_of_vsprintf
#undef strtok
#define strtok(s, d) use_strsep_instead_of_strtok
#undef atoi
#define atoi(s) use_fg_parse_u64_instead_of_atoi
#undef system
#define system(c) use_fg_spawn_instead_of_system
#undef popen
#define popen(c, m) use_fg_spawn_instead_of_popen
#undef mktemp
#define mktemp(t) use_mkstemp_instead_of_mktemp

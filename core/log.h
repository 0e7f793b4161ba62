/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Lines of key=value on stderr, with journal priority prefixes when stderr is the journal. Only
 * api/ and the mains log above debug: libraries return errors. Thread: any.
 */
enum fg_log_level { FG_LOG_ERROR = 3, FG_LOG_WARN = 4, FG_LOG_INFO = 6, FG_LOG_DEBUG = 7 };

void fg_log_init(enum fg_log_level max);
/** fg_log() - one line; @fmt is the message, already with its key=value pairs ("task=%s ..."). */
void fg_log(enum fg_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define fg_log_error(...) fg_log(FG_LOG_ERROR, __VA_ARGS__)
#define fg_log_warn(...)  fg_log(FG_LOG_WARN, __VA_ARGS__)
#define fg_log_info(...)  fg_log(FG_LOG_INFO, __VA_ARGS__)
#define fg_log_debug(...) fg_log(FG_LOG_DEBUG, __VA_ARGS__)

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** fg_console() - one line for people on the guest's console; never part of the protocol */
void fg_console(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

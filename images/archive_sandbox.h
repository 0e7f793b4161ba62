/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/**
 * fg_archive_sandbox() - leave this process nothing but its open descriptors and one directory
 * Its root becomes the directory behind @dir; it is nobody (if it was root), may gain nothing, is
 * bounded in memory and time, and only the system calls of a tar reader are left. All or nothing:
 * -1 means that no untrusted byte may be read.
 */
int fg_archive_sandbox(int dir, struct fg_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/buf.h"

/*
 * Debian's cloud kernel as the guest's. It finds its devices through ACPI and has their drivers as
 * modules, which the guest needs before anything else.
 */
struct fg_stock {
        char *kernel;  /* heap: path */
        char *modules; /* heap: the directory of its modules */
};

/**
 * fg_stock_find() - the newest one
 * @boot: "/boot"; @lib: "/lib/modules"
 * Errors: NOT_FOUND, naming the package.
 */
int fg_stock_find(const char *boot, const char *lib, struct fg_stock *ret, struct fg_error *err);
void fg_stock_finish(struct fg_stock *stock);

/**
 * fg_stock_add_modules() - append an archive of what a guest loads
 * FG_PROTO_MODULES lists the files in the order in which they can be loaded.
 */
int fg_stock_add_modules(const char *modules, struct fg_buf *out, struct fg_error *err);

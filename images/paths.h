/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The inside of the store, for store.c and writer.c only. */
struct fg_store {
        char *blobs, *tmp, *trash; /* directories */
        unsigned trashed;          /* names in the trash; loop only */
};

char *fg_store_blob_path(const struct fg_store *store, const char *digest);
char *fg_store_part_path(const struct fg_store *store, const char *digest);

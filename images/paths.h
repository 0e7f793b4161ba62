/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The inside of the store, for blobstore.c and writer.c only. */
struct fg_blobstore {
        char *blobs, *tmp, *trash; /* directories */
        unsigned trashed;          /* names in the trash; loop only */
};

char *fg_blobstore_blob_path(const struct fg_blobstore *store, const char *digest);
char *fg_blobstore_part_path(const struct fg_blobstore *store, const char *digest);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/digest.h"

/* Inside fg-archive: members of a `docker save` tar. The file is read twice, from its start. */

#define FG_ARCHIVE_PATH_MAX 1024

/* What the image needs out of the archive, and what became of it. */
struct fg_member {
        char *path;
        char digest[FG_DIGEST_LEN + 1]; /* "" until it was found */
        uint64_t size;
        const char *media_type; /* by its first bytes */
};

/* Symbolic and hard links of the archive: old `docker save` shares layers so. */
struct fg_links;
void fg_links_free(struct fg_links *links);
FG_DEFINE_CLEANUP(struct fg_links *, fg_links_free)
/** fg_links_resolve() - the member that @path means; caller frees; NULL: INVALID. */
char *fg_links_resolve(const struct fg_links *links, const char *path, struct fg_error *err);

/** fg_archive_scan() - manifest.json into @ret, and the links. */
int fg_archive_scan(int fd, struct fg_buf *ret, struct fg_links **ret_links, struct fg_error *err);
/** fg_archive_extract() - each member to blobs/sha256/<hex> of the working directory. */
int fg_archive_extract(int fd, struct fg_member *members, size_t n, struct fg_error *err);

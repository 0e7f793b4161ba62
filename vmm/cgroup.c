/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/cgroup.h"

#include <ftw.h>
#include <glob.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/str.h"
#include "vmm/domain.h"

#define WALK_FDS 8

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
        (void)st;
        (void)walk;
        if (kind == FTW_DP)
                (void)rmdir(path); /* refused while a process is in it */
        return 0;
}

void fg_cgroup_remove(const char *root, const char *id)
{
        fg_autofree char *v2 = fg_asprintf("%s/machine/*-" FG_DOMAIN_PREFIX "%s.*", root, id);
        fg_autofree char *v1 = fg_asprintf("%s/*/machine/*-" FG_DOMAIN_PREFIX "%s.*", root, id);
        glob_t found = { 0 };

        (void)glob(v2, GLOB_NOSORT, NULL, &found);
        (void)glob(v1, GLOB_NOSORT | GLOB_APPEND, NULL, &found);
        for (size_t i = 0; i < found.gl_pathc; i++)
                (void)nftw(found.gl_pathv[i], remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS);
        globfree(&found);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "core/paths.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/str.h"

static const char *env(const char *name)
{
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

/* An XDG directory: $@xdg/fgrun, or @fallback below the home directory. */
static char *user_dir(const char *xdg, const char *fallback)
{
        if (env(xdg))
                return fg_asprintf("%s/fgrun", env(xdg));
        return fg_asprintf("%s/%s/fgrun", env("HOME") ? env("HOME") : "/tmp", fallback);
}

char *fg_path_state_dir(void)
{
        if (env("FGRUN_STATE_DIR"))
                return fg_strdup(env("FGRUN_STATE_DIR"));
        return geteuid() == 0 ? fg_strdup("/var/lib/fgrun")
                              : user_dir("XDG_STATE_HOME", ".local/state");
}

char *fg_path_cache_dir(void)
{
        if (env("FGRUN_CACHE_DIR"))
                return fg_strdup(env("FGRUN_CACHE_DIR"));
        return geteuid() == 0 ? fg_strdup("/var/cache/fgrun")
                              : user_dir("XDG_CACHE_HOME", ".cache");
}

char *fg_path_run_dir(void)
{
        if (env("FGRUN_RUN_DIR"))
                return fg_strdup(env("FGRUN_RUN_DIR"));
        if (geteuid() == 0)
                return fg_strdup("/run/fgrun");
        if (env("XDG_RUNTIME_DIR"))
                return fg_asprintf("%s/fgrun", env("XDG_RUNTIME_DIR"));
        return fg_asprintf("/tmp/fgrun-%u", geteuid());
}

char *fg_path_socket(void)
{
        fg_autofree char *run = fg_path_run_dir();

        return fg_asprintf("%s/fgd.sock", run);
}

char *fg_path_exe_dir(void)
{
        char path[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

        if (n < 0)
                return fg_strdup(".");
        path[n] = '\0';
        *strrchr(path, '/') = '\0';
        return fg_strdup(*path ? path : "/");
}

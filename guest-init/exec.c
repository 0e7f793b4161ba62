/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/str.h"
#include "guest-init/environment.h"

#define SELF "/proc/self/exe"

/* Return: 0, or why @path cannot be executed. */
static int check_executable(const char *path)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return errno;
        if (S_ISDIR(st.st_mode))
                return EISDIR;
        return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

int fg_process_exec_error(const char *name, int sys, struct fg_error *err)
{
        switch (sys) {
        case ENOENT:
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "exec: \"%s\": stat %s: no such file or directory", name, name);
        case EACCES:
                return fg_fail(err, FG_ERR_DENIED, "exec: \"%s\": permission denied", name);
        case EISDIR:
                return fg_fail(err, FG_ERR_DENIED, "exec: \"%s\": is a directory", name);
        case ENOEXEC:
                return fg_fail(err, FG_ERR_INVALID, "exec %s: exec format error", name);
        default:
                return fg_fail_errno(err, sys, "exec: \"%s\"", name);
        }
}

static int find_in_path(struct fg_process *p, const char *name, struct fg_error *err)
{
        fg_autofree char *list = fg_strdup(fg_environment_get(p->env, "PATH") ?: "");
        char *rest = list, *dir;
        int found = ENOENT;

        while ((dir = strsep(&rest, ":"))) {
                fg_autofree char *path = fg_asprintf("%s/%s", *dir ? dir : ".", name);
                int r = check_executable(path);

                if (r == 0) {
                        p->path = fg_take_ptr(path);
                        return 0;
                }
                if (r == EACCES)
                        found = EACCES;
        }
        if (found == EACCES)
                return fg_process_exec_error(name, EACCES, err);
        return fg_fail(err, FG_ERR_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH",
                       name);
}

int fg_process_find(struct fg_process *p, struct fg_error *err)
{
        const char *name = p->argv[0];
        int r;

        if (!strchr(name, '/'))
                return find_in_path(p, name, err);
        r = check_executable(name);
        if (r != 0)
                return fg_process_exec_error(name, r, err);
        p->path = fg_strdup(name);
        return 0;
}

/* Becomes "fgrun-reaper REPORT PATH ARGV...", see reaper.c. */
static int exec_reaper(struct fg_process *p, int report, struct fg_error *err)
{
        fg_autofree char *number = fg_asprintf("%d", report);
        fg_autofree char **argv = NULL;
        size_t count = 0;

        while (p->argv[count])
                count++;
        argv = fg_calloc(count + 4, sizeof(*argv));
        argv[0] = (char *)FG_REAPER_NAME;
        argv[1] = number;
        argv[2] = p->path;
        memcpy(argv + 3, p->argv, count * sizeof(*argv));
        if (fcntl(report, F_SETFD, 0) < 0)
                return fg_fail_errno(err, errno, "fcntl");
        (void)execve(SELF, argv, p->env);
        return fg_fail_errno(err, errno, "execute the init process");
}

int fg_process_exec(struct fg_process *p, int report, bool reaper, struct fg_error *err)
{
        if (reaper)
                return exec_reaper(p, report, err);
        (void)execve(p->path, p->argv, p->env);
        return fg_process_exec_error(p->argv[0], errno, err);
}

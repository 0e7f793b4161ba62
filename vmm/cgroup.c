/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "vmm/domain.h"

#define WALK_FDS        8
#define CONTROLLERS_MAX 4096

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
        (void)st;
        (void)walk;
        if (kind == FTW_DP)
                (void)rmdir(path); /* refused while a process is in it */
        return 0;
}

/* Return: one that is still there, on the heap, or NULL. */
static char *remove_found(const char *root, const char *const patterns[], size_t n)
{
        glob_t found = { 0 };
        char *left = NULL;

        for (size_t i = 0; i < n; i++) {
                fg_autofree char *pattern = fg_asprintf("%s/%s", root, patterns[i]);

                (void)glob(pattern, GLOB_NOSORT | (i > 0 ? GLOB_APPEND : 0), NULL, &found);
        }
        for (size_t i = 0; i < found.gl_pathc; i++) {
                (void)nftw(found.gl_pathv[i], remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS);
                if (!left && fg_exists(found.gl_pathv[i]))
                        left = fg_strdup(found.gl_pathv[i]);
        }
        globfree(&found);
        return left;
}

void fg_cgroup_remove(const char *root, const char *id)
{
        fg_autofree char *v2 = fg_asprintf("machine/*-" FG_DOMAIN_PREFIX "%s.*", id);
        fg_autofree char *v1 = fg_asprintf("*/machine/*-" FG_DOMAIN_PREFIX "%s.*", id);
        const char *const patterns[] = { v2, v1 };

        free(remove_found(root, patterns, FG_ARRAY_SIZE(patterns)));
}

/* ---- pods ---- */

bool fg_cgroup_by_systemd(void)
{
        return fg_exists(FG_CGROUP_ROOT "/cgroup.controllers") && sd_booted() > 0;
}

char *fg_cgroup_of_pod(const char *id, bool by_systemd)
{
        return by_systemd ? fg_asprintf(FG_CGROUP_POD_SLICE "/" FG_CGROUP_POD_PREFIX "%s.scope", id)
                          : fg_asprintf(FG_CGROUP_POD_PREFIX "%s", id);
}

int fg_cgroup_remove_pod(const char *root, const char *id, struct fg_error *err)
{
        fg_autofree char *scope = fg_cgroup_of_pod(id, true);
        fg_autofree char *v2 = fg_cgroup_of_pod(id, false);
        fg_autofree char *v1 = fg_asprintf("*/%s", v2);
        const char *const patterns[] = { scope, v2, v1 };
        fg_autofree char *left = remove_found(root, patterns, FG_ARRAY_SIZE(patterns));

        return left ? fg_fail(err, FG_ERR_CONFLICT, "the cgroup %s has processes still", left) : 0;
}

static bool has_word(const struct fg_buf *text, const char *word)
{
        fg_autofree char *copy = fg_strdup(text->len > 0 ? text->data : "");
        char *rest = copy, *one;

        while ((one = strsep(&rest, " \n")))
                if (fg_streq(one, word))
                        return true;
        return false;
}

/* Below the root of a hierarchy that is only a namespace's, processes beside the children forbid
 * it. */
static int hand_on(const char *root, const char *controller, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/cgroup.subtree_control", root);
        fg_autofree char *plus = fg_asprintf("+%s", controller);
        fg_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd >= 0 && write(fd, plus, strlen(plus)) == (ssize_t)strlen(plus))
                return 0;
        return fg_fail(err, FG_ERR_INVALID,
                       "needs the cgroup controllers cpu, memory and pids; %s cannot be enabled in "
                       "%s: %s",
                       controller, path,
                       errno == EBUSY ? "there are processes in that cgroup itself"
                                      : strerrordesc_np(errno));
}

/* Beside cgroup v1, whose controllers have hierarchies of their own, v2 needs none. */
int fg_cgroup_for_pods(const char *root, bool by_systemd, struct fg_error *err)
{
        /* The first is the one that processes forbid. */
        static const char *const needed[] = { "memory", "cpu", "pids" };
        fg_cleanup(fg_buf_finish) struct fg_buf has = FG_BUF_INIT(CONTROLLERS_MAX);
        fg_autofree char *hybrid = fg_asprintf("%s/unified/cgroup.procs", root);
        fg_autofree char *path = fg_asprintf("%s/cgroup.controllers", root);

        if (fg_exists(hybrid))
                return 0;
        if (!fg_exists(path))
                return fg_fail(err, FG_ERR_INVALID, "needs a host with cgroup v2");
        if (fg_buf_read_file(&has, path, err) < 0)
                return -1;
        for (size_t i = 0; i < FG_ARRAY_SIZE(needed); i++) {
                if (!has_word(&has, needed[i]))
                        return fg_fail(err, FG_ERR_INVALID,
                                       "needs the cgroup controllers cpu, memory and pids; %s is "
                                       "not in %s",
                                       needed[i], path);
                if (!by_systemd && hand_on(root, needed[i], err) < 0)
                        return -1;
        }
        return 0;
}

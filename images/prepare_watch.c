/* SPDX-License-Identifier: Apache-2.0 */
#include "images/prepare_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "core/cleanup.h"
#include "core/str.h"

/* Nothing tells of a file system that fills. In this time a disk writes a few hundred MiB at most,
   and calls that take room without writing are not permitted. */
#define LOOK_MS    50
#define FREE_PART  32
#define FREE_BYTES (UINT64_C(1) << 30)

static int look(int work, struct statvfs *ret, struct fg_error *err)
{
        return fstatvfs(work, ret) < 0 ? fg_fail_errno(err, errno, "watch the working directory")
                                       : 0;
}

static uint64_t used_bytes(const struct statvfs *fs)
{
        return (uint64_t)(fs->f_blocks - fs->f_bfree) * fs->f_frsize;
}

static int check(const struct statvfs *before, const struct statvfs *now, uint64_t bytes,
                 struct fg_error *err)
{
        const uint64_t whole = (uint64_t)now->f_blocks * now->f_frsize;
        const uint64_t stays = whole / FREE_PART < FREE_BYTES ? whole / FREE_PART : FREE_BYTES;

        if (used_bytes(now) > used_bytes(before) && used_bytes(now) - used_bytes(before) > bytes)
                return fg_fail(err, FG_ERR_CAPACITY,
                               "the disk got fuller by more than %" PRIu64 " bytes meanwhile",
                               bytes);
        if ((uint64_t)now->f_bavail * now->f_frsize < stays)
                return fg_fail(err, FG_ERR_CAPACITY,
                               "less than %" PRIu64 " bytes of the disk are left", stays);
        if (now->f_files > 0 && now->f_favail < now->f_files / FREE_PART) /* some have no such */
                return fg_fail(err, FG_ERR_CAPACITY, "nearly no inodes of the disk are left");
        return 0;
}

/* Return: 1: it has ended, 0: not yet. */
static int ended(int process, struct fg_error *err)
{
        struct pollfd fd = { .fd = process, .events = POLLIN };
        const int n = poll(&fd, 1, LOOK_MS);

        return n < 0 && errno != EINTR ? fg_fail_errno(err, errno, "watch the sandbox") : n > 0;
}

static int watch(pid_t pid, int work, uint64_t bytes, struct fg_error *err)
{
        fg_autoclose int process = pidfd_open(pid, 0);
        struct statvfs before, now;
        int r = 0;

        if (process < 0)
                return fg_fail_errno(err, errno, "watch the sandbox");
        if (look(work, &before, err) < 0)
                return -1;
        while (r == 0) {
                if (look(work, &now, err) < 0 || check(&before, &now, bytes, err) < 0)
                        return -1;
                r = ended(process, err);
        }
        return r < 0 ? -1 : 0;
}

int fg_sandbox_watch(pid_t pid, int work, uint64_t bytes, struct fg_error *err)
{
        const int watched = watch(pid, work, bytes, err);
        struct fg_error ignored;
        int status;

        if (watched < 0)
                (void)kill(pid, SIGKILL); /* the first of its pid namespace: all of them */
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fg_fail_errno(watched < 0 ? &ignored : err, errno, "wait");
        if (watched < 0)
                return -1;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

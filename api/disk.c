/* SPDX-License-Identifier: Apache-2.0 */
#include "api/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/process.h"
#include "core/str.h"

struct fg_disk_job {
        struct fg_job job;
        char *cache_dir, *path;
        char *source; /* NULL: an empty file system */
        unsigned size_gib;
        atomic_bool cancelled; /* the loop says so, the lane looks */
        fg_disk_done_fn done;
        void *userdata;
        struct fg_error err;
};

static void on_done(struct fg_job *job)
{
        struct fg_disk_job *d = FG_CONTAINER_OF(job, struct fg_disk_job, job);

        d->done(d->userdata, d->err.code ? &d->err : NULL);
        free(d->cache_dir);
        free(d->source);
        free(d->path);
        free(d);
}

static int run_mkfs(const char *path, const char *size, struct fg_error *err)
{
        /* No journal: the disk does not outlive its VM, so there is nothing to recover. The inode
           tables are left to the guest, which sees zeros in the holes anyway. */
        const char *const argv[] = { "mke2fs",
                                     "-q",
                                     "-F",
                                     "-t",
                                     "ext4",
                                     "-m",
                                     "0",
                                     "-O",
                                     "^has_journal,^resize_inode",
                                     "-E",
                                     "lazy_itable_init=1,nodiscard,root_owner=0:0",
                                     path,
                                     size,
                                     NULL };
        fg_cleanup(fg_buf_finish) struct fg_buf output = FG_BUF_INIT(4096);
        int status = fg_spawn(argv, &output, err);

        if (status < 0)
                return fg_wrap(err, "mke2fs (package e2fsprogs)");
        if (status > 0)
                return fg_fail(err, FG_ERR_INTERNAL, "mke2fs failed with status %d: %s", status,
                               output.data ? output.data : "");
        return 0;
}

/* Two jobs may want the same template at once: the second waits for the first. */
static int make_template(const char *dir, const char *path, unsigned size_gib, struct fg_error *err)
{
        fg_autofree char *temporary = fg_asprintf("%s.new", path);
        fg_autofree char *lock_path = fg_asprintf("%s/lock", dir);
        fg_autofree char *size = fg_asprintf("%uG", size_gib);
        fg_autoclose int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (lock < 0 || flock(lock, LOCK_EX) < 0)
                return fg_fail_errno(err, errno, "%s", lock_path);
        if (fg_exists(path))
                return 0;
        (void)unlink(temporary);
        if (run_mkfs(temporary, size, err) < 0)
                return -1;
        if (rename(temporary, path) < 0)
                return fg_fail_errno(err, errno, "rename %s", temporary);
        return 0;
}

static int find_source(const struct fg_disk_job *d, char **ret, struct fg_error *err)
{
        fg_autofree char *dir = fg_asprintf("%s/scratch", d->cache_dir);

        *ret = d->source ? fg_strdup(d->source) : fg_asprintf("%s/ext4-%uG.img", dir, d->size_gib);
        if (d->source || fg_exists(*ret))
                return 0;
        return fg_mkdir_p(dir, 0700, err) < 0 ? -1 : make_template(dir, *ret, d->size_gib, err);
}

static int make_disk(const struct fg_disk_job *d, struct fg_error *err)
{
        fg_autofree char *copy = fg_strdup(d->path), *source = NULL;

        if (find_source(d, &source, err) < 0)
                return -1;
        /* QEMU's user passes through this directory, and nobody lists it. */
        if (fg_mkdir_p(dirname(copy), 0711, err) < 0)
                return -1;
        (void)unlink(d->path); /* a half-made copy of an earlier life */
        return fg_copy_sparse(source, d->path, 0600, err);
}

static void make_work(struct fg_job *job)
{
        struct fg_disk_job *d = FG_CONTAINER_OF(job, struct fg_disk_job, job);

        if (atomic_load(&d->cancelled))
                fg_fail(&d->err, FG_ERR_INTERNAL, "not made: its task has ended");
        else if (make_disk(d, &d->err) < 0)
                fg_wrap(&d->err, "scratch disk");
}

static void remove_work(struct fg_job *job)
{
        struct fg_disk_job *d = FG_CONTAINER_OF(job, struct fg_disk_job, job);

        (void)fg_rm_rf(d->path, &d->err);
}

static struct fg_disk_job *job_new(void (*work)(struct fg_job *job), const char *path,
                                   fg_disk_done_fn done, void *userdata)
{
        struct fg_disk_job *d = fg_calloc(1, sizeof(*d));

        d->job = (struct fg_job){ .work = work, .done = on_done };
        d->path = fg_strdup(path);
        d->done = done;
        d->userdata = userdata;
        return d;
}

struct fg_disk_job *fg_disk_make(struct fg_lane *io, const char *cache_dir, const char *path,
                                 unsigned size_gib, fg_disk_done_fn done, void *userdata)
{
        struct fg_disk_job *d = job_new(make_work, path, done, userdata);

        d->cache_dir = fg_strdup(cache_dir);
        d->size_gib = size_gib;
        fg_lane_submit(io, &d->job);
        return d;
}

struct fg_disk_job *fg_disk_copy(struct fg_lane *io, const char *source, const char *path,
                                 fg_disk_done_fn done, void *userdata)
{
        struct fg_disk_job *d = job_new(make_work, path, done, userdata);

        d->source = fg_strdup(source);
        fg_lane_submit(io, &d->job);
        return d;
}

void fg_disk_cancel(struct fg_disk_job *job)
{
        atomic_store(&job->cancelled, true);
}

void fg_disk_remove(struct fg_lane *io, const char *dir, fg_disk_done_fn done, void *userdata)
{
        fg_lane_submit(io, &job_new(remove_work, dir, done, userdata)->job);
}

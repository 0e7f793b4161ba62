/* SPDX-License-Identifier: Apache-2.0 */
#include "images/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "images/blobstore.h"
#include "images/catalog.h"
#include "images/feed.h"
#include "images/helper.h"
#include "images/paths.h"

static void remove_scratch(char **path)
{
        struct fg_error ignored;

        if (*path)
                (void)fg_rm_rf(*path, &ignored);
        free(*path);
}

static int make_dir(const char *path, struct fg_error *err)
{
        int fd = -1;

        if (mkdir(path, 0700) < 0 || (fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                fg_fail_errno(err, errno, "%s", path);
        return fd;
}

static int run(const struct fg_prepare_config *config, const char *manifest, int feed, int work,
               struct fg_error *err)
{
        const struct fg_prepare_limits *limits = &config->limits;
        fg_autofree char *bytes = fg_asprintf("%" PRIu64, config->max_bytes);
        fg_autofree char *memory = fg_asprintf("%" PRIu64, limits->memory);
        fg_autofree char *cpu = fg_asprintf("%u", limits->cpu_seconds);
        const char *const argv[] = { "fg-prepare", manifest, bytes, memory, cpu, NULL };

        return fg_helper_run(&(struct fg_helper){ .program = config->program,
                                                  .argv = argv,
                                                  .in = feed,
                                                  .out = work,
                                                  .seconds = limits->seconds,
                                                  .cancel = config->cancel },
                             err);
}

/* The image's blobs and no others. Return: the end to read them from. */
static int feed_all(const struct fg_blobstore *store, const struct fg_stored *image,
                    struct fg_error *err)
{
        fg_autoclose int in = -1, out = -1;
        int ends[2];

        if (fg_feed_open(ends, err) < 0)
                return -1;
        in = ends[0];
        out = ends[1];
        if (fg_feed_blobs(out, store, (const char(*)[FG_DIGEST_LEN + 1]) image->blobs, NULL,
                          image->n_blobs, err) < 0)
                return -1;
        return fg_take_fd(in);
}

int fg_prepare_make(const struct fg_prepare_config *config, const struct fg_stored *image, int feed,
                    struct fg_adopted *ret, struct fg_error *err)
{
        fg_cleanup(remove_scratch) char *scratch = fg_blobstore_scratch(config->store, err);
        fg_autofree char *work = NULL, *result = NULL;
        fg_autoclose int own = -1, work_fd = -1;

        if (!scratch)
                return -1;
        work = fg_asprintf("%s/work", scratch);
        result = fg_asprintf("%s/" FG_PREPARE_RESULT, work);
        work_fd = make_dir(work, err);
        if (feed < 0)
                feed = own = feed_all(config->store, image, err);
        if (feed < 0 || work_fd < 0 || run(config, image->manifest, feed, work_fd, err) < 0 ||
            fg_blobstore_adopt(config->store, result, config->readers, ret, err) < 0)
                return fg_wrap(err, "prepare %s", image->manifest);
        return 0;
}

/* One of an earlier version belongs to the readers only once a VM has had it. */
static int give(int fd, gid_t readers, struct fg_error *err)
{
        struct stat st;

        if (fstat(fd, &st) < 0 || (st.st_gid != readers && fchown(fd, (uid_t)-1, readers) < 0))
                return fg_fail_errno(err, errno, "give it to its readers");
        return 0;
}

int fg_prepare_verify(const struct fg_prepare_config *config, const char *digest,
                      struct fg_adopted *ret, struct fg_error *err)
{
        fg_autofree char *path = fg_blobstore_blob_path(config->store, digest);
        fg_autoclose int fd = fg_blobstore_blob(config->store, digest, &ret->size, err);

        /* The stamp first: what is written while it is read is seen the next time. */
        if (fd < 0 || give(fd, config->readers, err) < 0)
                return -1;
        if (!fg_stamp(path, ret->stamp))
                return fg_fail(err, FG_ERR_NOT_FOUND, "%s is not a file", path);
        if (fg_digest_of_file(fd, ret->digest, err) < 0)
                return -1;
        if (!fg_streq(ret->digest, digest))
                return fg_fail(err, FG_ERR_UPSTREAM, "the prepared image %s is damaged: %s", digest,
                               ret->digest);
        return 0;
}

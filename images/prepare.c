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
#include "images/helper.h"
#include "images/paths.h"

#define SECONDS_MAX 1800

static void remove_scratch(char **path)
{
        struct fg_error ignored;

        if (*path)
                (void)fg_rm_rf(*path, &ignored);
        free(*path);
}

/* The image's blobs and no others, by links: fg-prepare opens what it finds. */
static int link_blobs(const struct fg_blobstore *store, const struct fg_stored *image,
                      const char *dir, struct fg_error *err)
{
        for (size_t i = 0; i < image->n_blobs; i++) {
                fg_autofree char *blob = fg_blobstore_blob_path(store, image->blobs[i]);
                fg_autofree char *name = fg_asprintf("%s/%s", dir, strrchr(blob, '/') + 1);

                if (link(blob, name) < 0)
                        return fg_fail_errno(err, errno, "link %s", blob);
        }
        return 0;
}

static int make_dir(const char *path, struct fg_error *err)
{
        int fd = -1;

        if (mkdir(path, 0700) < 0 || (fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                fg_fail_errno(err, errno, "%s", path);
        return fd;
}

static int run(const struct fg_prepare_config *config, const char *manifest, int blobs, int work,
               struct fg_error *err)
{
        fg_autofree char *max = fg_asprintf("%" PRIu64, config->max_bytes);
        const char *const argv[] = { "fg-prepare", manifest, max, NULL };

        return fg_helper_run(&(struct fg_helper){ .program = config->program,
                                                  .argv = argv,
                                                  .in = blobs,
                                                  .out = work,
                                                  .seconds = SECONDS_MAX,
                                                  .cancel = config->cancel },
                             err);
}

int fg_prepare_make(const struct fg_prepare_config *config, const struct fg_stored *image,
                    char ret_digest[FG_DIGEST_LEN + 1], uint64_t *ret_size, struct fg_error *err)
{
        fg_cleanup(remove_scratch) char *scratch = fg_blobstore_scratch(config->store, err);
        fg_autofree char *blobs = NULL, *work = NULL, *result = NULL;
        fg_autoclose int blobs_fd = -1, work_fd = -1;

        if (!scratch)
                return -1;
        blobs = fg_asprintf("%s/blobs", scratch);
        work = fg_asprintf("%s/work", scratch);
        result = fg_asprintf("%s/" FG_PREPARE_RESULT, work);
        blobs_fd = make_dir(blobs, err);
        work_fd = make_dir(work, err);
        if (blobs_fd < 0 || work_fd < 0 || link_blobs(config->store, image, blobs, err) < 0 ||
            run(config, image->manifest, blobs_fd, work_fd, err) < 0 ||
            fg_blobstore_adopt(config->store, result, ret_digest, ret_size, err) < 0)
                return fg_wrap(err, "prepare %s", image->manifest);
        return 0;
}

int fg_prepare_verify(const struct fg_prepare_config *config, const char *digest,
                      struct fg_error *err)
{
        char found[FG_DIGEST_LEN + 1];
        uint64_t size;
        fg_autoclose int fd = fg_blobstore_blob(config->store, digest, &size, err);

        if (fd < 0 || fg_blobstore_digest(fd, found, err) < 0)
                return -1;
        if (!fg_streq(found, digest))
                return fg_fail(err, FG_ERR_UPSTREAM, "the prepared image %s is damaged: %s", digest,
                               found);
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/task.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/id.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/cgroup.h"
#include "guest-init/console.h"
#include "guest-init/mounts.h"
#include "guest-init/pod.h"
#include "guest-init/rehearse.h"

#define RANDOM_LEN 32

static int set_clock(struct json_object *spec, struct fg_error *err)
{
        const uint64_t now = (uint64_t)fg_json_int(spec, "now", 0);
        const struct timespec ts = { .tv_sec = (time_t)(now / FG_NS_PER_SEC),
                                     .tv_nsec = (long)(now % FG_NS_PER_SEC) };

        if (clock_settime(CLOCK_REALTIME, &ts) < 0)
                return fg_fail_errno(err, errno, "set the clock");
        return 0;
}

static int hex_digit(char c)
{
        static const char digits[] = "0123456789abcdef";
        const char *at = c ? strchr(digits, c) : NULL;

        return at ? (int)(at - digits) : -1;
}

struct entropy {
        struct rand_pool_info info;
        uint8_t bytes[RANDOM_LEN];
};

static int mix(struct entropy *pool, struct fg_error *err)
{
        fg_autoclose int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

        pool->info.buf_size = RANDOM_LEN;
        if (fd < 0 || ioctl(fd, RNDADDENTROPY, pool) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
                return fg_fail_errno(err, errno, "add entropy");
        return 0;
}

/* A restored or cloned guest would otherwise share its random numbers with its twins. */
static int add_entropy(struct json_object *spec, struct fg_error *err)
{
        struct entropy pool = { .info = { .entropy_count = 8 * RANDOM_LEN } };
        const char *hex = fg_json_str(spec, "random");

        if (!hex || strlen(hex) != 2 * RANDOM_LEN)
                return fg_fail(err, FG_ERR_INVALID, "random: %d hex digits wanted", 2 * RANDOM_LEN);
        for (size_t i = 0; i < RANDOM_LEN; i++) {
                int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return fg_fail(err, FG_ERR_INVALID, "random: not hexadecimal");
                pool.bytes[i] = (uint8_t)(16 * high + low);
        }
        return mix(&pool, err);
}

static char *disk_dir(const char *serial)
{
        return fg_asprintf(FG_SCRATCH_IMAGES "/disk-%s", serial);
}

static char *unpacked_dir(size_t number)
{
        return fg_asprintf(FG_SCRATCH_IMAGES "/%zu", number);
}

void fg_task_unpack(struct fg_task *t, struct fg_task_image *image)
{
        image->disk = NULL;
        free(image->dir);
        image->dir = unpacked_dir((size_t)(image - t->images));
}

static int add_image(struct fg_task *t, struct json_object *container, struct fg_error *err)
{
        const char *manifest = fg_json_str(fg_json_obj(container, "image"), "manifest");
        struct fg_task_image *image;

        if (!manifest || !fg_digest_valid(manifest))
                return fg_fail(err, FG_ERR_INVALID, "container without an image manifest");
        for (size_t i = 0; i < t->image_count; i++) {
                if (fg_streq(t->images[i].manifest, manifest))
                        return 0;
        }
        image = &t->images[t->image_count];
        image->manifest = manifest;
        image->disk = fg_json_str(fg_json_obj(container, "image"), "disk");
        image->dir = image->disk ? disk_dir(image->disk) : unpacked_dir(t->image_count);
        t->image_count++;
        return 0;
}

static int add_containers(struct fg_task *t, struct fg_error *err)
{
        struct json_object *list = fg_json_arr(t->spec, "containers");
        const size_t count = list ? json_object_array_length(list) : 0;

        if (count < 1 || count > FG_TASK_CONTAINERS_MAX)
                return fg_fail(err, FG_ERR_INVALID, "%zu containers", count);
        for (size_t i = 0; i < count; i++) {
                struct json_object *spec = json_object_array_get_idx(list, i);

                if (!fg_json_str(spec, "name"))
                        return fg_fail(err, FG_ERR_INVALID, "container without a name");
                if (add_image(t, spec, err) < 0)
                        return -1;
                fg_container_init(&t->containers[i], (unsigned)i, spec, &t->link, t->loop);
                /* What was never opened has nothing to send. */
                for (size_t j = 2 * i; j < 2 * i + 2; j++)
                        t->outputs[j] = (struct fg_output){ .source.fd = -1,
                                                            .loop = t->loop,
                                                            .stream = (uint16_t)j,
                                                            .eof = true,
                                                            .last_sent = true };
                t->container_count = i + 1;
        }
        t->link.outputs = t->outputs;
        t->link.output_count = 2 * count;
        return 0;
}

static int set_up_network(struct fg_task *t, struct fg_error *err)
{
        struct json_object *network = fg_json_get(t->spec, "network");
        const char *hostname = fg_json_str(t->spec, "hostname");

        if (!hostname || !fg_hostname_valid(hostname))
                return fg_fail(
                        err, FG_ERR_INVALID,
                        "hostname: \"%.80s\"; wanted: a domain name of at most %d characters",
                        hostname ? hostname : "", HOST_NAME_MAX);
        if (network && (fg_network_parse(network, &t->network, err) < 0 ||
                        fg_network_configure(&t->network, t->parked, err) < 0))
                return fg_wrap(err, "network");
        t->has_network = network != NULL;
        return fg_network_write_files(network ? &t->network : NULL, hostname, FG_SCRATCH_ETC, err);
}

static int set_up_metadata(struct fg_task *t, struct fg_error *err)
{
        if (!fg_json_get(t->spec, "metadata")) {
                fg_metadata_unpark(&t->metadata);
                return 0;
        }
        if (fg_metadata_init(&t->metadata, t, err) < 0 || fg_metadata_serve(&t->metadata, err) < 0)
                return fg_wrap(err, "metadata endpoint");
        return 0;
}

static int start_pause(struct fg_task *t, struct fg_error *err)
{
        const char *mode = fg_json_str(t->spec, "pidMode");

        return mode && fg_streq(mode, "task") ? fg_pause_start(&t->pause, err) : 0;
}

/* The task starts without it as well. */
static int stand_by(struct fg_task *t, struct json_object *serials, struct fg_error *err)
{
        const char *first = json_object_get_string(json_object_array_get_idx(serials, 0));
        fg_autofree char *dir = disk_dir(first);
        struct fg_error failed;

        if (fg_network_make_files(FG_SCRATCH_ETC, err) < 0)
                return -1;
        if (fg_standby_make(&t->standby, dir, &failed) < 0)
                fg_console("standing by over %s: %s", first, failed.msg);
        return 0;
}

static int park_image(struct fg_task *t, const char *serial, struct fg_error *err)
{
        fg_autofree char *dir = disk_dir(serial);
        struct fg_error failed;
        int r = fg_disks_mount(&t->disks, serial, dir, err);

        if (r == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND, "no disk %s", serial);
        if (r > 0 && fg_rehearse_image(dir, &failed) < 0)
                fg_console("rehearsal of %s: %s", serial, failed.msg);
        return r < 0 ? -1 : 0;
}

/* What was made from the memory of a guest that was parked has it all, but for the code that an
   emulator translated. */
static int park(struct fg_task *t, struct fg_error *err)
{
        struct entropy nothing = { 0 }; /* of value: the second time is faster */

        if (mix(&nothing, err) < 0)
                return -1;
        if (t->metadata.listener < 0 &&
            (fg_network_park(err) < 0 || fg_metadata_park(&t->metadata, err) < 0))
                return -1;
        if (!t->parked && fg_mounts_scratch(FG_SCRATCH_DEVICE, err) < 0)
                return -1;
        t->parked = true;
        return fg_network_rehearse(err) < 0 ? -1 : fg_rehearse_output(t->loop, err);
}

int fg_task_park(struct fg_task *t, struct json_object *serials, struct fg_error *err)
{
        const size_t n = serials ? json_object_array_length(serials) : 0;

        fg_standby_end(&t->standby);
        if (park(t, err) < 0)
                return -1;
        for (size_t i = 0; i < n; i++) {
                if (park_image(t, json_object_get_string(json_object_array_get_idx(serials, i)),
                               err) < 0)
                        return -1;
        }
        return n > 0 ? stand_by(t, serials, err) : 0;
}

int fg_task_begin(struct fg_task *t, struct json_object *message, struct fg_error *err)
{
        const char *id = fg_json_str(message, "id");
        const char *scratch = fg_json_str(message, "scratch");

        t->spec = json_object_get(message);
        t->link.task_id = id ? id : "";
        if (!id || !fg_id_valid(id))
                return fg_fail(err, FG_ERR_INVALID, "task without an id");
        if (!fg_pod && (set_clock(t->spec, err) < 0 || add_entropy(t->spec, err) < 0))
                return -1;
        if (add_containers(t, err) < 0 || fg_cgroup_init_task(t->spec, err) < 0)
                return -1;
        if (start_pause(t, err) < 0)
                return -1;
        if (!t->parked && fg_mounts_scratch(scratch ? scratch : FG_SCRATCH_DEVICE, err) < 0)
                return -1;
        return set_up_network(t, err) < 0 ? -1 : set_up_metadata(t, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/binds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/devices.h"
#include "guest-init/mounts.h"
#include "guest-init/network.h"

#define BINDS_MAX 512 /* a task definition has at most some dozens */

static struct fg_bind *add(struct fg_binds *b, const char *target, struct fg_error *err)
{
        struct fg_bind *list;

        if (!target || target[0] != '/') {
                (void)fg_fail(err, FG_ERR_INVALID, "mount path \"%s\" is not absolute",
                              target ? target : "");
                return NULL;
        }
        if (b->count == BINDS_MAX) {
                (void)fg_fail(err, FG_ERR_CAPACITY, "more than %d mounts", BINDS_MAX);
                return NULL;
        }
        list = reallocarray(b->list, b->count + 1, sizeof(*list));
        if (!list) {
                (void)fg_fail(err, FG_ERR_CAPACITY, "no memory for mounts");
                return NULL;
        }
        b->list = list;
        list[b->count] = (struct fg_bind){ .tree = -1, .target = fg_strdup(target) };
        return &list[b->count++];
}

static bool has_target(const struct fg_binds *b, const char *target)
{
        for (size_t i = 0; i < b->count; i++) {
                if (fg_streq(b->list[i].target, target))
                        return true;
        }
        return false;
}

static int open_source(struct fg_bind *bind, const char *source, struct fg_error *err)
{
        bind->tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        return bind->tree < 0 ? fg_fail_errno(err, errno, "open %s", source) : 0;
}

static int open_devices(struct fg_binds *b, struct fg_error *err)
{
        for (size_t i = 0; i < fg_device_node_count; i++) {
                struct fg_bind *bind = add(b, fg_device_nodes[i], err);

                if (!bind || open_source(bind, fg_device_nodes[i], err) < 0)
                        return -1;
        }
        return 0;
}

/*
 * The containers of a task share them, as they share its network. They are mounts: that a root is
 * read-only does not reach them.
 */
static int open_network_files(struct fg_binds *b, const struct fg_start *s, struct fg_error *err)
{
        for (size_t i = 0; i < fg_network_file_count; i++) {
                fg_autofree char *source = fg_asprintf(FG_SCRATCH_ETC "/%s", fg_network_files[i]);
                fg_autofree char *target = fg_asprintf("/etc/%s", fg_network_files[i]);
                struct fg_bind *bind = add(b, target, err);

                if (!bind || open_source(bind, source, err) < 0)
                        return -1;
                bind->read_only = fg_json_bool(s->spec, "readonlyRootFilesystem", false);
        }
        return 0;
}

static int open_volume(struct fg_binds *b, const char *source, const char *target, bool read_only,
                       struct fg_error *err)
{
        struct fg_bind *bind;

        if (mkdir(source, 0755) < 0 && errno != EEXIST)
                return fg_fail_errno(err, errno, "make volume %s", source);
        bind = add(b, target, err);
        if (!bind)
                return -1;
        bind->directory = true;
        bind->fill = true;
        bind->read_only = read_only;
        return open_source(bind, source, err);
}

/* Names are the user's; the directory of a volume is its number. Return: -1 when not found. */
static int volume_number(struct json_object *task, const char *name)
{
        struct json_object *volumes = fg_json_arr(task, "volumes");

        for (size_t i = 0; volumes && name && i < json_object_array_length(volumes); i++) {
                const char *v = json_object_get_string(json_object_array_get_idx(volumes, i));

                if (v && fg_streq(v, name))
                        return (int)i;
        }
        return -1;
}

/* Return: -1 when there is none. */
static int container_number(struct json_object *task, const char *name)
{
        struct json_object *all = fg_json_arr(task, "containers");

        for (size_t i = 0; name && i < json_object_array_length(all); i++) {
                const char *it = fg_json_str(json_object_array_get_idx(all, i), "name");

                if (it && fg_streq(it, name))
                        return (int)i;
        }
        return -1;
}

static int open_mount_points(struct fg_binds *b, const struct fg_start *s,
                             struct json_object *container, bool read_only, struct fg_error *err)
{
        struct json_object *points = fg_json_arr(container, "mountPoints");

        for (size_t i = 0; points && i < json_object_array_length(points); i++) {
                struct json_object *point = json_object_array_get_idx(points, i);
                const char *name = fg_json_str(point, "sourceVolume");
                const char *path = fg_json_str(point, "containerPath");
                const int number = volume_number(s->task, name);
                fg_autofree char *source = fg_asprintf(FG_SCRATCH_VOLUMES "/%d", number);

                if (number < 0)
                        return fg_fail(err, FG_ERR_INVALID, "no volume \"%s\" in the task",
                                       name ? name : "");
                if (path && has_target(b, path)) /* one's own come first */
                        continue;
                if (open_volume(b, source, path,
                                read_only || fg_json_bool(point, "readOnly", false), err) < 0)
                        return -1;
        }
        return 0;
}

static int open_image_volumes(struct fg_binds *b, const struct fg_start *s, const char *dir,
                              struct fg_error *err)
{
        for (size_t i = 0, n = 0; s->image->volumes[i]; i++) {
                fg_autofree char *source = fg_asprintf("%s/volume%zu", dir, n);
                fg_autofree char *mark = fg_asprintf("%s.at", source);

                if (has_target(b, s->image->volumes[i]))
                        continue;
                if (open_volume(b, source, s->image->volumes[i], false, err) < 0)
                        return -1;
                /* For those who have their volumes from this container. */
                if (symlink(s->image->volumes[i], mark) < 0 && errno != EEXIST)
                        return fg_fail_errno(err, errno, "make %s", mark);
                n++;
        }
        return 0;
}

/* One source of volumesFrom: the volumes of the task, then those of its image. */
static int inherit(struct fg_binds *b, const struct fg_start *s, size_t from, bool read_only,
                   struct fg_error *err)
{
        struct json_object *source = json_object_array_get_idx(fg_json_arr(s->task, "containers"),
                                                               from);

        if (open_mount_points(b, s, source, read_only, err) < 0)
                return -1;
        for (size_t i = 0;; i++) {
                fg_autofree char *volume = fg_asprintf(FG_SCRATCH_CONTAINERS "/%zu/volume%zu", from,
                                                       i);
                fg_autofree char *mark = fg_asprintf("%s.at", volume);
                char target[PATH_MAX];
                ssize_t n = readlink(mark, target, sizeof(target) - 1);

                if (n < 0)
                        return 0;
                target[n] = '\0';
                if (!has_target(b, target) && open_volume(b, volume, target, read_only, err) < 0)
                        return -1;
        }
}

/* Those of a source are what it has itself got from others, too. */
static int open_volumes_from(struct fg_binds *b, const struct fg_start *s, struct fg_error *err)
{
        struct json_object *all = fg_json_arr(s->task, "containers");
        struct {
                struct json_object *container;
                bool read_only;
        } todo[64] = { { s->spec, false } };

        for (size_t done = 0, n = 1; done < n; done++) {
                struct json_object *list = fg_json_arr(todo[done].container, "volumesFrom");

                for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                        struct json_object *from = json_object_array_get_idx(list, i);
                        const char *name = fg_json_str(from, "sourceContainer");
                        const bool read_only = todo[done].read_only ||
                                               fg_json_bool(from, "readOnly", false);
                        const int k = container_number(s->task, name);

                        if (k < 0 || n == FG_ARRAY_SIZE(todo))
                                return fg_fail(err, FG_ERR_INVALID,
                                               "no volumes can be had from \"%s\"",
                                               name ? name : "");
                        if (inherit(b, s, (size_t)k, read_only, err) < 0)
                                return -1;
                        todo[n].container = json_object_array_get_idx(all, (size_t)k);
                        todo[n++].read_only = read_only;
                }
        }
        return 0;
}

static int add_tmpfs(struct fg_binds *b, const struct fg_start *s, struct fg_error *err)
{
        struct json_object *list = fg_json_arr(fg_json_obj(s->spec, "linuxParameters"), "tmpfs");

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                struct json_object *tmpfs = json_object_array_get_idx(list, i);
                struct fg_bind *bind = add(b, fg_json_str(tmpfs, "containerPath"), err);

                if (!bind)
                        return -1;
                bind->directory = true;
                bind->options = fg_tmpfs_options(tmpfs, &bind->flags);
        }
        return 0;
}

static int by_target(const void *a, const void *b)
{
        return strcmp(((const struct fg_bind *)a)->target, ((const struct fg_bind *)b)->target);
}

int fg_binds_open(struct fg_binds *b, const struct fg_start *s, const char *dir,
                  struct fg_error *err)
{
        if (open_devices(b, err) < 0 || open_mount_points(b, s, s->spec, false, err) < 0 ||
            add_tmpfs(b, s, err) < 0 || open_volumes_from(b, s, err) < 0 ||
            open_image_volumes(b, s, dir, err) < 0 || open_network_files(b, s, err) < 0)
                return -1;
        qsort(b->list, b->count, sizeof(*b->list), by_target); /* a parent sorts before its child */
        return 0;
}

void fg_binds_finish(struct fg_binds *b)
{
        for (size_t i = 0; i < b->count; i++) {
                fg_closep(&b->list[i].tree);
                free(b->list[i].target);
                free(b->list[i].options);
        }
        free(b->list);
        *b = (struct fg_binds){ 0 };
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

/*
 * As sysctl(8): the first separator of a name is its separator. "net.ipv4.conf.eth0/1.x" is the
 * path net/ipv4/conf/eth0.1/x, and so is "net/ipv4/conf/eth0.1/x".
 */
static char *path_of(const char *name)
{
        char *path = fg_strdup(name);
        const bool dotted = name[strcspn(name, "./")] == '.';

        for (char *p = path; dotted && *p; p++) {
                if (*p == '.')
                        *p = '/';
                else if (*p == '/')
                        *p = '.';
        }
        return path;
}

static int set(int root, const char *name, const char *value, struct fg_error *err)
{
        const struct open_how how = { .flags = O_WRONLY | O_CLOEXEC,
                                      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
        fg_autofree char *path = path_of(name);
        fg_autoclose int fd = fg_openat2(root, path, &how);

        if (fd < 0)
                return fg_fail_errno(err, errno, "system control \"%s\"", name);
        if (write(fd, value, strlen(value)) != (ssize_t)strlen(value))
                return fg_fail_errno(err, errno, "system control \"%s\" = \"%s\"", name, value);
        return 0;
}

int fg_sysctl_apply(struct json_object *spec, struct fg_error *err)
{
        struct json_object *list = fg_json_arr(spec, "systemControls");
        fg_autoclose int root = -1;

        if (!list || json_object_array_length(list) == 0)
                return 0;
        root = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return fg_fail_errno(err, errno, "open /proc/sys");
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *control = json_object_array_get_idx(list, i);
                const char *name = fg_json_str(control, "namespace");
                const char *value = fg_json_str(control, "value");

                if (!name || !value)
                        return fg_fail(err, FG_ERR_INVALID, "system control without name or value");
                if (set(root, name, value, err) < 0)
                        return -1;
        }
        return 0;
}

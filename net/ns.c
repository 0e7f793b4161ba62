/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/netns.h"
#include "core/str.h"

#define OWN "/proc/thread-self/ns/net"

static int open_own(void *userdata, struct fg_error *err)
{
        int fd = open(OWN, O_RDONLY | O_CLOEXEC);

        (void)userdata;
        return fd < 0 ? fg_fail_errno(err, errno, OWN) : fd;
}

uint64_t fg_ns_inode(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

bool fg_ns_may_change(void)
{
        fg_autoclose int own = open(OWN, O_RDONLY | O_CLOEXEC);
        fg_autoclose int owner = own < 0 ? -1 : ioctl(own, NS_GET_USERNS);

        return owner >= 0; /* of one further up we are told nothing */
}

int fg_ns_mount(int fd, const char *path, struct fg_error *err)
{
        fg_autofree char *source = fg_asprintf("/proc/self/fd/%d", fd);
        fg_autoclose int file = -1;
        struct stat here, there;

        if (stat(path, &there) == 0 && fstat(fd, &here) == 0 && here.st_ino == there.st_ino &&
            here.st_dev == there.st_dev)
                return 0;
        file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444);
        if (file < 0 || mount(source, path, NULL, MS_BIND, NULL) < 0)
                return fg_fail_errno(err, errno, "mount the network namespace at %s", path);
        return 0;
}

int fg_ns_new(struct fg_error *err)
{
        return fg_netns_run(-1, open_own, NULL, err);
}

int fg_ns_make(const char *path, struct fg_error *err)
{
        int fd = fg_ns_new(err);

        if (fd >= 0 && fg_ns_mount(fd, path, err) < 0) {
                (void)close(fd);
                return -1;
        }
        return fd;
}

/* A process in the namespace keeps it, whatever became of the mount. */
static int find_in_process(uint64_t inode)
{
        fg_cleanup(closedirp) DIR *proc = opendir("/proc");
        struct dirent *entry;

        while (proc && (entry = readdir(proc))) {
                fg_autofree char *path = fg_asprintf("/proc/%s/ns/net", entry->d_name);
                fg_autoclose int fd = -1;

                if (entry->d_name[strspn(entry->d_name, "0123456789")] != '\0')
                        continue;
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd >= 0 && fg_ns_inode(fd) == inode)
                        return fg_take_fd(fd);
        }
        return -1;
}

int fg_ns_find(const char *path, uint64_t inode)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd >= 0 && fg_ns_inode(fd) == inode)
                return fd;
        if (fd >= 0)
                (void)close(fd);
        return find_in_process(inode);
}

int fg_ns_remove(const char *path, struct fg_error *err)
{
        while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
                ;
        if (unlink(path) < 0 && errno != ENOENT)
                return fg_fail_errno(err, errno, "remove %s", path);
        return 0;
}

int fg_ns_set(const char *name, const char *value, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("/proc/sys/%s", name);
        fg_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return fg_fail_errno(err, errno, "%s", path);
        return fg_write_all(fd, value, strlen(value), err) < 0 ? fg_wrap(err, "%s", path) : 0;
}

int fg_ns_set_if_there(const char *name, const char *value, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("/proc/sys/%s", name);

        return fg_exists(path) ? fg_ns_set(name, value, err) : 0;
}

bool fg_ns_has_ipv6(void)
{
        fg_cleanup(fclosep) FILE *f = fopen("/proc/sys/net/ipv6/conf/all/disable_ipv6", "re");

        return f && fgetc(f) == '0';
}

int fg_ns_set_port(const char *device, struct fg_error *err)
{
        fg_autofree char *name = fg_asprintf("net/ipv6/conf/%s/disable_ipv6", device);

        return fg_ns_set_if_there(name, "1", err);
}

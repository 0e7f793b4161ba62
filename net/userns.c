/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/str.h"
#include "net/ns.h"
#include "net/vpc.h"

/*
 * An ordinary user has every capability in a user namespace of their own, over what is made in it:
 * VPCs, mounts. One id is mapped, the user's, to itself, so files look as before; root and all
 * others look like the overflow user. A process with one thread can enter such a namespace, and
 * threads are inside from their beginning; that is why this happens first of all.
 *
 * VMs that outlive fgd keep their VPC, and that belongs to the user namespace it was made in: the
 * next fgd has to go there, or it could do nothing for them.
 */
#define OVERFLOW "/proc/sys/kernel/overflowuid"

static bool has_capabilities(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = { 0 };
        const uint32_t needed = (1u << CAP_NET_ADMIN) | (1u << CAP_SYS_ADMIN);

        return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & needed) == needed;
}

/* ---- joining ---- */

static bool is_ours(int user, int net, const char *state_dir)
{
        struct fg_vpc vpc = { .ns = -1 };
        pid_t child = fork();
        int status;

        if (child == 0) { /* whoever joins cannot go back */
                fg_vpc_identify(&vpc, state_dir);
                _exit(setns(user, CLONE_NEWUSER) == 0 && setns(net, CLONE_NEWNET) == 0 &&
                                      fg_vpc_is_ours(&vpc)
                              ? 0
                              : 1);
        }
        return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
               WEXITSTATUS(status) == 0;
}

/* The user namespace of the VPC that the journal knows, if something still runs in it. */
static int find_former(const char *state_dir)
{
        fg_autofree char *db = fg_asprintf("%s/net.db", state_dir), *now = NULL;
        fg_autofree char *known = fg_journal_peek(db, "namespace");
        const char *space = known ? strchr(known, ' ') : NULL;
        fg_autoclose int net = -1, user = -1;
        uint64_t inode;
        uid_t owner;

        if (!space || !fg_parse_u64(space + 1, &inode))
                return -1;
        now = fg_vpc_life(inode);
        if (!fg_streq(known, now))
                return -1;
        net = fg_ns_find("", inode);
        user = net < 0 ? -1 : ioctl(net, NS_GET_USERNS);
        if (user < 0 || ioctl(user, NS_GET_OWNER_UID, &owner) < 0 || owner != geteuid() ||
            !is_ours(user, net, state_dir))
                return -1;
        return fg_take_fd(user);
}

/* ---- making ---- */

static int check_user(struct fg_error *err)
{
        fg_cleanup(fclosep) FILE *f = fopen(OVERFLOW, "re");
        uint32_t overflow = 65534;

        if (f && fscanf(f, "%" SCNu32, &overflow) != 1)
                overflow = 65534;
        if (geteuid() == overflow)
                return fg_fail(err, FG_ERR_DENIED,
                               "user %u stands for every other user inside a user namespace: run "
                               "fgd as another user",
                               overflow);
        return 0;
}

static int put(const char *file, const char *text, struct fg_error *err)
{
        fg_autoclose int fd = open(file, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return fg_fail_errno(err, errno, "%s", file);
        return fg_write_all(fd, text, strlen(text), err) < 0 ? fg_wrap(err, "%s", file) : 0;
}

static int make(struct fg_error *err)
{
        unsigned uid = geteuid(), gid = getegid();
        fg_autofree char *uid_map = fg_asprintf("%u %u 1", uid, uid);
        fg_autofree char *gid_map = fg_asprintf("%u %u 1", gid, gid);

        if (unshare(CLONE_NEWUSER) < 0)
                return fg_fail_errno(err, errno,
                                     "make a user namespace, which a network without root takes "
                                     "(see the sysctls user.max_user_namespaces, "
                                     "kernel.unprivileged_userns_clone and "
                                     "kernel.apparmor_restrict_unprivileged_userns)");
        if (put("/proc/self/setgroups", "deny", err) < 0 ||
            put("/proc/self/uid_map", uid_map, err) < 0)
                return -1;
        return put("/proc/self/gid_map", gid_map, err);
}

int fg_net_become(const char *state_dir, struct fg_error *err)
{
        fg_autoclose int former = -1;

        if (geteuid() == 0 || has_capabilities())
                return 0;
        if (check_user(err) < 0)
                return -1;
        former = find_former(state_dir);
        if (former >= 0 && setns(former, CLONE_NEWUSER) < 0)
                return fg_fail_errno(err, errno, "join the user namespace of the running tasks");
        if (former < 0 && make(err) < 0)
                return -1;
        if (unshare(CLONE_NEWNS) < 0)
                return fg_fail_errno(err, errno, "make a mount namespace");
        if (!has_capabilities())
                return fg_fail(err, FG_ERR_DENIED,
                               "a user namespace gives no capabilities on this host");
        return 0;
}

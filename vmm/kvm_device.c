/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/kvm_device.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define KVM_DEVICE "/dev/kvm"
#define KVM_MODE   0660

int fg_kvm_device_unhide(const char *node, gid_t gid, struct fg_error *err)
{
        struct stat st;

        if (stat(KVM_DEVICE, &st) < 0)
                return fg_fail_errno(err, errno, "%s", KVM_DEVICE);
        if ((unlink(node) < 0 && errno != ENOENT) ||
            mknod(node, S_IFCHR | KVM_MODE, st.st_rdev) < 0 || chown(node, 0, gid) < 0 ||
            chmod(node, KVM_MODE) < 0)
                return fg_fail_errno(err, errno, "%s", node);
        /* Slave: what the host mounts later is still seen here, and nothing of ours there. */
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
            mount(node, KVM_DEVICE, NULL, MS_BIND, NULL) < 0)
                return fg_fail_errno(err, errno, "private %s", KVM_DEVICE);
        return 0;
}

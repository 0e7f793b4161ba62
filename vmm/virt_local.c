/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virt_local.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "core/str.h"

#define ALLOWED                                                                                    \
        "allowed are embed, qemu:///system, qemu:///session, qemu+unix:///system, and any other "  \
        "qemu URI that leads to this machine, such as qemu+ssh://localhost/system"

bool fg_virt_uri_is_local(const char *uri)
{
        return fg_starts_with(uri, "qemu:///") || fg_starts_with(uri, "qemu+unix:///");
}

bool fg_same_machine(const char *a, const char *b)
{
        size_t a_len = strlen(a), b_len = strlen(b), len = a_len < b_len ? a_len : b_len;
        const char *rest = (a_len < b_len ? b : a) + len;

        return len > 0 && strncasecmp(a, b, len) == 0 && (*rest == '\0' || *rest == '.');
}

int fg_virt_check_local(virConnectPtr conn, const char *uri, struct fg_error *err)
{
        fg_autofree char *theirs = NULL;
        const char *type = virConnectGetType(conn);
        char ours[HOST_NAME_MAX + 1] = "";

        if (!type || !fg_streq(type, "QEMU"))
                return fg_fail(err, FG_ERR_INVALID, "hypervisor = %s is %s, not QEMU; " ALLOWED,
                               uri, type ? type : "unknown");
        if (fg_virt_uri_is_local(uri))
                return 0;
        theirs = virConnectGetHostname(conn);
        if (!theirs)
                return fg_virt_fail(err, "ask %s where it runs", uri);
        if (gethostname(ours, sizeof(ours) - 1) < 0)
                return fg_fail_errno(err, errno, "gethostname");
        if (fg_same_machine(ours, theirs))
                return 0;
        return fg_fail(
                err, FG_ERR_INVALID,
                "hypervisor = %s runs on %s, and this machine is %s: disks and guests' sockets "
                "are local; " ALLOWED,
                uri, theirs, ours);
}

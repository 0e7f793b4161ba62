/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "guest-init/caps.h"
#include "seccomp_filter.h"

int fg_filter_load(uint64_t caps, struct fg_error *err)
{
        struct sock_fprog prog = { .len = FG_ARRAY_SIZE(default_filter),
                                   .filter = (struct sock_filter *)default_filter };

        _Static_assert(sizeof(struct sock_filter) == sizeof(default_filter[0]), "one word each");
        if (caps & FG_CAP(CAP_SYS_PTRACE)) {
                prog.len = FG_ARRAY_SIZE(ptrace_filter);
                prog.filter = (struct sock_filter *)ptrace_filter;
        }
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
                return fg_fail_errno(err, errno, "load the seccomp filter");
        return 0;
}

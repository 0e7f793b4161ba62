/* SPDX-License-Identifier: Apache-2.0 */
#include "images/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/resource.h>

#include "core/cleanup.h"

FG_DEFINE_CLEANUP(scmp_filter_ctx, seccomp_release)

#if FG_SANITIZED
const char *__asan_default_options(void);

/* The leak checker reads /proc, which is out of reach behind the change of root. */
const char *__asan_default_options(void)
{
        return "detect_leaks=0";
}
#endif

int fg_confine_limit(int resource, uint64_t value, struct fg_error *err)
{
        struct rlimit l = { .rlim_cur = value, .rlim_max = value };

        return setrlimit(resource, &l) < 0 ? fg_fail_errno(err, errno, "setrlimit") : 0;
}

static int allow(scmp_filter_ctx filter, int call)
{
        int r;

        if (call != SCMP_SYS(fallocate))
                return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
        r = seccomp_rule_add(
                filter, SCMP_ACT_ALLOW, call, 1,
                SCMP_A1(SCMP_CMP_MASKED_EQ, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_PUNCH_HOLE));
        return r < 0 ? r
                     : seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), call, 1,
                                        SCMP_A1(SCMP_CMP_MASKED_EQ, FALLOC_FL_PUNCH_HOLE, 0));
}

int fg_confine_calls(const int *calls, size_t n, struct fg_error *err)
{
        fg_cleanup(seccomp_releasep) scmp_filter_ctx filter = NULL;
        int r;

        if (FG_SANITIZED)
                return 0;
        filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        r = filter ? 0 : -ENOMEM;
        for (size_t i = 0; i < n && r == 0; i++)
                r = allow(filter, calls[i]);
        if (r == 0)
                r = seccomp_load(filter);
        return r < 0 ? fg_fail_errno(err, -r, "seccomp") : 0;
}

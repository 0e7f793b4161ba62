/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/caps.h"

#include <errno.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/json.h"
#include "core/str.h"

#define ALL (FG_CAP(CAP_LAST_CAP + 1) - 1)

/* Docker's, which are Fargate's too. */
static const uint64_t default_set = FG_CAP(CAP_CHOWN) | FG_CAP(CAP_DAC_OVERRIDE) |
                                    FG_CAP(CAP_FOWNER) | FG_CAP(CAP_FSETID) | FG_CAP(CAP_KILL) |
                                    FG_CAP(CAP_SETGID) | FG_CAP(CAP_SETUID) | FG_CAP(CAP_SETPCAP) |
                                    FG_CAP(CAP_NET_BIND_SERVICE) | FG_CAP(CAP_NET_RAW) |
                                    FG_CAP(CAP_SYS_CHROOT) | FG_CAP(CAP_MKNOD) |
                                    FG_CAP(CAP_AUDIT_WRITE) | FG_CAP(CAP_SETFCAP);

static const char *const names[] = {
#define NAME(cap) [CAP_##cap] = #cap
        NAME(CHOWN),
        NAME(DAC_OVERRIDE),
        NAME(DAC_READ_SEARCH),
        NAME(FOWNER),
        NAME(FSETID),
        NAME(KILL),
        NAME(SETGID),
        NAME(SETUID),
        NAME(SETPCAP),
        NAME(LINUX_IMMUTABLE),
        NAME(NET_BIND_SERVICE),
        NAME(NET_BROADCAST),
        NAME(NET_ADMIN),
        NAME(NET_RAW),
        NAME(IPC_LOCK),
        NAME(IPC_OWNER),
        NAME(SYS_MODULE),
        NAME(SYS_RAWIO),
        NAME(SYS_CHROOT),
        NAME(SYS_PTRACE),
        NAME(SYS_PACCT),
        NAME(SYS_ADMIN),
        NAME(SYS_BOOT),
        NAME(SYS_NICE),
        NAME(SYS_RESOURCE),
        NAME(SYS_TIME),
        NAME(SYS_TTY_CONFIG),
        NAME(MKNOD),
        NAME(LEASE),
        NAME(AUDIT_WRITE),
        NAME(AUDIT_CONTROL),
        NAME(SETFCAP),
        NAME(MAC_OVERRIDE),
        NAME(MAC_ADMIN),
        NAME(SYSLOG),
        NAME(WAKE_ALARM),
        NAME(BLOCK_SUSPEND),
        NAME(AUDIT_READ),
        NAME(PERFMON),
        NAME(BPF),
        NAME(CHECKPOINT_RESTORE),
#undef NAME
};

static int parse_name(const char *name, uint64_t *ret, struct fg_error *err)
{
        if (name && strcasecmp(name, "ALL") == 0) {
                *ret = ALL;
                return 0;
        }
        for (size_t i = 0; name && i < FG_ARRAY_SIZE(names); i++) {
                if (names[i] && strcasecmp(name, names[i]) == 0) {
                        *ret = FG_CAP(i);
                        return 0;
                }
        }
        return fg_fail(err, FG_ERR_INVALID, "unknown capability: \"%s\"", name ? name : "");
}

static int parse_list(struct json_object *list, uint64_t *ret, struct fg_error *err)
{
        uint64_t one = 0;

        *ret = 0;
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                struct json_object *name = json_object_array_get_idx(list, i);

                if (parse_name(json_object_get_string(name), &one, err) < 0)
                        return -1;
                *ret |= one;
        }
        return 0;
}

int fg_caps_parse(struct json_object *capabilities, uint64_t *ret, struct fg_error *err)
{
        uint64_t add, drop;

        if (parse_list(fg_json_arr(capabilities, "add"), &add, err) < 0 ||
            parse_list(fg_json_arr(capabilities, "drop"), &drop, err) < 0)
                return -1;
        /* As Docker: dropping ALL keeps what is added, anything else dropped stays dropped. */
        *ret = drop == ALL ? add : (default_set | add) & ~drop;
        return 0;
}

int fg_caps_bound(uint64_t set, struct fg_error *err)
{
        for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
                /* EINVAL: the kernel is older than the header. */
                if (!(set & FG_CAP(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
                    errno != EINVAL)
                        return fg_fail_errno(err, errno, "drop capability %d", cap);
        }
        return 0;
}

int fg_caps_set(uint64_t set, struct fg_error *err)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = { 0 };

        for (int i = 0; i < 2; i++) {
                data[i].permitted = (uint32_t)(set >> (32 * i));
                data[i].effective = data[i].permitted;
        }
        if (syscall(SYS_capset, &header, data) < 0)
                return fg_fail_errno(err, errno, "capset");
        return 0;
}

int fg_caps_limit(uint64_t set, struct fg_error *err)
{
        return fg_caps_bound(set, err) < 0 ? -1 : fg_caps_set(set, err);
}

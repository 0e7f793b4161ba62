/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/field_row.h"
#include "api/taskdef_private.h"
#include "core/str.h"

/* linuxParameters and ulimits. */

#define NOFILE_MAX 1048576 /* Fargate's highest hard limit */

static const char *const capabilities[] = {
        "ALL",
        "AUDIT_CONTROL",
        "AUDIT_WRITE",
        "BLOCK_SUSPEND",
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "IPC_LOCK",
        "IPC_OWNER",
        "KILL",
        "LEASE",
        "LINUX_IMMUTABLE",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "MKNOD",
        "NET_ADMIN",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_CHROOT",
        "SYS_MODULE",
        "SYS_NICE",
        "SYS_PACCT",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "SYSLOG",
        "WAKE_ALARM",
        NULL,
};

static bool check_capability(struct fg_decode *d, const char *s)
{
        fg_autofree char *allowed = NULL;
        const char *nearest;

        if (fg_one_of(s, capabilities))
                return true;
        nearest = fg_nearest(fg_starts_with(s, "CAP_") ? s + 4 : s, capabilities,
                             FG_ARRAY_SIZE(capabilities) - 1);
        if (nearest)
                fg_decode_problem(d, NULL, NULL, "'%.*s' is not a capability; did you mean \"%s\"?",
                                  FG_CLIP(s), nearest);
        allowed = fg_join(capabilities);
        if (!nearest)
                fg_decode_problem(d, NULL, allowed, "'%.*s' is not a capability", FG_CLIP(s));
        return false;
}

/* The guest has its own kernel and could give more away; a definition must also run on Fargate. */
static bool check_added_capability(struct fg_decode *d, const char *s)
{
        if (!check_capability(d, s))
                return false;
        if (fg_streq(s, "SYS_PTRACE"))
                return true;
        fg_decode_problem(d, NULL, "SYS_PTRACE", "%s is not allowed on Fargate.", s);
        return false;
}

static const struct fg_field capability_fields[] = {
        FG_ROW_STRINGS(fg_capabilities, add, "add", .max = 64, .check = check_added_capability),
        FG_ROW_STRINGS(fg_capabilities, drop, "drop", .max = 64, .check = check_capability),
};
static const struct fg_object capabilities_object = FG_OBJECT(fg_capabilities, capability_fields);

static const char *const mount_flags[] = {
        "defaults", "ro",         "rw",          "suid",          "nosuid",   "dev",
        "nodev",    "exec",       "noexec",      "sync",          "async",    "dirsync",
        "mand",     "nomand",     "atime",       "noatime",       "diratime", "nodiratime",
        "relatime", "norelatime", "strictatime", "nostrictatime", NULL,
};
static const char *const mount_values[] = { "mode", "uid", "gid", "nr_inodes", "nr_blocks", NULL };
/* In ECS's list, but without meaning for a file system of one container. */
static const char *const mount_later[] = {
        "remount", "bind",    "rbind", "unbindable", "runbindable", "private", "rprivate",
        "shared",  "rshared", "slave", "rslave",     "mpol",        NULL,
};

static bool check_mount_option(struct fg_decode *d, const char *s)
{
        bool has_value = strchr(s, '=') && strchr(s, '=')[1] != '\0' && !strchr(s, ',');
        fg_autofree char *flags = fg_join(mount_flags);
        fg_autofree char *values = fg_join(mount_values);
        fg_autofree char *allowed = fg_asprintf("%s; with =value: %s", flags, values);
        char key[16]; /* longer than any name we know */

        (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(s, "="), s);
        if (fg_one_of(s, mount_flags) || (has_value && fg_one_of(key, mount_values)))
                return true;
        if (fg_one_of(key, mount_later))
                fg_decode_problem(d, NULL, allowed,
                                  "mount option %s is not supported by this version of fgrun", key);
        else
                fg_decode_problem(d, NULL, allowed, "'%.*s' is not a mount option", FG_CLIP(s));
        return false;
}

static const struct fg_field tmpfs_fields[] = {
        FG_ROW_STRING(fg_tmpfs, container_path, "containerPath", .required = true,
                      .check = fg_check_path),
        FG_ROW_INT(fg_tmpfs, size, "size", .required = true, .min = 1),
        FG_ROW_STRINGS(fg_tmpfs, mount_options, "mountOptions", .max = 64,
                       .check = check_mount_option),
};
static const struct fg_object tmpfs_object = FG_OBJECT(fg_tmpfs, tmpfs_fields);

#define REFUSED(name)                                                                              \
        FG_ROW_REFUSED(name, "Fargate compatible task definitions do not support " name)

static const struct fg_field linux_fields[] = {
        FG_ROW_OBJECT(fg_linux_parameters, capabilities, "capabilities", &capabilities_object),
        REFUSED("devices"),
        FG_ROW_BOOL(fg_linux_parameters, init_process_enabled, "initProcessEnabled"),
        REFUSED("maxSwap"),
        FG_ROW_INT(fg_linux_parameters, shared_memory_size, "sharedMemorySize", .min = 1),
        REFUSED("swappiness"),
        FG_ROW_OBJECTS(fg_linux_parameters, tmpfs, "tmpfs", &tmpfs_object, .max = 16),
};
const struct fg_object fg_linux_parameters_object = FG_OBJECT(fg_linux_parameters, linux_fields);

static const char *const ulimit_names[] = {
        "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
        "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    NULL,
};

static bool exceeds(int64_t soft, int64_t hard)
{
        return hard != -1 && (soft == -1 || soft > hard);
}

static void check_ulimit(struct fg_decode *d, void *obj)
{
        const struct fg_ulimit *limit = obj;
        char allowed[32];

        (void)snprintf(allowed, sizeof(allowed), "at most %" PRId64, limit->hard_limit);
        if (exceeds(limit->soft_limit, limit->hard_limit))
                fg_decode_problem(d, "softLimit", allowed,
                                  "softLimit must not be greater than hardLimit");
        if (limit->name && fg_streq(limit->name, "nofile") &&
            exceeds(limit->hard_limit, NOFILE_MAX))
                fg_decode_problem(d, "hardLimit", "at most 1048576",
                                  "hardLimit of nofile is too high");
}

static const struct fg_field ulimit_fields[] = {
        FG_ROW_STRING(fg_ulimit, name, "name", .required = true, .allowed = ulimit_names),
        FG_ROW_INT(fg_ulimit, soft_limit, "softLimit", .required = true, .always = true, .min = -1),
        FG_ROW_INT(fg_ulimit, hard_limit, "hardLimit", .required = true, .always = true, .min = -1),
};
const struct fg_object fg_ulimit_object = FG_OBJECT(fg_ulimit, ulimit_fields,
                                                    .check = check_ulimit);

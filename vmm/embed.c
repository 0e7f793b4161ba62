/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/embed.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "vmm/domain.h"

#define CONF_MAX   4096
#define STATUS_MAX (1 << 20)

/* libvirt's own, below its root */
#define RUN_DIR        "/run/qemu"
#define LOG_DIR        "/log/qemu"
#define LIB_DIR        "/lib/qemu"
#define CHANNEL_DIR    LIB_DIR "/channel/target"
#define SHORT_NAME_LEN 20

/*
 * dynamic_ownership: off, because it would give the kernel and the initramfs, which all VMs share,
 * to QEMU's user. vmm makes the right owners itself.
 * namespaces: QEMU is an unprivileged user under a seccomp filter without a device it could open
 * but its own; a private /dev would add its cost to each start and nothing it cannot do already.
 * security_driver: there is no SELinux on Debian, and libvirt's AppArmor profiles exist only where
 * its daemon is installed. User and group are enforced in any case.
 * stdio_handler: without a daemon there is no virtlogd.
 */
static const char conf_text[] = "# Written by fgd at each start.\n"
                                "dynamic_ownership = 0\n"
                                "remember_owner = 0\n"
                                "namespaces = []\n"
                                "security_driver = \"none\"\n"
                                "seccomp_sandbox = 1\n"
                                "stdio_handler = \"file\"\n";

/* Without root, libvirt may change to nobody else, and fails if it is asked to. */
#define CONF_USER "user = \"" FG_QEMU_USER "\"\ngroup = \"" FG_QEMU_USER "\"\n"

/* Where memory cannot be limited, cgroups would be cost without use. cpu and cpuset are named
   because libvirt places the threads of a VM with them: in cgroups of version 2 it hands both on
   to the threads, and fails if the VM has only one. */
#define CONF_LIMITS    "cgroup_controllers = [\"cpu\", \"cpuacct\", \"cpuset\", \"memory\"]\n"
#define CONF_NO_LIMITS "cgroup_controllers = []\n"

/* Names the life of this host's process ids: the boot, and in a container the life of its PID 1. */
static int life_of_pids(struct fg_buf *out, struct fg_error *err)
{
        fg_cleanup(fclosep) FILE *init = fopen("/proc/1/stat", "re");
        unsigned long long started;

        if (!init || fscanf(init,
                            "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
                            "%*d %*d %*d %*d %*d %llu",
                            &started) != 1)
                return fg_fail(err, FG_ERR_INTERNAL, "/proc/1/stat is not readable");
        if (fg_buf_read_file(out, "/proc/sys/kernel/random/boot_id", err) < 0)
                return -1;
        return fg_buf_printf(out, err, "%llu\n", started);
}

/*
 * libvirt remembers QEMUs by their pid, and ends what it cannot talk to. It expects its state to
 * vanish with a reboot; ours is on a disk, so pids of a former life would be somebody else's.
 */
static int forget_former_life(const char *root, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf now = FG_BUF_INIT(CONF_MAX),
                                                then = FG_BUF_INIT(CONF_MAX);
        fg_autofree char *stamp = fg_asprintf("%s/life", root);
        fg_autofree char *run = fg_asprintf("%s/run", root);
        struct fg_error ignored;

        if (life_of_pids(&now, err) < 0)
                return -1;
        if (fg_buf_read_file(&then, stamp, &ignored) == 0 && then.len > 0 &&
            fg_streq(now.data, then.data))
                return 0;
        if (fg_rm_rf(run, err) < 0)
                return -1;
        return fg_write_file(stamp, now.data, now.len, 0600, err);
}

static int remove_ending(const char *dir, const char *suffix, struct fg_error *err)
{
        fg_cleanup(closedirp) DIR *handle = opendir(dir);
        struct dirent *entry;

        while (handle && (entry = readdir(handle))) {
                fg_autofree char *path = fg_asprintf("%s/%s", dir, entry->d_name);

                if (fg_ends_with(entry->d_name, suffix) && fg_rm_rf(path, err) < 0)
                        return -1;
        }
        return 0;
}

/* libvirt names the directories of a domain by its number and the first 20 bytes of its name. */
static int remove_domain_dirs(const char *root, const char *name, struct fg_error *err)
{
        fg_autofree char *lib = fg_asprintf("%s" LIB_DIR, root);
        fg_autofree char *channels = fg_asprintf("%s" CHANNEL_DIR, root);
        fg_autofree char *suffix = fg_asprintf("-%.*s", SHORT_NAME_LEN, name);

        if (remove_ending(lib, suffix, err) < 0)
                return -1;
        return remove_ending(channels, suffix, err);
}

/* Does the status file @path tell of a domain without a process? 1, 0 or -1. */
static int is_unborn(const char *path, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf status = FG_BUF_INIT(STATUS_MAX);
        const char *element, *end, *pid;

        if (fg_buf_read_file(&status, path, err) < 0)
                return -1;
        element = status.len > 0 ? strstr(status.data, "<domstatus ") : NULL;
        end = element ? strchr(element, '>') : NULL;
        pid = element ? strstr(element, " pid='0'") : NULL;
        return pid && end && pid < end;
}

/*
 * A domain that was stored before it had a process has none: QEMU waits for libvirt's word before
 * it begins. libvirt 9.0 takes such a domain up again with a lock that nobody ever lets go.
 */
static int forget_unborn(const char *root, struct fg_error *err)
{
        fg_autofree char *run = fg_asprintf("%s" RUN_DIR, root);
        fg_cleanup(closedirp) DIR *handle = opendir(run);
        struct dirent *entry;

        if (remove_ending(run, ".xml.new", err) < 0) /* half written */
                return -1;
        while (handle && (entry = readdir(handle))) {
                fg_autofree char *path = fg_asprintf("%s/%s", run, entry->d_name);
                int unborn;

                if (!fg_starts_with(entry->d_name, FG_DOMAIN_PREFIX) ||
                    !fg_ends_with(entry->d_name, ".xml"))
                        continue;
                unborn = is_unborn(path, err);
                if (unborn < 0 || (unborn > 0 && fg_rm_rf(path, err) < 0))
                        return -1;
        }
        return 0;
}

/* Does a status file tell of the domain with this short name? */
static bool is_known(const char *run, const char *short_name)
{
        fg_cleanup(closedirp) DIR *handle = opendir(run);
        struct dirent *entry;

        while (handle && (entry = readdir(handle)))
                if (fg_starts_with(entry->d_name, short_name) &&
                    fg_ends_with(entry->d_name, ".xml"))
                        return true;
        return false;
}

/* In @dir, what was made for domains that no status file tells of. */
static int remove_strays(const char *dir, const char *run, struct fg_error *err)
{
        fg_cleanup(closedirp) DIR *handle = opendir(dir);
        struct dirent *entry;

        while (handle && (entry = readdir(handle))) {
                fg_autofree char *path = fg_asprintf("%s/%s", dir, entry->d_name);
                const char *name = strstr(entry->d_name, "-" FG_DOMAIN_PREFIX);

                if (fg_starts_with(entry->d_name, "domain-") && name && !is_known(run, name + 1) &&
                    fg_rm_rf(path, err) < 0)
                        return -1;
        }
        return 0;
}

/* libvirt makes the directories of a domain before it first stores its status. Killed in between,
   it will not know them when it is opened again. */
static int forget_strays(const char *root, struct fg_error *err)
{
        fg_autofree char *run = fg_asprintf("%s" RUN_DIR, root);
        fg_autofree char *lib = fg_asprintf("%s" LIB_DIR, root);
        fg_autofree char *channels = fg_asprintf("%s" CHANNEL_DIR, root);

        if (remove_strays(lib, run, err) < 0)
                return -1;
        return remove_strays(channels, run, err);
}

int fg_embed_prepare(const char *root, const struct fg_qemu_user *user, bool limits,
                     struct fg_error *err)
{
        fg_autofree char *etc = fg_asprintf("%s/etc", root);
        fg_autofree char *conf = fg_asprintf("%s/etc/qemu.conf", root);
        fg_autofree char *text = fg_asprintf("%s%s%s", conf_text, user->separate ? CONF_USER : "",
                                             limits ? CONF_LIMITS : CONF_NO_LIMITS);

        if (fg_qemu_user_mkdir(user, root, err) < 0 || forget_former_life(root, err) < 0 ||
            forget_unborn(root, err) < 0 || forget_strays(root, err) < 0 ||
            fg_mkdir_p(etc, 0755, err) < 0)
                return -1;
        return fg_write_file(conf, text, strlen(text), 0644, err);
}

int fg_embed_forget(const char *root, const char *id, struct fg_error *err)
{
        fg_autofree char *name = fg_asprintf(FG_DOMAIN_PREFIX "%s", id);
        fg_autofree char *log = fg_asprintf("%s" LOG_DIR "/%s.log", root, name);
        fg_autofree char *status = fg_asprintf("%s" RUN_DIR "/%s.xml", root, name);
        fg_autofree char *unfinished = fg_asprintf("%s.new", status);
        fg_autofree char *pid = fg_asprintf("%s" RUN_DIR "/%s.pid", root, name);

        if (remove_domain_dirs(root, name, err) < 0 || fg_rm_rf(log, err) < 0 ||
            fg_rm_rf(status, err) < 0 || fg_rm_rf(unfinished, err) < 0)
                return -1;
        return fg_rm_rf(pid, err);
}

void fg_embed_forget_ended(const char *root, bool (*ended)(void *userdata, const char *id),
                           void *userdata)
{
        fg_autofree char *run = fg_asprintf("%s" RUN_DIR, root);
        fg_cleanup(closedirp) DIR *handle = opendir(run);
        struct dirent *entry;

        while (handle && (entry = readdir(handle))) {
                char id[FG_ID_LEN + 1];
                struct fg_error ignored;

                if (!fg_starts_with(entry->d_name, FG_DOMAIN_PREFIX))
                        continue;
                (void)snprintf(id, sizeof(id), "%s", entry->d_name + strlen(FG_DOMAIN_PREFIX));
                if (fg_id_valid(id) && ended(userdata, id))
                        (void)fg_embed_forget(root, id, &ignored);
        }
}

char *fg_embed_uri(const char *root)
{
        static const char scheme[] = "qemu:///embed?root=";
        static const char hex[] = "0123456789ABCDEF";
        char *uri = fg_calloc(sizeof(scheme) + 3 * strlen(root), 1);
        char *p = mempcpy(uri, scheme, sizeof(scheme) - 1);

        for (const unsigned char *c = (const unsigned char *)root; *c; c++) {
                if (isalnum(*c) || strchr("/._-~", *c)) {
                        *p++ = (char)*c;
                } else {
                        *p++ = '%';
                        *p++ = hex[*c >> 4];
                        *p++ = hex[*c & 15];
                }
        }
        return uri;
}

bool fg_cgroup_usable(const char *root, const char *controller)
{
        fg_cleanup(fg_buf_finish) struct fg_buf controllers = FG_BUF_INIT(CONF_MAX);
        fg_autofree char *v1 = fg_asprintf("%s/%s/cgroup.procs", root, controller);
        fg_autofree char *v2 = fg_asprintf("%s/cgroup.controllers", root);
        fg_autofree char *v2_children = fg_asprintf("%s/cgroup.subtree_control", root);
        struct fg_error ignored;
        char *words, *word;

        if (geteuid() != 0)
                return false; /* libvirt makes no cgroups for users */
        if (access(v1, W_OK) == 0)
                return true;
        if (access(v2_children, W_OK) < 0 || fg_buf_read_file(&controllers, v2, &ignored) < 0)
                return false;
        words = controllers.data;
        while ((word = strsep(&words, " \n")))
                if (fg_streq(word, controller))
                        return true;
        return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: QEMU without libvirt and fgd, with the kernel, initramfs and command line that fgd
 * gives its guests, until the guest's init has opened its channel.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench/peer.h"
#include "cli/bench/world.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define TIMEOUT_MS  60000
#define CMDLINE_MAX (1U << 20)
#define DISK_BYTES  (INT64_C(20) << 30) /* sparse */
#define QMP_HELLO   "{\"execute\":\"qmp_capabilities\"}\n"
#define QMP_OPENED  "VSERPORT_CHANGE"

enum { PROGRAM, KERNEL, INITRD, APPEND, WORDS };

/* The argument after @flag in a list of strings that each end with a zero byte. */
static const char *after(const struct fg_buf *text, const char *flag)
{
        for (size_t at = 0; at < text->len; at += strlen(text->data + at) + 1) {
                size_t next = at + strlen(text->data + at) + 1;

                if (fg_streq(text->data + at, flag) && next < text->len)
                        return text->data + next;
        }
        return NULL;
}

static bool mentions(const struct fg_buf *text, const char *what)
{
        for (size_t at = 0; at < text->len; at += strlen(text->data + at) + 1)
                if (strstr(text->data + at, what))
                        return true;
        return false;
}

/* Is process @pid a QEMU of the benchmark's fgd? Then its words are copied. */
static bool read_qemu(const struct bench_world *w, const char *pid, char **words)
{
        static const char *const flags[WORDS] = { NULL, "-kernel", "-initrd", "-append" };
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(CMDLINE_MAX);
        fg_autofree char *path = fg_asprintf("/proc/%s/cmdline", pid);
        struct fg_error ignored = FG_ERROR_INIT;

        if (fg_buf_read_file(&text, path, &ignored) < 0 || text.len == 0 ||
            !mentions(&text, w->dir) || !strstr(text.data, "qemu"))
                return false;
        for (int i = PROGRAM + 1; i < WORDS; i++)
                if (!after(&text, flags[i]))
                        return false;
        words[PROGRAM] = fg_strdup(text.data);
        for (int i = PROGRAM + 1; i < WORDS; i++)
                words[i] = fg_strdup(after(&text, flags[i]));
        return true;
}

static bool find_qemu(const struct bench_world *w, char **words)
{
        fg_cleanup(closedirp) DIR *dir = opendir("/proc");
        const struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (isdigit((unsigned char)entry->d_name[0]) && read_qemu(w, entry->d_name, words))
                        return true;
        return false;
}

static int make_disk(const struct bench_world *w, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/floor.img", w->dir);
        fg_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        return fd >= 0 && ftruncate(fd, DISK_BYTES) == 0 ? 0
                                                         : fg_fail_errno(err, errno, "%s", path);
}

static void add_words(struct bench_words *words, const struct bench_world *w,
                      const struct bench_peer *p)
{
        const char *const first[] = {
                p->words[PROGRAM],
                "-accel",
                w->emulated ? "tcg" : "kvm",
                "-cpu",
                w->emulated ? "max" : "host",
                "-kernel",
                p->words[KERNEL],
                "-initrd",
                p->words[INITRD],
                "-append",
                p->words[APPEND],
                NULL,
        };
        static const char *const rest[] = {
                "-M",
                "microvm,acpi=off",
                "-m",
                "512",
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-no-reboot",
                "-serial",
                "null",
                "-qmp",
                "stdio",
                "-device",
                "virtio-serial-device",
                "-chardev",
                "null,id=c",
                "-device",
                "virtserialport,chardev=c,id=port,name=org.fgrun.guest.0",
                "-device",
                "virtio-blk-device,drive=d",
                "-drive",
                NULL,
        };

        bench_words_all(words, first);
        bench_words_all(words, rest);
        bench_words_format(words, "if=none,id=d,format=raw,cache=unsafe,file=%s/floor.img", w->dir);
}

static int start(struct bench_world *w, struct bench_peer *p, struct bench_run *ret,
                 double *ret_accept_ms, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        const struct bench_exec exec = { .words = &words,
                                         .input = QMP_HELLO,
                                         .until = QMP_OPENED,
                                         .kill = true,
                                         .timeout_ms = TIMEOUT_MS };

        add_words(&words, w, p);
        if (bench_exec(&exec, w->clock, ret, err) < 0)
                return -1;
        *ret_accept_ms = ret->seen_ms;
        return 0;
}

static int find(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        double accept;

        p->words = fg_calloc(WORDS + 1, sizeof(*p->words));
        if (bench_wait_for_guest(w, p, err) < 0)
                return fg_wrap(err, "fgd's own QEMU shows the command line");
        if (!find_qemu(w, p->words))
                return fg_fail(err, FG_ERR_NOT_FOUND, "fgd's guests run in no QEMU");
        (void)snprintf(p->version, sizeof(p->version), "%s", p->words[PROGRAM]);
        if (make_disk(w, err) < 0)
                return -1;
        return start(w, p, &run, &accept, err);
}

const struct bench_kind bench_qemu_floor = {
        .name = "qemu-floor",
        .find = find,
        .start = start,
};

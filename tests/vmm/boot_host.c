/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "guest-init/protocol.h"
#include "tests/vmm/boot_host.h"

#define DEADLINE_NS  (60 * FG_NS_PER_SEC)
#define SCRATCH_SIZE (64 * 1024 * 1024)

/* ---- callbacks ---- */

void host_on_done(void *userdata, const char *id, const struct fg_error *err)
{
        struct host *h = userdata;

        assert_string_equal(id, h->id);
        h->failed = err != NULL;
        if (err)
                h->error = *err;
        h->done++;
}

void host_on_list(void *userdata, const struct fg_vm *vms, size_t n, const struct fg_error *err)
{
        struct host *h = userdata;

        assert_null(err);
        h->listed = false;
        for (size_t i = 0; i < n; i++)
                h->listed |= fg_streq(vms[i].id, h->id) && vms[i].running;
        h->lists++;
}

static void on_gone(void *userdata, const char *id, bool crashed, const char *reason)
{
        struct host *h = userdata;

        assert_string_equal(id, h->id);
        h->crashed = crashed;
        h->gone++;
}

static void on_up(void *userdata)
{
        ((struct host *)userdata)->ups++;
}

static void on_frame(void *userdata, const struct fg_frame *f)
{
        assert_int_equal(f->len, 4);
        assert_memory_equal(f->data, "echo", 4);
        ((struct host *)userdata)->echoes++;
}

static void on_down(void *userdata, const struct fg_error *err)
{
        ((struct host *)userdata)->downs++;
}

static void on_writable(void *userdata)
{
}

static const struct fg_channel_ops channel_ops = { on_up, on_frame, on_down, on_writable };

/* ---- driving ---- */

void host_run_until(struct host *h, const unsigned *counter, unsigned wanted)
{
        uint64_t end = fg_mono_ns() + DEADLINE_NS;

        while (*counter < wanted) {
                assert_true(fg_mono_ns() < end);
                assert_true(sd_event_run(h->event, 100000) >= 0);
        }
}

void host_open(struct host *h)
{
        struct fg_vmm_config config = {
                .uri = "embed",
                .state_dir = h->state,
                .run_dir = h->run,
                .kernel = getenv("FG_TEST_KERNEL"),
                .initrd = getenv("FG_TEST_INITRD"),
                .accel = FG_ACCEL_AUTO,
                .lanes = 2,
        };
        struct fg_error err = FG_ERROR_INIT;

        if (fg_vmm_new(h->event, &config, on_gone, h, &h->vmm, &err) < 0)
                fail_msg("%s", err.msg);
}

void host_make_scratch(struct host *h)
{
        int fd = open(h->scratch, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0 && ftruncate(fd, SCRATCH_SIZE) == 0 && close(fd) == 0);
}

struct fg_vm_spec host_spec(const struct host *h)
{
        struct fg_vm_spec spec = { .vcpus = 1, .memory_mib = h->memory_mib, .scratch = h->scratch };

        memcpy(spec.id, h->id, sizeof(spec.id));
        return spec;
}

void host_connect(struct host *h)
{
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(fg_channel_new(h->vmm, h->id, &channel_ops, h, &h->channel, &err), 0);
        host_run_until(h, &h->ups, h->ups + 1);
}

void host_start(struct host *h)
{
        struct fg_vm_spec spec = host_spec(h);

        host_make_scratch(h);
        fg_vmm_start(h->vmm, &spec, host_on_done, h);
        host_run_until(h, &h->done, h->done + 1);
        if (h->failed)
                fail_msg("%s", h->error.msg);
        host_connect(h);
}

void host_tell(struct host *h, const char *word)
{
        struct fg_frame f = { .type = FG_FRAME_CONTROL, .data = word, .len = strlen(word) };
        struct fg_error err;

        assert_int_equal(fg_channel_send(h->channel, &f, &err), 1);
}

void host_end(struct host *h)
{
        fg_channel_free(fg_take_ptr(h->channel));
        fg_vmm_destroy(h->vmm, h->id, host_on_done, h);
        host_run_until(h, &h->done, h->done + 1);
        if (h->failed)
                fail_msg("%s", h->error.msg);
}

/* ---- what is there ---- */

pid_t host_qemu(const struct host *h)
{
        fg_cleanup(closedirp) DIR *proc = opendir("/proc");
        struct dirent *entry;
        uint64_t pid;

        assert_non_null(proc);
        while ((entry = readdir(proc))) {
                fg_cleanup(fg_buf_finish) struct fg_buf args = FG_BUF_INIT(65536);
                fg_autofree char *path = fg_asprintf("/proc/%s/cmdline", entry->d_name);
                struct fg_error ignored;

                if (fg_parse_u64(entry->d_name, &pid) &&
                    fg_buf_read_file(&args, path, &ignored) == 0 && args.len > 0 &&
                    strstr(args.data, "qemu") && memmem(args.data, args.len, h->id, FG_ID_LEN))
                        return (pid_t)pid;
        }
        return 0;
}

static const char *leftover_id;

static int has_id(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        return strstr(path + ftw->base, leftover_id) != NULL;
}

void host_assert_nothing_left(struct host *h)
{
        const uint64_t end = fg_mono_ns() + DEADLINE_NS;

        leftover_id = h->id;
        assert_int_equal(host_qemu(h), 0);
        /* libvirt may be writing of the end of a VM that is gone. */
        while (nftw(h->dir, has_id, 16, FTW_PHYS) || nftw("/sys/fs/cgroup", has_id, 16, FTW_PHYS)) {
                assert_true(fg_mono_ns() < end);
                assert_true(sd_event_run(h->event, 10000) >= 0);
        }
}

char *proc_text(pid_t pid, const char *name)
{
        struct fg_buf text = FG_BUF_INIT(65536);
        fg_autofree char *path = fg_asprintf("/proc/%d/%s", pid, name);
        struct fg_error err;

        assert_int_equal(fg_buf_read_file(&text, path, &err), 0);
        return fg_buf_take(&text);
}

/* ---- life ---- */

void host_init(struct host *h, const char *dir)
{
        *h = (struct host){ .memory_mib = HOST_MEMORY_MIB };
        (void)snprintf(h->dir, sizeof(h->dir), "%s", dir);
        h->state = fg_asprintf("%s/state", dir);
        h->run = fg_asprintf("%s/run", dir);
        h->scratch = fg_asprintf("%s/scratch.img", dir);
        assert_true(sd_event_new(&h->event) >= 0);
        fg_id_new(h->id);
}

void host_finish(struct host *h)
{
        fg_channel_free(h->channel);
        fg_vmm_free(h->vmm);
        sd_event_unref(h->event);
        free(h->state);
        free(h->run);
        free(h->scratch);
}

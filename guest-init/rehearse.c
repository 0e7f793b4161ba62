/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/rehearse.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "guest-init/cgroup.h"
#include "guest-init/image_unpack.h"
#include "guest-init/mounts.h"
#include "guest-init/network.h"
#include "guest-init/output.h"
#include "guest-init/start.h"

#define IMAGE     FG_SCRATCH_IMAGES "/rehearsal"
#define DIGEST    "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define PROGRAM   "/" FG_REHEARSAL_NAME

#define CONTAINER FG_SCRATCH_CONTAINERS "/0"
#define READ_MAX  (8u << 20)

/* What most images start with, where they have it: it is read, not run. */
static const char command[] = "[\"" PROGRAM "\",\"/bin/sh\",\"/lib64/ld-linux-x86-64.so.2\","
                              "\"/lib/x86_64-linux-gnu/libc.so.6\",\"/lib/ld-musl-x86_64.so.1\"]";
static const char manifest[] = "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
                               "vnd.oci.image.config.v1+json\","
                               "\"digest\":\"" DIGEST "\",\"size\":1},\"layers\":[{\"mediaType\":"
                               "\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" DIGEST
                               "\",\"size\":1}]}";
static const char config[] =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"" PROGRAM "\"]},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]}}";
static const char task[] = "{\"hostname\":\"rehearsal\",\"containers\":[{\"name\":\"rehearsal\"}]}";

static int put(const char *path, const char *text, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0)
                return fg_fail_errno(err, errno, "%s", path);
        return fg_write_all(fd, text, strlen(text), err);
}

static int copy_self(const char *path, struct fg_error *err)
{
        fg_autoclose int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        fg_autoclose int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        struct stat st;

        if (from < 0 || to < 0 || fstat(from, &st) < 0 ||
            sendfile(to, from, NULL, (size_t)st.st_size) != st.st_size)
                return fg_fail_errno(err, errno, "%s", path);
        return 0;
}

static int make_image(struct fg_error *err)
{
        if (mkdir(IMAGE, 0700) < 0 || mkdir(IMAGE "/" FG_IMAGE_ROOT, 0755) < 0)
                return fg_fail_errno(err, errno, IMAGE);
        if (put(IMAGE "/" FG_IMAGE_MANIFEST, manifest, err) < 0 ||
            put(IMAGE "/" FG_IMAGE_CONFIG, config, err) < 0)
                return -1;
        /* Images have it: what is bound in it makes the layer above copy it. */
        if (mkdir(IMAGE "/" FG_IMAGE_ROOT "/etc", 0755) < 0)
                return fg_fail_errno(err, errno, IMAGE);
        return copy_self(IMAGE "/" FG_IMAGE_ROOT PROGRAM, err);
}

static int run(struct json_object *spec, const char *image, struct fg_error *err)
{
        struct json_object *container = json_object_array_get_idx(fg_json_arr(spec, "containers"),
                                                                  0);
        fg_autoclose int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        fg_autojson *argv = fg_json_parse(command, sizeof(command) - 1, err);
        fg_autoclose int report_in = -1, report_out = -1, cgroup = -1;
        struct fg_start_report r = { 0 };
        int pair[2], status;
        pid_t pid;

        cgroup = fg_cgroup_new(0, container, err);
        if (cgroup < 0)
                return -1;
        if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return fg_fail_errno(err, errno, "socketpair");
        report_in = pair[0];
        report_out = pair[1];
        pid = fg_start(&(struct fg_start){ .task = spec,
                                           .spec = container,
                                           .image_dir = image,
                                           .argv = argv,
                                           .cgroup = cgroup,
                                           .pid_ns = -1,
                                           .input = -1,
                                           .output = { null, null },
                                           .report = report_out },
                       err);
        (void)close(fg_take_fd(report_out));
        if (pid < 0)
                return -1;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fg_fail_errno(err, errno, "wait");
        if (read(report_in, &r, sizeof(r)) == sizeof(r) && r.kind == FG_START_FAILED)
                return fg_fail(err, FG_ERR_INTERNAL, "%s", r.message);
        return status == 0 ? 0 : fg_fail(err, FG_ERR_INTERNAL, "status 0x%x", (unsigned)status);
}

/* Whatever comes of it, nothing of it is left. */
static int perform(const char *image, struct fg_error *err)
{
        fg_autojson *spec = fg_json_parse(task, sizeof(task) - 1, err);
        struct fg_error ignored;
        int r = spec ? 0 : -1;

        if (r == 0)
                r = fg_network_write_files(NULL, "rehearsal", FG_SCRATCH_ETC, err);
        if (r == 0)
                r = fg_cgroup_init_task(spec, err);
        if (r == 0)
                r = run(spec, image, err);
        fg_cgroup_remove(0);
        (void)rmdir(FG_CGROUP_TASK);
        (void)fg_rm_rf(FG_SCRATCH_ETC, &ignored);
        (void)fg_rm_rf(CONTAINER, &ignored);
        return r;
}

int fg_rehearse(bool mounted, struct fg_error *err)
{
        struct fg_error ignored;
        int r;

        if (!mounted && fg_mounts_scratch(FG_SCRATCH_DEVICE, err) < 0)
                return -1;
        r = make_image(err);
        if (r == 0)
                r = perform(IMAGE, err);
        (void)fg_rm_rf(IMAGE, &ignored);
        if (!mounted && umount(FG_SCRATCH) < 0 && r == 0)
                r = fg_fail_errno(err, errno, "unmount the scratch disk");
        return r;
}

/* Our program is in the layer above the image, as if a container had written it there. */
int fg_rehearse_image(const char *dir, struct fg_error *err)
{
        if (mkdir(CONTAINER, 0700) < 0 || mkdir(CONTAINER "/upper", 0755) < 0)
                return fg_fail_errno(err, errno, CONTAINER);
        if (copy_self(CONTAINER "/upper" PROGRAM, err) < 0)
                return -1;
        return perform(dir, err);
}

int fg_rehearse_output(struct fg_loop *loop, struct fg_error *err)
{
        fg_cleanup(fg_output_finish) struct fg_output o = { .source.fd = -1 };
        fg_autoclose int write_end = -1;
        int pair[2];

        if (pipe2(pair, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        write_end = pair[1];
        if (fg_output_init(&o, loop, 0, pair[0], err) < 0 ||
            fg_write_all(write_end, "\n", 1, err) < 0)
                return -1;
        fg_closep(&write_end);
        write_end = -1;
        fg_output_exited(&o);
        return 0;
}

void fg_rehearse_read(const char *path)
{
        static char page[1 << 16];
        fg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        for (size_t n = 0; fd >= 0 && n < READ_MAX; n += sizeof(page))
                if (read(fd, page, sizeof(page)) <= 0)
                        break;
}

int fg_rehearsal_main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++)
                fg_rehearse_read(argv[i]);
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */

/* PID 1 of the boot test's guest: answers SYNC, says what it sees, and ends as it is told. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "guest-init/protocol.h"

#define HALT "halt"

static int open_port(void)
{
        char path[32];

        for (int device = 0; device < 4; device++) {
                int fd;

                (void)snprintf(path, sizeof(path), "/dev/vport%dp1", device);
                fd = open(path, O_RDWR | O_CLOEXEC);
                if (fd >= 0)
                        return fd;
        }
        return -1;
}

/* Echoes control frames. Return: whether the guest is to halt; everything else is a crash. */
static int answer(int fd, const struct fg_frame *f)
{
        struct fg_buf out = FG_BUF_INIT(1024);
        struct fg_error err;
        int r = 1;

        if (f->type == FG_FRAME_SYNC)
                r = fg_sync_append(&out, (const uint8_t *)f->data, false, &err);
        else if (f->len == sizeof(HALT) - 1 && memcmp(f->data, HALT, f->len) == 0)
                return 1;
        else
                r = fg_frame_append(&out, f, &err);
        if (r == 0 && write(fd, out.data, out.len) != (ssize_t)out.len)
                r = -1;
        fg_buf_finish(&out);
        return r;
}

int main(void)
{
        struct fg_parser parser;
        struct fg_error err;
        struct fg_frame f;
        char data[4096];
        int fd, r;

        if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) < 0 && access("/dev/null", F_OK) < 0)
                return 1;
        (void)printf("init is up\n");
        (void)fflush(stdout);
        fd = open_port();
        if (fd < 0 || access("/dev/vda", F_OK) < 0)
                return 1;
        fg_parser_init(&parser);
        for (;;) {
                ssize_t n = read(fd, data, sizeof(data));

                if (n <= 0) {
                        (void)usleep(1000); /* no host is connected */
                        continue;
                }
                if (fg_parser_feed(&parser, data, (size_t)n, &err) < 0)
                        return 1; /* a dead init is a kernel panic */
                while ((r = fg_parser_next(&parser, &f, &err)) > 0)
                        if (f.len == 5 && memcmp(f.data, "panic", 5) == 0)
                                return 1;
                        else if (answer(fd, &f) == 1)
                                (void)reboot(RB_AUTOBOOT);
                if (r < 0)
                        return 1;
        }
}

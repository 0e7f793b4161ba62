/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/str.h"

struct fg_console {
        int fd;
        sd_event_source *source;
        size_t len;
        char text[2 * FG_CONSOLE_TAIL + 1]; /* the tail starts FG_CONSOLE_TAIL before the end */
};

static void keep(struct fg_console *console, const char *data, size_t len)
{
        if (console->len + len > 2 * FG_CONSOLE_TAIL) {
                size_t drop = console->len - (FG_CONSOLE_TAIL - len);

                memmove(console->text, console->text + drop, console->len - drop);
                console->len -= drop;
        }
        for (size_t i = 0; i < len; i++)
                if (data[i] == '\n' || (data[i] >= ' ' && data[i] <= '~'))
                        console->text[console->len++] = data[i];
        console->text[console->len] = '\0';
}

/* 1: something was read, 0: nothing there, -1: the VM ended. */
static int read_some(struct fg_console *console)
{
        char data[FG_CONSOLE_TAIL];
        ssize_t n = read(console->fd, data, sizeof(data));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return -1;
        keep(console, data, (size_t)n);
        return 1;
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        return read_some(userdata) < 0 ? sd_event_source_set_enabled(source, SD_EVENT_OFF) : 0;
}

void fg_console_drain(struct fg_console *console)
{
        while (read_some(console) > 0)
                ;
}

int fg_console_new(sd_event *event, const char *path, struct fg_console **ret, struct fg_error *err)
{
        fg_cleanup(fg_console_freep) struct fg_console *console = fg_calloc(1, sizeof(*console));
        struct sockaddr_un addr = { .sun_family = AF_UNIX };
        int r;

        console->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (console->fd < 0)
                return fg_fail_errno(err, errno, "console: socket");
        if (strlen(path) >= sizeof(addr.sun_path))
                return fg_fail(err, FG_ERR_INVALID, "console: path too long: %s", path);
        (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
        if (connect(console->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
                return fg_fail_errno(err, errno, "console: connect to %s", path);
        r = sd_event_add_io(event, &console->source, console->fd, EPOLLIN, on_input, console);
        if (r < 0)
                return fg_fail_errno(err, -r, "console: watch");
        *ret = fg_take_ptr(console);
        return 0;
}

void fg_console_free(struct fg_console *console)
{
        if (!console)
                return;
        sd_event_source_disable_unref(console->source);
        if (console->fd >= 0)
                (void)close(console->fd);
        free(console);
}

const char *fg_console_tail(const struct fg_console *console)
{
        size_t skip = console->len > FG_CONSOLE_TAIL ? console->len - FG_CONSOLE_TAIL : 0;

        return console->text + skip;
}

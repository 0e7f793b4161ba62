/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/str.h"

#define CONSOLE "/dev/console"

static int mount_console(int number, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("/dev/pts/%d", number);
        fg_autoclose int fd = open(CONSOLE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0 || mount(path, CONSOLE, NULL, MS_BIND, NULL) < 0)
                return fg_fail_errno(err, errno, "make %s", CONSOLE);
        return 0;
}

int fg_terminal_open(struct fg_error *err)
{
        fg_autoclose int own = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
        fg_autoclose int theirs = -1;
        const struct winsize size = { .ws_row = 24, .ws_col = 80 }; /* nobody says another */
        int unlocked = 0, number;

        if (own < 0 || ioctl(own, TIOCSPTLCK, &unlocked) < 0 || ioctl(own, TIOCGPTN, &number) < 0)
                return fg_fail_errno(err, errno, "open a terminal");
        theirs = ioctl(own, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (theirs < 0 || ioctl(theirs, TIOCSCTTY, 0) < 0 || ioctl(theirs, TIOCSWINSZ, &size) < 0)
                return fg_fail_errno(err, errno, "get a terminal");
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                if (dup2(theirs, fd) < 0)
                        return fg_fail_errno(err, errno, "set up the terminal");
        }
        return mount_console(number, err) < 0 ? -1 : fg_take_fd(own);
}

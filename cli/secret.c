/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secret.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "core/str.h"

static int read_terminal(struct fg_buf *ret, struct fg_error *err)
{
        struct termios before, quiet;
        char line[4096];
        int r = 0;

        if (tcgetattr(STDIN_FILENO, &before) < 0)
                return fg_fail(err, FG_ERR_INVALID, "the terminal cannot be asked");
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        (void)fprintf(stderr, "Value (not shown): ");
        if (!fgets(line, sizeof(line), stdin))
                line[0] = '\0';
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        (void)fputc('\n', stderr);
        line[strcspn(line, "\n")] = '\0';
        r = fg_buf_puts(ret, line, err);
        explicit_bzero(line, sizeof(line));
        return r;
}

int fg_secret_read(const char *file, struct fg_buf *ret, struct fg_error *err)
{
        if (file && !fg_streq(file, "-"))
                return fg_buf_read_file(ret, file, err);
        return isatty(STDIN_FILENO) ? read_terminal(ret, err)
                                    : fg_buf_read_fd(ret, STDIN_FILENO, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "api/config.h"
#include "api/daemon.h"
#include "api/reaper.h"
#include "core/log.h"
#include "core/str.h"

static enum fg_log_level log_level(const char *name)
{
        if (fg_streq(name, "debug"))
                return FG_LOG_DEBUG;
        if (fg_streq(name, "warn"))
                return FG_LOG_WARN;
        return fg_streq(name, "error") ? FG_LOG_ERROR : FG_LOG_INFO;
}

/* Whoever waits for READY gets the reason instead. */
static void tell_failure(int fd, const struct fg_error *err)
{
        if (fd >= 0)
                (void)dprintf(fd, "ERROR %s\n", err->msg);
}

int main(int argc, char *argv[])
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_config config;
        int ready_fd, r;

        fg_log_init(FG_LOG_INFO);
        r = fg_config_load(argc, argv, &config, &err);
        if (r < 0) {
                (void)fprintf(stderr, "fgd: %s\n", err.msg);
                return fg_err_exit(err.code);
        }
        if (r > 0)
                return 0;
        fg_log_init(log_level(config.log_level));
        fg_reaper_start();
        ready_fd = (int)config.ready_fd;
        if (fg_daemon_run(&config, &err) < 0) {
                tell_failure(ready_fd, &err);
                fg_log_error("cannot run: %s", err.msg);
                return fg_err_exit(err.code);
        }
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "api/config.h"
#include "api/daemon.h"
#include "api/network.h"
#include "api/reaper.h"
#include "core/cleanup.h"
#include "core/log.h"
#include "core/str.h"

/* The settings have been checked: it is one of these. */
static enum fg_log_level log_level_of(const char *name)
{
        static const struct {
                const char *name;
                enum fg_log_level level;
        } levels[] = { { "error", FG_LOG_ERROR },
                       { "warn", FG_LOG_WARN },
                       { "debug", FG_LOG_DEBUG } };

        for (size_t i = 0; i < FG_ARRAY_SIZE(levels); i++)
                if (fg_streq(levels[i].name, name))
                        return levels[i].level;
        return FG_LOG_INFO;
}

/* Whoever waits for READY gets the reason instead. */
static void tell_failure(int fd, const struct fg_error *err)
{
        if (fd >= 0)
                (void)dprintf(fd, "ERROR %s\n", err->msg);
}

/* mke2fs and others are where the PATH of an ordinary user does not lead. */
static void extend_path(void)
{
        const char *path = getenv("PATH");
        fg_autofree char *extended = fg_asprintf("%s:/usr/sbin:/sbin", path ?: "/usr/bin:/bin");

        (void)setenv("PATH", extended, 1);
}

int main(int argc, char *argv[])
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_config config;
        int ready_fd, r;

        fg_log_init(FG_LOG_INFO);
        extend_path();
        r = fg_config_load(argc, argv, &config, &err);
        if (r < 0) {
                (void)fprintf(stderr, "fgd: %s\n", err.msg);
                return fg_err_exit(err.code);
        }
        if (r > 0)
                return 0;
        ready_fd = (int)config.ready_fd;
        fg_log_init(log_level_of(config.log_level));
        fg_reaper_start();
        network_prepare(&config);
        if (fg_daemon_run(&config, &err) < 0) {
                tell_failure(ready_fd, &err);
                fg_log_error("cannot run: %s", err.msg);
                return fg_err_exit(err.code);
        }
        return 0;
}

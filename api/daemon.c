/* SPDX-License-Identifier: Apache-2.0 */
#include "api/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "api/engine.h"
#include "api/housekeeping.h"
#include "api/kernel.h"
#include "api/network.h"
#include "api/pool.h"
#include "api/routes.h"
#include "api/templates.h"
#include "api/token.h"
#include "api/webhook.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/str.h"

#define MIB           (UINT64_C(1) << 20)
#define IO_LANES      2
#define LEAVE_SECONDS 10 /* for warm guests to end */

#define LOCK_TRIES    100
#define LOCK_WAIT_MS  20

/* ---- opening ---- */

/*
 * A child that a killed fgd had just forked holds the lock until it executes its program: wait for
 * that moment, not for another fgd.
 */
static int lock_state(const char *path, struct fg_error *err)
{
        int fd;

        for (int tries = 0;; tries++) {
                fd = fg_lock_file(path, err);
                if (fd >= 0 || err->code != FG_ERR_CONFLICT || tries == LOCK_TRIES)
                        return fd;
                (void)poll(NULL, 0, LOCK_WAIT_MS);
        }
}

static int open_directories(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *lock = fg_asprintf("%s/lock", d->config.state_dir);
        fg_autofree char *tasks = fg_asprintf("%s/tasks", d->config.state_dir);

        /* QEMU's user must be able to pass through to its disk and sockets, but not to look. */
        if (fg_mkdir_p(d->config.state_dir, 0711, err) < 0 || fg_mkdir_p(tasks, 0711, err) < 0 ||
            fg_mkdir_p(d->config.cache_dir, 0711, err) < 0 ||
            fg_mkdir_p(d->config.run_dir, 0711, err) < 0)
                return -1;
        d->state_lock = lock_state(lock, err);
        if (d->state_lock < 0)
                return fg_wrap(err, "another fgd uses %s", d->config.state_dir);
        return 0;
}

static int open_store(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/fgd.db", d->config.state_dir);
        struct fg_prices *prices = d->config.price_book ? fg_prices_load(d->config.price_book, err)
                                                        : fg_prices_default();

        if (!prices || fg_store_new(d->event, path, prices, &d->store, err) < 0 ||
            fg_store_own_cluster(d->store, d->config.cluster, err) < 0)
                return -1;
        fg_store_keep_events(d->store, d->config.events_max);
        return 0;
}

static int open_auth(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *audit = fg_asprintf("%s/audit", d->config.state_dir);
        struct fg_auth_config config = { .state_dir = d->config.state_dir,
                                         .region = d->config.region,
                                         .account = d->config.account };

        if (fg_audit_new(d->event, audit, d->config.audit_mib * MIB, &d->audit, err) < 0)
                return -1;
        return fg_auth_new(d->event, &config, &d->auth, err);
}

static int open_tls(struct fg_daemon *d, struct fg_error *err)
{
        const struct fg_config *c = &d->config;
        fg_autofree char *dir = fg_asprintf("%s/tls", c->state_dir);
        bool own = fg_streq(c->tls, "self-signed");
        int r = 0;

        if (!c->tls_certificate != !c->tls_key || (own && c->tls_key))
                return fg_fail(err, FG_ERR_INVALID,
                               "tls_certificate and tls_key go together, and not with tls = "
                               "self-signed");
        if (own)
                r = fg_tls_self_signed(dir, &d->tls, err);
        else if (c->tls_key)
                r = fg_tls_load(c->tls_certificate, c->tls_key, &d->tls, err);
        if (r == 0 && *d->tls.fingerprint)
                fg_log_info("TLS certificate SHA-256 %s", d->tls.fingerprint);
        return r;
}

static int open_images(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *dir = fg_asprintf("%s/images", d->config.cache_dir);
        struct fg_images_config config = { .dir = dir,
                                           .max_bytes = d->config.image_cache_mib * MIB,
                                           .parallel = (unsigned)d->config.pull_parallel,
                                           .docker_config = d->config.docker_config,
                                           .ca_file = d->config.ca_file,
                                           .insecure = d->config.insecure_registries,
                                           .platform = "linux/amd64",
                                           .prepared_max = d->config.prepared_max_mib * MIB,
                                           .prepare = FG_PREPARE_LIMITS_DEFAULT,
                                           .readers = fg_vmm_readers() };

        return fg_images_new(d->event, &config, &d->images, err);
}

static int open_log_groups(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *database = fg_asprintf("%s/logs.db", d->config.state_dir);
        fg_autofree char *dir = fg_asprintf("%s/logs", d->config.state_dir);
        struct fg_cwlogs_options options = { .database = database,
                                             .logs_dir = dir,
                                             .logs = d->logs,
                                             .region = d->config.region,
                                             .account = d->config.account };

        return fg_cwlogs_new(d->event, &options, &d->cwlogs, err);
}

static int open_logs(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *dir = fg_asprintf("%s/logs", d->config.state_dir);
        struct fg_logstore_options options = { .dir = dir,
                                               .container_bytes = d->config.log_task_mib * MIB,
                                               .store_bytes = d->config.log_store_mib * MIB };

        return fg_logstore_new(d->event, &options, &d->logs, err) < 0 ? -1
                                                                      : open_log_groups(d, err);
}

static int open_keeper(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/secrets.db", d->config.state_dir);
        struct fg_vault_config config = { .db = path,
                                          .key = d->config.seal_key,
                                          .region = d->config.region,
                                          .account = d->config.account };

        return fg_keeper_new(d->event, &config, &d->keeper, err);
}

/* The settings have been checked: it is one of the three. */
static enum fg_accel accel_of(const char *text)
{
        if (fg_streq(text, "kvm"))
                return FG_ACCEL_KVM;
        return fg_streq(text, "tcg") ? FG_ACCEL_TCG : FG_ACCEL_AUTO;
}

static int open_vmm(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *kernel = fg_kernel_path(d->config.kernel);
        fg_autofree char *initrd = fg_initrd_path(d->config.initrd);
        fg_autofree char *init = fg_init_path();
        struct fg_vmm_config config = { .uri = d->config.hypervisor,
                                        .state_dir = d->config.state_dir,
                                        .run_dir = d->config.run_dir,
                                        .kernel = kernel,
                                        .initrd = initrd,
                                        .init = init,
                                        .accel = accel_of(d->config.accel),
                                        .lanes = 4 };

        if (fg_vmm_new(d->event, &config, fg_engine_gone, d, &d->vmm, err) < 0)
                return -1;
        d->names = (struct fg_names){ .region = d->config.region,
                                      .account = d->config.account,
                                      .cluster = d->config.cluster,
                                      .accelerator = fg_vmm_info(d->vmm)->accel };
        return 0;
}

static int open_listener(struct fg_daemon *d, const char *listen, struct fg_error *err)
{
        fg_autofree char *token = NULL;

        if (fg_starts_with(listen, "unix:"))
                return fg_http_listen_unix(d->http, listen + strlen("unix:"), err);
        if (!fg_starts_with(listen, "tcp:"))
                return fg_fail(err, FG_ERR_INVALID,
                               "listen = %s: expected unix:PATH or tcp:ADDR:PORT", listen);
        token = fg_token_get(d->config.state_dir, err);
        if (!token)
                return -1;
        fg_auth_set_token(d->auth, token);
        explicit_bzero(token, strlen(token));
        return fg_http_listen_tcp(d->http, listen + strlen("tcp:"), err);
}

static int open_http(struct fg_daemon *d, struct fg_error *err)
{
        struct fg_http_config config = {
                .routes = fg_routes,
                .limits = { .body = d->config.max_body_kib * 1024,
                            .connections = (unsigned)d->config.max_connections,
                            .idle_seconds = (unsigned)d->config.idle_timeout_seconds },
                .auth = d->auth,
                .audit = d->audit,
                .tls = *d->tls.fingerprint ? &d->tls : NULL,
                .daemon = d,
        };
        fg_autofree char *list = fg_strdup(d->config.listen);
        char *rest = list, *one;

        if (fg_http_new(d->event, &config, &d->http, err) < 0)
                return -1;
        while ((one = strsep(&rest, ",")))
                if (open_listener(d, one, err) < 0)
                        return -1;
        return 0;
}

/* ---- signals and readiness ---- */

static void on_pool_left(void *userdata)
{
        (void)sd_event_exit(((struct fg_daemon *)userdata)->event, 0);
}

static int on_pool_late(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void)source;
        (void)usec;
        fg_log_warn("warm guests do not end; the next fgd removes them");
        on_pool_left(userdata);
        return 0;
}

void fg_daemon_leave(struct fg_daemon *d)
{
        if (d->leaving)
                return;
        d->leaving = true;
        (void)sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC,
                                         (uint64_t)LEAVE_SECONDS * 1000000, 0, on_pool_late, d);
        fg_pool_leave(d->pool, on_pool_left, d);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        struct fg_daemon *d = userdata;

        (void)source;
        fg_log_info("signal %u, leaving; running tasks go on", si->ssi_signo);
        fg_daemon_leave(d);
        return 0;
}

static int open_loop(struct fg_daemon *d, struct fg_error *err)
{
        sigset_t set;
        int r;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        r = sd_event_default(&d->event);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGTERM, on_signal, d);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGINT, on_signal, d);
        if (r >= 0)
                r = sd_event_set_watchdog(d->event, true);
        return r < 0 ? fg_fail_errno(err, -r, "event loop") : 0;
}

/* The service's main process, the only one systemd listens to, is our parent (reaper.c). */
static void tell_systemd(const char *state)
{
        (void)sd_pid_notify(getppid(), 0, state);
}

static void tell_ready(struct fg_daemon *d)
{
        int fd = (int)d->config.ready_fd;

        if (fd >= 0) {
                if (write(fd, "READY\n", 6) < 0)
                        fg_log_warn("nobody reads ready_fd");
                (void)close(fd);
                d->config.ready_fd = -1;
        }
        tell_systemd("READY=1\nSTATUS=Serving");
}

/* ---- the whole ---- */

static int open_all(struct fg_daemon *d, struct fg_error *err)
{
        static const struct {
                const char *what;
                int (*open)(struct fg_daemon *d, struct fg_error *err);
        } steps[] = {
                { "directories", open_directories }, { "event loop", open_loop },
                { "database", open_store },          { "TLS", open_tls },
                { "access keys", open_auth },        { "image store", open_images },
                { "log store", open_logs },          { "secrets", open_keeper },
                { "network", network_open },         { "hypervisor", open_vmm },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(steps); i++)
                if (steps[i].open(d, err) < 0)
                        return fg_wrap(err, "%s", steps[i].what);
        return fg_lane_new(d->event, "io", IO_LANES, &d->io, err);
}

static int open_templates(struct fg_daemon *d, struct fg_error *err)
{
        fg_autofree char *dir = fg_asprintf("%s/templates", d->config.cache_dir);
        const struct fg_templates_config config = { .io = d->io,
                                                    .dir = dir,
                                                    .key = fg_vmm_info(d->vmm)->template_key,
                                                    .max = (unsigned)d->config.templates };

        return fg_templates_new(&config, &d->templates, err);
}

static int serve(struct fg_daemon *d, struct fg_error *err)
{
        const struct fg_vmm_info *info = fg_vmm_info(d->vmm);
        int r;

        fg_throttle_init(d);
        fg_capacity_init(&d->capacity, d->config.vcpu_overcommit_percent,
                         d->config.memory_overcommit_percent, d->config.memory_reserve_mib);
        fg_log_info("%s, libvirt %s, accelerator %s: %s", info->hypervisor, info->libvirt,
                    info->accel, info->accel_reason);
        if (*info->warning)
                fg_log_warn("%s", info->warning);
        if (fg_pool_new(d, &d->pool, err) < 0 || open_templates(d, err) < 0 ||
            fg_webhook_new(d, &d->webhook, err) < 0 || fg_engine_adopt(d, err) < 0 ||
            open_http(d, err) < 0 || fg_housekeeping_start(d, err) < 0)
                return -1;
        fg_log_info("fgd %s serves on %s", FG_VERSION, d->config.listen);
        tell_ready(d);
        fg_pool_refill(d->pool);
        r = sd_event_loop(d->event);
        tell_systemd("STOPPING=1");
        return r < 0 ? fg_fail_errno(err, -r, "event loop") : 0;
}

/* Requests first, then the runs, then what they used. */
static void close_all(struct fg_daemon *d)
{
        fg_http_free(d->http);
        fg_webhook_free(d->webhook);
        fg_engine_shutdown(d);
        fg_pool_close(d->pool);
        fg_housekeeping_stop(d);
        fg_cwlogs_free(d->cwlogs);
        fg_lane_free(d->io);
        fg_vmm_free(d->vmm);
        fg_net_free(d->net);
        fg_images_free(d->images);
        fg_pool_free(d->pool); /* until here jobs came back to it */
        fg_templates_free(d->templates);
        fg_keeper_free(d->keeper);
        fg_logstore_free(d->logs);
        fg_audit_free(d->audit);
        fg_auth_free(d->auth);
        fg_tls_finish(&d->tls);
        fg_store_free(d->store);
        sd_event_unref(d->event);
        if (d->state_lock >= 0)
                (void)close(d->state_lock);
        fg_config_finish(&d->config);
}

int fg_daemon_run(struct fg_config *take_config, struct fg_error *err)
{
        struct fg_daemon d = { .config = *take_config, .state_lock = -1 };
        int r;

        d.started_ns = fg_now_ns();
        r = open_all(&d, err) < 0 ? -1 : serve(&d, err);
        close_all(&d);
        return r;
}

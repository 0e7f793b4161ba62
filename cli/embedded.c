/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/embedded.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/endpoint.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/paths.h"
#include "core/str.h"

#define IDLE_EXIT_SEC "300"
#define LOCK          "start.lock" /* in the run directory; says which socket fgrun's own fgd has */
#define READY         "READY\n"
#define FAILED        "ERROR "
#define READY_FD      3
#define READY_FD_TEXT "3"
#define ANSWER_MAX    4096
#define OWN_SETTINGS  7         /* fgd's words that every start has */
#define SETTINGS_MAX  8         /* and those of fg_cli.fgd_settings */
#define LOG_MAX       (1 << 20) /* an older log is dropped at a start */
#define DIR_MODE      0711      /* as fgd makes them: QEMU runs as another user */

extern char **environ;

/* fgd in the build tree, beside us, or in one of the places an installation puts it. */
static char *find_fgd(struct fg_error *err)
{
        static const char *const places[] = { "../api/fgd", "fgd", "../sbin/fgd",
                                              "../libexec/fgrun/fgd" };
        fg_autofree char *dir = fg_path_exe_dir();
        const char *given = getenv("FGRUN_FGD");

        if (given && *given)
                return fg_strdup(given);
        for (size_t i = 0; i < FG_ARRAY_SIZE(places); i++) {
                char *path = fg_asprintf("%s/%s", dir, places[i]);

                if (access(path, X_OK) == 0)
                        return path;
                free(path);
        }
        fg_fail(err, FG_ERR_UPSTREAM,
                "no fgd answers and none is installed beside fgrun; give --host or FGRUN_FGD");
        return NULL;
}

static int open_log(char **ret_path, struct fg_error *err)
{
        fg_autofree char *dir = fg_path_state_dir();
        struct stat st;
        int fd;

        if (fg_mkdir_p(dir, DIR_MODE, err) < 0)
                return -1;
        *ret_path = fg_asprintf("%s/fgd.log", dir);
        fd = open(*ret_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
                return fg_fail_errno(err, errno, "%s", *ret_path);
        if (fstat(fd, &st) == 0 && st.st_size > LOG_MAX && ftruncate(fd, 0) < 0) {
                fg_fail_errno(err, errno, "%s", *ret_path);
                (void)close(fd);
                return -1;
        }
        return fd;
}

/* posix_spawn: nothing but the three standard streams and the pipe reaches fgd. */
static int spawn(char *const argv[], int log_fd, int ready_fd, struct fg_error *err)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        sigset_t none, defaults;
        pid_t pid;
        int r;

        (void)sigemptyset(&none);
        (void)sigemptyset(&defaults);
        (void)sigaddset(&defaults, SIGPIPE);
        if (posix_spawn_file_actions_init(&actions) != 0)
                return fg_fail(err, FG_ERR_CAPACITY, "out of memory");
        if (posix_spawnattr_init(&attr) != 0) {
                (void)posix_spawn_file_actions_destroy(&actions);
                return fg_fail(err, FG_ERR_CAPACITY, "out of memory");
        }
        (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETSIGDEF);
        (void)posix_spawnattr_setsigmask(&attr, &none);
        (void)posix_spawnattr_setsigdefault(&attr, &defaults);
        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
                    ?: posix_spawn_file_actions_adddup2(&actions, log_fd, STDOUT_FILENO)
                    ?: posix_spawn_file_actions_adddup2(&actions, log_fd, STDERR_FILENO)
                    ?: posix_spawn_file_actions_adddup2(&actions, ready_fd, READY_FD)
                    ?: posix_spawn_file_actions_addclosefrom_np(&actions, READY_FD + 1)
                    ?: posix_spawn(&pid, argv[0], &actions, &attr, argv, environ);
        (void)posix_spawnattr_destroy(&attr);
        (void)posix_spawn_file_actions_destroy(&actions);
        return r == 0 ? 0 : fg_fail_errno(err, r, "start %s", argv[0]);
}

static void trim(struct fg_buf *text)
{
        while (text->len > 0 && text->data[text->len - 1] == '\n')
                text->data[--text->len] = '\0';
}

/* What fgd said: through the pipe, or else the last line it wrote to the log from @offset on. */
static const char *find_reason(struct fg_buf *answer, struct fg_buf *log, const char *log_path,
                               off_t offset)
{
        fg_autoclose int fd = open(log_path, O_RDONLY | O_CLOEXEC);
        struct fg_error ignored = FG_ERROR_INIT;
        const char *newline;

        trim(answer);
        if (answer->len > 0)
                return answer->data + (fg_starts_with(answer->data, FAILED) ? strlen(FAILED) : 0);
        if (fd < 0 || lseek(fd, offset, SEEK_SET) < 0 || fg_buf_read_fd(log, fd, &ignored) < 0)
                return "it ended without a word";
        trim(log);
        newline = log->len > 0 ? strrchr(log->data, '\n') : NULL;
        if (newline)
                return newline + 1;
        return log->len > 0 ? log->data : "it ended without a word";
}

/* One line, or what there is when the pipe ends. Not to the end: helpers of fgd may keep it open.
 */
static int read_answer(int fd, struct fg_buf *answer, struct fg_error *err)
{
        ssize_t n;

        do {
                if (fg_buf_reserve(answer, ANSWER_MAX / 4, err) < 0)
                        return -1;
                n = TEMP_FAILURE_RETRY(read(fd, answer->data + answer->len, ANSWER_MAX / 4));
                if (n < 0)
                        return fg_fail_errno(err, errno, "read from fgd");
                answer->len += (size_t)n;
                answer->data[answer->len] = '\0';
        } while (n > 0 && !strchr(answer->data, '\n'));
        return 0;
}

static int wait_ready(int fd, const char *socket, const char *log_path, off_t log_offset,
                      struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf answer = FG_BUF_INIT(ANSWER_MAX);
        fg_cleanup(fg_buf_finish) struct fg_buf log = FG_BUF_INIT(LOG_MAX);

        if (read_answer(fd, &answer, err) < 0)
                return -1;
        if (answer.len > 0 && fg_streq(answer.data, READY))
                return 0;
        /* One that lost the race for fgd's own lock has failed, but another serves. */
        if (fg_endpoint_answers(socket))
                return 0;
        return fg_fail(err, FG_ERR_UPSTREAM, "fgd did not start: %s (its log: %s)",
                       find_reason(&answer, &log, log_path, log_offset), log_path);
}

static int open_pipe(int *ret_read, int *ret_write, struct fg_error *err)
{
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        *ret_read = fds[0];
        *ret_write = fds[1];
        if (fds[1] != READY_FD)
                return 0;
        /* dup2() onto itself would keep close-on-exec. */
        *ret_write = fcntl(READY_FD, F_DUPFD_CLOEXEC, READY_FD + 1);
        (void)close(READY_FD);
        return *ret_write < 0 ? fg_fail_errno(err, errno, "dup") : 0;
}

/*
 * All directories are told: a configuration file of the system's fgd must not send a user's one
 * to places that are not his, or its socket to where we do not look.
 */
static int start(const char *const *settings, const char *socket, const char *run_dir,
                 struct fg_error *err)
{
        fg_autofree char *fgd = find_fgd(err), *log_path = NULL;
        fg_autofree char *state_dir = fg_path_state_dir(), *cache_dir = fg_path_cache_dir();
        fg_autofree char *state = fg_asprintf("--state-dir=%s", state_dir);
        fg_autofree char *cache = fg_asprintf("--cache-dir=%s", cache_dir);
        fg_autofree char *run = fg_asprintf("--run-dir=%s", run_dir);
        fg_autofree char *listen = fg_asprintf("--listen=unix:%s", socket), *idle = NULL;
        fg_autoclose int log_fd = -1, read_fd = -1, write_fd = -1;
        const char *seconds = getenv("FGRUN_IDLE_EXIT");
        char ready[] = "--ready-fd=" READY_FD_TEXT,
             *argv[OWN_SETTINGS + SETTINGS_MAX + 1] = { NULL };
        off_t log_offset;

        if (!fgd || (log_fd = open_log(&log_path, err)) < 0 ||
            open_pipe(&read_fd, &write_fd, err) < 0)
                return -1;
        log_offset = lseek(log_fd, 0, SEEK_END);
        idle = fg_asprintf("--idle-exit=%s", seconds && *seconds ? seconds : IDLE_EXIT_SEC);
        memcpy(argv, (char *[]){ fgd, state, cache, run, listen, idle, ready },
               OWN_SETTINGS * sizeof(*argv));
        for (size_t i = 0; settings && settings[i] && i < SETTINGS_MAX; i++)
                argv[OWN_SETTINGS + i] = (char *)settings[i];
        if (spawn(argv, log_fd, write_fd, err) < 0)
                return -1;
        (void)close(fg_take_fd(write_fd));
        return wait_ready(read_fd, socket, log_path, log_offset, err);
}

/* ---- which fgd is ours ---- */

/* A socket as it was bound by one life of fgd; "": there is none. */
static char *life_of(const char *socket)
{
        struct stat st;

        if (lstat(socket, &st) < 0)
                return fg_strdup("");
        return fg_asprintf("%llu %lld.%09ld\n", (unsigned long long)st.st_ino,
                           (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/* Whoever holds the lock writes into it. Without that fgd serves as well; only a crashed one has to
 * be started by hand. */
static void mark_ours(int lock, const char *socket)
{
        fg_autofree char *life = life_of(socket);
        struct fg_error ignored;

        if (ftruncate(lock, 0) == 0 && lseek(lock, 0, SEEK_SET) == 0)
                (void)fg_write_all(lock, life, strlen(life), &ignored);
}

bool fg_embedded_may_start(const char *socket)
{
        fg_autofree char *run_dir = fg_path_run_dir(), *path = fg_asprintf("%s/" LOCK, run_dir);
        fg_autofree char *life = life_of(socket);
        fg_cleanup(fg_buf_finish) struct fg_buf mark = FG_BUF_INIT(256);
        struct fg_error ignored;

        return !*life || (fg_buf_read_file(&mark, path, &ignored) == 0 && mark.data &&
                          fg_streq(mark.data, life));
}

int fg_embedded_start(struct fg_cli *cli, const char *socket, struct fg_error *err)
{
        fg_autofree char *run_dir = fg_path_run_dir(), *lock_path = NULL;
        fg_autoclose int lock = -1;

        if (fg_mkdir_p(run_dir, DIR_MODE, err) < 0)
                return fg_wrap(err, "no fgd answers, and the run directory for a new one fails");
        lock_path = fg_asprintf("%s/" LOCK, run_dir);
        lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (lock < 0 || flock(lock, LOCK_EX) < 0)
                return fg_fail_errno(err, errno, "%s", lock_path);
        if (fg_endpoint_answers(socket))
                return 0;
        if (!fg_embedded_may_start(socket))
                return fg_fail(
                        err, FG_ERR_UPSTREAM,
                        "the fgd of %s has gone, and fgrun did not start it: start it again, "
                        "or remove that socket for one that fgrun starts",
                        socket);
        fg_cli_note(cli, "starting fgd for this user");
        if (start(cli->fgd_settings, socket, run_dir, err) < 0)
                return -1;
        mark_ours(lock, socket);
        return 0;
}

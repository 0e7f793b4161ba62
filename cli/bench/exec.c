/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/exec.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"

#define OUTPUT_MAX (1U << 20)
#define READ_SIZE  4096
#define SIMPLY_MS  120000
#define END_NS     (5 * FG_NS_PER_SEC) /* that a program has after SIGTERM */

extern char **environ;

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
        (void)number;
        interrupted = 1;
}

void bench_watch_signals(void)
{
        struct sigaction action = { .sa_handler = on_signal };

        (void)sigaction(SIGINT, &action, NULL);
        (void)sigaction(SIGTERM, &action, NULL);
        (void)sigaction(SIGHUP, &action, NULL);
}

bool bench_interrupted(void)
{
        return interrupted != 0;
}

void bench_words_add(struct bench_words *w, const char *word)
{
        if (w->n == BENCH_WORDS_MAX)
                abort(); /* ours are short */
        w->v[w->n++] = fg_strdup(word);
}

void bench_words_all(struct bench_words *w, const char *const *words)
{
        for (; *words; words++)
                bench_words_add(w, *words);
}

void bench_words_format(struct bench_words *w, const char *fmt, ...)
{
        char text[4096];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        bench_words_add(w, text);
}

void bench_words_finish(struct bench_words *w)
{
        for (size_t i = 0; i < w->n; i++)
                free(w->v[i]);
        *w = (struct bench_words){ 0 };
}

void bench_run_finish(struct bench_run *run)
{
        fg_buf_finish(&run->output);
}

/* What a started program hangs on. */
struct child {
        pid_t pid;
        int out, in, errors; /* ours */
};

static void child_close(struct child *c)
{
        fg_closep(&c->out);
        fg_closep(&c->in);
        fg_closep(&c->errors);
        *c = (struct child){ .pid = c->pid, .out = -1, .in = -1, .errors = -1 };
}

/* In a process group of its own: a terminal's Ctrl-C is for us, who then end it in order. */
static int spawn(const struct bench_words *w, int in, int out, int errors, pid_t *ret)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        int r = posix_spawn_file_actions_init(&actions);

        if (r != 0)
                return r;
        r = posix_spawnattr_init(&attr);
        if (r != 0) {
                (void)posix_spawn_file_actions_destroy(&actions);
                return r;
        }
        (void)posix_spawnattr_setpgroup(&attr, 0);
        (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
        r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO)
                    ?: posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO)
                    ?: posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
                    ?: posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
                    ?: posix_spawnp(ret, w->v[0], &actions, &attr, w->v, environ);
        (void)posix_spawnattr_destroy(&attr);
        (void)posix_spawn_file_actions_destroy(&actions);
        return r;
}

static int child_start(const struct bench_words *w, struct child *c, struct fg_error *err)
{
        fg_autoclose int in = -1, out = -1;
        int fds[2], r;

        *c = (struct child){ .out = -1, .in = -1, .errors = -1 };
        if (pipe2(fds, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        c->out = fds[0];
        out = fds[1];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        in = fds[0];
        c->in = fds[1];
        c->errors = memfd_create("stderr", MFD_CLOEXEC);
        if (c->errors < 0)
                return fg_fail_errno(err, errno, "memfd");
        r = spawn(w, in, out, c->errors, &c->pid);
        return r == 0 ? 0 : fg_fail_errno(err, r, "%s", w->v[0]);
}

static int left_ms(uint64_t end_ns)
{
        const uint64_t now = fg_mono_ns();

        return now < end_ns ? (int)((end_ns - now) / FG_NS_PER_MSEC) + 1 : 0;
}

/* Waits for @fd. Return: 0, or -1: TIMEOUT, CONFLICT when interrupted. */
static int wait_fd(int fd, uint64_t end_ns, bool finally, struct fg_error *err)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int r = 0;

        while (r == 0) {
                if (bench_interrupted() && !finally)
                        return fg_fail(err, FG_ERR_CONFLICT, "interrupted");
                if (left_ms(end_ns) == 0)
                        return fg_fail(err, FG_ERR_TIMEOUT, "took too long");
                r = poll(&p, 1, left_ms(end_ns));
                if (r < 0 && errno != EINTR)
                        return fg_fail_errno(err, errno, "poll");
                if (r < 0)
                        r = 0;
        }
        return 0;
}

/* The time it has is all that ends the wait: what is told to end may tidy up. */
static int reap(pid_t pid, uint64_t end_ns, bool finally, int *ret_status, struct fg_error *err)
{
        fg_autoclose int pidfd = pidfd_open(pid, 0);
        int status, r = 0;

        if (pidfd < 0 || wait_fd(pidfd, end_ns, finally, err) < 0) {
                (void)kill(pid, SIGKILL);
                r = -1;
        }
        if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
                return fg_fail_errno(err, errno, "wait");
        *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        return r;
}

/* The last line of what it said on its standard error. */
static void last_words(int fd, char *ret, size_t size_max)
{
        const off_t size = lseek(fd, 0, SEEK_END), room = (off_t)size_max - 1;
        ssize_t n = pread(fd, ret, size_max - 1, size > room ? size - room : 0);
        char *line;

        while (n > 0 && (ret[n - 1] == '\n' || ret[n - 1] == '\r'))
                n--;
        ret[n > 0 ? n : 0] = '\0';
        line = strrchr(ret, '\n');
        if (line)
                memmove(ret, line + 1, strlen(line));
}

/* Reads its output to the end, or until what is waited for has come and it may be killed. */
static int follow(const struct bench_exec *exec, const struct bench_clock *clock, struct child *c,
                  struct bench_run *run, uint64_t begun, uint64_t end_ns, struct fg_error *err)
{
        ssize_t n = 1;
        bool seen = false;

        while (n > 0 && !(seen && (exec->kill || exec->leave))) {
                if (wait_fd(c->out, end_ns, exec->finally, err) < 0 ||
                    fg_buf_reserve(&run->output, READ_SIZE, err) < 0)
                        return -1;
                n = read(c->out, run->output.data + run->output.len, READ_SIZE);
                if (n < 0)
                        return fg_fail_errno(err, errno, "read");
                run->output.len += (size_t)n;
                run->output.data[run->output.len] = '\0';
                if (seen || n == 0 || (exec->until && !strstr(run->output.data, exec->until)))
                        continue;
                run->seen_ms = bench_ms(begun, bench_now(clock));
                seen = true;
        }
        return seen ? 1 : 0;
}

int bench_exec(const struct bench_exec *exec, const struct bench_clock *clock,
               struct bench_run *run, struct fg_error *err)
{
        const uint64_t end_ns = fg_mono_ns() + exec->timeout_ms * FG_NS_PER_MSEC;
        const uint64_t begun = bench_now(clock);
        fg_cleanup(child_close) struct child c;
        struct fg_error ignored = FG_ERROR_INIT;
        int r, ended;

        run->output = FG_BUF_INIT(OUTPUT_MAX);
        run->begun_real_ns = fg_now_ns();
        if (child_start(exec->words, &c, err) < 0)
                return -1;
        if (exec->input && fg_write_all(c.in, exec->input, strlen(exec->input), &ignored) < 0)
                ignored = FG_ERROR_INIT; /* it says itself why it does not listen */
        if (!exec->input)
                fg_closep(&c.in), c.in = -1;
        r = follow(exec, clock, &c, run, begun, end_ns, err);
        if (r < 0 || exec->kill)
                (void)kill(c.pid, r < 0 ? SIGTERM : SIGKILL);
        ended = reap(c.pid, r < 0 ? fg_mono_ns() + END_NS : end_ns, exec->finally || r < 0,
                     &run->status, r < 0 ? &ignored : err);
        run->whole_ms = bench_ms(begun, bench_now(clock));
        if (r < 0 || ended < 0)
                return fg_wrap(err, "%s", exec->words->v[0]);
        last_words(c.errors, run->said, sizeof(run->said));
        if (r > 0)
                return 0;
        return fg_fail(err, FG_ERR_UPSTREAM, "%s: status %d%s%.400s", exec->words->v[0],
                       run->status, *run->said ? ": " : " and no output", run->said);
}

static int exec_to_end(const struct bench_words *words, bool finally, struct fg_buf *ret_output,
                       struct fg_error *err)
{
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        const struct bench_exec exec = { .words = words,
                                         .finally = finally,
                                         .timeout_ms = SIMPLY_MS };
        struct fg_error why = FG_ERROR_INIT;
        int r = bench_exec(&exec, &bench_monotonic, &run, &why);

        /* Silence is no failure here. */
        if (r < 0 && !(why.code == FG_ERR_UPSTREAM && run.status == 0)) {
                *err = why;
                return -1;
        }
        if (run.status != 0)
                return fg_fail(err, FG_ERR_UPSTREAM, "%s: status %d: %.400s", words->v[0],
                               run.status,
                               *run.said || !run.output.data ? run.said : run.output.data);
        return ret_output && run.output.len > 0
                       ? fg_buf_append(ret_output, run.output.data, run.output.len, err)
                       : 0;
}

int bench_exec_simply(const struct bench_words *words, struct fg_buf *ret_output,
                      struct fg_error *err)
{
        return exec_to_end(words, false, ret_output, err);
}

int bench_exec_finally(const struct bench_words *words, struct fg_buf *ret_output,
                       struct fg_error *err)
{
        return exec_to_end(words, true, ret_output, err);
}

int bench_spawn(const struct bench_words *words, pid_t *ret_pid, struct fg_error *err)
{
        fg_autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int fd, r;

        if (null < 0)
                return fg_fail_errno(err, errno, "/dev/null");
        r = spawn(words, null, null, null, ret_pid);
        if (r != 0)
                return fg_fail_errno(err, r, "%s", words->v[0]);
        fd = pidfd_open(*ret_pid, 0);
        return fd >= 0 ? fd : fg_fail_errno(err, errno, "pidfd");
}

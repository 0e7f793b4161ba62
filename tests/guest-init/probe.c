/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in test containers: asks the kernel what a shell cannot. Static, no dependencies. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *name, long result)
{
        printf("%s=%s\n", name, result < 0 ? strerrorname_np(errno) : "ok");
}

static int system_calls(void)
{
        struct clone_args args = { .exit_signal = SIGCHLD };

        tell("keyctl", syscall(SYS_keyctl, 0, -3, 0, 0, 0));
        tell("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
        tell("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
        tell("unshare", unshare(CLONE_NEWUSER));
        tell("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
        tell("clone3", syscall(SYS_clone3, &args, sizeof(args)));
        tell("vsock", socket(40, SOCK_STREAM, 0));
        tell("inet", socket(AF_INET, SOCK_STREAM, 0));
        tell("bpf", syscall(SYS_bpf, 0, NULL, 0));
        tell("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
        tell("io_uring_setup", syscall(SYS_io_uring_setup, 1, NULL));
        tell("personality", personality(PER_LINUX));
        tell("no_randomize", personality(ADDR_NO_RANDOMIZE));
        tell("chroot", chroot("/"));
        return 0;
}

/* The scratch disk (virtio block) under another name, in each place where one could be made. */
static int devices(void)
{
        static const char *const places[] = { "/disk", "/dev/disk", "/dev/shm/disk", "/v/disk",
                                              "/t/disk" };

        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                tell("mknod", mknod(places[i], S_IFBLK | 0666, makedev(254, 0)));
                tell("open", open(places[i], O_RDONLY | O_CLOEXEC));
        }
        tell("null", open("/dev/null", O_RDWR | O_CLOEXEC));
        tell("urandom", open("/dev/urandom", O_RDONLY | O_CLOEXEC));
        return 0;
}

static int limits(void)
{
        struct rlimit r;

        getrlimit(RLIMIT_NOFILE, &r);
        printf("nofile=%lu:%lu\n", r.rlim_cur, r.rlim_max);
        getrlimit(RLIMIT_CORE, &r);
        printf("core=%lu:%lu\n", r.rlim_cur, r.rlim_max);
        return 0;
}

static int eat_memory(void)
{
        char *p;

        while ((p = malloc(1 << 20)))
                memset(p, 1, 1 << 20);
        return 1;
}

/* Every byte value, and long: 3 MiB in which byte i is (i * 7 + i / 256) mod 256. */
static int flood(void)
{
        static unsigned char buf[3 << 20];
        size_t sent = 0;

        for (size_t i = 0; i < sizeof(buf); i++)
                buf[i] = (unsigned char)(i * 7 + i / 256);
        while (sent < sizeof(buf)) {
                ssize_t n = write(STDOUT_FILENO, buf + sent, sizeof(buf) - sent);

                if (n < 0)
                        return 1;
                sent += (size_t)n;
        }
        return 0;
}

/* The share of a processor, in percent, that one second of work got. */
static int spin(void)
{
        struct timespec now, start, used;

        clock_gettime(CLOCK_MONOTONIC, &start);
        do
                clock_gettime(CLOCK_MONOTONIC, &now);
        while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec <
               1000000000L);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        printf("share=%ld\n", used.tv_sec * 100 + used.tv_nsec / 10000000);
        return 0;
}

/* 128 bits, by the system call itself: no device, no generator of a library between. */
static int random_bits(void)
{
        unsigned long bits[2];

        if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
                return 1;
        printf("%016lx%016lx\n", bits[0], bits[1]);
        return 0;
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                int (*run)(void);
        } probes[] = { { "syscalls", system_calls }, { "devices", devices }, { "limits", limits },
                       { "memory", eat_memory },     { "flood", flood },     { "spin", spin },
                       { "random", random_bits } };

        for (size_t i = 0; argc > 1 && i < sizeof(probes) / sizeof(probes[0]); i++) {
                if (strcmp(argv[1], probes[i].name) == 0)
                        return probes[i].run();
        }
        return 64;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One connection after the other. Its first byte says what is wanted: see probe_serve(). */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/probe/probe.h"

#define RECEIPT (256 << 10) /* bytes, for which one goes back once they are here */

static char block[64 << 10];

static void take(int fd)
{
        long taken = 0;
        ssize_t n;

        while ((n = read(fd, block, sizeof(block))) > 0)
                for (taken += n; taken >= RECEIPT; taken -= RECEIPT)
                        if (write(fd, block, 1) != 1)
                                return;
}

static void answer(int fd)
{
        char word;

        if (read(fd, &word, 1) != 1)
                return;
        switch (word) {
        case 'p':
                while (write(fd, &word, 1) == 1 && read(fd, &word, 1) == 1)
                        ;
                break;
        case 'd':
                while (write(fd, block, sizeof(block)) > 0)
                        ;
                break;
        default:
                take(fd);
        }
}

static void on_end(int number)
{
        (void)number;
        _exit(0);
}

/* 'p': every byte comes back, 'd': data until the other end has enough, else: it is read. */
int probe_serve(const char *port)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_ANY),
                                       .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        (void)signal(SIGTERM, on_end);
        (void)signal(SIGINT, on_end);
        (void)signal(SIGPIPE, SIG_IGN);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
                return 1;
        (void)puts("{\"serving\":true}");
        (void)fflush(stdout);
        for (;;) {
                const int client = accept(fd, NULL, NULL);

                if (client < 0)
                        continue;
                (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                answer(client);
                (void)close(client);
        }
}

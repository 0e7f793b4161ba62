/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/http_private.h"
#include "core/str.h"

#define BACKLOG 128

static bool someone_answers(const struct sockaddr_un *address)
{
        fg_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

int fg_http_listen_unix(struct fg_http *http, const char *path, struct fg_error *err)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        fg_autoclose int fd = -1;
        struct stat st;
        mode_t mask;
        int r;

        if (*path != '/')
                return fg_fail(err, FG_ERR_INVALID, "socket path %s: expected an absolute one",
                               path);
        if (strlen(path) >= sizeof(address.sun_path))
                return fg_fail(err, FG_ERR_INVALID, "socket path %s: longer than %zu bytes", path,
                               sizeof(address.sun_path) - 1);
        memcpy(address.sun_path, path, strlen(path));
        if (someone_answers(&address))
                return fg_fail(err, FG_ERR_CONFLICT, "another fgd already answers on %s", path);
        if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
                return fg_fail(err, FG_ERR_CONFLICT, "%s exists and is not a socket", path);
        (void)unlink(path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return fg_fail_errno(err, errno, "socket");
        mask = umask(0177);
        r = bind(fd, (struct sockaddr *)&address, sizeof(address));
        (void)umask(mask);
        if (r < 0 || listen(fd, BACKLOG) < 0)
                return fg_fail_errno(err, errno, "listen on %s", path);
        return http_add_listener(http, fg_take_fd(fd), fg_strdup(path), err);
}

/* "127.0.0.1:80" or "[::1]:80" into its two parts. */
static int split_address(const char *address, char *host, size_t size, const char **ret_port,
                         struct fg_error *err)
{
        const char *colon = strrchr(address, ':');
        size_t len = colon ? (size_t)(colon - address) : 0;

        if (!colon || len == 0 || len >= size || colon[1] == '\0')
                return fg_fail(err, FG_ERR_INVALID,
                               "listen address %s: expected ADDR:PORT or [ADDR]:PORT", address);
        if (address[0] == '[' && colon[-1] == ']') {
                address++;
                len -= 2;
        }
        memcpy(host, address, len);
        host[len] = '\0';
        *ret_port = colon + 1;
        return 0;
}

int fg_http_listen_tcp(struct fg_http *http, const char *address, struct fg_error *err)
{
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                        .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
        struct addrinfo *info = NULL;
        fg_autoclose int fd = -1;
        const char *port = NULL;
        char host[64];
        int r, one = 1;
        uint64_t number;

        if (split_address(address, host, sizeof(host), &port, err) < 0)
                return -1;
        /* getaddrinfo() takes a port modulo 65536. */
        r = fg_parse_u64(port, &number) && number <= UINT16_MAX
                    ? getaddrinfo(host, port, &hints, &info)
                    : EAI_SERVICE;
        if (r != 0)
                return fg_fail(err, FG_ERR_INVALID,
                               "listen address %s: %s; expected a numeric address and a port from "
                               "0 to 65535",
                               address, r == EAI_SERVICE ? "no such port" : gai_strerror(r));
        fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
            bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
                r = http_add_listener(http, fg_take_fd(fd), NULL, err);
        else
                r = fg_fail_errno(err, errno, "listen on %s", address);
        freeaddrinfo(info);
        return r;
}

/* Who listens everywhere is reached at the loopback address too. */
int fg_http_tcp_address(const struct fg_http *http, char *ret, size_t size)
{
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } address = { .v6 = { .sin6_family = AF_UNSPEC } };
        socklen_t len = sizeof(address);
        char text[INET6_ADDRSTRLEN];
        const struct listener *l = http->listeners;

        while (l && !l->tcp)
                l = l->next;
        if (!l || getsockname(l->fd, &address.any, &len) < 0)
                return 0;
        if (address.any.sa_family == AF_INET6) {
                if (IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr))
                        address.v6.sin6_addr = in6addr_loopback;
                (void)inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof(text));
                return snprintf(ret, size, "[%s]:%u", text, ntohs(address.v6.sin6_port));
        }
        if (address.v4.sin_addr.s_addr == INADDR_ANY)
                address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        (void)inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof(text));
        return snprintf(ret, size, "%s:%u", text, ntohs(address.v4.sin_port));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/endpoint.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cli/cli.h"
#include "cli/embedded.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/paths.h"
#include "core/str.h"

#define TOKEN_MAX 4096

void fg_endpoint_finish(struct fg_endpoint *endpoint)
{
        free(fg_take_ptr(endpoint->socket));
        free(fg_take_ptr(endpoint->url));
        free(fg_take_ptr(endpoint->token));
        free(fg_take_ptr(endpoint->ca_file));
        fg_awscreds_finish(&endpoint->aws);
}

static void set_socket(struct fg_endpoint *ret, const char *path)
{
        ret->socket = fg_strdup(path);
        ret->url = fg_strdup("http://localhost");
}

static const char *env(const char *name)
{
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

/* The file fgd wrote its token to, if that is ours to read. */
static char *read_token(void)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(TOKEN_MAX);
        fg_autofree char *dir = NULL, *path = NULL;
        struct fg_error ignored = FG_ERROR_INIT;

        dir = fg_path_state_dir();
        path = fg_asprintf("%s/token", dir);
        if (fg_buf_read_file(&text, path, &ignored) < 0)
                return NULL;
        while (text.len > 0 && isspace((unsigned char)text.data[text.len - 1]))
                text.data[--text.len] = '\0';
        return text.len > 0 ? fg_buf_take(&text) : NULL;
}

static int find_credentials(const char *token, struct fg_endpoint *ret, struct fg_error *err)
{
        bool asked = env("AWS_ACCESS_KEY_ID") || env("AWS_PROFILE");

        ret->token = fg_strdup(token ? token : env("FGRUN_TOKEN"));
        if (!ret->token && !asked)
                ret->token = read_token();
        return ret->token || fg_awscreds_find(&ret->aws, err) >= 0 ? 0 : -1;
}

/* FGRUN_CA_FILE, or the certificate that an fgd of ours made for itself. */
static char *find_ca(void)
{
        fg_autofree char *dir = fg_path_state_dir(), *path = fg_asprintf("%s/tls/cert.pem", dir);

        if (env("FGRUN_CA_FILE"))
                return fg_strdup(env("FGRUN_CA_FILE"));
        return access(path, R_OK) == 0 ? fg_take_ptr(path) : NULL;
}

static bool is_url(const char *host, const char *scheme)
{
        return fg_starts_with(host, scheme) && host[strlen(scheme)] != '\0';
}

int fg_endpoint_parse(const char *host, const char *token, struct fg_endpoint *ret,
                      struct fg_error *err)
{
        if (fg_starts_with(host, "unix:")) {
                const char *path = host + strlen("unix:");

                if (fg_starts_with(path, "//"))
                        path += 2;
                if (*path == '\0' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
                        return fg_fail(err, FG_ERR_INVALID,
                                       "host %s: expected a socket path of 1 to %zu bytes", host,
                                       sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
                set_socket(ret, path);
                return 0;
        }
        if (is_url(host, "http://") || is_url(host, "https://")) {
                size_t len = strlen(host);

                while (host[len - 1] == '/')
                        len--;
                ret->url = fg_asprintf("%.*s", (int)len, host);
                if (is_url(host, "https://"))
                        ret->ca_file = find_ca();
                return find_credentials(token, ret, err);
        }
        return fg_fail(err, FG_ERR_INVALID,
                       "host %s: expected unix:///PATH, http://ADDR:PORT or https://ADDR:PORT",
                       host);
}

int fg_endpoint_answers(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        fg_autoclose int fd = -1;

        if (strlen(path) >= sizeof(address.sun_path))
                return 0;
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

int fg_endpoint_find(struct fg_cli *cli, struct fg_endpoint *ret, struct fg_error *err)
{
        fg_autofree char *own = fg_path_socket();
        const char *run_dir = getenv("FGRUN_RUN_DIR");

        if (cli->host)
                return fg_endpoint_parse(cli->host, cli->token, ret, err);
        if (!(run_dir && *run_dir) && fg_endpoint_answers(FG_SYSTEM_SOCKET)) {
                set_socket(ret, FG_SYSTEM_SOCKET);
                return 0;
        }
        if (!fg_endpoint_answers(own) && fg_embedded_start(cli, own, err) < 0)
                return -1;
        set_socket(ret, own);
        return 0;
}

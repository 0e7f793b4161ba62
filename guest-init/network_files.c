/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/network.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"

#define FILE_MAX 8192

typedef int (*text_fn)(const struct fg_network *n, const char *hostname, struct fg_buf *out,
                       struct fg_error *err);

static int hostname_text(const struct fg_network *n, const char *hostname, struct fg_buf *out,
                         struct fg_error *err)
{
        (void)n;
        return fg_buf_printf(out, err, "%s\n", hostname);
}

static int hosts_text(const struct fg_network *n, const char *hostname, struct fg_buf *out,
                      struct fg_error *err)
{
        char text[FG_ADDRESS_TEXT];

        if (fg_buf_puts(out,
                        "127.0.0.1\tlocalhost\n"
                        "::1\tlocalhost ip6-localhost ip6-loopback\n",
                        err) < 0)
                return -1;
        if (!n)
                return fg_buf_printf(out, err, "127.0.0.1\t%s\n", hostname);
        for (size_t i = 0; i < n->address_count; i++) {
                fg_address_text(&n->addresses[i], text);
                if (fg_buf_printf(out, err, "%s\t%s\n", text, hostname) < 0)
                        return -1;
        }
        return 0;
}

static int resolv_text(const struct fg_network *n, const char *hostname, struct fg_buf *out,
                       struct fg_error *err)
{
        char text[FG_ADDRESS_TEXT];

        (void)hostname;
        if (!n || n->dns_count == 0)
                return fg_buf_puts(out, "# the task has no name servers\n", err);
        for (size_t i = 0; i < n->search_count; i++) {
                if (fg_buf_printf(out, err, "%s%s", i == 0 ? "search " : " ", n->search[i]) < 0)
                        return -1;
        }
        if (n->search_count > 0 && fg_buf_puts(out, "\n", err) < 0)
                return -1;
        for (size_t i = 0; i < n->dns_count; i++) {
                fg_address_text(&n->dns[i], text);
                if (fg_buf_printf(out, err, "nameserver %s\n", text) < 0)
                        return -1;
        }
        return 0;
}

const char *const fg_network_files[] = { "hostname", "hosts", "resolv.conf" };
const size_t fg_network_file_count = FG_ARRAY_SIZE(fg_network_files);
static const text_fn texts[] = { hostname_text, hosts_text, resolv_text };

static int write_file(const char *dir, const char *name, const struct fg_buf *text,
                      struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/%s", dir, name);
        fg_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        if (fd < 0)
                return fg_fail_errno(err, errno, "create %s", path);
        if (fg_write_all(fd, text->data, text->len, err) < 0)
                return fg_wrap(err, "write %s", path);
        return 0;
}

static int make_dir(const char *dir, struct fg_error *err)
{
        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
                return fg_fail_errno(err, errno, "mkdir %s", dir);
        return 0;
}

int fg_network_make_files(const char *dir, struct fg_error *err)
{
        const struct fg_buf nothing = FG_BUF_INIT(0);

        if (make_dir(dir, err) < 0)
                return -1;
        for (size_t i = 0; i < fg_network_file_count; i++) {
                if (write_file(dir, fg_network_files[i], &nothing, err) < 0)
                        return -1;
        }
        return 0;
}

int fg_network_write_files(const struct fg_network *n, const char *hostname, const char *dir,
                           struct fg_error *err)
{
        if (make_dir(dir, err) < 0)
                return -1;
        for (size_t i = 0; i < fg_network_file_count; i++) {
                fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(FILE_MAX);

                if (texts[i](n, hostname, &text, err) < 0 ||
                    write_file(dir, fg_network_files[i], &text, err) < 0)
                        return -1;
        }
        return 0;
}

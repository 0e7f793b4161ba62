/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/stock.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "guest-init/protocol.h"
#include "vmm/cpio.h"

#define PREFIX     "vmlinuz-"
#define SUFFIX     "-cloud-amd64"
#define INDEX_MAX  (16u * 1024 * 1024)
#define MODULE_MAX (16u * 1024 * 1024)
#define ORDER_MAX  4096u

/* Buses last: their devices then find the drivers present. */
static const char *const wanted[] = { "ext4",       "overlay",        "veth",       "virtio_blk",
                                      "virtio_net", "virtio_console", "virtio-rng", "virtio_mmio" };

/* ---- the kernel ---- */

static struct fg_stock stock_of(const char *kernel, const char *lib)
{
        return (struct fg_stock){
                .kernel = fg_strdup(kernel),
                .modules = fg_asprintf("%s/%s", lib, strrchr(kernel, '/') + strlen("/" PREFIX)),
        };
}

/* A removed kernel may leave either half behind. */
static bool is_complete(const struct fg_stock *stock)
{
        fg_autofree char *index = fg_asprintf("%s/modules.dep", stock->modules);

        return fg_exists(index);
}

int fg_stock_find(const char *boot, const char *lib, struct fg_stock *ret, struct fg_error *err)
{
        fg_autofree char *pattern = fg_asprintf("%s/" PREFIX "*" SUFFIX, boot);
        fg_cleanup(fg_stock_finish) struct fg_stock newest = { 0 };
        fg_cleanup(globfree) glob_t found = { 0 };

        (void)glob(pattern, 0, NULL, &found);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                fg_cleanup(fg_stock_finish) struct fg_stock next = stock_of(found.gl_pathv[i], lib);

                if (is_complete(&next) &&
                    (!newest.kernel || strverscmp(next.kernel, newest.kernel) > 0)) {
                        struct fg_stock older = newest;

                        newest = next;
                        next = older;
                }
        }
        if (!newest.kernel)
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "no %s with modules in %s: apt-get install linux-image-cloud-amd64",
                               pattern, lib);
        *ret = newest;
        newest = (struct fg_stock){ 0 };
        return 0;
}

void fg_stock_finish(struct fg_stock *stock)
{
        free(stock->kernel);
        free(stock->modules);
}

/* ---- its modules ---- */

struct pack {
        const char *dir;
        struct fg_buf *out;
        struct fg_buf order; /* of the names in the archive, one per line */
};

/* The line of @index that is about the module @name: "path/name.ko" and then @after. NULL: none. */
static const char *find_line(const char *index, const char *name, const char *after)
{
        fg_autofree char *tail = fg_asprintf("/%s.ko%s", name, after);
        const char *hit = strstr(index, tail);

        while (hit) {
                const char *line = hit;

                while (line > index && line[-1] != '\n')
                        line--;
                /* else it is what another module depends on */
                if (!memchr(line, ' ', (size_t)(hit - line)))
                        return line;
                hit = strstr(hit + 1, tail);
        }
        return NULL;
}

/* @path: below the directory of modules */
static int add_file(struct pack *pack, const char *path, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf data = FG_BUF_INIT(MODULE_MAX);
        fg_autofree char *from = fg_asprintf("%s/%s", pack->dir, path);
        fg_autofree char *to = fg_asprintf(FG_PROTO_MODULES_DIR "/%s", basename(path));
        fg_autofree char *line = fg_asprintf("%s\n", to);

        if (pack->order.len > 0 && strstr(pack->order.data, line))
                return 0;
        if (fg_buf_read_file(&data, from, err) < 0 || fg_buf_puts(&pack->order, line, err) < 0)
                return -1;
        return fg_cpio_add(pack->out, to + 1, S_IFREG | 0400, data.data, data.len, err);
}

/* @line: "module: dependency dependency...", each of which needs at most those behind it. */
static int add_line(struct pack *pack, const char *line, struct fg_error *err)
{
        fg_autofree char *words = strndup(line, strcspn(line, "\n"));
        char *space;

        while ((space = strrchr(words, ' '))) {
                if (space[1] && add_file(pack, space + 1, err) < 0)
                        return -1;
                *space = '\0';
        }
        words[strlen(words) - 1] = '\0'; /* the colon */
        return add_file(pack, words, err);
}

static int add_wanted(struct pack *pack, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf loadable = FG_BUF_INIT(INDEX_MAX),
                                                builtin = FG_BUF_INIT(INDEX_MAX);
        fg_autofree char *dep = fg_asprintf("%s/modules.dep", pack->dir);
        fg_autofree char *in = fg_asprintf("%s/modules.builtin", pack->dir);

        if (fg_buf_read_file(&loadable, dep, err) < 0 || fg_buf_puts(&loadable, "", err) < 0 ||
            fg_buf_read_file(&builtin, in, err) < 0 || fg_buf_puts(&builtin, "", err) < 0)
                return -1;
        for (size_t i = 0; i < FG_ARRAY_SIZE(wanted); i++) {
                const char *line = find_line(loadable.data, wanted[i], ":");

                if (line ? add_line(pack, line, err) < 0
                         : !find_line(builtin.data, wanted[i], "\n"))
                        return line ? -1
                                    : fg_fail(err, FG_ERR_NOT_FOUND, "no %s.ko in %s", wanted[i],
                                              pack->dir);
        }
        return 0;
}

int fg_stock_add_modules(const char *modules, struct fg_buf *out, struct fg_error *err)
{
        struct pack pack = { .dir = modules, .out = out, .order = FG_BUF_INIT(ORDER_MAX) };
        int r = -1;

        if (fg_cpio_add(out, &FG_PROTO_MODULES_DIR[1], S_IFDIR | 0700, "", 0, err) == 0 &&
            add_wanted(&pack, err) == 0 &&
            fg_cpio_add(out, &FG_PROTO_MODULES[1], S_IFREG | 0400, pack.order.data, pack.order.len,
                        err) == 0)
                r = fg_cpio_end(out, err);
        fg_buf_finish(&pack.order);
        return r;
}

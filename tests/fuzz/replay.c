/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The driver of a fuzz target in ordinary builds: replays its corpus, then cheap mutations of it.
 * The seed is fixed, so a failure repeats; its input is left in $FG_FUZZ_OUT, if that is set.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "tests/fuzz/fuzz.h"

#define MUTATIONS 2000
#define INPUT_MAX (1u << 20)
#define FILES_MAX 1024

static uint64_t random_state = 0x9e3779b97f4a7c15;

static size_t random_below(size_t n)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return n > 0 ? (size_t)(random_state % n) : 0;
}

/* An exact copy on the heap, so that ASan sees a read past its end. */
static void run(const char *data, size_t len)
{
        fg_autofree uint8_t *copy = malloc(len > 0 ? len : 1);
        const char *keep = getenv("FG_FUZZ_OUT");
        struct fg_error err = FG_ERROR_INIT;

        if (!copy)
                abort();
        if (keep && fg_write_file(keep, data, len, 0644, &err) < 0)
                abort();
        if (len > 0)
                memcpy(copy, data, len);
        (void)LLVMFuzzerTestOneInput(copy, len);
}

static void mutate_once(char *data, size_t *len, const struct fg_buf *other)
{
        static const unsigned char edges[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '/', '\n' };
        const size_t at = random_below(*len);
        const size_t span = 1 + random_below(*len - at < 64 ? *len - at : 64);

        switch (random_below(6)) {
        case 0:
                data[at] = (char)(data[at] ^ (1 << random_below(8)));
                break;
        case 1:
                data[at] = (char)edges[random_below(sizeof(edges))];
                break;
        case 2:
                data[at] = (char)random_below(256);
                break;
        case 3: /* cut a span out */
                memmove(data + at, data + at + span, *len - at - span);
                *len -= span;
                break;
        case 4: /* repeat a span */
                if (*len + span > INPUT_MAX)
                        break;
                memmove(data + at + span, data + at, *len - at);
                *len += span;
                break;
        default: /* go on as another input does */
                if (at < other->len) {
                        memcpy(data + at, other->data + at, other->len - at);
                        *len = other->len;
                }
                break;
        }
}

static void run_mutation(const struct fg_buf *files, size_t n, char *scratch)
{
        const struct fg_buf *base = &files[random_below(n)];
        size_t len = base->len;

        if (len > 0)
                memcpy(scratch, base->data, len);
        for (size_t rounds = 1 + random_below(8); rounds > 0 && len > 0; rounds--)
                mutate_once(scratch, &len, &files[random_below(n)]);
        run(scratch, len);
}

static int read_corpus(const char *dir, struct fg_buf *files, size_t *n, struct fg_error *err)
{
        struct dirent **entries = NULL;
        int count = scandir(dir, &entries, NULL, alphasort);
        int r = count < 0 ? fg_fail_errno(err, errno, "read %s", dir) : 0;

        for (int i = 0; i < count; i++) {
                fg_autofree struct dirent *e = entries[i];
                fg_autofree char *path = fg_asprintf("%s/%s", dir, e->d_name);

                if (e->d_name[0] == '.' || r < 0)
                        continue;
                if (*n == FILES_MAX) {
                        r = fg_fail(err, FG_ERR_CAPACITY, "more than %d files", FILES_MAX);
                        continue;
                }
                files[*n] = FG_BUF_INIT(INPUT_MAX);
                r = fg_buf_read_file(&files[(*n)++], path, err);
        }
        free(entries);
        return r;
}

int main(int argc, char **argv)
{
        static struct fg_buf files[FILES_MAX];
        fg_autofree char *scratch = malloc(INPUT_MAX);
        struct fg_error err = FG_ERROR_INIT;
        size_t n = 0;

        if (!scratch || argc != 2) {
                (void)fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
                return 2;
        }
        if (read_corpus(argv[1], files, &n, &err) < 0 || n == 0) {
                (void)fprintf(stderr, "no corpus in %s: %s\n", argv[1], err.msg);
                return 1;
        }
        for (size_t i = 0; i < n; i++)
                run(files[i].data, files[i].len);
        for (size_t i = 0; i < MUTATIONS; i++)
                run_mutation(files, n, scratch);
        printf("%zu inputs, %d mutations\n", n, MUTATIONS);
        for (size_t i = 0; i < n; i++)
                fg_buf_finish(&files[i]);
        return 0;
}

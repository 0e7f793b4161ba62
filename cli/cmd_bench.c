/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bench/bench.h"
#include "cli/command.h"
#include "cli/exitstatus.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

#define FILE_MODE  0644
#define RESULT_MAX (16U << 20)
#define VERSION    1 /* of a result that is read */

static struct bench_options arg_options = { .budget_mib = 4096 };
static const char *arg_json, *arg_html, *arg_from;

static void set_budget(const char *value, struct argp_state *state)
{
        uint64_t mib;

        if (!fg_parse_u64(value, &mib) || mib < 1 || mib > 1U << 30)
                argp_error(state, "'%s' is no budget: MiB from 1 to %u", value, 1U << 30);
        arg_options.budget_mib = (unsigned)mib;
}

static void add_image(const char *value, struct argp_state *state)
{
        if (arg_options.n_images == BENCH_IMAGES_MAX)
                argp_error(state, "at most %d images", BENCH_IMAGES_MAX);
        arg_options.images[arg_options.n_images++] = value;
}

static const struct fg_option options[] = {
        { "quick", 0, NULL, "Fewer runs", .flag = &arg_options.quick },
        { "budget", 0, "MIB", "Memory that idle instances are fitted into (4096)",
          .set = set_budget },
        { "image", 0, "IMAGE",
          "Measure its first run too; it must print something and end; may be repeated",
          .set = add_image },
        { "json", 0, "FILE", "Write every sample to FILE", .text = &arg_json },
        { "html", 0, "FILE", "Write a page with plots to FILE", .text = &arg_html },
        { "from", 0, "FILE", "Measure nothing: show the result that --json wrote to FILE",
          .text = &arg_from },
        { 0 },
};

/* Before an hour is spent on what cannot be kept. */
static int check_place(const char *option, const char *path, struct fg_error *err)
{
        fg_autofree char *copy = fg_strdup(path ? path : "");
        struct stat st;

        if (!path)
                return 0;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                return fg_fail(err, FG_ERR_INVALID, "%s: '%s' is a directory", option, path);
        if (access(dirname(copy), W_OK | X_OK) < 0)
                return fg_fail_errno(err, errno, "%s: %s cannot be written", option, path);
        return 0;
}

static int check_places(struct fg_error *err)
{
        return check_place("--json", arg_json, err) < 0 ? -1 : check_place("--html", arg_html, err);
}

static int write_json(struct json_object *result, struct fg_error *err)
{
        const char *text = json_object_to_json_string_ext(result, JSON_C_TO_STRING_PRETTY);

        return arg_json ? fg_write_file(arg_json, text, strlen(text), FILE_MODE, err) : 0;
}

static int write_page(struct json_object *result, struct fg_error *err)
{
        fg_autofree char *page = arg_html ? bench_html(result, err) : NULL;

        if (!arg_html)
                return 0;
        return page ? fg_write_file(arg_html, page, strlen(page), FILE_MODE, err) : -1;
}

/* What one place does not take is in the others nevertheless. */
static int show(struct fg_cli *cli, struct json_object *result, struct fg_error *err)
{
        struct fg_error second = FG_ERROR_INIT;
        int r;

        if (cli->json)
                fg_cli_print_json(result);
        else
                bench_print(result, stdout);
        r = write_json(result, err);
        if (write_page(result, r == 0 ? err : &second) == 0)
                return r;
        if (r < 0)
                fg_cli_note(cli, "%s", second.msg);
        return -1;
}

static int measure(struct bench *b, struct fg_cli *cli, struct fg_error *err)
{
        if (bench_open(b, cli, &arg_options, err) < 0)
                return -1;
        bench_start(b);
        bench_rate(b);
        bench_memory(b);
        bench_efficiency(b);
        bench_network(b);
        bench_isolation(b);
        bench_noise(b);
        bench_images(b);
        bench_targets(b->result);
        bench_describe(b); /* also of what an interruption left undone */
        return show(cli, b->result, err);
}

/* A result that is there already: to look at it again, or at what another machine measured. */
static int show_file(struct fg_cli *cli, struct fg_error *err)
{
        fg_autojson *result = NULL;

        if (arg_options.quick || arg_options.n_images > 0 || arg_json)
                return fg_fail(err, FG_ERR_INVALID,
                               "--from measures nothing: only --html goes with it");
        result = fg_json_parse_file(arg_from, RESULT_MAX, err);
        if (!result)
                return -1;
        if (fg_json_int(result, "version", 0) != VERSION || !fg_json_arr(result, "start"))
                return fg_fail(err, FG_ERR_INVALID,
                               "%s is no result of fgrun bench: 'version' must be %d, and 'start' "
                               "an array",
                               arg_from, VERSION);
        return show(cli, result, err);
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        struct fg_error at_end = FG_ERROR_INIT;
        struct bench b = { 0 };
        int r;

        (void)args;
        if (check_places(err) < 0)
                return -1;
        if (arg_from)
                return show_file(cli, err);
        r = measure(&b, cli, err);
        if (bench_close(&b, &at_end) < 0 && r == 0) {
                *err = at_end;
                r = -1;
        }
        return r == 0 && bench_interrupted() ? FG_EXIT_INTERRUPTED : r;
}

const struct fg_command fg_cmd_bench = {
        .name = "bench",
        .summary = "Compare microVMs with containers on this machine",
        .doc = "Measure how fast microVMs and containers start on this machine, what they cost and "
               "what they keep apart, with an fgd of its own in a temporary directory, beside "
               "those "
               "of runc, docker and podman that are installed and beside a bare QEMU.",
        .options = options,
        .run = run,
};

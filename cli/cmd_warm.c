/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/localimage.h"
#include "core/json.h"
#include "core/str.h"

static bool arg_off;
static const char *arg_count, *arg_cpu, *arg_memory;

static const struct fg_option options[] = {
        { "count", 0, "N", "So many guests (1)", .text = &arg_count },
        { "cpu", 0, "UNITS", "For tasks of this size (256)", .text = &arg_cpu },
        { "memory", 0, "MIB", "For tasks of this size (512)", .text = &arg_memory },
        { "off", 0, NULL, "No more", .flag = &arg_off },
        { 0 },
};

static void print_one(struct json_object *entry)
{
        struct json_object *images = fg_json_arr(entry, "images");
        const char *reason = fg_json_str(entry, "reason");

        for (size_t i = 0; images && i < json_object_array_length(images); i++)
                (void)printf("%s%s", i > 0 ? " + " : "",
                             json_object_get_string(json_object_array_get_idx(images, i)));
        (void)printf(": %d of %d ready, %d vCPU, %d MiB%s%s%s\n",
                     (int)fg_json_int(entry, "ready", 0), (int)fg_json_int(entry, "wanted", 0),
                     (int)fg_json_int(entry, "vcpus", 0), (int)fg_json_int(entry, "memoryMiB", 0),
                     fg_json_bool(entry, "kept", false) ? "" : ", by demand", reason ? ": " : "",
                     reason ? reason : "");
}

static void show(struct fg_cli *cli, struct json_object *answer)
{
        struct json_object *list = fg_json_arr(answer, "warm");

        if (cli->json)
                fg_cli_print_json(answer);
        for (size_t i = 0; list && !cli->json && !cli->quiet && i < json_object_array_length(list);
             i++)
                print_one(json_object_array_get_idx(list, i));
}

static int keep(struct fg_cli *cli, const char *image, struct json_object **ret,
                struct fg_error *err)
{
        fg_autojson *body = json_object_new_object();
        uint64_t count = 1;

        if (arg_count && (!fg_parse_u64(arg_count, &count) || count < 1 || count > INT32_MAX))
                return fg_fail(err, FG_ERR_INVALID, "--count=%s: a number from 1 on is wanted",
                               arg_count);
        if (fg_command_pull(cli, image, true, err) < 0)
                return -1;
        fg_json_set_str(body, "image", image);
        fg_json_set_int(body, "count", (int64_t)count);
        fg_json_set_str(body, "cpu", arg_cpu);
        fg_json_set_str(body, "memory", arg_memory);
        return fg_cli_call(cli, &(struct fg_request){ "POST", "/v1/warm", body }, ret, err);
}

static int end(struct fg_cli *cli, const char *image, struct json_object **ret,
               struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(8192);

        if (arg_count)
                return fg_fail(err, FG_ERR_INVALID, "--off ends all of them: no --count");
        if (fg_buf_puts(&path, "/v1/warm", err) < 0 ||
            fg_query_add(&path, "image", image, err) < 0 ||
            (arg_cpu && fg_query_add(&path, "cpu", arg_cpu, err) < 0) ||
            (arg_memory && fg_query_add(&path, "memory", arg_memory, err) < 0))
                return -1;
        return fg_cli_call(cli, &(struct fg_request){ "DELETE", path.data, NULL }, ret, err);
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autofree char *base = fg_localimage_base(NULL);
        fg_autofree char *image = *args ? fg_localimage_resolve(*args, base) : NULL;
        fg_autojson *answer = NULL;
        int r;

        if (!image && (arg_off || arg_count || arg_cpu || arg_memory))
                return fg_fail(err, FG_ERR_INVALID, "an image is needed");
        if (!image)
                r = fg_cli_call(cli, &(struct fg_request){ "GET", "/v1/warm", NULL }, &answer, err);
        else if (arg_off)
                r = end(cli, image, &answer, err);
        else
                r = keep(cli, image, &answer, err);
        if (r < 0)
                return image ? fg_wrap(err, "warm %s", image) : -1;
        show(cli, answer);
        return 0;
}

const struct fg_command fg_cmd_warm = {
        .name = "warm",
        .summary = "Keep guests with an image mounted",
        .doc = "Keep booted guests with IMAGE mounted, for tasks of one size that use this image "
               "and no other. Without IMAGE: show the guests that are kept, and those that demand "
               "keeps.",
        .options = options,
        .args = "[IMAGE]",
        .if_more = "one image at a time",
        .run = run,
};

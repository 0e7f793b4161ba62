/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

#define SHORT_DIGEST 12

static void add_time(struct fg_table *table, const char *text)
{
        char ago[FG_HUMAN_MAX] = "";

        if (text)
                fg_human_ago(fg_rfc3339_parse(text), fg_now_ns(), ago);
        fg_table_cell(table, ago);
}

static void print(const struct fg_cli *cli, struct json_object *images)
{
        static const struct fg_column columns[] = { { "IMAGE" },
                                                    { "DIGEST" },
                                                    { "SIZE", .right = true },
                                                    { "LAYERS", .right = true },
                                                    { "PREPARED" },
                                                    { "PULLED" },
                                                    { "USED" } };
        fg_cleanup(fg_table_freep) struct fg_table *table = NULL;
        char size[FG_HUMAN_MAX];

        if (!images || json_object_array_length(images) == 0) {
                fg_cli_note(cli, "no images");
                return;
        }
        table = fg_table_new(stdout, columns, FG_ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_object_array_length(images); i++) {
                struct json_object *image = json_object_array_get_idx(images, i);
                const char *digest = fg_json_str(image, "manifest");

                if (digest && fg_starts_with(digest, "sha256:"))
                        digest += strlen("sha256:");
                fg_human_size((uint64_t)fg_json_int(image, "sizeBytes", 0), size);
                fg_table_row(table);
                fg_table_cell(table, fg_json_str(image, "reference"));
                fg_table_format(table, "%.*s", SHORT_DIGEST, digest ? digest : "");
                fg_table_cell(table, size);
                fg_table_format(table, "%d", (int)fg_json_int(image, "layers", 0));
                fg_table_cell(table, fg_json_bool(image, "prepared", false) ? "yes" : "no");
                add_time(table, fg_json_str(image, "pulledAt"));
                add_time(table, fg_json_str(image, "usedAt"));
        }
        fg_table_print(table);
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *answer = NULL;

        if (fg_cli_call(cli, &(struct fg_request){ "GET", "/v1/images", NULL }, &answer, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(answer);
        else
                print(cli, fg_json_arr(answer, "images"));
        return 0;
}

const struct fg_command fg_cmd_images = {
        .name = "images",
        .summary = "List images",
        .doc = "List the images in fgd's store.",
        .run = run,
};

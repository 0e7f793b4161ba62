/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/localimage.h"
#include "core/json.h"

static int remove_one(struct fg_cli *cli, const char *reference, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(8192);
        fg_autofree char *base = fg_localimage_base(NULL);
        fg_autofree char *absolute = fg_localimage_resolve(reference, base);
        fg_autojson *answer = NULL;

        if (fg_buf_puts(&path, "/v1/images", err) < 0 ||
            fg_query_add(&path, "reference", absolute, err) < 0)
                return -1;
        return fg_cli_call(cli, &(struct fg_request){ "DELETE", path.data, NULL }, &answer, err);
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        return fg_command_remove_each(cli, args, remove_one, err);
}

const struct fg_command fg_cmd_image_rm = {
        .name = "image rm",
        .summary = "Remove images",
        .doc = "Remove images from fgd's store. One that a task uses is refused.",
        .args = "IMAGE...",
        .if_none = "an image is needed",
        .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/localimage.h"
#include "cli/progress.h"
#include "core/json.h"

struct pull {
        struct fg_cli *cli;
        struct fg_progress progress;
        const char *reference;
        bool quiet, done;
};

static void report(struct pull *pull, struct json_object *image)
{
        const char *digest = fg_json_str(image, "manifest");
        char size[FG_HUMAN_MAX];

        if (pull->quiet)
                return;
        fg_human_size((uint64_t)fg_json_int(image, "sizeBytes", 0), size);
        (void)printf("%s %s %s\n", pull->reference, digest ? digest : "", size);
}

static int handle_line(void *userdata, struct json_object *line, struct fg_error *err)
{
        struct pull *pull = userdata;
        struct json_object *image = fg_json_obj(line, "image");

        pull->done = image != NULL;
        if (pull->cli->json && !pull->quiet) {
                (void)puts(fg_json_text(line));
                (void)fflush(stdout);
                return 0;
        }
        if (!image) {
                fg_progress_update(&pull->progress, pull->reference, line);
                return 0;
        }
        fg_progress_clear(&pull->progress);
        report(pull, image);
        return 0;
}

int fg_command_pull(struct fg_cli *cli, const char *reference, bool quiet, struct fg_error *err)
{
        struct fg_client *client = fg_cli_client(cli, err);
        fg_autofree char *base = fg_localimage_base(NULL);
        fg_autofree char *absolute = fg_localimage_resolve(reference, base);
        fg_autojson *body = json_object_new_object();
        struct pull pull = { .cli = cli, .reference = reference, .quiet = quiet };
        int r;

        fg_json_set_str(body, "image", absolute);
        fg_progress_init(&pull.progress, cli);
        if (!client)
                return -1;
        r = fg_client_stream(client, &(struct fg_request){ "POST", "/v1/images/pull", body },
                             handle_line, &pull, err);
        fg_progress_clear(&pull.progress);
        if (r == 0 && !pull.done)
                return fg_fail(err, FG_ERR_UPSTREAM, "the answer of fgd ends early");
        return r;
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        for (; *args; args++)
                if (fg_command_pull(cli, *args, cli->quiet && !cli->json, err) < 0)
                        return fg_wrap(err, "pull %s", *args);
        return 0;
}

const struct fg_command fg_cmd_pull = {
        .name = "pull",
        .summary = "Fetch images",
        .doc = "Fetch images into fgd's store: docker.io names, REGISTRY/NAME[:TAG|@DIGEST], "
               "oci:DIR[:TAG], docker-archive:FILE. They are prepared in the background, so that "
               "the "
               "next task starts at once (fgd.conf: image_pull).",
        .args = "IMAGE...",
        .if_none = "an image is needed",
        .run = run,
};

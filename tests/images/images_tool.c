/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test program around images.h: one command on one store, the result as a line of JSON.
 *   images-tool [option...] STORE pull REF... | prepare REF | list | remove REF | prune | check REF
 * Several references are pulled at once. `check` reads each blob of a stored image again and
 * compares digests. Options: --ca FILE --insecure LIST --config FILE --max BYTES --parallel N
 * --missing --cancel-at BYTES (cancel the pull after so much progress) --prepared-max BYTES
 * --prepare-seconds N --prepare-cpu SECONDS --prepare-memory BYTES
 */
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/str.h"
#include "images/images.h"

static struct {
        sd_event *loop;
        struct fg_images *images;
        struct fg_pull *pull;
        enum fg_pull_policy policy;
        uint64_t cancel_at;
        bool ahead;
        unsigned waiting;
        int exit;
        struct json_object *result;
} tool = { .policy = FG_PULL_ALWAYS };

static void leave(void)
{
        if (--tool.waiting == 0)
                (void)sd_event_exit(tool.loop, 0);
}

static struct json_object *image_json(const struct fg_image *image)
{
        struct json_object *o = json_object_new_object();

        fg_json_set_str(o, "reference", image->reference);
        fg_json_set_str(o, "manifest", image->manifest);
        fg_json_set_str(o, "config", image->config);
        fg_json_set_int(o, "size", (int64_t)image->size);
        fg_json_set_int(o, "layers", image->layers);
        fg_json_set_bool(o, "prepared", image->prepared);
        fg_json_set_str(o, "unpreparedWhy", image->unprepared_why);
        return o;
}

static void add_error(struct json_object *o, const struct fg_error *err)
{
        fg_json_set_str(o, "error", err->msg);
        fg_json_set_str(o, "code", fg_err_name(err->code));
        tool.exit = 1;
}

static void add_result(struct json_object *take_o)
{
        (void)json_object_array_add(tool.result, take_o);
}

static void on_progress(void *userdata, const struct fg_pull_progress *p)
{
        (void)fprintf(stderr, "%s %llu/%llu %u/%u\n", p->status, (unsigned long long)p->done_bytes,
                      (unsigned long long)p->total_bytes, p->layers_done, p->layers);
        if (tool.ahead)
                fg_images_prepare_ahead(tool.images, tool.pull);
        if (tool.cancel_at && p->done_bytes >= tool.cancel_at) {
                tool.cancel_at = 0;
                fg_pull_cancel(tool.pull);
                leave();
        }
}

static void on_pulled(void *userdata, const struct fg_image *image, const struct fg_error *err)
{
        struct json_object *o = image ? image_json(image) : json_object_new_object();

        if (err)
                add_error(o, err);
        add_result(o);
        leave();
}

static void on_prepared(void *userdata, const char *path, const struct fg_error *err)
{
        struct json_object *o = json_object_new_object();

        fg_json_set_str(o, "path", path);
        if (err)
                add_error(o, err);
        add_result(o);
        leave();
}

static void prepare(void *userdata, const struct fg_image *image, const struct fg_error *err)
{
        struct fg_error failed = FG_ERROR_INIT;

        if (err || fg_images_prepare(tool.images, image->manifest, on_prepared, NULL, &failed) < 0)
                on_prepared(NULL, NULL, err ? err : &failed);
}

static void on_image(void *userdata, const struct fg_image *image)
{
        if (image)
                add_result(image_json(image));
        else
                leave();
}

static void on_removed(void *userdata, const struct fg_error *err)
{
        struct json_object *o = json_object_new_object();

        if (err)
                add_error(o, err);
        add_result(o);
        leave();
}

static void on_pruned(void *userdata, uint64_t freed, const struct fg_error *err)
{
        struct json_object *o = json_object_new_object();

        fg_json_set_int(o, "freed", (int64_t)freed);
        if (err)
                add_error(o, err);
        add_result(o);
        leave();
}

/* Reads a blob and digests it. */
static int check_blob(const char *digest, struct fg_buf *ret, struct fg_error *err)
{
        char actual[FG_DIGEST_LEN + 1];
        fg_autoclose int fd = -1;
        uint64_t size;

        fd = fg_images_open_blob(tool.images, digest, &size, err);
        if (fd < 0 || fg_buf_read_fd(ret, fd, err) < 0)
                return -1;
        fg_digest_of(ret->data ? ret->data : "", ret->len, actual);
        if (!fg_streq(actual, digest) || ret->len != size)
                return fg_fail(err, FG_ERR_INTERNAL, "%s has digest %s", digest, actual);
        return 0;
}

static int check_image(const struct fg_image *image, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(1u << 30);
        fg_cleanup(fg_buf_finish) struct fg_buf blob = FG_BUF_INIT(1u << 30);
        fg_autojson *doc = NULL;
        struct json_object *layers;

        if (check_blob(image->manifest, &text, err) < 0 ||
            check_blob(image->config, &blob, err) < 0)
                return -1;
        doc = fg_json_parse(text.data, text.len, err);
        layers = fg_json_arr(doc, "layers");
        for (size_t i = 0; i < json_object_array_length(layers); i++) {
                const char *digest = fg_json_str(json_object_array_get_idx(layers, i), "digest");

                fg_buf_clear(&blob);
                if (!fg_images_has_blob(tool.images, image->manifest, digest))
                        return fg_fail(err, FG_ERR_INTERNAL, "%s is not of the image", digest);
                if (check_blob(digest, &blob, err) < 0)
                        return -1;
        }
        return 0;
}

static void on_checked(void *userdata, const struct fg_image *image)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *o;

        if (!image) {
                leave();
                return;
        }
        o = image_json(image);
        if (check_image(image, &err) < 0)
                add_error(o, &err);
        add_result(o);
}

static int run(int argc, char **argv, struct fg_error *err)
{
        const char *command = argv[0];

        tool.waiting = 1;
        if (fg_streq(command, "list"))
                fg_images_list(tool.images, on_image, NULL);
        else if (fg_streq(command, "check"))
                fg_images_list(tool.images, on_checked, NULL);
        else if (fg_streq(command, "prune"))
                fg_images_prune(tool.images, on_pruned, NULL);
        else if (fg_streq(command, "remove") && argc == 2)
                fg_images_remove(tool.images, argv[1], on_removed, NULL);
        else if (fg_streq(command, "prepare") && argc == 2)
                return fg_images_pull(tool.images, argv[1], tool.policy, on_progress, prepare, NULL,
                                      &tool.pull, err);
        else if (!fg_streq(command, "pull") || argc < 2)
                return fg_fail(err, FG_ERR_INVALID, "unknown command");
        if (!fg_streq(command, "pull"))
                return 0;
        tool.waiting = (unsigned)argc - 1;
        for (int i = 1; i < argc; i++)
                if (fg_images_pull(tool.images, argv[i], tool.policy, on_progress, on_pulled, NULL,
                                   &tool.pull, err) < 0)
                        return -1;
        return 0;
}

static void parse_options(int argc, char **argv, struct fg_images_config *config)
{
        static const struct option options[] = {
                { "ca", required_argument, NULL, 'a' },
                { "insecure", required_argument, NULL, 'i' },
                { "config", required_argument, NULL, 'c' },
                { "max", required_argument, NULL, 'm' },
                { "parallel", required_argument, NULL, 'p' },
                { "missing", no_argument, NULL, 'M' },
                { "ahead", no_argument, NULL, 'A' },
                { "cancel-at", required_argument, NULL, 'C' },
                { "prepared-max", required_argument, NULL, 'P' },
                { "prepare-seconds", required_argument, NULL, 's' },
                { "prepare-cpu", required_argument, NULL, 'u' },
                { "prepare-memory", required_argument, NULL, 'y' },
                { 0 },
        };
        uint64_t parallel = 3, seconds = config->prepare.seconds;
        uint64_t cpu = config->prepare.cpu_seconds;
        int c;

        while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
                if (c == 'a')
                        config->ca_file = optarg;
                else if (c == 'i')
                        config->insecure = optarg;
                else if (c == 'c')
                        config->docker_config = optarg;
                else if (c == 'A')
                        tool.ahead = true;
                else if (c == 'M')
                        tool.policy = FG_PULL_MISSING;
                else if (c == 'm')
                        (void)fg_parse_u64(optarg, &config->max_bytes);
                else if (c == 'P')
                        (void)fg_parse_u64(optarg, &config->prepared_max);
                else if (c == 'C')
                        (void)fg_parse_u64(optarg, &tool.cancel_at);
                else if (c == 'p')
                        (void)fg_parse_u64(optarg, &parallel);
                else if (c == 's')
                        (void)fg_parse_u64(optarg, &seconds);
                else if (c == 'u')
                        (void)fg_parse_u64(optarg, &cpu);
                else if (c == 'y')
                        (void)fg_parse_u64(optarg, &config->prepare.memory);
                else
                        exit(2);
        }
        config->parallel = (unsigned)parallel;
        config->prepare.seconds = (unsigned)seconds;
        config->prepare.cpu_seconds = (unsigned)cpu;
}

int main(int argc, char **argv)
{
        struct fg_images_config config = { .platform = "linux/amd64",
                                           .prepared_max = 1u << 30,
                                           .prepare = FG_PREPARE_LIMITS_DEFAULT,
                                           .readers = getegid() };
        struct fg_error err = FG_ERROR_INIT;

        parse_options(argc, argv, &config);
        if (argc - optind < 2)
                return 2;
        config.dir = argv[optind];
        tool.result = json_object_new_array();
        if (sd_event_new(&tool.loop) < 0 ||
            fg_images_new(tool.loop, &config, &tool.images, &err) < 0 ||
            run(argc - optind - 1, argv + optind + 1, &err) < 0) {
                struct json_object *o = json_object_new_object();

                add_error(o, &err);
                add_result(o);
        } else {
                (void)sd_event_loop(tool.loop);
        }
        fg_images_free(tool.images);
        (void)printf("%s\n", fg_json_text(tool.result));
        json_object_put(tool.result);
        sd_event_unref(tool.loop);
        return tool.exit;
}

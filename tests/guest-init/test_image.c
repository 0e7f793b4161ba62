/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"
#include "guest-init/image.h"

#define A   "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B   "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C   "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define OCI "application/vnd.oci.image."
#define CONFIG                                                                                     \
        "\"config\":{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"" C "\",\"size\":7}"
#define LAYER(d)  "{\"mediaType\":\"" OCI "layer.v1.tar+gzip\",\"digest\":\"" d "\",\"size\":9}"
#define HEAD      "{\"schemaVersion\":2," CONFIG ","
#define ONE_LAYER HEAD "\"layers\":[" LAYER(A) "]}"
#define ROOTFS    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" B "\"]}"

static struct fg_image *manifest(const char *text, struct fg_error *err)
{
        return fg_image_parse_manifest(text, strlen(text), err);
}

/* A config for the manifest with one layer. */
static int config(const char *text, struct fg_image **ret, struct fg_error *err)
{
        *ret = manifest(ONE_LAYER, err);
        assert_non_null(*ret);
        return fg_image_parse_config(*ret, text, strlen(text), err);
}

static void manifest_is_read(void **state)
{
        fg_cleanup(fg_image_freep) struct fg_image *image = NULL;
        struct fg_error err = FG_ERROR_INIT;

        image = manifest(HEAD "\"layers\":[" LAYER(A) "," LAYER(B) "]}", &err);
        assert_non_null(image);
        assert_string_equal(image->config_digest, C);
        assert_int_equal(image->config_size, 7);
        assert_int_equal(image->layer_count, 2);
        assert_string_equal(image->layers[0].digest, A);
        assert_string_equal(image->layers[1].digest, B);
        assert_int_equal(image->layers[1].size, 9);
}

static void bad_manifests_are_refused(void **state)
{
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "", "not valid JSON" },
                { "[]", "single-platform" },
                { "{\"schemaVersion\":1,\"layers\":[]}", "single-platform" },
                { "{\"schemaVersion\":2,\"manifests\":[]}", "single-platform" },
                { "{\"schemaVersion\":2,\"layers\":[" LAYER(A) "]}", "config: no mediaType" },
                { HEAD "\"layers\":[]}", "0 layers" },
                { HEAD "\"layers\":[7]}", "layer 0: no mediaType" },
                { HEAD "\"layers\":[" LAYER("sha256:short") "]}", "layer 0: no valid sha256" },
                { HEAD "\"layers\":[" LAYER(A) ",{\"mediaType\":\"x\\n\"}]}", "\"x\\x0a\" is not" },
                { HEAD "\"layers\":[{\"mediaType\":\"" OCI "layer.v1.tar\",\"digest\":\"" A
                       "\",\"size\":-1}]}",
                  "no valid size" },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_error err = FG_ERROR_INIT;

                assert_null(manifest(cases[i].text, &err));
                assert_int_equal(err.code, FG_ERR_INVALID);
                if (!strstr(err.msg, cases[i].message))
                        fail_msg("case %zu: %s", i, err.msg);
        }
}

static void config_is_read(void **state)
{
        fg_cleanup(fg_image_freep) struct fg_image *image = NULL;
        struct fg_error err = FG_ERROR_INIT;

        assert_int_equal(config("{\"config\":{\"Entrypoint\":[\"/a\",\"b c\"],\"Cmd\":[\"d\"],"
                                "\"Env\":[\"A=b=c\",\"E=\"],\"User\":\"app:7\","
                                "\"WorkingDir\":\"srv\",\"StopSignal\":\"SIGQUIT\","
                                "\"Volumes\":{\"/data\":{},\"cache\":null}}," ROOTFS "}",
                                &image, &err),
                         0);
        assert_string_equal(image->entrypoint[1], "b c");
        assert_null(image->entrypoint[2]);
        assert_string_equal(image->cmd[0], "d");
        assert_string_equal(image->env[0], "A=b=c");
        assert_string_equal(image->env[1], "E=");
        assert_null(image->env[2]);
        assert_string_equal(image->user, "app:7");
        assert_string_equal(image->working_dir, "/srv");
        assert_int_equal(image->stop_signal, SIGQUIT);
        assert_string_equal(image->volumes[0], "/data");
        assert_string_equal(image->volumes[1], "/cache");
        assert_null(image->volumes[2]);
        assert_string_equal(image->layers[0].diff_id, B);
}

static void absent_members_have_defaults(void **state)
{
        static const char *const texts[] = {
                "{" ROOTFS "}",
                "{\"config\":null," ROOTFS "}",
                "{\"config\":{\"Entrypoint\":null,\"Cmd\":null,\"Env\":null,\"Volumes\":null,"
                "\"User\":\"\",\"WorkingDir\":\"\",\"StopSignal\":\"\"}," ROOTFS "}",
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(texts); i++) {
                fg_cleanup(fg_image_freep) struct fg_image *image = NULL;
                struct fg_error err = FG_ERROR_INIT;

                assert_int_equal(config(texts[i], &image, &err), 0);
                assert_null(image->entrypoint[0]);
                assert_null(image->cmd[0]);
                assert_null(image->env[0]);
                assert_null(image->volumes[0]);
                assert_string_equal(image->user, "");
                assert_string_equal(image->working_dir, "/");
                assert_int_equal(image->stop_signal, SIGTERM);
        }
}

static void bad_configs_are_refused(void **state)
{
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "{}", "rootfs.diff_ids" },
                { "{\"rootfs\":{\"diff_ids\":[]}}", "0 diff_ids for the manifest's 1" },
                { "{\"rootfs\":{\"diff_ids\":[\"md5:1\"]}}", "sha256" },
                { "{\"config\":[]," ROOTFS "}", "config is not an object" },
                { "{\"config\":{\"Cmd\":\"sh\"}," ROOTFS "}", "Cmd is not a list" },
                { "{\"config\":{\"Cmd\":[1]}," ROOTFS "}", "Cmd is not a list of strings" },
                { "{\"config\":{\"Cmd\":[\"a\\u0000b\"]}," ROOTFS "}", "Cmd is not" },
                { "{\"config\":{\"Env\":[\"NAME\"]}," ROOTFS "}", "Env is not" },
                { "{\"config\":{\"Env\":[\"=x\"]}," ROOTFS "}", "Env is not" },
                { "{\"config\":{\"User\":7}," ROOTFS "}", "User is not a string" },
                { "{\"config\":{\"Volumes\":[]}," ROOTFS "}", "Volumes is not" },
                { "{\"config\":{\"StopSignal\":\"SIGNOPE\"}," ROOTFS "}", "StopSignal" },
        };

        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                fg_cleanup(fg_image_freep) struct fg_image *image = NULL;
                struct fg_error err = FG_ERROR_INIT;

                assert_int_equal(config(cases[i].text, &image, &err), -1);
                assert_int_equal(err.code, FG_ERR_INVALID);
                if (!strstr(err.msg, cases[i].message))
                        fail_msg("case %zu: %s", i, err.msg);
        }
}

static void signals_are_read(void **state)
{
        assert_int_equal(fg_signal_parse("SIGTERM"), SIGTERM);
        assert_int_equal(fg_signal_parse("WINCH"), SIGWINCH);
        assert_int_equal(fg_signal_parse("15"), 15);
        assert_int_equal(fg_signal_parse("SIGRTMIN+3"), SIGRTMIN + 3);
        assert_int_equal(fg_signal_parse("RTMAX-2"), SIGRTMAX - 2);
        assert_int_equal(fg_signal_parse("SIGRTMIN"), SIGRTMIN);
        assert_int_equal(fg_signal_parse("SIGRTMIN+99"), 0);
        assert_int_equal(fg_signal_parse("SIGRTMIN-1"), 0);
        assert_int_equal(fg_signal_parse("0"), 0);
        assert_int_equal(fg_signal_parse("65"), 0);
        assert_int_equal(fg_signal_parse("-1"), 0);
        assert_int_equal(fg_signal_parse(""), 0);
        assert_int_equal(fg_signal_parse("SIG"), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(manifest_is_read),
                cmocka_unit_test(bad_manifests_are_refused),
                cmocka_unit_test(config_is_read),
                cmocka_unit_test(absent_members_have_defaults),
                cmocka_unit_test(bad_configs_are_refused),
                cmocka_unit_test(signals_are_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

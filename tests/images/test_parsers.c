/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <string.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/str.h"
#include "images/auth.h"
#include "images/images.h"
#include "images/manifest.h"
#include "images/reference.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ONE "sha256:" HEX
#define TWO "sha256:ff23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_reference_normal(void **state)
{
        static const char *const cases[][2] = {
                { "busybox", "docker.io/library/busybox:latest" },
                { "busybox:1.36", "docker.io/library/busybox:1.36" },
                { "user/app", "docker.io/user/app:latest" },
                { "docker.io/busybox", "docker.io/library/busybox:latest" },
                { "index.docker.io/user/app", "docker.io/user/app:latest" },
                { "library/busybox@" ONE, "docker.io/library/busybox@" ONE },
                { "busybox:1@" ONE, "docker.io/library/busybox:1@" ONE },
                { "localhost/app", "localhost/app:latest" },
                { "localhost:5000/a/b:c", "localhost:5000/a/b:c" },
                { "127.0.0.1:5000/x", "127.0.0.1:5000/x:latest" },
                { "[::1]:5000/x", "[::1]:5000/x:latest" },
                { "Registry.Example.COM/a/b/c:V1", "registry.example.com/a/b/c:V1" },
                { "a__b/c.d-e--f", "docker.io/a__b/c.d-e--f:latest" },
                { "host:80/x", "host:80/x:latest" },
                { "oci:/a/dir", "oci:/a/dir" },
                { "oci:5000/x", "oci:5000/x:latest" },
                { "oci:tag", "docker.io/library/oci:tag" },
                { "oci:/a/dir/:tag", "oci:/a/dir:tag" },
                { "docker-archive:/a.tar:busybox:1", "docker-archive:/a.tar:busybox:1" },
                { "docker-archive:/a.tar", "docker-archive:/a.tar" },
        };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_error err = FG_ERROR_INIT;
                fg_autofree char *text = fg_reference_normalize(cases[i][0], &err);
                fg_autofree char *again = text ? fg_reference_normalize(text, &err) : NULL;

                assert_string_equal(err.msg, "");
                assert_string_equal(text, cases[i][1]);
                assert_string_equal(again, cases[i][1]);
        }
}

static void test_reference_bad(void **state)
{
        static const char *const cases[] = {
                "",
                "Busybox",
                "a/B",
                "-a",
                "a-",
                "a..b",
                "a___b",
                "a//b",
                "/a",
                "a/",
                "a:",
                "a:-x",
                "a b",
                "a\n",
                "busybox@sha256:12",
                "busybox@md5:0123456789abcdef0123456789abcdef",
                "busybox@sha256:00123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "host:port/x",
                "host:0/x",
                "host:99999/x",
                "-h.x/a",
                "h..x/a",
                "[::1/x",
                "oci:./rel",
                "docker-archive:rel.tar",
                "oci:/dir:",
                "a:b:c",
                "a@b@c",
                "ho_st:1/x",
        };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_error err = FG_ERROR_INIT;

                if (fg_reference_check(cases[i], &err) == 0)
                        fail_msg("\"%s\" was accepted", cases[i]);
                assert_int_equal(err.code, FG_ERR_INVALID);
        }
}

static void test_relative_layout(void **state)
{
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        assert_int_equal(fg_reference_check("oci:rel/dir", &err), -1);
        assert_non_null(strstr(err.msg, "\"rel/dir\" is not an absolute path"));
}

static void test_reference_host(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_cleanup(fg_reference_freep) struct fg_reference *ref = fg_reference_parse("x", &err);

        (void)state;
        assert_string_equal(fg_reference_host(ref), "registry-1.docker.io");
        assert_true(fg_host_is_loopback("localhost:5000"));
        assert_true(fg_host_is_loopback("127.0.0.1"));
        assert_true(fg_host_is_loopback("[::1]:1"));
        assert_false(fg_host_is_loopback("localhost.example.com"));
        assert_false(fg_host_is_loopback("127.0.0.1.example.com"));
        assert_false(fg_host_is_loopback("registry-1.docker.io"));
}

static void test_challenge(void **state)
{
        fg_cleanup(fg_challenge_finish) struct fg_challenge a = { 0 }, b = { 0 }, c = { 0 };
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        assert_int_equal(fg_challenge_parse("Bearer realm=\"https://auth/t\",service=\"re\\\"g\","
                                            " scope = \"repository:a:pull,push\"",
                                            &a, &err),
                         0);
        assert_int_equal(a.scheme, FG_AUTH_BEARER);
        assert_string_equal(a.realm, "https://auth/t");
        assert_string_equal(a.service, "re\"g");
        assert_string_equal(a.scope, "repository:a:pull,push");
        assert_int_equal(
                fg_challenge_parse("Negotiate, basic realm=x, bEARER realm=\"u\"", &b, &err), 0);
        assert_int_equal(b.scheme, FG_AUTH_BEARER);
        assert_string_equal(b.realm, "u");
        assert_int_equal(fg_challenge_parse("Digest realm=\"a\", nonce=\"b\"", &c, &err), 0);
        assert_int_equal(c.scheme, FG_AUTH_NONE);
}

static void test_challenge_bad(void **state)
{
        static const char *const cases[] = { "Bearer",        "Bearer realm=\"open",  "=x",
                                             "Bearer realm=", "Bearer service=\"x\"", "\"" };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_challenge c = { 0 };
                struct fg_error err = FG_ERROR_INIT;

                if (fg_challenge_parse(cases[i], &c, &err) == 0)
                        fail_msg("%s was accepted", cases[i]);
                assert_int_equal(err.code, FG_ERR_UPSTREAM);
        }
}

/* Writes @config to a file and looks @registry up in it. */
static int look_up(const char *config, const char *registry, struct fg_credentials *ret,
                   struct fg_error *err)
{
        char path[] = "/tmp/test-credentials.XXXXXX";
        int fd = mkstemp(path), r;

        assert_true(fd >= 0);
        (void)close(fd);
        assert_int_equal(fg_write_file(path, config, strlen(config), 0600, err), 0);
        r = fg_credentials_find(path, registry, ret, err);
        assert_int_equal(unlink(path), 0);
        return r;
}

static void test_credentials(void **state)
{
        static const char config[] =
                "{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"dTpwOnc=\"},"
                " \"h:5000\": {\"username\": \"me\", \"password\": \"pw\"},"
                " \"bad\": {\"auth\": \"****\"}, \"id\": {\"identitytoken\": \"t\"}, \"none\": {}},"
                " \"credHelpers\": {\"aws\": \"ecr-login\"}}";
        fg_cleanup(fg_credentials_finish) struct fg_credentials a = { 0 }, b = { 0 }, c = { 0 };
        struct fg_error err = FG_ERROR_INIT;
        fg_autofree char *basic = NULL;

        (void)state;
        assert_int_equal(look_up(config, "docker.io", &a, &err), 1);
        assert_string_equal(a.user, "u");
        assert_string_equal(a.password, "p:w");
        basic = fg_credentials_basic(&a);
        assert_string_equal(basic, "Basic dTpwOnc=");
        assert_int_equal(look_up(config, "h:5000", &b, &err), 1);
        assert_string_equal(b.password, "pw");
        assert_int_equal(look_up(config, "h", &c, &err), 0);
        assert_int_equal(look_up(config, "none", &c, &err), 0);
        assert_int_equal(fg_credentials_find("/nonexistent", "h", &c, &err), 0);
        assert_int_equal(look_up(config, "bad", &c, &err), -1);
        assert_int_equal(look_up(config, "id", &c, &err), -1);
        assert_non_null(strstr(err.msg, "identitytoken"));
        assert_int_equal(look_up(config, "aws", &c, &err), -1);
        assert_non_null(strstr(err.msg, "ecr-login"));
        assert_int_equal(look_up("{\"credsStore\": \"desktop\"}", "h", &c, &err), -1);
        assert_non_null(strstr(err.msg, "desktop"));
        assert_int_equal(look_up("{", "h", &c, &err), -1);
}

#define CONFIG_OF(type, size)                                                                      \
        "\"config\":{\"mediaType\":\"" type "\",\"digest\":\"" ONE "\",\"size\":" size "}"
#define CONFIG CONFIG_OF("application/vnd.oci.image.config.v1+json", "10")
#define LAYER(type, digest, size)                                                                  \
        "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":" size "}"
#define GZIP             "application/vnd.oci.image.layer.v1.tar+gzip"
#define MANIFEST(layers) "{\"schemaVersion\":2," CONFIG ",\"layers\":[" layers "]}"

static struct fg_manifest *parse(const char *text, const char *type, struct fg_error *err)
{
        return fg_manifest_parse(text, strlen(text), type, err);
}

static void test_manifest(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_cleanup(fg_manifest_freep) struct fg_manifest *m = parse(
                MANIFEST(LAYER(GZIP, TWO, "5") "," LAYER(GZIP, TWO, "5")), NULL, &err);

        (void)state;
        assert_non_null(m);
        assert_false(m->index);
        assert_int_equal(m->n_items, 2);
        assert_int_equal(m->size, 15);
        assert_string_equal(m->config.digest, ONE);
        assert_string_equal(m->items[1].digest, TWO);
}

static void test_manifest_bad(void **state)
{
        static const char *const cases[][2] = {
                { "{}", "not a manifest" },
                { "[]", "not a manifest" },
                { "{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1" },
                { MANIFEST(LAYER("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", TWO,
                                 "1")),
                  "foreign" },
                { MANIFEST(LAYER(GZIP "+encrypted", TWO, "1")), "encrypted" },
                { MANIFEST(LAYER("text/plain", TWO, "1")), "text/plain" },
                { MANIFEST(LAYER(GZIP, "sha512:00", "1")), "sha512:00" },
                { MANIFEST(LAYER(GZIP, TWO, "-1")), "size" },
                { MANIFEST(LAYER(GZIP, TWO, "99999999999999")), "size" },
                { MANIFEST(LAYER(GZIP, TWO, "1") "," LAYER(GZIP, TWO, "2")), "two sizes" },
                { MANIFEST("1"), "digest" },
                { "{\"schemaVersion\":2," CONFIG "}", "layers" },
                { "{" CONFIG_OF("application/vnd.cncf.helm.config.v1+json", "1") ",\"layers\":[]}",
                  "helm" },
                { "{" CONFIG_OF("application/vnd.oci.image.config.v1+json",
                                "9000000") ",\"layers\":[]}",
                  "config is larger" },
                { "{\"mediaType\":\"application/x\",\"manifests\":[]}", "application/x" },
        };

        (void)state;
        for (size_t i = 0; i < FG_ARRAY_SIZE(cases); i++) {
                struct fg_error err = FG_ERROR_INIT;

                assert_null(parse(cases[i][0], NULL, &err));
                assert_int_equal(err.code, FG_ERR_INVALID);
                if (!strstr(err.msg, cases[i][1]))
                        fail_msg("\"%s\" does not say \"%s\"", err.msg, cases[i][1]);
        }
}

static void test_manifest_limits(void **state)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(1 << 20);
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        fg_buf_puts(&text, "{" CONFIG ",\"layers\":[", &err);
        for (int i = 0; i <= FG_LAYERS_MAX; i++)
                fg_buf_printf(&text, &err, "%s%s", i ? "," : "", LAYER(GZIP, TWO, "1"));
        fg_buf_puts(&text, "]}", &err);
        assert_null(fg_manifest_parse(text.data, text.len, NULL, &err));
        assert_non_null(strstr(err.msg, "129 layers"));
        /* What the server says must not contradict the document. */
        assert_null(parse("{\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
                          "\"manifests\":[]}",
                          "application/vnd.oci.image.manifest.v1+json; charset=x", &err));
        assert_non_null(strstr(err.msg, "served as"));
}

#define ENTRY(digest, platform)                                                                    \
        "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" digest       \
        "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"" platform                \
        "},\"annotations\":{\"org.opencontainers.image.ref.name\":\"t\"}}"

static void test_index(void **state)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_cleanup(fg_manifest_freep) struct fg_manifest *m = parse(
                "{\"manifests\":[" ENTRY(TWO, "amd64\",\"variant\":\"v3\"") "," ENTRY(
                        ONE, "amd64\"") "," ENTRY(TWO, "arm64\"") "]}",
                NULL, &err);

        (void)state;
        assert_non_null(m);
        assert_string_equal(fg_manifest_select(m, NULL, "linux/amd64", &err)->digest, ONE);
        assert_string_equal(fg_manifest_select(m, "t", "linux/arm64", &err)->digest, TWO);
        assert_null(fg_manifest_select(m, NULL, "linux/s390x", &err));
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        assert_non_null(strstr(err.msg, "linux/arm64"));
        assert_null(fg_manifest_select(m, "other", "linux/amd64", &err));
        assert_int_equal(err.code, FG_ERR_NOT_FOUND);
        assert_non_null(strstr(err.msg, "with tag other"));
}

static void test_config(void **state)
{
        static const char arm[] = "{\"os\":\"linux\",\"architecture\":\"arm64\"}";
        struct fg_error err = FG_ERROR_INIT;

        (void)state;
        assert_int_equal(fg_config_check(arm, strlen(arm), "linux/arm64", &err), 0);
        assert_int_equal(fg_config_check(arm, strlen(arm), "linux/amd64", &err), -1);
        assert_int_equal(err.code, FG_ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reference_normal),
                cmocka_unit_test(test_reference_bad),
                cmocka_unit_test(test_relative_layout),
                cmocka_unit_test(test_reference_host),
                cmocka_unit_test(test_challenge),
                cmocka_unit_test(test_challenge_bad),
                cmocka_unit_test(test_credentials),
                cmocka_unit_test(test_manifest),
                cmocka_unit_test(test_manifest_bad),
                cmocka_unit_test(test_manifest_limits),
                cmocka_unit_test(test_index),
                cmocka_unit_test(test_config),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

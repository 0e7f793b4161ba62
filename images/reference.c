/* SPDX-License-Identifier: Apache-2.0 */
#include "images/reference.h"

#include <ctype.h>
#include <string.h>

#include "core/str.h"
#include "images/images.h"

#define NAME_MAX_LEN      255
#define TAG_MAX_LEN       128
#define REFERENCE_MAX_LEN 4096
#define DEFAULT_REGISTRY  "docker.io"

static bool is_lower(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
        return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* One path component: runs of [a-z0-9] joined by ".", "_", "__" or any number of "-". */
static bool component_valid(const char *s, size_t len)
{
        size_t i = 0;

        if (len == 0 || !is_lower(s[0]) || !is_lower(s[len - 1]))
                return false;
        while (i < len) {
                size_t start = i;

                while (i < len && !is_lower(s[i]))
                        i++;
                if (i - start > 1 && !(i - start == 2 && s[start] == '_' && s[start + 1] == '_') &&
                    strspn(s + start, "-") < i - start)
                        return false;
                if (i > start && !strchr("._-", s[start]))
                        return false;
                while (i < len && is_lower(s[i]))
                        i++;
        }
        return true;
}

static bool repository_valid(const char *s)
{
        for (;;) {
                size_t len = strcspn(s, "/");

                if (!component_valid(s, len))
                        return false;
                if (!s[len])
                        return true;
                s += len + 1;
        }
}

static bool port_valid(const char *s)
{
        uint64_t port;

        return strlen(s) <= 5 && fg_parse_u64(s, &port) && port > 0 && port < 65536;
}

static bool host_valid(const char *s)
{
        const char *p = s;

        if (*p == '[') {
                p += 1 + strspn(p + 1, "0123456789abcdefABCDEF:.");
                if (*p++ != ']')
                        return false;
        } else {
                for (; *p && *p != ':'; p++)
                        if (!is_alnum(*p) &&
                            !(strchr(".-", *p) && p > s && is_alnum(p[-1]) && p[1] && p[1] != ':'))
                                return false;
        }
        if (p == s)
                return false;
        return *p == '\0' || (*p == ':' && port_valid(p + 1));
}

static bool tag_valid(const char *s)
{
        size_t len = strlen(s);

        if (len == 0 || len > TAG_MAX_LEN || (!is_alnum(s[0]) && s[0] != '_'))
                return false;
        for (size_t i = 1; i < len; i++)
                if (!is_alnum(s[i]) && !strchr("_.-", s[i]))
                        return false;
        return true;
}

/* Only what looks like a host name is one: "a.b/c", "a:1/c", "localhost/c", "[::1]/c". */
static bool names_host(const char *s, size_t len)
{
        return memchr(s, '.', len) || memchr(s, ':', len) ||
               (len == strlen("localhost") && memcmp(s, "localhost", len) == 0);
}

static int split_registry(struct fg_reference *ref, const char *name, struct fg_error *err)
{
        const char *slash = strchr(name, '/');

        if (slash && names_host(name, (size_t)(slash - name))) {
                ref->registry = fg_asprintf("%.*s", (int)(slash - name), name);
                name = slash + 1;
        } else {
                ref->registry = fg_strdup(DEFAULT_REGISTRY);
        }
        if (!host_valid(ref->registry))
                return fg_fail(err, FG_ERR_INVALID, "\"%s\" is not a registry host", ref->registry);
        for (char *p = ref->registry; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        if (fg_streq(ref->registry, "index.docker.io")) {
                free(ref->registry);
                ref->registry = fg_strdup(DEFAULT_REGISTRY);
        }
        ref->repository = fg_streq(ref->registry, DEFAULT_REGISTRY) && !strchr(name, '/')
                                  ? fg_asprintf("library/%s", name)
                                  : fg_strdup(name);
        if (!repository_valid(ref->repository))
                return fg_fail(err, FG_ERR_INVALID, "\"%s\" is not a repository name%s", name,
                               strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") ? " (lower case only)"
                                                                           : "");
        if (strlen(ref->registry) + 1 + strlen(ref->repository) > NAME_MAX_LEN)
                return fg_fail(err, FG_ERR_INVALID, "name is over %d bytes", NAME_MAX_LEN);
        return 0;
}

static int parse_registry(struct fg_reference *ref, const char *s, struct fg_error *err)
{
        fg_autofree char *name = fg_strdup(s);
        char *at = strchr(name, '@');
        char *colon, *slash;

        if (at) {
                *at++ = '\0';
                if (!fg_digest_valid(at))
                        return fg_fail(err, FG_ERR_INVALID,
                                       "\"%s\" is not a digest (sha256: and 64 lower-case hex)",
                                       at);
                memcpy(ref->digest, at, FG_DIGEST_LEN + 1);
        }
        slash = strrchr(name, '/');
        colon = strchr(slash ? slash : name, ':');
        if (colon) {
                *colon++ = '\0';
                if (!tag_valid(colon))
                        return fg_fail(err, FG_ERR_INVALID, "\"%s\" is not a tag", colon);
                ref->tag = fg_strdup(colon);
        } else if (!at) {
                ref->tag = fg_strdup("latest");
        }
        return split_registry(ref, name, err);
}

static int parse_path(struct fg_reference *ref, const char *s, struct fg_error *err)
{
        size_t len = strcspn(s, ":");

        if (s[0] != '/')
                return fg_fail(err, FG_ERR_INVALID, "\"%s\" is not an absolute path", s);
        if (s[len]) {
                if (!s[len + 1])
                        return fg_fail(err, FG_ERR_INVALID, "nothing follows the last ':'");
                ref->tag = fg_strdup(s + len + 1);
        }
        while (len > 1 && s[len - 1] == '/')
                len--;
        ref->path = fg_asprintf("%.*s", (int)len, s);
        return 0;
}

static bool printable(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < 0x20 || *s == 0x7f)
                        return false;
        return true;
}

/* "oci:5000/x" is of a registry and "oci:tag" an image; what else has a slash means a directory. */
static bool names_layout(const char *s)
{
        if (!fg_starts_with(s, "oci:"))
                return false;
        s += strlen("oci:");
        return *s == '.' || (!isdigit((unsigned char)*s) && strchr(s, '/'));
}

static int parse(struct fg_reference *ref, const char *s, struct fg_error *err)
{
        if (!*s)
                return fg_fail(err, FG_ERR_INVALID, "empty");
        if (strlen(s) > REFERENCE_MAX_LEN)
                return fg_fail(err, FG_ERR_INVALID, "over %d bytes", REFERENCE_MAX_LEN);
        if (!printable(s))
                return fg_fail(err, FG_ERR_INVALID, "control characters");
        if (names_layout(s)) {
                ref->transport = FG_TRANSPORT_OCI;
                return parse_path(ref, s + strlen("oci:"), err);
        }
        if (fg_starts_with(s, "docker-archive:")) {
                ref->transport = FG_TRANSPORT_ARCHIVE;
                return parse_path(ref, s + strlen("docker-archive:"), err);
        }
        return parse_registry(ref, s, err);
}

struct fg_reference *fg_reference_parse(const char *s, struct fg_error *err)
{
        fg_cleanup(fg_reference_freep) struct fg_reference *ref = fg_calloc(1, sizeof(*ref));

        if (parse(ref, s, err) < 0) {
                fg_wrap(err, "invalid image reference \"%.200s\"", s);
                return NULL;
        }
        return fg_take_ptr(ref);
}

void fg_reference_free(struct fg_reference *ref)
{
        if (!ref)
                return;
        free(ref->registry);
        free(ref->repository);
        free(ref->tag);
        free(ref->path);
        free(ref);
}

char *fg_reference_text(const struct fg_reference *ref)
{
        const char *colon = ref->tag ? ":" : "", *tag = ref->tag ? ref->tag : "";

        if (ref->transport != FG_TRANSPORT_REGISTRY)
                return fg_asprintf("%s:%s%s%s",
                                   ref->transport == FG_TRANSPORT_OCI ? "oci" : "docker-archive",
                                   ref->path, colon, tag);
        return fg_asprintf("%s/%s%s%s%s%s", ref->registry, ref->repository, colon, tag,
                           ref->digest[0] ? "@" : "", ref->digest);
}

const char *fg_reference_host(const struct fg_reference *ref)
{
        return fg_streq(ref->registry, DEFAULT_REGISTRY) ? "registry-1.docker.io" : ref->registry;
}

bool fg_host_is_loopback(const char *host)
{
        size_t len = strcspn(host, ":");

        if (fg_starts_with(host, "[::1]"))
                return true;
        if (fg_starts_with(host, "127."))
                return strspn(host, "0123456789.") == len;
        return len == strlen("localhost") && memcmp(host, "localhost", len) == 0;
}

int fg_reference_check(const char *s, struct fg_error *err)
{
        fg_cleanup(fg_reference_freep) struct fg_reference *ref = fg_reference_parse(s, err);

        return ref ? 0 : -1;
}

char *fg_reference_normalize(const char *s, struct fg_error *err)
{
        fg_cleanup(fg_reference_freep) struct fg_reference *ref = fg_reference_parse(s, err);

        return ref ? fg_reference_text(ref) : NULL;
}

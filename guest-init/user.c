/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/str.h"
#include "guest-init/unpack_path.h"

#define FILE_MAX   (4u << 20)
#define ID_MAX     INT32_MAX /* as Docker has it */
#define GROUPS_MAX 65536     /* the kernel's NGROUPS_MAX */

/* A name or a number; a number is never looked up as a name. */
struct key {
        const char *name; /* NULL: a number */
        uint32_t id;
};

static bool parse_id(const char *s, uint32_t *ret)
{
        uint64_t id;

        if (!fg_parse_u64(s, &id) || id > ID_MAX)
                return false;
        *ret = (uint32_t)id;
        return true;
}

static int parse_key(const char *s, const char *what, struct key *ret, struct fg_error *err)
{
        char escaped[FG_PATH_ESCAPED];

        *ret = (struct key){ .name = s };
        if (strspn(s, "0123456789") != strlen(s))
                return 0;
        ret->name = NULL;
        if (!parse_id(s, &ret->id))
                return fg_fail(err, FG_ERR_INVALID, "%s %s is not in the range 0 to %d", what,
                               fg_path_escape(s, escaped), ID_MAX);
        return 0;
}

static bool key_matches(const struct key *key, const char *name, uint32_t id)
{
        return key->name ? fg_streq(key->name, name) : key->id == id;
}

/* Appends a file of the image. A missing one is empty, and so is what is not a plain file. */
static int read_file(int root_fd, const char *path, struct fg_buf *text, struct fg_error *err)
{
        fg_autoclose int where = fg_path_open(root_fd, path, O_PATH);
        fg_autoclose int fd = -1;
        struct stat st;

        if (where < 0 || fstat(where, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        fd = fg_path_open(root_fd, path, O_RDONLY | O_NONBLOCK);
        if (fd < 0)
                return fg_fail_errno(err, errno, "/%s", path);
        if (fg_buf_read_fd(text, fd, err) < 0)
                return fg_wrap(err, "/%s", path);
        return 0;
}

/* Cuts one "a:b:c" line off *@text into @fields. Return: how many there are, 0 at the end. */
static size_t next_line(char **text, char *fields[], size_t max)
{
        char *line = strsep(text, "\n");
        size_t n = 0;

        if (!line)
                return 0;
        while (n < max && (fields[n] = strsep(&line, ":")))
                n++;
        return n;
}

/* passwd: name, password, uid, gid, comment, home, shell. Return: 1 found, 0 not. */
static int find_user(char *text, const struct key *key, struct fg_user *user, const char **ret_name)
{
        char *f[7];
        size_t n;

        while ((n = next_line(&text, f, FG_ARRAY_SIZE(f))) > 0) {
                uint32_t uid, gid;

                /* A line without numbers must not make anybody root. */
                if (n < 4 || !*f[0] || !parse_id(f[2], &uid) || !parse_id(f[3], &gid))
                        continue;
                if (!key_matches(key, f[0], uid))
                        continue;
                user->uid = uid;
                user->gid = gid;
                user->home = fg_strdup(n > 5 && *f[5] ? f[5] : "/");
                *ret_name = f[0];
                return 1;
        }
        return 0;
}

static bool is_member(char *members, const char *name)
{
        char *member;

        while ((member = strsep(&members, ",")))
                if (fg_streq(member, name))
                        return true;
        return false;
}

static int add_group(struct fg_user *user, gid_t gid, struct fg_error *err)
{
        gid_t *grown;

        for (size_t i = 0; i < user->group_count; i++)
                if (user->groups[i] == gid)
                        return 0;
        if (user->group_count == GROUPS_MAX)
                return fg_fail(err, FG_ERR_CAPACITY, "more than %d groups", GROUPS_MAX);
        grown = reallocarray(user->groups, user->group_count + 1, sizeof(*grown));
        if (!grown)
                return fg_fail(err, FG_ERR_CAPACITY, "out of memory");
        grown[user->group_count++] = gid;
        user->groups = grown;
        return 0;
}

/* group: name, password, gid, members. Return: 1 found, 0 not. */
static int find_group(char *text, const struct key *key, gid_t *ret)
{
        char *f[4];
        size_t n;

        while ((n = next_line(&text, f, FG_ARRAY_SIZE(f))) > 0) {
                uint32_t gid;

                if (n < 3 || !*f[0] || !parse_id(f[2], &gid) || !key_matches(key, f[0], gid))
                        continue;
                *ret = gid;
                return 1;
        }
        return 0;
}

static int add_memberships(char *text, const char *name, struct fg_user *user, struct fg_error *err)
{
        char *f[4];
        size_t n;

        while ((n = next_line(&text, f, FG_ARRAY_SIZE(f))) > 0) {
                uint32_t gid;

                if (n < 4 || !parse_id(f[2], &gid) || !is_member(f[3], name))
                        continue;
                if (add_group(user, gid, err) < 0)
                        return -1;
        }
        return 0;
}

static int resolve_group(const char *part, char *groups, struct fg_user *user, struct fg_error *err)
{
        struct key key;

        if (parse_key(part, "gid", &key, err) < 0)
                return -1;
        user->gid = key.id;
        if (key.name && !find_group(groups, &key, &user->gid))
                return fg_fail(err, FG_ERR_INVALID, "no such group in /etc/group");
        return add_group(user, user->gid, err);
}

static int resolve(int root_fd, char *spec, struct fg_user *user, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf passwd = FG_BUF_INIT(FILE_MAX);
        fg_cleanup(fg_buf_finish) struct fg_buf group = FG_BUF_INIT(FILE_MAX);
        char *user_part = strsep(&spec, ":"), *group_part = spec;
        const char *name = NULL;
        struct key key;

        if (read_file(root_fd, "etc/passwd", &passwd, err) < 0 ||
            read_file(root_fd, "etc/group", &group, err) < 0)
                return -1;
        if (parse_key(*user_part ? user_part : "0", "uid", &key, err) < 0)
                return -1;
        if (!find_user(passwd.data, &key, user, &name)) {
                if (key.name)
                        return fg_fail(err, FG_ERR_INVALID, "no such user in /etc/passwd");
                user->uid = key.id;
                user->home = fg_strdup("/");
        }
        if (group_part && *group_part)
                return resolve_group(group_part, group.data, user, err);
        if (add_group(user, user->gid, err) < 0)
                return -1;
        return name ? add_memberships(group.data, name, user, err) : 0;
}

int fg_user_resolve(int root_fd, const char *spec, struct fg_user *ret, struct fg_error *err)
{
        fg_cleanup(fg_user_finish) struct fg_user user = FG_USER_INIT;
        fg_autofree char *copy = fg_strdup(spec);
        char escaped[FG_PATH_ESCAPED];

        if (resolve(root_fd, copy, &user, err) < 0)
                return fg_wrap(err, "user \"%s\"", fg_path_escape(spec, escaped));
        *ret = user;
        user = FG_USER_INIT;
        return 0;
}

void fg_user_finish(struct fg_user *user)
{
        free(user->groups);
        free(user->home);
        *user = FG_USER_INIT;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/environment.h"
#include "guest-init/pod.h"

#define NOFILE_DEFAULT 65535 /* Fargate's */

static const struct {
        const char *name;
        int resource;
} limits[] = {
        { "core", RLIMIT_CORE },         { "cpu", RLIMIT_CPU },
        { "data", RLIMIT_DATA },         { "fsize", RLIMIT_FSIZE },
        { "locks", RLIMIT_LOCKS },       { "memlock", RLIMIT_MEMLOCK },
        { "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
        { "nofile", RLIMIT_NOFILE },     { "nproc", RLIMIT_NPROC },
        { "rss", RLIMIT_RSS },           { "rtprio", RLIMIT_RTPRIO },
        { "rttime", RLIMIT_RTTIME },     { "sigpending", RLIMIT_SIGPENDING },
        { "stack", RLIMIT_STACK },
};

static char **copy_list(char *const *list, size_t *ret_count)
{
        char **copy;

        for (*ret_count = 0; list[*ret_count];)
                (*ret_count)++;
        copy = fg_calloc(*ret_count + 1, sizeof(*copy));
        for (size_t i = 0; i < *ret_count; i++)
                copy[i] = fg_strdup(list[i]);
        return copy;
}

static char **copy_array(struct json_object *array, size_t *ret_count)
{
        char **copy;

        *ret_count = json_object_array_length(array);
        copy = fg_calloc(*ret_count + 1, sizeof(*copy));
        for (size_t i = 0; i < *ret_count; i++)
                copy[i] = fg_strdup(json_object_get_string(json_object_array_get_idx(array, i))
                                            ?: "");
        return copy;
}

/* As Docker: an entry point of the task's own hides the image's command too. */
static int set_argv(struct fg_process *p, const struct fg_start *s, struct fg_error *err)
{
        struct json_object *entry = fg_json_arr(s->spec, "entryPoint");
        struct json_object *command = fg_json_arr(s->spec, "command");
        static char *const none[] = { NULL };
        fg_autofree char **tail = NULL;
        size_t head_count, tail_count;

        if (s->argv) {
                p->argv = copy_array(s->argv, &head_count);
                return 0;
        }
        if (entry && json_object_array_length(entry) == 0)
                entry = NULL;
        if (command && json_object_array_length(command) == 0)
                command = NULL;
        p->argv = entry ? copy_array(entry, &head_count)
                        : copy_list(s->image->entrypoint, &head_count);
        tail = command ? copy_array(command, &tail_count)
                       : copy_list(entry ? none : s->image->cmd, &tail_count);
        p->argv = realloc(p->argv, (head_count + tail_count + 1) * sizeof(*p->argv));
        if (!p->argv)
                return fg_fail(err, FG_ERR_CAPACITY, "no memory");
        memcpy(p->argv + head_count, tail, (tail_count + 1) * sizeof(*tail));
        if (!p->argv[0])
                return fg_fail(err, FG_ERR_INVALID, "no command specified");
        return 0;
}

const char *fg_process_directory(const struct fg_start *s)
{
        const char *directory = fg_json_str(s->spec, "workingDirectory");

        return directory ? directory : s->image->working_dir;
}

int fg_process_init(struct fg_process *p, const struct fg_start *s, struct fg_error *err)
{
        fg_autoclose int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        const char *user = fg_json_str(s->spec, "user");

        if (root < 0)
                return fg_fail_errno(err, errno, "open /");
        if (set_argv(p, s, err) < 0)
                return -1;
        if (fg_user_resolve(root, user ? user : s->image->user, &p->user, err) < 0)
                return -1;
        p->directory = fg_process_directory(s);
        p->env = fg_environment_new(s, p->user.home);
        return 0;
}

static void free_list(char **list)
{
        for (size_t i = 0; list && list[i]; i++)
                free(list[i]);
        free(list);
}

void fg_process_finish(struct fg_process *p)
{
        free_list(p->argv);
        free_list(p->env);
        free(p->path);
        fg_user_finish(&p->user);
}

static int set_limit(struct json_object *ulimit, struct fg_error *err)
{
        const char *name = fg_json_str(ulimit, "name");
        const int64_t soft = fg_json_int(ulimit, "softLimit", -1);
        const int64_t hard = fg_json_int(ulimit, "hardLimit", -1);
        const struct rlimit r = { .rlim_cur = soft < 0 ? RLIM_INFINITY : (rlim_t)soft,
                                  .rlim_max = hard < 0 ? RLIM_INFINITY : (rlim_t)hard };

        for (size_t i = 0; name && i < FG_ARRAY_SIZE(limits); i++) {
                if (!fg_streq(name, limits[i].name))
                        continue;
                if (setrlimit((__rlimit_resource_t)limits[i].resource, &r) < 0)
                        return fg_fail_errno(err, errno, "error setting rlimit type %s", name);
                return 0;
        }
        return fg_fail(err, FG_ERR_INVALID, "unknown ulimit \"%s\"", name ? name : "");
}

int fg_process_limits(struct json_object *spec, struct fg_error *err)
{
        struct rlimit files = { .rlim_cur = NOFILE_DEFAULT, .rlim_max = NOFILE_DEFAULT }, host;
        struct json_object *list = fg_json_arr(spec, "ulimits");

        /* Who is in a container already may not raise it. */
        if (fg_pod && getrlimit(RLIMIT_NOFILE, &host) == 0 && host.rlim_max < NOFILE_DEFAULT)
                files = (struct rlimit){ .rlim_cur = host.rlim_max, .rlim_max = host.rlim_max };
        if (setrlimit(RLIMIT_NOFILE, &files) < 0)
                return fg_fail_errno(err, errno, "set nofile");
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                if (set_limit(json_object_array_get_idx(list, i), err) < 0)
                        return -1;
        }
        return 0;
}

int fg_process_chdir(const struct fg_process *p, struct fg_error *err)
{
        return chdir(p->directory) == 0
                       ? 0
                       : fg_fail_errno(err, errno, "chdir to working directory %s", p->directory);
}

int fg_process_become(const struct fg_process *p, struct fg_error *err)
{
        const struct fg_user *u = &p->user;
        struct stat st;

        /* A program may want to open /dev/stdout again, as its user. An empty stdin is /dev/null.
         */
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                if (fd == STDIN_FILENO && (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)))
                        continue;
                if (fchown(fd, u->uid, (gid_t)-1) < 0)
                        return fg_fail_errno(err, errno, "give its streams to the user");
        }
        if (setgroups(u->group_count, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
            setresuid(u->uid, u->uid, u->uid) < 0)
                return fg_fail_errno(err, errno, "become user %u:%u", u->uid, u->gid);
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/config_private.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/paths.h"
#include "core/str.h"

#define SYSTEM_CONFIG "/etc/fgrun/fgd.conf"
#define PROBLEMS_MAX  900 /* bytes: they have to fit into one error */

/* ---- all that is wrong, told at once ---- */

struct problems {
        struct fg_buf list;
        int n, untold;
};

static void problems_finish(struct problems *p)
{
        fg_buf_finish(&p->list);
}

static void add_problem(struct problems *p, const char *place, const char *message)
{
        struct fg_error full;

        p->n++;
        if (p->list.len + strlen(place) + strlen(message) + 8 > PROBLEMS_MAX ||
            fg_buf_printf(&p->list, &full, "\n  %s: %s", place, message) < 0)
                p->untold++;
}

static int tell(const struct problems *p, struct fg_error *err)
{
        if (p->n == 0)
                return 0;
        if (p->n == 1 && p->list.len > 3)
                return fg_fail(err, FG_ERR_INVALID, "%s", p->list.data + 3);
        fg_fail(err, FG_ERR_INVALID, "%d errors in the settings:%s", p->n,
                p->list.data ? p->list.data : "");
        if (p->untold > 0) {
                size_t len = strlen(err->msg);

                (void)snprintf(err->msg + len, sizeof(err->msg) - len, "\n  and %d more",
                               p->untold);
        }
        return -1;
}

/* ---- the file ---- */

struct file {
        struct fg_config *config;
        struct problems *problems;
        const char *path;
        FILE *stream;
        bool *seen; /* by the setting's place in the table */
        int line;   /* the last one read */
};

static void add_line_problem(struct file *f, int line, const char *message)
{
        fg_autofree char *place = fg_asprintf("%s, line %d", f->path, line);

        add_problem(f->problems, place, message);
}

/* The parser tells the first line that is no setting, and no other: they are taken out here. */
static char *read_line(char *line, int size, void *userdata)
{
        struct file *f = userdata;
        const char *text;

        f->line++;
        if (!fgets(line, size, f->stream))
                return NULL;
        text = line + strspn(line, " \t\r\n");
        if (*text && !strchr("#;[", *text) && !strpbrk(text, "=:")) {
                add_line_problem(f, f->line, "expected KEY = VALUE");
                *line = '\0';
        }
        return line;
}

static int set_from_line(struct file *f, const char *section, const char *key, const char *value,
                         struct fg_error *err)
{
        const struct setting *s = config_find(key);
        const char *guess;

        if (*section)
                return fg_fail(err, FG_ERR_INVALID, "section [%s]: the file has no sections",
                               section);
        if (s && f->seen[s - config_settings])
                return fg_fail(err, FG_ERR_INVALID, "%s is set a second time", key);
        if (s) {
                f->seen[s - config_settings] = true;
                return config_set(f->config, s, value, err);
        }
        guess = config_nearest(key);
        if (guess)
                return fg_fail(err, FG_ERR_INVALID, "unknown key %s (did you mean %s?)", key,
                               guess);
        return fg_fail(err, FG_ERR_INVALID, "unknown key %s (fgd --help lists all)", key);
}

static int on_line(void *userdata, const char *section, const char *key, const char *value)
{
        struct file *f = userdata;
        struct fg_error err = FG_ERROR_INIT;

        if (set_from_line(f, section, key, value, &err) == 0)
                return 1;
        add_line_problem(f, f->line, err.msg);
        return 0;
}

static int load_file(struct fg_config *c, const char *path, struct problems *problems,
                     struct fg_error *err)
{
        fg_cleanup(fclosep) FILE *stream = fopen(path, "re");
        fg_autofree bool *seen = fg_calloc(config_n_settings, sizeof(*seen));
        struct file f = {
                .config = c, .problems = problems, .path = path, .stream = stream, .seen = seen
        };
        int first;

        if (!stream)
                return fg_fail_errno(err, errno, "cannot read the configuration file %s", path);
        errno = 0;
        first = ini_parse_stream(read_line, &f, on_line, &f);
        if (ferror(stream))
                return fg_fail(err, FG_ERR_INVALID, "cannot read the configuration file %s: %s",
                               path, strerror(errno ?: EIO));
        if (first > 0 && problems->n == 0)
                add_line_problem(&f, first, "expected KEY = VALUE");
        return 0;
}

/* ---- the command line ---- */

static void flag_name(const struct setting *s, char *ret, size_t size)
{
        (void)snprintf(ret, size, "%s", s->key);
        for (char *p = ret; *p; p++)
                if (*p == '_')
                        *p = '-';
}

static void print_help(const struct fg_config *defaults)
{
        printf("Usage: fgd [--config FILE] [--SETTING=VALUE ...]\n\n"
               "Runs ECS tasks, each in a microVM of its own, and answers HTTP requests.\n\n"
               "  --config=FILE   read settings from FILE (default: %s, when it is there)\n"
               "  --help          print this\n"
               "  --version       print the version\n\n"
               "Settings (also keys of the file, with _ for -) and their defaults:\n",
               SYSTEM_CONFIG);
        for (size_t i = 0; i < config_n_settings; i++) {
                const struct setting *s = &config_settings[i];
                char name[64];
                const char *value = s->fallback;

                flag_name(s, name, sizeof(name));
                if (!value && config_is_text(s))
                        value = *config_text((struct fg_config *)(uintptr_t)defaults, s);
                printf("  --%-26s %s%s%s%s [%s]\n", name, s->help, s->words ? " (" : "",
                       s->words ? s->words : "", s->words ? ")" : "", value ? value : "built-in");
        }
}

/* Directories and what lies in them follow from the user, unless something was set. */
static void set_derived(struct fg_config *c)
{
        if (!c->state_dir)
                c->state_dir = fg_path_state_dir();
        if (!c->cache_dir)
                c->cache_dir = fg_path_cache_dir();
        if (!c->run_dir)
                c->run_dir = fg_path_run_dir();
        if (!c->seal_key)
                c->seal_key = fg_asprintf("%s/seal.key", c->state_dir);
        if (!c->listen)
                c->listen = fg_asprintf("unix:%s/fgd.sock", c->run_dir);
}

enum { OPT_CONFIG = 1000, OPT_HELP, OPT_VERSION };

static void fill_options(struct option *options, char (*names)[64])
{
        size_t n = config_n_settings;

        for (size_t i = 0; i < n; i++) {
                flag_name(&config_settings[i], names[i], sizeof(names[i]));
                options[i] = (struct option){ names[i], required_argument, NULL, (int)i };
        }
        options[n] = (struct option){ "config", required_argument, NULL, OPT_CONFIG };
        options[n + 1] = (struct option){ "help", no_argument, NULL, OPT_HELP };
        options[n + 2] = (struct option){ "version", no_argument, NULL, OPT_VERSION };
        /* --idle-exit is the name fgrun uses */
        options[n + 3] = (struct option){ "idle-exit", required_argument, NULL,
                                          (int)(config_find("idle_exit_seconds") -
                                                config_settings) };
        options[n + 4] = (struct option){ 0 };
}

static int show_help(struct fg_config *c)
{
        set_derived(c);
        print_help(c);
        return 1;
}

/* "--imag-pull=guest" is option "imag-pull". */
static void unknown_flag(const char *arg, struct problems *problems)
{
        fg_autofree char *key = fg_strdup(arg);
        const char *guess;
        char message[128], name[64] = "";

        key[strcspn(key, "=")] = '\0';
        for (char *p = key; *p; p++)
                if (*p == '-' && p > key + 2)
                        *p = '_';
        guess = fg_starts_with(key, "--") ? config_nearest(key + 2) : NULL;
        if (guess)
                flag_name(config_find(guess), name, sizeof(name));
        (void)snprintf(message, sizeof(message),
                       guess ? "unknown option; did you mean --%s?"
                             : "unknown option (fgd --help lists all)%s",
                       name);
        add_problem(problems, arg, message);
}

/* Pass 0 finds the file, pass 1 sets the rest: flags win over the file wherever they stand. */
static int parse_flags(int argc, char *argv[], int pass, struct fg_config *c, const char **file,
                       struct problems *problems)
{
        fg_autofree struct option *options = fg_calloc(config_n_settings + 5, sizeof(*options));
        fg_autofree char(*names)[64] = fg_calloc(config_n_settings, sizeof(*names));
        struct fg_error err = FG_ERROR_INIT;
        int o;

        fill_options(options, names);
        optind = 0;
        opterr = 0;
        while ((o = getopt_long(argc, argv, ":", options, NULL)) != -1) {
                if (o == OPT_HELP)
                        return show_help(c);
                if (o == OPT_VERSION) {
                        printf("fgd %s\n", FG_VERSION);
                        return 1;
                }
                if (o == OPT_CONFIG)
                        *file = optarg;
                else if (pass == 0)
                        continue;
                else if (o == '?')
                        unknown_flag(argv[optind - 1], problems);
                else if (o == ':')
                        add_problem(problems, argv[optind - 1], "expected a value");
                else if (config_set(c, &config_settings[o], optarg, &err) < 0)
                        add_problem(problems, "command line", err.msg);
        }
        for (int i = optind; pass == 1 && i < argc; i++)
                add_problem(problems, argv[i], "unexpected argument");
        return 0;
}

static int load(int argc, char *argv[], struct fg_config *c, struct fg_error *err)
{
        fg_cleanup(problems_finish) struct problems problems = { .list = FG_BUF_INIT(PROBLEMS_MAX +
                                                                                     1) };
        const char *file = NULL;
        int r;

        r = parse_flags(argc, argv, 0, c, &file, &problems);
        if (r != 0)
                return r;
        if (!file && fg_exists(SYSTEM_CONFIG))
                file = SYSTEM_CONFIG;
        if (file && load_file(c, file, &problems, err) < 0)
                return -1;
        (void)parse_flags(argc, argv, 1, c, &file, &problems);
        if (tell(&problems, err) < 0)
                return -1;
        set_derived(c);
        return 0;
}

int fg_config_load(int argc, char *argv[], struct fg_config *ret, struct fg_error *err)
{
        int r;

        if (config_set_defaults(ret, err) < 0)
                return -1;
        r = load(argc, argv, ret, err);
        if (r != 0)
                fg_config_finish(ret);
        return r;
}

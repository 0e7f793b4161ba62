/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test program around net.h: commands on stdin, one answer on stdout for each, as a line of JSON.
 *   net-tool STATE_DIR RUN_DIR [CONFIG]
 *   attach TASK [subnet=ID] [group=ID] [port=[ADDR:]HOST:CONTAINER[/udp]] [rate=BYTES] [pair]
 *   detach TASK | name TASK NAME | noname TASK NAME | list | info | cycle N
 *   hide: from here on in a mount namespace of its own, as fgd may be
 * CONFIG: lines "subnet ID CIDR [CIDR6]" and "group ID NAME" and, after its group,
 * "in|out PROTOCOL FROM TO PEER". The end of stdin ends it as fgd ends.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>

#include "core/json.h"
#include "core/str.h"
#include "net/net.h"

#define MAX 16

static struct {
        sd_event *loop;
        struct fg_net *net;
        char line[4096];
        size_t len;
        unsigned left; /* of a cycle */
} tool;

static struct fg_net_subnet subnets[MAX] = { { "subnet-0123456789abcdef0", "172.31.0.0/20",
                                               "fd42:42:42::/64" } };
static struct fg_net_rule default_rules[] = { { false, "-1", 0, 0, "sg-0123456789abcdef0" },
                                              { true, "-1", 0, 0, "0.0.0.0/0" },
                                              { true, "-1", 0, 0, "::/0" } };
static struct fg_net_rule rules[MAX][MAX];
static struct fg_net_group groups[MAX] = { { "sg-0123456789abcdef0", "default", default_rules,
                                             FG_ARRAY_SIZE(default_rules) } };
static size_t n_subnets = 1, n_groups = 1;

static void say(struct json_object *take_o)
{
        (void)puts(fg_json_text(take_o));
        (void)fflush(stdout);
        json_object_put(take_o);
}

static void say_error(const struct fg_error *err)
{
        struct json_object *o = json_object_new_object();

        fg_json_set_str(o, "error", err->msg);
        fg_json_set_str(o, "code", fg_err_name(err->code));
        say(o);
}

static struct json_object *attachment_json(const struct fg_net_attachment *a)
{
        struct json_object *o = json_object_new_object();

        fg_json_set_str(o, "task", a->task);
        fg_json_set_str(o, "id", a->id);
        fg_json_set_str(o, "subnet", a->subnet);
        fg_json_set_str(o, "mac", a->mac);
        fg_json_set_str(o, "ipv4", a->ipv4);
        fg_json_set_int(o, "bits4", a->bits4);
        fg_json_set_str(o, "gateway4", a->gateway4);
        fg_json_set_str(o, "ipv6", a->ipv6);
        fg_json_set_int(o, "bits6", a->bits6);
        fg_json_set_str(o, "gateway6", a->gateway6);
        fg_json_set_str(o, "name", a->name);
        fg_json_set_str(o, "tap", a->tap);
        fg_json_set_bool(o, "pair", a->pair);
        return o;
}

static void on_attached(void *userdata, const char *task, const struct fg_net_attachment *a,
                        const struct fg_error *err)
{
        if (err) {
                fg_net_release(tool.net, task);
                say_error(err);
        } else {
                struct json_object *o = attachment_json(a);

                if (a->pair)
                        fg_json_set_str(o, "netns", fg_net_netns(tool.net, task));
                say(o);
        }
}

static void on_detached(void *userdata, const char *task, const struct fg_error *err)
{
        if (err)
                say_error(err);
        else
                say(json_object_new_object());
}

static bool parse_port(char *text, struct fg_net_port *ret)
{
        char *slash = strchr(text, '/'), *container = strrchr(text, ':'), *host;
        uint64_t h, c;

        if (!container)
                return false;
        if (slash)
                *slash = '\0';
        ret->udp = slash && fg_streq(slash + 1, "udp");
        *container++ = '\0';
        host = strrchr(text, ':');
        if (host) {
                host[*text == '[' ? -1 : 0] = '\0';
                host++;
                (void)snprintf(ret->address, sizeof(ret->address), "%s", text + (*text == '['));
        }
        if (!fg_parse_u64(host ? host : text, &h) || !fg_parse_u64(container, &c))
                return false;
        ret->host = (uint16_t)h;
        ret->container = (uint16_t)c;
        return true;
}

static void attach(const char *task, char *rest)
{
        struct fg_net_port ports[MAX] = { 0 };
        const char *names[MAX];
        struct fg_net_request r = { .groups = names, .ports = ports };
        struct fg_error err = FG_ERROR_INIT;
        char *word;

        while ((word = strsep(&rest, " "))) {
                if (fg_starts_with(word, "subnet="))
                        r.subnet = word + 7;
                else if (fg_starts_with(word, "group="))
                        names[r.n_groups++] = word + 6;
                else if (fg_starts_with(word, "port=") && parse_port(word + 5, &ports[r.n_ports]))
                        r.n_ports++;
                else if (fg_starts_with(word, "rate="))
                        (void)fg_parse_u64(word + 5, &r.bytes_per_second);
                else if (fg_streq(word, "pair"))
                        r.pair = true;
        }
        if (fg_net_reserve(tool.net, task, &r, &err) < 0)
                say_error(&err);
        else
                fg_net_attach(tool.net, task, on_attached, NULL);
}

/* ---- attach and detach, many times in a row ---- */

static void cycle_step(void);

static void cycle_detached(void *userdata, const char *task, const struct fg_error *err)
{
        if (err) {
                say_error(err);
                return;
        }
        tool.left--;
        cycle_step();
}

static void cycle_attached(void *userdata, const char *task, const struct fg_net_attachment *a,
                           const struct fg_error *err)
{
        if (err)
                say_error(err);
        else
                fg_net_detach(tool.net, task, cycle_detached, NULL);
}

static void cycle_step(void)
{
        struct fg_net_port port = { .host = 40000, .container = 80 };
        struct fg_net_request r = { .ports = &port, .n_ports = 1, .bytes_per_second = 1000000 };
        struct fg_error err = FG_ERROR_INIT;
        char id[FG_ID_LEN + 1];

        if (tool.left == 0) {
                say(json_object_new_object());
                return;
        }
        fg_id_new(id);
        if (fg_net_reserve(tool.net, id, &r, &err) < 0)
                say_error(&err);
        else
                fg_net_attach(tool.net, id, cycle_attached, NULL);
}

/* Reservations only, with ids of their own; says the first refusal, or none. */
static void reserve(uint64_t n)
{
        struct fg_net_request r = { .n_ports = 0 };
        struct fg_error err = FG_ERROR_INIT;
        char id[FG_ID_LEN + 1];

        for (uint64_t i = 0; i < n; i++) {
                fg_id_new(id);
                if (fg_net_reserve(tool.net, id, &r, &err) < 0) {
                        say_error(&err);
                        return;
                }
        }
        say(json_object_new_object());
}

/* ---- lists ---- */

static void on_task(void *userdata, const struct fg_net_attachment *a,
                    const struct fg_net_port *ports, size_t n)
{
        json_object_array_add(userdata, attachment_json(a));
}

static void list(void)
{
        struct json_object *o = json_object_new_object(), *array = json_object_new_array();
        struct fg_net_view view = { on_task, array };

        fg_net_view(tool.net, &view);
        fg_json_set(o, "tasks", array);
        say(o);
}

static void info(void)
{
        const struct fg_net_info *i = fg_net_info(tool.net);
        struct json_object *o = json_object_new_object();

        fg_json_set_bool(o, "usable", i->usable);
        fg_json_set_str(o, "reason", i->reason);
        fg_json_set_str(o, "vpc", i->vpc);
        fg_json_set_str(o, "namespace", i->namespace_path);
        fg_json_set_str(o, "resolver", i->resolver);
        say(o);
}

static void obey(char *line)
{
        char *command = strsep(&line, " "), *task = line ? strsep(&line, " ") : NULL;
        uint64_t n;

        if (fg_streq(command, "attach") && task) {
                attach(task, line);
        } else if (fg_streq(command, "reserve") && task && fg_parse_u64(task, &n)) {
                reserve(n);
        } else if (fg_streq(command, "detach") && task) {
                fg_net_detach(tool.net, task, on_detached, NULL);
        } else if ((fg_streq(command, "name") || fg_streq(command, "noname")) && task && line) {
                fg_net_name(tool.net, task, line, fg_streq(command, "name"));
                say(json_object_new_object());
        } else if (fg_streq(command, "claim")) {
                const char *one = task;

                fg_net_claim(tool.net, &one, one ? 1 : 0);
                say(json_object_new_object());
        } else if (fg_streq(command, "cycle") && task && fg_parse_u64(task, &n)) {
                tool.left = (unsigned)n;
                cycle_step();
        } else if (fg_streq(command, "hide")) {
                bool hidden = unshare(CLONE_NEWNS) == 0 &&
                              mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0;

                say(hidden ? json_object_new_object() : json_object_new_null());
        } else if (fg_streq(command, "list")) {
                list();
        } else {
                info();
        }
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        ssize_t n = read(fd, tool.line + tool.len, sizeof(tool.line) - 1 - tool.len);
        char *newline;

        if (n <= 0)
                return sd_event_exit(tool.loop, 0);
        tool.len += (size_t)n;
        tool.line[tool.len] = '\0';
        while ((newline = strchr(tool.line, '\n'))) {
                size_t used = (size_t)(newline - tool.line) + 1;

                *newline = '\0';
                obey(tool.line);
                tool.len -= used;
                memmove(tool.line, tool.line + used, tool.len + 1);
        }
        return 0;
}

static void read_config(const char *path)
{
        fg_cleanup(fclosep) FILE *f = fopen(path, "re");
        char line[256], a[64], b[64], c[64], d[64], e[64];

        n_subnets = n_groups = 0;
        while (f && fgets(line, sizeof(line), f)) {
                int n = sscanf(line, "%63s %63s %63s %63s %63s", a, b, c, d, e);

                if (fg_streq(a, "subnet") && n >= 3) {
                        struct fg_net_subnet *s = &subnets[n_subnets++];

                        *s = (struct fg_net_subnet){ 0 };
                        (void)snprintf(s->id, sizeof(s->id), "%.31s", b);
                        (void)snprintf(s->cidr, sizeof(s->cidr), "%.45s", c);
                        if (n > 3)
                                (void)snprintf(s->cidr6, sizeof(s->cidr6), "%.45s", d);
                } else if (fg_streq(a, "group") && n >= 3) {
                        struct fg_net_group *g = &groups[n_groups];

                        *g = (struct fg_net_group){ .rules = rules[n_groups++] };
                        (void)snprintf(g->id, sizeof(g->id), "%.31s", b);
                        (void)snprintf(g->name, sizeof(g->name), "%s", c);
                } else if (n == 5) {
                        struct fg_net_group *g = &groups[n_groups - 1];
                        struct fg_net_rule *r = &g->rules[g->n_rules++];

                        r->egress = fg_streq(a, "out");
                        (void)snprintf(r->protocol, sizeof(r->protocol), "%.7s", b);
                        r->from_port = (int)strtol(c, NULL, 10);
                        r->to_port = (int)strtol(d, NULL, 10);
                        (void)snprintf(r->peer, sizeof(r->peer), "%.45s", e);
                }
        }
}

int main(int argc, char *argv[])
{
        struct fg_net_config config = {
                .subnets = subnets, .groups = groups, .quarantine_s = 60, .pool = 4
        };
        struct fg_error err = FG_ERROR_INIT, why = FG_ERROR_INIT;

        if (argc < 3)
                return 2;
        if (argc > 3)
                read_config(argv[3]);
        config.state_dir = argv[1];
        config.run_dir = argv[2];
        config.n_subnets = n_subnets;
        config.n_groups = n_groups;
        if (fg_net_become(config.state_dir, &why) < 0)
                config.unusable = why.msg;
        if (sd_event_default(&tool.loop) < 0 ||
            fg_net_new(tool.loop, &config, &tool.net, &err) < 0 ||
            sd_event_add_io(tool.loop, NULL, STDIN_FILENO, EPOLLIN, on_input, NULL) < 0) {
                say_error(&err);
                return 1;
        }
        info();
        (void)sd_event_loop(tool.loop);
        fg_net_free(tool.net);
        sd_event_unref(tool.loop);
        return 0;
}

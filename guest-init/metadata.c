/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/metadata.h"

#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/cgroup.h"
#include "guest-init/mounts.h"
#include "guest-init/task.h"

const char *fg_metadata_id(struct json_object *task, unsigned index)
{
        struct json_object *list = fg_json_arr(fg_json_obj(task, "metadata"), "containers");

        if (!list || index >= json_object_array_length(list))
                return NULL;
        return fg_json_str(json_object_array_get_idx(list, index), "dockerId");
}

static bool is_id(const char *s)
{
        return s && *s && strlen(s) <= FG_METADATA_ID_MAX &&
               strspn(s, "0123456789abcdef-") == strlen(s);
}

int fg_metadata_init(struct fg_metadata *m, struct fg_task *t, struct fg_error *err)
{
        struct json_object *spec = fg_json_obj(t->spec, "metadata");
        struct json_object *list = fg_json_arr(spec, "containers");
        const size_t count = list ? json_object_array_length(list) : 0;

        if (count != t->container_count)
                return fg_fail(err, FG_ERR_INVALID, "metadata: %zu containers of %zu", count,
                               t->container_count);
        m->spec = spec;
        m->containers = fg_calloc(count, sizeof(*m->containers));
        for (size_t i = 0; i < count; i++) {
                m->containers[i].id = fg_metadata_id(t->spec, (unsigned)i);
                m->containers[i].spec = json_object_array_get_idx(list, i);
                if (!is_id(m->containers[i].id))
                        return fg_fail(err, FG_ERR_INVALID, "metadata: containers[%zu].dockerId",
                                       i);
        }
        m->cgroup = FG_CGROUP_TASK;
        m->proc = "/proc";
        m->scratch = FG_SCRATCH;
        m->begun_at = fg_now_ns();
        m->task = t;
        return 0;
}

int fg_metadata_park(struct fg_metadata *m, struct fg_error *err)
{
        if (m->listener < 0)
                m->listener = fg_metadata_listen(err);
        return m->listener < 0 ? -1 : 0;
}

void fg_metadata_unpark(struct fg_metadata *m)
{
        if (m->listener >= 0) /* the last of its namespace, in which the interface ends */
                (void)close(fg_take_fd(m->listener));
}

int fg_metadata_serve(struct fg_metadata *m, struct fg_error *err)
{
        if (fg_metadata_park(m, err) < 0)
                return -1;
        return fg_http_server_init(&m->server, m->task->loop, fg_take_fd(m->listener),
                                   fg_metadata_answer, m, err);
}

static void observe(struct fg_metadata_container *m, const struct fg_container *c)
{
        const bool runs = c->state == FG_CONTAINER_STARTING || c->state == FG_CONTAINER_RUNNING;

        if (c->pid > 0 && c->pid != m->pid) {
                m->pid = c->pid;
                m->created_at = fg_now_ns();
                m->started_at = m->finished_at = 0;
        }
        if (m->started_at == 0 && c->state == FG_CONTAINER_RUNNING)
                m->started_at = fg_now_ns();
        if (m->finished_at == 0 && m->created_at > 0 && !runs)
                m->finished_at = c->exited_at ? c->exited_at : fg_now_ns();
}

void fg_metadata_observe(struct fg_metadata *m)
{
        const struct fg_task *t = m->task;

        if (!t)
                return;
        if (m->pull_stopped_at == 0 && t->image_count > 0 && t->image_next == t->image_count)
                m->pull_stopped_at = fg_now_ns();
        for (size_t i = 0; i < t->container_count; i++)
                observe(&m->containers[i], &t->containers[i]);
}

/* ---- the paths ---- */

/* NULL: the container is not running, or its cgroup cannot be read. */
static struct json_object *container_stats(struct fg_metadata *m, size_t index, unsigned version)
{
        struct fg_metadata_container *c = &m->containers[index];
        fg_autofree char *cgroup = fg_asprintf("%s/%zu", m->cgroup, index);
        const struct fg_stats_source src = { .cgroup = cgroup,
                                             .task = m->cgroup,
                                             .proc = m->proc,
                                             .interface = m->task->has_network
                                                                  ? FG_NETWORK_INTERFACE
                                                                  : NULL };
        struct fg_stats_sample now, before;
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *json;

        if (c->started_at == 0 || c->finished_at > 0 ||
            fg_stats_take(&src, fg_now_ns(), &now, &err) < 0)
                return NULL;
        before = fg_stats_since(&c->history, &now, c->started_at, m->begun_at);
        json = fg_stats_json(&src, &now, &before, version == 4);
        fg_json_set_str(json, "name", m->task->containers[index].name);
        fg_json_set_str(json, "id", c->id);
        return json;
}

static struct json_object *task_stats(struct fg_metadata *m, unsigned version)
{
        struct json_object *json = json_object_new_object();

        for (size_t i = 0; i < m->task->container_count; i++)
                (void)json_object_object_add(json, m->containers[i].id,
                                             container_stats(m, i, version));
        return json;
}

static struct json_object *get_container(struct fg_metadata *m, size_t index, unsigned version)
{
        return fg_metadata_container_json(m, index, version);
}

static struct json_object *get_task(struct fg_metadata *m, size_t index, unsigned version)
{
        (void)index;
        return fg_metadata_task_json(m, version, false);
}

static struct json_object *get_task_with_tags(struct fg_metadata *m, size_t index, unsigned version)
{
        (void)index;
        return fg_metadata_task_json(m, version, true);
}

static struct json_object *get_task_stats(struct fg_metadata *m, size_t index, unsigned version)
{
        (void)index;
        return task_stats(m, version);
}

static const struct route {
        const char *rest; /* what follows the container's id */
        struct json_object *(*get)(struct fg_metadata *m, size_t index, unsigned version);
} routes[] = {
        { "", get_container },
        { "/task", get_task },
        { "/taskWithTags", get_task_with_tags },
        { "/stats", container_stats },
        { "/task/stats", get_task_stats },
};

static const struct route *find_route(const char *rest, size_t len)
{
        if (len > 0 && rest[len - 1] == '/')
                len--;
        for (size_t i = 0; i < FG_ARRAY_SIZE(routes); i++) {
                if (strlen(routes[i].rest) == len && memcmp(routes[i].rest, rest, len) == 0)
                        return &routes[i];
        }
        return NULL;
}

static int find_container(const struct fg_metadata *m, const char *id, size_t len)
{
        for (size_t i = 0; i < m->task->container_count; i++) {
                if (strlen(m->containers[i].id) == len && memcmp(m->containers[i].id, id, len) == 0)
                        return (int)i;
        }
        return -1;
}

static int refuse(struct fg_buf *body, int status, const char *text)
{
        struct fg_error err = FG_ERROR_INIT;

        return fg_buf_printf(body, &err, "\"%s\"", text) < 0 ? FG_HTTP_INTERNAL : status;
}

int fg_metadata_answer(void *owner, const char *path, size_t len, struct fg_buf *body)
{
        struct fg_metadata *m = owner;
        struct fg_error err = FG_ERROR_INIT;
        const char *id = path + 4, *rest;
        const struct route *route;
        fg_autojson *json = NULL;
        int index;

        /* "/v4/ID…" */
        if (len < 4 || (memcmp(path, "/v3/", 4) != 0 && memcmp(path, "/v4/", 4) != 0))
                return refuse(body, FG_HTTP_NOT_FOUND, "there is nothing at this path");
        rest = memchr(id, '/', len - 4);
        rest = rest ? rest : path + len;
        index = find_container(m, id, (size_t)(rest - id));
        route = find_route(rest, (size_t)(path + len - rest));
        if (index < 0 || !route)
                return refuse(body, FG_HTTP_NOT_FOUND,
                              index < 0 ? "no container of this task has the id in the path"
                                        : "there is nothing at this path");
        json = route->get(m, (size_t)index, path[2] == '4' ? 4 : 3);
        if (!json)
                return refuse(body, FG_HTTP_NOT_FOUND, "the container is not running");
        if (fg_buf_puts(body, fg_json_text(json), &err) == 0)
                return FG_HTTP_OK;
        fg_buf_clear(body);
        return refuse(body, FG_HTTP_INTERNAL, "the answer is too large");
}

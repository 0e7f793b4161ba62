/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/metadata.h"
#include "guest-init/task.h"

#define CPU_LEAST     2 /* what ECS gives a container whose cpu is 0 */
#define UNITS_PER_CPU 1024.0
#define MIB_SHIFT     20

/* In the order of a container's life, as ECS's agent names them. */
enum status { STATUS_NONE, STATUS_PULLED, STATUS_CREATED, STATUS_RUNNING, STATUS_STOPPED };

static const char *const status_names[] = {
        [STATUS_NONE] = "NONE",       [STATUS_PULLED] = "PULLED",   [STATUS_CREATED] = "CREATED",
        [STATUS_RUNNING] = "RUNNING", [STATUS_STOPPED] = "STOPPED",
};

static const enum status status_of_state[] = {
        [FG_CONTAINER_WAITING] = STATUS_NONE,    [FG_CONTAINER_STARTING] = STATUS_CREATED,
        [FG_CONTAINER_RUNNING] = STATUS_RUNNING, [FG_CONTAINER_DRAINING] = STATUS_RUNNING,
        [FG_CONTAINER_EXITED] = STATUS_STOPPED,  [FG_CONTAINER_FAILED] = STATUS_STOPPED,
        [FG_CONTAINER_SKIPPED] = STATUS_STOPPED,
};

static enum status status_of(const struct fg_metadata *m, size_t index)
{
        const enum status s = status_of_state[m->task->containers[index].state];

        return s == STATUS_NONE && m->pull_stopped_at > 0 ? STATUS_PULLED : s;
}

/* A task is as far as the last of its containers. */
static enum status task_status(const struct fg_metadata *m)
{
        enum status least = STATUS_STOPPED;

        for (size_t i = 0; i < m->task->container_count; i++) {
                const enum status s = status_of(m, i);

                least = s < least ? s : least;
        }
        return least == STATUS_PULLED ? STATUS_NONE : least;
}

static void set_time(struct json_object *o, const char *key, uint64_t ns)
{
        char text[FG_TIME_TEXT];

        if (ns == 0)
                return;
        fg_time_text(ns, text);
        fg_json_set_str(o, key, text);
}

/* A member of the message as it came. */
static void copy(struct json_object *o, const char *key, struct json_object *from, const char *name)
{
        struct json_object *value = fg_json_get(from, name);

        if (value)
                fg_json_set(o, key, json_object_get(value));
}

static void copy_str(struct json_object *o, const char *key, struct json_object *from,
                     const char *name)
{
        fg_json_set_str(o, key, fg_json_str(from, name));
}

/* ---- networks ---- */

static void add_addresses(struct json_object *o, const char *key, const struct fg_address *list,
                          size_t count, int family)
{
        struct json_object *array = NULL;
        char text[FG_ADDRESS_TEXT];

        for (size_t i = 0; i < count; i++) {
                if (family != AF_UNSPEC && list[i].family != family)
                        continue;
                if (!array)
                        fg_json_set(o, key, array = json_object_new_array());
                fg_address_text(&list[i], text);
                json_object_array_add(array, json_object_new_string(text));
        }
}

static void set_subnet(struct json_object *o, const char *key, const struct fg_address *address,
                       unsigned prefix_len)
{
        fg_autofree char *cidr = NULL;
        char text[FG_ADDRESS_TEXT];

        fg_address_text(address, text);
        cidr = fg_asprintf("%s/%u", text, prefix_len);
        fg_json_set_str(o, key, cidr);
}

static void add_family(struct json_object *o, const struct fg_network *n, int family,
                       const char *subnet_key, const char *gateway_key)
{
        const struct fg_address *first = fg_network_first(n, family);
        const struct fg_address *gateway = fg_network_gateway(n, family);
        struct fg_address subnet;

        if (!first)
                return;
        subnet = fg_address_subnet(first);
        set_subnet(o, subnet_key, &subnet, first->prefix_len);
        if (gateway) /* with the length, as ECS writes it */
                set_subnet(o, gateway_key, gateway, first->prefix_len);
}

static void add_interface(struct json_object *o, const struct fg_metadata *m)
{
        const struct fg_network *n = &m->task->network;
        struct json_object *search = json_object_new_array();
        char mac[FG_MAC_TEXT];

        fg_json_set_int(o, "AttachmentIndex", 0);
        fg_mac_text(n->mac, mac);
        fg_json_set_str(o, "MACAddress", mac);
        add_family(o, n, AF_INET, "IPv4SubnetCIDRBlock", "SubnetGatewayIpv4Address");
        add_family(o, n, AF_INET6, "IPv6SubnetCIDRBlock", "SubnetGatewayIpv6Address");
        add_addresses(o, "DomainNameServers", n->dns, n->dns_count, AF_UNSPEC);
        for (size_t i = 0; i < n->search_count; i++)
                json_object_array_add(search, json_object_new_string(n->search[i]));
        fg_json_set(o, "DomainNameSearchList", search);
        copy_str(o, "PrivateDNSName", m->task->spec, "hostname");
}

static void add_networks(struct json_object *o, const struct fg_metadata *m, unsigned version)
{
        const struct fg_network *n = &m->task->network;
        struct json_object *list, *network;

        if (!m->task->has_network)
                return;
        list = json_object_new_array();
        network = json_object_new_object();
        fg_json_set_str(network, "NetworkMode", "awsvpc");
        add_addresses(network, "IPv4Addresses", n->addresses, n->address_count, AF_INET);
        add_addresses(network, "IPv6Addresses", n->addresses, n->address_count, AF_INET6);
        if (version == 4)
                add_interface(network, m);
        json_object_array_add(list, network);
        fg_json_set(o, "Networks", list);
}

/* ---- a container ---- */

static void add_labels(struct json_object *o, const struct fg_metadata *m,
                       const struct fg_metadata_container *c, const char *name)
{
        struct json_object *labels = json_object_new_object();
        struct json_object *own = fg_json_obj(c->spec, "labels");

        if (own) {
                json_object_object_foreach(own, key, value)
                        fg_json_set(labels, key, json_object_get(value));
        }
        copy_str(labels, "com.amazonaws.ecs.cluster", m->spec, "cluster");
        fg_json_set_str(labels, "com.amazonaws.ecs.container-name", name);
        copy_str(labels, "com.amazonaws.ecs.task-arn", m->spec, "taskArn");
        copy_str(labels, "com.amazonaws.ecs.task-definition-family", m->spec, "family");
        copy_str(labels, "com.amazonaws.ecs.task-definition-version", m->spec, "revision");
        fg_json_set(o, "Labels", labels);
}

static void add_container_limits(struct json_object *o, struct json_object *spec)
{
        struct json_object *limits = json_object_new_object();
        const int64_t cpu = fg_json_int(spec, "cpu", 0), memory = fg_json_int(spec, "memory", 0);

        fg_json_set_int(limits, "CPU", cpu < CPU_LEAST ? CPU_LEAST : cpu);
        if (memory > 0)
                fg_json_set_int(limits, "Memory", memory);
        fg_json_set(o, "Limits", limits);
}

static void add_volumes(struct json_object *o, struct json_object *spec)
{
        struct json_object *points = fg_json_arr(spec, "mountPoints"), *list;
        const size_t count = points ? json_object_array_length(points) : 0;

        if (count == 0)
                return;
        list = json_object_new_array();
        for (size_t i = 0; i < count; i++) {
                struct json_object *point = json_object_array_get_idx(points, i);
                struct json_object *volume = json_object_new_object();

                copy_str(volume, "DockerName", point, "sourceVolume");
                copy_str(volume, "Destination", point, "containerPath");
                json_object_array_add(list, volume);
        }
        fg_json_set(o, "Volumes", list);
}

/* What is known of a container with a health check, once it has been started. */
static void add_health(struct json_object *o, const struct fg_container *c)
{
        const struct fg_health *h = &c->health;
        struct json_object *health;

        if (!h->argv)
                return;
        health = json_object_new_object();
        fg_json_set_str(health, "status", fg_health_name(h->status));
        set_time(health, "statusSince", h->since);
        if (h->exit_code >= 0)
                fg_json_set_int(health, "exitCode", h->exit_code);
        if (c->probe.output_len > 0 && fg_utf8_valid(c->probe.output, c->probe.output_len))
                fg_json_set_str(health, "output", c->probe.output);
        fg_json_set(o, "Health", health);
}

/* What changes while the container lives. */
static void add_state(struct json_object *o, const struct fg_metadata *m, size_t index)
{
        const struct fg_container *c = &m->task->containers[index];
        const struct fg_metadata_container *seen = &m->containers[index];
        const enum status known = status_of(m, index);
        const bool wanted = !m->task->stopping && known != STATUS_STOPPED;

        fg_json_set_str(o, "DesiredStatus", status_names[wanted ? STATUS_RUNNING : STATUS_STOPPED]);
        fg_json_set_str(o, "KnownStatus", status_names[known]);
        if (c->state == FG_CONTAINER_EXITED)
                fg_json_set_int(o, "ExitCode", c->exit_code);
        add_container_limits(o, c->spec);
        set_time(o, "CreatedAt", seen->created_at);
        set_time(o, "StartedAt", seen->started_at);
        set_time(o, "FinishedAt", seen->finished_at);
        add_health(o, c);
}

struct json_object *fg_metadata_container_json(const struct fg_metadata *m, size_t index,
                                               unsigned version)
{
        const struct fg_container *c = &m->task->containers[index];
        const struct fg_metadata_container *seen = &m->containers[index];
        struct json_object *o = json_object_new_object();
        struct json_object *image = fg_json_obj(c->spec, "image");

        fg_json_set_str(o, "DockerId", seen->id);
        fg_json_set_str(o, "Name", c->name);
        fg_json_set_str(o, "DockerName", c->name);
        copy_str(o, "Image", seen->spec, "image");
        copy_str(o, "ImageID", image, "manifest");
        copy(o, "Ports", seen->spec, "ports");
        add_labels(o, m, seen, c->name);
        add_state(o, m, index);
        fg_json_set_str(o, "Type", "NORMAL");
        add_volumes(o, c->spec);
        copy_str(o, "LogDriver", seen->spec, "logDriver");
        copy(o, "LogOptions", seen->spec, "logOptions");
        copy_str(o, "ContainerARN", seen->spec, "containerArn");
        add_networks(o, m, version);
        if (version != 4)
                return o;
        fg_json_set_str(o, "Snapshotter", "overlayfs");
        if (c->restart.enabled)
                fg_json_set_int(o, "RestartCount", (int64_t)c->restart.count);
        return o;
}

/* ---- the task ---- */

static void add_task_limits(struct json_object *o, struct json_object *spec)
{
        struct json_object *limits = json_object_new_object();

        fg_json_set(
                limits, "CPU",
                json_object_new_double((double)fg_json_int(spec, "cpuUnits", 0) / UNITS_PER_CPU));
        fg_json_set_int(limits, "Memory", fg_json_int(spec, "memoryMiB", 0));
        fg_json_set(o, "Limits", limits);
}

/* The clock was set once, when the task began; nobody has compared it since. */
static void add_clock(struct json_object *o, const struct fg_metadata *m)
{
        struct json_object *clock = json_object_new_object();
        struct timex t = { 0 };
        const bool synchronized = adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC);

        set_time(clock, "ReferenceTimestamp", m->begun_at);
        fg_json_set_str(clock, "ClockSynchronizationStatus",
                        synchronized ? "SYNCHRONIZED" : "NOT_SYNCHRONIZED");
        fg_json_set(o, "ClockDrift", clock);
}

static void add_storage(struct json_object *o, const struct fg_metadata *m)
{
        struct json_object *storage = json_object_new_object();
        struct statvfs fs;

        if (statvfs(m->scratch, &fs) == 0)
                fg_json_set_int(storage, "Utilized",
                                (int64_t)(((uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize) >>
                                          MIB_SHIFT));
        copy(storage, "Reserved", m->spec, "ephemeralStorageMiB");
        fg_json_set(o, "EphemeralStorageMetrics", storage);
}

static uint64_t execution_stopped_at(const struct fg_metadata *m)
{
        uint64_t first = 0;

        for (size_t i = 0; i < m->task->container_count; i++) {
                const uint64_t at = m->containers[i].finished_at;

                if (m->task->containers[i].essential && at > 0 && (first == 0 || at < first))
                        first = at;
        }
        return first;
}

struct json_object *fg_metadata_task_json(const struct fg_metadata *m, unsigned version, bool tags)
{
        struct json_object *o = json_object_new_object();
        struct json_object *containers = json_object_new_array();

        copy_str(o, "Cluster", m->spec, "cluster");
        copy_str(o, "TaskARN", m->spec, "taskArn");
        copy_str(o, "Family", m->spec, "family");
        copy_str(o, "Revision", m->spec, "revision");
        fg_json_set_str(o, "DesiredStatus", m->task->stopping ? "STOPPED" : "RUNNING");
        fg_json_set_str(o, "KnownStatus", status_names[task_status(m)]);
        add_task_limits(o, m->task->spec);
        set_time(o, "PullStartedAt", (uint64_t)fg_json_int(m->spec, "pullStartedAt", 0));
        set_time(o, "PullStoppedAt", m->pull_stopped_at);
        set_time(o, "ExecutionStoppedAt", execution_stopped_at(m));
        copy_str(o, "AvailabilityZone", m->spec, "availabilityZone");
        copy_str(o, "LaunchType", m->spec, "launchType");
        if (tags)
                copy(o, "TaskTags", m->spec, "tags");
        for (size_t i = 0; i < m->task->container_count; i++)
                json_object_array_add(containers, fg_metadata_container_json(m, i, version));
        fg_json_set(o, "Containers", containers);
        if (version != 4)
                return o;
        copy_str(o, "ServiceName", m->spec, "serviceName");
        copy_str(o, "VPCID", m->spec, "vpcId");
        add_clock(o, m);
        add_storage(o, m);
        fg_json_set_bool(o, "FaultInjectionEnabled", false);
        return o;
}

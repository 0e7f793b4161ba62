/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/field_row.h"
#include "api/taskdef_private.h"
#include "core/str.h"

/* One container definition: the table, and the rules that look at nothing else. */

#define LETTERS     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS      "0123456789"
#define STOP_MIN    2 /* seconds */
#define STOP_MAX    120
#define UID_HIGHEST 4294967294u /* the one above means "no user" to the kernel */

size_t fg_name_span(const char *s)
{
        return strspn(s, LETTERS DIGITS "_-");
}

bool fg_check_name(struct fg_decode *d, const char *s)
{
        if (s[fg_name_span(s)] == '\0')
                return true;
        fg_decode_problem(d, NULL, "letters, digits, _ and -", "'%.*s' is not a valid name",
                          FG_CLIP(s));
        return false;
}

static bool has_dots(const char *path)
{
        for (const char *part = path; *part; part += strcspn(part, "/")) {
                size_t len;

                part += strspn(part, "/");
                len = strcspn(part, "/");
                if ((len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
                        return true;
        }
        return false;
}

bool fg_check_path(struct fg_decode *d, const char *s)
{
        if (s[0] == '/' && s[strspn(s, "/")] != '\0' && !has_dots(s))
                return true;
        fg_decode_problem(d, NULL, NULL, "'%.*s' is not an absolute path below / without . and ..",
                          FG_CLIP(s));
        return false;
}

bool fg_same_path(const char *a, const char *b)
{
        for (;;) {
                size_t len;

                a += strspn(a, "/");
                b += strspn(b, "/");
                len = strcspn(a, "/");
                if (len != strcspn(b, "/") || memcmp(a, b, len) != 0)
                        return false;
                if (len == 0)
                        return true;
                a += len;
                b += len;
        }
}

static bool check_image(struct fg_decode *d, const char *s)
{
        struct fg_error err = FG_ERROR_INIT;

        return !d->image_check || d->image_check(s, &err) == 0 || fg_decode_refuse(d, &err);
}

static bool check_directory(struct fg_decode *d, const char *s)
{
        if (s[0] == '/')
                return true;
        fg_decode_problem(d, NULL, NULL, "'%.*s' is not an absolute path", FG_CLIP(s));
        return false;
}

/* A number or a name, [s, s + len). Whether the image knows the name is the guest's to find out. */
static bool is_account(const char *s, size_t len)
{
        uint64_t id = 0;

        if (len == 0 || s[0] == '-')
                return false;
        if (strspn(s, DIGITS) < len)
                return strspn(s, LETTERS DIGITS "_.-") >= len;
        for (size_t i = 0; i < len; i++) {
                id = id * 10 + (uint64_t)(s[i] - '0');
                if (id > UID_HIGHEST)
                        return false;
        }
        return true;
}

static bool check_user(struct fg_decode *d, const char *s)
{
        size_t len = strcspn(s, ":");
        const char *group = s[len] == ':' ? s + len + 1 : NULL;

        if (is_account(s, len) && (!group || is_account(group, strlen(group))))
                return true;
        fg_decode_problem(d, NULL, "user, user:group, uid, uid:gid, user:gid, uid:group",
                          "'%.*s' is not a valid user", FG_CLIP(s));
        return false;
}

static bool check_variable(struct fg_decode *d, const char *s)
{
        if (!strchr(s, '='))
                return true;
        fg_decode_problem(d, NULL, NULL, "the name of a variable must not contain '='");
        return false;
}

static const struct fg_field environment_fields[] = {
        FG_ROW_STRING(fg_pair, name, "name", .required = true, .min = 1, .check = check_variable),
        FG_ROW_STRING(fg_pair, value, "value", .always = true),
};
const struct fg_object fg_environment_object = FG_OBJECT(fg_pair, environment_fields);

static const char *const conditions[] = { "START", "COMPLETE", "SUCCESS", "HEALTHY", NULL };

static const struct fg_field dependency_fields[] = {
        FG_ROW_STRING(fg_dependency, container_name, "containerName", .required = true, .min = 1),
        FG_ROW_STRING(fg_dependency, condition, "condition", .required = true,
                      .allowed = conditions),
};
static const struct fg_object dependency_object = FG_OBJECT(fg_dependency, dependency_fields);

static const struct fg_field mount_fields[] = {
        FG_ROW_STRING(fg_mount_point, source_volume, "sourceVolume", .required = true, .min = 1),
        FG_ROW_STRING(fg_mount_point, container_path, "containerPath", .required = true,
                      .check = fg_check_path),
        FG_ROW_BOOL(fg_mount_point, read_only, "readOnly"),
};
static const struct fg_object mount_object = FG_OBJECT(fg_mount_point, mount_fields);

/* The n-th place something is mounted in a container: mount points, then tmpfs. NULL: no more. */
static const char *mounted_path(const struct fg_container_def *c, size_t n, char *ret_member,
                                size_t size)
{
        size_t n_tmpfs = c->linux_parameters ? c->linux_parameters->tmpfs.n : 0;

        if (n < c->mount_points.n) {
                (void)snprintf(ret_member, size, "mountPoints[%zu].containerPath", n);
                return c->mount_points.v[n].container_path ?: "";
        }
        n -= c->mount_points.n;
        if (n >= n_tmpfs)
                return NULL;
        (void)snprintf(ret_member, size, "linuxParameters.tmpfs[%zu].containerPath", n);
        return c->linux_parameters->tmpfs.v[n].container_path ?: "";
}

static void check_mounted_once(struct fg_decode *d, const struct fg_container_def *c)
{
        char member[64], earlier[64];
        const char *path, *other;

        for (size_t i = 0; (path = mounted_path(c, i, member, sizeof(member))); i++) {
                for (size_t j = 0; *path && j < i; j++) {
                        other = mounted_path(c, j, earlier, sizeof(earlier));
                        if (*other && fg_same_path(path, other)) {
                                fg_decode_problem(d, member, NULL, "'%.*s' is mounted twice",
                                                  FG_CLIP(path));
                                break;
                        }
                }
        }
}

static void check_ulimit_names(struct fg_decode *d, const struct fg_container_def *c)
{
        for (size_t i = 0; i < c->ulimits.n; i++) {
                for (size_t j = 0; j < i; j++) {
                        const char *a = c->ulimits.v[i].name, *b = c->ulimits.v[j].name;

                        if (a && b && fg_streq(a, b))
                                fg_decode_problem(d, "ulimits", NULL, "%s is given twice", a);
                }
        }
}

static void check_container(struct fg_decode *d, void *obj)
{
        const struct fg_container_def *c = obj;

        check_mounted_once(d, c);
        check_ulimit_names(d, c);
        fg_taskdef_check_mappings(d, c);
}

static const char *const consistencies[] = { "enabled", "disabled", NULL };

static const struct fg_field container_extension_fields[] = {
        FG_ROW_STRING(fg_container_extensions, image_pull, "imagePull",
                      .check = fg_check_image_pull),
};
static const struct fg_object container_extensions_object = FG_OBJECT(fg_container_extensions,
                                                                      container_extension_fields);

#define REFUSED(name)                                                                              \
        FG_ROW_REFUSED(name, "Fargate compatible task definitions do not support " name)

/* The text says whose it is only when the name came before. */
static bool check_stop(struct fg_decode *d, int64_t seconds, const void *obj)
{
        const struct fg_container_def *c = obj;

        if (seconds >= STOP_MIN && seconds <= STOP_MAX)
                return true;
        if (seconds < STOP_MIN && c->name)
                fg_decode_problem(d, NULL, NULL,
                                  "Granular stop timeout on container '%.*s' must be at least %d "
                                  "seconds.",
                                  FG_CLIP(c->name), STOP_MIN);
        else if (seconds < STOP_MIN)
                fg_decode_problem(d, NULL, NULL,
                                  "Granular stop timeout must be at least %d seconds.", STOP_MIN);
        else
                fg_decode_problem(d, NULL, NULL,
                                  "Tasks using the Fargate launch type must have a container stop "
                                  "timeout of less than %d seconds.",
                                  STOP_MAX);
        return false;
}

static const struct fg_field container_fields[] = {
        FG_ROW_STRING(fg_container_def, name, "name", .required = true, .min = 1,
                      .max = FG_NAME_MAX, .check = fg_check_name,
                      .text = "Container.name should not be null or empty."),
        FG_ROW_STRING(fg_container_def, image, "image", .required = true, .min = 1, .max = 4096,
                      .check = check_image, .text = "Container.image should not be null or empty."),
        FG_ROW_BOOL(fg_container_def, essential, "essential", .always = true, .fallback = true),
        FG_ROW_STRINGS(fg_container_def, entry_point, "entryPoint"),
        FG_ROW_STRINGS(fg_container_def, command, "command"),
        FG_ROW_OBJECTS(fg_container_def, environment, "environment", &fg_environment_object,
                       .always = true),
        FG_ROW_OBJECTS(fg_container_def, secrets, "secrets", &fg_secret_object, .max = 256),
        FG_ROW_OBJECTS(fg_container_def, environment_files, "environmentFiles",
                       &fg_environment_file_object, .max = FG_ENVIRONMENT_FILES_MAX),
        FG_ROW_STRING(fg_container_def, working_directory, "workingDirectory",
                      .check = check_directory),
        FG_ROW_STRING(fg_container_def, user, "user", .check = check_user),
        FG_ROW_BOOL(fg_container_def, readonly_root_filesystem, "readonlyRootFilesystem"),
        FG_ROW_INT(fg_container_def, cpu, "cpu", .always = true),
        FG_ROW_INT(fg_container_def, memory, "memory", .min = FG_MEMORY_MIN),
        FG_ROW_INT(fg_container_def, memory_reservation, "memoryReservation", .min = FG_MEMORY_MIN),
        FG_ROW_INT(fg_container_def, start_timeout, "startTimeout", .min = 2, .max = 120),
        FG_ROW_INT(fg_container_def, stop_timeout, "stopTimeout", .min = STOP_MIN, .max = STOP_MAX,
                   .check_int = check_stop),
        FG_ROW_OBJECTS(fg_container_def, depends_on, "dependsOn", &dependency_object, .max = 64),
        FG_ROW_OBJECT(fg_container_def, health_check, "healthCheck", &fg_health_check_object),
        FG_ROW_OBJECT(fg_container_def, restart_policy, "restartPolicy", &fg_restart_policy_object),
        FG_ROW_OBJECTS(fg_container_def, mount_points, "mountPoints", &mount_object, .max = 64,
                       .always = true),
        FG_ROW_OBJECTS(fg_container_def, port_mappings, "portMappings", &fg_port_mapping_object,
                       .max = 100, .always = true),
        FG_ROW_OBJECTS(fg_container_def, volumes_from, "volumesFrom", &fg_volume_from_object,
                       .max = FG_CONTAINERS_MAX, .always = true),
        FG_ROW_OBJECTS(fg_container_def, system_controls, "systemControls",
                       &fg_system_control_object, .max = 64, .always = true),
        FG_ROW_BOOL(fg_container_def, interactive, "interactive"),
        FG_ROW_BOOL(fg_container_def, pseudo_terminal, "pseudoTerminal"),
        FG_ROW_OBJECTS(fg_container_def, ulimits, "ulimits", &fg_ulimit_object, .max = 64),
        FG_ROW_OBJECT(fg_container_def, linux_parameters, "linuxParameters",
                      &fg_linux_parameters_object),
        FG_ROW_MAP(fg_container_def, docker_labels, "dockerLabels", .status = FG_FIELD_RECORDED),
        FG_ROW_OBJECT(fg_container_def, log_configuration, "logConfiguration",
                      &fg_log_configuration_object),
        FG_ROW_OBJECT(fg_container_def, fgrun, "fgrun", &container_extensions_object),
        FG_ROW_LATER("credentialSpecs"),
        FG_ROW_LATER("firelensConfiguration"),
        FG_ROW_LATER("repositoryCredentials"),
        FG_ROW_STRING(fg_container_def, version_consistency, "versionConsistency",
                      .status = FG_FIELD_RECORDED, .allowed = consistencies),
        FG_ROW_REFUSED("disableNetworking",
                       "Disable Networking is not supported on container when networkMode=awsvpc"),
        FG_ROW_REFUSED("dnsSearchDomains",
                       "DNS search domains are not supported on container when networkMode=awsvpc"),
        FG_ROW_REFUSED("dnsServers",
                       "DNS servers are not supported on container when networkMode=awsvpc"),
        REFUSED("dockerSecurityOptions"),
        FG_ROW_REFUSED("extraHosts",
                       "Extra hosts are not supported on container when networkMode=awsvpc"),
        FG_ROW_REFUSED("hostname",
                       "hostname is not supported on container when networkMode=awsvpc"),
        FG_ROW_REFUSED("links", "Links are not supported when networkMode=awsvpc"),
        FG_ROW_REFUSED("privileged", "Fargate requires that the 'privileged' setting be 'false'"),
        FG_ROW_REFUSED("resourceRequirements",
                       "Tasks using the Fargate launch type do not support GPU resource "
                       "requirements"),
};

const struct fg_object fg_container_object = FG_OBJECT(fg_container_def, container_fields,
                                                       .check = check_container);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/field.h"
#include "api/taskdef.h"

/* Shared by the files of the task definition and by overrides.c. */
#define FG_NAME_MAX   255
#define FG_MEMORY_MIN 6 /* MiB, as Docker's */

/* Tables. */
extern const struct fg_object fg_taskdef_object;
extern const struct fg_object fg_container_object;
extern const struct fg_object fg_linux_parameters_object;
extern const struct fg_object fg_ulimit_object;
extern const struct fg_object fg_system_control_object;
extern const struct fg_object fg_volume_from_object;
extern const struct fg_object fg_health_check_object;
extern const struct fg_object fg_restart_policy_object;
extern const struct fg_object fg_log_configuration_object;
extern const struct fg_object fg_environment_object;
extern const struct fg_object fg_port_mapping_object;
extern const struct fg_object fg_secret_object;
extern const struct fg_object fg_environment_file_object;
#define FG_ENVIRONMENT_FILES_MAX 10
extern const struct fg_object fg_ephemeral_storage_object;
extern const struct fg_object fg_overrides_object;
extern const struct fg_object fg_extensions_object;

/* Checks of one string; false when a problem was reported. */
/** fg_name_span() - how much of @s may be the name of a container, family or cluster */
size_t fg_name_span(const char *s);
bool fg_check_name(struct fg_decode *d, const char *s);
bool fg_check_path(struct fg_decode *d, const char *s);
bool fg_check_image_pull(struct fg_decode *d, const char *s);

/** fg_same_path() - do two absolute paths name the same place? (extra slashes do not count) */
bool fg_same_path(const char *a, const char *b);

/** fg_taskdef_names() - the containers, for the allowed values of a problem; caller frees. */
char *fg_taskdef_names(const struct fg_taskdef *def);

/** fg_taskdef_check_mappings() - no port twice, no mapping without one. */
void fg_taskdef_check_mappings(struct fg_decode *d, const struct fg_container_def *c);
/** fg_taskdef_check_sizes() - parse cpu and memory, normalise them, and check the sums. */
void fg_taskdef_check_sizes(struct fg_decode *d, struct fg_taskdef *def);
/** fg_taskdef_check_secrets() - a variable is set once: by environment or by a secret. */
void fg_taskdef_check_secrets(struct fg_decode *d, const struct fg_taskdef *def);
/** fg_taskdef_check_links() - names, essential containers, dependencies, volumes. */
void fg_taskdef_check_links(struct fg_decode *d, const struct fg_taskdef *def);

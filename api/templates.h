/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/digest.h"
#include "core/error.h"
#include "core/json.h"
#include "core/lane.h"

/*
 * Templates: what a warm guest was at the moment that it began to wait. Guests of its shape are
 * restored from that, in place of a boot. A template is a directory of three files, the guest's
 * RAM, the state of its devices, and its scratch disk; it is named by all that it depends on, is
 * complete once its directory has its name, and is not used once anybody has written to its RAM.
 * They are kept in the cache, for as long as the host runs. Loop only.
 */
#define FG_TEMPLATE_NAME_LEN 49

struct fg_templates;

struct fg_templates_config {
        struct fg_lane *io; /* removes them */
        const char *dir;    /* made */
        const char *key;    /* what VMs boot from: fg_vmm_info.template_key */
        unsigned max;       /* so many are kept; 0: none are made */
};

/* What guests have in common that can be restored from each other. */
struct fg_template_shape {
        unsigned vcpus, memory_mib;
        bool nic;
        size_t n_images;
        const char (*manifests)[FG_DIGEST_LEN + 1]; /* mounted ones, in order */
};

enum fg_template_file { FG_TEMPLATE_RAM, FG_TEMPLATE_STATE, FG_TEMPLATE_SCRATCH };

/** fg_templates_new() - removes what is half made or was made for something else. */
int fg_templates_new(const struct fg_templates_config *config, struct fg_templates **ret,
                     struct fg_error *err);
void fg_templates_free(struct fg_templates *t);
FG_DEFINE_CLEANUP(struct fg_templates *, fg_templates_free)

void fg_templates_name(const struct fg_templates *t, const struct fg_template_shape *shape,
                       char ret[FG_TEMPLATE_NAME_LEN + 1]);
/** fg_templates_find() - is there one to restore from? One that was written to is dropped. */
bool fg_templates_find(struct fg_templates *t, const char *name);
/** fg_templates_path() - of a file of it, made already or while it is made; the caller frees. */
char *fg_templates_path(const struct fg_templates *t, const char *name, enum fg_template_file file);

/** fg_templates_begin() - may one be made now? Return: false when not; its directory is there. */
bool fg_templates_begin(struct fg_templates *t, const char *name);
/** fg_templates_commit() - its files are complete, and nobody has them open. */
void fg_templates_commit(struct fg_templates *t, const char *name);
/** fg_templates_abandon() - its making was given up, for no fault of it. */
void fg_templates_abandon(struct fg_templates *t, const char *name);
/** fg_templates_drop() - it could not be made, or nothing can be restored from it: not again. */
void fg_templates_drop(struct fg_templates *t, const char *name, const char *why);
/** fg_templates_to_json() - for GET /v1/info */
struct json_object *fg_templates_to_json(const struct fg_templates *t);

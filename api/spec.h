/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "api/task_network.h"
#include "api/taskdef.h"

/* The `task` message of docs/protocol.md, from a task definition. A pure function. */

struct fg_spec_image {
        const char *reference; /* normalised */
        const char *manifest;  /* digest of the single-platform manifest */
        const char *disk;      /* serial number of the disk that has it prepared, NULL: none */
};

struct fg_spec {
        const char *id;
        int64_t now_ns;     /* CLOCK_REALTIME */
        const char *random; /* hex, for the guest's entropy pool */
        const char *hostname;
        const struct fg_net_attachment *network; /* NULL: loopback only */
        const char *scratch;                     /* device in the guest: "/dev/vda" */
        struct json_object *metadata;            /* of api/metadata.h; NULL: none */
        const struct fg_taskdef *def;            /* overrides applied */
        const struct fg_spec_image *images;      /* one per container, in order */
};

/** fg_spec_to_json() - the message; the caller puts it. Everything in @spec is borrowed. */
struct json_object *fg_spec_to_json(const struct fg_spec *spec);

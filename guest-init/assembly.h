/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "guest-init/blobs.h"
#include "guest-init/loop.h"

/*
 * Turning an image into a root directory is parsing what strangers wrote, so a child with few
 * privileges does it. A SOCK_SEQPACKET pair connects it with PID 1, which only moves bytes: the
 * child asks for a blob with one struct fg_assembly_request, the answer is packets that begin with
 * a byte of enum fg_assembly_answer.
 *
 * The result is a directory, see image_unpack.h.
 */
#define FG_ASSEMBLY_PACKET (64u * 1024)

enum fg_assembly_answer {
        FG_ASSEMBLY_DATA = 'd',
        FG_ASSEMBLY_END = 'e',
        FG_ASSEMBLY_ERROR = 'x', /* followed by text */
};

struct fg_assembly_request {
        char digest[FG_DIGEST_LEN + 1]; /* "": @error tells why the child gives up */
        bool sized;
        uint64_t size;
        char error[1024];
};

struct fg_assembly {
        struct fg_source source; /* PID 1's end of the pair */
        struct fg_loop *loop;
        struct fg_blobs *blobs;
        pid_t pid; /* 0: none is running */
        char error[1024];
};

int fg_assembly_start(struct fg_assembly *a, const char *manifest, const char *dir,
                      struct fg_error *err);
/** fg_assembly_pump() - hand on what has come of the blob */
void fg_assembly_pump(struct fg_assembly *a);
/** fg_assembly_reaped() - the child has ended. Return: 0, or -1 with the child's error */
int fg_assembly_reaped(struct fg_assembly *a, int status, struct fg_error *err);

/** fg_assembly_run() - the child: never returns */
_Noreturn void fg_assembly_run(int sock, const char *manifest, const char *dir);

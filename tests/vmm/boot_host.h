/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "vmm/vmm.h"

#define HOST_MEMORY_MIB 128

/* A vmm with one real guest at a time, and what it has reported. Failures fail the test. */
struct host {
        sd_event *event;
        char dir[32];
        char *state, *run, *scratch;
        struct fg_vmm *vmm;
        struct fg_channel *channel;
        char id[FG_ID_LEN + 1];

        unsigned memory_mib; /* of the next guest */
        unsigned done, lists, ups, downs, echoes, gone;
        bool failed, crashed, listed;
        struct fg_error error;
};

void host_init(struct host *h, const char *dir);
void host_finish(struct host *h);
/** host_open() - connect the vmm, with its state below the directory of host_init() */
void host_open(struct host *h);

/** host_run_until() - run the loop until a counter of the host's has reached @wanted */
void host_run_until(struct host *h, const unsigned *counter, unsigned wanted);
void host_on_done(void *userdata, const char *id, const struct fg_error *err);
void host_on_list(void *userdata, const struct fg_vm *vms, size_t n, const struct fg_error *err);

void host_make_scratch(struct host *h);
struct fg_vm_spec host_spec(const struct host *h);
/** host_start() - a guest whose init listens on the channel */
void host_start(struct host *h);
void host_connect(struct host *h);
/** host_tell() - "echo", "halt" or "panic" (boot_init.c) */
void host_tell(struct host *h, const char *word);
void host_end(struct host *h);

/** host_qemu() - the process whose command line names the VM, or 0 */
pid_t host_qemu(const struct host *h);
/** host_assert_nothing_left() - neither process nor file nor cgroup of the VM's */
void host_assert_nothing_left(struct host *h);
/** proc_text() - /proc/@pid/@name, heap */
char *proc_text(pid_t pid, const char *name);

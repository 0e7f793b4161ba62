/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/error.h"
#include "core/id.h"

/*
 * One microVM at a time, through libvirt; or a pod in its place, a container of the host that
 * speaks as a guest does, to which all that is said of VMs below applies. Knows nothing of ECS.
 * Everything here is called on the loop thread; blocking work happens in lanes of vmm's own, and
 * every callback runs on the loop.
 */
struct fg_vmm;     /* a connection to a hypervisor: libvirt, or the fake one of the tests */
struct fg_channel; /* the host's end of one guest's virtio-serial port */

enum fg_accel { FG_ACCEL_AUTO, FG_ACCEL_KVM, FG_ACCEL_TCG };

/* ---- configuration and facts ---- */

#define FG_KERNEL_STOCK "stock" /* Debian's cloud kernel, from the host's /boot */

struct fg_vmm_config {
        const char *uri;       /* "embed", "qemu:///system", "fake:<program>", any libvirt URI */
        const char *state_dir; /* libvirt's root in embed mode lives below it, or if it is too long
                                  for sockets, below run_dir */
        const char *run_dir;   /* sockets; short enough for sun_path */
        const char *kernel;    /* path of a vmlinux/bzImage, or FG_KERNEL_STOCK */
        const char *initrd;    /* path of the initramfs with guest-init */
        const char *init;      /* path of guest-init itself, for pods; NULL: there are none */
        enum fg_accel accel;
        unsigned lanes; /* parallel libvirt calls */
};

struct fg_vmm_info {
        char hypervisor[64]; /* "QEMU 7.2.22" */
        char libvirt[32];    /* "9.0.0" */
        char uri[256];
        char accel[8];          /* "kvm" or "tcg" */
        char accel_reason[256]; /* why */
        char kernel[256];
        char warning[512];     /* something the operator should mend, or "" */
        bool limits_cpu;       /* fg_vmm_limit_cpu() can be called */
        unsigned overhead_mib; /* host memory of a VM beyond its RAM, as limited */
        char template_key[FG_DIGEST_LEN +
                          1]; /* changes with what VMs boot from; "": no templates */
        unsigned paused;      /* VMs that wait for room on the disk, as of now */
};

/* A read-only raw file, shared between VMs. Of 8 virtio-mmio slots the rest of a VM takes 5. */
#define FG_VM_DISKS_MAX  3
#define FG_VM_SERIAL_LEN 20

struct fg_vm_disk {
        const char *path;                  /* QEMU's user gets the right to read it */
        char serial[FG_VM_SERIAL_LEN + 1]; /* by which the guest finds it; letters and digits */
};

/* A network card: a TAP in @netns that exists already; or, for a pod, it is in @netns already,
   where the pod will be. Strings are borrowed for the call; copied. */
struct fg_vm_nic {
        const char *netns; /* path of a network namespace */
        const char *tap, *mac;
};

/* RAM in a file, which VMs of the same shape start from. Strings are borrowed; copied. */
struct fg_vm_template {
        const char *ram;   /* as large as the VM's RAM */
        const char *state; /* of its devices, to start from; NULL: the VM boots, and makes @ram */
};

/* A VM to start. Borrowed for the call; copied. */
struct fg_vm_spec {
        char id[FG_ID_LEN + 1]; /* 128 bits; the domain's UUID; its name is fgrun-<id> */
        unsigned vcpus;
        unsigned memory_mib;
        bool pod; /* no VM: an ordinary container of the host, with @cpu_units / 1024 of a CPU */
        unsigned cpu_units;
        const char *scratch; /* raw disk file, /dev/vda in the guest; given to QEMU's user */
        const struct fg_vm_disk *disks;
        size_t n_disks;
        bool hotplug; /* fg_vmm_attach() may add disks; 50 ms more of a boot under TCG */
        const struct fg_vm_nic *nic;           /* NULL: none */
        const struct fg_vm_template *template; /* NULL: it has RAM of its own, and boots */
};

struct fg_vm {
        char id[FG_ID_LEN + 1];
        bool running;
};

/* Callbacks are never run from inside the call that registers them. @err is NULL on success. */
typedef void (*fg_vmm_done_fn)(void *userdata, const char *id, const struct fg_error *err);
typedef void (*fg_vmm_list_fn)(void *userdata, const struct fg_vm *vms, size_t n,
                               const struct fg_error *err);
/** A VM of ours ended: guest powered off, or QEMU died. @crashed: it was not the guest's own halt.
    One whose disk fails counts as ended; one whose disk is full waits, and goes on by itself. */
typedef void (*fg_vmm_gone_fn)(void *userdata, const char *id, bool crashed, const char *reason);

/**
 * fg_vmm_new() - connect (blocks for the connection; start-up only)
 * Errors: DENIED, NOT_FOUND (QEMU, its user, kernel or initrd missing: says which package or
 * command), INTERNAL. VMs of a former process are adopted before it returns.
 *
 * With embedded libvirt ("embed"): one state_dir in the life of a process; the environment gets
 * LIBVIRT_LOG_OUTPUTS, and as root the calling thread perhaps a mount namespace with another
 * /dev/kvm, so call it before other threads run. The process must be the child of a subreaper that
 * reaps, or libvirt waits for dead QEMUs on hosts whose PID 1 does not. As root, QEMU runs as
 * libvirt-qemu, who must be able to search the directories above state_dir and of each scratch
 * file (mode 0711); state_dir itself is opened to that user's group (0710).
 */
int fg_vmm_new(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
               void *userdata, struct fg_vmm **ret, struct fg_error *err);
void fg_vmm_free(struct fg_vmm *vmm); /* VMs run on */
/** fg_vmm_pods() - can specs say `pod`? Needs root and cgroup v2; else INVALID says why not. */
int fg_vmm_pods(const struct fg_vmm *vmm, struct fg_error *err);
/** fg_vmm_pods_split() - has cgroup v2 the controllers, so that containers of a pod have limits? */
bool fg_vmm_pods_split(void);
FG_DEFINE_CLEANUP(struct fg_vmm *, fg_vmm_free)
const struct fg_vmm_info *fg_vmm_info(const struct fg_vmm *vmm);
/** fg_vmm_readers() - the group that disks of VMs are given to; those that have it stay untouched.
 */
gid_t fg_vmm_readers(void);

/** fg_vmm_start() - define and boot; done() when libvirt has started the guest. */
void fg_vmm_start(struct fg_vmm *vmm, const struct fg_vm_spec *spec, fg_vmm_done_fn done,
                  void *userdata);
/**
 * fg_vmm_attach() - add a read-only disk to a running VM that was started with `hotplug`
 * done() when QEMU has it; the guest sees it soon after. It stays until the VM ends.
 */
void fg_vmm_attach(struct fg_vmm *vmm, const char *id, const struct fg_vm_disk *disk,
                   fg_vmm_done_fn done, void *userdata);
/**
 * fg_vmm_save() - stop a VM that makes the RAM of @template, and write the state of its devices, a
 * new file. It does not go on: destroy it, and the template is complete. What starts from it has a
 * scratch disk with the same content, and for the rest the same shape.
 */
void fg_vmm_save(struct fg_vmm *vmm, const char *id, const struct fg_vm_template *template,
                 fg_vmm_done_fn done, void *userdata);
/**
 * fg_vmm_destroy() - end a VM and remove everything vmm made for it (domain, sockets, cgroup)
 * Idempotent: an id that does not exist succeeds. Files given in the spec are the caller's.
 */
void fg_vmm_destroy(struct fg_vmm *vmm, const char *id, fg_vmm_done_fn done, void *userdata);
/**
 * fg_vmm_limit_cpu() - from now on the VM's process gets @units / 1024 of a CPU, and a tenth of one
 * for its own work; only where info.limits_cpu says so
 * Not at the start: under emulation a VM uses 0.6 to 0.9 s of CPU until its container runs, which
 * a quota would stretch. Idempotent; a VM that has ended succeeds.
 */
void fg_vmm_limit_cpu(struct fg_vmm *vmm, const char *id, unsigned units, fg_vmm_done_fn done,
                      void *userdata);
/** fg_vmm_list() - all VMs of ours (by name and metadata), for reconciliation. */
void fg_vmm_list(struct fg_vmm *vmm, fg_vmm_list_fn done, void *userdata);
/** fg_vmm_console_tail() - last bytes of the guest's console, for failures; borrowed; never NULL.
 */
const char *fg_vmm_console_tail(struct fg_vmm *vmm, const char *id);
/** fg_vmm_memory() - resident KiB of a VM's process, 0 when unknown. Reads /proc; cheap. */
uint64_t fg_vmm_memory_kib(struct fg_vmm *vmm, const char *id);

/* ---- the guest channel ---- */

struct fg_frame;

struct fg_channel_ops {
        /* SYNC was answered: the guest listens. Once per connection. */
        void (*up)(void *userdata);
        void (*frame)(void *userdata, const struct fg_frame *f);
        /* Connection lost or the guest broke the protocol (err->code INVALID). Called once; the
           channel may then only be freed. */
        void (*down)(void *userdata, const struct fg_error *err);
        /* The send queue fell below its low-water mark after fg_channel_send() had returned 0. */
        void (*writable)(void *userdata);
};

/** fg_channel_new() - connect to VM @id's channel socket and synchronise; returns at once. */
int fg_channel_new(struct fg_vmm *vmm, const char *id, const struct fg_channel_ops *ops,
                   void *userdata, struct fg_channel **ret, struct fg_error *err);
void fg_channel_free(struct fg_channel *ch);
FG_DEFINE_CLEANUP(struct fg_channel *, fg_channel_free)
/**
 * fg_channel_send() - queue one frame (copied)
 * Return: 1 queued; 0 queued, but the queue is over its high-water mark: wait for writable();
 * -1: CAPACITY, the hard cap (1 MiB over the mark) was passed.
 */
int fg_channel_send(struct fg_channel *ch, const struct fg_frame *f, struct fg_error *err);
/** fg_channel_pause() - stop or resume reading from this guest (back-pressure). */
void fg_channel_pause(struct fg_channel *ch, bool paused);

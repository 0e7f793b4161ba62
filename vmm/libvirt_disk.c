/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/libvirt.h"

#include <stdio.h>

#include "core/fs.h"
#include "core/log.h"
#include "core/str.h"

/*
 * QEMU pauses a VM whose write finds no room on the host's disk, and keeps the write; once it is
 * resumed it writes again, so that the guest sees nothing but a gap in time. Any other error it
 * hands to the guest, whose file system cannot be trusted from then on.
 */

#define LOOK_SECONDS 1

struct disk_note {
        struct fg_job job;
        struct fg_libvirt *lv;
        char id[FG_ID_LEN + 1];
        bool full;
        struct fg_error err;
};

static void disk_note_done(struct fg_job *base)
{
        struct disk_note *note = FG_CONTAINER_OF(base, struct disk_note, job);
        struct fg_lv_vm *vm = fg_lv_vm_find(note->lv, note->id);

        if (vm && note->full)
                fg_lv_wait_for_room(note->lv, vm);
        else if (vm)
                fg_lv_vm_ended(note->lv, note->id, true, "I/O error of its disk on the host");
        free(note);
}

void fg_lv_on_disk_error(virConnectPtr conn, virDomainPtr dom, const char *path, const char *alias,
                         int action, const char *reason, void *userdata)
{
        char uuid[VIR_UUID_STRING_BUFLEN];
        struct disk_note *note;

        if (virDomainGetUUIDString(dom, uuid) < 0)
                return;
        note = fg_calloc(1, sizeof(*note));
        if (!fg_id_from_uuid(uuid, note->id)) {
                free(note);
                return;
        }
        note->job.done = disk_note_done;
        note->lv = userdata;
        note->full = action == VIR_DOMAIN_EVENT_IO_ERROR_PAUSE && reason &&
                     fg_streq(reason, "enospc");
        fg_lane_post(note->lv->mail, &note->job);
}

bool fg_lv_disk_full(virDomainPtr dom)
{
        int state, reason;

        return virDomainGetState(dom, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED &&
               reason == VIR_DOMAIN_PAUSED_IOERROR;
}

/* ---- room again ---- */

static void resume_work(struct fg_job *base)
{
        struct disk_note *note = FG_CONTAINER_OF(base, struct disk_note, job);
        fg_cleanup(virDomainFreep) virDomainPtr dom = NULL;
        char uuid[FG_UUID_LEN + 1];

        fg_id_to_uuid(note->id, uuid);
        dom = virDomainLookupByUUIDString(note->lv->conn, uuid);
        if (!dom || virDomainResume(dom) < 0)
                fg_virt_fail(&note->err, "resume VM %s", note->id);
}

static void resume_done(struct fg_job *base)
{
        struct disk_note *note = FG_CONTAINER_OF(base, struct disk_note, job);
        struct fg_lv_vm *vm = fg_lv_vm_find(note->lv, note->id);

        if (!note->err.code)
                fg_log_info("task=%s there is room again: its VM goes on", note->id);
        else if (vm && !vm->gone && !vm->destroying) {
                fg_log_warn("task=%s %s", note->id, note->err.msg);
                fg_lv_wait_for_room(note->lv, vm);
        }
        free(note);
}

/* The mark goes before the call: a VM that finds no room again may say so before its done(). */
static void resume(struct fg_libvirt *lv, struct fg_lv_vm *vm)
{
        struct disk_note *note = fg_calloc(1, sizeof(*note));

        vm->full = false;
        lv->base.info.paused--;
        note->job = (struct fg_job){ .work = resume_work, .done = resume_done };
        note->lv = lv;
        (void)snprintf(note->id, sizeof(note->id), "%s", vm->id);
        fg_lane_submit(lv->lane, &note->job);
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_libvirt *lv = userdata;
        struct fg_lv_vm *vm, *next;

        if (lv->base.info.paused == 0)
                return 0;
        if (!fg_has_room(lv->state_dir)) {
                (void)sd_event_source_set_time_relative(source, LOOK_SECONDS * 1000000ULL);
                (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
                return 0;
        }
        HASH_ITER (hh, lv->vms, vm, next)
                if (vm->full)
                        resume(lv, vm);
        return 0;
}

void fg_lv_wait_for_room(struct fg_libvirt *lv, struct fg_lv_vm *vm)
{
        if (vm->full)
                return;
        fg_log_warn("task=%s the disk of %s is full: its VM is paused until there is room", vm->id,
                    lv->state_dir);
        vm->full = true;
        lv->base.info.paused++;
        if (!lv->room)
                (void)sd_event_add_time_relative(lv->base.event, &lv->room, CLOCK_MONOTONIC,
                                                 LOOK_SECONDS * 1000000ULL, 0, on_look, lv);
        else
                (void)sd_event_source_set_time_relative(lv->room, LOOK_SECONDS * 1000000ULL);
        (void)sd_event_source_set_enabled(lv->room, SD_EVENT_ONESHOT);
}

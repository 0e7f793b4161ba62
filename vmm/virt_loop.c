/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virt.h"

#include <libvirt/virterror.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/str.h"

struct fg_virt_loop {
        pthread_t thread;
        int timer; /* fires only to wake the thread up for `quit` */
        atomic_bool quit;
};

static enum fg_err code_of(const virError *e)
{
        if (!e)
                return FG_ERR_INTERNAL;
        switch (e->code) {
        case VIR_ERR_NO_DOMAIN:
                return FG_ERR_NOT_FOUND;
        case VIR_ERR_NO_MEMORY:
                return FG_ERR_CAPACITY;
        case VIR_ERR_AUTH_FAILED:
        case VIR_ERR_AUTH_CANCELLED:
        case VIR_ERR_ACCESS_DENIED:
                return FG_ERR_DENIED;
        case VIR_ERR_OPERATION_TIMEOUT:
                return FG_ERR_TIMEOUT;
        default:
                return FG_ERR_INTERNAL;
        }
}

int fg_virt_fail(struct fg_error *err, const char *fmt, ...)
{
        const virError *e = virGetLastError();
        char context[256];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(context, sizeof(context), fmt, ap);
        va_end(ap);
        return fg_fail(err, code_of(e), "%s: %s", context,
                       e && e->message ? e->message : "libvirt gave no reason");
}

/* libvirt prints each error of an API call to stderr unless someone takes it. */
static void ignore_error(void *userdata, virErrorPtr error)
{
}

static void on_timer(int timer, void *userdata)
{
}

static void register_once(void)
{
        virSetErrorFunc(NULL, ignore_error);
        (void)virEventRegisterDefaultImpl();
}

static void *run_loop(void *arg)
{
        struct fg_virt_loop *loop = arg;

        (void)pthread_setname_np(pthread_self(), "virt-events");
        while (!atomic_load(&loop->quit))
                if (virEventRunDefaultImpl() < 0)
                        break;
        return NULL;
}

int fg_virt_loop_new(struct fg_virt_loop **ret, struct fg_error *err)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        fg_autofree struct fg_virt_loop *loop = fg_calloc(1, sizeof(*loop));
        sigset_t all, old;
        int sys;

        (void)pthread_once(&once, register_once);
        if (virInitialize() < 0)
                return fg_virt_fail(err, "initialise libvirt");
        loop->timer = virEventAddTimeout(-1, on_timer, NULL, NULL);
        if (loop->timer < 0)
                return fg_virt_fail(err, "libvirt's event loop");
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        sys = pthread_create(&loop->thread, NULL, run_loop, loop);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (sys) {
                (void)virEventRemoveTimeout(loop->timer);
                return fg_fail_errno(err, sys, "start libvirt's event thread");
        }
        *ret = fg_take_ptr(loop);
        return 0;
}

void fg_virt_loop_free(struct fg_virt_loop *loop)
{
        if (!loop)
                return;
        atomic_store(&loop->quit, true);
        virEventUpdateTimeout(loop->timer, 0);
        pthread_join(loop->thread, NULL);
        (void)virEventRemoveTimeout(loop->timer);
        free(loop);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "core/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "core/cleanup.h"

struct visit {
        int fd;
        fg_netns_fn fn;
        void *userdata;
        struct fg_error *err;
        int result;
};

static void *visit(void *userdata)
{
        struct visit *v = userdata;

        if (v->fd < 0 && unshare(CLONE_NEWNET) < 0)
                v->result = fg_fail_errno(v->err, errno, "make a network namespace");
        else if (v->fd >= 0 && setns(v->fd, CLONE_NEWNET) < 0)
                v->result = fg_fail_errno(v->err, errno, "enter the network namespace");
        else
                v->result = v->fn(v->userdata, v->err);
        return NULL;
}

int fg_netns_run(int fd, fg_netns_fn fn, void *userdata, struct fg_error *err)
{
        struct visit v = { .fd = fd, .fn = fn, .userdata = userdata, .err = err };
        pthread_t thread;
        int sys = pthread_create(&thread, NULL, visit, &v);

        if (sys != 0)
                return fg_fail_errno(err, sys, "a thread for the network namespace");
        (void)pthread_join(thread, NULL);
        return v.result;
}

int fg_netns_run_path(const char *path, fg_netns_fn fn, void *userdata, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? fg_fail_errno(err, errno, "%s", path) : fg_netns_run(fd, fn, userdata, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lane.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/str.h"

struct queue {
        struct fg_job *first;
        struct fg_job **last;
};

struct fg_lane {
        char name[16];
        int fd; /* eventfd: something in `finished`; written by lane threads, read by the loop */
        sd_event_source *source;
        pthread_t *threads;
        unsigned n_threads;

        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t wake;
        struct queue waiting;
        struct queue finished;
        bool closing;
};

static void queue_init(struct queue *q)
{
        q->first = NULL;
        q->last = &q->first;
}

static void queue_push(struct queue *q, struct fg_job *job)
{
        job->next_ = NULL;
        *q->last = job;
        q->last = &job->next_;
}

static struct fg_job *queue_pop(struct queue *q)
{
        struct fg_job *job = q->first;

        if (!job)
                return NULL;
        q->first = job->next_;
        if (!q->first)
                q->last = &q->first;
        return job;
}

void fg_lane_post(struct fg_lane *lane, struct fg_job *note)
{
        uint64_t one = 1;

        note->lane_ = lane;
        pthread_mutex_lock(&lane->lock);
        queue_push(&lane->finished, note);
        pthread_mutex_unlock(&lane->lock);
        while (write(lane->fd, &one, sizeof(one)) < 0 && errno == EINTR)
                ;
}

static void *run_thread(void *arg)
{
        struct fg_lane *lane = arg;
        struct fg_job *job;

        (void)pthread_setname_np(pthread_self(), lane->name);
        for (;;) {
                pthread_mutex_lock(&lane->lock);
                while (!(job = queue_pop(&lane->waiting)) && !lane->closing)
                        pthread_cond_wait(&lane->wake, &lane->lock);
                pthread_mutex_unlock(&lane->lock);
                if (!job)
                        return NULL;
                job->work(job);
                fg_lane_post(lane, job);
        }
}

static void run_finished(struct fg_lane *lane)
{
        struct fg_job *job;

        for (;;) {
                pthread_mutex_lock(&lane->lock);
                job = queue_pop(&lane->finished);
                pthread_mutex_unlock(&lane->lock);
                if (!job)
                        return;
                job->done(job);
        }
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        uint64_t count;

        (void)source;
        (void)revents;
        if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
                return -errno;
        run_finished(userdata);
        return 0;
}

/* Signals belong to the loop: lane threads take none. */
static int start_threads(struct fg_lane *lane, unsigned threads, struct fg_error *err)
{
        sigset_t all, old;
        int sys = 0;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        lane->threads = fg_calloc(threads, sizeof(*lane->threads));
        for (unsigned i = 0; i < threads && !sys; i++) {
                sys = pthread_create(&lane->threads[i], NULL, run_thread, lane);
                if (!sys)
                        lane->n_threads++;
        }
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        return sys ? fg_fail_errno(err, sys, "start thread of lane %s", lane->name) : 0;
}

int fg_lane_new(sd_event *event, const char *name, unsigned threads, struct fg_lane **ret,
                struct fg_error *err)
{
        fg_cleanup(fg_lane_freep) struct fg_lane *lane = fg_calloc(1, sizeof(*lane));
        int r;

        (void)snprintf(lane->name, sizeof(lane->name), "%s", name);
        pthread_mutex_init(&lane->lock, NULL);
        pthread_cond_init(&lane->wake, NULL);
        queue_init(&lane->waiting);
        queue_init(&lane->finished);
        lane->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (lane->fd < 0)
                return fg_fail_errno(err, errno, "lane %s: eventfd", name);
        r = sd_event_add_io(event, &lane->source, lane->fd, EPOLLIN, on_finished, lane);
        if (r < 0)
                return fg_fail_errno(err, -r, "lane %s", name);
        if (start_threads(lane, threads, err) < 0)
                return -1;
        *ret = fg_take_ptr(lane);
        return 0;
}

void fg_lane_free(struct fg_lane *lane)
{
        if (!lane)
                return;
        pthread_mutex_lock(&lane->lock);
        lane->closing = true;
        pthread_cond_broadcast(&lane->wake);
        pthread_mutex_unlock(&lane->lock);
        for (unsigned i = 0; i < lane->n_threads; i++)
                pthread_join(lane->threads[i], NULL);
        run_finished(lane);
        /* A done() may have submitted to a lane that has no threads left: run it here. */
        for (struct fg_job *job; (job = queue_pop(&lane->waiting));) {
                job->work(job);
                job->done(job);
        }
        sd_event_source_disable_unref(lane->source);
        if (lane->fd >= 0)
                (void)close(lane->fd);
        pthread_mutex_destroy(&lane->lock);
        pthread_cond_destroy(&lane->wake);
        free(lane->threads);
        free(lane);
}

void fg_lane_submit(struct fg_lane *lane, struct fg_job *job)
{
        assert(job->work && job->done);
        job->lane_ = lane;
        pthread_mutex_lock(&lane->lock);
        queue_push(&lane->waiting, job);
        pthread_cond_signal(&lane->wake);
        pthread_mutex_unlock(&lane->lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Cleanup on the declaration, "take" at the hand-over: a function then has one happy path. */

#define fg_cleanup(fn) __attribute__((cleanup(fn)))

/* Defines fn##p(), for fg_cleanup(), from a destructor fn() that accepts NULL. */
#define FG_DEFINE_CLEANUP(type, fn)                                                                \
        static inline void fn##p(type *p)                                                          \
        {                                                                                          \
                if (*p)                                                                            \
                        (void)fn(*p);                                                              \
        }

#define fg_take_ptr(p)                                                                             \
        ({                                                                                         \
                typeof(p) *fg_pp_ = &(p);                                                          \
                typeof(p) fg_p_ = *fg_pp_;                                                         \
                *fg_pp_ = NULL;                                                                    \
                fg_p_;                                                                             \
        })

#define fg_take_fd(fd)                                                                             \
        ({                                                                                         \
                int *fg_pfd_ = &(fd);                                                              \
                int fg_fd_ = *fg_pfd_;                                                             \
                *fg_pfd_ = -1;                                                                     \
                fg_fd_;                                                                            \
        })

static inline void fg_freep(void *p)
{
        free(*(void **)p);
}

/* Keeps errno, so that it may run between a failure and its report. */
static inline void fg_closep(int *fd)
{
        int saved = errno;

        if (*fd >= 0)
                (void)close(*fd);
        errno = saved;
}

FG_DEFINE_CLEANUP(FILE *, fclose)
FG_DEFINE_CLEANUP(DIR *, closedir)

#define fg_autofree                        fg_cleanup(fg_freep)
#define fg_autoclose                       fg_cleanup(fg_closep)

#define FG_ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define FG_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

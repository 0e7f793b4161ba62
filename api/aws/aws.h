/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/aws/time.h"
#include "api/daemon.h"
#include "api/field.h"
#include "api/http.h"

struct sqlite3;

struct fg_aws_call;

/*
 * An operation that is a transaction of fgd.db and nothing else. On the database's lane; touches
 * @call's in, names, caller, output and state only. May run again when the commit has failed. -1:
 * nothing has happened, and fg_aws_raise() or @err says why.
 */
typedef int (*fg_aws_work_fn)(struct fg_aws_call *call, struct sqlite3 *db, struct fg_error *err);

/*
 * The APIs of AWS that fgd speaks, all on POST /. The operation stands in X-Amz-Target (JSON 1.1)
 * or is the Action of a form (the query protocol, which answers in XML), which may also stand in
 * the query of the URI, and then of a GET too.
 *
 * How an operation is added: a file with its handler (and the table of its input, api/field_row.h),
 * a row in the table of its service, a row in docs/ecs.md. How a service is added: a folder with a
 * struct fg_aws_service, and a row in services.c. Loop only.
 */
struct fg_aws_call {
        struct fg_daemon *d;
        struct fg_request *r;
        const struct fg_aws_service *service;
        const struct fg_aws_operation *operation;
        const struct fg_names *names; /* immutable: also for the lane */
        char caller[256];             /* the ARN of who asks */
        struct json_object *body;     /* as it was sent; a form is an object of strings */
        void *in;                     /* decoded by operation->input, or NULL */
        struct fg_problems problems;  /* of that */
        struct json_object *output;   /* of work(): what is answered; owned */
        void *state;                  /* the handler's, freed with the call by free_state() */
        void (*free_state)(void *state);

        /* of fg_aws_work() */
        fg_aws_work_fn work;
        void (*done)(struct fg_aws_call *call);
        const char *exception;
        struct fg_error error;
};

struct fg_aws_operation {
        const char *name; /* "RunTask"; the IAM action is "ecs:RunTask". NULL ends the table */
        /* One of three. A handler ends the call, now or later, once, with a function below. */
        void (*handle)(struct fg_aws_call *call);
        fg_aws_work_fn read;
        fg_aws_work_fn write;
        const struct fg_object *input; /* NULL: handle() looks at the body itself */
        const char *invalid;           /* exception for bad input; NULL: as in the service */
        bool open;                     /* needs no permission, as IAM has it */
        /* After bad input: adds to call->problems what only the database tells. Its errors are
         * nothing to anybody, and members that were bad look absent. Or NULL. */
        fg_aws_work_fn also_wrong;
};

/* The exceptions of a service's model, for errors of ours. NULL: what is in `internal`. */
struct fg_aws_exceptions {
        const char *invalid, *denied, *not_found, *conflict;
        const char *token;    /* of a page */
        const char *internal; /* HTTP 500: clients try again */
};

struct fg_aws_service {
        const char *name;    /* in credential scopes, ARNs and IAM actions: "ecs" */
        const char *target;  /* what stands before the dot in X-Amz-Target; NULL: query protocol */
        const char *version; /* query protocol: of the API, "2011-06-15" */
        const struct fg_aws_operation *operations;
        const char *const *model; /* all operations that AWS has, here or not; NULL-terminated */
        struct fg_aws_exceptions exceptions;
};

/* services.c: NULL-terminated */
extern const struct fg_aws_service *const fg_aws_services[];

void handle_aws(void *daemon, struct fg_request *r);

/** fg_aws_reply() - 200 with the members of the operation's output; NULL: it has none. */
void fg_aws_reply(struct fg_aws_call *call, struct json_object *take_output);
/** fg_aws_fail() - 400 with an exception of the service's model. */
void fg_aws_fail(struct fg_aws_call *call, const char *exception, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/** fg_aws_fail_with() - the same, with what else the exception's shape has. */
void fg_aws_fail_with(struct fg_aws_call *call, const char *exception,
                      struct json_object *take_members, const char *message);
/** fg_aws_fail_error() - with what an error of ours is called in this service. */
void fg_aws_fail_error(struct fg_aws_call *call, const struct fg_error *err);
/** fg_aws_fail_problems() - all of them in one message. */
void fg_aws_fail_problems(struct fg_aws_call *call, const struct fg_problems *problems);
/** fg_aws_refuse() - answer a request of which only the headers are known, in its protocol. */
void fg_aws_refuse(struct fg_request *r, int status, const char *exception, const char *message);

/** fg_aws_raise() - the answer of work() is this exception of the model. Return: -1. */
int fg_aws_raise(struct fg_aws_call *call, const char *exception, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/**
 * fg_aws_work() - run a transaction; then done() on the loop, NULL: answer with its output
 * A work() that fails is answered by itself.
 */
void fg_aws_work(struct fg_aws_call *call, fg_aws_work_fn work, bool writes,
                 void (*done)(struct fg_aws_call *call));

/* sts.c */
extern const struct fg_aws_service fg_sts_service;

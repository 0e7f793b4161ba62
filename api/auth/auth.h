/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "api/auth/keys.h"
#include "api/auth/result.h"
#include "api/auth/sigv4.h"

/*
 * Who may call: says who sent a request, and whether he may do what it asks. Loop only; knows
 * nothing of the HTTP server.
 */
struct fg_auth;

enum fg_who {
        FG_WHO_NOBODY, /* not known (yet): may do nothing */
        FG_WHO_PEER,   /* root or fgd's own user, by the unix socket: may do everything */
        FG_WHO_TOKEN,  /* the bearer token: everything */
        FG_WHO_KEY,    /* an access key: what its policy says */
};

struct fg_identity {
        enum fg_who who;
        uid_t uid;                                                       /* PEER */
        char key_id[FG_SIGV4_KEY_ID_MAX + 1], name[FG_KEY_NAME_MAX + 1]; /* KEY */
        char service[FG_SIGV4_SCOPE_MAX + 1]; /* KEY: that the request was signed for */
        unsigned char signature[32];
        uint64_t signed_sec;
};

struct fg_auth_config {
        const char *state_dir, *region, *account;
};

int fg_auth_new(sd_event *event, const struct fg_auth_config *config, struct fg_auth **ret,
                struct fg_error *err);
void fg_auth_free(struct fg_auth *a);
FG_DEFINE_CLEANUP(struct fg_auth *, fg_auth_free)
struct fg_keys *fg_auth_keys(struct fg_auth *a);
/** fg_auth_set_token() - the bearer token from now on (a copy); without one none is accepted. */
void fg_auth_set_token(struct fg_auth *a, const char *token);

/**
 * fg_auth_begin() - what can be said before the body is there: OK, or why it will be refused
 * @ret_claim: what the request says of its signature; key_id is empty for a bearer token
 */
enum fg_auth_result fg_auth_begin(struct fg_auth *a, const struct fg_sigv4_message *m,
                                  struct fg_sigv4_claim *ret_claim, struct fg_error *err);
/** fg_auth_finish() - the rest, with the body; on OK *ret_who is who sent it. */
enum fg_auth_result fg_auth_finish(struct fg_auth *a, const struct fg_sigv4_message *m,
                                   const struct fg_sigv4_claim *claim, struct fg_identity *ret_who,
                                   struct fg_error *err);

/* What somebody wants to do. */
struct fg_act {
        const char *service; /* that a signature must be for: "ecs"; "fgrun" for the REST API */
        const char *action;  /* "ecs:RunTask" */
        const char *cluster; /* short name; NULL: in none; "*": in all */
        bool open;           /* needs no permission: nobody's policy is asked */
};

/** fg_auth_allow() - OK; SIGNATURE: signed for another service; DENIED: @err says who and what. */
enum fg_auth_result fg_auth_allow(struct fg_auth *a, const struct fg_identity *who,
                                  const struct fg_act *act, struct fg_error *err);
/** fg_auth_repeated() - notes a request that is about to be carried out. OK; SIGNATURE: it changes
 * something, and was recorded and sent again; or it is older than this daemon, which cannot know.
 */
enum fg_auth_result fg_auth_repeated(struct fg_auth *a, const struct fg_identity *who,
                                     const struct fg_act *act, struct fg_error *err);
/** fg_auth_forget() - wipe what was derived from a revoked key's secret. */
void fg_auth_forget(struct fg_auth *a, const char *key_id);
/** fg_auth_policy() - a copy of what @who may do, for lists that are made on a lane. NULL: nothing,
 * the key is gone. */
struct fg_policy *fg_auth_policy(const struct fg_auth *a, const struct fg_identity *who);
/** fg_auth_arn() - "arn:aws:iam::ACCOUNT:user/NAME", or root's; a heap string. */
char *fg_auth_arn(const struct fg_auth *a, const struct fg_identity *who);

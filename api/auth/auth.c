/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/auth/replay.h"
#include "core/clock.h"
#include "core/secret.h"
#include "core/str.h"

/*
 * AWS's SDKs and CLI do not sign what differs from call to call: two equal ones of a second, or one
 * that is tried again at once, have one signature. So long after it came first they are let
 * through.
 */
#define REPEAT_SEC 2
#define RECENT_MAX 4096

struct recent {
        uint64_t print; /* of a signature: as good as random */
        uint64_t at_sec;
};

struct fg_auth {
        struct fg_keys *keys;
        struct fg_sigv4 *sigv4;
        struct fg_replay *replay;
        struct recent recent[RECENT_MAX]; /* the youngest are written over the oldest */
        size_t next_recent;
        struct fg_secret token;
        char *region, *account;
};

int fg_auth_new(sd_event *event, const struct fg_auth_config *config, struct fg_auth **ret,
                struct fg_error *err)
{
        fg_cleanup(fg_auth_freep) struct fg_auth *a = fg_calloc(1, sizeof(*a));

        if (fg_keys_new(event, config->state_dir, &a->keys, err) < 0)
                return -1;
        a->sigv4 = fg_sigv4_new();
        a->replay = fg_replay_new(config->state_dir, 2 * FG_SIGV4_SKEW_SEC, FG_REPLAY_MAX,
                                  fg_now_ns() / FG_NS_PER_SEC);
        a->region = fg_strdup(config->region);
        a->account = fg_strdup(config->account);
        *ret = fg_take_ptr(a);
        return 0;
}

void fg_auth_free(struct fg_auth *a)
{
        if (!a)
                return;
        fg_keys_free(a->keys);
        fg_sigv4_free(a->sigv4);
        fg_replay_free(a->replay);
        fg_secret_finish(&a->token);
        free(a->region);
        free(a->account);
        free(a);
}

struct fg_keys *fg_auth_keys(struct fg_auth *a)
{
        return a->keys;
}

void fg_auth_set_token(struct fg_auth *a, const char *token)
{
        fg_secret_set(&a->token, token, strlen(token));
}

/* ---- who ---- */

static const char *bearer(const struct fg_sigv4_message *m)
{
        for (size_t i = 0; i < m->n_headers; i++)
                if (strcasecmp(m->headers[i].name, "authorization") == 0 &&
                    strncasecmp(m->headers[i].value, "Bearer ", 7) == 0)
                        return m->headers[i].value + 7;
        return NULL;
}

static enum fg_auth_result check_bearer(const struct fg_auth *a, const char *given,
                                        struct fg_error *err)
{
        size_t len = a->token.len;

        if (len > 0 && strlen(given) == len && fg_secret_eq(given, a->token.data, len))
                return FG_AUTH_OK;
        fg_fail(err, FG_ERR_DENIED,
                "a valid bearer token is required (Authorization: Bearer TOKEN), or a signature "
                "made with an access key");
        return FG_AUTH_MISSING;
}

/* The same words whether there never was such a key or it was revoked. */
static enum fg_auth_result find_key(const struct fg_auth *a, const char *id, struct fg_key *ret,
                                    struct fg_error *err)
{
        if (fg_keys_find(a->keys, id, ret) > 0)
                return FG_AUTH_OK;
        fg_fail(err, FG_ERR_DENIED, "The security token included in the request is invalid.");
        return FG_AUTH_UNKNOWN_KEY;
}

static enum fg_auth_result check_scope(const struct fg_auth *a, const struct fg_sigv4_claim *claim,
                                       struct fg_error *err)
{
        if (fg_streq(claim->region, a->region))
                return FG_AUTH_OK;
        fg_fail(err, FG_ERR_DENIED,
                "Credential should be scoped to a valid region, not '%s'. (This fgd is in '%s': "
                "AWS_DEFAULT_REGION, or region in fgd.conf.)",
                claim->region, a->region);
        return FG_AUTH_SIGNATURE;
}

/* What may stand in a request once: of two, one would be checked and another believed. */
static enum fg_auth_result check_single(const struct fg_sigv4_message *m, struct fg_error *err)
{
        static const char *const names[] = { "Authorization", "Date",
                                             "Host",          "X-Amz-Content-Sha256",
                                             "X-Amz-Date",    "X-Amz-Security-Token",
                                             "X-Amz-Target" };

        for (size_t n = 0; n < FG_ARRAY_SIZE(names); n++) {
                size_t found = 0;

                for (size_t i = 0; i < m->n_headers; i++)
                        found += strcasecmp(m->headers[i].name, names[n]) == 0;
                if (found > 1) {
                        fg_fail(err, FG_ERR_DENIED, "The header '%s' is given %zu times.", names[n],
                                found);
                        return FG_AUTH_INCOMPLETE;
                }
        }
        return FG_AUTH_OK;
}

enum fg_auth_result fg_auth_begin(struct fg_auth *a, const struct fg_sigv4_message *m,
                                  struct fg_sigv4_claim *ret_claim, struct fg_error *err)
{
        const char *given = bearer(m);
        enum fg_auth_result r;
        struct fg_key key;

        *ret_claim = (struct fg_sigv4_claim){ 0 };
        r = check_single(m, err);
        if (r != FG_AUTH_OK)
                return r;
        if (given)
                return check_bearer(a, given, err);
        r = fg_sigv4_parse(m, ret_claim, err);
        if (r == FG_AUTH_MISSING)
                fg_fail(err, FG_ERR_DENIED,
                        "Request is missing Authentication Token: sign it with an access key "
                        "('fgrun keys create') or send the bearer token");
        if (r == FG_AUTH_OK)
                r = find_key(a, ret_claim->key_id, &key, err);
        if (r == FG_AUTH_OK)
                r = check_scope(a, ret_claim, err);
        if (r == FG_AUTH_OK)
                r = fg_sigv4_check_time(ret_claim, fg_now_ns() / FG_NS_PER_SEC, err);
        return r;
}

enum fg_auth_result fg_auth_finish(struct fg_auth *a, const struct fg_sigv4_message *m,
                                   const struct fg_sigv4_claim *claim, struct fg_identity *ret_who,
                                   struct fg_error *err)
{
        enum fg_auth_result r;
        struct fg_key key;

        *ret_who = (struct fg_identity){ .who = FG_WHO_NOBODY };
        if (!claim->key_id[0]) {
                ret_who->who = FG_WHO_TOKEN; /* fg_auth_begin() has looked */
                return FG_AUTH_OK;
        }
        /* Revoked while the body came. */
        r = find_key(a, claim->key_id, &key, err);
        if (r == FG_AUTH_OK)
                r = fg_sigv4_verify(a->sigv4, m, claim, key.secret, err);
        if (r != FG_AUTH_OK)
                return r;
        ret_who->who = FG_WHO_KEY;
        memcpy(ret_who->key_id, claim->key_id, sizeof(ret_who->key_id));
        (void)snprintf(ret_who->name, sizeof(ret_who->name), "%s", key.name);
        memcpy(ret_who->service, claim->service, sizeof(ret_who->service));
        memcpy(ret_who->signature, claim->signature, sizeof(ret_who->signature));
        ret_who->signed_sec = claim->time;
        return FG_AUTH_OK;
}

char *fg_auth_arn(const struct fg_auth *a, const struct fg_identity *who)
{
        if (who->who == FG_WHO_KEY)
                return fg_asprintf("arn:aws:iam::%s:user/%s", a->account, who->name);
        return fg_asprintf("arn:aws:iam::%s:root", a->account);
}

/* ---- what ---- */

/* Whether an action leaves everything as it is, by the verb that IAM's names begin with. */
static bool reads_only(const char *action)
{
        static const char *const verbs[] = { "Describe", "List", "Get", "Filter", "BatchGet" };
        const char *colon = strchr(action, ':');

        for (size_t i = 0; colon && i < FG_ARRAY_SIZE(verbs); i++)
                if (fg_starts_with(colon + 1, verbs[i]))
                        return true;
        return false;
}

static enum fg_auth_result fail_policy(const struct fg_auth *a, const struct fg_identity *who,
                                       const struct fg_act *act, enum fg_policy_decision decision,
                                       struct fg_error *err)
{
        fg_autofree char *user = fg_auth_arn(a, who);
        /* Only what ECS does happens in a cluster. */
        bool in_cluster = act->cluster && fg_starts_with(act->action, "ecs:");
        fg_autofree char *resource = in_cluster ? fg_asprintf("arn:aws:ecs:%s:%s:cluster/%.255s",
                                                              a->region, a->account, act->cluster)
                                                : fg_strdup("*");
        fg_autofree char *why =
                decision == FG_POLICY_DENY
                        ? fg_strdup("with an explicit deny in an identity-based policy")
                        : fg_asprintf("because no identity-based policy allows the %s action%s",
                                      act->action,
                                      decision == FG_POLICY_CLUSTER ? " in this cluster" : "");

        fg_fail(err, FG_ERR_DENIED, "User: %s is not authorized to perform: %s on resource: %s %s",
                user, act->action, resource, why);
        return FG_AUTH_DENIED;
}

static enum fg_auth_result check_service(const struct fg_identity *who, const struct fg_act *act,
                                         struct fg_error *err)
{
        if (fg_streq(who->service, act->service))
                return FG_AUTH_OK;
        fg_fail(err, FG_ERR_DENIED,
                "Credential should be scoped to correct service: '%s', not '%s'.", act->service,
                who->service);
        return FG_AUTH_SIGNATURE;
}

enum fg_auth_result fg_auth_allow(struct fg_auth *a, const struct fg_identity *who,
                                  const struct fg_act *act, struct fg_error *err)
{
        enum fg_policy_decision decision;
        enum fg_auth_result r;
        struct fg_key key;

        if (who->who == FG_WHO_PEER || who->who == FG_WHO_TOKEN)
                return FG_AUTH_OK;
        r = find_key(a, who->key_id, &key, err);
        if (r == FG_AUTH_OK)
                r = check_service(who, act, err);
        if (r != FG_AUTH_OK || act->open)
                return r;
        decision = fg_policy_decide(key.policy, act->action, act->cluster);
        return decision == FG_POLICY_ALLOW ? FG_AUTH_OK : fail_policy(a, who, act, decision, err);
}

void fg_auth_forget(struct fg_auth *a, const char *key_id)
{
        fg_sigv4_forget(a->sigv4, key_id);
}

static struct recent recent_of(const struct fg_identity *who, uint64_t now)
{
        struct recent r = { .at_sec = now };

        memcpy(&r.print, who->signature, sizeof(r.print));
        return r;
}

static void note_recent(struct fg_auth *a, const struct fg_identity *who, uint64_t now)
{
        a->recent[a->next_recent++ % RECENT_MAX] = recent_of(who, now);
}

static bool is_recent(const struct fg_auth *a, const struct fg_identity *who, uint64_t now)
{
        const struct recent r = recent_of(who, now);

        for (size_t i = 0; i < RECENT_MAX; i++)
                if (a->recent[i].print == r.print && now <= a->recent[i].at_sec + REPEAT_SEC)
                        return true;
        return false;
}

enum fg_auth_result fg_auth_repeated(struct fg_auth *a, const struct fg_identity *who,
                                     const struct fg_act *act, struct fg_error *err)
{
        uint64_t now = fg_now_ns() / FG_NS_PER_SEC;
        const char *why = "";

        if (who->who != FG_WHO_KEY || reads_only(act->action))
                return FG_AUTH_OK;
        if (now > who->signed_sec + FG_SIGV4_SKEW_SEC) {
                fg_fail(err, FG_ERR_DENIED,
                        "Request has expired: what changes something is good for %d seconds, "
                        "presigned or not.",
                        FG_SIGV4_SKEW_SEC);
                return FG_AUTH_EXPIRED;
        }
        switch (fg_replay_note(a->replay, who->signature, who->signed_sec, now, err)) {
        case FG_REPLAY_NEW:
                note_recent(a, who, now);
                return FG_AUTH_OK;
        case FG_REPLAY_FULL:
                fg_wrap(err, "the request cannot be noted as carried out");
                return FG_AUTH_UNAVAILABLE;
        case FG_REPLAY_SEEN:
                if (is_recent(a, who, now))
                        return FG_AUTH_OK;
                why = "This signed request was carried out already; sign it again to repeat it.";
                break;
        case FG_REPLAY_LOST:
                why = "This request was signed before fgd started, which cannot know whether it "
                      "was carried out already; sign it again (or is this clock behind?).";
                break;
        }
        fg_fail(err, FG_ERR_DENIED, "%s", why);
        return FG_AUTH_SIGNATURE;
}

struct fg_policy *fg_auth_policy(const struct fg_auth *a, const struct fg_identity *who)
{
        struct fg_key key;

        if (who->who == FG_WHO_PEER || who->who == FG_WHO_TOKEN)
                return fg_policy_all();
        return fg_keys_find(a->keys, who->key_id, &key) > 0 ? fg_policy_copy(key.policy) : NULL;
}

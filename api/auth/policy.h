/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/problem.h"
#include "core/cleanup.h"

/*
 * What a key may do: lists of patterns of IAM action names ("ecs:RunTask", "logs:*", "*"), and of
 * clusters. "*" stands for any characters, "?" for one; actions are compared without case, as IAM
 * does. As JSON: {"allow": ["ecs:*"], "deny": ["ecs:DeleteCluster"], "clusters": ["dev-*"]}.
 */
#define FG_POLICY_PATTERNS_MAX 64 /* in each list */

struct json_object;
struct fg_policy;

enum fg_policy_decision {
        FG_POLICY_ALLOW,
        FG_POLICY_NO_ALLOW, /* nothing allows it */
        FG_POLICY_DENY,     /* a pattern of deny fits: that wins over every allow */
        FG_POLICY_CLUSTER,  /* not in this cluster */
};

/**
 * fg_policy_decode() - "allow" is required, "clusters" not (all)
 * @known: whether an action pattern fits any action that there is; NULL: whichever do
 * Return: NULL when something is wrong: all of it went to @problems, below "$.policy"
 */
struct fg_policy *fg_policy_decode(struct json_object *json, bool (*known)(const char *pattern),
                                   struct fg_problems *problems);
/** fg_policy_fits() - whether an action pattern does. */
bool fg_policy_fits(const char *pattern, const char *action);
struct fg_policy *fg_policy_all(void); /* allow * */
struct fg_policy *fg_policy_copy(const struct fg_policy *p);
void fg_policy_free(struct fg_policy *p);
FG_DEFINE_CLEANUP(struct fg_policy *, fg_policy_free)
struct json_object *fg_policy_to_json(const struct fg_policy *p);

/**
 * fg_policy_decide() - pure
 * @cluster: the short name of the cluster the action is about; NULL: of none
 */
enum fg_policy_decision fg_policy_decide(const struct fg_policy *p, const char *action,
                                         const char *cluster);
/** fg_policy_sees_cluster() - whether the cluster is among the policy's. */
bool fg_policy_sees_cluster(const struct fg_policy *p, const char *cluster);

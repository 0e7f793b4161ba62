/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>

#include "api/aws/arn.h"
#include "api/aws/page.h"
#include "api/ecs/ecs.h"
#include "api/field_row.h"
#include "api/store_tables.h"
#include "api/tag.h"
#include "api/taskdef_private.h"

/* What operations have in common. Functions that get a database run on its lane. */

/* Declares an operation that is a transaction, and its input, for the table in ecs.c. */
#define ECS_WORK(operation)                                                                        \
        int operation(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err);                \
        extern const struct fg_object operation##_input
/* One with a handler on the loop. */
#define ECS_HANDLER(operation)                                                                     \
        void operation(struct fg_aws_call *call);                                                  \
        extern const struct fg_object operation##_input

ECS_WORK(ecs_create_cluster);
ECS_WORK(ecs_delete_account_setting);
ECS_WORK(ecs_delete_cluster);
ECS_WORK(ecs_delete_task_definitions);
ECS_WORK(ecs_deregister_task_definition);
ECS_WORK(ecs_describe_capacity_providers);
ECS_WORK(ecs_describe_clusters);
ECS_WORK(ecs_describe_task_definition);
ECS_WORK(ecs_list_account_settings);
ECS_WORK(ecs_list_tags);
ECS_WORK(ecs_list_task_definition_families);
ECS_WORK(ecs_list_task_definitions);
ECS_WORK(ecs_put_account_setting);
ECS_WORK(ecs_put_account_setting_default);
ECS_WORK(ecs_put_cluster_capacity_providers);
ECS_WORK(ecs_tag_resource);
ECS_WORK(ecs_untag_resource);
ECS_WORK(ecs_update_cluster);
ECS_WORK(ecs_update_cluster_settings);
ECS_WORK(ecs_describe_tasks);
ECS_WORK(ecs_get_task_protection);
ECS_WORK(ecs_list_tasks);
ECS_WORK(ecs_update_task_protection);
ECS_HANDLER(ecs_list_clusters);
ECS_HANDLER(ecs_run_task);
ECS_HANDLER(ecs_stop_task);
void ecs_register_task_definition(struct fg_aws_call *call);
int ecs_run_task_also_wrong(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err);
int ecs_tags_also_wrong(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err);

/* ---- clusters: cluster.c ---- */

#define ECS_CLUSTER_NOT_FOUND "ClusterNotFoundException"

struct ecs_setting {
        char *name, *value;
};

struct ecs_exec_logging {
        char *log_group, *bucket, *key_prefix;
        bool log_encryption, bucket_encryption;
};

struct ecs_exec_configuration {
        char *kms_key, *logging;
        struct ecs_exec_logging *log;
};

struct ecs_cluster_configuration {
        struct ecs_exec_configuration *exec;
};

struct ecs_strategy_item {
        char *provider;
        int64_t weight, base;
};

/* What of a cluster can be set: its stored document. */
struct ecs_cluster {
        FG_LIST(struct ecs_setting) settings;
        struct ecs_cluster_configuration *configuration;
        struct fg_strings providers;
        FG_LIST(struct ecs_strategy_item) strategy;
};

extern const struct fg_object ecs_setting_object, ecs_configuration_object, ecs_strategy_object;
extern const struct fg_object ecs_cluster_object;
extern const char *const ecs_providers[]; /* FARGATE and FARGATE_SPOT */

/** ecs_cluster_name() - of a name, an ARN or NULL for the default one; NULL: raised. */
const char *ecs_cluster_name(struct fg_aws_call *call, const char *text);
/** ecs_cluster_get() - the stored cluster; -1: raised, also when it is not ACTIVE and must be. */
int ecs_cluster_get(struct fg_aws_call *call, sqlite3 *db, const char *text, bool active,
                    struct json_object **ret, struct fg_error *err);
/** ecs_cluster_show() - the Cluster of an answer. @include: of DescribeClusters, or NULL: all. */
struct json_object *ecs_cluster_show(struct fg_aws_call *call, sqlite3 *db,
                                     struct json_object *cluster, const struct fg_strings *include,
                                     struct fg_error *err);
/** ecs_cluster_answer() - output {"cluster": …} of the cluster as it is stored now. */
int ecs_cluster_answer(struct fg_aws_call *call, sqlite3 *db, const char *name,
                       struct fg_error *err);
char *ecs_cluster_arn(const struct fg_aws_call *call, const char *name); /* caller frees */
/** ecs_check_strategy() - what can be asked of any. */
void ecs_check_strategy(struct fg_decode *d, const char *member,
                        const struct ecs_strategy_item *items, size_t n);
/** ecs_check_default_strategy() - of a cluster that has these providers. */
void ecs_check_default_strategy(struct fg_decode *d, const struct fg_strings *providers,
                                const struct ecs_strategy_item *items, size_t n);

/* ---- task definitions: definition.c ---- */

/** ecs_definition_split() - "FAMILY", "FAMILY:REVISION" or an ARN; 0 in *ret_revision: none.
 * NULL: neither. Caller frees. */
char *ecs_definition_split(const struct fg_aws_call *call, const char *text, int64_t *ret_revision);
/** ecs_check_definition() - for rows: whether it looks like the name of one. */
bool ecs_check_definition(struct fg_decode *d, const char *s);
/** ecs_required_attributes() - of a definition's document; attributes.c. The caller puts it. */
struct json_object *ecs_required_attributes(struct json_object *document);
/** ecs_definition_show() - the TaskDefinition of an answer. */
struct json_object *ecs_definition_show(const struct fg_aws_call *call,
                                        const struct fg_definition *d);

/** ecs_definition_get() - by any of its names; family alone: the latest ACTIVE. Return: found. */
int ecs_definition_get(struct fg_aws_call *call, sqlite3 *db, const char *text,
                       struct fg_definition *ret, struct fg_error *err);
/** ecs_definition_answer() - output {"taskDefinition","tags"}; @take_tags may be NULL. Return: 0.
 */
int ecs_definition_answer(struct fg_aws_call *call, const struct fg_definition *d,
                          struct json_object *take_tags);

/* ---- lists and failures: common.c ---- */

/** ecs_has() - is @value in the list? */
bool ecs_has(const struct fg_strings *list, const char *value);
/** ecs_fail_item() - add {"arn","reason","detail"} to @failures; @detail may be NULL. */
void ecs_fail_item(struct json_object *failures, const char *arn, const char *reason,
                   const char *detail);
/** ecs_page_limit() - of maxResults, which is 0 when absent. */
int64_t ecs_page_limit(int64_t max_results);
/** ecs_question() - the decoded input, but for the place in a list and the client's token; the same
 * however the cluster is named. The caller puts it. */
struct json_object *ecs_question(const struct fg_aws_call *call);
/** ecs_page_start() - the cursor of nextToken, which this operation gave for the same question; -1:
 * raised. */
int ecs_page_start(struct fg_aws_call *call, const char *token,
                   char cursor[FG_PAGE_CURSOR_MAX + 1]);
/** ecs_page_next() - there is more behind @cursor: set output's nextToken. */
void ecs_page_next(struct fg_aws_call *call, const char *cursor);
/**
 * ecs_page_end() - @list was read with one more than @limit: cut it and set output's nextToken
 * The cursor is the last element that stays.
 */
void ecs_page_end(struct fg_aws_call *call, struct json_object *list, int64_t limit);
/** ecs_arns() - ARNs "TYPE/NAME" of a list of names. */
struct json_object *ecs_arns(const struct fg_aws_call *call, const char *type,
                             struct json_object *names);

/* nextToken and maxResults of an input struct with these members. */
#define ECS_PAGE_ROWS(owner)                                                                       \
        FG_ROW_STRING(owner, next_token, "nextToken"),                                             \
                FG_ROW_INT(owner, max_results, "maxResults", .min = 1, .max = 100)

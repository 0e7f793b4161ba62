/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/aws/aws.h"
#include "api/aws/page.h"
#include "api/cwlogs/private.h"

/*
 * The operations of CloudWatch Logs. Each has a table of its input, a function that works on the
 * database lane, and a row in service.c.
 */
void logs_create_log_group(struct fg_aws_call *call);
void logs_delete_log_group(struct fg_aws_call *call);
void logs_describe_log_groups(struct fg_aws_call *call);
void logs_put_retention_policy(struct fg_aws_call *call);
void logs_delete_retention_policy(struct fg_aws_call *call);
void logs_create_log_stream(struct fg_aws_call *call);
void logs_delete_log_stream(struct fg_aws_call *call);
void logs_describe_log_streams(struct fg_aws_call *call);
void logs_put_log_events(struct fg_aws_call *call);
void logs_get_log_events(struct fg_aws_call *call);
void logs_filter_log_events(struct fg_aws_call *call);
void logs_tag_log_group(struct fg_aws_call *call);
void logs_untag_log_group(struct fg_aws_call *call);
void logs_list_tags_log_group(struct fg_aws_call *call);
void logs_tag_resource(struct fg_aws_call *call);
void logs_untag_resource(struct fg_aws_call *call);
void logs_list_tags_for_resource(struct fg_aws_call *call);

extern const struct fg_object logs_create_log_group_input, logs_group_input,
        logs_describe_log_groups_input, logs_retention_input, logs_stream_input,
        logs_describe_log_streams_input, logs_put_log_events_input, logs_get_log_events_input,
        logs_filter_log_events_input, logs_tag_log_group_input, logs_list_tags_log_group_input,
        logs_untag_log_group_input, logs_tag_resource_input, logs_untag_resource_input,
        logs_resource_input;

struct logs_group { /* what several operations take */
        char *name;
};
struct logs_stream {
        char *group, *name;
};

/* For rows: the names' rules. */
bool logs_check_group(struct fg_decode *d, const char *s);
bool logs_check_stream(struct fg_decode *d, const char *s);
/** logs_check_token() - whether it looks like one; logs_page_start() knows whether it is. */
bool logs_check_token(struct fg_decode *d, const char *s);

/** logs_answer() - a fg_cwlogs_fn that ends the call; an empty object is no output. */
void logs_answer(void *call, struct json_object *result, const struct fg_error *err);
/** logs_deleted() - the same, of what cwlogs_free_streams() has said. */
void logs_deleted(void *userdata, struct json_object *result, const struct fg_error *err);
/** logs_identify() - the group by name or identifier, as cwlogs_group_name(). Caller frees. */
char *logs_identify(const struct cwlogs_db *db, const char *name, const char *identifier,
                    struct fg_error *err);
/** logs_page_start() - fg_page_cursor_of(), with the error. */
int logs_page_start(const char *list, const char *token, char cursor[FG_PAGE_CURSOR_MAX + 1],
                    struct fg_error *err);

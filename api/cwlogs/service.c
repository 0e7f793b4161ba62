/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cwlogs/service.h"

#include "api/cwlogs/ops.h"

#define OPERATION(operation, function, table)                                                      \
        {                                                                                          \
                .name = operation, .handle = logs_##function, .input = &logs_##table##_input       \
        }

/* Of the old form, whose model has no exception for input that is not valid. */
#define OLD_OPERATION(operation, function)                                                         \
        {                                                                                          \
                .name = operation, .handle = logs_##function, .input = &logs_##function##_input,   \
                .invalid = "ResourceNotFoundException"                                             \
        }

static const struct fg_aws_operation operations[] = {
        OPERATION("CreateLogGroup", create_log_group, create_log_group),
        OPERATION("CreateLogStream", create_log_stream, stream),
        OPERATION("DeleteLogGroup", delete_log_group, group),
        OPERATION("DeleteLogStream", delete_log_stream, stream),
        OPERATION("DeleteRetentionPolicy", delete_retention_policy, group),
        OPERATION("DescribeLogGroups", describe_log_groups, describe_log_groups),
        OPERATION("DescribeLogStreams", describe_log_streams, describe_log_streams),
        OPERATION("FilterLogEvents", filter_log_events, filter_log_events),
        OPERATION("GetLogEvents", get_log_events, get_log_events),
        OPERATION("ListTagsForResource", list_tags_for_resource, resource),
        OLD_OPERATION("ListTagsLogGroup", list_tags_log_group),
        OPERATION("PutLogEvents", put_log_events, put_log_events),
        OPERATION("PutRetentionPolicy", put_retention_policy, retention),
        OPERATION("TagLogGroup", tag_log_group, tag_log_group),
        OPERATION("TagResource", tag_resource, tag_resource),
        OLD_OPERATION("UntagLogGroup", untag_log_group),
        OPERATION("UntagResource", untag_resource, untag_resource),
        { 0 },
};

static const char *const model[] = {
        "AssociateKmsKey",
        "CancelExportTask",
        "CreateDelivery",
        "CreateExportTask",
        "CreateLogAnomalyDetector",
        "CreateLogGroup",
        "CreateLogStream",
        "DeleteDataProtectionPolicy",
        "DeleteDestination",
        "DeleteLogGroup",
        "DeleteLogStream",
        "DeleteMetricFilter",
        "DeleteQueryDefinition",
        "DeleteResourcePolicy",
        "DeleteRetentionPolicy",
        "DeleteSubscriptionFilter",
        "DescribeDestinations",
        "DescribeExportTasks",
        "DescribeFieldIndexes",
        "DescribeLogGroups",
        "DescribeLogStreams",
        "DescribeMetricFilters",
        "DescribeQueries",
        "DescribeQueryDefinitions",
        "DescribeResourcePolicies",
        "DescribeSubscriptionFilters",
        "DisassociateKmsKey",
        "FilterLogEvents",
        "GetDataProtectionPolicy",
        "GetLogEvents",
        "GetLogGroupFields",
        "GetLogRecord",
        "GetQueryResults",
        "ListLogGroups",
        "ListTagsForResource",
        "ListTagsLogGroup",
        "PutDataProtectionPolicy",
        "PutDeliverySource",
        "PutDestination",
        "PutDestinationPolicy",
        "PutIndexPolicy",
        "PutLogEvents",
        "PutLogGroupDeletionProtection",
        "PutMetricFilter",
        "PutQueryDefinition",
        "PutResourcePolicy",
        "PutRetentionPolicy",
        "PutSubscriptionFilter",
        "PutTransformer",
        "StartLiveTail",
        "StartQuery",
        "StopQuery",
        "TagLogGroup",
        "TagResource",
        "TestMetricFilter",
        "TestTransformer",
        "UntagLogGroup",
        "UntagResource",
        "UpdateAnomaly",
        NULL,
};

const struct fg_aws_service fg_logs_service = {
        .name = "logs",
        .target = "Logs_20140328",
        .operations = operations,
        .model = model,
        .exceptions = { .invalid = "InvalidParameterException",
                        .denied = "AccessDeniedException",
                        .not_found = "ResourceNotFoundException",
                        .conflict = "ResourceAlreadyExistsException",
                        .internal = "ServiceUnavailableException" },
};

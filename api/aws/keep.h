/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/aws/aws.h"
#include "api/aws/page.h"
#include "api/keeper.h"

/**
 * fg_aws_keep() - do @work on the lane of the vault, and end the call with what it returns
 * @work: its argument is the call, of which it sees `in`, `body` and what is constant. It may set
 * `exception` to what its error is called. Times of the result, nanoseconds in the vault, become
 * the protocol's.
 */
void fg_aws_keep(struct fg_aws_call *call, fg_keeper_work_fn work);

/*
 * Pages of names, for work(). A token is good for its operation and @query only: what the client
 * asked for, but for the place in it.
 */
struct fg_aws_list {
        struct fg_aws_call *call;
        const char *query;
        const char *key;                    /* member of an element that the list is sorted by */
        char after[FG_PAGE_CURSOR_MAX + 1]; /* of fg_aws_list_start(): "" or the last name sent */
};

/** fg_aws_list_start() - -1: INVALID, the token is none of this list's. */
int fg_aws_list_start(struct fg_aws_list *l, const char *token, struct fg_error *err);
/** fg_aws_list_end() - cut @elements to @max; when there were more, @out gets a NextToken. */
void fg_aws_list_end(const struct fg_aws_list *l, struct json_object *out,
                     struct json_object *elements, size_t max);
/** fg_aws_wipe() - overwrite a string of a decoded input; NULL is fine. */
void fg_aws_wipe(char *text);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "api/aws/aws.h"

/*
 * Pages of a list. Inside, a place in a list is a cursor: the sort key of the last element that was
 * sent, as text. Outside it is a nextToken, opaque to clients.
 */
#define FG_PAGE_CURSOR_MAX 1100

/** fg_page_cursor() - 0: @token's cursor is in @ret, "" when it is NULL; -1: it is none of ours. */
int fg_page_cursor(const char *token, char ret[FG_PAGE_CURSOR_MAX + 1]);
char *fg_page_token(const char *cursor); /* caller frees */

/*
 * The same for tokens that only the list takes which gave them. @list: what the client asked for,
 * but for the place in it, as text.
 */
int fg_page_cursor_of(const char *list, const char *token, char ret[FG_PAGE_CURSOR_MAX + 1]);
char *fg_page_token_of(const char *list, const char *cursor); /* caller frees */

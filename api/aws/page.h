/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "api/aws/aws.h"

/*
 * Pages of a list. Inside, a place in a list is a cursor: the sort key of the last element that was
 * sent, as text. Outside it is a nextToken, opaque to clients, which only the list takes that gave
 * it.
 */
#define FG_PAGE_CURSOR_MAX 1100

/**
 * fg_page_cursor_of() - the cursor of a token, "" when it is NULL
 * @list: what the client asked for, but for the place in it, as text
 * Return: 0; -1: the token is none that this list gave.
 */
int fg_page_cursor_of(const char *list, const char *token, char ret[FG_PAGE_CURSOR_MAX + 1]);
/** fg_page_token_valid() - whether it looks like one of some list. */
bool fg_page_token_valid(const char *token);
char *fg_page_token_of(const char *list, const char *cursor); /* caller frees */

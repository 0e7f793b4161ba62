/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct json_object;

/*
 * oci:DIR and docker-archive:FILE may be relative for the user, but fgd has another working
 * directory: they are made absolute here.
 */

/** fg_localimage_resolve() - @base (absolute) put before a relative path. The caller frees. */
char *fg_localimage_resolve(const char *reference, const char *base);
/** fg_localimage_resolve_all() - the same, in place, for each container of a task definition. */
void fg_localimage_resolve_all(struct json_object *definition, const char *base);
/** fg_localimage_base() - real directory of @file; "-", NULL: the working one. The caller frees. */
char *fg_localimage_base(const char *file);

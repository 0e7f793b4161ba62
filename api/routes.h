/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/http.h"

/* The one table of requests: docs/api.md. Each handler is a file handle_*.c. */
extern const struct fg_route fg_routes[];

void handle_task_run(void *daemon, struct fg_request *r);
void handle_task_list(void *daemon, struct fg_request *r);
void handle_task_get(void *daemon, struct fg_request *r);
void handle_task_stop(void *daemon, struct fg_request *r);
void handle_task_logs(void *daemon, struct fg_request *r);
void handle_image_list(void *daemon, struct fg_request *r);
void handle_image_pull(void *daemon, struct fg_request *r);
void handle_image_remove(void *daemon, struct fg_request *r);
void handle_prune(void *daemon, struct fg_request *r);
void handle_warm_keep(void *daemon, struct fg_request *r);
void handle_warm_list(void *daemon, struct fg_request *r);
void handle_warm_end(void *daemon, struct fg_request *r);
void handle_events(void *daemon, struct fg_request *r);
void handle_secret_create(void *daemon, struct fg_request *r);
void handle_secret_get(void *daemon, struct fg_request *r);
void handle_secret_list(void *daemon, struct fg_request *r);
void handle_secret_remove(void *daemon, struct fg_request *r);
void handle_usage(void *daemon, struct fg_request *r);
void handle_info(void *daemon, struct fg_request *r);
void handle_network(void *daemon, struct fg_request *r);
void handle_endpoint(void *daemon, struct fg_request *r);
void handle_key_create(void *daemon, struct fg_request *r);
void handle_key_list(void *daemon, struct fg_request *r);
void handle_key_revoke(void *daemon, struct fg_request *r);
void handle_health(void *daemon, struct fg_request *r);
void handle_metrics(void *daemon, struct fg_request *r);

/** request_task_id() - the id in a path: full, a prefix, or the end of an ARN. NULL: INVALID. */
const char *request_task_id(const struct fg_request *r, struct fg_error *err);
/** reply_task() - answer @status with {"task": …} as stored once all saves before are durable. */
void reply_task(void *daemon, struct fg_request *r, const char *id, int status);

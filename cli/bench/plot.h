/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct bench_page;
struct json_object;

/* The sections of a page: each draws what @rows of its section hold, of which there are some. */

void bench_plot_start(struct bench_page *page, struct json_object *rows);
void bench_plot_rate(struct bench_page *page, struct json_object *rows);
void bench_plot_memory(struct bench_page *page, struct json_object *rows);
void bench_plot_loaded(struct bench_page *page, struct json_object *rows);
void bench_plot_efficiency(struct bench_page *page, struct json_object *rows);
void bench_plot_network(struct bench_page *page, struct json_object *rows);
void bench_plot_noise(struct bench_page *page, struct json_object *rows);
void bench_plot_images(struct bench_page *page, struct json_object *rows);
void bench_plot_isolation(struct bench_page *page, struct json_object *rows);
void bench_plot_targets(struct bench_page *page, struct json_object *rows);

/** bench_put_worth() - what each boundary is worth, and what it cost here, by the whole result. */
void bench_put_worth(struct bench_page *page, struct json_object *result);

/* SPDX-License-Identifier: Apache-2.0 */
/* The result as one page: no script, no font, no picture from elsewhere. */
#include "cli/bench/bench.h"
#include "cli/bench/page.h"
#include "cli/bench/plot.h"
#include "cli/bench/tables.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

static const struct section {
        const char *name, *title, *words;
        void (*plot)(struct bench_page *page, struct json_object *rows);
} sections[] = {
        { "targets", "Targets",
          "What the project set out for on two cores without hardware virtualisation. A bar longer "
          "than there is room for is torn.",
          bench_plot_targets },
        { "start", "Start",
          "Every dot is one start; all peers took turns, so that a drift of the machine hits all "
          "alike. The band is from the fastest to p90.",
          bench_plot_start },
        { "rate", "Rate",
          "Starts that end in a second while so many are always under way. A microVM that finds no "
          "guest waiting starts a slower way, and counts.",
          bench_plot_rate },
        { "memory", "Memory",
          "What an idle instance takes, with all processes that are there for it. The numbers say "
          "how many a budget holds at that (in the budget), and how many tasks fgd admits into it, "
          "microVMs and its containers alike: it promises each its whole size and a VM's overhead, "
          "and never more than there is (admitted).",
          bench_plot_memory },
        { "loaded", "Starts beside others", "Does a start take longer where many tasks idle?",
          bench_plot_loaded },
        { "efficiency", "Efficiency",
          "Work done inside, the line is the host's. What runs on an emulated processor says what "
          "emulation costs, not what a microVM does. Disks are not compared blindly: host, runc "
          "and docker wait until the disk has what was written; in tasks, microVM or container, "
          "and "
          "with podman run --rm nobody waits, since such a disk does not outlive its task.",
          bench_plot_efficiency },
        { "network", "Network",
          "A program behind a published port, asked over the host's loopback.",
          bench_plot_network },
        { "noise", "Noisy neighbour",
          "How late a victim's work is done, one time in a hundred, beside a neighbour of its kind "
          "that takes all it can get; below it, how late in the middle, and how many times later "
          "than beside none. \"?\": beside none its rounds differ by more than twice themselves, "
          "or there is only one.",
          bench_plot_noise },
        { "images", "Images", "From the typed command to the first byte.", bench_plot_images },
        { "isolation", "Isolation", "What one and the same program sees and reaches from inside.",
          bench_plot_isolation },
};

static void put_machine(struct bench_page *page, struct json_object *result)
{
        struct json_object *host = fg_json_obj(result, "host");
        struct json_object *settings = fg_json_obj(result, "settings");

        bench_putf(page, "<p>%d CPUs (", (int)fg_json_int(host, "cpus", 0));
        bench_put_text(page, bench_name(host, "cpuModel"));
        bench_putf(page, "), %d MiB, Linux ", (int)fg_json_int(host, "memoryMiB", 0));
        bench_put_text(page, bench_name(host, "kernel"));
        bench_put(page, "; guests under ");
        bench_put_text(page, bench_name(host, "hypervisor"));
        bench_put(page, ", ");
        bench_put_text(page, bench_name(host, "accelerator"));
        bench_put(page, ". fgrun ");
        bench_put_text(page, bench_name(result, "fgrun"));
        bench_put(page, ", ");
        bench_put_text(page, bench_name(result, "startedAt"));
        bench_putf(page,
                   ". %d rounds, in turn, after %d that do not count%s. Load average before "
                   "%.1f, at the end %.1f. The budget for idle instances is %d MiB.</p>\n",
                   (int)fg_json_int(settings, "rounds", 0), (int)fg_json_int(settings, "warmUp", 0),
                   fg_json_bool(settings, "quick", false) ? " (--quick)" : "",
                   bench_value(host, "loadAverageBefore"), bench_value(host, "loadAverage"),
                   (int)fg_json_int(settings, "budgetMiB", 0));
        if (fg_json_bool(host, "emulated", false))
                bench_put(page, "<p><strong>Emulated:</strong> there is no hardware virtualisation "
                                "here, so QEMU emulates the guests' processor. Nothing on this "
                                "page says how microVMs do under KVM.</p>\n");
        if (fg_json_bool(settings, "interrupted", false))
                bench_put(page, "<p><strong>The run was interrupted:</strong> what follows is not "
                                "all.</p>\n");
}

static void put_peers(struct bench_page *page, struct json_object *peers)
{
        bench_put(page, "<details><summary>Who takes part</summary><div class=\"wide\">"
                        "<table class=\"words\">\n");
        for (size_t i = 0; i < bench_length(peers); i++) {
                struct json_object *peer = json_object_array_get_idx(peers, i);

                bench_put(page, "<tr>");
                bench_put_element(page, "th scope=\"row\"", bench_name(peer, "name"));
                bench_put_element(page, "td",
                                  fg_json_bool(peer, "works", false) ? "measured" : "not measured");
                bench_put_element(page, "td", fg_json_str(peer, "version"));
                bench_put_element(page, "td", fg_json_str(peer, "reason"));
                bench_put(page, "</tr>\n");
        }
        bench_put(page, "</table></div></details>\n");
}

static void put_section(struct bench_page *page, const struct section *s,
                        struct json_object *result)
{
        struct json_object *rows = fg_json_arr(result, s->name);

        if (bench_length(rows) == 0)
                return;
        bench_putf(page, "<section id=\"%s\"><h2>%s</h2><p>%s</p>\n", s->name, s->title, s->words);
        s->plot(page, rows);
        bench_put(page, "<details><summary>The numbers</summary>");
        for (const struct bench_table *t = bench_tables; t->name; t++)
                if (fg_streq(t->name, s->name))
                        bench_put_table(page, t, rows);
        bench_put(page, "</details>\n");
        bench_put(page, "</section>\n");
}

char *bench_html(struct json_object *result, struct fg_error *err)
{
        struct bench_page page = bench_page_new(err);
        char *text;

        bench_put(&page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                         "<meta name=\"viewport\" content=\"width=device-width\">"
                         "<title>fgrun bench</title>\n<style>");
        bench_put(&page, bench_page_style);
        bench_put(&page, "</style></head><body>\n<h1>fgrun bench</h1>\n");
        put_machine(&page, result);
        put_peers(&page, fg_json_arr(result, "peers"));
        bench_put_worth(&page, result);
        for (size_t i = 0; i < FG_ARRAY_SIZE(sections); i++)
                put_section(&page, &sections[i], result);
        bench_put(&page, "</body></html>\n");
        text = bench_page_ok(&page) ? fg_buf_take(&page.text) : NULL;
        fg_buf_finish(&page.text);
        return text;
}

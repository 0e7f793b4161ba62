/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/human.h"
#include "core/clock.h"
#include "core/json.h"

#define REDRAW_NS   (50 * FG_NS_PER_MSEC)
#define BAR_MAX     30
#define BAR_MIN     8
#define COLUMNS_MIN 20
#define COLUMNS_MAX 200

void fg_progress_init(struct fg_progress *p, const struct fg_cli *cli)
{
        struct winsize size = { 0 };

        *p = (struct fg_progress){ .enabled = cli->term_err && !cli->quiet, .columns = 80 };
        if (p->enabled && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                p->columns = size.ws_col;
}

/* "[=====>    ]", @width characters with the brackets. */
static void render_bar(uint64_t done, uint64_t total, unsigned width, char *ret)
{
        unsigned inner = width - 2, filled = 0;

        if (total > 0)
                filled = done >= total ? inner : (unsigned)((double)done / (double)total * inner);
        ret[0] = '[';
        memset(ret + 1, '=', filled);
        memset(ret + 1 + filled, ' ', inner - filled);
        if (filled < inner)
                ret[1 + filled] = '>';
        ret[inner + 1] = ']';
        ret[inner + 2] = '\0';
}

static void render_facts(const struct fg_pull_state *state, char *ret, size_t size)
{
        char done[FG_HUMAN_MAX], total[FG_HUMAN_MAX];
        double percent = 100;

        fg_human_size(state->done, done);
        if (state->total == 0) {
                (void)snprintf(ret, size, " %s %s", state->status, done);
                return;
        }
        fg_human_size(state->total, total);
        if (state->done < state->total)
                percent = 100.0 * (double)state->done / (double)state->total;
        (void)snprintf(ret, size, " %3u%% %s/%s %llu/%llu layers", (unsigned)percent, done, total,
                       (unsigned long long)state->layers_done, (unsigned long long)state->layers);
}

/* The end of a reference says more than its beginning. */
static const char *shorten(const char *image, size_t room)
{
        size_t len = strlen(image);

        return len > room ? image + (len - room) : image;
}

void fg_progress_render(const struct fg_pull_state *state, unsigned columns, char *ret)
{
        char facts[160], bar[BAR_MAX + 1] = "";
        size_t used, room;

        if (columns < COLUMNS_MIN)
                columns = COLUMNS_MIN;
        if (columns > COLUMNS_MAX)
                columns = COLUMNS_MAX;
        render_facts(state, facts, sizeof(facts));
        used = strlen(facts) + 1;
        room = columns > used ? columns - used : 0;
        if (room >= 2 * BAR_MIN) {
                size_t width = room / 2 > BAR_MAX ? BAR_MAX : room / 2;

                render_bar(state->done, state->total, (unsigned)width, bar);
                room -= width;
        }
        (void)snprintf(ret, FG_PROGRESS_MAX, "%s %s%s", shorten(state->image, room), bar, facts);
        if (strlen(ret) > columns)
                ret[columns] = '\0';
}

void fg_progress_update(struct fg_progress *p, const char *image, struct json_object *line)
{
        const char *status = fg_json_str(line, "status");
        struct fg_pull_state state = {
                .image = image,
                .status = status ? status : "pulling",
                .done = (uint64_t)fg_json_int(line, "doneBytes", 0),
                .total = (uint64_t)fg_json_int(line, "totalBytes", 0),
                .layers_done = (uint64_t)fg_json_int(line, "layersDone", 0),
                .layers = (uint64_t)fg_json_int(line, "layers", 0),
        };
        char text[FG_PROGRESS_MAX];
        uint64_t now = fg_mono_ns();

        if (!p->enabled || (p->shown && now - p->drawn_ns < REDRAW_NS))
                return;
        /* One column is left free: a full line would wrap on some terminals. */
        fg_progress_render(&state, p->columns - 1, text);
        (void)fprintf(stderr, "\r%s\033[K", text);
        p->shown = true;
        p->drawn_ns = now;
}

void fg_progress_clear(struct fg_progress *p)
{
        if (!p->shown)
                return;
        (void)fputs("\r\033[K", stderr);
        p->shown = false;
}

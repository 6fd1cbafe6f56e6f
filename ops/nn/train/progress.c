/* A bar on a terminal, and plain lines elsewhere. */
#include "ops/nn/train/progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 512, BAR = 30 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

tg_progress tg_progress_begin(FILE *file, const char *label, int64_t total) {
    double start = now();
    bool terminal = file && fileno(file) >= 0 && isatty(fileno(file));
    return (tg_progress){file, label ? label : "", total, terminal, start, start};
}

double tg_progress_seconds(const tg_progress *progress) { return progress ? now() - progress->start : 0; }

/* Columns of the terminal, of which the last stays free: some begin a new line when it is written. */
static int columns(FILE *file) {
    struct winsize size = {0};
    int n = ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
    return n < LINE ? n - 1 : LINE - 1;
}

/* " 42%  loss 0.3391  0:31 left" */
static int write_state(char line[LINE], const tg_progress *p, int64_t done, const char *text) {
    double seconds = now() - p->start;
    double part = p->total > 0 ? (double)done / (double)p->total : 1;
    int n = snprintf(line, LINE, "%3.0f%%%s%.300s", 100 * part, text && *text ? "  " : "", text ? text : "");
    double left = part > 0 && part <= 1 ? seconds * (1 - part) / part + 0.5 : 1e9;
    if (left >= 3600e3) return n;
    long s = (long)left;
    if (s < 3600) return n + snprintf(line + n, (size_t)(LINE - n), "  %ld:%02ld left", s / 60, s % 60);
    return n + snprintf(line + n, (size_t)(LINE - n), "  %ldh%02ld left", s / 3600, s / 60 % 60);
}

static void draw_bar(const tg_progress *p, int64_t done, const char *state, int length) {
    int most = columns(p->file), free = most - (int)strlen(p->label) - length - 5;
    int width = free < BAR ? free : BAR;
    char bar[BAR + 1] = "", line[2 * LINE];
    int filled = p->total > 0 && width > 0 ? (int)((double)width * ((double)done / (double)p->total)) : width;
    for (int i = 0; i < width; i++) bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
    if (width > 4)
        snprintf(line, sizeof line, "%.200s [%s] %s", p->label, bar, state);
    else
        snprintf(line, sizeof line, "%.200s %s", p->label, state);
    fprintf(p->file, "\r\033[K%.*s", most, line);
}

void tg_progress_show(tg_progress *progress, int64_t done, const char *text) {
    if (!progress || !progress->file) return;
    double at = now();
    if (at - progress->last < (progress->terminal ? 0.1 : 10)) return;
    progress->last = at;
    char state[LINE];
    int length = write_state(state, progress, done, text);
    if (progress->terminal)
        draw_bar(progress, done, state, length);
    else
        fprintf(progress->file, "%s  %s\n", progress->label, state);
    fflush(progress->file);
}

void tg_progress_end(tg_progress *progress) {
    if (!progress || !progress->file || !progress->terminal) return;
    fputs("\r\033[K", progress->file);
    fflush(progress->file);
}

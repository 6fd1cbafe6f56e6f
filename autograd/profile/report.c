/* A profile as rows and as tables. */
#include "autograd/profile/cost.h"
#include "autograd/profile/profile_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 30
#define NAMES 72 /* characters of the list of a line's ops */

/* ---- rows, merged and in order ---- */

typedef int compare(const void *a, const void *b);

static int by_text(const char *a, const char *b) {
    return !a || !b ? (a != NULL) - (b != NULL) : strcmp(a, b);
}

static int by_op(const void *a, const void *b) {
    const tg_profile_row *x = a, *y = b;
    int c = by_text(x->op, y->op);
    if (c == 0) c = (int)x->phase - (int)y->phase;
    if (c == 0) c = (int)x->rule - (int)y->rule;
    if (c == 0) c = (int)x->replayed - (int)y->replayed;
    return c ? c : x->calls - y->calls;
}

static int by_line(const void *a, const void *b) {
    const tg_profile_row *x = a, *y = b;
    int c = by_text(x->file, y->file);
    if (c == 0) c = x->line < y->line ? -1 : x->line > y->line;
    return c ? c : (x->last > y->last) - (x->last < y->last);
}

static int by_place_and_op(const void *a, const void *b) {
    int c = by_line(a, b);
    return c ? c : by_op(a, b);
}

/* The longest first, and those of one length in an order that does not depend on the run. */
static int by_time(const void *a, const void *b) {
    const tg_profile_row *x = a, *y = b;
    if (x->seconds != y->seconds) return x->seconds > y->seconds ? -1 : 1;
    return by_place_and_op(a, b);
}

/* Rows that compare as equal become one. A function of two texts that are equal may have been called by two names of them. */
static int64_t merge(tg_profile_row *row, int64_t n, compare *same) {
    int64_t m = 0;
    qsort(row, (size_t)n, sizeof *row, same);
    for (int64_t i = 0; i < n; i++) {
        if (m == 0 || same(&row[m - 1], &row[i]) != 0) {
            row[m++] = row[i];
            continue;
        }
        tg_profile_row *r = &row[m - 1];
        r->count += row[i].count, r->seconds += row[i].seconds, r->within += row[i].within;
        r->bytes += row[i].bytes, r->flops += row[i].flops;
    }
    qsort(row, (size_t)m, sizeof *row, by_time);
    return m;
}

/* A row for each entry; NULL with the error raised. */
static tg_profile_row *rows_of(const tg_profile *p, const char *who) {
    size_t bytes = (size_t)(p->n_entries + 1) * sizeof(tg_profile_row);
    tg_profile_row *row = tg_sys_alloc(bytes);
    if (!row) {
        tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %" PRId64 " rows", who, p->n_entries);
        return NULL;
    }
    for (int64_t i = 0; i < p->n_entries; i++) {
        row[i] = p->entry[i].row;
        row[i].seconds = (double)p->entry[i].own / 1e9, row[i].within = (double)p->entry[i].within / 1e9;
    }
    return row;
}

static void free_rows(const tg_profile *p, tg_profile_row *row) {
    tg_sys_free(row, (size_t)(p->n_entries + 1) * sizeof *row);
}

int64_t tg_profile_rows(const tg_profile *handle, tg_profile_row *row, int64_t most) {
    const tg_profile *p = tg_profile_ended(handle, "tg_profile_rows");
    if (p && !row && most > 0) tg_fail(TG_ERR_ARGUMENT, "tg_profile_rows: the array of rows is NULL");
    tg_profile_row *all = p && (row || most <= 0) ? rows_of(p, "tg_profile_rows") : NULL;
    if (!all) return -1;
    int64_t n = merge(all, p->n_entries, by_place_and_op);
    for (int64_t i = 0; i < n && i < most; i++) row[i] = all[i];
    free_rows(p, all);
    return n;
}

/* ---- text ---- */

/* Names and paths are the user's: whatever is in them, a row is one line. */
static void print_text(FILE *file, const char *text, int most) {
    for (; *text && most > 0; text++, most--)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, file);
    if (*text) fputs(" ..", file);
}

void tg_profile_row_name(const tg_profile_row *r, char text[TG_ROW_NAME]) {
    bool inside = r->phase == TG_PHASE_BACKWARD && !r->rule && !r->calls && strcmp(r->op, "backward") != 0;
    snprintf(text, TG_ROW_NAME, "%s%.*s%s", r->replayed ? "plan: " : "", TG_ROW_NAME - 64, r->op,
             r->rule  ? " backward"
             : inside ? " in backward"
                      : "");
}

static void print_op(FILE *file, const tg_profile_row *r) {
    char text[TG_ROW_NAME];
    tg_profile_row_name(r, text);
    print_text(file, text, TG_ROW_NAME);
    fputc('\n', file);
}

#define PLACE 40 /* characters of a place, at most */

static void place_of(const tg_profile_row *r, char text[PLACE + 1]) {
    char lines[28] = "";
    if (r->last != r->line)
        snprintf(lines, sizeof lines, ":%d-%d", r->line, r->last);
    else
        snprintf(lines, sizeof lines, ":%d", r->line);
    if (r->file)
        snprintf(text, PLACE + 1, "%.*s%s", PLACE - (int)strlen(lines), tg_base_name(r->file), lines);
    else
        snprintf(text, PLACE + 1, "(no line)");
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
}

static const char *rate(double v, double seconds, char text[16]) {
    return tg_figure(seconds > 0 ? v / seconds : 0, text);
}

static double share(const tg_profile *p, double seconds) {
    return p->ended > p->began ? seconds * 1e11 / (double)(p->ended - p->began) : 0;
}

/* ---- the tables ---- */

typedef struct table {
    FILE *file;
    const tg_profile *p;
    tg_profile_row *row; /* n, merged */
    int64_t n, shown;
} table;

static void print_by_op(const table *t) {
    char b[16], f[16];
    fprintf(t->file, "%12s %8s %10s %12s %8s %8s  %s\n", "ms", "share", "calls", "us each", "B/s", "flop/s",
            "op");
    for (int64_t i = 0; i < t->shown; i++) {
        const tg_profile_row *r = &t->row[i];
        fprintf(t->file, "%12.3f %6.1f %% %10" PRId64 " %12.2f %s %s  ", r->seconds * 1e3,
                share(t->p, r->seconds), r->count, r->seconds * 1e6 / (double)r->count,
                rate(r->bytes, r->seconds, b), rate(r->flops, r->seconds, f));
        print_op(t->file, r);
    }
}

/* The ops of one line, each once, as far as there is room; all holds the rows before they were merged. */
static void print_ops_of(const table *t, const tg_profile_row *line) {
    int left = NAMES;
    const char *before = "";
    for (int64_t i = 0; i < t->p->n_entries && left > 0; i++) {
        const tg_profile_row *r = &t->p->entry[i].row;
        bool again = by_line(r, line) != 0;
        for (int64_t k = 0; k < i && !again; k++)
            again = by_line(&t->p->entry[k].row, line) == 0 && strcmp(t->p->entry[k].row.op, r->op) == 0;
        if (again) continue;
        fputs(before, t->file);
        print_text(t->file, r->op, left);
        left -= (int)strlen(r->op) + 2;
        before = ", ";
    }
    fputc('\n', t->file);
}

static double in_phase(const table *t, const tg_profile_row *line, tg_phase phase) {
    int64_t sum = 0;
    for (int64_t i = 0; i < t->p->n_entries; i++) {
        const tg_profile_entry *e = &t->p->entry[i];
        if (e->row.phase == phase && by_line(&e->row, line) == 0) sum += e->own;
    }
    return (double)sum / 1e6;
}

static void print_by_line(const table *t) {
    char b[16], f[16], place[PLACE + 1];
    int width = 4;
    for (int64_t i = 0; i < t->shown; i++) {
        place_of(&t->row[i], place);
        if ((int)strlen(place) > width) width = (int)strlen(place);
    }
    fprintf(t->file, "%12s %8s %12s %12s %12s %8s %8s  %-*s  %s\n", "ms", "share", "forward", "backward",
            "update", "B/s", "flop/s", width, "line", "ops");
    for (int64_t i = 0; i < t->shown; i++) {
        const tg_profile_row *r = &t->row[i];
        place_of(r, place);
        fprintf(t->file, "%12.3f %6.1f %% %12.3f %12.3f %12.3f %s %s  %-*s  ", r->seconds * 1e3,
                share(t->p, r->seconds), in_phase(t, r, TG_PHASE_FORWARD), in_phase(t, r, TG_PHASE_BACKWARD),
                in_phase(t, r, TG_PHASE_UPDATE), rate(r->bytes, r->seconds, b), rate(r->flops, r->seconds, f),
                width, place);
        print_ops_of(t, r);
    }
}

static void print_rest(const table *t) {
    double all = (double)(t->p->ended - t->p->began) / 1e9, others = 0, outside = all;
    for (int64_t i = 0; i < t->n; i++) {
        outside -= t->row[i].seconds;
        if (i >= t->shown) others += t->row[i].seconds;
    }
    if (t->n > t->shown)
        fprintf(t->file, "%12.3f %6.1f %%  others: %" PRId64 " rows\n", others * 1e3, share(t->p, others),
                t->n - t->shown);
    fprintf(t->file, "%12.3f %6.1f %%  outside of ops\n", outside * 1e3, share(t->p, outside));
    fprintf(t->file, "%12.3f %6.1f %%  in all\n", all * 1e3, share(t->p, all));
}

static void print_table(FILE *file, const tg_profile *p, compare *same, void print(const table *t), int most) {
    table t = {.file = file, .p = p, .row = rows_of(p, "tg_profile_print")};
    if (!t.row) return;
    t.n = merge(t.row, p->n_entries, same);
    t.shown = t.n < most ? t.n : most;
    print(&t);
    print_rest(&t);
    free_rows(p, t.row);
}

void tg_profile_print_with(FILE *file, const tg_profile *handle, tg_profile_print_opts opts) {
    const tg_profile *p = tg_profile_ended(handle, "tg_profile_print");
    if (!p) return;
    if (!file || opts.rows < 0 || (unsigned)opts.table > TG_PROFILE_BY_LINE) {
        tg_fail(TG_ERR_ARGUMENT, "tg_profile_print: %s",
                !file           ? "the file is NULL"
                : opts.rows < 0 ? ".rows is below 0"
                                : ".table is none of the tables");
        return;
    }
    int most = opts.rows ? opts.rows : ROWS;
    if (opts.table != TG_PROFILE_BY_LINE) print_table(file, p, by_op, print_by_op, most);
    if (opts.table == TG_PROFILE_BOTH) fputc('\n', file);
    if (opts.table != TG_PROFILE_BY_OP) print_table(file, p, by_line, print_by_line, most);
    if (p->lost) fprintf(file, "%" PRId64 " events are in no row: there was no memory for them\n", p->lost);
}

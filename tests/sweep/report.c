/* What was measured, by case, instruction set and order. Check runs tests in child processes: the counts lie in memory that
 * all of them share. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/sweep/sweep.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_CASES = 1024 };

static tally_of (*shared)[MOST_ISAS][N_ORDERS];

bool report_open(void) {
    size_t size = sizeof *shared * MOST_CASES;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) shared = p;
    return p != MAP_FAILED;
}

tally_of *report_of(int c, int isa) { return shared[c][isa]; }

/* The worst over instruction sets. */
static tally_of worst_of(int c, order o) {
    tally_of all = {.worst = 0};
    for (int s = 0; s < MOST_ISAS; s++) {
        const tally_of *t = &shared[c][s][o];
        all.compared += t->compared, all.wrong += t->wrong;
        if (!(t->worst <= all.worst)) all.worst = t->worst;
    }
    return all;
}

static bool is_same(const golden *a, const golden *b) {
    return strcmp(a->call, b->call) == 0 && strcmp(a->points, b->points) == 0 && a->output == b->output &&
           memcmp(&a->arg, &b->arg, sizeof a->arg) == 0;
}

void report_name(const golden *g, char *out, size_t size) {
    int n = snprintf(out, size, "%s", g->call);
    for (int i = 0; i < g->arg.n && n > 0 && (size_t)n < size; i++)
        n += snprintf(out + n, size - (size_t)n, "%s%g%s", i ? ", " : "(", g->arg.v[i],
                      i + 1 < g->arg.n ? "" : ")");
}

typedef struct line {
    char name[80];
    int64_t compared;
    double worst[2][3]; /* f32, f64: value, gradient by either form of its rule, second derivative */
} line;

/* What was compared of a function in both dtypes; false: nothing, or a case of f64, which its twin of f32 counts. */
static bool read_line(int c, line *out) {
    const golden *g = sweep_case(c);
    if (g->dtype != TG_F32) return false;
    int wide = c;
    while (wide < sweep_cases() && !(sweep_case(wide)->dtype == TG_F64 && is_same(sweep_case(wide), g)))
        wide++;
    *out = (line){.compared = 0};
    report_name(g, out->name, sizeof out->name);
    for (int d = 0; d < 2 && wide < sweep_cases(); d++)
        for (int o = 0; o < N_ORDERS; o++) {
            tally_of t = worst_of(d ? wide : c, (order)o);
            double *w = &out->worst[d][o == O_VALUE ? 0 : o == O_SECOND ? 2 : 1];
            *w = fmax(*w, t.worst), out->compared += t.compared;
        }
    return out->compared > 0;
}

void report_print(FILE *f) {
    line l;
    for (int c = 0; c < sweep_cases(); c++) {
        if (!read_line(c, &l)) continue;
        fprintf(f, "%-28s%9lld", l.name, (long long)l.compared);
        for (int d = 0; d < 2; d++)
            for (int o = 0; o < 3; o++) fprintf(f, "%10.3g", l.worst[d][o]);
        fputc('\n', f);
    }
}

static void print_dense(FILE *f, const char *name, tg_dtype d) {
    double w = dense_worst(name, d);
    if (w < 0)
        fprintf(f, " |");
    else
        fprintf(f, " %.2f |", w);
}

void report_table(FILE *f, const char *isa) {
    fprintf(f,
            "| %s | numbers | f32: value, in its domain | everywhere | first | second "
            "| f64: value, in its domain | everywhere | first | second "
            "|\n|---|---|---|---|---|---|---|---|---|---|\n",
            isa);
    line l;
    for (int c = 0; c < sweep_cases(); c++) {
        if (!read_line(c, &l)) continue;
        fprintf(f, "| `%s` | %lld |", l.name, (long long)l.compared);
        for (int d = 0; d < 2; d++) {
            print_dense(f, l.name, (tg_dtype)(d ? TG_F64 : TG_F32));
            for (int o = 0; o < 3; o++) fprintf(f, " %.3g |", l.worst[d][o]);
        }
        fputc('\n', f);
    }
}

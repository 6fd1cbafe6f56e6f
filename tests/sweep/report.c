/* What was measured, by case, instruction set and order. Check runs tests in child processes: the counts lie in memory that
 * all of them share. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/sweep/sweep.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_CASES = 1024 };

static tally_of (*shared)[N_ISAS][N_ORDERS];

bool report_open(void) {
    size_t size = sizeof *shared * MOST_CASES;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) shared = p;
    return p != MAP_FAILED;
}

tally_of *report_of(int c, int isa) { return shared[c][isa]; }

/* The worst over instruction sets, or of one. */
static tally_of worst_of(int c, int isa, order o) {
    tally_of all = {.worst = 0};
    for (int s = 0; s < N_ISAS; s++) {
        const tally_of *t = &shared[c][s][o];
        if (isa >= 0 && s != isa) continue;
        all.compared += t->compared, all.left_out += t->left_out, all.wrong += t->wrong;
        if (!(t->worst <= all.worst)) {
            int64_t compared = all.compared, left_out = all.left_out, wrong = all.wrong;
            all = *t, all.compared = compared, all.left_out = left_out, all.wrong = wrong;
        }
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

/* One line a case: numbers compared, then the worst of each order in f32 and in f64. The orders of a gradient by its two
 * forms are one column. */
void report_print(FILE *f, int isa, const char *format, const char *separator) {
    for (int c = 0; c < sweep_cases(); c++) {
        const golden *g = sweep_case(c);
        if (g->dtype != TG_F32) continue;
        int wide = c;
        while (wide < sweep_cases() && !(sweep_case(wide)->dtype == TG_F64 && is_same(sweep_case(wide), g)))
            wide++;
        char name[80];
        report_name(g, name, sizeof name);
        int64_t compared = 0;
        double worst[2][3];
        for (int d = 0; d < 2; d++) {
            tally_of by[N_ORDERS];
            for (int o = 0; o < N_ORDERS; o++)
                by[o] = worst_of(d ? wide : c, isa, (order)o), compared += by[o].compared;
            worst[d][0] = by[O_VALUE].worst;
            worst[d][1] = fmax(by[O_FIRST].worst, by[O_RECORDED].worst);
            worst[d][2] = by[O_SECOND].worst;
        }
        if (compared == 0) continue;
        fprintf(f, format, name, (long long)compared);
        for (int d = 0; d < 2; d++)
            for (int o = 0; o < 3; o++) fprintf(f, "%s%9.3g", separator, worst[d][o]);
        fprintf(f, "%s\n", strcmp(separator, " | ") == 0 ? " |" : "");
    }
}

/* What was checked. Check runs tests in child processes: the counts lie in memory that all of them share. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/ops/harness.h"

#include <string.h>
#include <sys/mman.h>

#define MAX_OPS 512

typedef struct counts {
    int64_t numbers[MAX_OPS][N_KINDS][N_CHECKS];
    int64_t cases[MAX_OPS][N_KINDS];
    int64_t tally[N_TALLIES];
    double worst;
} counts;

static counts *shared;

bool coverage_open(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared != MAP_FAILED;
}

void cover(const tg_op *op, kind k, check c, int64_t numbers) {
    shared->numbers[op_index(op)][k][c] += numbers;
    if (c == C_VALUE) shared->cases[op_index(op)][k]++;
}

void cover_case(const tg_op *op, kind k) { shared->cases[op_index(op)][k]++; }
int64_t covered(const tg_op *op, kind k) { return shared->cases[op_index(op)][k]; }
int64_t covered_by(const tg_op *op, kind k, check c) { return shared->numbers[op_index(op)][k][c]; }
void count_up(tally t, int64_t n) { shared->tally[t] += n; }
int64_t counted(tally t) { return shared->tally[t]; }
void raise_worst(double relative) {
    if (relative > shared->worst) shared->worst = relative;
}

static const char *exempt(const tg_op *op, kind k) {
    const family *const *all;
    int n = families(&all);
    for (int f = 0; f < n; f++)
        for (int i = 0; i < all[f]->n_exempt; i++) {
            const exemption *e = &all[f]->exempt[i];
            if (e->kinds & KIND(k) && strcmp(e->op, op->name) == 0) return e->why;
        }
    return NULL;
}

const char *not_applicable(const tg_op *op, kind k) {
    bool sides = k == K_LEFT || k == K_RIGHT || k == K_BOTH;
    if (sides && op->n_in == 1) return "one input";
    if (k == K_REPEATED && !has_gradient(op)) return "no gradient to add up";
    if (k == K_OPTIONS && op->n_attrs == 0) return "no attributes";
    if (k == K_KINK && !op->kink) return "no kink";
    return exempt(op, k);
}

static void print_row(FILE *f, const tg_op *op) {
    fprintf(f, "%-14s", op->name);
    for (int k = 0; k < N_KINDS; k++) {
        if (not_applicable(op, (kind)k))
            fprintf(f, "%9s", "-");
        else
            fprintf(f, "%9lld", (long long)covered(op, (kind)k));
    }
    fputc('\n', f);
}

static void print_totals(FILE *f) {
    static const char *const names[N_CHECKS] = {"value, f32 against f64", "first order", "second order",
                                                "grad against grad_kernel", "gradient, f32 against f64"};
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    fprintf(f, "%d ops, %d rows. Numbers compared:\n", n, n_samples());
    for (int c = 0; c < N_CHECKS; c++) {
        int64_t sum = 0;
        for (int o = 0; o < n; o++)
            for (int k = 0; k < N_KINDS; k++) sum += covered_by(table[o].op, (kind)k, (check)c);
        fprintf(f, "  %-28s %9lld\n", names[c], (long long)sum);
    }
    fprintf(f,
            "Mutants: %lld planted, %lld caught, %lld equivalent. Golden numbers: %lld cases, worst error "
            "%.2g of f64.\n",
            (long long)counted(T_PLANTED), (long long)counted(T_CAUGHT), (long long)counted(T_EQUIVALENT),
            (long long)counted(T_GOLDEN), shared->worst);
    fprintf(f, "Exact cases: %lld. Error inputs: %lld.\n", (long long)counted(T_EXACT),
            (long long)counted(T_ERRORS));
}

void coverage_print(FILE *f) {
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    fprintf(f, "Trials by op and kind (- does not apply)\n%-14s", "");
    for (int k = 0; k < N_KINDS; k++) fprintf(f, "%9s", kind_name((kind)k));
    fputc('\n', f);
    for (int o = 0; o < n; o++) print_row(f, table[o].op);
    print_totals(f);
}

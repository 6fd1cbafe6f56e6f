/* What was checked. Check runs tests in child processes: the counts lie in memory that all of them share. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/ops/harness.h"

#include <string.h>
#include <sys/mman.h>

#define MAX_OPS 512

typedef struct count {
    int64_t trials, numbers;
} count;

typedef struct counts {
    count by[MAX_OPS][TG_DTYPES][N_KINDS][N_CHECKS];
    int64_t cases[MAX_OPS][N_KINDS]; /* exact ones */
    bool takes[MAX_OPS][TG_DTYPES];
    int64_t tally[N_TALLIES];
    double worst[2]; /* of f32 and f64 */
} counts;

static counts *shared;

bool coverage_open(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared != MAP_FAILED;
}

void cover(const tg_op *op, tg_dtype d, kind k, check c, int64_t numbers) {
    count *at = &shared->by[op_index(op)][d][k][c];
    at->trials++;
    at->numbers += numbers;
}

void cover_case(const tg_op *op, kind k) { shared->cases[op_index(op)][k]++; }
void cover_dtype(const tg_op *op, tg_dtype d) { shared->takes[op_index(op)][d] = true; }
bool takes_dtype(const tg_op *op, tg_dtype d) { return shared->takes[op_index(op)][d]; }

int64_t covered_by(const tg_op *op, tg_dtype d, kind k, check c) {
    return shared->by[op_index(op)][d][k][c].trials;
}

int64_t covered(const tg_op *op, kind k) {
    int64_t sum = shared->cases[op_index(op)][k];
    for (int d = 0; d < TG_DTYPES; d++) sum += covered_by(op, (tg_dtype)d, k, C_VALUE);
    return sum;
}

void count_up(tally t, int64_t n) { shared->tally[t] += n; }
int64_t counted(tally t) { return shared->tally[t]; }
void raise_worst(tg_dtype f, double relative) {
    if (relative > shared->worst[f]) shared->worst[f] = relative;
}

/* ---- what need not be ---- */

static const char *exempt(const tg_op *op, kind k) {
    const sample_set *const *all;
    int n = sample_sets(&all);
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
    if (k == K_SCALED && beyond_scales(op->name, -1)) return beyond_scales(op->name, -1);
    return exempt(op, k);
}

const char *not_in_dtype(const tg_op *op, tg_dtype d, kind k) {
    if (!takes_dtype(op, d)) return "not taken";
    if (k == K_OPTIONS || k == K_KINK) return "not counted by dtype";
    if (!tg_dtype_is_float(d) && (k == K_LARGE || k == K_SMALL || k == K_NAN || k == K_INF || k == K_SCALED))
        return "kinds of floats";
    if (k == K_SCALED && d == TG_F64) return "exact in some calls only: tests/sweep";
    return not_applicable(op, k);
}

/* ---- the matrix ---- */

/* A cell: trials of the value, with ' where the gradient was checked, with '' where its derivatives were too. */
static void print_cell(FILE *f, const tg_op *op, tg_dtype d, kind k) {
    bool exact = k == K_OPTIONS || k == K_KINK;
    if (exact ? not_applicable(op, k) : not_in_dtype(op, d, k)) {
        fprintf(f, "%9s", "-");
        return;
    }
    int64_t n = exact ? covered(op, k) : covered_by(op, d, k, C_VALUE);
    bool first = covered_by(op, d, k, d == TG_F32 ? C_F32_GRAD : C_FIRST) > 0;
    char text[24];
    snprintf(text, sizeof text, "%lld%s", (long long)n,
             covered_by(op, d, k, C_SECOND) > 0 ? "''"
             : first                            ? "'"
                                                : "");
    fprintf(f, "%9s", text);
}

static void print_op(FILE *f, const tg_op *op) {
    for (int d = 0; d < TG_DTYPES; d++) {
        if (!takes_dtype(op, (tg_dtype)d)) continue;
        fprintf(f, "%-17s%-5s", op->name, tg_dtype_name((tg_dtype)d));
        for (int k = 0; k < N_KINDS; k++) print_cell(f, op, (tg_dtype)d, (kind)k);
        fputc('\n', f);
    }
}

static void print_totals(FILE *f) {
    static const char *const names[N_CHECKS] = {"value",
                                                "first order",
                                                "second order",
                                                "grad against grad_kernel",
                                                "adjoint identity",
                                                "gradient, f32 against f64"};
    int n;
    tg_op_table(&n);
    fprintf(f, "%d ops, %d rows\n%-28s%9s%12s\n", n, n_samples(), "", "cases", "numbers");
    for (int c = 0; c < N_CHECKS; c++) {
        count sum = {0, 0};
        for (int o = 0; o < n; o++)
            for (int d = 0; d < TG_DTYPES; d++)
                for (int k = 0; k < N_KINDS; k++) {
                    sum.trials += shared->by[o][d][k][c].trials;
                    sum.numbers += shared->by[o][d][k][c].numbers;
                }
        fprintf(f, "%-28s%9lld%12lld\n", names[c], (long long)sum.trials, (long long)sum.numbers);
    }
}

void coverage_print(FILE *f) {
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    fprintf(f,
            "Trials by op, dtype and kind; ' with first, '' with second derivatives; - does not apply\n%-22s",
            "");
    for (int k = 0; k < N_KINDS; k++) fprintf(f, "%9s", kind_name((kind)k));
    fputc('\n', f);
    for (int o = 0; o < n; o++) print_op(f, table[o].op);
    print_totals(f);
    fprintf(f, "Mutants: %lld planted, %lld caught, %lld equivalent.\n", (long long)counted(T_PLANTED),
            (long long)counted(T_CAUGHT), (long long)counted(T_EQUIVALENT));
    fprintf(f, "Golden numbers: %lld cases, worst relative error %.2g in f64, %.2g in f32.\n",
            (long long)counted(T_GOLDEN), shared->worst[TG_F64], shared->worst[TG_F32]);
    fprintf(f, "Plans: %lld, of which %lld were replayed.\n", (long long)counted(T_PLANNED),
            (long long)counted(T_REPLAYED));
    fprintf(f, "Exact cases: %lld. Error inputs: %lld.\n", (long long)counted(T_EXACT),
            (long long)counted(T_ERRORS));
}

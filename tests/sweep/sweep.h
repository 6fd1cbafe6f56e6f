/* The sweep: value, first and second derivative of what is elementwise, a norm, a loss or a reduction, from the least
 * subnormal to the largest number, against mpmath's. For each instruction set, in f32 and f64.
 *
 *   golden.c      reads tests/golden/sweep.golden.gz (make_sweep.py describes it)
 *   evaluate.c    value, gradient and Hessian of a call at the points, the gradient by both forms of the rules
 *   bounds.c      how far each may be off, in units in the last place, and why
 *   compare.c     measures and counts
 *   dense.c       values at many more points, for the table of errors
 *   report.c      the counts and the table
 *   test_sweep.c  the tests; wrong functions that must be noticed
 */
#ifndef TG_TESTS_SWEEP_H
#define TG_TESTS_SWEEP_H

#include "tests/ops/harness.h"

#define MAX_FREE 8 /* numbers of a point that are differentiated */

typedef struct golden {
    const char *call, *points; /* texts of the file, which end at a space */
    tg_dtype dtype;
    int output; /* the element of the result that is looked at */
    arguments arg;
    int n_in;
    struct golden_input {
        char kind;      /* d: differentiated, c: constant, i: integers */
        tg_shape shape; /* of one point */
        bool elementwise;
        int width; /* elements of a point */
    } in[MAX_IN];
    int n_points, width, n_free;
    const double *x;                             /* [n_points][width] */
    double *value, *first, *second;              /* [n_points], [n_points][n_free], [n_points][triangle] */
    bool *free_value, *free_first, *free_second; /* where nothing is compared */
    double *terms; /* [n_points][1 + n_free + triangle]: what rounding is relative to beside the result; NULL: nothing */
} golden;

static inline int triangle(int m) { return m * (m + 1) / 2; }
static inline int corner(int m, int i, int j) { /* the place of (i, j) or (j, i) in the upper triangle by rows */
    int a = i < j ? i : j, b = i < j ? j : i;
    return a * m - a * (a - 1) / 2 + b - a;
}

/* Ends the program, or the test, with a message unless it holds; works outside of tests too. */
void sweep_require(bool holds, const char *what, const char *why);

bool sweep_open(void); /* reads the file; false: not readable */
void sweep_close(void);
int sweep_cases(void);
const golden *sweep_case(int i);

/* What an instruction set gives: the layout is that of golden, with all of the Hessian. */
typedef struct computed {
    double *value, *first, *recorded, *second; /* [n_points], [..][n_free] twice, [..][n_free][n_free] */
} computed;
computed evaluate(const golden *g, call_fn f);
void computed_free(computed *c);

typedef enum order { O_VALUE, O_FIRST, O_RECORDED, O_SECOND, N_ORDERS } order;

/* How many numbers, the largest error and where. */
typedef struct tally_of {
    int64_t compared, left_out, wrong;
    double worst;                   /* in units in the last place */
    double at[MAX_FREE], got, want; /* of the worst */
} tally_of;
void compare(const golden *g, const computed *c, tally_of by[N_ORDERS], FILE *failures, const char *isa);

enum { MOST_ISAS = 8 }; /* instruction sets: tg_kernel_isas, by number */

bool report_open(void);                                    /* false: no memory */
tally_of *report_of(int number_of_case, int isa);          /* [N_ORDERS] */
void report_name(const golden *g, char *out, size_t size); /* the call with its numbers */
void report_print(FILE *f);
void report_table(FILE *f, const char *isa);          /* docs/performance-tables.md */
double dense_worst(const char *function, tg_dtype d); /* of the kernels in use; negative: no such function */

TCase *tcase_sweep(void);

/* In units in the last place. */
double bound_of(const golden *g, order o);
const char *bound_reason(const char *name); /* NULL: the usual bounds */

#endif

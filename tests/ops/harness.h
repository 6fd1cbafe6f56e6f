/* The op harness: one table row per sample, from which every kind of input and every check is derived.
 *
 *   <room>/calls.c     how each public function is called: name -> function of (inputs, numbers)
 *   <room>/<file>.c    rows of the ops of ops/<room>/<file>.c
 *   <room>/exact.c     exact values; errors.c: bad input
 *   trial.c            row x kind -> trials (shapes, layouts, domains)
 *   inputs.c           trial -> tensors; ops of the harness that change the layout
 *   check_*.c          the checks of a trial
 *   mutations.c        wrong gradients
 *   mutants.c          plants them on purpose, for the checks to catch
 *   coverage.c         what was checked, and what applies but was not
 *
 * docs/testing.md says how to add an op.
 */
#ifndef TG_TESTS_OPS_HARNESS_H
#define TG_TESTS_OPS_HARNESS_H

#include "ops/tapegrad.h"

#include <check.h>
#include <stdio.h>

#define MAX_IN 4
#define MAX_ARG 10

/* ---- calls: a public function as (inputs, numbers) ---- */

typedef struct arguments {
    int n;
    double v[MAX_ARG]; /* flags, axes, sizes; what each means stands at the function in calls.c */
} arguments;

typedef tg_tensor *(*call_fn)(tg_tensor *const *in, const arguments *arg);

typedef struct call {
    const char *name; /* of the public function, without tg_, and what tells variants apart: relu, concat_3 */
    const char *op;   /* the op it applies; of a composition, its main one */
    call_fn fn;
    bool composed;           /* a composition */
    const char *public_name; /* the function's, where `name` does not begin with it */
} call;

/* The rooms, each with calls.c, exact.c and errors.c, and golden numbers: X(room) for each. */
#define ROOMS(X) \
    X(shape) X(index) X(elementwise) X(structured) X(recurrent) X(reduce) X(loss) X(nn) X(products) X(linalg)

typedef struct call_table {
    const call *calls;
    int n;
} call_table;

const call *find_call(const char *name); /* NULL: none */
const tg_op *op_of(const call *c);       /* NULL: not in the table */
int op_index(const tg_op *op);           /* in tg_op_table; -1 */
bool has_gradient(const tg_op *op);
bool chosen(const tg_op *op); /* TG_OP=add,mul: only these; unset: all */

/* ---- rows ---- */

/* The kinds of input. A row's own kind is K_PLAIN unless it says otherwise; all others are derived from it
 * wherever they apply. */
typedef enum kind {
    K_PLAIN,    /* as the row stands */
    K_SCALAR,   /* 0-d */
    K_EMPTY,    /* each size in turn zero */
    K_ONE,      /* all sizes one */
    K_LEFT,     /* the first input broadcasts: scalar, axis missing, axis of size one */
    K_RIGHT,    /* the last one does */
    K_BOTH,     /* both do */
    K_STRIDED,  /* column order with offset; gaps; negative strides. The output's gradient likewise */
    K_EXPANDED, /* stride 0 along the first axis */
    K_REPEATED, /* one handle for all inputs of equal spec; with one float input, two calls that use it */
    K_LARGE,    /* large magnitudes */
    K_SMALL,    /* small ones */
    K_SIZES,    /* each size in turn 1, 7, 8, 9, 15, 16, 17, 33: around the vector widths */
    K_NAN,      /* NaN in each element in turn */
    K_INF,      /* +inf and -inf in each element in turn */
    K_SCALED,   /* all numbers 2^-100, 2^-70, 2^70 and 2^100 times as large */
    K_OPTIONS,  /* at least two rows with different attributes */
    K_KINK,     /* exact values at the kink: <room>/exact.c */
    N_KINDS
} kind;
#define KIND(k) (1u << (k))

typedef struct input_spec {
    const char *shape; /* a letter an axis, a digit for that size: "ab", "1b", "" for 0-d. NULL: none */
    tg_dtype dtype;    /* TG_F32 stands for the float type under test */
    double lo, hi;     /* the domain; both 0: [-2, 2]. Integers: lo <= value < hi */
    double large[2];   /* the domain of K_LARGE; both 0: 100 times as wide */
    double small[2];   /* of K_SMALL; both 0: a thousandth */
    double kink[3];    /* points to keep ten steps from */
    int n_kinks;
    char index_of; /* integers in [-size, size) of that letter */
    bool distinct; /* no two elements closer than ten steps: for maxima */
    bool dominant; /* square matrices, of which the diagonal outweighs the rest */
    double grid;   /* values are multiples of this; 0: none */
    bool constant; /* no gradient is asked for */
    bool bounded;  /* a domain that does not scale: probabilities, labels */
} input_spec;

typedef struct sample {
    const char *call;
    const char *label; /* tells rows of one call apart; NULL for the plainest */
    input_spec in[MAX_IN];
    arguments arg;        /* SIZE('a') stands for the size of letter a */
    const char *sizes;    /* "a3b4" in place of the default sizes; one digit each */
    kind kind;            /* what the row counts as, run as it stands */
    bool any_shape;       /* elementwise: every input may take any shape that broadcasts with the others */
    const char *frozen;   /* letters that K_EMPTY, K_ONE and K_SIZES leave alone */
    const char *nonempty; /* letters that K_EMPTY leaves alone */
    unsigned skip;        /* kinds not derived from this row, */
    const char *why;      /* and why: required with frozen, nonempty and skip */
    double f32_rtol, f32_atol; /* of f32 against f64; 0: 2e-6 relative, and absolute no more than underflow */
    double eps;                /* the step of central differences, where 1e-6 does not do */
    const char *reason;        /* of these three: required with any of them */
} sample;

#define SIZE(letter) (1e9 + (letter))

/* A kind or a mutant that cannot be for an op, with the reason. */
typedef struct exemption {
    const char *op;
    unsigned kinds;
    const char *why;
} exemption;

typedef struct equivalent {
    const char *op, *mutation;
    int input;       /* -1: all */
    const char *why; /* why the mutant computes the same mathematics */
} equivalent;

typedef struct sample_set { /* the rows of the ops of one file */
    const char *name;
    const sample *rows;
    int n_rows;
    const exemption *exempt;
    int n_exempt;
    const equivalent *equal;
    int n_equal;
} sample_set;

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

int n_samples(void); /* rows of all sets, numbered through */
const sample *sample_at(int i);
int sample_sets(const sample_set *const **out);

/* ---- trials: one concrete set of inputs ---- */

typedef enum layout { LAYOUT_PLAIN, LAYOUT_COLUMNS, LAYOUT_GAPS, LAYOUT_NEGATIVE, N_LAYOUTS } layout;

typedef struct trial {
    const sample *row;
    const call *call;
    const tg_op *op;
    kind kind;
    int n_in;
    tg_shape shape[MAX_IN];
    int expand[MAX_IN]; /* the axis with stride 0, or -1 */
    double lo[MAX_IN], hi[MAX_IN];
    layout layout;
    int n_leaves;
    int leaf_of[MAX_IN];   /* which leaf input i is: two inputs may share one */
    int input_of[MAX_IN];  /* which input describes leaf l */
    bool fan_out;          /* out = f(x) + 3 f(x) */
    int exponent;          /* of K_SCALED */
    int lost;              /* 1 + the input whose (first) use returns no gradient; 0: none. For mutants.c */
    tg_dtype held[MAX_IN]; /* draw only numbers that this dtype holds; TG_F32: any */
    tg_dtype ints;         /* the dtype of masks and indices; TG_F32: the row's */
    arguments arg;
    uint64_t seed;
    char name[120]; /* "sum[axes] strided 2" */
} trial;

/* Trial number `variant` of a row and kind. False: there is none. */
bool trial_make(trial *t, const sample *row, kind k, int variant);
/* The row as it stands, but for the sizes of the letters a to z that are not negative here. */
bool trial_make_sized(trial *t, const sample *row, const int64_t size[26]);
const char *kind_name(kind k);
bool fast_mode(void); /* TG_FAST=1 */

/* The leaves, contiguous, of float type f (or of an integer type, with `held`). `grad`: those
 * that a gradient can flow to require one. */
void trial_leaves(const trial *t, tg_dtype f, bool grad, tg_tensor **leaf);
bool takes_gradient(const trial *t, int input);

/* The output for these leaves, with the trial's layouts applied to them and to the gradient of the output. */
tg_tensor *trial_run(const trial *t, tg_tensor *const *leaf);

/* Identity with another layout, gaps filled with NaN; its gradient takes the layout too. */
tg_tensor *with_layout(tg_tensor *x, layout l);

/* Signed numbers of magnitude [0.5, 1.5), of y's shape and type f. */
tg_tensor *signed_seed(const tg_tensor *y, tg_dtype f, uint64_t seed);

/* ---- checks: each raises a Check failure that names trial, element and numbers ---- */

typedef enum check { C_VALUE, C_FIRST, C_SECOND, C_KERNEL, C_ADJOINT, C_F32_GRAD, N_CHECKS } check;

void check_value(const trial *t);        /* f32 against f64 */
void check_dtypes(const trial *t);       /* integers against the same numbers in f64 */
void check_derivatives(const trial *t);  /* against central differences, two orders: of f and of f + f^2/2 */
void check_kernel(const trial *t);       /* walk recorded against not recorded, to 1e-12 */
void check_plan(const trial *t);         /* a plan against the eager run, to the bit */
void check_adjoint(const trial *t);      /* <v, J u> = <J^T v, u> */
void check_f32_gradient(const trial *t); /* f32 against f64 */
void check_scaled(const trial *t); /* f32 against f64, f64 against powers of two, three orders, at all scales */
const char *beyond_scales(const char *name,
                          int exponent);    /* why this call leaves the range at 2^exponent, or NULL */
const char *wrong_at_scale(const trial *t); /* the same without a failure: the first wrong number, or NULL */
void check_empty(const trial *t);           /* shapes of gradients without elements */
void check_nan(const trial *t);
void check_inf(const trial *t);

/* The first order alone: whether differences agree with the gradient. False: `message` says where not. */
bool derivatives_agree(const trial *t, char *message, size_t size);

/* |a - b| <= rtol |b| + atol; NaN equals NaN, an infinity equals itself. */
bool close_to(double a, double b, double rtol, double atol);
void fail_if_error(const trial *t, const char *doing);

/* ---- coverage: counts by op, dtype, kind and check, shared by all test processes ---- */

bool coverage_open(void);                                                  /* false: no memory */
void cover(const tg_op *op, tg_dtype d, kind k, check c, int64_t numbers); /* one trial */
void cover_case(const tg_op *op, kind k);      /* an exact case: K_OPTIONS, K_KINK */
void cover_dtype(const tg_op *op, tg_dtype d); /* the op takes it */
bool takes_dtype(const tg_op *op, tg_dtype d);
int64_t covered(const tg_op *op, kind k); /* trials of values in any dtype, and exact cases */
int64_t covered_by(const tg_op *op, tg_dtype d, kind k, check c); /* trials */
/* NULL when the kind applies to the op (in this dtype), else the reason why it does not. */
const char *not_applicable(const tg_op *op, kind k);
const char *not_in_dtype(const tg_op *op, tg_dtype d, kind k);
void coverage_print(FILE *f);

/* Counts by name: mutants planted and caught, golden cases, exact cases. */
typedef enum tally {
    T_PLANTED,
    T_CAUGHT,
    T_EQUIVALENT,
    T_GOLDEN,
    T_EXACT,
    T_ERRORS,
    T_PLANNED,
    T_REPLAYED,
    N_TALLIES
} tally;
void count_up(tally t, int64_t n);
int64_t counted(tally t);
void raise_worst(tg_dtype f, double relative); /* the largest relative error against golden numbers */

/* ---- mutants ---- */

/* Plants every applicable mutant of the op in the nodes its rows record. */
void check_mutants(const tg_op *op);

/* ---- files of the source tree ---- */

/* The text of a file named from the root of the sources, uncompressed if it is a .gz; free() it. NULL: not readable. */
char *read_source_file(const char *path);
bool reads_compressed(void); /* with zlib only */

void print_op_reference(FILE *f); /* docs/ops.md */
void print_functions(FILE *f);    /* docs/functions.md */

/* Sees each prototype of the public headers, without TG_API and on one line. */
typedef void prototype_visitor(void *context, const char *header, const char *line);
void each_prototype(prototype_visitor *see, void *context);

/* ---- the test cases ---- */
TCase *tcase_samples(void);
TCase *tcase_scales(void);
TCase *tcase_mutants(void);
TCase *tcase_conventions(void);
TCase *tcase_errors(void);
TCase *tcase_named(void);
TCase *tcase_pairs(void);
TCase *tcase_arguments(void);
TCase *tcase_changed(void);
TCase *tcase_huge(void);
TCase *tcase_golden(void);
TCase *tcase_create_ops(void);
TCase *tcase_inplace(void);
TCase *tcase_compiled(void);
TCase *tcase_rows(void);
TCase *tcase_pad(void);
TCase *tcase_join(void);
TCase *tcase_sort(void);
TCase *tcase_dropout(void);
TCase *tcase_einsum(void);
TCase *tcase_linear(void);
TCase *tcase_conv(void);
TCase *tcase_batch_norm(void);
TCase *tcase_ranks(void);
TCase *tcase_long(void);
TCase *tcase_views(void);
TCase *tcase_blobs(void);
TCase *tcase_attention(void);
TCase *tcase_recurrent(void);
TCase *tcase_reference(void);
TCase *tcase_texts(void);
TCase *tcase_coverage(void); /* last: it looks at what the others counted */

#endif

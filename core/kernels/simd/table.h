/* Private. The table of kernels: for each of f32 and f64, one function per elementwise function,
 * reduction and softmax. A kernel works on one run: n elements along one axis. core/kernels/simd/kernel_set.c is
 * compiled once per instruction set and real type, and each copy fills a whole tg_kernel_set.
 */
#ifndef TG_CORE_KERNELS_SIMD_TABLE_H
#define TG_CORE_KERNELS_SIMD_TABLE_H

#include "core/iterate.h"
#include "core/kernels/kernels.h"

#include <stdatomic.h>

/* The reductions that reals have a kernel for: TG_SUM, TG_PROD, TG_MAX, TG_MIN. */
#define TG_REAL_REDUCTIONS 4

/* Folds n elements of stride s to *out. Sums are pairwise over blocks of 1024. n = 0 gives the neutral
 * element. */
typedef void tg_reduce_row(int64_t n, const void *x, int64_t s, void *out);

/* Folds `rows` rows of n elements to out[n]; row i starts at x + i*row_stride, its elements are s apart.
 * n is at most TG_REDUCE_COLUMNS(size). Sums are pairwise over blocks of 32 rows. */
typedef void tg_reduce_columns(int64_t rows, int64_t row_stride, int64_t n, const void *x, int64_t s,
                               void *out);
#define TG_REDUCE_COLUMNS(element_size) ((int)(256 / (element_size)))

/* Whether n neighbours are all finite. */
typedef bool tg_finite_fn(int64_t n, const void *x);

/* A row of n elements, stride 1 each. Forward: y of x; for the gradient dx of g and y, of a few rows at a time: sums of one row
 * do not wait for those of another. The pointers of the one row stand in the order in which a grid steps them, two by two in
 * one vector: a load across two of those stores would wait for all stores of the row before. */
typedef struct tg_softmax_row {
    void *y;
    const void *x;
    int64_t n;
} tg_softmax_row;
enum { TG_SOFTMAX_ROWS = 4 };
typedef struct tg_softmax_grad_rows {
    void *dx[TG_SOFTMAX_ROWS];
    const void *g[TG_SOFTMAX_ROWS], *y[TG_SOFTMAX_ROWS];
    int64_t n, rows;
    bool *bad; /* NULL, or set where a dx is not finite */
} tg_softmax_grad_rows;
typedef void tg_softmax_fn(const tg_softmax_row *r);
typedef void tg_softmax_grad_fn(const tg_softmax_grad_rows *r);

/* The same for the loss of a row and its class: loss and g are single numbers, x_class and dx_class the elements of the
 * class in x and dx. */
typedef struct tg_cross_entropy_row {
    int64_t n;
    const void *x, *x_class;
    void *loss;
} tg_cross_entropy_row;
typedef struct tg_cross_entropy_grad_row {
    int64_t n;
    const void *g, *x;
    void *dx, *dx_class;
} tg_cross_entropy_grad_row;

/* Rows of n elements, one after the other. Forward: y of x, w and b. Gradient: dx in y, of g, x and w; dw[n] and db[n]
 * are added to, row by row. What is NULL is not there, or not wanted. */
typedef struct tg_norm_rows {
    int64_t rows, n;
    const void *x, *g, *w, *b;
    void *y, *dw, *db;
    double eps;
    bool centred;
    bool *bad; /* of the gradient: NULL, or set where a dx is not finite */
} tg_norm_rows;
typedef void tg_norm_fn(const tg_norm_rows *r);

/* A channel, in `parts` parts of `part` elements, `step` elements apart. Forward: y of x, the number w and the number b, and
 * the mean and the biased variance of x; where they are `given` they are read. Gradient: dx in y, of g, x, w and the
 * given ones, and the numbers dw and db. What is NULL is not there, or not wanted. */
typedef struct tg_norm_channel {
    int64_t parts, part, step;
    const void *x, *g, *w, *b;
    void *y, *mean, *var, *dw, *db;
    double eps;
    bool given;
} tg_norm_channel;
typedef void tg_norm_channel_fn(const tg_norm_channel *c);

/* A matrix by a vector y: short sums of the real type, added in double.
 *   row_dots      sum[i] = sum over l < n of x[i * x_row + l] y[l]; y_step is 1
 *   column_dots   sum[j] += sum over l < n of x[l * x_row + j] y[l * y_step], n <= TG_DOT_TERMS */
typedef struct tg_dots {
    int64_t n, x_row, y_step;
    const void *x, *y;
} tg_dots;
typedef void tg_dots_fn(const tg_dots *d, int64_t outputs, double *sum);
#define TG_DOT_TERMS 32

/* Attention of one head for a block of n queries, at most TG_ATTENTION_QUERIES, the first of which is number
 * `first`: they see the keys 0..keys-1, or with causal those up to themselves. Rows of q, k [keys, e],
 * v [keys, d], out and g have stride 1; other strides in elements. A mask is bool or of the real type. The
 * gradient reads out and lse, writes dq [n, e] and ds [n, keys], whose rows are ds_row apart, and adds to dk and
 * dv (contiguous), each unless NULL. dlse may be NULL. core/kernels/attention/attention.h has the formulas. */
typedef struct tg_attention_block {
    int64_t n, first, keys, e, d;
    bool causal, bool_mask;
    double scale;
    const void *q, *k, *v, *mask, *g, *dlse;
    int64_t q_row, k_row, v_row, mask_row, mask_col, g_row, dlse_row, ds_row;
    void *out, *lse; /* contiguous */
    void *dq, *dk, *dv, *ds;
    void *scratch; /* TG_ATTENTION_SCRATCH(e, d) elements, 64-byte aligned */
} tg_attention_block;
typedef void tg_attention_fn(const tg_attention_block *b);
#define TG_ATTENTION_QUERIES 32
#define TG_ATTENTION_KEYS 64 /* in one tile */
#define TG_ATTENTION_SCRATCH(e, d) (TG_ATTENTION_QUERIES * (3 * (e) + 2 * (TG_ATTENTION_KEYS + (d)) + 5))
/* Sums over n tiles or blocks are made of sums over so many, so that none has many more than sqrt(n) terms. */
static inline int64_t tg_attention_group(int64_t n) {
    int64_t group = 16;
    while (group * group < n) group++;
    return group;
}

/* One row of a recurrent cell, n hidden units (ops/recurrent/recurrent.h has the formulas). Gates lie n elements apart.
 * An input that is NULL stands for zeros; an output may be an input of the same kind. The gates themselves are not kept:
 * one that has rounded to 1 does not tell its slope.
 * LSTM: pre = a + more [4n], and c, h of it and the cell before, c0 [n]; and back: da and dc0 of dh[0] + dh[1],
 * dc[0] + dc[1] and dpre. */
typedef struct tg_lstm_row {
    int64_t n;
    const void *a, *more, *c0;
    void *pre, *c, *h;
} tg_lstm_row;
typedef struct tg_lstm_grad_row {
    int64_t n;
    const void *pre, *c0, *c, *dh[2], *dc[2], *dpre;
    void *da, *dc0;
} tg_lstm_grad_row;

/* Of the plain cell: pre = a + more and h = tanh or relu of it; and back: da of dh[0] + dh[1] and dpre. */
typedef struct tg_rnn_row {
    int64_t n;
    bool relu;
    const void *a, *more;
    void *pre, *h;
} tg_rnn_row;
typedef struct tg_rnn_grad_row {
    int64_t n;
    bool relu;
    const void *pre, *dh[2], *dpre;
    void *da;
} tg_rnn_grad_row;

/* GRU: pre [4n] (what reset, update and new are functions of, and what reset multiplies) and h of a, s + b [3n] and the
 * state before, h0 [n]; and back: da, ds [3n], and dh0 without what flows through s. */
typedef struct tg_gru_row {
    int64_t n;
    const void *a, *s, *b, *h0;
    void *pre, *h;
} tg_gru_row;
typedef struct tg_gru_grad_row {
    int64_t n;
    const void *pre, *h0, *dh[2], *dpre;
    void *da, *ds, *dh0;
} tg_gru_grad_row;

/* What will be needed next is fetched while a product's sums are made, a line of the cache at each step of k: for the rows of c
 * from i on `lines` lines, `step` bytes apart, the first of them i * row bytes behind `at`. */
typedef struct tg_fetch {
    const void *at;
    int64_t row, step, lines;
} tg_fetch;

/* The product that all others are made of: matrix products, convolution, recurrent steps, attention.
 *     c[i, j] = start[i, j] + alpha * sum over p of a[i, p] * b[p, j],   i < m, j < n, p < k
 * Columns of b and c are neighbours; c_row and b_row are the distances of rows. a[i, p] stands at i * a_row + p * a_col;
 * or, where there are tables, at a_row_at[i] + a_col_at[p], and b is padded then. Where b_row_at is there, row p of b is
 * at b_row_at[p]. start[i, j] stands at i * start_row + j, or at i * start_row where b_row_at is there; it may be c itself; NULL: zeros. */
typedef struct tg_product {
    int64_t m, n, k;
    const void *a, *b, *start;
    void *c;
    int64_t a_row, a_col, b_row, start_row, c_row;
    const int64_t *a_row_at, *a_col_at, *b_row_at;
    double alpha;
    bool padded;  /* rows of b can be read up to the end of their last vector */
    bool fetch;   /* c is not in the cache */
    bool fetch_a; /* nor is a, and b is padded */
    int fetches;  /* of other memory, with tables for a */
    const tg_fetch *fetched;
} tg_product;
typedef void tg_product_fn(const tg_product *g);

/* out[j * out_row + i] = x[i * x_row + j], i < rows, j < cols. */
typedef void tg_transpose_fn(int64_t rows, int64_t cols, const void *x, int64_t x_row, void *out,
                             int64_t out_row);

/* `count` planes, at most as many as a vector has lanes, `step` elements apart, and the same side by side: element i < n of
 * plane l is lane l of vector number i of `lanes`. Where `at` is there it is vector number at[i] that `interleave` writes, and
 * element at[i] of the plane that `deinterleave` does. interleave clears the lanes without a plane. */
typedef struct tg_interleaving {
    int64_t n, count, step;
    void *planes, *lanes;
    const int64_t *at;
} tg_interleaving;
typedef void tg_interleave_fn(const tg_interleaving *p);

/* A product in each lane: the elements of a, b and c are vectors.
 *     c[i, j] = start + sum over p of a[i, p] * b[p, j],   i < m, j < n, p < k
 * a[i, p] is vector number a_row_at[i] + a_col_at[p]; b and c lie by columns. The start is c itself where it `adds`, or
 * vector j of the bias, or without one zero. */
typedef struct tg_lane_product {
    int64_t m, n, k;
    const void *a, *b, *bias;
    void *c;
    const int64_t *a_row_at, *a_col_at;
    bool adds;
} tg_lane_product;
typedef void tg_lane_product_fn(const tg_lane_product *g);

/* Max pooling by windows of 2 by 2, side by side, of one plane [height, width], width < 2^24: window (i, j)
 * is number i * (width / 2) + j of `window` and of `index`, which holds the position of its largest element in
 * the plane: the first that ties, or the first NaN. */
typedef struct tg_max_two {
    int64_t height, width;
    const void *image;
    void *window;
    int64_t *index;
} tg_max_two;
typedef void tg_max_two_fn(const tg_max_two *p);

/* The second moment of tg_update_rms is always there; these make four kernels of the two others. */
enum { TG_RMS_CENTERED = 1, TG_RMS_MOMENTUM = 2 };

/* Each number of x row times in y, but the first `left` times, until there are n. What is written may end behind them by a row and
 * a vector. */
typedef void tg_spread_numbers_fn(int64_t n, int64_t left, int64_t row, const void *x, void *y);

/* Elementwise runs, by their operands. */
typedef struct tg_kernel_set {
    tg_run *unary[TG_UNARY_COUNT];      /* out = f(a); arg = double p[2] */
    tg_run *unary_grad[TG_UNARY_COUNT]; /* out = dx, of a = g, b = x, c = y; arg = double p[2] */
    tg_run *binary[TG_BINARY_COUNT];    /* out = f(a, b) */
    tg_run *compare[6];                 /* out = f(a, b), which is bool; by tg_compare */
    tg_run *where; /* out = c ? a : b, where c is bool; moves bits: for any dtype of its size */
    tg_spread_numbers_fn *spread_numbers; /* moves bits, too */
    tg_run *affine;                       /* out = scale a + shift; arg = double {scale, shift} */
    tg_run *axpy;                         /* out = alpha a + b; arg = double {alpha, unused} */
    tg_run *sum;                          /* out, one number, = the sum of a as row[TG_SUM] has it */
    tg_run *sgd;                          /* out is the parameter, a the gradient; arg = tg_sgd_step */
    tg_run *momentum;                     /* out is the parameter, a the velocity, b the gradient; the same */
    tg_run *adam;    /* out is the parameter, a and b the moments, c the gradient; arg = tg_adam_step */
    tg_run *amsgrad; /* the same with three moments */
    tg_run *rms[4]; /* by which of TG_RMS_CENTERED and TG_RMS_MOMENTUM are there: parameter, moments, gradient; arg = tg_rms_step */
    tg_run *adadelta, *adamax; /* as adam; arg = tg_adadelta_step, tg_adamax_step */
    tg_run *lion;              /* as momentum; arg = tg_lion_step */
    tg_reduce_row *row[TG_REAL_REDUCTIONS];
    tg_reduce_columns *col[TG_REAL_REDUCTIONS];
    tg_finite_fn *finite;
    tg_softmax_fn *softmax, *log_softmax;
    tg_softmax_grad_fn *softmax_grad, *log_softmax_grad;
    void (*cross_entropy)(const tg_cross_entropy_row *r);
    void (*cross_entropy_grad)(const tg_cross_entropy_grad_row *r);
    tg_norm_fn *norm, *norm_grad;
    tg_norm_channel_fn *norm_channel, *norm_channel_grad;
    tg_product_fn *product;
    tg_dots_fn *row_dots, *column_dots;
    tg_attention_fn *attention, *attention_grad;
    void (*lstm)(const tg_lstm_row *r);
    void (*lstm_grad)(const tg_lstm_grad_row *r);
    void (*gru)(const tg_gru_row *r);
    void (*gru_grad)(const tg_gru_grad_row *r);
    void (*rnn)(const tg_rnn_row *r);
    void (*rnn_grad)(const tg_rnn_grad_row *r);
    tg_transpose_fn *transpose;
    tg_interleave_fn *interleave, *deinterleave;
    tg_lane_product_fn *lane_product;
    tg_max_two_fn *max_two;
    int lanes;  /* of a vector: how many elements it has */
    int mr, nr; /* rows and columns of c that `product` makes at a time */
} tg_kernel_set;

typedef struct tg_kernels {
    const char *isa;
    const tg_kernel_set *real[2]; /* by dtype: TG_F32, TG_F64 */
} tg_kernels;

/* The table in use. Chosen on first use: threads that race choose the same one. */
extern _Atomic(const tg_kernels *) tg_kernels_current;
const tg_kernels *tg_kernels_choose(void);
static inline const tg_kernels *tg_kernels_get(void) {
    const tg_kernels *k = atomic_load_explicit(&tg_kernels_current, memory_order_acquire);
    return k ? k : tg_kernels_choose();
}
static inline const tg_kernel_set *tg_kernels_for(int dtype) { return tg_kernels_get()->real[dtype]; }

/* The names of all instruction sets, the best first, NULL behind the last; not every build has all of them. */
extern const char *const tg_kernel_isas[];

/* For tests: the table of an instruction set that was built and that this machine runs, or NULL; and a
 * switch of the one in use, false where there is none. */
const tg_kernels *tg_kernels_of_isa(const char *isa);
bool tg_kernels_use(const char *isa);

/* Integer and bool runs (core/kernels/map/integer.c), NULL for dtypes and functions that have none. */
tg_run *tg_integer_binary(tg_binary f, int dtype);
tg_run *tg_integer_compare(tg_compare f, int dtype);
tg_run *tg_integer_affine(int dtype);
extern tg_run tg_where_bytes;

#endif

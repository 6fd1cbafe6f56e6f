/* Factorisations by LAPACK where the CBLAS library brings it, else by plain loops; triangular systems by
 * CBLAS. A matrix is one task. */
#include "core/kernels/linalg/lapack.h"
#include "core/kernels/gemm/gemm.h"
#include "core/parallel.h"

#include <cblas.h>
#include <math.h>
#include <stdatomic.h>

int64_t tg_lapack_from = 17; /* where they are equal on an AVX-512 machine, for f32 and f64 alike */

#define REAL float
#define NAME(name) name##_f32
#define BLAS(name) cblas_s##name
#define LAPACK(name) s##name##_
#include "core/kernels/linalg/lapack_real.h"
#undef REAL
#undef NAME
#undef BLAS
#undef LAPACK

#define REAL double
#define NAME(name) name##_f64
#define BLAS(name) cblas_d##name
#define LAPACK(name) d##name##_
#include "core/kernels/linalg/lapack_real.h"

/* ---- batches ---- */

typedef struct batch {
    const tg_array *a, *pivot, *b;
    tg_triangle triangle;   /* cholesky: .upper */
    bool inverse;           /* of the exchanges */
    int64_t n, k;           /* of A and B */
    _Atomic int64_t failed; /* the least number of a matrix that failed; none: INT64_MAX */
    void (*task)(void *batch, int64_t begin, int64_t end);
} batch;

/* Matrix number i of an array with any strides along the batch axes. */
static void *matrix(const tg_array *x, int64_t i) {
    int64_t offset = 0;
    for (int d = x->rank - 3; d >= 0; d--) {
        offset += i % x->shape[d] * x->stride[d];
        i /= x->shape[d];
    }
    return (char *)x->data + offset * (int64_t)tg_dtype_size((tg_dtype)x->dtype);
}

/* Every task is done, whatever fails: the least number does not depend on the order. */
static void note(batch *w, int64_t i) {
    int64_t least = atomic_load(&w->failed);
    while (i < least && !atomic_compare_exchange_weak(&w->failed, &least, i)) {
    }
}

static void with_blas(void *context, int64_t begin, int64_t end) {
    const batch *w = context;
    int threads = tg_blas_begin();
    w->task(context, begin, end);
    tg_blas_end(threads);
}

static void run(batch *w, void (*task)(void *batch, int64_t begin, int64_t end)) {
    const tg_array *x = w->b ? w->b : w->a;
    if (x->numel == 0) return;
    double work = (double)w->n * (double)w->n * (double)w->k;
    w->failed = INT64_MAX;
    w->task = task;
    tg_parallel_for(x->numel / (w->n * w->k), work < 1 << 17 ? (int64_t)((1 << 17) / work) : 1, with_blas, w);
}

static bool f64(const batch *w) { return w->a->dtype == TG_F64; }

static void cholesky_task(void *context, int64_t begin, int64_t end) {
    batch *w = context;
    for (int64_t i = begin; i < end; i++) {
        void *a = matrix(w->a, i);
        bool upper = w->triangle.upper;
        if (!(f64(w) ? cholesky_f64(w->n, a, upper) : cholesky_f32(w->n, a, upper))) note(w, i);
    }
}

static void lu_task(void *context, int64_t begin, int64_t end) {
    batch *w = context;
    for (int64_t i = begin; i < end; i++) {
        void *a = matrix(w->a, i);
        int *pivot = matrix(w->pivot, i);
        if (!(f64(w) ? lu_f64(w->n, a, pivot) : lu_f32(w->n, a, pivot))) note(w, i);
    }
}

static void triangle_task(void *context, int64_t begin, int64_t end) {
    const batch *w = context;
    for (int64_t i = begin; i < end; i++) {
        const void *a = matrix(w->a, i);
        if (f64(w))
            solve_triangle_f64(w->n, w->k, a, w->triangle, matrix(w->b, i));
        else
            solve_triangle_f32(w->n, w->k, a, w->triangle, matrix(w->b, i));
    }
}

static void row_task(void *context, int64_t begin, int64_t end) {
    const batch *w = context;
    for (int64_t i = begin; i < end; i++) {
        if (f64(w))
            exchange_rows_f64(w->n, w->k, matrix(w->pivot, i), w->inverse, matrix(w->b, i));
        else
            exchange_rows_f32(w->n, w->k, matrix(w->pivot, i), w->inverse, matrix(w->b, i));
    }
}

/* ---- the interface ---- */

static batch of_factor(const tg_array *a, const tg_array *pivot, bool upper) {
    int64_t n = a->shape[a->rank - 1];
    return (batch){.a = a, .pivot = pivot, .triangle.upper = upper, .n = n, .k = n, .failed = INT64_MAX};
}

static int64_t first_failed(batch *w) { return w->failed == INT64_MAX ? -1 : w->failed; }

int64_t tg_cholesky_factor(const tg_array *a, bool upper) {
    batch w = of_factor(a, NULL, upper);
    run(&w, cholesky_task);
    return first_failed(&w);
}

int64_t tg_lu_factor(const tg_array *a, const tg_array *pivot) {
    batch w = of_factor(a, pivot, false);
    run(&w, lu_task);
    return first_failed(&w);
}

void tg_solve_triangle(const tg_array *a, tg_triangle t, const tg_array *b) {
    batch w = {.a = a, .b = b, .triangle = t, .n = b->shape[b->rank - 2], .k = b->shape[b->rank - 1]};
    run(&w, triangle_task);
}

/* A = L U P: P X = U^-1 L^-1 B. Transposed, L^T X = U^-T P B. */
void tg_lu_solve(const tg_array *lu, const tg_array *pivot, bool transpose, const tg_array *b) {
    batch w = {.a = lu, .pivot = pivot, .b = b, .n = b->shape[b->rank - 2], .k = b->shape[b->rank - 1]};
    tg_triangle l = {.transpose = transpose}, u = {.upper = true, .transpose = transpose, .unit = true};
    w.inverse = !transpose;
    if (transpose) run(&w, row_task);
    tg_solve_triangle(lu, transpose ? u : l, b);
    tg_solve_triangle(lu, transpose ? l : u, b);
    if (!transpose) run(&w, row_task);
}

/* One tile of C: by our own kernels, or by BLAS. */
#include "core/kernels/gemm/macro_kernel.h"
#include "core/kernels/gemm/gemm.h"
#include "core/kernels/simd/table.h"

#include <cblas.h>
#include <limits.h>
#include <string.h>

int64_t tg_gemm_int_max = INT_MAX;

/* C *= beta; beta = 0 clears C whatever it held. */
static void scale(const tg_gemm_problem *p) {
    for (int64_t i = 0; i < p->m; i++) {
        char *row = p->c.data + i * p->c.rs * p->size;
        if (p->beta == 0)
            memset(row, 0, (size_t)(p->n * p->size));
        else if (p->beta != 1 && p->f64)
            for (int64_t j = 0; j < p->n; j++) ((double *)(void *)row)[j] *= p->beta;
        else if (p->beta != 1)
            for (int64_t j = 0; j < p->n; j++) ((float *)(void *)row)[j] *= (float)p->beta;
    }
}

/* ---- plain loops ---- */

#define DIRECT(T) \
    const T *a = (const T *)(const void *)p->a.data, *b = (const T *)(const void *)p->b.data; \
    T *c = (T *)(void *)p->c.data; \
    for (int64_t i = 0; i < p->m; i++) \
        for (int64_t j = 0; j < p->n; j++) { \
            const T *x = a + i * p->a.rs, *y = b + j * p->b.cs; \
            double sum = 0; \
            T *out = c + i * p->c.rs + j; \
            for (int64_t l = 0; l < p->k; l++, x += p->a.cs, y += p->b.rs) sum += (double)*x * (double)*y; \
            *out = (T)(p->alpha * sum + (p->beta != 0 ? p->beta * (double)*out : 0)); \
        }
static void direct_f32(const tg_gemm_problem *p) { DIRECT(float) }
static void direct_f64(const tg_gemm_problem *p) { DIRECT(double) }

/* By the kernel: B is copied where its rows are not contiguous. */
static void direct_small(const tg_gemm_problem *p) {
    _Alignas(64) double copy[TG_SMALL_GEMM];
    tg_gemm_matrix b = p->b;
    if (b.cs != 1 && p->n > 1) {
        tg_array from = {.data = b.data,
                         .dtype = p->f64 ? TG_F64 : TG_F32,
                         .rank = 2,
                         .numel = p->k * p->n,
                         .shape = {p->k, p->n},
                         .stride = {b.rs, b.cs}};
        tg_array to = from;
        to.data = copy, to.stride[0] = p->n, to.stride[1] = 1;
        tg_array_copy(&to, &from);
        b = (tg_gemm_matrix){(char *)copy, p->n, 1, false};
    }
    if (p->beta != 0 && p->beta != 1) scale(p);
    tg_kernels_for(p->f64)->product(&(tg_product){.m = p->m,
                                                  .n = p->n,
                                                  .k = p->k,
                                                  .a = p->a.data,
                                                  .a_row = p->a.rs,
                                                  .a_col = p->a.cs,
                                                  .b = b.data,
                                                  .b_row = b.rs,
                                                  .start = p->beta != 0 ? p->c.data : NULL,
                                                  .start_row = p->c.rs,
                                                  .c = p->c.data,
                                                  .c_row = p->c.rs,
                                                  .alpha = p->alpha});
}

void tg_gemm_direct(const tg_gemm_problem *p) {
    if (p->k * p->n <= TG_SMALL_GEMM)
        direct_small(p);
    else if (p->f64)
        direct_f64(p);
    else
        direct_f32(p);
}

/* ---- BLAS ---- */

static int ld(const tg_gemm_matrix *x) {
    int64_t n = x->transposed ? x->cs : x->rs;
    return n > 0 ? (int)n : 1;
}

/* y = alpha op(A) x + beta y, for a C of one column or row. A has `rows` rows before op. beta is 0 or 1
 * here: y has been scaled. */
static void gemv(const tg_gemm_problem *p, const tg_gemm_matrix *a, bool transpose, int64_t rows,
                 int64_t cols, const char *x, int64_t incx, char *y, int64_t incy) {
    CBLAS_TRANSPOSE t = transpose != a->transposed ? CblasTrans : CblasNoTrans;
    int m = (int)(a->transposed ? cols : rows), n = (int)(a->transposed ? rows : cols);
    int ix = incx > 0 ? (int)incx : 1, iy = incy > 0 ? (int)incy : 1;
    if (p->f64)
        cblas_dgemv(CblasRowMajor, t, m, n, p->alpha, (const double *)(const void *)a->data, ld(a),
                    (const double *)(const void *)x, ix, 1, (double *)(void *)y, iy);
    else
        cblas_sgemv(CblasRowMajor, t, m, n, (float)p->alpha, (const float *)(const void *)a->data, ld(a),
                    (const float *)(const void *)x, ix, 1, (float *)(void *)y, iy);
}

static void gemm(const tg_gemm_problem *p) {
    CBLAS_TRANSPOSE ta = p->a.transposed ? CblasTrans : CblasNoTrans;
    CBLAS_TRANSPOSE tb = p->b.transposed ? CblasTrans : CblasNoTrans;
    int m = (int)p->m, n = (int)p->n, k = (int)p->k, ldc = p->m > 1 ? (int)p->c.rs : n;
    if (p->f64)
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, p->alpha, (const double *)(void *)p->a.data, ld(&p->a),
                    (const double *)(void *)p->b.data, ld(&p->b), p->beta, (double *)(void *)p->c.data, ldc);
    else
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, (float)p->alpha, (const float *)(void *)p->a.data,
                    ld(&p->a), (const float *)(void *)p->b.data, ld(&p->b), (float)p->beta,
                    (float *)(void *)p->c.data, ldc);
}

/* One product whose sizes fit BLAS's int. */
static void product(const tg_gemm_problem *p) {
    if (p->n > 1 && p->m > 1) {
        gemm(p);
        return;
    }
    scale(p);
    if (p->n == 1)
        gemv(p, &p->a, false, p->m, p->k, p->b.data, p->b.rs, p->c.data, p->c.rs);
    else
        gemv(p, &p->b, true, p->k, p->n, p->a.data, p->a.cs, p->c.data, 1);
}

/* ---- any of them ---- */

static void by_macro_kernel(const tg_gemm_problem *p, void *scratch) {
    tg_gemm_operand c = {p->c.data, p->c.rs, 1}, bias = {p->bias, 0, 1}, none = {0};
    tg_macro_kernel(&(tg_gemm_product){.dtype = p->f64 ? TG_F64 : TG_F32,
                                       .m = p->m,
                                       .n = p->n,
                                       .k = p->k,
                                       .a = {p->a.data, p->a.rs, p->a.cs},
                                       .b = {p->b.data, p->b.rs, p->b.cs},
                                       .start = p->bias        ? bias
                                                : p->beta != 0 ? c
                                                               : none,
                                       .c = p->c.data,
                                       .c_row = p->c.rs},
                    scratch);
}

/* The tile of C that *whole describes; for BLAS k goes in stretches that its int can hold. */
void tg_gemm_tile(const tg_gemm_problem *whole, void *scratch) {
    tg_gemm_problem p = *whole;
    if (p.direct) {
        tg_gemm_direct(&p);
        return;
    }
    if (p.macro) {
        by_macro_kernel(&p, scratch);
        return;
    }
    int threads = tg_blas_begin();
    for (int64_t left = whole->k; left > 0; left -= p.k) {
        p.k = left < tg_gemm_int_max ? left : tg_gemm_int_max;
        product(&p);
        p.a.data += p.k * p.a.cs * p.size;
        p.b.data += p.k * p.b.rs * p.size;
        p.beta = 1;
    }
    tg_blas_end(threads);
}

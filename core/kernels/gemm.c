/* Matrix products. BLAS does the work on tiles of C, one thread each, chosen so that a product is the same to the bit at
 * any number of threads.
 */
#include "core/kernels/gemm.h"
#include "core/kernels/table.h"
#include "core/parallel.h"

#include <cblas.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

int64_t tg_gemm_int_max = INT_MAX;

/* Two thread pools fight: OpenBLAS keeps to the calling thread. Weak, since another CBLAS has no such
 * function. */
extern void openblas_set_num_threads(int n) __attribute__((weak));
static void single_threaded(void) {
    if (openblas_set_num_threads) openblas_set_num_threads(1);
}

void tg_blas_single_threaded(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, single_threaded);
}

/* A matrix inside an array: element (i, j) at data + i*rs + j*cs. */
typedef struct matrix {
    char *data;
    int64_t rs, cs;
    bool transposed; /* for BLAS: rs is 1, and cs its leading dimension */
} matrix;

typedef struct problem {
    bool f64, direct;
    int64_t size; /* bytes an element */
    int64_t m, n, k;
    double alpha, beta;
    matrix a, b, c;
    int rank; /* of the batch axes */
    int64_t shape[TG_MAX_RANK], stride[3][TG_MAX_RANK];
    int64_t tile_m, tile_n, tiles_m, tiles_n;
} problem;

/* ---- one tile ---- */

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
static void direct_f32(const problem *p) { DIRECT(float) }
static void direct_f64(const problem *p) { DIRECT(double) }

static void direct(const problem *p) {
    if (p->k * p->n <= TG_SMALL_GEMM)
        tg_kernels_for(p->f64)->small_gemm(&(tg_small_gemm){p->m, p->n, p->k, p->a.rs, p->a.cs, p->b.rs,
                                                            p->b.cs, p->c.rs, p->a.data, p->b.data, p->c.data,
                                                            p->alpha, p->beta});
    else if (p->f64)
        direct_f64(p);
    else
        direct_f32(p);
}

static int ld(const matrix *x) {
    int64_t n = x->transposed ? x->cs : x->rs;
    return n > 0 ? (int)n : 1;
}

/* y = alpha op(A) x + beta y, for a C of one column or row. A has `rows` rows before op. beta is 0 or 1
 * here: y has been scaled. */
static void gemv(const problem *p, const matrix *a, bool transpose, int64_t rows, int64_t cols, const char *x,
                 int64_t incx, char *y, int64_t incy) {
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

static void gemm(const problem *p) {
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

/* C *= beta; beta = 0 clears C whatever it held. */
static void scale(const problem *p) {
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

/* One product whose sizes fit BLAS's int. */
static void product(const problem *p) {
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

/* The tile that *p describes; k goes in pieces that BLAS's int can hold. */
static void tile(const problem *whole) {
    problem p = *whole;
    if (p.direct) {
        direct(&p);
        return;
    }
    for (int64_t left = whole->k; left > 0; left -= p.k) {
        p.k = left < tg_gemm_int_max ? left : tg_gemm_int_max;
        product(&p);
        p.a.data += p.k * p.a.cs * p.size;
        p.b.data += p.k * p.b.rs * p.size;
        p.beta = 1;
    }
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void tiles(void *context, int64_t begin, int64_t end) {
    const problem *whole = context;
    for (int64_t i = begin; i < end; i++) {
        problem p = *whole;
        int64_t batch = i / (p.tiles_m * p.tiles_n), row = i / p.tiles_n % p.tiles_m * p.tile_m;
        int64_t col = i % p.tiles_n * p.tile_n;
        for (int d = p.rank - 1; d >= 0; d--) {
            int64_t at = batch % p.shape[d];
            batch /= p.shape[d];
            p.a.data += at * p.stride[0][d] * p.size;
            p.b.data += at * p.stride[1][d] * p.size;
            p.c.data += at * p.stride[2][d] * p.size;
        }
        p.a.data += row * p.a.rs * p.size;
        p.b.data += col * p.b.cs * p.size;
        p.c.data += (row * p.c.rs + col) * p.size;
        p.m = least(p.m - row, p.tile_m);
        p.n = least(p.n - col, p.tile_n);
        tile(&p);
    }
}

/* ---- the whole problem ---- */

/* BLAS wants one of the strides to be 1 and the other to be at least the length of a row. */
static bool blas_layout(matrix *x, int64_t rows, int64_t cols) {
    if (cols == 1 && rows == 1) x->rs = x->cs = 1;
    bool plain = (x->cs == 1 || cols == 1) && (x->rs >= cols || rows == 1);
    x->transposed = !plain && (x->rs == 1 || rows == 1) && (x->cs >= rows || cols == 1);
    if (plain && rows == 1) x->rs = cols;
    if (x->transposed && cols == 1) x->cs = rows;
    return (plain || x->transposed) && (x->transposed ? x->cs : x->rs) <= tg_gemm_int_max;
}

/* The batch axes of more than one element. While B is the same for all of an axis and A and C go on in
 * even steps of rows, the axis is part of m: one large product in place of many. */
static void set_batch(problem *p, const tg_array *a, const tg_array *b, const tg_array *c) {
    bool merging = true;
    int at = TG_MAX_RANK;
    for (int i = c->rank - 3; i >= 0; i--) {
        int64_t n = c->shape[i], sa = a->stride[i], sb = b->stride[i], sc = c->stride[i];
        if (n == 1) continue;
        if (p->m == 1 && merging) p->a.rs = sa, p->c.rs = sc;
        merging = merging && sb == 0 && sa > 0 && sa == p->m * p->a.rs && sc == p->m * p->c.rs && sc >= p->n;
        if (merging) {
            p->m *= n;
            continue;
        }
        p->shape[--at] = n;
        p->stride[0][at] = sa, p->stride[1][at] = sb, p->stride[2][at] = sc;
    }
    p->rank = TG_MAX_RANK - at;
    memmove(p->shape, p->shape + at, sizeof(int64_t) * (size_t)p->rank);
    for (int k = 0; k < 3; k++) memmove(p->stride[k], p->stride[k] + at, sizeof(int64_t) * (size_t)p->rank);
}

static void set_up(problem *p, double alpha, const tg_array *a, const tg_array *b, double beta,
                   const tg_array *c) {
    int i = c->rank - 2, j = c->rank - 1;
    p->f64 = c->dtype == TG_F64;
    p->size = p->f64 ? 8 : 4;
    p->alpha = alpha, p->beta = beta;
    p->m = c->shape[i], p->n = c->shape[j], p->k = a->shape[j];
    p->a = (matrix){a->data, a->stride[i], a->stride[j], false};
    p->b = (matrix){b->data, b->stride[i], b->stride[j], false};
    p->c = (matrix){c->data, c->stride[i], 1, false};
    p->rank = 0;
    if (c->rank > 2) set_batch(p, a, b, c);
}

/* OpenBLAS computes an element of C the same way wherever in a product it stands, if pieces start at multiples of 64 and
 * none is so small that its kernels for small matrices (up to 10^6 multiplications) take over: threads_change_nothing in
 * tests/core/test_gemm.c. So it gets a piece a thread along the longer side, or the whole: every piece packs one of the
 * operands anew, which costs a tenth of the time at 256 rows. Pieces are worth 80 us. */
static void set_pieces(problem *p, int64_t batches) {
    const double enough = 1 << 22;
    bool tall = p->m >= p->n;
    int64_t size = tall ? p->m : p->n, piece = size, threads = tg_threads_here();
    double work = (double)(tall ? p->n : p->m) * (double)p->k;
    for (int64_t parts = batches < threads ? threads : 1; parts > 1; parts--) {
        int64_t part = ((size + parts - 1) / parts + 63) / 64 * 64, last = size - (parts - 1) * part;
        if (last <= 0 || (double)last * work < enough) continue;
        piece = part;
        break;
    }
    p->tile_m = tall ? piece : p->m, p->tile_n = tall ? p->n : piece;
    p->tiles_m = (p->m + p->tile_m - 1) / p->tile_m;
    p->tiles_n = (p->n + p->tile_n - 1) / p->tile_n;
}

/* For any other BLAS, and products with a vector, tiles that depend on the shapes alone. Tiles of 512 x 512, halved until there is work for 16 threads or a tile is worth some 300 us: a smaller one packs its
 * operands too often, and a team of threads costs more than it brings when the machine is busy. */
static void set_tiles(problem *p, int64_t batches) {
    const double enough = 1 << 24;
    p->tile_m = least(p->m, 512), p->tile_n = least(p->n, 512);
    for (;;) {
        p->tiles_m = (p->m + p->tile_m - 1) / p->tile_m;
        p->tiles_n = (p->n + p->tile_n - 1) / p->tile_n;
        if ((double)p->tiles_m * (double)p->tiles_n * (double)batches >= 16) return;
        if ((double)p->tile_m * (double)p->tile_n * (double)p->k < 2 * enough) return;
        int64_t *longer = p->tile_m >= p->tile_n ? &p->tile_m : &p->tile_n;
        if (*longer <= 64) return;
        *longer = (*longer / 2 + 63) / 64 * 64;
    }
}

/* *out is `a` with its last two axes row-major, and what does not repeat along the batch copied. */
static tg_status row_major(tg_array *out, const tg_array *a) {
    tg_array once = *a; /* borrows the buffer */
    for (int i = 0; i < a->rank; i++)
        if (i < a->rank - 2 && a->stride[i] == 0) once.numel /= once.shape[i], once.shape[i] = 1;
    tg_status status = tg_array_alloc(out, (tg_dtype)a->dtype, tg_array_shape(&once));
    if (status != TG_OK) return status;
    tg_array_copy(out, &once);
    for (int i = 0; i < a->rank - 2; i++) {
        if (a->stride[i] == 0) out->stride[i] = 0;
        out->shape[i] = a->shape[i];
    }
    out->numel = a->numel;
    return TG_OK;
}

static void run(problem *p) {
    tg_blas_single_threaded();
    int64_t batches = 1;
    for (int d = 0; d < p->rank; d++) batches *= p->shape[d];
    if (openblas_set_num_threads && p->m > 1 && p->n > 1)
        set_pieces(p, batches);
    else
        set_tiles(p, batches);
    double work = (double)p->tile_m * (double)p->tile_n * (double)p->k;
    int64_t together = work < 1 << 24 ? (int64_t)((1 << 24) / work) : 1;
    tg_parallel_for(batches * p->tiles_m * p->tiles_n, together, tiles, p);
}

/* Brings A and B into a layout that BLAS takes, by a copy where it must. What even then has a leading
 * dimension beyond BLAS's int stays with the direct loop. */
static tg_status lay_out(problem *p, const tg_array *a, const tg_array *b, const tg_array *c,
                         tg_array *copy) {
    bool a_fits = blas_layout(&p->a, p->m, p->k), b_fits = blas_layout(&p->b, p->k, p->n);
    if (!a_fits || !b_fits) {
        tg_status status = a_fits ? TG_OK : row_major(&copy[0], a);
        if (status == TG_OK && !b_fits) status = row_major(&copy[1], b);
        if (status != TG_OK) return status;
        set_up(p, p->alpha, a_fits ? a : &copy[0], b_fits ? b : &copy[1], p->beta, c);
        a_fits = blas_layout(&p->a, p->m, p->k), b_fits = blas_layout(&p->b, p->k, p->n);
    }
    p->direct = !a_fits || !b_fits || (p->m > 1 && p->c.rs > tg_gemm_int_max);
    return TG_OK;
}

/* Below this many multiplications a call of BLAS costs more than the small kernel. */
#define SMALL_WORK 2048

tg_status tg_gemm(double alpha, const tg_array *a, const tg_array *b, double beta, const tg_array *c) {
    if (c->numel == 0) return TG_OK;
    problem p;
    set_up(&p, alpha, a, b, beta, c);
    double panel = (double)p.k * (double)p.n;
    p.direct = p.k == 0 || (panel * (double)p.m <= SMALL_WORK && panel <= TG_SMALL_GEMM);
    if (p.direct && p.rank == 0) {
        direct(&p);
        return TG_OK;
    }
    tg_array copy[2] = {{0}, {0}};
    tg_status status = p.direct ? TG_OK : lay_out(&p, a, b, c, copy);
    if (status == TG_OK) run(&p);
    for (int i = 0; i < 2; i++) tg_array_drop(&copy[i]);
    return status;
}

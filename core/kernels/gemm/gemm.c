/* Matrix products, in tiles of C, one thread each, so that a product is the same to the bit at any number of threads. Our
 * macro-kernel does them where the table has vectors; BLAS does the others, and products with a vector. */
#include "core/kernels/gemm/gemm.h"

#include "core/kernels/gemm/macro_kernel.h"
#include "core/kernels/look.h"
#include "core/kernels/tasks.h"
#include "core/parallel.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void tile(const void *whole, int64_t i, char *scratch) {
    tg_gemm_problem p = *(const tg_gemm_problem *)whole;
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
    if (p.bias) p.bias += col * p.size;
    p.m = least(p.m - row, p.tile_m);
    p.n = least(p.n - col, p.tile_n);
    tg_gemm_tile(&p, scratch);
    const bool whole_rows = p.n == p.c.rs;
    for (int64_t k = 0; p.looker && k < (whole_rows ? 1 : p.m); k++)
        tg_look_at(p.looker, p.c.data + k * p.c.rs * p.size, whole_rows ? p.m * p.n : p.n);
}

/* ---- the whole problem ---- */

/* BLAS and the macro-kernel want one of the strides to be 1 and the other to be at least the length of a row. */
static bool blas_layout(tg_gemm_matrix *x, int64_t rows, int64_t cols) {
    if (cols == 1 && rows == 1) x->rs = x->cs = 1;
    bool plain = (x->cs == 1 || cols == 1) && (x->rs >= cols || rows == 1);
    x->transposed = !plain && (x->rs == 1 || rows == 1) && (x->cs >= rows || cols == 1);
    if (plain) x->cs = 1;
    if (x->transposed) x->rs = 1;
    if (plain && rows == 1) x->rs = cols;
    if (x->transposed && cols == 1) x->cs = rows;
    return (plain || x->transposed) && (x->transposed ? x->cs : x->rs) <= tg_gemm_int_max;
}

/* The batch axes of more than one element. While B is the same for all of an axis and A and C go on in
 * even steps of rows, the axis is share of m: one large product in place of many. */
static void set_batch(tg_gemm_problem *p, const tg_array *a, const tg_array *b, const tg_array *c) {
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

static void set_up(tg_gemm_problem *p, double alpha, const tg_array *a, const tg_array *b, double beta,
                   const tg_array *c) {
    int i = c->rank - 2, j = c->rank - 1;
    p->f64 = c->dtype == TG_F64;
    p->size = p->f64 ? 8 : 4;
    p->alpha = alpha, p->beta = beta;
    p->m = c->shape[i], p->n = c->shape[j], p->k = a->shape[j];
    p->a = (tg_gemm_matrix){a->data, a->stride[i], a->stride[j], false};
    p->b = (tg_gemm_matrix){b->data, b->stride[i], b->stride[j], false};
    p->c = (tg_gemm_matrix){c->data, c->stride[i], 1, false};
    p->bias = NULL;
    p->rank = 0;
    if (c->rank > 2) set_batch(p, a, b, c);
}

/* Multiplications that are worth a thread: by the macro-kernel 10 us of them. */
static double enough(const tg_gemm_problem *p) { return p->macro ? 1 << 20 : 1 << 24; }

/* For the macro-kernel, which computes an element of C the same way wherever it stands: a tile a thread along the longer
 * side, or the whole. Every tile packs B, or its share of it, anew. */
static void set_our_tiles(tg_gemm_problem *p, int64_t batches) {
    bool tall = p->m >= p->n;
    const tg_kernel_set *set = tg_kernels_for(p->f64);
    int64_t unit = tall ? set->mr : set->nr, threads = tg_threads_here();
    int64_t size = tall ? p->m : p->n, step = size;
    double work = (double)(tall ? p->n : p->m) * (double)p->k;
    for (int64_t shares = batches < threads ? threads : 1; shares > 1; shares--) {
        int64_t share = ((size + shares - 1) / shares + unit - 1) / unit * unit,
                last = size - (shares - 1) * share;
        if (last <= 0 || (double)last * work < enough(p)) continue;
        step = share;
        break;
    }
    p->tile_m = tall ? step : p->m, p->tile_n = tall ? p->n : step;
    p->tiles_m = (p->m + p->tile_m - 1) / p->tile_m;
    p->tiles_n = (p->n + p->tile_n - 1) / p->tile_n;
}

/* For BLAS, tiles that depend on the shapes alone: 512 x 512, halved until there is work for 16 threads or a tile is
 * worth some 300 us. A smaller one packs its operands too often, and a team of threads costs more than it brings when
 * the machine is busy. */
static void set_blas_tiles(tg_gemm_problem *p, int64_t batches) {
    p->tile_m = least(p->m, 512), p->tile_n = least(p->n, 512);
    for (;;) {
        p->tiles_m = (p->m + p->tile_m - 1) / p->tile_m;
        p->tiles_n = (p->n + p->tile_n - 1) / p->tile_n;
        if ((double)p->tiles_m * (double)p->tiles_n * (double)batches >= 16) return;
        if ((double)p->tile_m * (double)p->tile_n * (double)p->k < 2 * enough(p)) return;
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

static tg_status run(tg_gemm_problem *p) {
    tg_dtype dtype = p->f64 ? TG_F64 : TG_F32;
    int64_t batches = 1;
    for (int d = 0; d < p->rank; d++) batches *= p->shape[d];
    if (p->macro)
        set_our_tiles(p, batches);
    else
        set_blas_tiles(p, batches);
    double work = (double)p->tile_m * (double)p->tile_n * (double)p->k;
    return tg_parallel_tasks(batches * p->tiles_m * p->tiles_n, (int64_t)(enough(p) / (work + 1)) + 1, dtype,
                             p->macro ? tg_macro_kernel_scratch(dtype, p->tile_n, p->k) : 0, tile, p);
}

/* All of C is looked at, tile by tile. */
static tg_status run_and_look(tg_gemm_problem *p, const tg_array *c) {
    tg_looker looker;
    p->looker = tg_look_begin(&looker, c);
    tg_status s = run(p);
    if (s == TG_OK) tg_look_end(p->looker, c);
    return s;
}

/* Brings A and B into a layout that BLAS and the macro-kernel take, by a copy where it must. What even then has a leading
 * dimension beyond BLAS's int stays with the direct loop. */
static tg_status lay_out(tg_gemm_problem *p, const tg_array *a, const tg_array *b, const tg_array *c,
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

/* Whether the table has vectors, and the product is C = A B + C or less. */
static bool for_macro_kernel(const tg_gemm_problem *p) {
    return !p->direct && p->m > 1 && p->n > 1 && p->alpha == 1 && (p->beta == 0 || p->beta == 1) &&
           tg_kernels_for(p->f64)->lanes > 1;
}

/* p is set up but for its layout; `bias` is repeated to the shape of C, or NULL. */
static tg_status multiply(tg_gemm_problem *p, const tg_array *a, const tg_array *b, const tg_array *bias,
                          const tg_array *c) {
    double panel = (double)p->k * (double)p->n;
    p->direct = p->k == 0 || (panel * (double)p->m <= SMALL_WORK && panel <= TG_SMALL_GEMM);
    tg_array copy[2] = {{0}, {0}};
    tg_status s = p->direct ? TG_OK : lay_out(p, a, b, c, copy);
    p->macro = for_macro_kernel(p);
    if (bias && p->macro && bias->stride[bias->rank - 1] == 1)
        p->bias = bias->data;
    else if (bias && s == TG_OK)
        tg_array_copy(c, bias), p->beta = 1;
    if (s == TG_OK && p->direct && p->rank == 0)
        tg_gemm_direct(p);
    else if (s == TG_OK)
        s = run_and_look(p, c);
    tg_array_drop(&copy[0]), tg_array_drop(&copy[1]);
    return s;
}

tg_status tg_gemm_once(double alpha, const tg_array *a, const tg_array *b, const tg_array *bias, double beta,
                       const tg_array *c) {
    tg_gemm_problem p;
    set_up(&p, alpha, a, b, bias ? 0 : beta, c);
    if (!bias) return multiply(&p, a, b, NULL, c);
    tg_array rows = *c; /* borrows */
    rows.data = bias->data;
    for (int i = 0; i < rows.rank; i++) rows.stride[i] = i == rows.rank - 1 ? bias->stride[0] : 0;
    return multiply(&p, a, b, &rows, c);
}

/* Products over long inner sizes. A running sum in f32 loses the more the longer it is: an element is summed pairwise over
 * stretches of the inner axis, and in double where one operand is a vector. */
#include "core/kernels/gemm/gemm.h"

#include "core/iterate.h"
#include "core/kernels/look.h"
#include "core/parallel.h"

/* A product in f32 with a longer inner size is cut down to stretches of STRETCH terms. */
enum { LONGEST = 2048, STRETCH = 256 };

typedef struct product {
    double alpha, beta;
    const tg_array *a, *b, *bias, *c;
} product;

/* The terms [from, from + n). What needs memory comes first, so that C is written only once all of it is there. */
static tg_status sum_terms(const product *p, int64_t from, int64_t n) {
    tg_array a = tg_array_part(p->a, p->a->rank - 1, from, n), b = tg_array_part(p->b, p->b->rank - 2, from, n);
    tg_array rest = {0};
    if (n <= STRETCH) return tg_gemm_once(p->alpha, &a, &b, p->bias, p->beta, p->c);
    int64_t half = (n / STRETCH + 1) / 2 * STRETCH;
    tg_status s = tg_array_alloc_like(&rest, p->c);
    if (s == TG_OK) s = sum_terms(&(product){p->alpha, 0, p->a, p->b, NULL, &rest}, from + half, n - half);
    if (s == TG_OK) s = sum_terms(p, from, half);
    if (s == TG_OK) tg_map_binary(TG_BINARY_ADD, p->c, &rest, p->c);
    tg_array_drop(&rest);
    return s;
}

/* ---- a matrix and a vector: short sums, added in double, at the speed of memory ---- */

enum { OUTPUTS = 1024 };

/* out[i] = sum over l of matrix[i * row + l * step] vector[l * apart] */
typedef struct vector_product {
    const float *matrix, *vector;
    float *out;
    int64_t k, row, step, apart, out_step;
    double alpha, beta;
} vector_product;

/* Neighbours in memory are those of one output, */
static void by_rows(const vector_product *v, int64_t n, const float *x, double *sum) {
    tg_kernels_for(TG_F32)->row_dots(&(tg_dots){v->k, v->row, 1, x, v->vector}, n, sum);
}

/* or those of one term, */
static void by_columns(const vector_product *v, int64_t n, const float *x, double *sum) {
    tg_dots_fn *add = tg_kernels_for(TG_F32)->column_dots;
    for (int64_t l = 0; l < v->k; l += TG_DOT_TERMS) {
        int64_t terms = v->k - l < TG_DOT_TERMS ? v->k - l : TG_DOT_TERMS;
        add(&(tg_dots){terms, v->step, v->apart, x + l * v->step, v->vector + l * v->apart}, n, sum);
    }
}

/* or there are none. */
static void by_elements(const vector_product *v, int64_t n, const float *x, double *sum) {
    for (int64_t l = 0; l < v->k; l++, x += v->step)
        for (int64_t j = 0; j < n; j++) sum[j] += (double)x[j * v->row] * (double)v->vector[l * v->apart];
}

static void some_outputs(void *context, int64_t begin, int64_t end) {
    const vector_product *v = context;
    bool rows = v->step == 1 && v->apart == 1;
    for (int64_t i = begin; i < end; i += OUTPUTS) {
        double sum[OUTPUTS] = {0};
        int64_t n = end - i < OUTPUTS ? end - i : OUTPUTS;
        (rows ? by_rows : v->row == 1 ? by_columns : by_elements)(v, n, v->matrix + i * v->row, sum);
        for (int64_t j = 0; j < n; j++) {
            float *out = v->out + (i + j) * v->out_step;
            *out = (float)(v->alpha * sum[j] + (v->beta != 0 ? v->beta * (double)*out : 0));
        }
    }
}

static void multiply_vector(const product *p, int64_t k) {
    const tg_array *a = p->a, *b = p->b, *c = p->c;
    bool column = c->shape[1] == 1;
    vector_product v = {.out = c->data, .k = k, .alpha = p->alpha, .beta = p->beta};
    v.matrix = column ? a->data : b->data, v.vector = column ? b->data : a->data;
    v.row = column ? a->stride[0] : b->stride[1], v.step = column ? a->stride[1] : b->stride[0];
    v.apart = column ? b->stride[0] : a->stride[1], v.out_step = c->stride[column ? 0 : 1];
    int64_t share =
        c->numel / tg_threads_here() + 1; /* the more neighbours at once, the longer what is read in order */
    tg_parallel_for(c->numel, v.step == 1 ? 4 + TG_BLOCK / k : share > 64 ? share : 64, some_outputs, &v);
}

static tg_status multiply(const product *p) {
    const tg_array *c = p->c;
    int64_t k = p->a->shape[p->a->rank - 1];
    if (c->numel == 0) return TG_OK;
    if (tg_looking) tg_look_forget(c);
    if (c->dtype != TG_F32 || k <= LONGEST) return tg_gemm_once(p->alpha, p->a, p->b, p->bias, p->beta, c);
    if (c->rank > 2 || (c->shape[0] > 1 && c->shape[1] > 1) || p->bias) return sum_terms(p, 0, k);
    multiply_vector(p, k);
    return TG_OK;
}

tg_status tg_gemm(double alpha, const tg_array *a, const tg_array *b, double beta, const tg_array *c) {
    return multiply(&(product){alpha, beta, a, b, NULL, c});
}

tg_status tg_gemm_bias(const tg_array *a, const tg_array *b, const tg_array *bias, const tg_array *c) {
    return multiply(&(product){1, 0, a, b, bias, c});
}

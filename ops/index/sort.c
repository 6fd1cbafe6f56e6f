#include "core/alloc.h"
#include "core/parallel.h"
#include "ops/shared.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

typedef struct sort_attr {
    int64_t axis;
    bool descending;
} sort_attr;

static const tg_attr_field fields[] = {
    {"axis", TG_ATTR_INT, offsetof(sort_attr, axis)},
    {"descending", TG_ATTR_BOOL, offsetof(sort_attr, descending)},
};

/* ---- keys: unsigned numbers in the order of the values ---- */

typedef struct entry {
    uint64_t key;
    int64_t at;
} entry;

#define SIGN (UINT64_C(1) << 63)

/* The bits of floats, read as integers, have the order of the floats, except that negative ones run
 * backwards. -0 counts as 0, and every NaN as the largest. */
static uint64_t key_of_float(double v) {
    uint64_t bits;
    if (isnan(v)) return UINT64_MAX;
    v += 0.0;
    memcpy(&bits, &v, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

static uint64_t key_of(const tg_array *x, const char *p) {
    switch ((tg_dtype)x->dtype) {
    case TG_F32:
        return key_of_float(*(const float *)(const void *)p);
    case TG_F64:
        return key_of_float(*(const double *)(const void *)p);
    case TG_I32:
        return (uint64_t)(int64_t)(*(const int32_t *)(const void *)p) ^ SIGN;
    case TG_I64:
        return (uint64_t)(*(const int64_t *)(const void *)p) ^ SIGN;
    default:
        return *(const uint8_t *)p;
    }
}

/* ---- merge sort, bottom up: stable, n log n at worst ---- */

#define RUN 16

static void insertion_sort(entry *e, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        entry one = e[i];
        int64_t k = i;
        for (; k > 0 && e[k - 1].key > one.key; k--) e[k] = e[k - 1];
        e[k] = one;
    }
}

/* Merges from[0, middle) and from[middle, n), both in order, into `to`. */
static void merge(const entry *from, int64_t middle, int64_t n, entry *to) {
    int64_t a = 0, b = middle;
    for (int64_t i = 0; i < n; i++)
        to[i] = b >= n || (a < middle && from[a].key <= from[b].key) ? from[a++] : from[b++];
}

/* Returns the one of the two that holds the result. */
static entry *merge_sort(entry *e, entry *other, int64_t n) {
    for (int64_t i = 0; i < n; i += RUN) insertion_sort(e + i, n - i < RUN ? n - i : RUN);
    for (int64_t width = RUN; width < n; width *= 2) {
        for (int64_t i = 0; i < n; i += 2 * width) {
            int64_t rest = n - i;
            merge(e + i, rest < width ? rest : width, rest < 2 * width ? rest : 2 * width, other + i);
        }
        entry *was = e;
        e = other, other = was;
    }
    return e;
}

/* ---- sort:  dx[.., index, ..] = g ---- */

typedef struct job {
    const tg_array *x, *index;
    int axis;
    bool descending;
    atomic_bool failed; /* no memory */
} job;

/* The offset, in elements, of row i along `axis`, where rows are counted over all other axes. */
static int64_t row_offset(const tg_array *a, int axis, int64_t i) {
    int64_t offset = 0;
    for (int d = a->rank - 1; d >= 0; d--) {
        if (d == axis) continue;
        offset += i % a->shape[d] * a->stride[d];
        i /= a->shape[d];
    }
    return offset;
}

static void sort_row(const job *j, int64_t row, entry *e, entry *other) {
    const tg_array *x = j->x;
    int64_t n = x->shape[j->axis], size = (int64_t)tg_dtype_size((tg_dtype)x->dtype);
    const char *p = (const char *)x->data + row_offset(x, j->axis, row) * size;
    uint64_t flip = j->descending ? UINT64_MAX : 0;
    for (int64_t i = 0; i < n; i++) e[i] = (entry){key_of(x, p + i * x->stride[j->axis] * size) ^ flip, i};
    const entry *sorted = merge_sort(e, other, n);
    int64_t *out = (int64_t *)j->index->data + row_offset(j->index, j->axis, row);
    for (int64_t i = 0; i < n; i++) out[i * j->index->stride[j->axis]] = sorted[i].at;
}

static void sort_rows(void *context, int64_t begin, int64_t end) {
    job *j = context;
    size_t n = (size_t)j->x->shape[j->axis], bytes;
    entry *e = tg_size_mul(n, 2 * sizeof *e, &bytes) ? tg_sys_alloc(bytes) : NULL;
    if (!e) {
        atomic_store(&j->failed, true);
        return;
    }
    for (int64_t row = begin; row < end; row++) sort_row(j, row, e, e + n);
    tg_sys_free(e, bytes);
}

static tg_status sort_infer(const tg_call *call) {
    const tg_array *x = call->in[0];
    int axis;
    tg_status s = tg_call_attr_axis(call, &axis);
    if (s == TG_OK) s = tg_out(call, 0, (tg_dtype)x->dtype, tg_array_shape(x));
    return s == TG_OK ? tg_out(call, 1, TG_I64, tg_array_shape(x)) : s;
}

static tg_status sort_forward(const tg_call *call) {
    const tg_array *x = call->in[0];
    job j = {.x = x, .index = call->out[1], .axis = tg_attr_axis(call->attr, x->rank)};
    if (x->numel == 0) return TG_OK;
    j.descending = ((const sort_attr *)call->attr)->descending;
    int64_t n = x->shape[j.axis], grain = n < 4096 ? 4096 / n : 1;
    tg_parallel_for(x->numel / n, grain, sort_rows, &j);
    if (atomic_load(&j.failed))
        return tg_call_fail(call, TG_ERR_MEMORY, "there is no memory to sort %s", tg_call_input(call, 0));
    tg_map_gather(x, j.axis, call->out[1], call->out[0]);
    return TG_OK;
}

static void sort_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *x = tg_node_in(n, 0);
    tg_tensor *zeros = tg_zeros_with((tg_dtype)x->dtype, tg_array_shape(x));
    din[0] = tg_scatter_add(zeros, tg_attr_axis(n->attr, x->rank), n->out[1], dout[0]);
}

static tg_status sort_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0), *index = tg_node_out(n, 1);
    int axis = tg_attr_axis(n->attr, x->rank);
    tg_status s = tg_array_alloc_like(&din[0], x);
    if (s != TG_OK || tg_map_put_back(dout[0], axis, index, &din[0])) return s;
    tg_tensor *handles[2] = {n->in[0], n->out[1]}; /* the user has changed the index */
    tg_array at;
    s = tg_positions(n->op->name, handles, index, x->shape[axis], axis, &at);
    if (s == TG_OK) tg_array_fill(&din[0], 0);
    if (s == TG_OK) s = tg_map_scatter_add(&din[0], axis, &at, dout[0]);
    tg_array_drop(&at);
    return s;
}

const tg_op tg_op_sort = {
    .name = "sort",
    .formula =
        "out, index = the elements of x in order along axis, and where they stood; out[.., j, ..] = x[.., index[.., j, ..], ..]",
    .rule = "dx[.., index[.., j, ..], ..] = dout[.., j, ..]",
    .kink = "elements that tie keep their order, and each its gradient",
    .n_in = 1,
    .n_out = 2,
    .save = TG_OUT(1),
    TG_ATTRS(sort_attr, fields),
    .infer = sort_infer,
    .forward = sort_forward,
    .grad = sort_grad,
    .grad_kernel = sort_grad_kernel,
};

static tg_tensor *sort_both(tg_tensor *x, int axis, bool descending, tg_tensor **index) {
    tg_tensor *out[2];
    tg_apply_multi(&tg_op_sort, &x, 1, &(sort_attr){axis, descending}, out);
    *index = out[1];
    return out[0];
}

tg_tensor *tg_sort_with(tg_tensor *x, int axis, tg_sort_opts opts) {
    tg_tensor *index;
    return sort_both(x, axis, opts.descending, opts.index ? opts.index : &index);
}

/* ---- topk: the first of all in order ---- */

tg_tensor *tg_topk_with(tg_tensor *x, int64_t k, int axis, tg_topk_opts opts) {
    TG_COMPOSED("topk");
    tg_tensor *index = tg_poison();
    if (opts.index) *opts.index = index;
    int along;
    const tg_array *a = tg_operand_along(x, "topk", axis, &along);
    if (!a) return tg_poison();
    if (k < 0 || k > a->shape[along])
        return tg_fail_operand(TG_ERR_ARGUMENT, "topk", x,
                               "k is %lld, which is out of range for axis %d of size %lld", (long long)k,
                               along, (long long)a->shape[along]);
    tg_tensor *all = sort_both(x, along, !opts.smallest, &index), *out = tg_slice(all, along, 0, k, 1);
    tg_drop_elements(all);
    if (!opts.index || tg_is_poison(out)) return out;
    *opts.index = tg_slice(index, along, 0, k, 1);
    return tg_is_poison(*opts.index) ? *opts.index : out;
}

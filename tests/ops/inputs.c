/* Trials to tensors, and the harness's own two ops, through which every layout reaches the op under test
 * while the gradient check still works on plain leaves. */
#include "tests/ops/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP 1e-6

/* ---- identity in another layout ---- */

typedef struct layout_attr {
    int64_t layout;
} layout_attr;
static const tg_attr_field layout_fields[] = {{"layout", TG_ATTR_INT, offsetof(layout_attr, layout)}};

/* Strides for `shape`; returns the number of elements the base needs, and where element (0, 0, ...) lies. */
static int64_t lay_out(tg_shape shape, layout l, int64_t *stride, int64_t *first) {
    int64_t gap = l == LAYOUT_GAPS ? 2 : 1, next = gap, numel = tg_shape_numel(shape);
    for (int k = 0; k < shape.rank; k++) {
        int axis = l == LAYOUT_COLUMNS ? k : shape.rank - 1 - k;
        stride[axis] = l == LAYOUT_NEGATIVE ? -next : next;
        next *= shape.dim[axis];
    }
    *first = 3 + (l == LAYOUT_NEGATIVE && numel > 0 ? numel - 1 : 0);
    return 3 + numel * gap + 3;
}

/* The gaps hold NaN, or the lowest integer: reading one shows. */
static tg_status layout_infer(const tg_call *c) {
    const tg_array *x = c->in[0];
    tg_array *out = c->out[0], base = {0};
    tg_shape shape = tg_array_shape(x);
    int64_t stride[TG_MAX_RANK], first;
    int64_t need = lay_out(shape, (layout)((const layout_attr *)c->attr)->layout, stride, &first);
    tg_status s = tg_array_alloc(&base, (tg_dtype)x->dtype, TG_SHAPE(need));
    if (s != TG_OK) return s;
    s = tg_array_layout(out, (tg_dtype)x->dtype, shape);
    if (s != TG_OK) {
        tg_array_drop(&base);
        return s;
    }
    tg_array_fill(&base, NAN);
    out->buffer = base.buffer;
    out->data = (char *)base.data + (size_t)first * tg_dtype_size((tg_dtype)x->dtype);
    memcpy(out->stride, stride, sizeof stride[0] * (size_t)shape.rank);
    return TG_OK;
}

static tg_status layout_forward(const tg_call *c) {
    tg_array_copy(c->out[0], c->in[0]);
    return TG_OK;
}

static void layout_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din);

static const tg_op layout_op = {.name = "test_layout",
                                .n_in = 1,
                                .attr_size = sizeof(layout_attr),
                                .attrs = layout_fields,
                                .n_attrs = 1,
                                .infer = layout_infer,
                                .forward = layout_forward,
                                .grad = layout_grad};

static void layout_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_apply(&layout_op, &dout[0], 1, node->attr);
}

tg_tensor *with_layout(tg_tensor *x, layout l) {
    layout_attr a = {l};
    return l == LAYOUT_PLAIN ? x : tg_apply(&layout_op, &x, 1, &a);
}

/* ---- stride 0; the walk sums the gradient down ---- */

typedef struct repeat_attr {
    tg_shape shape;
} repeat_attr;
static const tg_attr_field repeat_fields[] = {{"shape", TG_ATTR_DIMS, offsetof(repeat_attr, shape)}};

static tg_status repeat_infer(const tg_call *c) {
    return tg_array_broadcast(c->out[0], c->in[0], ((const repeat_attr *)c->attr)->shape);
}

static void repeat_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)node;
    din[0] = dout[0];
}

static const tg_op repeat_op = {.name = "test_repeat",
                                .n_in = 1,
                                .attr_size = sizeof(repeat_attr),
                                .attrs = repeat_fields,
                                .n_attrs = 1,
                                .infer = repeat_infer,
                                .grad = repeat_grad};

/* ---- a use whose gradient gets lost: identity, with no gradient ---- */

static void lossy_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)node;
    din[0] = tg_mul_scalar(dout[0], 0);
}

static const tg_op lossy_op = {.name = "test_lossy",
                               .n_in = 1,
                               .attr_size = sizeof(repeat_attr),
                               .attrs = repeat_fields,
                               .n_attrs = 1,
                               .infer = repeat_infer,
                               .grad = lossy_grad};

static tg_tensor *lossy(tg_tensor *x) {
    repeat_attr a = {tg_shape_of(x)};
    return tg_apply(&lossy_op, &x, 1, &a);
}

/* ---- values ---- */

static bool near_a_kink(const input_spec *in, double v, double distance) {
    for (int i = 0; i < in->n_kinks; i++)
        if (fabs(v - in->kink[i]) <= distance) return true;
    return false;
}

/* A value that f32 holds exactly, so that both float types see the same input. */
static double draw_float(const trial *t, int i, tg_rng *rng) {
    const input_spec *in = &t->row->in[i];
    double distance = 10 * (t->row->eps > 0 ? t->row->eps : STEP);
    for (;;) {
        double v = t->lo[i] + (t->hi[i] - t->lo[i]) * tg_rng_uniform(rng);
        if (in->grid > 0) v = in->grid * floor(v / in->grid);
        v = (double)(float)v;
        if (!near_a_kink(in, v, distance)) return v;
    }
}

static double draw(const trial *t, int i, tg_rng *rng) {
    const input_spec *in = &t->row->in[i];
    if (in->dtype == TG_F32) return draw_float(t, i, rng);
    if (in->dtype == TG_BOOL) return (double)tg_rng_below(rng, 2);
    return floor(t->lo[i] + (t->hi[i] - t->lo[i]) * tg_rng_uniform(rng));
}

/* The next whole number of the domain that t->held holds. */
static double as_held(const trial *t, int i, double v) {
    tg_dtype d = t->held[i];
    if (d == TG_F32) return v;
    v = ceil(v);
    if (t->row->in[i].dtype == TG_F32 && v > t->hi[i]) v = floor(t->hi[i]);
    if (d == TG_BOOL) return v != 0;
    return d == TG_U8 ? fmax(v, 0) : v;
}

/* One value in each of n equal cells of the domain, away from the cells' ends, in random order. */
static void draw_distinct(const trial *t, int i, double *v, int64_t n, tg_rng *rng) {
    double width = n ? (t->hi[i] - t->lo[i]) / (double)n : 0;
    for (int64_t k = 0; k < n; k++)
        v[k] = (double)(float)(t->lo[i] + width * ((double)k + 0.25 + 0.5 * tg_rng_uniform(rng)));
    for (int64_t k = n - 1; k > 0; k--) {
        int64_t other = (int64_t)tg_rng_below(rng, (uint64_t)k + 1);
        double swap = v[k];
        v[k] = v[other], v[other] = swap;
    }
}

bool takes_gradient(const trial *t, int input) {
    const input_spec *in = &t->row->in[input];
    return has_gradient(t->op) && in->dtype == TG_F32 && !in->constant && !(t->op->no_grad & TG_IN(input));
}

static bool leaf_takes_gradient(const trial *t, int leaf) {
    for (int i = 0; i < t->n_in; i++)
        if (t->leaf_of[i] == leaf && takes_gradient(t, i)) return true;
    return false;
}

/* (x + n max I) / n: invertible and well conditioned, with a positive definite symmetric part. */
static void make_dominant(const trial *t, int i, const tg_array *x) {
    int64_t n = x->shape[x->rank - 1];
    double more = (double)n * fmax(fabs(t->lo[i]), fabs(t->hi[i]));
    if (x->shape[x->rank - 2] != n) return; /* one row, to be repeated */
    for (int64_t k = 0; k < x->numel; k++) {
        double v = tg_array_get(x, k) + (k % n == k / n % n ? more : 0);
        tg_array_set(x, k, (double)(float)(v / (double)n));
    }
}

static tg_tensor *make_leaf(const trial *t, int l, tg_dtype f) {
    int i = t->input_of[l];
    const input_spec *in = &t->row->in[i];
    tg_shape shape = t->shape[i];
    if (t->expand[i] >= 0) shape.dim[t->expand[i]] = shape.dim[t->expand[i]] ? 1 : 0;
    tg_tensor *x = tg_zeros_with(in->dtype == TG_F32 ? f : t->ints != TG_F32 ? t->ints : in->dtype, shape);
    int64_t n = tg_numel(x);
    double *v = malloc(sizeof *v * (size_t)(n + 1));
    ck_assert_ptr_nonnull(v);
    tg_rng rng = {t->seed + (uint64_t)l, 0};
    if (in->distinct) draw_distinct(t, i, v, n, &rng);
    for (int64_t k = 0; k < n; k++)
        tg_array_set(tg_array_of(x), k, as_held(t, i, in->distinct ? v[k] : draw(t, i, &rng)));
    free(v);
    if (in->dominant) make_dominant(t, i, tg_array_of(x));
    return tg_set_name(x, i == 0 ? "x" : i == 1 ? "y" : "z");
}

void trial_leaves(const trial *t, tg_dtype f, bool grad, tg_tensor **leaf) {
    for (int l = 0; l < t->n_leaves; l++) {
        leaf[l] = make_leaf(t, l, f);
        if (grad && leaf_takes_gradient(t, l)) tg_set_requires_grad(leaf[l], true);
    }
}

/* ---- the output ---- */

static tg_tensor *arrange(const trial *t, int i, tg_tensor *x) {
    if (t->expand[i] >= 0) {
        repeat_attr a = {t->shape[i]};
        x = tg_apply(&repeat_op, &x, 1, &a);
    }
    return with_layout(x, t->layout);
}

tg_tensor *trial_run(const trial *t, tg_tensor *const *leaf) {
    tg_tensor *in[MAX_IN] = {NULL}, *arranged[MAX_IN];
    for (int l = 0; l < t->n_leaves; l++) arranged[l] = arrange(t, t->input_of[l], leaf[l]);
    for (int i = 0; i < t->n_in; i++) in[i] = arranged[t->leaf_of[i]];
    tg_tensor **lost = t->lost ? &in[t->lost - 1] : NULL, *was = lost ? *lost : NULL;
    if (lost) *lost = lossy(was);
    tg_tensor *y = t->call->fn(in, &t->arg);
    if (lost) *lost = was;
    if (t->fan_out && tg_dtype_is_float(tg_dtype_of(y)))
        y = tg_add(y, tg_mul_scalar(t->call->fn(in, &t->arg), 3));
    return with_layout(y, t->layout);
}

tg_tensor *signed_seed(const tg_tensor *y, tg_dtype f, uint64_t seed) {
    tg_tensor *p = tg_zeros_with(f, tg_shape_of(y));
    tg_rng rng = {seed ^ 0x5eed, 0};
    for (int64_t k = 0, n = tg_numel(p); k < n; k++) {
        double v = ldexp(floor(ldexp(0.5 + tg_rng_uniform(&rng), 16)), -16); /* f32 holds 3 v too */
        tg_array_set(tg_array_of(p), k, tg_rng_below(&rng, 2) ? v : -v);
    }
    return p;
}

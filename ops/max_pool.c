/* The largest element of each window. Declared in ops/pool.h. */
#include "core/parallel.h"
#include "ops/columns.h"

#include <math.h>

typedef struct max_pool {
    const void *x;
    void *out;
    int64_t *index;
    tg_window y_axis, x_axis;
    bool wide; /* f64 */
} max_pool;

/* ---- forward ---- */

/* The part [*from, *to) of the kernel's elements that lies inside the image, for the window at o. */
static void kernel_inside(const tg_window *w, int64_t o, int64_t *from, int64_t *to) {
    int64_t start = o * w->stride - w->padding;
    *from = start < 0 ? (-start + w->dilation - 1) / w->dilation : 0;
    *to = (w->in - start + w->dilation - 1) / w->dilation;
    if (*to > w->kernel) *to = w->kernel;
}

static double element(const max_pool *p, int64_t i) {
    return p->wide ? ((const double *)p->x)[i] : (double)((const float *)p->x)[i];
}

/* The place in the plane at `plane` of the largest element of window (i, j): the first, or the first NaN. */
static int64_t largest(const max_pool *p, int64_t plane, int64_t i, int64_t j) {
    const tg_window *y = &p->y_axis, *x = &p->x_axis;
    int64_t top, bottom, left, right, best = -1;
    double most = 0;
    kernel_inside(y, i, &top, &bottom);
    kernel_inside(x, j, &left, &right);
    for (int64_t k = top; k < bottom; k++)
        for (int64_t l = left; l < right; l++) {
            int64_t row = i * y->stride - y->padding + k * y->dilation;
            int64_t at = row * x->in + j * x->stride - x->padding + l * x->dilation;
            double v = element(p, plane + at);
            if (best >= 0 && !(v > most) && !(isnan(v) && !isnan(most))) continue;
            best = at, most = v;
        }
    return best;
}

static void planes(void *context, int64_t begin, int64_t end) {
    const max_pool *p = context;
    int64_t in = p->y_axis.in * p->x_axis.in, out = p->y_axis.out * p->x_axis.out;
    for (int64_t c = begin; c < end; c++)
        for (int64_t i = 0; i < out; i++) {
            int64_t at = largest(p, c * in, i / p->x_axis.out, i % p->x_axis.out);
            p->index[c * out + i] = at;
            if (p->wide)
                ((double *)p->out)[c * out + i] = ((const double *)p->x)[c * in + at];
            else
                ((float *)p->out)[c * out + i] = ((const float *)p->x)[c * in + at];
        }
}

static tg_status infer(const tg_call *call) {
    const tg_array *x = call->in[0];
    const tg_window_attr *a = call->attr;
    tg_window w[2];
    tg_status s = tg_call_float(call, 0);
    if (s == TG_OK && x->rank != 4)
        s = tg_call_fail(call, TG_ERR_SHAPE, "needs four axes: %s", tg_call_input(call, 0));
    if (s == TG_OK) s = tg_window_infer(call, x->shape + 2, a->size.dim, w);
    for (int i = 0; s == TG_OK && i < 2; i++)
        if (w[i].padding > w[i].kernel / 2 || (w[i].padding > 0 && w[i].dilation > w[i].in))
            s = tg_call_fail(call, TG_ERR_ARGUMENT, "padding %lld leaves windows of %lld empty: %s",
                             (long long)w[i].padding, (long long)w[i].kernel, tg_call_input(call, 0));
    if (s != TG_OK) return s;
    tg_shape shape = TG_SHAPE(x->shape[0], x->shape[1], w[0].out, w[1].out);
    s = tg_out(call, 0, (tg_dtype)x->dtype, shape);
    return s == TG_OK ? tg_out(call, 1, TG_I64, shape) : s;
}

static tg_status forward(const tg_call *call) {
    const tg_window_attr *a = call->attr;
    const tg_array *x = call->in[0];
    tg_window w[2];
    tg_window_of(a, x->shape + 2, a->size.dim, w);
    tg_array dense = {0};
    tg_status s = tg_array_contiguous(&dense, x);
    if (s != TG_OK) return s;
    max_pool p = {dense.data, call->out[0]->data, call->out[1]->data, w[0], w[1], x->dtype == TG_F64};
    int64_t work = w[0].out * w[1].out * w[0].kernel * w[1].kernel;
    tg_parallel_for(x->shape[0] * x->shape[1], work >= 16384 ? 1 : 16384 / work, planes, &p);
    tg_array_drop(&dense);
    return TG_OK;
}

/* ---- gradient:  dx[.., index[.., i, j]] += g[.., i, j] ---- */

static tg_shape flat(tg_shape s) { return TG_SHAPE(s.dim[0], s.dim[1], s.dim[2] * s.dim[3]); }

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_shape shape = tg_shape_of(n->in[0]), windows = flat(tg_shape_of(dout[0]));
    tg_tensor *zeros = (tg_zeros)(tg_dtype_of(dout[0]), flat(shape));
    tg_tensor *index = (tg_reshape)(n->out[1], windows), *g = (tg_reshape)(dout[0], windows);
    din[0] = (tg_reshape)(tg_scatter_add(zeros, 2, index, g), shape);
}

static tg_status grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0);
    tg_array g = {0};
    tg_status s = tg_array_contiguous(&g, dout[0]);
    if (s == TG_OK) s = tg_array_alloc(&din[0], (tg_dtype)x->dtype, tg_array_shape(x));
    if (s == TG_OK) {
        tg_shape windows = flat(tg_array_shape(&g));
        tg_array dx = tg_borrow_reshape(&din[0], tg_array_shape(&din[0])), index = *tg_node_out(n, 1),
                 from = g;
        tg_array *all[3] = {&dx, &index, &from};
        for (int i = 0; i < 3; i++) { /* contiguous: the two last axes are one */
            all[i]->rank = 3, all[i]->shape[2] = i ? windows.dim[2] : x->shape[2] * x->shape[3];
            all[i]->stride[2] = 1;
        }
        tg_array_fill(&din[0], 0);
        tg_map_scatter_add(&dx, 2, &index, &from);
    }
    tg_array_drop(&g);
    return s;
}

const tg_op tg_op_max_pool2d = {
    .name = "max_pool2d",
    .formula = "out, index = largest element of x in each window, and its position in the plane",
    .kink = "all to the first of the elements that tie",
    .n_in = 1,
    .n_out = 2,
    .save = TG_OUT(1),
    TG_WINDOW_ATTRS,
    .infer = infer,
    .forward = forward,
    .grad = grad,
    .grad_kernel = grad_kernel,
};

tg_tensor *(tg_max_pool2d)(tg_tensor *x, tg_max_pool2d_opts o) {
    tg_tensor *out[TG_MAX_OUT];
    for (int i = 0; i < 2; i++) o.stride[i] = o.stride[i] ? o.stride[i] : o.kernel[i];
    tg_window_attr a = tg_window_options(o.stride, o.padding, o.dilation, 1);
    a.size = TG_SHAPE(o.kernel[0], o.kernel[1]);
    tg_apply_multi(&tg_op_max_pool2d, &x, 1, &a, out);
    if (o.index) *o.index = out[1];
    return out[0];
}

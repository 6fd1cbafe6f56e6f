/* conv2d and its two transposes. With T(x, w, g) = <g, conv2d(x, w)>, linear in each of the three,
 *     conv2d = dT/dg,  conv2d_input = dT/dx,  conv2d_weight = dT/dw,
 * so the gradients of each of the ops are the two others, to any order.
 *
 * Each image becomes the matrix of what the windows see (ops/columns.h), and each group of filters a
 * matrix product:
 *     y = W columns,  columns = W^T y,  W = y columns^T,
 * for W [filters, K], columns [K, P], y [filters, P]. Only one image's columns a thread exist at a time. */
#include "ops/columns.h"

typedef struct conv {
    int64_t images, channels, filters, groups; /* channels and filters of one group */
    tg_window window[2];
    int64_t k, p;     /* rows and columns of the matrix of columns */
    tg_array x, w, y; /* contiguous, borrowed */
    tg_array columns; /* [slots, k, p]; without data where the image is that matrix itself */
    double beta;      /* conv2d: 1 when y holds the bias; conv2d_weight: 1 when w holds the gradient so far */
} conv;

/* ---- shape rules ---- */

static tg_status check_pair(const tg_call *call) {
    for (int i = 0; i < 2; i++) {
        tg_status s = tg_call_float(call, i);
        if (s != TG_OK) return s;
        if (call->in[i]->rank != 4)
            return tg_call_fail(call, TG_ERR_SHAPE, "needs four axes: %s", tg_call_input(call, i));
    }
    if (call->in[0]->dtype == call->in[1]->dtype) return TG_OK;
    return tg_call_fail(call, TG_ERR_DTYPE, "dtypes differ: %s and %s (tg_to converts)",
                        tg_call_input(call, 0), tg_call_input(call, 1));
}

static tg_status check_groups(const tg_call *call, int64_t channels, int64_t filters) {
    int64_t groups = ((const tg_window_attr *)call->attr)->groups;
    if (channels % groups == 0 && filters % groups == 0) return TG_OK;
    return tg_call_fail(call, TG_ERR_SHAPE,
                        "%lld channels and %lld filters are not divided by %lld groups: %s and %s",
                        (long long)channels, (long long)filters, (long long)groups, tg_call_input(call, 0),
                        tg_call_input(call, 1));
}

static tg_status check_bias(const tg_call *call, int64_t filters) {
    const tg_array *bias = call->in[2];
    if (!bias) return TG_OK;
    if (bias->dtype != call->in[0]->dtype)
        return tg_call_fail(call, TG_ERR_DTYPE, "dtypes differ: %s and %s (tg_to converts)",
                            tg_call_input(call, 0), tg_call_input(call, 2));
    if (bias->rank == 1 && bias->numel == filters) return TG_OK;
    return tg_call_fail(call, TG_ERR_SHAPE, "the bias must be [%lld], one number a filter: %s",
                        (long long)filters, tg_call_input(call, 2));
}

static tg_status conv2d_infer(const tg_call *call) {
    const tg_array *x = call->in[0], *w = call->in[1];
    const tg_window_attr *a = call->attr;
    tg_window window[2];
    tg_status s = check_pair(call);
    if (s == TG_OK) s = tg_window_infer(call, x->shape + 2, w->shape + 2, window);
    if (s == TG_OK) s = check_groups(call, x->shape[1], w->shape[0]);
    if (s == TG_OK && x->shape[1] / a->groups != w->shape[1])
        s = tg_call_fail(call, TG_ERR_SHAPE, "channels differ: %s, %s, groups %lld", tg_call_input(call, 0),
                         tg_call_input(call, 1), (long long)a->groups);
    if (s == TG_OK) s = check_bias(call, w->shape[0]);
    if (s != TG_OK) return s;
    return tg_out(call, 0, (tg_dtype)x->dtype,
                  TG_SHAPE(x->shape[0], w->shape[0], window[0].out, window[1].out));
}

/* g is what a convolution of these sizes gives. */
static tg_status check_windows(const tg_call *call, const tg_array *g, const int64_t in[2],
                               const int64_t kernel[2]) {
    tg_window window[2];
    tg_status s = tg_window_infer(call, in, kernel, window);
    if (s != TG_OK || (g->shape[2] == window[0].out && g->shape[3] == window[1].out)) return s;
    return tg_call_fail(
        call, TG_ERR_SHAPE, "%s and %s: windows of [%lld, %lld] have %lld by %lld places in %lld by %lld",
        tg_call_input(call, 0), tg_call_input(call, 1), (long long)kernel[0], (long long)kernel[1],
        (long long)window[0].out, (long long)window[1].out, (long long)in[0], (long long)in[1]);
}

static tg_status input_infer(const tg_call *call) {
    const tg_array *g = call->in[0], *w = call->in[1];
    const tg_window_attr *a = call->attr;
    tg_status s = check_pair(call);
    if (s == TG_OK && (a->size.dim[0] < 0 || a->size.dim[1] < 0))
        s = tg_call_fail(call, TG_ERR_ARGUMENT, "the size of the result is negative: %s",
                         tg_call_input(call, 0));
    if (s == TG_OK) s = check_windows(call, g, a->size.dim, w->shape + 2);
    if (s == TG_OK) s = check_groups(call, 0, w->shape[0]);
    if (s == TG_OK && g->shape[1] != w->shape[0])
        s = tg_call_fail(call, TG_ERR_SHAPE, "filters differ: %s, %s", tg_call_input(call, 0),
                         tg_call_input(call, 1));
    if (s != TG_OK) return s;
    tg_shape out = TG_SHAPE(g->shape[0], w->shape[1] * a->groups, a->size.dim[0], a->size.dim[1]);
    return tg_out(call, 0, (tg_dtype)g->dtype, out);
}

static tg_status weight_infer(const tg_call *call) {
    const tg_array *x = call->in[0], *g = call->in[1];
    const tg_window_attr *a = call->attr;
    tg_status s = check_pair(call);
    if (s == TG_OK) s = check_windows(call, g, x->shape + 2, a->size.dim);
    if (s == TG_OK) s = check_groups(call, x->shape[1], g->shape[1]);
    if (s == TG_OK && x->shape[0] != g->shape[0])
        s = tg_call_fail(call, TG_ERR_SHAPE, "images differ: %s, %s", tg_call_input(call, 0),
                         tg_call_input(call, 1));
    if (s != TG_OK) return s;
    tg_shape out = TG_SHAPE(g->shape[1], x->shape[1] / a->groups, a->size.dim[0], a->size.dim[1]);
    return tg_out(call, 0, (tg_dtype)x->dtype, out);
}

/* ---- one image ---- */

static char *at(const tg_array *a, int64_t i) {
    return (char *)a->data + (size_t)i * tg_dtype_size((tg_dtype)a->dtype);
}

static tg_array matrix(const tg_array *like, char *data, int64_t rows, int64_t columns) {
    return (tg_array){.data = data,
                      .numel = rows * columns,
                      .dtype = like->dtype,
                      .rank = 2,
                      .shape = {rows, columns},
                      .stride = {columns, 1}};
}

static tg_array transposed(tg_array m) {
    tg_array t = m;
    t.shape[0] = m.shape[1], t.shape[1] = m.shape[0];
    t.stride[0] = m.stride[1], t.stride[1] = m.stride[0];
    return t;
}

/* The matrices of one image and group. */
typedef struct part {
    char *image;
    tg_array w, y, columns;
} part;

static part part_of(const conv *c, int64_t n, int64_t group, int64_t slot) {
    int64_t g = n * c->groups + group;
    char *image = at(&c->x, g * c->channels * c->window[0].in * c->window[1].in);
    return (part){
        .image = image,
        .w = matrix(&c->w, at(&c->w, group * c->filters * c->k), c->filters, c->k),
        .y = matrix(&c->y, at(&c->y, g * c->filters * c->p), c->filters, c->p),
        .columns = matrix(&c->x, c->columns.data ? at(&c->columns, slot * c->k * c->p) : image, c->k, c->p),
    };
}

static void see(const conv *c, const part *p) {
    if (c->columns.data)
        tg_to_columns((tg_dtype)c->x.dtype, p->image, c->channels, c->window, p->columns.data);
}

static tg_status image_forward(void *context, int64_t n, int64_t slot) {
    const conv *c = context;
    tg_status s = TG_OK;
    for (int64_t g = 0; s == TG_OK && g < c->groups; g++) {
        part p = part_of(c, n, g, slot);
        see(c, &p);
        s = tg_gemm(1, &p.w, &p.columns, c->beta, &p.y);
    }
    return s;
}

static tg_status image_input(void *context, int64_t n, int64_t slot) {
    const conv *c = context;
    tg_status s = TG_OK;
    for (int64_t g = 0; s == TG_OK && g < c->groups; g++) {
        part p = part_of(c, n, g, slot);
        tg_array wt = transposed(p.w);
        s = tg_gemm(1, &wt, &p.y, 0, &p.columns);
        if (s == TG_OK && c->columns.data)
            tg_from_columns((tg_dtype)c->x.dtype, p.columns.data, c->channels, c->window, p.image);
    }
    return s;
}

/* One image after the other: their products add up. */
static tg_status all_weight(const conv *c) {
    tg_status s = TG_OK;
    if (c->beta == 0 && c->images * c->p == 0) tg_array_fill(&c->w, 0);
    for (int64_t n = 0; n < c->images; n++)
        for (int64_t g = 0; s == TG_OK && g < c->groups; g++) {
            part p = part_of(c, n, g, 0);
            see(c, &p);
            tg_array seen = transposed(p.columns);
            s = tg_gemm(1, &p.y, &seen, n > 0 ? 1 : c->beta, &p.w);
        }
    return s;
}

/* ---- all of them ---- */

/* The images are their own columns where windows have one element and take each in turn. */
static bool is_pointwise(const conv *c) {
    for (int i = 0; i < 2; i++)
        if (c->window[i].kernel != 1 || c->window[i].stride != 1 || c->window[i].padding != 0) return false;
    return true;
}

typedef enum direction { TO_Y, TO_X, TO_W } direction;

/* Computes y, x or w of the three from the two others; the one computed is contiguous. */
static tg_status run(direction to, const tg_window_attr *a, const tg_array *x, const tg_array *w,
                     const tg_array *y, double beta) {
    conv c = {.images = x->shape[0],
              .channels = w->shape[1],
              .filters = w->shape[0] / a->groups,
              .groups = a->groups,
              .beta = beta};
    tg_window_of(a, x->shape + 2, w->shape + 2, c.window);
    c.k = c.channels * c.window[0].kernel * c.window[1].kernel;
    c.p = c.window[0].out * c.window[1].out;
    int64_t work = c.k * c.p * c.groups; /* its columns; the product costs a multiple */
    int64_t slots = to == TO_W ? 1 : tg_image_slots(c.images, work);
    tg_status s = tg_array_contiguous(&c.x, x);
    if (s == TG_OK) s = tg_array_contiguous(&c.w, w);
    if (s == TG_OK) s = tg_array_contiguous(&c.y, y);
    if (s == TG_OK && !is_pointwise(&c))
        s = tg_array_alloc(&c.columns, (tg_dtype)x->dtype, TG_SHAPE(slots, c.k, c.p));
    if (s == TG_OK)
        s = to == TO_Y   ? tg_each_image(c.images, work, image_forward, &c)
            : to == TO_X ? tg_each_image(c.images, work, image_input, &c)
                         : all_weight(&c);
    tg_array_drop(&c.x), tg_array_drop(&c.w), tg_array_drop(&c.y), tg_array_drop(&c.columns);
    return s;
}

static tg_status conv2d_forward(const tg_call *call) {
    const tg_array *bias = call->in[2], *y = call->out[0];
    if (bias) {
        tg_array column = tg_borrow_reshape(bias, TG_SHAPE(bias->numel, 1, 1));
        column = tg_borrow_broadcast(&column, y);
        tg_array_copy(y, &column);
    }
    return run(TO_Y, call->attr, call->in[0], call->in[1], y, bias ? 1 : 0);
}

static tg_status input_forward(const tg_call *call) {
    return run(TO_X, call->attr, call->out[0], call->in[1], call->in[0], 0);
}

static tg_status weight_forward(const tg_call *call) {
    return run(TO_W, call->attr, call->in[0], call->out[0], call->in[1], 0);
}

/* ---- gradients ---- */

/* The node's attributes, with the size of the last two axes of t. */
static tg_window_attr sized(const tg_node *n, const tg_tensor *t) {
    tg_window_attr a = *(const tg_window_attr *)n->attr;
    a.size = t ? TG_SHAPE(tg_size(t, 2), tg_size(t, 3)) : TG_SCALAR;
    return a;
}

static tg_tensor *apply_conv2d(const tg_node *n, tg_tensor *x, tg_tensor *w) {
    tg_tensor *in[3] = {x, w, NULL};
    tg_window_attr a = sized(n, NULL);
    return (tg_apply)(&tg_op_conv2d, in, 3, &a);
}

static tg_tensor *apply_input(const tg_node *n, tg_tensor *g, tg_tensor *w, tg_tensor *like) {
    tg_window_attr a = sized(n, like);
    return tg_apply2(&tg_op_conv2d_input, g, w, &a);
}

static tg_tensor *apply_weight(const tg_node *n, tg_tensor *x, tg_tensor *g, tg_tensor *like) {
    tg_window_attr a = sized(n, like);
    return tg_apply2(&tg_op_conv2d_weight, x, g, &a);
}

static void conv2d_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = n->in[0], *w = n->in[1], *g = dout[0];
    if (tg_needs(n, 0)) din[0] = apply_input(n, g, w, x);
    if (tg_needs(n, 1)) din[1] = apply_weight(n, x, g, w);
    if (tg_needs(n, 2)) din[2] = tg_sum(g, .axes = TG_SHAPE(0, 2, 3));
}

static void input_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = n->in[0], *w = n->in[1], *dx = dout[0];
    if (tg_needs(n, 0)) din[0] = apply_conv2d(n, dx, w);
    if (tg_needs(n, 1)) din[1] = apply_weight(n, dx, g, w);
}

static void weight_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = n->in[0], *g = n->in[1], *dw = dout[0];
    if (tg_needs(n, 0)) din[0] = apply_input(n, g, dw, x);
    if (tg_needs(n, 1)) din[1] = apply_conv2d(n, x, dw);
}

/* The walker may lend the gradient so far of the weight: the products add up to it. */
static tg_status conv2d_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0), *w = tg_node_in(n, 1), *g = dout[0];
    tg_status s = TG_OK;
    if (tg_needs(n, 0)) {
        s = tg_array_alloc(&din[0], (tg_dtype)x->dtype, tg_array_shape(x));
        if (s == TG_OK) s = run(TO_X, n->attr, &din[0], w, g, 0);
    }
    if (s == TG_OK && tg_needs(n, 1)) {
        double beta = din[1].data ? 1 : 0;
        if (!din[1].data) s = tg_array_alloc(&din[1], (tg_dtype)w->dtype, tg_array_shape(w));
        if (s == TG_OK) s = run(TO_W, n->attr, x, &din[1], g, beta);
    }
    if (s == TG_OK && tg_needs(n, 2)) {
        s = tg_array_alloc(&din[2], (tg_dtype)g->dtype, TG_SHAPE(g->shape[1]));
        if (s != TG_OK) return s;
        tg_array kept = tg_borrow_reshape(&din[2], TG_SHAPE(1, g->shape[1], 1, 1));
        tg_reduce(TG_SUM, g, 1u << 0 | 1u << 2 | 1u << 3, &kept);
    }
    return s;
}

const tg_op tg_op_conv2d = {
    .name = "conv2d",
    .formula = "out[n, f, i, j] = bias[f] + sum over c, k, l of w[f, c, k, l] * x[n, c, i + k, j + l]",
    .n_in = 3,
    .save = TG_IN(0) | TG_IN(1),
    .optional = TG_IN(2),
    .accumulates = TG_IN(1),
    TG_WINDOW_ATTRS,
    .infer = conv2d_infer,
    .forward = conv2d_forward,
    .grad = conv2d_grad,
    .grad_kernel = conv2d_grad_kernel,
};

const tg_op tg_op_conv2d_input = {
    .name = "conv2d_input",
    .formula = "out[n, c, i + k, j + l] = sum of w[f, c, k, l] * g[n, f, i, j]",
    .n_in = 2,
    .save = TG_IN(0) | TG_IN(1),
    TG_WINDOW_ATTRS,
    .infer = input_infer,
    .forward = input_forward,
    .grad = input_grad,
};

const tg_op tg_op_conv2d_weight = {
    .name = "conv2d_weight",
    .formula = "out[f, c, k, l] = sum over n, i, j of g[n, f, i, j] * x[n, c, i + k, j + l]",
    .n_in = 2,
    .save = TG_IN(0) | TG_IN(1),
    TG_WINDOW_ATTRS,
    .infer = weight_infer,
    .forward = weight_forward,
    .grad = weight_grad,
};

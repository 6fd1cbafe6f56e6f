/* unfold and fold. Each is the transpose of the other, and so its gradient. */
#include "core/parallel.h"
#include "ops/structured/windows.h"

enum { GRAIN = 32768 /* elements worth a thread */ };

typedef struct fold_attr {
    tg_window_attr window; /* must be first, since ops/structured/windows.h reads the attributes as this; `size` is the image's */
    tg_shape kernel;
} fold_attr;

static const tg_attr_field fields[] = {
    {"stride", TG_ATTR_DIMS, offsetof(fold_attr, window.stride)},
    {"padding", TG_ATTR_DIMS, offsetof(fold_attr, window.padding)},
    {"dilation", TG_ATTR_DIMS, offsetof(fold_attr, window.dilation)},
    {"size", TG_ATTR_DIMS, offsetof(fold_attr, window.size)},
    {"kernel", TG_ATTR_DIMS, offsetof(fold_attr, kernel)},
};

/* The work on one image: unfold it to columns, or fold them. */
typedef struct folding {
    const tg_array *from, *to;
    int64_t channels;
    tg_window window[2];
    bool unfold;
} folding;

static void one_image(const folding *f, int64_t n) {
    tg_dtype dtype = (tg_dtype)f->from->dtype;
    size_t size = tg_dtype_size(dtype);
    int64_t images = f->from->shape[0];
    const char *from = (const char *)f->from->data + (size_t)(n * (f->from->numel / images)) * size;
    char *to = (char *)f->to->data + (size_t)(n * (f->to->numel / images)) * size;
    if (f->unfold)
        tg_to_columns(dtype, from, f->channels, f->window, to);
    else
        tg_from_columns(dtype, from, f->channels, f->window, to);
}

static void some_images(void *context, int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) one_image(context, n);
}

static tg_status run(const tg_call *call, bool unfold) {
    const fold_attr *a = call->attr;
    tg_array dense = {0};
    if (call->out[0]->numel == 0) return TG_OK; /* whatever the number of images */
    tg_status s = tg_array_contiguous(&dense, call->in[0]);
    if (s != TG_OK) return s;
    const tg_array *image = unfold ? &dense : call->out[0];
    folding f = {.from = &dense, .to = call->out[0], .channels = image->shape[1], .unfold = unfold};
    tg_window_of(&a->window, image->shape + 2, a->kernel.dim, f.window);
    int64_t images = dense.shape[0], work = images ? dense.numel / images : 0;
    tg_parallel_for(images, work < GRAIN ? GRAIN / (work + 1) + 1 : 1, some_images, &f);
    tg_array_drop(&dense);
    return TG_OK;
}

static tg_status unfold_forward(const tg_call *call) { return run(call, true); }
static tg_status fold_forward(const tg_call *call) { return run(call, false); }

static tg_status needs_rank(const tg_call *call, int rank) {
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK || call->in[0]->rank == rank) return s;
    return tg_call_fail(call, TG_ERR_SHAPE, "needs %d axes, was given %s", rank, tg_call_input(call, 0));
}

static tg_status unfold_infer(const tg_call *call) {
    const fold_attr *a = call->attr;
    const tg_array *x = call->in[0];
    tg_window w[2];
    tg_status s = needs_rank(call, 4);
    if (s == TG_OK) s = tg_window_infer(call, x->shape + 2, a->kernel.dim, w);
    if (s != TG_OK) return s;
    int64_t column = tg_shape_numel(TG_SHAPE(x->shape[1], w[0].kernel, w[1].kernel));
    int64_t windows = tg_shape_numel(TG_SHAPE(w[0].out, w[1].out)); /* -1, which is no size, on overflow */
    return tg_out(call, 0, (tg_dtype)x->dtype, TG_SHAPE(x->shape[0], column, windows));
}

static tg_status fold_infer(const tg_call *call) {
    const fold_attr *a = call->attr;
    const tg_array *x = call->in[0];
    tg_shape size = a->window.size;
    tg_window w[2];
    tg_status s = needs_rank(call, 3);
    if (s == TG_OK && (size.dim[0] < 0 || size.dim[1] < 0))
        s = tg_call_fail(call, TG_ERR_ARGUMENT, "the size of the image is negative, %lld by %lld: %s",
                         (long long)size.dim[0], (long long)size.dim[1], tg_call_input(call, 0));
    if (s == TG_OK) s = tg_window_infer(call, size.dim, a->kernel.dim, w);
    if (s != TG_OK) return s;
    int64_t column = w[0].kernel * w[1].kernel, windows = tg_shape_numel(TG_SHAPE(w[0].out, w[1].out));
    if (x->shape[1] % column || x->shape[2] != windows)
        return tg_call_fail(call, TG_ERR_SHAPE,
                            "%lld windows of %lld elements need [images, channels * %lld, %lld], was given %s",
                            (long long)windows, (long long)column, (long long)column, (long long)windows,
                            tg_call_input(call, 0));
    return tg_out(call, 0, (tg_dtype)x->dtype,
                  TG_SHAPE(x->shape[0], x->shape[1] / column, size.dim[0], size.dim[1]));
}

static void unfold_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    fold_attr a = *(const fold_attr *)n->attr;
    a.window.size = TG_SHAPE(tg_size(n->in[0], 2), tg_size(n->in[0], 3));
    din[0] = tg_apply1(&tg_op_fold, dout[0], &a);
}

static void fold_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_apply1(&tg_op_unfold, dout[0], n->attr);
}

const tg_op tg_op_unfold = {
    .name = "unfold",
    .formula = "out[n, (c, k, l), (i, j)] = x[n, c, i + k, j + l]; i + k as in conv2d",
    .rule = "dx[n, c, i + k, j + l] = sum of dout[n, (c, k, l), (i, j)]",
    .n_in = 1,
    TG_ATTRS(fold_attr, fields),
    .infer = unfold_infer,
    .forward = unfold_forward,
    .grad = unfold_grad,
};

const tg_op tg_op_fold = {
    .name = "fold",
    .formula = "out[n, c, i + k, j + l] = sum of x[n, (c, k, l), (i, j)]; i + k as in conv2d",
    .rule = "dx[n, (c, k, l), (i, j)] = dout[n, c, i + k, j + l]",
    .n_in = 1,
    TG_ATTRS(fold_attr, fields),
    .infer = fold_infer,
    .forward = fold_forward,
    .grad = fold_grad,
};

static fold_attr attributes(const tg_unfold_opts *o) {
    return (fold_attr){.window = tg_window_options(o->stride, o->padding, o->dilation, 1),
                       .kernel = tg_pair(o->kernel)};
}

tg_tensor *tg_unfold_with(tg_tensor *x, tg_unfold_opts opts) {
    fold_attr a = attributes(&opts);
    return tg_apply1(&tg_op_unfold, x, &a);
}

tg_tensor *tg_fold_with(tg_tensor *x, int64_t height, int64_t width, tg_fold_opts opts) {
    fold_attr a = attributes(&opts);
    a.window.size = TG_SHAPE(height, width);
    return tg_apply1(&tg_op_fold, x, &a);
}

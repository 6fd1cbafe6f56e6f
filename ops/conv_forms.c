/* The public functions of ops/conv.h: options to attributes, and the forms made of them. */
#include "ops/columns.h"

static tg_window_attr attributes(const tg_conv2d_opts *o) {
    return tg_window_options(o->stride, o->padding, o->dilation, o->groups);
}

tg_tensor *(tg_conv2d)(tg_tensor *x, tg_tensor *w, tg_conv2d_opts opts) {
    tg_tensor *in[3] = {x, w, opts.bias};
    tg_window_attr a = attributes(&opts);
    return (tg_apply)(&tg_op_conv2d, in, 3, &a);
}

tg_tensor *(tg_conv2d_input)(tg_tensor *g, tg_tensor *w, int64_t height, int64_t width, tg_conv2d_opts opts) {
    tg_window_attr a = attributes(&opts);
    a.size = TG_SHAPE(height, width);
    return tg_apply2(&tg_op_conv2d_input, g, w, &a);
}

tg_tensor *(tg_conv2d_weight)(tg_tensor *x, tg_tensor *g, int64_t height, int64_t width,
                              tg_conv2d_opts opts) {
    tg_window_attr a = attributes(&opts);
    a.size = TG_SHAPE(height, width);
    return tg_apply2(&tg_op_conv2d_weight, x, g, &a);
}

/* Raises "<name>: .." unless t is a tensor of this rank. A failed tensor raises nothing more. */
static bool has_rank(const char *name, const tg_tensor *t, int rank) {
    char text[160];
    int have = tg_rank(t); /* reports a handle that is not valid */
    if (!tg_is_alive(t)) return false;
    if (have == rank) return true;
    tg_fail(TG_ERR_SHAPE, "%s: needs %d axes: %s", name, rank, tg_describe(t, text, sizeof text));
    return false;
}

tg_tensor *(tg_conv1d)(tg_tensor *x, tg_tensor *w, tg_conv1d_opts o) {
    if (!has_rank("conv1d", x, 3) || !has_rank("conv1d", w, 3)) return tg_poison();
    tg_tensor *y = tg_conv2d(tg_unsqueeze(x, 2), tg_unsqueeze(w, 2), .bias = o.bias, .stride = {1, o.stride},
                             .padding = {0, o.padding}, .dilation = {1, o.dilation}, .groups = o.groups);
    return tg_squeeze(y, 2);
}

/* The size that a transposed convolution gives along an axis; out-of-range options come out negative, and
 * conv2d_input refuses them. */
static int64_t transposed_size(const tg_window_attr *a, int i, int64_t size, int64_t kernel, int64_t more) {
    int64_t stride = a->stride.dim[i], dilation = a->dilation.dim[i], padding = a->padding.dim[i];
    bool odd = stride < 1 || stride > INT32_MAX || dilation < 1 || dilation > INT32_MAX || padding < 0 ||
               padding > INT32_MAX || more < 0 || (more && more >= stride && more >= dilation) ||
               size > INT32_MAX || kernel > INT32_MAX;
    return odd ? -1 : (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + more + 1;
}

tg_tensor *(tg_conv_transpose2d)(tg_tensor *x, tg_tensor *w, tg_conv2d_opts opts) {
    if (!has_rank("conv_transpose2d", x, 4) || !has_rank("conv_transpose2d", w, 4)) return tg_poison();
    tg_window_attr a = attributes(&opts);
    a.size.rank = 2;
    for (int i = 0; i < 2; i++)
        a.size.dim[i] = transposed_size(&a, i, tg_size(x, 2 + i), tg_size(w, 2 + i), opts.output_padding[i]);
    tg_tensor *y = tg_apply2(&tg_op_conv2d_input, x, w, &a);
    if (!opts.bias) return y;
    if (tg_is_poison(y) || !has_rank("conv_transpose2d", opts.bias, 1)) return tg_poison();
    if (tg_numel(opts.bias) != tg_size(y, 1)) {
        char text[160];
        tg_fail(TG_ERR_SHAPE, "conv_transpose2d: the bias must be [%lld], one number a channel: %s",
                (long long)tg_size(y, 1), tg_describe(opts.bias, text, sizeof text));
        return tg_poison();
    }
    tg_tensor *sum = tg_add(y, tg_reshape(opts.bias, tg_numel(opts.bias), 1, 1));
    tg_release(y);
    return sum;
}

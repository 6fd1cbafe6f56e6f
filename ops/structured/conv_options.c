/* The public functions of ops/structured/conv.h: they turn options into attributes, and make conv1d and conv_transpose2d of
 * the ops. */
#include "ops/structured/windows.h"

static tg_window_attr attributes(const tg_conv2d_opts *o) {
    return tg_window_options(o->stride, o->padding, o->dilation, o->groups);
}

/* Whether output_padding, which only the transposed form has, is left out; raises the error otherwise. */
static bool no_output_padding(const char *name, const tg_conv2d_opts *o) {
    if (o->output_padding[0] == 0 && o->output_padding[1] == 0) return true;
    tg_fail(TG_ERR_ARGUMENT, "%s: takes no output_padding: only conv_transpose2d does", name);
    return false;
}

tg_tensor *tg_conv2d_with(tg_tensor *x, tg_tensor *w, tg_conv2d_opts opts) {
    tg_tensor *in[3] = {x, w, opts.bias};
    tg_window_attr a = attributes(&opts);
    return no_output_padding("conv2d", &opts) ? tg_apply(&tg_op_conv2d, in, 3, &a) : tg_poison();
}

tg_tensor *tg_conv2d_input_with(tg_tensor *g, tg_tensor *w, int64_t height, int64_t width,
                                tg_conv2d_input_opts opts) {
    tg_window_attr a = attributes(&opts);
    a.size = TG_SHAPE(height, width);
    return no_output_padding("conv2d_input", &opts) ? tg_apply2(&tg_op_conv2d_input, g, w, &a) : tg_poison();
}

tg_tensor *tg_conv2d_weight_with(tg_tensor *x, tg_tensor *g, int64_t height, int64_t width,
                                 tg_conv2d_weight_opts opts) {
    tg_window_attr a = attributes(&opts);
    a.size = TG_SHAPE(height, width);
    return no_output_padding("conv2d_weight", &opts) ? tg_apply2(&tg_op_conv2d_weight, x, g, &a) : tg_poison();
}

/* Whether t, operand i, is a tensor of this rank; raises "<name>: .." otherwise. */
static bool has_rank(const char *name, const tg_tensor *t, int i, int rank) {
    const tg_array *a = tg_operand(t, name, i);
    if (a && a->rank != rank) tg_fail_operand(TG_ERR_SHAPE, name, t, "needs %d axes", rank);
    return a && a->rank == rank;
}

static tg_conv2d_opts of_height_1(const tg_conv1d_opts *o) {
    return (tg_conv2d_opts){.bias = o->bias,
                            .stride = {1, o->stride},
                            .padding = {0, o->padding},
                            .dilation = {1, o->dilation},
                            .groups = o->groups,
                            .output_padding = {0, o->output_padding}};
}

tg_tensor *tg_conv1d_with(tg_tensor *x, tg_tensor *w, tg_conv1d_opts o) {
    TG_COMPOSED("conv1d");
    if (!has_rank("conv1d", x, 0, 3) || !has_rank("conv1d", w, 1, 3)) return tg_poison();
    if (o.bias && !tg_check_argument(o.bias, "conv1d", "the bias")) return tg_poison();
    return tg_squeeze(tg_conv2d_with(tg_unsqueeze(x, 2), tg_unsqueeze(w, 2), of_height_1(&o)), 2);
}

/* ---- transposed: conv2d_input, of the size that the options say ---- */

/* Whether each of the three is positive (the padding: not negative) and fits 32 bits; conv2d_input refuses others. */
static bool in_range(int64_t stride, int64_t padding, int64_t dilation) {
    return stride > 0 && stride <= INT32_MAX && padding >= 0 && padding <= INT32_MAX && dilation > 0 &&
           dilation <= INT32_MAX;
}

/* The size along axis i of the image, and how many places g lacks there. More output padding than a stride has room
 * for further windows, whose g is 0. */
static bool transposed_size(tg_window_attr *a, int i, int64_t size, int64_t kernel, int64_t more,
                            int64_t *lacks) {
    int64_t stride = a->stride.dim[i], dilation = a->dilation.dim[i], padding = a->padding.dim[i];
    *lacks = a->size.dim[i] = 0;
    if (!in_range(stride, padding, dilation) || size > INT32_MAX || kernel > INT32_MAX) return true;
    if (more < 0 || (more >= stride && more >= dilation && more > 0)) {
        tg_fail(TG_ERR_ARGUMENT,
                "conv_transpose2d: output_padding is %lld: it must not be negative, and smaller than the stride %lld "
                "or the dilation %lld",
                (long long)more, (long long)stride, (long long)dilation);
        return false;
    }
    a->size.dim[i] = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + more + 1;
    *lacks = more / stride;
    return true;
}

tg_tensor *tg_conv_transpose2d_with(tg_tensor *x, tg_tensor *w, tg_conv_transpose2d_opts opts) {
    TG_COMPOSED("conv_transpose2d");
    if (!has_rank("conv_transpose2d", x, 0, 4) || !has_rank("conv_transpose2d", w, 1, 4)) return tg_poison();
    if (opts.bias && !has_rank("conv_transpose2d", opts.bias, 2, 1)) return tg_poison();
    tg_window_attr a = attributes(&opts);
    tg_shape lacks = {2, {0}}, more = tg_padding_pair(opts.output_padding);
    a.size.rank = 2;
    for (int i = 0; i < 2; i++)
        if (!transposed_size(&a, i, tg_size(x, 2 + i), tg_size(w, 2 + i), more.dim[i], &lacks.dim[i]))
            return tg_poison();
    bool padded = lacks.dim[0] > 0 || lacks.dim[1] > 0;
    tg_tensor *g = padded ? tg_pad_with(x, (tg_pad_opts){.after = lacks}) : x,
              *y = tg_apply2(&tg_op_conv2d_input, g, w, &a);
    if (padded && !tg_is_poison(y)) tg_drop_elements(g);
    if (!opts.bias || tg_is_poison(y)) return y;
    if (tg_numel(opts.bias) != tg_size(y, 1))
        return tg_fail_operand(TG_ERR_SHAPE, "conv_transpose2d", opts.bias,
                               "the bias must be [%lld], one number a channel", (long long)tg_size(y, 1));
    tg_tensor *sum = tg_add(y, tg_reshape_with(opts.bias, TG_SHAPE(tg_numel(opts.bias), 1, 1)));
    tg_drop_elements(y);
    return sum;
}

tg_tensor *tg_conv_transpose1d_with(tg_tensor *x, tg_tensor *w, tg_conv_transpose1d_opts o) {
    TG_COMPOSED("conv_transpose1d");
    if (!has_rank("conv_transpose1d", x, 0, 3) || !has_rank("conv_transpose1d", w, 1, 3)) return tg_poison();
    if (o.bias && !has_rank("conv_transpose1d", o.bias, 2, 1)) return tg_poison();
    tg_tensor *y = tg_conv_transpose2d_with(tg_unsqueeze(x, 2), tg_unsqueeze(w, 2), of_height_1(&o));
    return tg_squeeze(y, 2);
}

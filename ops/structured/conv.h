/* Convolution in one and two dimensions of f32 or f64, as in PyTorch (the kernel is not flipped).
 *
 *     y = tg_conv2d(x, w, .bias = b, .stride = {2, 2}, .padding = {1, 1})
 *
 * x is [images, channels, height, width], w [filters, channels / groups, kernel height, kernel width],
 * bias [filters], and y [images, filters, height', width'] with
 *     height' = floor((height + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.
 * Padding is with zeros, and a NaN of w times such a zero is NaN; the same holds for the zeros that the transposes see
 * around g. Pairs are {height, width} (ops/structured/pair.h): {2} is {2, 2}, and {2, TG_NONE} a padding of the height
 * alone. Zero is the default of every option; a stride, dilation or number of groups of 0 stands for 1. Sizes that do not fit each other, and a kernel that does not fit into the padded image, are TG_ERR_SHAPE. */
#ifndef TG_OPS_STRUCTURED_CONV_H
#define TG_OPS_STRUCTURED_CONV_H

#include "autograd/op.h"
#include "ops/structured/pair.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_conv2d_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *bias;
    int64_t stride[2], padding[2], dilation[2], groups;
    int64_t output_padding[2]; /* of tg_conv_transpose2d only; TG_ERR_ARGUMENT elsewhere */
} tg_conv2d_opts;
typedef tg_conv2d_opts tg_conv_transpose2d_opts, tg_conv2d_input_opts, tg_conv2d_weight_opts;

typedef struct tg_conv1d_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *bias;
    int64_t stride, padding, dilation, groups;
    int64_t output_padding; /* of tg_conv_transpose1d only; TG_ERR_ARGUMENT elsewhere */
} tg_conv1d_opts;
typedef tg_conv1d_opts tg_conv_transpose1d_opts;

TG_API tg_tensor *tg_conv2d_with(tg_tensor *x, tg_tensor *w, tg_conv2d_opts opts);

/* tg_conv2d with a height of 1, for x [images, channels, length] and w [filters, channels / groups, kernel]. */
TG_API tg_tensor *tg_conv1d_with(tg_tensor *x, tg_tensor *w, tg_conv1d_opts opts);

/* The transpose of tg_conv2d in x, for x [images, filters, height, width] and w [filters, channels /
 * groups, kernel height, kernel width]; bias [channels]. The result is [images, channels, height', width']
 * with
 *     height' = (height - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1;
 * output_padding, which must be smaller than the stride or the dilation (TG_ERR_ARGUMENT), adds as many rows or columns at
 * the end: below the stride it chooses among the sizes that tg_conv2d takes to `height`. */
TG_API tg_tensor *tg_conv_transpose2d_with(tg_tensor *x, tg_tensor *w, tg_conv_transpose2d_opts opts);

/* The same with a height of 1, for x [images, filters, length] and w [filters, channels / groups, kernel]. */
TG_API tg_tensor *tg_conv_transpose1d_with(tg_tensor *x, tg_tensor *w, tg_conv_transpose1d_opts opts);

/* The two transposes of tg_conv2d, of which its gradient is made. For y = conv2d(x, w) and g of y's shape,
 *     conv2d_input(g, w)  = the x with <x, x'> = <g, conv2d(x', w)> for all x' of this height and width,
 *     conv2d_weight(x, g) = the w with <w, w'> = <g, conv2d(x, w')> for all w' of this kernel size.
 * A bias in the options is ignored. (torch.nn.grad has them under the same names.) */
TG_API tg_tensor *tg_conv2d_input_with(tg_tensor *g, tg_tensor *w, int64_t height, int64_t width,
                                       tg_conv2d_input_opts opts);
TG_API tg_tensor *tg_conv2d_weight_with(tg_tensor *x, tg_tensor *g, int64_t height, int64_t width,
                                        tg_conv2d_weight_opts opts);

#ifdef __cplusplus
}
#endif

#endif

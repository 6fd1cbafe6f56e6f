/* Private. Convolution of planes and its two transposes, f32 and f64, without gradients. */
#ifndef TG_CORE_KERNELS_CONV_CONV_H
#define TG_CORE_KERNELS_CONV_CONV_H

#include "core/array.h"
#include "core/kernels/conv/window.h"

/* The sizes; channels and filters are those of one group. Height and width. */
typedef struct tg_conv {
    int64_t images, groups, channels, filters;
    tg_window window[2];
} tg_conv;

/* For x [images, groups * channels, in, in], w [groups * filters, channels, kernel, kernel] and y [images,
 * groups * filters, out, out], contiguous and of one dtype, in each group
 *     y[n, f, i, j] = bias[f] + sum over c, k, l of w[f, c, k, l] * x[n, c, row k of window i, column l of j]
 * (bias contiguous or NULL), and with g in the place of y the transposes of that in x and in w. tg_conv_weight
 * adds to w when `add` is set. TG_ERR_MEMORY leaves w as it was. */
tg_status tg_conv_forward(const tg_conv *c, const tg_array *x, const tg_array *w, const tg_array *bias,
                          const tg_array *y);
tg_status tg_conv_input(const tg_conv *c, const tg_array *g, const tg_array *w, const tg_array *x);
tg_status tg_conv_weight(const tg_conv *c, const tg_array *x, const tg_array *g, const tg_array *w, bool add);

#endif

/* Private. Sliding windows over images, and the matrix that has them for columns (im2col). */
#ifndef TG_OPS_STRUCTURED_WINDOWS_H
#define TG_OPS_STRUCTURED_WINDOWS_H

#include "core/kernels/conv/window.h"
#include "ops/shared.h"

/* The attributes of ops with windows; each shape is {height, width}. */
typedef struct tg_window_attr {
    tg_shape stride, padding, dilation;
    int64_t groups;
    tg_shape size; /* the size of the result, where the inputs do not say it; of the kernel in a pool */
} tg_window_attr;

#define TG_WINDOW_FIELDS 5
extern const tg_attr_field tg_window_fields[TG_WINDOW_FIELDS];
#define TG_WINDOW_ATTRS \
    .attr_size = sizeof(tg_window_attr), .attrs = tg_window_fields, .n_attrs = TG_WINDOW_FIELDS

/* A pair as users give it (ops/structured/pair.h); of paddings, TG_NONE is 0. */
tg_shape tg_pair(const int64_t pair[2]);
tg_shape tg_padding_pair(const int64_t pair[2]);

/* The attributes for options as users give them: strides, paddings and dilations are such pairs, and 0 stands for a stride, dilation or
 * number of groups of 1. */
tg_window_attr tg_window_options(const int64_t stride[2], const int64_t padding[2], const int64_t dilation[2],
                                 int64_t groups);

/* windows[0] and [1] become the windows along height and width, for the sizes `in` of an image and a kernel. Raises
 * TG_ERR_ARGUMENT for options below their least value or above INT32_MAX, TG_ERR_SHAPE when no window fits. */
tg_status tg_window_infer(const tg_call *call, const int64_t in[2], const int64_t kernel[2],
                          tg_window windows[2]);

/* The same for numbers that infer has accepted. */
void tg_window_of(const tg_window_attr *attr, const int64_t in[2], const int64_t kernel[2],
                  tg_window windows[2]);

/* columns[c, k, l, i, j] = image[c, row k of window i, column l of window j], where columns is [channels * kernel size,
 * windows]; both are contiguous. tg_from_columns, the transpose, sets the image to 0 and adds the columns up into it. */
void tg_to_columns(tg_dtype dtype, const void *image, int64_t channels, const tg_window windows[2],
                   void *columns);
void tg_from_columns(tg_dtype dtype, const void *columns, int64_t channels, const tg_window windows[2],
                     void *image);

#endif

/* Padding: elements are added at the ends of axes. */
#ifndef TG_OPS_SHAPE_PAD_H
#define TG_OPS_SHAPE_PAD_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tg_pad_mode {
    TG_PAD_CONSTANT = 0, /* adds `value`, any number of times; negative numbers cut off instead */
    TG_PAD_REFLECT,  /* mirrors about the first and the last element, by fewer elements than the axis has */
    TG_PAD_REPLICATE /* repeats the first and the last element of an axis that is not empty */
} tg_pad_mode;

/* `before` and `after` say how many elements are added, axis by axis; both lists are aligned at the last
 * axis, and an axis that is left out gets none.
 *     tg_pad(x, .before = TG_SHAPE(1, 1), .after = TG_SHAPE(1, 1))     an image, by one pixel all around
 *     tg_pad(x, .before = TG_SHAPE(3), .mode = TG_PAD_REPLICATE)       the last axis, in front
 * x has any dtype. A list longer than the rank, and a negative number in another mode than constant, are
 * TG_ERR_ARGUMENT; other numbers that do not fit are TG_ERR_SHAPE. */
typedef struct tg_pad_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_shape before, after;
    tg_pad_mode mode;
    double value; /* what TG_PAD_CONSTANT adds */
} tg_pad_opts;
TG_API tg_tensor *tg_pad_with(tg_tensor *x, tg_pad_opts opts);

#ifdef __cplusplus
}
#endif

#endif

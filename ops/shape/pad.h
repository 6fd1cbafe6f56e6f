/* Padding: more places at the ends of axes. */
#ifndef TG_OPS_SHAPE_PAD_H
#define TG_OPS_SHAPE_PAD_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tg_pad_mode {
    TG_PAD_CONSTANT = 0, /* of any size; negative numbers cut off instead */
    TG_PAD_REFLECT,      /* mirrored about the first and the last element: fewer than the axis has */
    TG_PAD_REPLICATE     /* the first and the last element repeated: of any size, but not of an empty axis */
} tg_pad_mode;

/* How many places come before and after, axis by axis; both lists are aligned at the last axis, and an
 * axis that is left out gets none.
 *     tg_pad(x, .before = TG_SHAPE(1, 1), .after = TG_SHAPE(1, 1))     an image, by one pixel all around
 *     tg_pad(x, .before = TG_SHAPE(3), .mode = TG_PAD_REPLICATE)       the last axis, in front
 * Any dtype. Numbers that do not fit are TG_ERR_SHAPE or TG_ERR_ARGUMENT. */
typedef struct tg_pad_opts {
    tg_shape before, after;
    tg_pad_mode mode;
    double value; /* of TG_PAD_CONSTANT */
    char end; /* no option: ops/calls.h */
} tg_pad_opts;
TG_API tg_tensor *tg_pad_with(tg_tensor *x, tg_pad_opts opts);

#ifdef __cplusplus
}
#endif

#endif

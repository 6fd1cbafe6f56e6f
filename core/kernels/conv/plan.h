/* Private. What the three products of convolution share: how results are cut into blocks, what a block sees of
 * its source, and the weights as panels of output channels. */
#ifndef TG_CORE_KERNELS_CONV_PLAN_H
#define TG_CORE_KERNELS_CONV_PLAN_H

#include "core/kernels/conv/conv.h"
#include "core/kernels/simd/table.h"

static inline int64_t tg_common_divisor(int64_t a, int64_t b) {
    while (b) {
        int64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

/* One axis. Result u in [0, n) stands at start + u * step of its plane. Its tap t in [0, taps) is the weight
 * kernel + t * kernel_step, and sees the source at u * stride + low + at + t * at_step; the taps together
 * see [0, span) behind u * stride + low. */
typedef struct tg_conv_axis {
    int64_t n, start, step;
    int64_t in, stride, low, span;
    int64_t taps, at, at_step, kernel, kernel_step;
    int64_t block, blocks; /* results that are computed together, and how many times that */
} tg_conv_axis;

/* One group of one image: the source has in_channels planes; the result, or the other factor of a weight, out_channels.
 * A block of output pixels sees a patch of the source, [in_channels, patch, patch]: a part of the source
 * itself (`direct`), or a copy with zeros around it, of its own or, where it is small, of all that the blocks of an image
 * see (`whole`). In a patch
 *     pixel[p] + tap[t]  is where output pixel p of a block finds what weight  weight[t] + channel * out_step
 * multiplies. */
typedef struct tg_conv_plan {
    struct tg_looker *looker; /* of the results, or NULL */
    tg_dtype dtype;
    tg_conv_axis axis[2];
    int64_t height, width; /* of a plane of the result */
    int64_t in_channels, out_channels, groups;
    int64_t images;
    int64_t in_step, out_step, group_step; /* in the weights */
    int64_t k;                             /* in_channels * taps * taps */
    int64_t patch[2], row, plane;          /* the distance of rows and planes in a patch */
    bool direct, whole;
    bool interleaved; /* a patch is a copy, of as many planes as a vector has lanes: core/kernels/conv/interleaved.h */
    int64_t vector, padded; /* lanes of a vector; out_channels rounded up to whole ones */
    tg_array offsets;       /* i64: the tables */
    int64_t *pixel, *tap, *weight;
    int64_t *inside,
        *place; /* where an interleaved patch has the elements of whole rows of the source; where the results of a
                              * block stand in their plane, from the first on */
} tg_conv_plan;

/* Results for windows over the input: the source is x, the output channels are filters. `interleaved` as in the plan. */
tg_status tg_conv_plan_windows(tg_conv_plan *p, const tg_conv *c, tg_dtype dtype, bool interleaved);

/* Results for positions of the input: the source is y, the output channels those of x. Those are meant that are
 * phase[k] modulo the stride along axis k: they share their taps. */
tg_status tg_conv_plan_positions(tg_conv_plan *p, const tg_conv *c, tg_dtype dtype, const int64_t phase[2],
                                 bool interleaved);

void tg_conv_plan_drop(tg_conv_plan *p);

/* A block: results [from, from + n) along each axis. */
typedef struct tg_conv_block {
    int64_t from[2], n[2], size; /* size = n[0] * n[1] */
} tg_conv_block;
int64_t tg_conv_blocks(const tg_conv_plan *p);
tg_conv_block tg_conv_block_at(const tg_conv_plan *p, int64_t i);

/* Elements of memory for patches, whose zeros tg_conv_clear_patch sets for as long as only tg_conv_patch writes there. */
static inline int64_t tg_conv_patch_size(const tg_conv_plan *p) {
    return p->direct ? 0 : p->in_channels * p->plane;
}
void tg_conv_clear_patch(const tg_conv_plan *p, void *patch);

/* What a block sees of the source planes at `source`; the patch is used unless the plan is direct. It may be the whole of an
 * image's, which is made where the block is the `first` of it. */
const void *tg_conv_patch(const tg_conv_plan *p, const tg_conv_block *b, const void *source, void *patch,
                          bool first);

/* Panels are two vectors of output channels wide, the last one maybe one. Panel i of a group begins at channel
 * i * 2 * vector. */
static inline int64_t tg_conv_panels(const tg_conv_plan *p) {
    return (p->padded + 2 * p->vector - 1) / (2 * p->vector);
}
static inline int64_t tg_conv_panel_width(const tg_conv_plan *p, int64_t channel) {
    return p->padded - channel < 2 * p->vector ? p->padded - channel : 2 * p->vector;
}

/* Where a panel lies in an array [groups, panels, k, width], bytes from its beginning. */
size_t tg_conv_panel_at(const tg_conv_plan *p, int64_t group, int64_t channel);

/* The weights as such an array, with zeros in the channels behind the last; and back again. */
void tg_conv_pack(const tg_conv_plan *p, const void *w, void *panels);
void tg_conv_unpack(const tg_conv_plan *p, const void *panels, void *w);

#endif

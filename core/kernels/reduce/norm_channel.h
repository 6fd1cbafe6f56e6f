/* Private. Part of the kernel set: batch_norm, one channel at a time, which lies in parts: an image has one. */
#ifndef TG_CORE_KERNELS_REDUCE_NORM_CHANNEL_H
#define TG_CORE_KERNELS_REDUCE_NORM_CHANNEL_H

#include "core/kernels/reduce/norm.h"

INLINE layout layout_of_channel(const tg_norm_channel *c) {
    return (layout){
        .n = c->parts * c->part, .part = c->part, .step = c->step, .eps = c->eps, .centred = true, .parted = true};
}

/* Of a channel, and returns the variance. */
INLINE double find_channel(const layout *p, row *r) {
    moments m = {.shift = first_shift(p, r->x)};
    moments_about_shift(p, r->x, &m);
    set_moments(r, &m);
    return m.variance;
}

/* Made of the mean and the variance. */
INLINE void known_moments(const tg_norm_channel *c, row *r) {
    S scale = (S)(1 / sqrt((double)*(const S *)c->var + c->eps));
    r->unit = K(1), r->shift = K(*(const S *)c->mean), r->rest = K(0), r->scale = r->out = K(scale);
}

/* Whether squares are safe with this variance, and deviations so large next to the mean that its rounding is little to them. */
INLINE bool are_enough(const tg_norm_channel *c) {
    double mean = (double)*(const S *)c->mean, variance = (double)*(const S *)c->var;
    return mean * mean <= 256 * variance && variance + c->eps >= 1 / SAFE && variance <= SAFE;
}

INLINE V normalised(const row *r, int64_t i, int64_t m) { return centred(r, i, m) * r->scale; }

INLINE void step_channel(const row *r, int64_t i, int64_t m) {
    __builtin_prefetch(r->x + i + r->ahead);
    __builtin_prefetch(r->y + i + r->ahead, 1);
    store(r->y, i, m, normalised(r, i, m) * r->gain + r->offset);
}

static void norm_channel(const tg_norm_channel *c) {
    const layout as = layout_of_channel(c);
    row r = {.x = c->x, .y = c->y};
    double variance = 0;
    if (c->given)
        known_moments(c, &r);
    else
        variance = find_channel(&as, &r);
    r.gain = K(c->w ? *(const S *)c->w : 1), r.offset = K(c->b ? *(const S *)c->b : 0);
    r.ahead = c->step;
    for (int64_t k = 0; k < c->parts; k++, r.x += c->step, r.y += c->step) {
        if (k == c->parts - 1) r.ahead = 0;
        each(c->part, &r, step_channel);
    }
    if (c->given) return;
    *(S *)c->mean = (S)(((double)lane0(r.shift) + (double)lane0(r.rest)) / (double)lane0(r.unit));
    *(S *)c->var = (S)variance;
}

INLINE vpair terms_normalised(const row *r, int64_t i, int64_t m, vpair sum) {
    V g = load(r->g, i, m);
    __builtin_prefetch(r->x + i + r->ahead);
    __builtin_prefetch(r->g + i + r->ahead);
    return (vpair){sum.a + g, vfma(g, normalised(r, i, m), sum.b)};
}

/* Returns |z|. */
INLINE V step_channel_grad(const row *r, int64_t i, int64_t m) {
    V z = normalised(r, i, m);
    store(r->y, i, m, ((load(r->g, i, m) - r->mean) - z * r->slope) * r->gain * r->out);
    return vabs(z);
}
INLINE void step_given_grad(const row *r, int64_t i, int64_t m) {
    store(r->y, i, m, load(r->g, i, m) * r->gain * r->out);
}

/* With z the normalised x: dx = (g - mean g - z mean(g z)) w out, dw = sum g z, db = sum g; of given moments dx = g w out. */
static void norm_channel_grad(const tg_norm_channel *c) {
    const layout as = layout_of_channel(c);
    row r = {.x = c->x, .g = c->g, .y = c->y};
    if (c->given || are_enough(c))
        known_moments(c, &r);
    else
        find_channel(&as, &r);
    pair sum = {0, 0};
    if (c->dw || c->db || !c->given) sum = sum_row_pairs(&as, &r, terms_normalised);
    if (c->dw) *(S *)c->dw = sum.b;
    if (c->db) *(S *)c->db = sum.a;
    if (!c->y) return;
    r.gain = K(c->w ? *(const S *)c->w : 1), r.mean = K(sum.a / (S)as.n), r.slope = K(sum.b / (S)as.n);
    V top = K(0);
    for (int64_t k = 0; k < c->parts; k++, r.x += c->step, r.g += c->step, r.y += c->step)
        if (c->given)
            each(c->part, &r, step_given_grad);
        else
            top = vlarger(each_larger(c->part, &r, step_channel_grad), top);
    if (c->given || __builtin_expect(!any_larger(top * top, K(dominant_square(&as, 1))), 1)) return;
    const moments m = {lane0(r.unit), lane0(r.shift), lane0(r.rest), lane0(r.scale), lane0(r.out), false, 0};
    norm_grad_with_dominant(as, c->x, c->g, c->w, c->y, m);
}

#endif

/* Number n * groups + g counts groups through the images; number i is in lane i % W of vector block i / W. Which group a lane
 * has is the same every `phases` blocks, so there are that many panels of weights, [out_channels, taps] vectors each. */
#include "core/kernels/conv/interleaved.h"
#include "core/kernels/look.h"
#include "core/kernels/tasks.h"

#include <string.h>

typedef struct interleaved {
    const tg_conv_plan *p;
    const tg_kernel_set *set;
    const char *source, *g;
    char *result, *panels, *bias;
    size_t size;
    int64_t groups, blocks,
        phases;            /* of all images; vector blocks, and of them those with panels of their own */
    int64_t shares, units; /* of a sum over pixels: shares, and blocks of pixels in one */
} interleaved;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- when ---- */

bool tg_interleaved_correlation_pays(const tg_conv *c, tg_dtype dtype, int64_t in_channels,
                                     int64_t out_channels) {
    int64_t lanes = tg_kernels_for((int)dtype)->lanes, planes = c->images * c->groups;
    if (2 * out_channels > lanes || out_channels == 0) return false;
    if (c->window[1].stride > 1) return in_channels <= 2 * lanes && planes >= out_channels;
    return 2 * in_channels <= lanes && 4 * planes >= 3 * lanes && c->window[0].kernel * c->window[1].kernel > 1;
}

bool tg_interleaved_weight_pays(const tg_conv *c, tg_dtype dtype) {
    int64_t lanes = tg_kernels_for((int)dtype)->lanes;
    return 2 * c->filters <= lanes && c->filters > 0 && c->channels <= 2 * lanes &&
           c->images * c->groups >= c->filters;
}

/* ---- vector blocks ---- */

static interleaved set_up(const tg_conv_plan *p, const void *source) {
    interleaved s = {
        .p = p, .source = source, .set = tg_kernels_for((int)p->dtype), .size = tg_dtype_size(p->dtype)};
    s.groups = p->images * p->groups;
    s.blocks = (s.groups + p->vector - 1) / p->vector;
    s.phases = p->groups ? least(p->groups / tg_common_divisor(p->groups, p->vector), s.blocks) : 0;
    return s;
}

static int64_t group_of(const interleaved *s, int64_t phase, int64_t lane) {
    return (phase * s->p->vector + lane) % s->p->groups;
}

static int64_t lanes_of(const interleaved *s, int64_t block) {
    return least(s->groups - block * s->p->vector, s->p->vector);
}

static int64_t panel_size(const interleaved *s) { return s->p->out_channels * s->p->k * s->p->vector; }

#define PACK(T) \
    const T *from = w; \
    T *to = (T *)(void *)s->panels; \
    for (int64_t i = 0; i < s->phases; i++) \
        for (int64_t f = 0; f < p->out_channels; f++) \
            for (int64_t t = 0; t < p->k; t++) \
                for (int64_t l = 0; l < p->vector; l++) \
                    *to++ = from[group_of(s, i, l) * p->group_step + f * p->out_step + p->weight[t]];
static void pack(const interleaved *s, const void *w) {
    const tg_conv_plan *p = s->p;
    if (p->dtype == TG_F32) {
        PACK(float)
    } else {
        PACK(double)
    }
}

#define PACK_BIAS(T) \
    T *to = (T *)(void *)s->bias; \
    for (int64_t i = 0; i < s->phases; i++) \
        for (int64_t f = 0; f < s->p->out_channels; f++) \
            for (int64_t l = 0; l < s->p->vector; l++) \
                *to++ = ((const T *)bias)[group_of(s, i, l) * s->p->out_channels + f];
static void pack_bias(const interleaved *s, const void *bias) {
    if (s->p->dtype == TG_F32) {
        PACK_BIAS(float)
    } else {
        PACK_BIAS(double)
    }
}

/* ---- patches ---- */

/* What a block of pixels sees: rows and columns [from, from + n) of the source, of which [begin, end) exist. */
typedef struct view {
    int64_t from[2], n[2], begin[2], end[2];
} view;

static view view_of(const tg_conv_plan *p, const tg_conv_block *b) {
    view v;
    for (int k = 0; k < 2; k++) {
        const tg_conv_axis *a = &p->axis[k];
        v.from[k] = b->from[k] * a->stride + a->low;
        v.n[k] = (b->n[k] - 1) * a->stride + a->span;
        v.begin[k] = v.from[k] > 0 ? v.from[k] : 0;
        v.end[k] = least(v.from[k] + v.n[k], a->in);
        if (v.end[k] < v.begin[k]) v.end[k] = v.begin[k] = v.from[k];
    }
    return v;
}

static void clear_around(const interleaved *s, const view *v, char *patch) {
    size_t vector = (size_t)s->p->vector * s->size;
    for (int64_t i = 0; i < v->n[0]; i++, patch += (size_t)s->p->row * vector) {
        bool inside = v->from[0] + i >= v->begin[0] && v->from[0] + i < v->end[0];
        size_t left = (size_t)(inside ? v->begin[1] - v->from[1] : v->n[1]),
               right = (size_t)(inside ? v->end[1] - v->from[1] : v->n[1]);
        memset(patch, 0, left * vector);
        memset(patch + right * vector, 0, ((size_t)v->n[1] - right) * vector);
    }
}

/* The patches of a vector block, with zeros where there is no source: [in_channels, patch, patch] vectors. */
static void fill_patch(const interleaved *s, const view *v, int64_t block, char *patch) {
    const tg_conv_plan *p = s->p;
    int64_t width = p->axis[1].in, plane = p->axis[0].in * width, columns = v->end[1] - v->begin[1];
    int64_t top = v->begin[0], rows = v->end[0] - top;
    bool whole = columns == width && p->axis[1].blocks == 1;
    tg_interleaving g = {.count = lanes_of(s, block), .step = p->in_channels * plane};
    for (int64_t d = 0; d < p->in_channels; d++) {
        char *to = patch + (size_t)(d * p->plane * p->vector) * s->size;
        const char *from = s->source + (size_t)((block * p->vector * p->in_channels + d) * plane) * s->size;
        clear_around(s, v, to);
        to += (size_t)(((top - v->from[0]) * p->row + v->begin[1] - v->from[1]) * p->vector) * s->size;
        from += (size_t)(top * width + v->begin[1]) * s->size;
        g.n = whole ? rows * width : columns, g.at = whole && p->row != width ? p->inside : NULL;
        for (int64_t i = 0; i < (whole ? least(rows, 1) : rows); i++) {
            g.planes = (char *)(uintptr_t)from + (size_t)(i * width) * s->size;
            g.lanes = to + (size_t)(i * p->row * p->vector) * s->size;
            s->set->interleave(&g);
        }
    }
}

static int64_t patch_elements(const tg_conv_plan *p) { return p->in_channels * p->plane * p->vector; }
static int64_t block_elements(const tg_conv_plan *p) {
    return p->axis[0].block * p->axis[1].block * p->out_channels * p->vector;
}

enum { GRAIN = 65536 /* multiplications by a vector worth a thread */ };
static int64_t least_tasks(int64_t work) { return work < GRAIN ? GRAIN / (work + 1) + 1 : 1; }

static int64_t work_of(const tg_conv_plan *p) {
    return p->axis[0].block * p->axis[1].block *
           (p->k * p->out_channels + 4 * (p->in_channels + p->out_channels));
}

/* ---- results for output pixels ---- */

/* One block of pixels of one vector block. */
static void correlate_block(const void *context, int64_t task, char *scratch) {
    const interleaved *s = context;
    const tg_conv_plan *p = s->p;
    const tg_conv_axis *y = &p->axis[0], *x = &p->axis[1];
    int64_t block = task / tg_conv_blocks(p), phase = block % s->phases, plane = p->height * p->width;
    tg_conv_block b = tg_conv_block_at(p, task % tg_conv_blocks(p));
    view v = view_of(p, &b);
    char *patch = scratch + (size_t)block_elements(p) * s->size;
    fill_patch(s, &v, block, patch);
    s->set->lane_product(&(tg_lane_product){
        .m = b.size,
        .n = p->out_channels,
        .k = p->k,
        .a = patch,
        .b = s->panels + (size_t)(phase * panel_size(s)) * s->size,
        .bias = s->bias ? s->bias + (size_t)(phase * p->out_channels * p->vector) * s->size : NULL,
        .c = scratch,
        .a_row_at = p->pixel,
        .a_col_at = p->tap,
    });
    tg_look_at(p->looker, scratch, b.size * p->out_channels * p->vector); /* and at lanes without a plane */
    int64_t first = (y->start + b.from[0] * y->step) * p->width + x->start + b.from[1] * x->step;
    tg_interleaving g = {.n = b.size, .count = lanes_of(s, block), .step = p->out_channels * plane};
    if (y->step != 1 || x->step != 1) g.at = p->place;
    for (int64_t f = 0; f < p->out_channels; f++) {
        g.lanes = scratch + (size_t)(f * b.size * p->vector) * s->size;
        g.planes = s->result + (size_t)((block * p->vector * p->out_channels + f) * plane + first) * s->size;
        s->set->deinterleave(&g);
    }
}

tg_status tg_interleaved_correlation(const tg_conv_plan *p, const void *source, const void *w,
                                     const void *bias, void *result) {
    interleaved s = set_up(p, source);
    tg_array panels = {0};
    tg_status status =
        tg_array_alloc(&panels, p->dtype, TG_SHAPE(s.phases, p->out_channels * (p->k + 1) * p->vector));
    if (status != TG_OK) return status;
    s.result = result, s.panels = panels.data;
    s.bias = bias ? s.panels + (size_t)(s.phases * panel_size(&s)) * s.size : NULL;
    pack(&s, w);
    if (bias) pack_bias(&s, bias);
    status = tg_parallel_tasks(s.blocks * tg_conv_blocks(p), least_tasks(work_of(p)), p->dtype,
                               block_elements(p) + patch_elements(p), correlate_block, &s);
    tg_array_drop(&panels);
    return status;
}

/* ---- weights ---- */

/* The sum over all pixels of a panel's vector blocks is made of at most SHARES shares, which are added in order: enough
 * for threads, and the same whatever their number. */
enum { SHARES = 16 };

/* Blocks of pixels of all vector blocks with this panel. */
static int64_t units_of(const interleaved *s, int64_t phase) {
    return (s->blocks - phase + s->phases - 1) / s->phases * tg_conv_blocks(s->p);
}

/* The block's part of g's planes, as out_channels columns. */
static void fill_gradient(const interleaved *s, const tg_conv_block *b, int64_t block, char *to) {
    const tg_conv_plan *p = s->p;
    int64_t plane = p->height * p->width, first = b->from[0] * p->width + b->from[1];
    tg_interleaving g = {.n = b->size, .count = lanes_of(s, block), .step = p->out_channels * plane};
    for (int64_t f = 0; f < p->out_channels; f++) {
        g.planes = (char *)(uintptr_t)s->g +
                   (size_t)((block * p->vector * p->out_channels + f) * plane + first) * s->size;
        g.lanes = to + (size_t)(f * b->size * p->vector) * s->size;
        s->set->interleave(&g);
    }
}

/* One share of one panel. */
static void sum_share(const void *context, int64_t task, char *scratch) {
    const interleaved *s = context;
    const tg_conv_plan *p = s->p;
    int64_t phase = task % s->phases, begin = task / s->phases * s->units;
    char *patch = scratch + (size_t)block_elements(p) * s->size;
    for (int64_t u = begin; u < begin + s->units && u < units_of(s, phase); u++) {
        int64_t block = u / tg_conv_blocks(p) * s->phases + phase;
        tg_conv_block b = tg_conv_block_at(p, u % tg_conv_blocks(p));
        view v = view_of(p, &b);
        fill_patch(s, &v, block, patch);
        fill_gradient(s, &b, block, scratch);
        s->set->lane_product(&(tg_lane_product){
            .m = p->k,
            .n = p->out_channels,
            .k = b.size,
            .a = patch,
            .b = scratch,
            .c = s->panels + (size_t)(task * panel_size(s)) * s->size,
            .a_row_at = p->tap,
            .a_col_at = p->pixel,
            .adds = true,
        });
    }
}

/* The lanes of the first share's panels go to their groups, each in order. */
#define UNPACK(T) \
    const T *from = (const T *)(const void *)s->panels; \
    for (int64_t i = 0; i < s->phases; i++) \
        for (int64_t f = 0; f < p->out_channels; f++) \
            for (int64_t t = 0; t < p->k; t++) \
                for (int64_t l = 0; l < p->vector; l++) \
                    ((T *)w)[group_of(s, i, l) * p->group_step + f * p->out_step + p->weight[t]] += *from++;
static void unpack(const interleaved *s, void *w) {
    const tg_conv_plan *p = s->p;
    if (p->dtype == TG_F32) {
        UNPACK(float)
    } else {
        UNPACK(double)
    }
}

static tg_status sum_weights(interleaved *s, void *w, bool add) {
    const tg_conv_plan *p = s->p;
    int64_t share = s->phases * panel_size(s);
    tg_array sums = {0};
    tg_status status = tg_array_alloc(&sums, p->dtype, TG_SHAPE(s->shares, share));
    if (status != TG_OK) return status;
    s->panels = sums.data;
    memset(s->panels, 0, (size_t)sums.numel * s->size);
    status = tg_parallel_tasks(s->shares * s->phases, least_tasks(s->units * work_of(p)), p->dtype,
                               block_elements(p) + patch_elements(p), sum_share, s);
    tg_array total = {
        .data = sums.data, .numel = share, .dtype = sums.dtype, .rank = 1, .shape = {share}, .stride = {1}};
    tg_array other = total;
    for (int64_t i = 1; status == TG_OK && i < s->shares; i++) {
        other.data = s->panels + (size_t)(i * share) * s->size;
        tg_map_axpy(1, &other, &total);
    }
    if (status == TG_OK && !add) memset(w, 0, (size_t)(p->groups * p->group_step) * s->size);
    if (status == TG_OK) unpack(s, w);
    tg_array_drop(&sums);
    return status;
}

tg_status tg_interleaved_weight(const tg_conv_plan *p, const void *x, const void *g, void *w, bool add) {
    interleaved s = set_up(p, x);
    s.g = g;
    int64_t units = s.phases ? units_of(&s, 0) : 0;
    s.shares = s.phases ? (SHARES + s.phases - 1) / s.phases : 1;
    if (s.shares > units) s.shares = units ? units : 1;
    s.units = (units + s.shares - 1) / s.shares;
    return sum_weights(&s, w, add);
}

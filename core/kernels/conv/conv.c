/* The three products of convolution. All are one product of matrices, tg_product, whose left factor is
 * never stored: an element of it is found in the image at the sum of two offsets, those of an output pixel and of a
 * tap (channel, row and column of the kernel).
 *     forward, input:  result[pixel, channel] = sum over taps of source[pixel + tap] * weight[tap, channel]
 *     weight:          weight[tap, channel]   = sum over pixels of source[tap + pixel] * g[pixel, channel]
 * Output channels are neighbours in a vector, so results are transposed, block by block, while they are in the cache. */
#include "core/kernels/conv/conv.h"
#include "core/kernels/conv/interleaved.h"
#include "core/kernels/conv/plan.h"
#include "core/kernels/tasks.h"

#include <string.h>

enum { GRAIN = 65536 /* multiplications by a vector worth a thread */ };

/* Tasks of `work` such multiplications that are worth a thread. */
static int64_t least_tasks(int64_t work) { return work < GRAIN ? GRAIN / (work + 1) + 1 : 1; }

/* ---- results for output pixels ---- */

typedef struct correlation {
    tg_conv_plan plan;
    const char *source;
    char *result, *panels, *first; /* first: the bias, [groups, padded], or NULL */
    size_t size;
} correlation;

#define STORE(T) \
    for (int64_t f = 0; f < channels; f++) \
        for (int64_t i = 0; i < b->n[0]; i++) { \
            const T *c = (const T *)(const void *)from + i * b->n[1] * pixel_step + f * channel_step; \
            int64_t row = y->start + (b->from[0] + i) * y->step; \
            T *to = (T *)(void *)out + (f * s->plan.height + row) * s->plan.width + x->start + \
                    b->from[1] * x->step; \
            for (int64_t j = 0; j < b->n[1]; j++) to[j * x->step] = c[j * pixel_step]; \
        }

/* The block's results to the planes of the result. They lie as [pixels, channels] or as [channels, pixels]: one
 * of the two steps is 1. */
static void store_pixels(const correlation *s, const tg_conv_block *b, const char *from, int64_t pixel_step,
                         int64_t channel_step, int64_t channels, char *out) {
    const tg_conv_axis *y = &s->plan.axis[0], *x = &s->plan.axis[1];
    if (y->step != 1 || x->step != 1) {
        if (s->plan.dtype == TG_F32) {
            STORE(float)
        } else {
            STORE(double)
        }
        return;
    }
    int64_t plane = s->plan.height * s->plan.width;
    out += (size_t)(b->from[0] * s->plan.width + b->from[1]) * s->size;
    if (channel_step == 1)
        tg_kernels_for((int)s->plan.dtype)->transpose(b->size, channels, from, pixel_step, out, plane);
    else
        for (int64_t f = 0; f < channels; f++)
            memcpy(out + (size_t)(f * plane) * s->size, from + (size_t)(f * channel_step) * s->size,
                   (size_t)b->size * s->size);
}

/* Where output channels would leave most of a vector empty, neighbouring pixels of a row take their part. */
static bool has_few_channels(const tg_conv_plan *p) {
    return 2 * p->out_channels <= p->vector && p->axis[1].stride == 1;
}

static void correlate_few_channels(const correlation *s, const tg_conv_block *b, int64_t group,
                                   const char *patch, char *scratch, char *out) {
    const tg_conv_plan *p = &s->plan;
    size_t step = (size_t)(p->axis[0].stride * p->row) * s->size;
    tg_product g = {.m = p->out_channels,
                    .n = b->n[1],
                    .k = p->k,
                    .a = s->panels + tg_conv_panel_at(p, group, 0),
                    .a_row = 1,
                    .a_col = p->padded,
                    .b = patch,
                    .b_row_at = p->tap,
                    .start_row = 1,
                    .c = scratch,
                    .c_row = b->size,
                    .alpha = 1};
    if (s->first) g.start = s->first + (size_t)(group * p->padded) * s->size;
    for (int64_t i = 0; i < b->n[0]; i++) {
        tg_kernels_for((int)p->dtype)->product(&g);
        g.b = (const char *)g.b + step;
        g.c = (char *)g.c + (size_t)b->n[1] * s->size;
    }
    store_pixels(s, b, scratch, 1, b->size, p->out_channels, out);
}

static void correlate_panels(const correlation *s, const tg_conv_block *b, int64_t group, const char *patch,
                             char *scratch, char *out) {
    const tg_conv_plan *p = &s->plan;
    tg_product g = {.m = b->size,
                    .k = p->k,
                    .a = patch,
                    .a_row_at = p->pixel,
                    .a_col_at = p->tap,
                    .padded = true,
                    .c = scratch,
                    .alpha = 1};
    for (int64_t channel = 0; channel < p->out_channels; channel += g.n) {
        g.n = g.b_row = g.c_row = tg_conv_panel_width(p, channel);
        g.b = s->panels + tg_conv_panel_at(p, group, channel);
        if (s->first) g.start = s->first + (size_t)(group * p->padded + channel) * s->size;
        tg_kernels_for((int)p->dtype)->product(&g);
        store_pixels(s, b, scratch, g.n, 1, p->out_channels - channel < g.n ? p->out_channels - channel : g.n,
                     out + (size_t)(channel * p->height * p->width) * s->size);
    }
}

/* One block of one group of one image. */
static void correlate_block(const correlation *s, int64_t task, bool first, char *scratch, char *patch) {
    const tg_conv_plan *p = &s->plan;
    int64_t blocks = tg_conv_blocks(p), group = task / blocks % p->groups, plane = task / blocks;
    tg_conv_block b = tg_conv_block_at(p, task % blocks);
    const char *source = s->source + (size_t)(plane * p->in_channels * p->axis[0].in * p->axis[1].in) * s->size;
    char *out = s->result + (size_t)(plane * p->out_channels * p->height * p->width) * s->size;
    const char *seen = tg_conv_patch(p, &b, source, patch, first || task % blocks == 0);
    (has_few_channels(p) ? correlate_few_channels : correlate_panels)(s, &b, group, seen, scratch, out);
}

static void correlate_blocks(const void *context, int64_t begin, int64_t end, char *scratch) {
    const correlation *s = context;
    const tg_conv_plan *p = &s->plan;
    char *patch = scratch + (size_t)(p->axis[0].block * p->axis[1].block * 2 * p->vector) * s->size;
    tg_conv_clear_patch(p, patch);
    for (int64_t i = begin; i < end; i++) correlate_block(s, i, i == begin, scratch, patch);
}

/* [groups, out_channels] to [groups, padded]. */
static void pad_bias(const correlation *s, const char *bias) {
    const tg_conv_plan *p = &s->plan;
    size_t from = (size_t)p->out_channels * s->size, to = (size_t)p->padded * s->size;
    for (int64_t g = 0; g < p->groups; g++, bias += from) {
        memset(s->first + (size_t)g * to, 0, to);
        memcpy(s->first + (size_t)g * to, bias, from);
    }
}

/* s->plan is made here, and dropped. */
static tg_status correlate(correlation *s, const char *w, const char *bias) {
    const tg_conv_plan *p = &s->plan;
    int64_t block = p->axis[0].block * p->axis[1].block, channels = p->groups * p->padded;
    tg_array panels = {0};
    s->size = tg_dtype_size(p->dtype);
    tg_status status = tg_array_alloc(&panels, p->dtype, TG_SHAPE(p->k + 1, channels));
    if (status != TG_OK) return status;
    s->panels = panels.data;
    s->first = bias ? s->panels + (size_t)(p->k * channels) * s->size : NULL;
    tg_conv_pack(p, w, s->panels);
    if (bias) pad_bias(s, bias);
    int64_t work = block * p->k * tg_conv_panels(p);
    status = tg_parallel_groups(p->images * p->groups * tg_conv_blocks(p), least_tasks(work), p->dtype,
                                block * 2 * p->vector + tg_conv_patch_size(p), correlate_blocks, s);
    tg_array_drop(&panels);
    return status;
}

tg_status tg_conv_forward(const tg_conv *c, const tg_array *x, const tg_array *w, const tg_array *bias,
                          const tg_array *y) {
    correlation s = {.source = x->data, .result = y->data};
    bool lanes = tg_interleaved_correlation_pays(c, (tg_dtype)x->dtype, c->channels, c->filters);
    tg_status status = tg_conv_plan_windows(&s.plan, c, (tg_dtype)x->dtype, lanes);
    if (status == TG_OK)
        status = lanes
                     ? tg_interleaved_correlation(&s.plan, x->data, w->data, bias ? bias->data : NULL, y->data)
                     : correlate(&s, w->data, bias ? bias->data : NULL);
    tg_conv_plan_drop(&s.plan);
    return status;
}

/* Those positions of x that are phase[k] modulo the stride along axis k. */
static tg_status input_phase(const tg_conv *c, const tg_array *g, const tg_array *w, const tg_array *x,
                             const int64_t phase[2]) {
    correlation s = {.source = g->data, .result = x->data};
    bool lanes = tg_interleaved_correlation_pays(c, (tg_dtype)g->dtype, c->filters, c->channels);
    tg_status status = tg_conv_plan_positions(&s.plan, c, (tg_dtype)g->dtype, phase, lanes);
    if (status == TG_OK)
        status = lanes ? tg_interleaved_correlation(&s.plan, g->data, w->data, NULL, x->data)
                       : correlate(&s, w->data, NULL);
    tg_conv_plan_drop(&s.plan);
    return status;
}

tg_status tg_conv_input(const tg_conv *c, const tg_array *g, const tg_array *w, const tg_array *x) {
    const tg_window *v = c->window;
    tg_status status = TG_OK;
    for (int64_t i = 0; i < v[0].stride && i < v[0].in; i++)
        for (int64_t j = 0; status == TG_OK && j < v[1].stride && j < v[1].in; j++)
            status = input_phase(c, g, w, x, (int64_t[]){i, j});
    return status;
}

/* ---- weights ---- */

/* Each panel of weights sums over images in at most SHARES shares, which are added in order: enough for
 * threads, and the same whatever their number. */
enum { SHARES = 16 };

typedef struct weight_sum {
    tg_conv_plan plan;
    int64_t shares, images; /* of one share */
    const char *x, *g;
    char *sums; /* [shares, groups, panels, sums, width] */
    size_t size;
} weight_sum;

/* The block's part of g's planes, from one channel on, as [pixels, width]. */
static void pack_gradient(const weight_sum *h, const tg_conv_block *b, const char *g, int64_t channels,
                          int64_t width, char *to) {
    const tg_conv_axis *y = &h->plan.axis[0], *x = &h->plan.axis[1];
    g += (size_t)(b->from[0] * x->n + b->from[1]) * h->size;
    tg_kernels_for((int)h->plan.dtype)->transpose(channels, b->size, g, y->n * x->n, to, width);
}

/* One share of one panel. */
static void sum_share(const void *context, int64_t task, char *scratch) {
    const weight_sum *h = context;
    const tg_conv_plan *p = &h->plan;
    const tg_conv_axis *y = &p->axis[0], *x = &p->axis[1];
    int64_t panels = tg_conv_panels(p), group = task / panels % p->groups, share = task / (panels * p->groups);
    int64_t channel = task % panels * 2 * p->vector, width = tg_conv_panel_width(p, channel);
    int64_t channels = p->out_channels - channel < width ? p->out_channels - channel : width;
    int64_t end = (share + 1) * h->images;
    size_t columns = (size_t)(y->block * x->block * width) * h->size;
    char *c = h->sums + tg_conv_panel_at(p, share * p->groups + group, channel);
    tg_product m = {.m = p->k,
                    .n = width,
                    .a_row_at = p->tap,
                    .a_col_at = p->pixel,
                    .b = scratch,
                    .b_row = width,
                    .padded = true,
                    .start = c,
                    .start_row = width,
                    .c = c,
                    .c_row = width,
                    .alpha = 1};
    memset(scratch, 0, columns);
    tg_conv_clear_patch(p, scratch + columns);
    for (int64_t n = share * h->images; n < end && n < p->images; n++)
        for (int64_t i = 0; i < tg_conv_blocks(p); i++) {
            tg_conv_block b = tg_conv_block_at(p, i);
            int64_t plane = n * p->groups + group;
            const char *source = h->x + (size_t)(plane * p->in_channels * y->in * x->in) * h->size;
            m.a = tg_conv_patch(p, &b, source, scratch + columns, i == 0);
            m.k = b.size;
            pack_gradient(h, &b, h->g + (size_t)((plane * p->out_channels + channel) * y->n * x->n) * h->size,
                          channels, width, scratch);
            tg_kernels_for((int)p->dtype)->product(&m);
        }
}

/* The first share starts at the weights so far, the others at zero; the sum of all goes back. */
static tg_status sum_weights(weight_sum *h, void *w, bool add) {
    const tg_conv_plan *p = &h->plan;
    int64_t panels = p->groups * tg_conv_panels(p), share = p->groups * p->padded * p->k;
    int64_t block = p->axis[0].block * p->axis[1].block;
    h->shares = (SHARES + panels - 1) / (panels ? panels : 1);
    if (h->shares > p->images) h->shares = p->images ? p->images : 1;
    h->images = (p->images + h->shares - 1) / h->shares;
    tg_array sums = {0};
    tg_status s = tg_array_alloc(&sums, p->dtype, TG_SHAPE(h->shares, share));
    if (s != TG_OK) return s;
    h->sums = sums.data;
    memset(h->sums, 0, (size_t)sums.numel * h->size);
    if (add) tg_conv_pack(p, w, h->sums);
    s = tg_parallel_tasks(h->shares * panels, least_tasks(h->images * tg_conv_blocks(p) * block * p->k),
                          p->dtype, block * 2 * p->vector + tg_conv_patch_size(p), sum_share, h);
    tg_array total = {
        .data = h->sums, .numel = share, .dtype = sums.dtype, .rank = 1, .shape = {share}, .stride = {1}};
    tg_array other = total;
    for (int64_t i = 1; s == TG_OK && i < h->shares; i++) {
        other.data = h->sums + (size_t)(i * share) * h->size;
        tg_map_axpy(1, &other, &total);
    }
    if (s == TG_OK) tg_conv_unpack(p, h->sums, w);
    tg_array_drop(&sums);
    return s;
}

tg_status tg_conv_weight(const tg_conv *c, const tg_array *x, const tg_array *g, const tg_array *w, bool add) {
    weight_sum h = {.x = x->data, .g = g->data, .size = tg_dtype_size((tg_dtype)x->dtype)};
    bool lanes = tg_interleaved_weight_pays(c, (tg_dtype)x->dtype);
    tg_status s = tg_conv_plan_windows(&h.plan, c, (tg_dtype)x->dtype, lanes);
    if (s == TG_OK)
        s = lanes ? tg_interleaved_weight(&h.plan, x->data, g->data, w->data, add)
                  : sum_weights(&h, w->data, add);
    tg_conv_plan_drop(&h.plan);
    return s;
}

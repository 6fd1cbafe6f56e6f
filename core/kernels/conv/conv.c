/* The three products of convolution. All are one product of matrices, tg_product, whose left factor is
 * never stored: an element of it is found in the image at the sum of two offsets, those of an output pixel and of a
 * tap (channel, row and column of the kernel).
 *     forward, input:  result[pixel, channel] = sum over taps of source[pixel + tap] * weight[tap, channel]
 *     weight:          weight[tap, channel]   = sum over pixels of source[tap + pixel] * g[pixel, channel]
 * Output channels are neighbours in a vector, so results are transposed, block by block, while they are in the cache. */
#include "core/kernels/conv/conv.h"
#include "core/kernels/conv/interleaved.h"
#include "core/kernels/conv/plan.h"
#include "core/kernels/look.h"
#include "core/kernels/tasks.h"

#include <string.h>

enum { GRAIN = 65536 /* multiplications by a vector worth a thread */ };

/* Tasks of `work` such multiplications that are worth a thread. */
static int64_t least_tasks(int64_t work) { return work < GRAIN ? GRAIN / (work + 1) + 1 : 1; }

/* ---- what is fetched while products are made ---- */

enum { LINE = 64 };

/* Part i of `parts` of the memory at `at`, during a product of `rows` rows. */
static tg_fetch fetch_part(const tg_conv_plan *p, const char *at, size_t bytes, int64_t i, int64_t parts,
                           int64_t rows) {
    int64_t part = (int64_t)bytes / parts / LINE * LINE, row = (part + rows - 1) / rows;
    int64_t lines = (tg_kernels_for((int)p->dtype)->mr * row + LINE - 1) / LINE;
    return (tg_fetch){at + i * part, row, LINE, lines};
}

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
    tg_look_at(p->looker, scratch, p->out_channels * b->size);
    store_pixels(s, b, scratch, 1, b->size, p->out_channels, out);
}

/* The next plane's part of the source is fetched, and the lines of the result where they will be written. */
static void correlate_panels(const correlation *s, const tg_conv_block *b, int64_t group, const char *patch,
                             char *scratch, char *out, tg_fetch next) {
    const tg_conv_plan *p = &s->plan;
    const int64_t plane = p->height * p->width * (int64_t)s->size;
    const bool one_run = p->axis[0].step == 1 && p->axis[1].step == 1;
    tg_fetch fetched[2] = {{.row = (int64_t)s->size, .step = plane}, next};
    tg_product g = {.m = b->size,
                    .fetches = next.at ? 2 : 1,
                    .fetched = fetched,
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
        int64_t channels = p->out_channels - channel < g.n ? p->out_channels - channel : g.n;
        char *to = out + channel * plane;
        fetched[0].at = to + (size_t)(b->from[0] * p->width + b->from[1]) * s->size,
        fetched[0].lines = one_run ? channels : 0;
        tg_kernels_for((int)p->dtype)->product(&g);
        tg_look_at(p->looker, scratch, b->size * g.n); /* and at columns behind the last channel */
        store_pixels(s, b, scratch, g.n, 1, channels, to);
        g.fetches = 1;
    }
}

/* One block of one group of one image. */
static void correlate_block(const correlation *s, int64_t task, bool first, char *scratch, char *patch) {
    const tg_conv_plan *p = &s->plan;
    int64_t blocks = tg_conv_blocks(p), group = task / blocks % p->groups, plane = task / blocks;
    tg_conv_block b = tg_conv_block_at(p, task % blocks);
    size_t bytes = (size_t)(p->in_channels * p->axis[0].in * p->axis[1].in) * s->size;
    const char *source = s->source + (size_t)plane * bytes;
    char *out = s->result + (size_t)(plane * p->out_channels * p->height * p->width) * s->size;
    const char *seen = tg_conv_patch(p, &b, source, patch, first || task % blocks == 0);
    tg_fetch next = {0};
    if (p->whole && plane + 1 < p->images * p->groups)
        next = fetch_part(p, source + bytes, bytes, task % blocks, blocks, b.size);
    if (has_few_channels(p))
        correlate_few_channels(s, &b, group, seen, scratch, out);
    else
        correlate_panels(s, &b, group, seen, scratch, out, next);
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
                             const int64_t phase[2], tg_looker *looker) {
    correlation s = {.source = g->data, .result = x->data};
    bool lanes = tg_interleaved_correlation_pays(c, (tg_dtype)g->dtype, c->filters, c->channels);
    tg_status status = tg_conv_plan_positions(&s.plan, c, (tg_dtype)g->dtype, phase, lanes);
    s.plan.looker = looker;
    if (status == TG_OK)
        status = lanes ? tg_interleaved_correlation(&s.plan, g->data, w->data, NULL, x->data)
                       : correlate(&s, w->data, NULL);
    tg_conv_plan_drop(&s.plan);
    return status;
}

tg_status tg_conv_input(const tg_conv *c, const tg_array *g, const tg_array *w, const tg_array *x) {
    const tg_window *v = c->window;
    tg_status status = TG_OK;
    tg_looker looker, *looks = tg_look_begin(&looker, x);
    for (int64_t i = 0; i < v[0].stride && i < v[0].in; i++)
        for (int64_t j = 0; status == TG_OK && j < v[1].stride && j < v[1].in; j++)
            status = input_phase(c, g, w, x, (int64_t[]){i, j}, looks);
    if (status == TG_OK) tg_look_end(looks, x);
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
typedef struct share {
    const weight_sum *of;
    int64_t group, channel, channels, width;
    tg_product product;
    char *columns, *patch;
} share;

/* One block of an image. If images are small x and g of the next are fetched. */
static void sum_block(share *s, int64_t image, int64_t i) {
    const weight_sum *h = s->of;
    const tg_conv_plan *p = &h->plan;
    const tg_conv_axis *y = &p->axis[0], *x = &p->axis[1];
    const int64_t blocks = tg_conv_blocks(p), plane = image * p->groups + s->group;
    const size_t x_bytes = (size_t)(p->in_channels * y->in * x->in) * h->size,
                 g_bytes = (size_t)(y->n * x->n) * h->size;
    const char *from = h->x + (size_t)plane * x_bytes,
               *g = h->g + (size_t)(plane * p->out_channels + s->channel) * g_bytes;
    tg_conv_block b = tg_conv_block_at(p, i);
    tg_fetch fetched[2];
    s->product.fetches = p->whole && image + 1 < p->images ? 2 : 0;
    s->product.fetched = fetched;
    if (s->product.fetches) {
        const char *next = g + (size_t)(p->groups * p->out_channels) * g_bytes;
        fetched[0] = fetch_part(p, from + (size_t)p->groups * x_bytes, x_bytes, i, blocks, p->k);
        fetched[1] = fetch_part(p, next, (size_t)s->channels * g_bytes, i, blocks, p->k);
    }
    s->product.a = tg_conv_patch(p, &b, from, s->patch, i == 0);
    s->product.k = b.size;
    pack_gradient(h, &b, g, s->channels, s->width, s->columns);
    tg_kernels_for((int)p->dtype)->product(&s->product);
}

static void sum_share(const void *context, int64_t task, char *scratch) {
    const weight_sum *h = context;
    const tg_conv_plan *p = &h->plan;
    int64_t panels = tg_conv_panels(p), number = task / (panels * p->groups);
    share s = {.of = h, .group = task / panels % p->groups, .channel = task % panels * 2 * p->vector};
    s.width = tg_conv_panel_width(p, s.channel);
    s.channels = p->out_channels - s.channel < s.width ? p->out_channels - s.channel : s.width;
    size_t columns = (size_t)(p->axis[0].block * p->axis[1].block * s.width) * h->size;
    s.columns = scratch, s.patch = scratch + columns;
    char *c = h->sums + tg_conv_panel_at(p, number * p->groups + s.group, s.channel);
    s.product = (tg_product){.m = p->k,
                             .n = s.width,
                             .a_row_at = p->tap,
                             .a_col_at = p->pixel,
                             .b = scratch,
                             .b_row = s.width,
                             .padded = true,
                             .start = c,
                             .start_row = s.width,
                             .c = c,
                             .c_row = s.width,
                             .alpha = 1};
    memset(scratch, 0, columns);
    tg_conv_clear_patch(p, s.patch);
    int64_t end = (number + 1) * h->images < p->images ? (number + 1) * h->images : p->images;
    for (int64_t n = number * h->images; n < end; n++)
        for (int64_t i = 0; i < tg_conv_blocks(p); i++) sum_block(&s, n, i);
}

/* The first share starts at the weights so far, the others at zero; the sum of all goes back. */
static tg_status sum_weights(weight_sum *h, void *w, bool add) {
    const tg_conv_plan *p = &h->plan;
    int64_t panels = p->groups * tg_conv_panels(p), size = p->groups * p->padded * p->k;
    int64_t block = p->axis[0].block * p->axis[1].block;
    h->shares = (SHARES + panels - 1) / (panels ? panels : 1);
    if (h->shares > p->images) h->shares = p->images ? p->images : 1;
    h->images = (p->images + h->shares - 1) / h->shares;
    tg_array sums = {0};
    tg_status s = tg_array_alloc(&sums, p->dtype, TG_SHAPE(h->shares, size));
    if (s != TG_OK) return s;
    h->sums = sums.data;
    memset(h->sums, 0, (size_t)sums.numel * h->size);
    if (add) tg_conv_pack(p, w, h->sums);
    s = tg_parallel_tasks(h->shares * panels, least_tasks(h->images * tg_conv_blocks(p) * block * p->k),
                          p->dtype, block * 2 * p->vector + tg_conv_patch_size(p), sum_share, h);
    tg_array total = {
        .data = h->sums, .numel = size, .dtype = sums.dtype, .rank = 1, .shape = {size}, .stride = {1}};
    tg_array other = total;
    for (int64_t i = 1; s == TG_OK && i < h->shares; i++) {
        other.data = h->sums + (size_t)(i * size) * h->size;
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

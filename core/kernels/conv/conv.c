/* The three products of convolution. All are one product of matrices, tg_offset_gemm, whose left factor is
 * never stored: an element of it is found in the image at the sum of two offsets, those of a place and of a
 * tap (channel, row and column of the kernel).
 *     forward, input:  result[place, lane] = sum over taps of source[place + tap] * weight[tap, lane]
 *     weight:          weight[tap, lane]   = sum over places of source[tap + place] * g[place, lane]
 * Lanes are neighbours in memory, so results are transposed, block by block, while they are in the cache. */
#include "core/kernels/conv/conv.h"
#include "core/kernels/conv/plan.h"
#include "core/kernels/tasks.h"

#include <string.h>

enum { GRAIN = 65536 /* multiplications by a vector worth a thread */ };

/* Parts of `work` such multiplications that are worth a thread. */
static int64_t least_parts(int64_t work) { return work < GRAIN ? GRAIN / (work + 1) + 1 : 1; }

/* ---- results for places ---- */

typedef struct sweep {
    tg_conv_plan plan;
    int64_t height, width; /* of a plane of the result */
    const char *source;
    char *result, *panels, *first; /* first: the bias, [groups, padded], or NULL */
    size_t size;
} sweep;

#define SPREAD(T) \
    for (int64_t f = 0; f < lanes; f++) \
        for (int64_t i = 0; i < b->n[0]; i++) { \
            const T *c = (const T *)(const void *)from + i * b->n[1] * place_step + f * lane_step; \
            int64_t row = y->start + (b->from[0] + i) * y->step; \
            T *to = (T *)(void *)out + (f * s->height + row) * s->width + x->start + b->from[1] * x->step; \
            for (int64_t j = 0; j < b->n[1]; j++) to[j * x->step] = c[j * place_step]; \
        }

/* The block's results to the planes of the result. They lie as [places, lanes] or as [lanes, places]: one
 * of the two steps is 1. */
static void place(const sweep *s, const tg_conv_block *b, const char *from, int64_t place_step,
                  int64_t lane_step, int64_t lanes, char *out) {
    const tg_conv_axis *y = &s->plan.axis[0], *x = &s->plan.axis[1];
    if (y->step != 1 || x->step != 1) {
        if (s->plan.dtype == TG_F32) {
            SPREAD(float)
        } else {
            SPREAD(double)
        }
        return;
    }
    int64_t plane = s->height * s->width;
    out += (size_t)(b->from[0] * s->width + b->from[1]) * s->size;
    if (lane_step == 1)
        tg_kernels_for((int)s->plan.dtype)->transpose(b->size, lanes, from, place_step, out, plane);
    else
        for (int64_t f = 0; f < lanes; f++)
            memcpy(out + (size_t)(f * plane) * s->size, from + (size_t)(f * lane_step) * s->size,
                   (size_t)b->size * s->size);
}

/* Where lanes would leave most of a vector empty, neighbouring places of a row take their part. */
static bool few_lanes(const tg_conv_plan *p) { return 2 * p->lanes <= p->vector && p->axis[1].stride == 1; }

static void sweep_lines(const sweep *s, const tg_conv_block *b, int64_t group, const char *seen,
                        char *scratch, char *out) {
    const tg_conv_plan *p = &s->plan;
    size_t step = (size_t)(p->axis[0].stride * p->row) * s->size;
    tg_offset_lines g = {p->lanes, p->sums, b->n[1], p->padded, p->tap, seen, NULL, NULL, scratch, b->size};
    g.w = s->panels + tg_conv_panel_at(p, group, 0);
    if (s->first) g.start = s->first + (size_t)(group * p->padded) * s->size;
    for (int64_t i = 0; i < b->n[0]; i++) {
        tg_kernels_for((int)p->dtype)->offset_lines(&g);
        g.x = (const char *)g.x + step;
        g.c = (char *)g.c + (size_t)b->n[1] * s->size;
    }
    place(s, b, scratch, 1, b->size, p->lanes, out);
}

static void sweep_panels(const sweep *s, const tg_conv_block *b, int64_t group, const char *seen,
                         char *scratch, char *out) {
    const tg_conv_plan *p = &s->plan;
    tg_offset_gemm g = {.rows = b->size, .sums = p->sums, .row = p->pos, .sum = p->tap, .x = seen, .c = scratch};
    for (int64_t lane = 0; lane < p->lanes; lane += g.lanes) {
        g.lanes = g.b_row = g.c_row = tg_conv_panel_width(p, lane);
        g.b = s->panels + tg_conv_panel_at(p, group, lane);
        if (s->first) g.start = s->first + (size_t)(group * p->padded + lane) * s->size;
        tg_kernels_for((int)p->dtype)->offset_gemm(&g);
        place(s, b, scratch, g.lanes, 1, p->lanes - lane < g.lanes ? p->lanes - lane : g.lanes,
              out + (size_t)(lane * s->height * s->width) * s->size);
    }
}

/* One block of one group of one image. */
static void sweep_part(const void *context, int64_t part, char *scratch) {
    const sweep *s = context;
    const tg_conv_plan *p = &s->plan;
    int64_t blocks = tg_conv_blocks(p), group = part / blocks % p->groups, plane = part / blocks;
    tg_conv_block b = tg_conv_block_at(p, part % blocks);
    const char *source = s->source + (size_t)(plane * p->depth * p->axis[0].in * p->axis[1].in) * s->size;
    char *out = s->result + (size_t)(plane * p->lanes * s->height * s->width) * s->size;
    char *slab = scratch + (size_t)(p->axis[0].block * p->axis[1].block * 2 * p->vector) * s->size;
    (few_lanes(p) ? sweep_lines : sweep_panels)(s, &b, group, tg_conv_see(p, &b, source, slab), scratch, out);
}

static int64_t slab_size(const tg_conv_plan *p) { return p->direct ? 0 : p->depth * p->plane; }

/* [groups, lanes] to [groups, padded]. */
static void pad_bias(const sweep *s, const char *bias) {
    const tg_conv_plan *p = &s->plan;
    size_t from = (size_t)p->lanes * s->size, to = (size_t)p->padded * s->size;
    for (int64_t g = 0; g < p->groups; g++, bias += from) {
        memset(s->first + (size_t)g * to, 0, to);
        memcpy(s->first + (size_t)g * to, bias, from);
    }
}

/* s->plan is made here, and dropped. */
static tg_status run_sweep(sweep *s, const char *w, const char *bias) {
    const tg_conv_plan *p = &s->plan;
    int64_t block = p->axis[0].block * p->axis[1].block, lanes = p->groups * p->padded;
    tg_array panels = {0};
    s->size = tg_dtype_size(p->dtype);
    tg_status status = tg_array_alloc(&panels, p->dtype, TG_SHAPE(p->sums + 1, lanes));
    if (status != TG_OK) return status;
    s->panels = panels.data;
    s->first = bias ? s->panels + (size_t)(p->sums * lanes) * s->size : NULL;
    tg_conv_pack(p, w, s->panels);
    if (bias) pad_bias(s, bias);
    int64_t work = block * p->sums * tg_conv_panels(p);
    status = tg_each_part(p->images * p->groups * tg_conv_blocks(p), least_parts(work), p->dtype, block * 2 * p->vector + slab_size(p), sweep_part, s);
    tg_array_drop(&panels);
    return status;
}

tg_status tg_conv_forward(const tg_conv *c, const tg_array *x, const tg_array *w, const tg_array *bias,
                          const tg_array *y) {
    sweep s = {.height = c->window[0].out, .width = c->window[1].out, .source = x->data, .result = y->data};
    tg_status status = tg_conv_plan_windows(&s.plan, c, (tg_dtype)x->dtype);
    if (status == TG_OK) status = run_sweep(&s, w->data, bias ? bias->data : NULL);
    tg_conv_plan_drop(&s.plan);
    return status;
}

tg_status tg_conv_input(const tg_conv *c, const tg_array *g, const tg_array *w, const tg_array *x) {
    const tg_window *v = c->window;
    tg_status status = TG_OK;
    for (int64_t i = 0; i < v[0].stride && i < v[0].in; i++)
        for (int64_t j = 0; status == TG_OK && j < v[1].stride && j < v[1].in; j++) {
            sweep s = {.height = v[0].in, .width = v[1].in, .source = g->data, .result = x->data};
            status = tg_conv_plan_positions(&s.plan, c, (tg_dtype)g->dtype, (int64_t[]){i, j});
            if (status == TG_OK) status = run_sweep(&s, w->data, NULL);
            tg_conv_plan_drop(&s.plan);
        }
    return status;
}

/* ---- weights ---- */

/* Each panel of weights sums over images in at most SHARES shares, which are added in order: enough for
 * threads, and the same whatever their number. */
enum { SHARES = 16 };

typedef struct weigh {
    tg_conv_plan plan;
    int64_t shares, images; /* of one share */
    const char *x, *g;
    char *sums; /* [shares, groups, panels, sums, width] */
    size_t size;
} weigh;

/* The block's part of g's planes, from one lane on, as [places, width]. */
static void columns_of(const weigh *h, const tg_conv_block *b, const char *g, int64_t lanes, int64_t width,
                       char *to) {
    const tg_conv_axis *y = &h->plan.axis[0], *x = &h->plan.axis[1];
    g += (size_t)(b->from[0] * x->n + b->from[1]) * h->size;
    tg_kernels_for((int)h->plan.dtype)->transpose(lanes, b->size, g, y->n * x->n, to, width);
}

/* One share of one panel. */
static void weigh_part(const void *context, int64_t part, char *scratch) {
    const weigh *h = context;
    const tg_conv_plan *p = &h->plan;
    const tg_conv_axis *y = &p->axis[0], *x = &p->axis[1];
    int64_t panels = tg_conv_panels(p), group = part / panels % p->groups,
            share = part / (panels * p->groups);
    int64_t lane = part % panels * 2 * p->vector, width = tg_conv_panel_width(p, lane);
    int64_t lanes = p->lanes - lane < width ? p->lanes - lane : width, end = (share + 1) * h->images;
    size_t columns = (size_t)(y->block * x->block * width) * h->size;
    char *c = h->sums + tg_conv_panel_at(p, share * p->groups + group, lane);
    tg_offset_gemm m = {.rows = p->sums, .lanes = width, .row = p->tap, .sum = p->pos, .b = scratch};
    m.start = m.c = c, m.b_row = m.start_row = m.c_row = width;
    memset(scratch, 0, columns);
    for (int64_t n = share * h->images; n < end && n < p->images; n++)
        for (int64_t i = 0; i < tg_conv_blocks(p); i++) {
            tg_conv_block b = tg_conv_block_at(p, i);
            int64_t plane = n * p->groups + group;
            const char *source = h->x + (size_t)(plane * p->depth * y->in * x->in) * h->size;
            m.x = tg_conv_see(p, &b, source, scratch + columns);
            m.sums = b.size;
            columns_of(h, &b, h->g + (size_t)((plane * p->lanes + lane) * y->n * x->n) * h->size, lanes,
                       width, scratch);
            tg_kernels_for((int)p->dtype)->offset_gemm(&m);
        }
}

/* The first share starts at the weights so far, the others at zero; the sum of all goes back. */
static tg_status weigh_all(weigh *h, void *w, bool add) {
    const tg_conv_plan *p = &h->plan;
    int64_t panels = p->groups * tg_conv_panels(p), share = p->groups * p->padded * p->sums;
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
    s = tg_each_part(h->shares * panels, least_parts(h->images * tg_conv_blocks(p) * block * p->sums), p->dtype,
                  block * 2 * p->vector + slab_size(p), weigh_part, h);
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

tg_status tg_conv_weight(const tg_conv *c, const tg_array *x, const tg_array *g, const tg_array *w,
                         bool add) {
    weigh h = {.x = x->data, .g = g->data, .size = tg_dtype_size((tg_dtype)x->dtype)};
    tg_status s = tg_conv_plan_windows(&h.plan, c, (tg_dtype)x->dtype);
    if (s == TG_OK) s = weigh_all(&h, w->data, add);
    tg_conv_plan_drop(&h.plan);
    return s;
}

#include "core/kernels/conv/plan.h"
#include "core/parallel.h"

#include <string.h>

/* ---- axes ---- */

static tg_conv_axis windows(const tg_window *w) {
    return (tg_conv_axis){.n = w->out,
                          .step = 1,
                          .in = w->in,
                          .stride = w->stride,
                          .low = -w->padding,
                          .span = w->dilation * (w->kernel - 1) + 1,
                          .taps = w->kernel,
                          .at_step = w->dilation,
                          .kernel_step = 1};
}

/* Position i is the k-th of window (i + padding - k * dilation) / stride where that is whole: every stride /
 * gcd(stride, dilation)-th element of the kernel takes part, and each sees that much lower. */
static tg_conv_axis positions(const tg_window *w, int64_t phase) {
    int64_t every = w->stride / tg_common_divisor(w->stride, w->dilation), k = 0;
    while (k < w->kernel && (phase + w->padding - k * w->dilation) % w->stride) k++;
    int64_t taps = k < w->kernel ? (w->kernel - 1 - k) / every + 1 : 0;
    int64_t fall = every * w->dilation / w->stride, below = taps > 1 ? (taps - 1) * fall : 0;
    return (tg_conv_axis){.n = phase < w->in ? (w->in - 1 - phase) / w->stride + 1 : 0,
                          .start = phase,
                          .step = w->stride,
                          .in = w->out,
                          .stride = 1,
                          .low = taps ? (phase + w->padding - k * w->dilation) / w->stride - below : 0,
                          .span = below + 1,
                          .taps = taps,
                          .at = below,
                          .at_step = -fall,
                          .kernel = k,
                          .kernel_step = every};
}

/* ---- blocks ---- */

/* Results of a block: a multiple of every tile of the kernels, and with 32 out_channels of f32 a twentieth of what a
 * core's second cache holds. Fewer where there would be fewer than FEW blocks for the threads to share. */
enum { BLOCK = 336, FEW = 8 };

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

static void even_out(tg_conv_axis *a, int64_t most) {
    a->blocks = ceil_div(a->n, most);
    a->block = a->blocks ? ceil_div(a->n, a->blocks) : 0;
}

/* A block has several rows only where it is as wide as the result: it is then one run of it. */
static void set_blocks(tg_conv_axis axis[2], int64_t parts) {
    even_out(&axis[1], BLOCK);
    int64_t rows = axis[1].blocks > 1 || axis[1].block == 0 ? 1 : BLOCK / axis[1].block;
    while (rows > 1 && ceil_div(axis[0].n, rows) * parts < FEW) rows /= 2;
    even_out(&axis[0], rows);
}

int64_t tg_conv_blocks(const tg_conv_plan *p) { return p->axis[0].blocks * p->axis[1].blocks; }

tg_conv_block tg_conv_block_at(const tg_conv_plan *p, int64_t i) {
    int64_t number[2] = {i / p->axis[1].blocks, i % p->axis[1].blocks};
    tg_conv_block b;
    for (int k = 0; k < 2; k++) {
        const tg_conv_axis *a = &p->axis[k];
        b.from[k] = number[k] * a->block;
        b.n[k] = a->n - b.from[k] < a->block ? a->n - b.from[k] : a->block;
    }
    b.size = b.n[0] * b.n[1];
    return b;
}

/* ---- the plan ---- */

/* Bytes of a padded image that leave room in a core's second cache for the results and the weights. Where threads share an
 * image each would copy it. */
enum { WHOLE = 3 << 17 };

static void set_patch(tg_conv_plan *p) {
    double bytes = (double)p->in_channels * (double)tg_dtype_size(p->dtype);
    p->direct = !p->interleaved;
    for (int k = 0; k < 2; k++) {
        const tg_conv_axis *a = &p->axis[k];
        if (a->low < 0 || (a->n - 1) * a->stride + a->low + a->span > a->in) p->direct = false;
        bytes *= (double)((a->n - 1) * a->stride + a->span);
    }
    p->whole = !p->direct && !p->interleaved && p->images * p->groups >= FEW && bytes <= WHOLE;
    for (int k = 0; k < 2; k++) {
        const tg_conv_axis *a = &p->axis[k];
        int64_t n = p->whole ? a->n : a->block;
        p->patch[k] = n ? (n - 1) * a->stride + a->span : 0;
    }
    p->row = p->direct ? p->axis[1].in : p->patch[1];
    p->plane = p->row * (p->direct ? p->axis[0].in : p->patch[0]);
}

/* kernel_row is the length of a kernel's row in the weights. */
static void set_tables(tg_conv_plan *p, int64_t kernel_row) {
    const tg_conv_axis *y = &p->axis[0], *x = &p->axis[1];
    int64_t *tap = p->tap, *weight = p->weight;
    for (int64_t i = 0; i < y->block; i++)
        for (int64_t j = 0; j < x->block; j++)
            p->pixel[i * x->block + j] = i * y->stride * p->row + j * x->stride;
    for (int64_t d = 0; d < p->in_channels; d++)
        for (int64_t k = 0; k < y->taps; k++)
            for (int64_t l = 0; l < x->taps; l++) {
                int64_t row = (y->kernel + k * y->kernel_step) * kernel_row;
                *tap++ = d * p->plane + (y->at + k * y->at_step) * p->row + x->at + l * x->at_step;
                *weight++ = d * p->in_step + row + x->kernel + l * x->kernel_step;
            }
}

/* What interleaved planes need besides. */
static void set_places(tg_conv_plan *p, int64_t source, int64_t width) {
    const tg_conv_axis *y = &p->axis[0], *x = &p->axis[1];
    for (int64_t i = 0; i < source; i++) p->inside[i] = i / x->in * p->row + i % x->in;
    for (int64_t i = 0; i < y->block * x->block; i++)
        p->place[i] = i / x->block * y->step * width + i % x->block * x->step;
}

/* The rest of a plan whose axes, in_channels, out_channels and steps are set. */
static tg_status complete(tg_conv_plan *p, const tg_conv *c, tg_dtype dtype) {
    p->dtype = dtype;
    p->images = c->images, p->groups = c->groups;
    p->group_step = c->filters * c->channels * c->window[0].kernel * c->window[1].kernel;
    p->vector = tg_kernels_for((int)dtype)->lanes;
    p->padded = ceil_div(p->out_channels, p->vector) * p->vector;
    p->k = p->in_channels * p->axis[0].taps * p->axis[1].taps;
    set_blocks(p->axis, p->images * p->groups);
    set_patch(p);
    int64_t block = p->axis[0].block * p->axis[1].block, source = p->patch[0] * p->axis[1].in;
    if (!p->interleaved || p->axis[1].blocks > 1) source = 0;
    tg_status s = tg_array_alloc(&p->offsets, TG_I64, TG_SHAPE(2 * block + 2 * p->k + source));
    if (s != TG_OK) return s;
    p->pixel = p->offsets.data, p->tap = p->pixel + block, p->weight = p->tap + p->k;
    p->place = p->weight + p->k, p->inside = p->place + block;
    set_tables(p, c->window[1].kernel);
    if (p->interleaved) set_places(p, source, p->width);
    return TG_OK;
}

tg_status tg_conv_plan_windows(tg_conv_plan *p, const tg_conv *c, tg_dtype dtype, bool interleaved) {
    int64_t kernel = c->window[0].kernel * c->window[1].kernel;
    *p = (tg_conv_plan){.axis = {windows(&c->window[0]), windows(&c->window[1])},
                        .height = c->window[0].out,
                        .width = c->window[1].out,
                        .interleaved = interleaved,
                        .in_channels = c->channels,
                        .out_channels = c->filters,
                        .in_step = kernel,
                        .out_step = c->channels * kernel};
    return complete(p, c, dtype);
}

tg_status tg_conv_plan_positions(tg_conv_plan *p, const tg_conv *c, tg_dtype dtype, const int64_t phase[2],
                                 bool interleaved) {
    int64_t kernel = c->window[0].kernel * c->window[1].kernel;
    *p = (tg_conv_plan){.axis = {positions(&c->window[0], phase[0]), positions(&c->window[1], phase[1])},
                        .height = c->window[0].in,
                        .width = c->window[1].in,
                        .interleaved = interleaved,
                        .in_channels = c->filters,
                        .out_channels = c->channels,
                        .in_step = c->channels * kernel,
                        .out_step = kernel};
    return complete(p, c, dtype);
}

void tg_conv_plan_drop(tg_conv_plan *p) { tg_array_drop(&p->offsets); }

/* ---- what a block sees ---- */

enum { FETCH = 8192 /* bytes of a plane that are fetched ahead, a quarter of a first cache */ };

/* Row y of a source plane from column x on: n elements, with zeros outside. */
static void copy_row(const tg_conv_plan *p, const char *plane, int64_t y, int64_t x, int64_t n, char *to) {
    size_t size = tg_dtype_size(p->dtype);
    int64_t in = p->axis[1].in, left = x < 0 ? -x : 0, right = x + n > in ? x + n - in : 0;
    if (y < 0 || y >= p->axis[0].in || left + right >= n) {
        memset(to, 0, (size_t)n * size);
        return;
    }
    if (left) memset(to, 0, (size_t)left * size);
    memcpy(to + (size_t)left * size, plane + (size_t)(y * in + x + left) * size,
           (size_t)(n - left - right) * size);
    if (right) memset(to + (size_t)(n - right) * size, 0, (size_t)right * size);
}

/* Planes lie pages apart, where the machine does not look ahead: what will be copied of the next one is asked for. */
static void fetch_rows(const tg_conv_plan *p, const char *plane, int64_t y, int64_t n) {
    int64_t first = y > 0 ? y : 0, end = y + n < p->axis[0].in ? y + n : p->axis[0].in;
    size_t row = (size_t)p->axis[1].in * tg_dtype_size(p->dtype);
    if (first >= end || (size_t)(end - first) * row > FETCH) return;
    for (size_t i = (size_t)first * row; i < (size_t)end * row; i += 64) __builtin_prefetch(plane + i);
}

/* Rows and columns [from, from + n) of each plane. */
static void copy_patch(const tg_conv_plan *p, const int64_t from[2], const int64_t n[2], const char *source,
                       char *patch) {
    const size_t size = tg_dtype_size(p->dtype), next = (size_t)(p->axis[0].in * p->axis[1].in) * size;
    for (int64_t d = 0; d < p->in_channels; d++) {
        const char *plane = source + (size_t)d * next;
        if (d + 1 < p->in_channels) fetch_rows(p, plane + next, from[0], n[0]);
        for (int64_t i = 0; i < n[0]; i++)
            copy_row(p, plane, from[0] + i, from[1], n[1], patch + (size_t)(d * p->plane + i * p->row) * size);
    }
}

/* All that the blocks of an image see, but for the zeros around it. */
static void copy_image(const tg_conv_plan *p, const char *source, char *patch) {
    int64_t begin[2], end[2];
    size_t size = tg_dtype_size(p->dtype);
    for (int k = 0; k < 2; k++) {
        const tg_conv_axis *a = &p->axis[k];
        begin[k] = a->low > 0 ? a->low : 0;
        end[k] = a->low + p->patch[k] < a->in ? a->low + p->patch[k] : a->in;
    }
    if (begin[0] >= end[0] || begin[1] >= end[1]) return;
    const int64_t in = p->axis[1].in, next = p->axis[0].in * in, n = end[0] - begin[0];
    const size_t bytes = (size_t)(end[1] - begin[1]) * size, step = (size_t)in * size,
                 row = (size_t)p->row * size;
    source += (size_t)(begin[0] * in + begin[1]) * size;
    patch += (size_t)((begin[0] - p->axis[0].low) * p->row + begin[1] - p->axis[1].low) * size;
    for (int64_t d = 0; d < p->in_channels; d++) {
        const char *from = source + (size_t)(d * next) * size;
        char *to = patch + (size_t)(d * p->plane) * size;
        for (int64_t i = 0; i < n; i++, from += step, to += row) memcpy(to, from, bytes);
    }
}

void tg_conv_clear_patch(const tg_conv_plan *p, void *patch) {
    if (p->whole) memset(patch, 0, (size_t)tg_conv_patch_size(p) * tg_dtype_size(p->dtype));
}

const void *tg_conv_patch(const tg_conv_plan *p, const tg_conv_block *b, const void *source, void *patch,
                          bool first) {
    int64_t from[2], n[2];
    size_t size = tg_dtype_size(p->dtype);
    for (int k = 0; k < 2; k++) {
        const tg_conv_axis *a = &p->axis[k];
        from[k] = b->from[k] * a->stride + (p->whole ? 0 : a->low);
        n[k] = (b->n[k] - 1) * a->stride + a->span;
    }
    if (p->whole && first) copy_image(p, source, patch);
    if (p->direct || p->whole)
        return (const char *)(p->whole ? patch : source) + (size_t)(from[0] * p->row + from[1]) * size;
    copy_patch(p, from, n, source, patch);
    return patch;
}

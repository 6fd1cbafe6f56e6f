/* Normalisation of channels, [images, channels, places]. A channel is read where it lies if images have many places; of few,
 * its elements are first brought together. */
#include "core/kernels/simd/table.h"
#include "core/kernels/tasks.h"

#include <string.h>

/* From FEW places on a channel stays where it is; else GROUP channels are brought together at a time. */
enum { FEW = 64, GROUP = 16 };

typedef struct plan {
    tg_norm_channel all; /* of the first channel */
    tg_norm_channel_fn *run;
    const tg_kernel_set *set;
    int64_t images, channels, places, group;
    size_t size;
} plan;

static void *at(const void *p, int64_t i, size_t size) {
    return p ? (char *)(uintptr_t)p + (size_t)i * size : NULL;
}

static tg_norm_channel channel_of(const plan *p, int64_t c) {
    tg_norm_channel n = p->all;
    n.w = at(n.w, c, p->size), n.b = at(n.b, c, p->size);
    n.mean = at(n.mean, c, p->size), n.var = at(n.var, c, p->size);
    n.dw = at(n.dw, c, p->size), n.db = at(n.db, c, p->size);
    n.x = at(n.x, c * p->places, p->size), n.g = at(n.g, c * p->places, p->size);
    n.y = at(n.y, c * p->places, p->size);
    return n;
}

/* n channels from x on, [images, n, places] within x, to rows [n, images * places]; and back. */
static void gather(const plan *p, int64_t n, const char *x, char *rows) {
    int64_t row = p->images * p->places, image = p->channels * p->places;
    size_t run = (size_t)p->places * p->size;
    if (p->places == 1)
        p->set->transpose(p->images, n, x, p->channels, rows, row);
    else
        for (int64_t i = 0; i < p->images; i++)
            for (int64_t c = 0; c < n; c++)
                memcpy(rows + (size_t)(c * row + i * p->places) * p->size,
                       x + (size_t)(i * image + c * p->places) * p->size, run);
}
static void scatter(const plan *p, int64_t n, const char *rows, char *y) {
    int64_t row = p->images * p->places, image = p->channels * p->places;
    size_t run = (size_t)p->places * p->size;
    if (p->places == 1)
        p->set->transpose(n, p->images, rows, row, y, p->channels);
    else
        for (int64_t i = 0; i < p->images; i++)
            for (int64_t c = 0; c < n; c++)
                memcpy(y + (size_t)(i * image + c * p->places) * p->size,
                       rows + (size_t)(c * row + i * p->places) * p->size, run);
}

static void run_group(const void *context, int64_t task, char *scratch) {
    const plan *p = context;
    int64_t begin = task * p->group, n = p->channels - begin < p->group ? p->channels - begin : p->group;
    int64_t row = p->images * p->places;
    if (p->group == 1) {
        tg_norm_channel c = channel_of(p, begin);
        p->run(&c);
        return;
    }
    const tg_norm_channel first = channel_of(p, begin);
    char *x = scratch, *y = at(x, n * row, p->size), *g = at(y, n * row, p->size);
    gather(p, n, first.x, x);
    if (first.g) gather(p, n, first.g, g);
    for (int64_t i = 0; i < n; i++) {
        tg_norm_channel c = channel_of(p, begin + i);
        c.parts = 1, c.part = row;
        c.x = at(x, i * row, p->size), c.g = first.g ? at(g, i * row, p->size) : NULL;
        c.y = first.y ? at(y, i * row, p->size) : NULL;
        p->run(&c);
    }
    if (first.y) scatter(p, n, y, first.y);
}

static plan plan_of(const tg_channel_norm *f, const tg_array *x) {
    plan p = {.set = tg_kernels_for(x->dtype), .size = tg_dtype_size((tg_dtype)x->dtype)};
    p.images = f->images, p.channels = f->channels, p.places = f->places;
    p.all = (tg_norm_channel){.parts = f->images, .part = f->places, .step = f->channels * f->places};
    p.all.x = x->data, p.all.eps = f->eps, p.all.given = f->given;
    p.group = f->places < FEW ? GROUP : 1;
    return p;
}

static void *data_of(const tg_array *a) { return a ? a->data : NULL; }

static tg_status run(plan *p, const tg_array *mean, const tg_array *var) {
    int64_t row = p->images * p->places, work = 4 * p->group * row;
    p->all.mean = data_of(mean), p->all.var = data_of(var);
    return tg_parallel_tasks(
        (p->channels + p->group - 1) / p->group, work < TG_BLOCK ? TG_BLOCK / (work + 1) + 1 : 1,
        (tg_dtype)(p->size == 8 ? TG_F64 : TG_F32), p->group > 1 ? 3 * p->group * row : 0, run_group, p);
}

tg_status tg_map_channel_norm(const tg_channel_norm *f, const tg_array *x, const tg_array *w,
                              const tg_array *b, const tg_array *mean, const tg_array *var, const tg_array *y) {
    plan p = plan_of(f, x);
    p.run = p.set->norm_channel;
    p.all.w = data_of(w), p.all.b = data_of(b), p.all.y = y->data;
    return run(&p, mean, var);
}

tg_status tg_map_channel_norm_grad(const tg_channel_norm *f, const tg_array *g, const tg_array *x,
                                   const tg_array *w, const tg_array *mean, const tg_array *var,
                                   const tg_array *dx, const tg_array *dw, const tg_array *db) {
    plan p = plan_of(f, x);
    p.run = p.set->norm_channel_grad;
    p.all.g = g->data, p.all.w = data_of(w), p.all.y = data_of(dx);
    p.all.dw = data_of(dw), p.all.db = data_of(db);
    return run(&p, mean, var);
}

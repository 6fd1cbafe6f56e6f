/* Normalisation of rows: the kernel takes a block of them at a time. dw and db, sums over rows, have one partial sum
 * for each block, so that they do not depend on the number of threads. */
#include "core/kernels/look.h"
#include "core/parallel.h"

#include <string.h>

typedef struct plan {
    tg_norm_rows all;
    tg_norm_fn *run;
    int64_t block, row_size; /* rows of a block, bytes of a row */
    tg_looker *looker;       /* of a gradient, or NULL */
} plan;

static const void *at(const void *p, int64_t bytes) { return p ? (const char *)p + bytes : NULL; }
static void *at_mut(void *p, int64_t bytes) { return p ? (char *)p + bytes : NULL; }

static void *cleared(void *p, int64_t bytes) { return p ? memset(p, 0, (size_t)bytes) : NULL; }

static void run_blocks(void *context, int64_t begin, int64_t end) {
    const plan *p = context;
    for (int64_t i = begin; i < end; i++) {
        tg_norm_rows r = p->all;
        int64_t first = i * p->block, row = i * p->row_size;
        r.rows = p->all.rows - first < p->block ? p->all.rows - first : p->block;
        r.x = at(r.x, first * p->row_size), r.g = at(r.g, first * p->row_size);
        r.y = at_mut(r.y, first * p->row_size);
        r.dw = cleared(at_mut(r.dw, row), p->row_size), r.db = cleared(at_mut(r.db, row), p->row_size);
        bool bad = false;
        r.bad = p->looker ? &bad : NULL;
        p->run(&r);
        tg_look_told(p->looker, bad);
    }
}

/* Blocks are long enough for the partial sums to be a small part of the data, and short enough for sums to stay exact:
 * the partial ones are added pairwise. */
static plan plan_of(const tg_row_norm *f, const tg_array *x) {
    plan p = {.all = {.n = f->n, .eps = f->eps, .centred = f->centred, .x = x->data}};
    p.all.rows = f->n ? x->numel / f->n : 0;
    if (p.all.rows == 0) return p; /* n may be anything */
    p.block = f->n > 4096 ? 8 : 32;
    p.row_size = f->n * (int64_t)tg_dtype_size((tg_dtype)x->dtype);
    return p;
}

static int64_t blocks_of(const plan *p) { return (p->all.rows + p->block - 1) / p->block; }

static void run(plan *p) {
    int64_t work = 4 * p->block * p->all.n; /* four passes */
    tg_parallel_for(blocks_of(p), work < TG_BLOCK ? TG_BLOCK / work : 1, run_blocks, p);
}

void tg_map_norm(const tg_row_norm *f, const tg_array *x, const tg_array *w, const tg_array *b,
                 const tg_array *y) {
    plan p = plan_of(f, x);
    if (p.all.rows == 0) return;
    p.run = tg_kernels_for(x->dtype)->norm;
    p.all.w = w ? w->data : NULL, p.all.b = b ? b->data : NULL, p.all.y = y->data;
    run(&p);
}

/* Partial sums [blocks, n] for the wanted `sum`; a single block adds up in place. */
static tg_status make_partial(const plan *p, const tg_array *sum, tg_array *partial, void **data) {
    if (!sum) return TG_OK;
    *data = sum->data;
    if (blocks_of(p) == 1) return TG_OK;
    tg_status s = tg_array_alloc(partial, (tg_dtype)sum->dtype, TG_SHAPE(blocks_of(p), p->all.n));
    *data = partial->data;
    return s;
}

static void add_partial(const plan *p, tg_array *partial, const tg_array *sum) {
    if (partial->data) {
        tg_array flat = *sum;
        flat.rank = 2;
        flat.shape[0] = 1, flat.shape[1] = p->all.n;
        flat.stride[0] = p->all.n, flat.stride[1] = 1;
        tg_reduce(TG_SUM, partial, 1, &flat);
    }
    tg_array_drop(partial);
}

tg_status tg_map_norm_grad(const tg_row_norm *f, const tg_array *g, const tg_array *x, const tg_array *w,
                           const tg_array *dx, const tg_array *dw, const tg_array *db) {
    plan p = plan_of(f, x);
    tg_array part_w = {0}, part_b = {0};
    if (p.all.rows == 0) {
        if (dw) tg_array_fill(dw, 0);
        if (db) tg_array_fill(db, 0);
        return TG_OK;
    }
    p.run = tg_kernels_for(x->dtype)->norm_grad;
    p.all.g = g->data, p.all.w = w ? w->data : NULL, p.all.y = dx ? dx->data : NULL;
    tg_status s = make_partial(&p, dw, &part_w, &p.all.dw);
    if (s == TG_OK) s = make_partial(&p, db, &part_b, &p.all.db);
    if (s != TG_OK) {
        tg_array_drop(&part_w);
        return s;
    }
    tg_looker looker;
    p.looker = dx ? tg_look_begin(&looker, dx) : NULL;
    run(&p);
    tg_look_end(p.looker, dx);
    add_partial(&p, &part_w, dw);
    add_partial(&p, &part_b, db);
    return TG_OK;
}

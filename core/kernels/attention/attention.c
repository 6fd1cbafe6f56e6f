/* Walks heads and blocks of queries; the kernels of a block are in core/kernels/attention/forward.h and
 * core/kernels/attention/backward.h. */
#include "core/kernels/attention/attention.h"
#include "core/kernels/simd/table.h"
#include "core/parallel.h"

#include <string.h>

typedef struct plan {
    const tg_attention *a;
    const tg_attention_gradient *d; /* NULL: forward */
    const tg_kernel_set *set;
    int64_t size;                          /* bytes an element */
    int64_t l, s, e, width, heads, blocks; /* width: of v; blocks of queries in a head */
    int64_t grain;                         /* tasks that share a workspace */
    int64_t group; /* blocks that share partial sums of dk and dv, if there are more */
    tg_array scratch, partial;
} plan;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t blocks_of(int64_t n) { return (n + TG_ATTENTION_QUERIES - 1) / TG_ATTENTION_QUERIES; }

/* ---- addresses ---- */

/* The first element of a head in x, whose last `own` axes are the head; leading axes of size 1 repeat. */
static char *head_of(const plan *p, const tg_array *x, int own, int64_t head) {
    const tg_array *out = p->a->out;
    char *at = x->data;
    int64_t size = (int64_t)tg_dtype_size((tg_dtype)x->dtype);
    for (int i = out->rank - 3, j = x->rank - 1 - own; i >= 0 && j >= 0; i--, j--) {
        int64_t index = head % out->shape[i];
        head /= out->shape[i];
        if (x->shape[j] > 1) at += index * x->stride[j] * size;
    }
    return at;
}

/* The stride along the axis `back` from the end; 0 where x repeats or has no such axis. */
static int64_t step_of(const tg_array *x, int back) {
    return x->rank >= back && x->shape[x->rank - back] > 1 ? x->stride[x->rank - back] : 0;
}

static char *rows_from(char *data, int64_t first, int64_t row, int64_t size) {
    return data + first * row * size;
}

/* ---- a block of queries ---- */

static void set_gradient(const plan *p, tg_attention_block *b, int64_t head) {
    const tg_attention_gradient *d = p->d;
    int64_t first = b->first, size = p->size;
    b->g_row = step_of(d->g, 2);
    b->g = rows_from(head_of(p, d->g, 2, head), first, b->g_row, size);
    if (d->dlse) {
        b->dlse_row = step_of(d->dlse, 1);
        b->dlse = rows_from(head_of(p, d->dlse, 1, head), first, b->dlse_row, size);
    }
    if (d->dq) b->dq = rows_from(head_of(p, d->dq, 2, head), first, p->e, size);
    if (d->dk) b->dk = head_of(p, d->dk, 2, head);
    if (d->dv) b->dv = head_of(p, d->dv, 2, head);
    if (d->dmask) b->ds = rows_from(head_of(p, d->dmask, 2, head), first, p->s, size);
    b->ds_row = p->s;
}

static tg_attention_block block_at(const plan *p, int64_t head, int64_t block, char *scratch) {
    const tg_attention *a = p->a;
    int64_t first = block * TG_ATTENTION_QUERIES, size = p->size, q_row = step_of(a->q, 2);
    tg_attention_block b = {.n = least(p->l - first, TG_ATTENTION_QUERIES),
                            .first = first,
                            .e = p->e,
                            .d = p->width,
                            .causal = a->causal,
                            .scale = a->scale,
                            .q_row = q_row,
                            .k_row = step_of(a->k, 2),
                            .v_row = step_of(a->v, 2),
                            .scratch = scratch};
    b.keys = a->causal ? least(p->s, first + b.n) : p->s;
    b.q = rows_from(head_of(p, a->q, 2, head), first, q_row, size);
    b.k = head_of(p, a->k, 2, head), b.v = head_of(p, a->v, 2, head);
    b.out = rows_from(head_of(p, a->out, 2, head), first, p->width, size);
    b.lse = rows_from(head_of(p, a->lse, 1, head), first, 1, size);
    if (a->mask) {
        b.bool_mask = a->mask->dtype == TG_BOOL;
        b.mask_row = step_of(a->mask, 2), b.mask_col = step_of(a->mask, 1);
        b.mask = rows_from(head_of(p, a->mask, 2, head), first, b.mask_row, b.bool_mask ? 1 : size);
    }
    if (p->d) set_gradient(p, &b, head);
    return b;
}

static char *scratch_of(const plan *p, int64_t begin) {
    return (char *)p->scratch.data + begin / p->grain * p->scratch.shape[1] * p->size;
}

/* With causal the last blocks cost most: first and last take turns, so that parts of a head cost the same. */
static void some_blocks(void *context, int64_t begin, int64_t end) {
    const plan *p = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t turn = i % p->blocks, block = turn % 2 ? p->blocks - 1 - turn / 2 : turn / 2;
        tg_attention_block b = block_at(p, i / p->blocks, block, scratch_of(p, begin));
        p->set->attention(&b);
    }
}

/* Where a head's sums over queries are made: in the gradients themselves, or in partial sums [s, e] and [s, width], which
 * are added to them with the last block of a group. */
static char *partial_of(const plan *p, int64_t begin) {
    return (char *)p->partial.data + begin / p->grain * p->partial.shape[1] * p->size;
}

static void add_partial(const plan *p, const tg_array *x, int64_t head, char *partial, int64_t cols) {
    const double one[2] = {1};
    char *to = head_of(p, x, 2, head);
    p->set->axpy(p->s * cols, &(tg_operands){.out = to, .a = partial, .b = to},
                 &(tg_strides){.out = 1, .a = 1, .b = 1}, one);
    memset(partial, 0, (size_t)(p->s * cols * p->size));
}

static void end_group(const plan *p, int64_t head, char *partial) {
    if (p->d->dk) add_partial(p, p->d->dk, head, partial, p->e);
    if (p->d->dv) add_partial(p, p->d->dv, head, partial + p->s * p->e * p->size, p->width);
}

static void clear(const plan *p, const tg_array *x, int64_t head, int64_t rows, int64_t cols) {
    if (x) memset(head_of(p, x, 2, head), 0, (size_t)(rows * cols * p->size));
}

static void some_heads(void *context, int64_t begin, int64_t end) {
    const plan *p = context;
    bool grouped = p->partial.data;
    char *partial = grouped ? partial_of(p, begin) : NULL;
    if (grouped) memset(partial, 0, (size_t)(p->partial.shape[1] * p->size));
    for (int64_t head = begin; head < end; head++) {
        clear(p, p->d->dk, head, p->s, p->e);
        clear(p, p->d->dv, head, p->s, p->width);
        if (p->a->causal) clear(p, p->d->dmask, head, p->l, p->s);
        for (int64_t i = 0; i < p->blocks; i++) {
            tg_attention_block b = block_at(p, head, i, scratch_of(p, begin));
            if (grouped && b.dk) b.dk = partial;
            if (grouped && b.dv) b.dv = partial + p->s * p->e * p->size;
            p->set->attention_grad(&b);
            if (grouped && ((i + 1) % p->group == 0 || i + 1 == p->blocks)) end_group(p, head, partial);
        }
    }
}

/* ---- all of them ---- */

/* How many workspaces there are: one a thread, where each has work for some 50 us. */
static int64_t workspaces(const plan *p, int64_t tasks) {
    double products = (double)p->heads * (double)p->l * (double)p->s * (double)(p->e + p->width);
    int64_t worth = products < 0x1p52 ? (int64_t)(products / (1 << 21)) + 1 : INT64_MAX;
    return least(least(tg_num_threads(), worth), tasks);
}

static tg_status run(const tg_attention *a, const tg_attention_gradient *d) {
    int r = a->out->rank;
    plan p = {.a = a, .d = d, .set = tg_kernels_for(a->out->dtype), .heads = 1};
    p.size = (int64_t)tg_dtype_size((tg_dtype)a->out->dtype);
    p.l = a->out->shape[r - 2], p.width = a->out->shape[r - 1];
    p.s = a->k->shape[a->k->rank - 2], p.e = a->q->shape[a->q->rank - 1];
    for (int i = 0; i < r - 2; i++) p.heads *= a->out->shape[i];
    p.blocks = blocks_of(p.l), p.group = tg_attention_group(p.blocks);
    int64_t tasks = d ? p.heads : p.heads * p.blocks;
    if (tasks == 0) return TG_OK;
    int64_t n = workspaces(&p, tasks);
    p.grain = (tasks + n - 1) / n;
    tg_dtype dtype = (tg_dtype)a->out->dtype;
    tg_status s = tg_array_alloc(&p.scratch, dtype, TG_SHAPE(n, TG_ATTENTION_SCRATCH(p.e, p.width)));
    if (s == TG_OK && d && (d->dk || d->dv) && p.group < p.blocks)
        s = tg_array_alloc(&p.partial, dtype, TG_SHAPE(n, p.s * (p.e + p.width)));
    if (s == TG_OK) tg_parallel_for(tasks, p.grain, d ? some_heads : some_blocks, &p);
    tg_array_drop(&p.scratch), tg_array_drop(&p.partial);
    return s;
}

tg_status tg_attention_forward(const tg_attention *a) { return run(a, NULL); }
tg_status tg_attention_backward(const tg_attention *a, const tg_attention_gradient *d) { return run(a, d); }

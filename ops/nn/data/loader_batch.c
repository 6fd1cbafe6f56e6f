/* What is in a batch: which examples, and what the transform makes of them. The caller's thread and the loader's both call
 * this, so that results are the same.
 */
#include "ops/index/gather.h"
#include "ops/nn/data/loader_private.h"

/* ---- transforms that are running on this thread ---- */

typedef struct running {
    const tg_loading *of;
    const struct running *outer;
} running;
static _Thread_local const running *innermost;

bool tg_loader_is_transforming(const tg_loading *l) {
    for (const running *r = innermost; r; r = r->outer)
        if (r->of == l) return true;
    return false;
}

/* ---- which examples ---- */

/* Part i of n in [first, first + size), which is divided evenly. */
static int64_t share(int64_t size, int64_t i, int64_t n, int64_t *first) {
    const int64_t each = size / n, more = size % n;
    *first += i * each + (i < more ? i : more);
    return each + (i < more);
}

/* The examples of a piece are order[*start] and those that follow it. */
static int64_t span(const tg_loading *l, const tg_loader_piece *p, int64_t *start) {
    const tg_loader_new_opts *o = &l->opts;
    *start = p->batch * (o->shards ? o->batch : o->batch * o->ranks);
    const int64_t of_shard = share(p->of, p->shard, o->shards ? o->shards : o->ranks, start);
    return share(of_shard, p->part, o->parts, start);
}

tg_loader_piece tg_loader_piece_at(const tg_loading *l, int64_t next) {
    const tg_loader_new_opts *o = &l->opts;
    const int64_t number = next % l->pieces;
    const int64_t step = o->shards ? o->batch : o->batch * o->ranks, batch = next / l->pieces;
    const int64_t rest = l->examples - batch * step;
    tg_loader_piece p = {.batch = batch, .first = number == 0, .last = number == l->pieces - 1};
    p.of = rest < step ? rest : step;
    p.shard = o->shards ? l->shard + number / o->parts : o->rank;
    p.part = o->shards ? number % o->parts : 0;
    int64_t start;
    p.examples = span(l, &p, &start);
    return p;
}

/* The numbers of the examples of a batch. */
static const int64_t *places(tg_loading *l, tg_position at, int64_t *count) {
    int64_t start;
    const tg_loader_piece piece = tg_loader_piece_at(l, at.next);
    *count = span(l, &piece, &start);
    if (!l->opts.shuffle) {
        for (int64_t i = 0; i < *count; i++) l->order[i] = start + i;
        return l->order;
    }
    if (l->order_epoch != at.epoch) {
        tg_rng rng = tg_rng_derive(l->opts.seed, (uint64_t)at.epoch, UINT64_MAX);
        for (int64_t i = 0; i < l->examples; i++) l->order[i] = i;
        tg_rng_shuffle(&rng, l->order, l->examples);
        l->order_epoch = at.epoch;
    }
    return l->order + start;
}

/* ---- a batch ---- */

static tg_status transform(const tg_loading *l, tg_position at, tg_tensor **batch) {
    const tg_loader_new_opts *o = &l->opts;
    if (!o->transform) return tg_error_status();
    const running now = {l, innermost};
    tg_rng *stream = tg_default_rng(), before = *stream;
    const tg_loader_piece p = tg_loader_piece_at(l, at.next);
    const int64_t number = (p.batch * (o->shards ? o->shards : o->ranks) + p.shard) * o->parts + p.part;
    *stream = tg_rng_derive(o->seed, (uint64_t)at.epoch, (uint64_t)number + 1);
    innermost = &now;
    tg_callback c = tg_callback_begin();
    const tg_status status = tg_callback_end(c, o->transform(batch, l->n, stream, o->user), "tg_loader_next");
    innermost = now.outer;
    *stream = before;
    for (int i = 0; i < l->n && status == TG_OK; i++)
        if (!tg_is_alive(batch[i]))
            return tg_fail(TG_ERR_LIFETIME, "tg_loader_next: the transform has left no tensor in place %d", i);
    return status;
}

void tg_loader_drop(const tg_loading *l, tg_prepared *p) {
    for (int i = 0; i < l->n; i++) {
        tg_free(p->tensor[i]);
        p->tensor[i] = NULL;
    }
}

tg_status tg_loader_prepare(tg_loading *l, tg_position at, tg_prepared *p) {
    TG_NAMED("tg_loader_next");
    tg_tensor *batch[TG_LOADER_TENSORS];
    const bool was = tg_set_grad_enabled(false);
    const tg_mark mark = tg_tape_mark();
    int64_t count;
    const int64_t *place = places(l, at, &count);
    tg_tensor *index = tg_from_with(TG_I64, place, TG_SHAPE(count));
    for (int i = 0; i < l->n; i++) batch[i] = tg_index_select(l->source[i], 0, index);
    if (tg_error_status() == TG_OK) transform(l, at, batch);
    for (int i = 0; i < l->n && tg_error_status() == TG_OK; i++) p->tensor[i] = tg_keep(batch[i]);
    if (tg_error_status() != TG_OK) tg_loader_drop(l, p);
    tg_tape_rewind(mark);
    tg_set_grad_enabled(was);
    return tg_error_status();
}

tg_status tg_loader_give(const tg_loading *l, const tg_prepared *p, tg_tensor **batch) {
    TG_NAMED("tg_loader_next");
    const tg_mark mark = tg_tape_mark();
    for (int i = 0; i < l->n; i++) {
        const tg_array *a = tg_array_of(p->tensor[i]);
        batch[i] = a ? tg_from_array(a) : tg_poison();
    }
    if (tg_error_status() != TG_OK) tg_tape_rewind(mark);
    return tg_error_status();
}

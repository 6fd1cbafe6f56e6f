/* Making and using loaders. */
#include "ops/nn/data/loader_private.h"
#include "core/work.h"
#include "ops/nn/model/object.h"

#include <inttypes.h>

static const char kind[] = "loader";

/* The loader behind a handle, unless its own transform asks. */
static tg_loading *loader_of(const tg_loader *handle, const char *who) {
    tg_loading *l = tg_object_of(handle, kind, who);
    if (!l || !tg_loader_is_transforming(l)) return l;
    tg_fail(TG_ERR_ARGUMENT, "%s: the loader's own transform is running", who);
    return NULL;
}

static tg_status next_of_caller(tg_loading *l, tg_tensor **batch) {
    tg_prepared p = {.status = TG_OK};
    if (tg_loader_prepare(l, l->at, &p) == TG_OK) tg_loader_give(l, &p, batch);
    tg_loader_drop(l, &p);
    return tg_error_status();
}

static tg_status check_shards(const tg_loader_new_opts *o) {
    if (o->shards < 0 || o->shards > INT32_MAX || o->parts < 1 || (o->parts > 1 && !o->shards))
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_loader_new: %" PRId64 " shards in %" PRId64
                       " parts make no sense: parts are of shards",
                       o->shards, o->parts);
    if (o->shards && o->ranks > o->shards)
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_loader_new: %" PRId64 " ranks cannot share %" PRId64
                       " shards: there are at most as many",
                       o->ranks, o->shards);
    int64_t least;
    if (o->shards && (__builtin_mul_overflow(o->shards, o->parts, &least) || o->batch < least))
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_loader_new: a batch of %" PRId64 " examples cannot be divided into %" PRId64
                       " shards of %" PRId64 " parts: make it larger",
                       o->batch, o->shards, o->parts);
    return TG_OK;
}

static tg_status check_options(tg_loader_new_opts *o) {
    if (o->batch == 0) o->batch = 1;
    if (o->ranks == 0) o->ranks = 1;
    if (o->parts == 0) o->parts = 1;
    int64_t step;
    if (o->batch < 1 || o->ranks < 1 || __builtin_mul_overflow(o->batch, o->ranks, &step))
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_loader_new: batches of %" PRId64 " examples for %" PRId64 " ranks make no sense",
                       o->batch, o->ranks);
    if (o->rank < 0 || o->rank >= o->ranks)
        return tg_fail(TG_ERR_ARGUMENT, "tg_loader_new: the rank is %" PRId64 ", outside [0, %" PRId64 ")",
                       o->rank, o->ranks);
    if (o->prefetch < 0 || o->prefetch > TG_LOADER_AHEAD)
        return tg_fail(TG_ERR_ARGUMENT, "tg_loader_new: prefetch is %" PRId64 ", outside [0, %d]",
                       o->prefetch, TG_LOADER_AHEAD);
    return check_shards(o);
}

static tg_status check_tensors(int n, tg_tensor *const *tensors) {
    if (n < 1 || n > TG_LOADER_TENSORS || !tensors)
        return tg_fail(TG_ERR_ARGUMENT, "tg_loader_new: needs 1 to %d tensors, not %d", TG_LOADER_TENSORS,
                       tensors ? n : 0);
    for (int i = 0; i < n; i++) {
        const tg_array *a = tg_array_of(tensors[i]), *first = tg_array_of(tensors[0]);
        char text[2][96];
        if (!a || !first) return tg_error_status();
        if (a->rank == 0)
            return tg_fail(TG_ERR_SHAPE, "tg_loader_new: tensor %d is a scalar, which has no examples: %s", i,
                           tg_describe(tensors[i], text[0], sizeof text[0]));
        if (a->shape[0] != first->shape[0])
            return tg_fail(TG_ERR_SHAPE,
                           "tg_loader_new: tensors 0 and %d have different numbers of examples: %s, %s", i,
                           tg_describe(tensors[0], text[0], sizeof text[0]),
                           tg_describe(tensors[i], text[1], sizeof text[1]));
    }
    return TG_OK;
}

/* The number of batches; the rest is one where each rank, or each piece, has something of it. */
static tg_status count_batches(tg_loading *l) {
    const tg_loader_new_opts *o = &l->opts;
    const int64_t step = o->shards ? o->batch : o->batch * o->ranks, rest = l->examples % step;
    const int64_t least = o->shards ? o->shards * o->parts : o->ranks;
    l->batches = l->examples / step + (!o->drop_last && rest >= least);
    l->shard = o->rank * o->shards / o->ranks;
    l->pieces = o->shards ? ((o->rank + 1) * o->shards / o->ranks - l->shard) * o->parts : 1;
    if (l->batches > 0) return TG_OK;
    return tg_fail(TG_ERR_SHAPE,
                   "tg_loader_new: %" PRId64 " examples make no batch of %" PRId64 " for %" PRId64 " ranks%s",
                   l->examples, o->batch, o->ranks, o->drop_last ? ", with drop_last" : "");
}

static size_t order_bytes(const tg_loading *l) {
    const int64_t n = l->opts.shuffle || l->examples < l->opts.batch ? l->examples : l->opts.batch;
    return (size_t)n * sizeof *l->order;
}

static tg_status fill(tg_loading *l, int n, tg_tensor *const *tensors) {
    l->order_epoch = -1;
    l->examples = tg_size(tensors[0], 0);
    if (count_batches(l) != TG_OK) return tg_error_status();
    l->order = tg_alloc(order_bytes(l));
    if (!l->order)
        return tg_fail(TG_ERR_MEMORY, "tg_loader_new: no memory for the order of %" PRId64 " examples",
                       l->examples);
    for (; l->n < n; l->n++) {
        l->source[l->n] = tg_keep(tensors[l->n]);
        if (tg_error_status() != TG_OK) break;
    }
    return tg_error_status();
}

static void destroy(tg_loader *handle, tg_loading *l) {
    tg_worker_end(l);
    for (int i = 0; i < l->n; i++) tg_free(l->source[i]);
    if (l->order) tg_dealloc(l->order, order_bytes(l));
    tg_object_free(handle);
}

tg_loader *tg_loader_new_with(int n, tg_tensor *const *tensors, tg_loader_new_opts opts) {
    TG_NAMED("tg_loader_new");
    if (tg_error_status() != TG_OK || check_options(&opts) != TG_OK || check_tensors(n, tensors) != TG_OK)
        return NULL;
    tg_loader *handle = tg_object_new(sizeof(tg_loading), kind, "tg_loader_new");
    if (!handle) return NULL;
    tg_loading *l = tg_object_of(handle, kind, "tg_loader_new");
    l->opts = opts;
    if (fill(l, n, tensors) == TG_OK) return handle;
    destroy(handle, l);
    return NULL;
}

void tg_loader_free(tg_loader *handle) {
    if (!handle) return;
    tg_loading *l = loader_of(handle, "tg_loader_free");
    if (!l) return;
    tg_worker_forget(l);
    destroy(handle, l);
}

bool tg_loader_next(tg_loader *handle, tg_tensor **batch) {
    if (!batch) return tg_fail(TG_ERR_ARGUMENT, "tg_loader_next: there is no place for the batch"), false;
    tg_loading *l = loader_of(handle, "tg_loader_next");
    for (int i = 0; l && i < l->n; i++) batch[i] = tg_poison();
    if (!l || tg_error_status() != TG_OK || !tg_may_do("tg_loader_next")) return false;
    tg_worker_forget(l);
    l->given = false;
    if (l->at.next == l->batches * l->pieces) {
        l->at = (tg_position){l->at.epoch + 1, 0};
        return false;
    }
    if (l->opts.prefetch > 0 && !l->worker) tg_worker_start(l);
    if ((l->worker ? tg_worker_next(l, batch) : next_of_caller(l, batch)) == TG_OK)
        return l->at.next++, l->given = true;
    for (int i = 0; i < l->n; i++) batch[i] = tg_poison();
    return false;
}

tg_status tg_loader_last(const tg_loader *handle, tg_loader_piece *piece) {
    const tg_loading *l = loader_of(handle, "tg_loader_last");
    if (!l) return tg_error_status();
    if (!piece || !l->given)
        return tg_fail(TG_ERR_ARGUMENT, "tg_loader_last: %s",
                       piece ? "the loader has given nothing" : "the piece is NULL");
    *piece = tg_loader_piece_at(l, l->at.next - 1);
    return tg_error_status();
}

const tg_loader_new_opts *tg_loader_options(const tg_loader *handle) {
    const tg_loading *l = loader_of(handle, "tg_loader_options");
    return l ? &l->opts : NULL;
}

int64_t tg_loader_batches(const tg_loader *handle) {
    const tg_loading *l = loader_of(handle, "tg_loader_batches");
    return l ? l->batches : 0;
}

tg_status tg_loader_get_state(const tg_loader *handle, tg_loader_state *state) {
    const tg_loading *l = loader_of(handle, "tg_loader_get_state");
    if (!l) return tg_error_status();
    if (!state) return tg_fail(TG_ERR_ARGUMENT, "tg_loader_get_state: the state is NULL");
    *state = (tg_loader_state){l->opts.seed, l->at.epoch, l->at.next / l->pieces, l->batches, l->examples};
    return tg_error_status();
}

tg_status tg_loader_set_state(tg_loader *handle, const tg_loader_state *s) {
    tg_loading *l = loader_of(handle, "tg_loader_set_state");
    if (!l || tg_error_status() != TG_OK || !tg_may_do("tg_loader_set_state")) return tg_error_status();
    if (!s) return tg_fail(TG_ERR_ARGUMENT, "tg_loader_set_state: the state is NULL");
    if (s->batches != l->batches || s->examples != l->examples)
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_loader_set_state: the state is of %" PRId64 " examples in %" PRId64
                       " batches, and this loader has %" PRId64 " in %" PRId64,
                       s->examples, s->batches, l->examples, l->batches);
    if (s->epoch < 0 || s->epoch == INT64_MAX || s->next < 0 || s->next > l->batches)
        return tg_fail(TG_ERR_ARGUMENT, "tg_loader_set_state: there is no batch %" PRId64 " of epoch %" PRId64,
                       s->next, s->epoch);
    tg_worker_forget(l);
    tg_worker_end(l);
    l->opts.seed = s->seed;
    l->order_epoch = -1;
    l->at = (tg_position){s->epoch, s->next * l->pieces};
    l->given = false;
    return TG_OK;
}

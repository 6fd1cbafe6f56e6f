/* Messages besides those of a step: blocks that all get of all, rank 0's data to all, sums, evaluation. */
#include "ops/nn/dist/dist_private.h"

#include "ops/nn/data/loader_private.h"
#include "ops/nn/train/evaluate_private.h"

#include <string.h>

enum { SHARE = 1, SPREAD = 2 }; /* tags, and minus these for buckets */

static bool all_done(tg_dist_object *d, void *at) {
    (void)at;
    for (int i = 0; i < 2 * d->size; i++)
        if (d->other[i].bytes && !d->other[i].done) return false;
    return true;
}

static bool all_due(tg_dist_object *d, void *at) {
    tg_dist_header h;
    if (!all_done(d, at)) return false;
    for (int i = 0; i < d->size; i++) {
        if (!d->other[i].bytes) continue;
        memcpy(&h, d->other[i].data, sizeof h);
        if (h.due > tg_dist_now()) return false;
    }
    return true;
}

static char *message_room(tg_dist_object *d, size_t bytes) {
    char *room = tg_alloc(bytes);
    if (room) return memset(room, 0, bytes);
    tg_dist_note(d, TG_ERR_MEMORY, "rank %d has no memory for messages of %zu bytes", d->rank, bytes);
    return NULL;
}

static bool ask(tg_dist_object *d, int from, int tag, char *to, size_t bytes) {
    d->other[from] = (tg_transfer){.data = to, .bytes = bytes, .peer = from, .tag = tag};
    return d->t->receive(d->t, &d->other[from]) || tg_dist_lost(d, from);
}

static bool give(tg_dist_object *d, int to, int tag, char *message, size_t bytes) {
    tg_transfer *x = &d->other[d->size + to];
    *x = (tg_transfer){.data = message, .bytes = bytes, .peer = to, .tag = tag};
    return tg_dist_send(d, x, (tg_dist_header){.step = d->calls, .bucket = -tag, .hash = bytes});
}

static bool look(tg_dist_object *d, int from, int tag, size_t bytes) {
    const tg_dist_header want = {.step = d->calls, .bucket = -tag, .from = from, .hash = bytes};
    return tg_dist_look(d, &d->other[from], want) == TG_ARRIVED;
}

static void forget(tg_dist_object *d) { memset(d->other, 0, 2 * (size_t)d->size * sizeof *d->other); }

bool tg_dist_share(tg_dist_object *d, void *all, size_t each) {
    if (d->size == 1) return true;
    const size_t bytes = sizeof(tg_dist_header) + each, ranks = (size_t)d->size;
    char *room = message_room(d, 2 * ranks * bytes), *out = room + ranks * bytes;
    bool well = room != NULL;
    forget(d);
    d->calls++;
    for (int r = 0; well && r < d->size; r++)
        if (r != d->rank) well = ask(d, r, SHARE, room + (size_t)r * bytes, bytes);
    for (int r = 0; well && r < d->size; r++) {
        char *message = out + (size_t)r * bytes;
        if (r == d->rank) continue;
        memcpy(message + sizeof(tg_dist_header), (char *)all + (size_t)d->rank * each, each);
        well = give(d, r, SHARE, message, bytes);
    }
    well = well && tg_dist_wait(d, all_due, NULL);
    for (int r = 0; well && r < d->size; r++) {
        if (r == d->rank || !(well = look(d, r, SHARE, bytes))) continue;
        memcpy((char *)all + (size_t)r * each, room + (size_t)r * bytes + sizeof(tg_dist_header), each);
    }
    forget(d);
    tg_dist_release(d, room, 2 * ranks * bytes);
    return well;
}

/* Along a tree: rank r hears from r without its lowest bit, and tells r + 1, r + 2, r + 4, .. below that bit. */
static bool spread(tg_dist_object *d, char *message, size_t bytes) {
    int low = 1;
    while (low < d->size && !(d->rank & low)) low *= 2;
    if (d->rank > 0) {
        const int from = d->rank - low;
        if (!ask(d, from, SPREAD, message, bytes) || !tg_dist_wait(d, all_due, NULL) ||
            !look(d, from, SPREAD, bytes))
            return false;
        d->other[from].bytes = 0;
    }
    for (int k = low / 2; k > 0; k /= 2) {
        if (d->rank + k >= d->size) continue;
        if (!give(d, d->rank + k, SPREAD, message, bytes) || !tg_dist_wait(d, all_done, NULL)) return false;
    }
    return true;
}

bool tg_dist_spread(tg_dist_object *d, void *data, size_t bytes) {
    const size_t head = sizeof(tg_dist_header);
    if (d->size == 1) return true;
    char *message = message_room(d, head + bytes);
    bool well = message != NULL;
    forget(d);
    d->calls++;
    if (well && d->rank == 0) memcpy(message + head, data, bytes);
    well = well && spread(d, message, head + bytes);
    if (well && d->rank > 0) memcpy(data, message + head, bytes);
    forget(d);
    tg_dist_release(d, message, head + bytes);
    return well;
}

/* ---- for the program ---- */

/* Sums of ranks as a tree, in place: block 0 has it then. */
static void add_ranks(int ranks, int n, double *all) {
    for (int step = 1; step < ranks; step *= 2)
        for (int r = 0; r + step < ranks; r += 2 * step)
            for (int i = 0; i < n; i++) all[r * n + i] += all[(r + step) * n + i];
}

tg_status tg_dist_sum(tg_dist *handle, int n, double *value) {
    tg_dist_object *d = tg_dist_object_of(handle, "tg_dist_sum");
    if (!d || !tg_dist_may(d, "tg_dist_sum")) return tg_error_status();
    if (n < 1 || !value) return tg_fail(TG_ERR_ARGUMENT, "tg_dist_sum: there are no numbers");
    const size_t each = (size_t)n * sizeof *value, bytes = each * (size_t)d->size;
    d->about = "a sum after step";
    double *all = (double *)(void *)message_room(d, bytes);
    if (all) {
        memcpy(all + d->rank * n, value, each);
        if (tg_dist_share(d, all, each)) add_ranks(d->size, n, all), memcpy(value, all, each);
        tg_dealloc(all, bytes);
    }
    return tg_dist_raise(d);
}

tg_status tg_dist_agree(tg_dist *handle) {
    tg_dist_object *d = tg_dist_object_of(handle, "tg_dist_agree");
    double none = 0;
    return d && tg_dist_may(d, "tg_dist_agree") ? tg_dist_sum(handle, 1, &none) : tg_error_status();
}

tg_status tg_dist_broadcast(tg_dist *handle) {
    tg_dist_object *d = tg_dist_object_of(handle, "tg_dist_broadcast");
    if (!d || !tg_dist_may(d, "tg_dist_broadcast")) return tg_error_status();
    d->loader = NULL;
    if (tg_dist_compare(d)) tg_dist_spread_model(d);
    return tg_dist_raise(d);
}

/* ---- evaluation ---- */

bool tg_dist_check_loader(const tg_dist_object *d, const tg_loader *loader) {
    const tg_loader_new_opts *o = loader ? tg_loader_options(loader) : NULL;
    if (!loader) return true;
    if (o && o->shards == d->shards && o->rank == d->rank && o->ranks == d->size) return true;
    if (o)
        tg_fail(TG_ERR_ARGUMENT,
                "%s: the loader has .shards %lld, .rank %lld and .ranks %lld, and must have %d, %d and %d",
                d->who, (long long)o->shards, (long long)o->rank, (long long)o->ranks, d->shards, d->rank,
                d->size);
    return false;
}

/* a becomes what it would be had the parts of b been added to it too (Chan, Golub and LeVeque 1979). */
static void merge(tg_meter *a, const tg_meter *b) {
    const double count = a->count + b->count, off = b->mean - a->mean;
    if (b->parts == 0) return;
    if (a->parts == 0) {
        *a = *b;
        return;
    }
    a->mean += off * (b->count / count);
    a->spread += b->spread + off * off * (a->count * (b->count / count));
    a->count = count;
    a->parts += b->parts;
}

/* Of shards [from, to), which stand under one node. */
static tg_meter sum_of(const tg_meter *m, int from, int to) {
    if (to - from == 1) return m[from];
    const int middle = from + (to - from + 1) / 2;
    tg_meter left = sum_of(m, from, middle), right = sum_of(m, middle, to);
    merge(&left, &right);
    return left;
}

/* The shards of rank r are block r, of as many as the rank with most has. */
static tg_status evaluate(tg_dist_object *d, tg_loader *loader, tg_batch_fn f, void *user, tg_meter *meter) {
    const int most = (d->shards + d->size - 1) / d->size;
    const size_t each = (size_t)most * sizeof *meter, bytes = each * (size_t)d->size;
    tg_meter *all = (tg_meter *)(void *)message_room(d, bytes);
    if (!all) return tg_dist_raise(d);
    tg_meter *own = all + d->rank * most;
    d->inside = true;
    const tg_status evaluated = tg_evaluate_pieces(d->model, loader, f, user, own, d->from);
    d->inside = false;
    if (evaluated == TG_OK && tg_dist_share(d, all, each)) {
        tg_meter *by_shard = all; /* moved together: block r begins at or behind the place of its first shard */
        for (int r = 0; r < d->size; r++) {
            const int from = tg_shard_of(d->shards, d->size, r), to = tg_shard_of(d->shards, d->size, r + 1);
            memmove(by_shard + from, all + r * most, (size_t)(to - from) * sizeof *all);
        }
        const tg_meter sum = sum_of(by_shard, 0, d->shards);
        merge(meter, &sum);
    }
    tg_dealloc(all, bytes);
    return tg_dist_raise(d);
}

tg_status tg_dist_evaluate(tg_dist *handle, tg_loader *loader, tg_batch_fn f, void *user, tg_meter *meter) {
    TG_NAMED("tg_dist_evaluate");
    tg_dist_object *d = tg_dist_object_of(handle, "tg_dist_evaluate");
    if (!d || !tg_dist_may(d, "tg_dist_evaluate")) return tg_error_status();
    d->about = "an evaluation after step";
    if (!f || !meter || !loader)
        tg_fail(TG_ERR_ARGUMENT, "tg_dist_evaluate: the %s is NULL",
                !f      ? "function"
                : meter ? "loader"
                        : "meter");
    else
        tg_dist_check_loader(d, loader);
    if (tg_error_status() != TG_OK) return tg_dist_raise(d);
    return evaluate(d, loader, f, user, meter);
}

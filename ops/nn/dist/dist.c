/* Begin and end, errors, and waiting. */
#include "ops/nn/dist/dist_private.h"

#include "ops/nn/model/object.h"

#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

static const char kind[] = "tg_dist";
static const uint64_t magic = UINT64_C(0x7467646973743031); /* "tgdist01" */

tg_dist_object *tg_dist_object_of(const tg_dist *d, const char *who) { return tg_object_of(d, kind, who); }

double tg_dist_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- errors ---- */

bool tg_dist_note(tg_dist_object *d, tg_status status, const char *format, ...) {
    if (d->broken) return false;
    va_list list;
    va_start(list, format);
    vsnprintf(d->error, sizeof d->error, format, list);
    va_end(list);
    d->broken = true;
    d->status = status;
    d->t->alarm(d->t, d->error);
    return false;
}

/* "step 17, the gradient of fc2.weight"; whom this rank waits for, or -1. */
static int describe(const tg_dist_object *d, char *text, size_t n) {
    const char *name = NULL;
    int peer = -1;
    if (d->stepping && d->buckets) {
        peer = tg_exchange_missing(d, &name);
        snprintf(text, n, "step %lld, %s%.200s", (long long)d->step,
                 name ? "the gradient of " : "the loss and buffers", name ? name : "");
        return peer;
    }
    for (int i = 0; d->about && i < 2 * d->size && peer < 0; i++)
        if (d->other[i].bytes && !d->other[i].done) peer = d->other[i].peer;
    snprintf(text, n, "%s %lld", d->about ? d->about : "step", (long long)d->step);
    return peer;
}

tg_status tg_dist_raise(tg_dist_object *d) {
    if (!d->broken && tg_error_status() != TG_OK)
        tg_dist_note(d, TG_ERR_PEER, "rank %d has failed: step %lld: %.700s", d->rank, (long long)d->step,
                     tg_error_message());
    if (d->broken && tg_error_status() == TG_OK) tg_fail(d->status, "%s: %s", d->who, d->error);
    return tg_error_status();
}

static bool is_outside(const tg_dist_object *d, const char *who) {
    if (!d->inside) return true;
    tg_fail(TG_ERR_ARGUMENT, "%s: it cannot be called inside of a function that %s calls", who, d->who);
    return false;
}

bool tg_dist_may(tg_dist_object *d, const char *who) {
    if (!is_outside(d, who)) return false;
    d->who = who;
    return !d->broken && tg_error_status() == TG_OK ? true : (tg_dist_raise(d), false);
}

void tg_dist_release(const tg_dist_object *d, void *p, size_t bytes) {
    if (!d->broken || !d->t->holds) tg_dealloc(p, bytes);
}

/* ---- messages ---- */

/* Fletcher's checksum of 64-bit words in eight lanes, so that it costs little beside a copy: sums of the words, and sums of
 * these sums, which see the order. The lanes are mixed at the end. */
enum { LANES = 8 };

static void take_words(uint64_t *sum, uint64_t *sums, const char *p) {
    uint64_t word[LANES];
    memcpy(word, p, sizeof word);
    for (int i = 0; i < LANES; i++) sum[i] += word[i], sums[i] += sum[i];
}

uint64_t tg_dist_mix(uint64_t h, const void *data, size_t bytes) {
    static const uint64_t prime = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t sum[LANES], sums[LANES] = {0};
    char rest[sizeof sum] = {0};
    const char *p = data;
    for (int i = 0; i < LANES; i++) sum[i] = h + bytes;
    for (; bytes >= sizeof rest; bytes -= sizeof rest, p += sizeof rest) take_words(sum, sums, p);
    memcpy(rest, p, bytes);
    take_words(sum, sums, rest);
    for (int i = 0; i < LANES; i++) {
        h = (h ^ sum[i]) * prime, h ^= h >> 32;
        h = (h ^ sums[i]) * prime, h ^= h >> 32;
    }
    return h;
}

/* Of a message, but for the place where the sum stands. */
static uint64_t checksum_of(tg_dist_header h, const tg_transfer *x) {
    h.checksum = 0;
    return tg_dist_mix(tg_dist_mix(0, &h, sizeof h), (const char *)x->data + sizeof h, x->bytes - sizeof h);
}

bool tg_dist_send(tg_dist_object *d, tg_transfer *x, tg_dist_header h) {
    h.magic = magic;
    h.from = d->rank;
    if (d->o.delay > 0 || d->o.rate > 0) {
        const double now = tg_dist_now();
        if (d->free_at < now) d->free_at = now;
        if (d->o.rate > 0) d->free_at += (double)x->bytes / d->o.rate;
        h.due = d->free_at + d->o.delay;
    }
    h.checksum = checksum_of(h, x);
    memcpy(x->data, &h, sizeof h);
    return d->t->send(d->t, x) || tg_dist_lost(d, x->peer);
}

/* What is wrong with a message; NULL: nothing. */
static const char *flaw_of(const tg_dist_header *h, const tg_dist_header *want, const tg_transfer *x) {
    if (h->magic != magic) return "is no message of this library";
    if (h->checksum != checksum_of(*h, x)) return "was damaged on its way";
    if (h->step != want->step) return "is of another step";
    if (h->bucket != want->bucket || h->from != want->from || h->piece != want->piece)
        return "is of another bucket";
    if (h->hash != want->hash) return "has other random numbers or another position of the loader behind it";
    return h->state != want->state
               ? "has other values of the parameters behind it, or another training mode (a rank has another optimiser or "
                 "learning rate, or has left out or changed something)"
               : NULL;
}

tg_arrival tg_dist_look(tg_dist_object *d, const tg_transfer *x, tg_dist_header want) {
    tg_dist_header h;
    char place[256];
    memcpy(&h, x->data, sizeof h);
    d->heard = tg_dist_now();
    if ((d->o.delay > 0 || d->o.rate > 0) && h.due > d->heard) return TG_NOT_DUE;
    const char *flaw = flaw_of(&h, &want, x);
    if (!flaw) return TG_ARRIVED;
    describe(d, place, sizeof place);
    tg_dist_note(d, TG_ERR_PEER, "a message of rank %d %s: %s (its step %lld, bucket %d)", x->peer, flaw,
                 place, (long long)h.step, h.bucket);
    return TG_UNFIT;
}

/* Notes an alarm, if one has come. */
static bool hear(tg_dist_object *d) {
    char text[TG_TRANSPORT_TEXT], place[256];
    int from;
    if (!d->t->alarmed(d->t, &from, text)) return false;
    describe(d, place, sizeof place);
    tg_dist_note(d, TG_ERR_PEER, "%s", text); /* as it came, so that all say the same */
    const size_t at = strlen(d->error);
    if (strstr(text, place)) return true;
    snprintf(d->error + at, sizeof d->error - at, " (here: %s)", place);
    return true;
}

bool tg_dist_lost(tg_dist_object *d, int peer) {
    char place[256], fault[sizeof d->t->fault];
    memcpy(fault, d->t->fault, sizeof fault);
    if (!d->broken) (void)d->t->progress(d->t);
    if (d->broken || hear(d)) return false;
    const int missing = describe(d, place, sizeof place);
    return tg_dist_note(d, TG_ERR_PEER, "rank %d has ended: %s (%s)", peer >= 0 ? peer : missing, place, fault);
}

bool tg_dist_progress(tg_dist_object *d) {
    if (d->broken) return false;
    const bool well = d->t->progress(d->t);
    if (hear(d)) return false;
    if (!well) return tg_dist_lost(d, d->t->culprit);
    return !d->stepping || d->buckets == 0 || tg_exchange_advance(d);
}

/* The longer nothing comes, the less is asked. */
static void pause_for(int tries) {
    if (tries < 50)
        return;
    else if (tries < 2000)
        (void)sched_yield();
    else
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

bool tg_dist_wait(tg_dist_object *d, bool (*done)(tg_dist_object *d, void *at), void *at) {
    char place[256];
    d->heard = tg_dist_now();
    for (int tries = 0;; tries = tries < 100000 ? tries + 1 : tries) {
        (void)pthread_mutex_lock(&d->lock);
        const double heard = d->heard;
        bool well = tg_dist_progress(d);
        const bool ready = well && done(d, at);
        if (well && !ready && tg_dist_now() - heard > d->o.timeout) {
            const int peer = describe(d, place, sizeof place);
            well = tg_dist_note(d, TG_ERR_PEER, "rank %d has sent nothing for %g seconds: %s", peer,
                                d->o.timeout, place);
        }
        if (d->heard != heard) tries = 0;
        (void)pthread_mutex_unlock(&d->lock);
        if (!well || ready) return well;
        pause_for(tries);
    }
}

/* ---- the thread ---- */

enum { LOOK_EVERY = 200000 }; /* nanoseconds */

/* Sleeps while nothing is under way, and else looks now and then. */
static void *work(void *context) {
    tg_dist_object *d = context;
    (void)pthread_mutex_lock(&d->lock);
    while (!d->quit) {
        if (!d->stepping || d->under_way == 0 || d->broken) {
            (void)pthread_cond_wait(&d->sent, &d->lock);
            continue;
        }
        tg_dist_progress(d);
        (void)pthread_mutex_unlock(&d->lock);
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY}, NULL);
        (void)pthread_mutex_lock(&d->lock);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* Signals of the program are for its own threads. Where the system gives none, the walk's own calls do. */
static void start_thread(tg_dist_object *d) {
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    d->threaded = pthread_create(&d->thread, NULL, work, d) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void end_thread(tg_dist_object *d) {
    if (!d->threaded) return;
    (void)pthread_mutex_lock(&d->lock);
    d->quit = true;
    (void)pthread_cond_signal(&d->sent);
    (void)pthread_mutex_unlock(&d->lock);
    (void)pthread_join(d->thread, NULL);
    d->threaded = false;
}

/* ---- begin and end ---- */

enum { MOST_SHARDS = 1 << 16 };

static tg_status check_options(tg_dist_begin_opts *o) {
    if (o->shards == 0) o->shards = 4;
    if (o->timeout == 0) o->timeout = 60;
    if (o->shards < 1 || o->shards > MOST_SHARDS || o->bucket < 0 || !(o->timeout > 0))
        return tg_fail(
            TG_ERR_ARGUMENT,
            "tg_dist_begin: %lld shards, buckets of %lld bytes and a timeout of %g seconds: one is out of range",
            (long long)o->shards, (long long)o->bucket, o->timeout);
    if (!(o->delay >= 0 && o->rate >= 0))
        return tg_fail(TG_ERR_ARGUMENT, "tg_dist_begin: .delay and .rate must not be negative: %g, %g",
                       o->delay, o->rate);
    return TG_OK;
}

static tg_status make_trees(tg_dist_object *d) {
    d->others_bytes = (size_t)d->size * (2 * sizeof *d->other + sizeof *d->adder);
    d->other = tg_alloc(d->others_bytes);
    if (!d->other) return tg_fail(TG_ERR_MEMORY, "tg_dist_begin: there is no memory for %d ranks", d->size);
    memset(d->other, 0, d->others_bytes);
    d->adder = (tg_adder *)(void *)(d->other + 2 * d->size);
    for (int r = 0; r < d->size; r++) {
        const int from = tg_shard_of(d->shards, d->size, r), to = tg_shard_of(d->shards, d->size, r + 1);
        if (tg_adder_of_shards(&d->adder[r], d->shards, from, to) != TG_OK) return tg_error_status();
        if (d->adder[r].left > d->most) d->most = d->adder[r].left;
    }
    return tg_adder_of_ranks(&d->all, d->shards, d->size, d->adder);
}

static tg_status fill(tg_dist_object *d, tg_model *model) {
    d->model = model;
    d->rank = d->t->rank, d->size = d->t->size;
    d->shards = (int)d->o.shards;
    if (d->o.bucket == 0) d->o.bucket = d->size < 4 ? 1 << 16 : (int64_t)d->size << 14;
    d->parameters = -1;
    d->who = "tg_dist_begin";
    if (d->shards < d->size)
        return tg_fail(
            TG_ERR_ARGUMENT,
            "tg_dist_begin: %d shards are too few for %d processes: give .shards, at least as many on any "
            "number of processes that is to have the same results",
            d->shards, d->size);
    d->from = tg_shard_of(d->shards, d->size, d->rank);
    d->to = tg_shard_of(d->shards, d->size, d->rank + 1);
    return make_trees(d);
}

static void free_all(tg_dist *handle, tg_dist_object *d, bool broken) {
    end_thread(d);
    tg_dist_forget(d);
    d->t->end(d->t, broken);
    for (int r = 0; d->adder && r < d->size; r++) tg_adder_free(&d->adder[r]);
    tg_adder_free(&d->all);
    tg_dealloc(d->other, d->others_bytes);
    (void)pthread_cond_destroy(&d->sent);
    (void)pthread_mutex_destroy(&d->lock);
    tg_object_free(handle);
}

tg_dist *tg_dist_begin_with(tg_model *model, tg_dist_begin_opts opts) {
    TG_NAMED("tg_dist_begin");
    tg_transport *t = opts.transport;
    tg_dist *handle = NULL;
    if (tg_error_status() == TG_OK)
        tg_model_object_of(model, "tg_dist_begin"); /* reports a model that is not valid */
    if (tg_error_status() == TG_OK && check_options(&opts) == TG_OK)
        handle = tg_object_new(sizeof(tg_dist_object), kind, "tg_dist_begin");
    if (handle && !t) t = tg_transport_mpi(opts.communicator);
    if (!handle || !t) {
        if (t) t->end(t, true);
        if (handle) tg_object_free(handle);
        return NULL;
    }
    tg_dist_object *d = tg_dist_object_of(handle, "tg_dist_begin");
    d->o = opts, d->t = t;
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_cond_init(&d->sent, NULL);
    if (fill(d, model) == TG_OK) {
        if (opts.thread && d->size > 1) start_thread(d);
        return handle;
    }
    free_all(handle, d, true);
    return NULL;
}

tg_status tg_dist_end(tg_dist *handle) {
    if (!handle) return tg_error_status();
    tg_dist_object *d = tg_dist_object_of(handle, "tg_dist_end");
    if (!d || !is_outside(d, "tg_dist_end")) return tg_error_status();
    char *all = tg_dist_may(d, "tg_dist_end") ? tg_alloc((size_t)d->size) : NULL;
    d->about = "the end, after step";
    if (all) memset(all, 0, (size_t)d->size);
    if (!all || !tg_dist_share(d, all, 1)) tg_dist_raise(d);
    tg_dealloc(all, (size_t)d->size);
    free_all(handle, d, d->broken);
    return tg_error_status();
}

int tg_dist_rank(const tg_dist *handle) {
    const tg_dist_object *d = handle ? tg_dist_object_of(handle, "tg_dist_rank") : NULL;
    return d ? d->rank : 0;
}

int tg_dist_size(const tg_dist *handle) {
    const tg_dist_object *d = handle ? tg_dist_object_of(handle, "tg_dist_size") : NULL;
    return d ? d->size : 1;
}

int64_t tg_dist_shards(const tg_dist *handle) {
    const tg_dist_object *d = handle ? tg_dist_object_of(handle, "tg_dist_shards") : NULL;
    return d ? d->shards : 0;
}

tg_dist_stats tg_dist_stats_of(const tg_dist *handle) {
    const tg_dist_object *d = tg_dist_object_of(handle, "tg_dist_stats_of");
    tg_dist_stats s = d ? d->stats : (tg_dist_stats){0};
    s.hidden = s.under_way > 0 ? 1 - s.waited / s.under_way : 1;
    if (s.hidden < 0) s.hidden = 0;
    return s;
}

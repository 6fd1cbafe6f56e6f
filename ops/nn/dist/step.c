/* A step: the gradients of a batch that all ranks share. From the top: a gradient that is complete, a shard, the first step,
 * the step, and what a failure puts back. */
#include "ops/nn/dist/dist_private.h"

#include "core/work.h"
#include "ops/nn/data/loader_private.h"
#include "ops/nn/train/interrupt.h"
#include "ops/shape/view.h"

#include <string.h>

/* ---- a gradient that is complete ---- */

/* The thread looks at it. */
static void set_stepping(tg_dist_object *d, bool on) {
    (void)pthread_mutex_lock(&d->lock);
    d->stepping = on;
    (void)pthread_mutex_unlock(&d->lock);
}

static const void *elements(const tg_array *a) { return a ? a->data : NULL; }

/* Adds x + y, either of which may be missing, to the sums; the last one of a bucket sends it. */
static bool contribute(tg_dist_object *d, tg_dist_entry *e, const tg_array *x, const tg_array *y) {
    (void)pthread_mutex_lock(&d->lock);
    tg_bucket *b = &d->bucket[e->bucket];
    tg_bucket_add(d, b, e->at, e->n, elements(x), elements(y));
    e->added = true;
    if (x || y) e->any = true;
    bool well = !d->broken;
    if (well && d->last && --b->left == 0) well = tg_exchange_send(d, b);
    if (well && d->under_way > 0) well = tg_dist_progress(d);
    (void)pthread_mutex_unlock(&d->lock);
    return well;
}

/* The array of the gradient that a parameter has; NULL: it has none. */
static const tg_array *stored(const tg_tensor *p) {
    return tg_has_grad(p) ? tg_array_of(tg_grad_of(p)) : NULL;
}

static const tg_array *contiguous(tg_tensor *t) {
    return tg_array_of(tg_is_contiguous(t) ? t : tg_contiguous(t));
}

/* The hook of each parameter. In the first walk it notes the order; in those of a shard's last piece it adds. */
static tg_tensor *hear(tg_tensor *grad, void *user) {
    tg_dist_ear *ear = user;
    tg_dist_object *d = ear->d;
    if (!d->walking) return NULL; /* a walk of the program's */
    if (!d->buckets) {
        if (!ear->heard) d->order[d->ordered++] = ear->number;
        ear->heard = true;
        return NULL;
    }
    if (!d->whole) return NULL;
    tg_dist_entry *e = &d->entry[d->place[ear->number]];
    const tg_array *g = e->added ? NULL : contiguous(grad);
    if (g && !contribute(d, e, stored(ear->param), g)) tg_dist_raise(d);
    return NULL;
}

/* ---- a shard ---- */

/* What dropout draws from depends on the step and the piece alone. */
static void set_stream(const tg_dist_object *d, int64_t shard, int64_t part) {
    const tg_rng of_step = tg_rng_derive(d->base.seed, d->base.next, UINT64_MAX);
    *tg_default_rng() = tg_rng_derive(of_step.seed, (uint64_t)shard, (uint64_t)part);
}

static tg_tensor *call(tg_dist_object *d, tg_batch_fn f, tg_tensor **batch, void *user) {
    tg_callback c = tg_callback_begin();
    d->inside = true;
    tg_tensor *loss = f(d->model, d->loader ? batch : NULL, user);
    d->inside = false;
    return tg_callback_end(c, tg_error_status(), d->who) == TG_OK ? loss : tg_poison();
}

static bool is_number(const tg_dist_object *d, const tg_tensor *loss) {
    char text[256];
    if (!tg_check_argument(loss, d->who, "the loss")) return false;
    if (tg_numel(loss) == 1) return true;
    tg_fail(TG_ERR_SHAPE, "%s: the loss must be one number, such as a mean, and is %s", d->who,
            tg_describe(loss, text, sizeof text));
    return false;
}

/* Bucket 0 has all that is known before the walk. */
static bool contribute_scalars(tg_dist_object *d, double weight_of_shard) {
    tg_dist_note_buffers(d, weight_of_shard);
    d->scalar[TG_DIST_STOP] = d->shard == d->from && tg_interrupted();
    (void)pthread_mutex_lock(&d->lock);
    tg_bucket_add(d, &d->bucket[0], 0, d->scalars, d->scalar, NULL);
    bool well = !d->broken;
    if (well && d->last) well = tg_exchange_send(d, &d->bucket[0]);
    (void)pthread_mutex_unlock(&d->lock);
    return well;
}

/* The gradients that no hook has added: those of earlier pieces, of the first walk, or none. */
static bool contribute_rest(tg_dist_object *d) {
    for (int i = 0; i < d->parameters; i++) {
        tg_dist_entry *e = &d->entry[i];
        const tg_mark mark = tg_tape_mark();
        const bool well = e->added || contribute(d, e, stored(e->param), NULL);
        tg_tape_rewind(mark);
        if (!well) return false;
    }
    return tg_error_status() == TG_OK;
}

/* What has not been seen in the first walk comes last. */
static bool settle_order(tg_dist_object *d) {
    for (int i = d->parameters - 1; i >= 0; i--)
        if (!d->ear[i].heard) d->order[d->ordered++] = i;
    set_stepping(d, false); /* no message of the step is under way yet */
    d->about = "the order of gradients in step";
    const bool well = tg_dist_spread(d, d->order, (size_t)d->parameters * sizeof *d->order) &&
                      tg_dist_lay_out(d) && tg_exchange_begin(d);
    d->stepping = true;
    if (well) tg_exchange_shard(d);
    return well;
}

static bool walk(tg_dist_object *d, tg_tensor *loss, double weight) {
    tg_tensor *seed = tg_full_like(loss, weight);
    d->walking = d->inside = true;
    tg_backward_with(loss, (tg_backward_opts){.seed = seed});
    d->walking = d->inside = false;
    return tg_error_status() == TG_OK;
}

/* Forward and backward of one piece, which is the last of its shard where `whole`. */
static bool pass(tg_dist_object *d, const tg_loader_piece *p, bool whole, tg_batch_fn f, tg_tensor **batch,
                 void *user) {
    const double weight = (double)p->examples / (double)p->of;
    set_stream(d, p->shard, p->part);
    tg_tensor *loss = call(d, f, batch, user);
    if (tg_error_status() != TG_OK || !is_number(d, loss) || !tg_dist_is_as_known(d)) return false;
    const bool first = d->buckets == 0;
    d->scalar[TG_DIST_LOSS] += weight * tg_item(loss);
    d->whole = whole;
    const int64_t base = p->of / d->shards, of_shard = base + (p->shard < p->of % d->shards);
    const double weight_of_shard = (double)of_shard / (double)p->of;
    if (whole && !first && !contribute_scalars(d, weight_of_shard)) return false;
    if (!walk(d, loss, weight)) return false;
    if (first && !settle_order(d)) return false;
    if (!whole) return true;
    return (!first || contribute_scalars(d, weight_of_shard)) && contribute_rest(d);
}

/* The next piece; without a loader there is one a shard. 0: the epoch has ended; below 0: failure. */
static int next_piece(const tg_dist_object *d, tg_tensor **batch, int64_t number, tg_loader_piece *p) {
    if (!d->loader) {
        *p = (tg_loader_piece){.shard = d->from + number, .examples = 1, .of = d->shards, .first = number == 0};
        p->last = p->shard == d->to - 1;
        return 1;
    }
    if (!tg_loader_next(d->loader, batch)) return tg_error_status() == TG_OK ? 0 : -1;
    if (tg_loader_last(d->loader, p) != TG_OK) return -1;
    if (p->first == (number == 0)) return 1;
    tg_fail(TG_ERR_ARGUMENT,
            "%s: the loader stands in the midst of a batch, of which it has given pieces already", d->who);
    return -1;
}

static void begin_shard(tg_dist_object *d, const tg_loader_piece *p) {
    d->shard = (int)p->shard;
    d->last = d->shard == d->to - 1;
    if (!p->first && d->buffers) tg_dist_restore_buffers(d);
    memset(d->scalar, 0, (size_t)d->scalars * sizeof *d->scalar);
    (void)pthread_mutex_lock(&d->lock);
    if (d->buckets) tg_exchange_shard(d);
    (void)pthread_mutex_unlock(&d->lock);
}

/* ---- the first step ---- */

/* A pass in evaluation mode makes parameters and buffers, with their initial values. */
static bool get_to_know(tg_dist_object *d, tg_batch_fn f, tg_tensor **batch, void *user) {
    const tg_rng standard = *tg_default_rng();
    const bool was = tg_model_set_training(d->model, false), recording = tg_set_grad_enabled(false);
    const tg_mark mark = tg_tape_mark();
    call(d, f, batch, user);
    tg_tape_rewind(mark);
    tg_set_grad_enabled(recording);
    tg_model_set_training(d->model, was);
    *tg_default_rng() = standard;
    return tg_error_status() == TG_OK;
}

/* d->stepping is off, so that messages are those of the comparison. The loader has given one piece: it is compared as it was. */
static bool meet(tg_dist_object *d, tg_batch_fn f, tg_tensor **batch, void *user) {
    tg_dist_forget(d);
    if (!get_to_know(d, f, batch, user) || !tg_dist_compare(d) || !tg_dist_spread_model(d)) return false;
    return tg_dist_know(d, hear);
}

/* ---- the step ---- */

static bool check_gradients(const tg_dist_object *d) {
    char text[256];
    for (int i = 0; i < d->parameters; i++)
        if (tg_has_grad(d->ear[i].param)) {
            tg_fail(TG_ERR_TAPE,
                    "%s: %s has a gradient already: use it by tg_optim_step, or clear it (gradients of several batches are "
                    "added by the loader's .parts)",
                    d->who, tg_describe(d->ear[i].param, text, sizeof text));
            return false;
        }
    return true;
}

/* Before the first pass, when the first piece is there. */
static bool begin_step(tg_dist_object *d, tg_batch_fn f, tg_tensor **batch, void *user) {
    if (d->parameters < 0 || tg_dist_changed(d)) {
        if (!meet(d, f, batch, user)) return false;
    }
    if (!check_gradients(d) || !tg_dist_hear(d)) return false;
    tg_dist_save_buffers(d);
    d->has_saved = true;
    struct {
        uint64_t hash;
        tg_rng base;
        int64_t epoch, next;
    } mixed = {d->hash, d->base, d->position.epoch, d->position.next};
    d->mixed = tg_dist_mix(2, &mixed, sizeof mixed);
    d->state = d->size > 1 ? tg_dist_state(d) : 0;
    (void)pthread_mutex_lock(&d->lock);
    const bool well = d->buckets == 0 || tg_exchange_begin(d);
    d->stepping = true;
    (void)pthread_mutex_unlock(&d->lock);
    return well;
}

/* All pieces of this rank. 0: the epoch has ended; below 0: failure. */
static int pass_all(tg_dist_object *d, tg_batch_fn f, void *user, int64_t *examples) {
    tg_tensor *batch[TG_LOADER_TENSORS] = {NULL};
    tg_loader_piece p = {.last = false};
    int64_t shard = -1;
    for (int64_t number = 0; !p.last; number++) {
        const tg_mark mark = tg_tape_mark();
        const int there = next_piece(d, batch, number, &p);
        if (there <= 0) return there;
        bool well = number > 0 || begin_step(d, f, batch, user);
        if (well && p.shard != shard) begin_shard(d, &p);
        shard = p.shard;
        const bool whole = !d->loader || p.part == tg_loader_options(d->loader)->parts - 1;
        well = well && pass(d, &p, whole, f, batch, user);
        tg_tape_rewind(mark);
        if (!well) return -1;
        if (whole && !p.last) tg_dist_clear_gradients(d);
    }
    *examples = p.of;
    return 1;
}

/* Puts the sums where the optimiser looks. A parameter that only others have a gradient for gets one by a walk from it. */
static bool take_gradient(tg_dist_object *d, const tg_dist_entry *e) {
    if (!e->any) return true;
    if (!tg_has_grad(e->param))
        tg_backward_with(e->param, (tg_backward_opts){.seed = tg_zeros_like(e->param)});
    void *to = tg_has_grad(e->param) ? tg_data_mut(tg_grad_of(e->param)) : NULL;
    if (to) tg_bucket_copy_out(d, &d->bucket[e->bucket], e->at, e->n, to);
    return to != NULL;
}

static bool finish(tg_dist_object *d) {
    if (!tg_exchange_finish(d)) return false;
    set_stepping(d, false);
    const tg_mark mark = tg_tape_mark();
    bool well = true;
    for (int i = 0; well && i < d->parameters; i++) well = take_gradient(d, &d->entry[i]);
    tg_tape_rewind(mark);
    if (well) tg_dist_take_buffers(d);
    return well;
}

/* ---- what a failure puts back ---- */

/* As before the step, but for parameters that it made. No error is pending. */
static void put_back(tg_dist_object *d, const tg_loader_state *at) {
    *tg_default_rng() = d->base;
    tg_dist_clear_gradients(d);
    if (d->has_saved) tg_dist_restore_buffers(d);
    if (d->loader) tg_loader_set_state(d->loader, at);
    tg_error_clear(); /* of this function alone */
}

/* Raises the error, tells the others, and puts back. The error is taken away meanwhile, with its place. */
static void fail_step(tg_dist_object *d, const tg_loader_state *at) {
    char text[4096];
    (void)pthread_mutex_lock(&d->lock);
    const tg_status status = tg_dist_raise(d);
    d->walking = d->stepping = false;
    (void)pthread_mutex_unlock(&d->lock);
    snprintf(text, sizeof text, "%s", tg_error_message());
    tg_status_at(TG_OK, __FILE__, __LINE__);
    const bool placed = strcmp(text, tg_error_message()) == 0;
    tg_error_clear();
    put_back(d, at);
    tg_fail(status, "%s", text);
    if (placed) tg_status_at(TG_OK, NULL, 0);
}

/* ---- all of it ---- */

/* The first step, in which memory is made, does not count. */
static void count(tg_dist_object *d, double start, bool first) {
    const int buckets = d->stats.buckets;
    if (first)
        d->stats = (tg_dist_stats){.buckets = buckets};
    else
        d->stats.steps++, d->stats.seconds += tg_dist_now() - start;
}

static int make_step(tg_dist_object *d, tg_batch_fn f, void *user, tg_dist_report *report) {
    int64_t examples = 0;
    int there = pass_all(d, f, user, &examples);
    if (there > 0 && !finish(d)) there = -1;
    if (there > 0 && report)
        *report = (tg_dist_report){
            .loss = d->scalar[TG_DIST_LOSS], .examples = examples, .stop = d->scalar[TG_DIST_STOP] > 0};
    return there;
}

bool tg_dist_gradients(tg_dist *handle, tg_loader *loader, tg_batch_fn f, void *user, tg_dist_report *report) {
    static const char who[] = "tg_dist_gradients";
    tg_dist_object *d = tg_dist_object_of(handle, who);
    if (report) *report = (tg_dist_report){0};
    if (!d || !tg_dist_may(d, who) || !tg_may_do(who)) return false;
    const double start = tg_dist_now();
    const bool first = d->buckets == 0;
    tg_loader_state at = {0};
    d->loader = loader, d->base = *tg_default_rng();
    d->has_saved = false, d->about = NULL;
    d->step++;
    if (!f) tg_fail(TG_ERR_ARGUMENT, "%s: the function is NULL", who);
    int there = f && tg_dist_check_loader(d, loader) ? 0 : -1;
    if (loader && there == 0 && tg_loader_get_state(loader, &at) != TG_OK) there = -1;
    d->position = at;
    if (there == 0) there = make_step(d, f, user, report);
    if (there < 0) fail_step(d, &at);
    if (there == 0) d->step--;
    if (there <= 0) return false;
    *tg_default_rng() = (tg_rng){d->base.seed, d->base.next + 1};
    count(d, start, first);
    return true;
}

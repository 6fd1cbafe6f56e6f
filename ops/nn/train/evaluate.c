/* Means with their uncertainty, and the evaluation of a model. */
#include "ops/nn/train/evaluate_private.h"

#include "core/work.h"

#include <math.h>

static void add_parts(tg_meter *m, int64_t n) {
    m->parts = m->parts > INT64_MAX - n ? INT64_MAX : m->parts + n;
}

static void add(tg_meter *m, double x, double weight) {
    double count = m->count + weight, off = x - m->mean;
    m->mean += off * (weight / count);
    m->spread += weight * off * (x - m->mean);
    m->count = count;
    add_parts(m, 1);
}

void tg_meter_add_mean(tg_meter *meter, double mean, double count) {
    if (!meter)
        tg_fail(TG_ERR_ARGUMENT, "tg_meter_add_mean: the meter is NULL");
    else if (count > 0)
        add(meter, mean, count);
}

tg_status tg_meter_add(tg_meter *meter, const tg_tensor *t) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!meter) return tg_fail(TG_ERR_ARGUMENT, "tg_meter_add: the meter is NULL");
    const tg_array *a =
        tg_check_argument(t, "tg_meter_add", "the tensor") ? tg_array_within(t, "tg_array_of") : NULL;
    if (!a || a->numel == 0 || !tg_may_read(a, "tg_meter_add")) return tg_error_status();
    tg_array once = *a; /* borrows the elements: what a stride of 0 repeats is added at once */
    int64_t times = 1;
    for (int k = 0; k < a->rank; k++)
        if (a->stride[k] == 0) times *= a->shape[k], once.numel /= a->shape[k], once.shape[k] = 1;
    for (int64_t i = 0; i < once.numel; i++) {
        add(meter, tg_array_get(&once, i), (double)times);
        add_parts(meter, times - 1);
    }
    return tg_error_status();
}

double tg_meter_mean(const tg_meter *meter) {
    if (meter) return meter->parts ? meter->mean : (double)NAN;
    tg_fail(TG_ERR_ARGUMENT, "tg_meter_mean: the meter is NULL");
    return (double)NAN;
}

double tg_meter_error(const tg_meter *meter) {
    if (meter)
        return meter->parts < 2 ? (double)NAN : sqrt(meter->spread / (double)(meter->parts - 1) / meter->count);
    tg_fail(TG_ERR_ARGUMENT, "tg_meter_error: the meter is NULL");
    return (double)NAN;
}

/* Adds what f gave for a batch of n examples. */
static tg_status add_result(tg_meter *meter, const tg_tensor *t, int64_t n) {
    const tg_array *a = tg_check_argument(t, "tg_evaluate", "the function's result") ? tg_array_of(t) : NULL;
    if (!a) return tg_error_status();
    if (a->rank == 1 && a->numel == n) return tg_meter_add(meter, t);
    char text[96];
    if (a->numel != 1)
        return tg_fail(TG_ERR_SHAPE,
                       "tg_evaluate: the result must be one number, or one of each of the %lld examples: %s",
                       (long long)n, tg_describe(t, text, sizeof text));
    tg_meter_add_mean(meter, tg_item(t), (double)n);
    return tg_error_status();
}

/* Back to the first batch of the epoch, when something has ended in the middle of one. */
static void begin_epoch(tg_loader *loader) {
    tg_loader_state at = {0};
    if (tg_loader_get_state(loader, &at) != TG_OK || at.next == 0) return;
    at.next = 0;
    tg_loader_set_state(loader, &at);
}

/* The meter of the piece that the loader has given: of its shard, from number `first` on. */
static tg_meter *meter_of(const tg_loader *loader, tg_meter *meter, int64_t first) {
    tg_loader_piece piece = {0};
    return first < 0 || tg_loader_last(loader, &piece) != TG_OK ? meter : meter + (piece.shard - first);
}

static tg_status evaluate(tg_model *model, tg_loader *loader, tg_batch_fn f, void *user, tg_meter *meter,
                          int64_t first) {
    tg_tensor *batch[TG_LOADER_TENSORS];
    begin_epoch(loader);
    tg_mark mark = tg_tape_mark();
    while (tg_loader_next(loader, batch)) {
        int64_t n = tg_size(batch[0], 0);
        tg_callback c = tg_callback_begin();
        tg_tensor *result = f(model, batch, user);
        if (tg_callback_end(c, tg_error_status(), "tg_evaluate") == TG_OK)
            add_result(meter_of(loader, meter, first), result, n);
        tg_tape_rewind(mark);
    }
    return tg_error_status();
}

tg_status tg_evaluate_pieces(tg_model *model, tg_loader *loader, tg_batch_fn f, void *user, tg_meter *meter,
                             int64_t first) {
    bool was = tg_model_set_training(model, false);
    if (tg_error_status() != TG_OK) return tg_error_status();
    bool recording = tg_set_grad_enabled(false);
    evaluate(model, loader, f, user, meter, first);
    tg_set_grad_enabled(recording);
    tg_model_set_training(model, was);
    return tg_error_status();
}

tg_status tg_evaluate(tg_model *model, tg_loader *loader, tg_batch_fn f, void *user, tg_meter *meter) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do("tg_evaluate")) return tg_error_status();
    if (!f || !meter)
        return tg_fail(TG_ERR_ARGUMENT, "tg_evaluate: the %s is NULL", f ? "meter" : "function");
    tg_meter sum = *meter;
    if (tg_evaluate_pieces(model, loader, f, user, &sum, -1) == TG_OK) *meter = sum;
    return tg_error_status();
}

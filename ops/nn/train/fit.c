/* The training loop: from the top, the step, the epoch, the checkpoint, and all of it. */
#include "ops/nn/train/fit_private.h"
#include "autograd/blame/nonfinite.h"
#include "core/work.h"
#include "ops/nn/dist/dist.h"
#include "ops/nn/train/interrupt.h"
#include "ops/nn/train/progress.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

/* ---- a step ---- */

/* The next batch; round and round where an epoch is a number of steps. */
static bool next_batch(const tg_fitting *f, tg_tensor **batch) {
    if (!f->run.loader) return true;
    if (tg_loader_next(f->run.loader, batch)) return true;
    return f->o.epoch_steps > 0 && tg_error_status() == TG_OK && tg_loader_next(f->run.loader, batch);
}

/* How many batches the step that begins has: fewer at the end of an epoch. */
static int64_t batches_of_step(const tg_fitting *f) {
    tg_loader_state at = {0};
    if (f->o.epoch_steps > 0 || !f->run.loader) return f->o.accumulate;
    if (tg_loader_get_state(f->run.loader, &at) != TG_OK) return 0;
    int64_t left = at.batches - at.next;
    return left < f->o.accumulate ? left : f->o.accumulate;
}

tg_status tg_fit_check_shape(const tg_tensor *loss) {
    char text[256];
    if (!tg_check_argument(loss, "tg_fit", "the loss") || tg_numel(loss) == 1) return tg_error_status();
    return tg_fail(TG_ERR_SHAPE, "tg_fit: the loss must be one number, such as a mean, and is %s",
                   tg_describe(loss, text, sizeof text));
}

static tg_status check_loss(const tg_fitting *f, const tg_tensor *loss) {
    char text[1024];
    if (tg_fit_check_shape(loss) != TG_OK) return tg_error_status();
    double value = tg_item(loss);
    if (tg_error_status() != TG_OK || isfinite(value)) return tg_error_status();
    bool found = tg_find_nonfinite_in(loss, text, sizeof text);
    return tg_fail(TG_ERR_ARGUMENT, "tg_fit: the loss of step %lld, in epoch %lld, is %s%s%s",
                   (long long)f->r.step + 1, (long long)f->r.epoch + 1, isnan(value) ? "NaN" : "infinite",
                   found ? ": " : "", text);
}

static tg_tensor *loss_of(const tg_fitting *f, tg_tensor **batch) {
    tg_callback c = tg_callback_begin();
    tg_tensor *loss = f->loss(f->run.model, f->run.loader ? batch : NULL, f->o.user);
    return tg_callback_end(c, tg_error_status(), "tg_fit") == TG_OK ? loss : tg_poison();
}

/* The loss of the last batch once more, with the random numbers that it had. */
static tg_tensor *loss_as_it_was(tg_fitting *f, tg_tensor **batch) {
    *tg_default_rng() = f->standard;
    if (f->run.rng) *f->run.rng = f->own;
    return loss_of(f, batch);
}

/* As add_gradient, replayed. What a plan has computed is gone, so that a loss which is no number is made again, to be looked at. */
static tg_status add_planned(tg_fitting *f, tg_tensor **batch, int64_t parts, int64_t n) {
    double value = tg_fit_plan_run(f, batch, parts);
    if (tg_error_status() == TG_OK && !isfinite(value)) check_loss(f, loss_as_it_was(f, batch));
    if (tg_error_status() == TG_OK && !isfinite(value))
        tg_fail(TG_ERR_ARGUMENT, "tg_fit: the loss of step %lld is %g, and is not when it is computed again",
                (long long)f->r.step + 1, value);
    if (tg_error_status() == TG_OK) tg_meter_add_mean(&f->running, value, (double)n);
    return tg_error_status();
}

/* Adds the gradient of the batch's loss over `parts`, and the loss to the meter. */
static tg_status add_gradient(tg_fitting *f, tg_tensor **batch, int64_t parts) {
    int64_t n = batch[0] ? tg_size(batch[0], 0) : 1;
    if (f->plan) return add_planned(f, batch, parts, n);
    tg_tensor *loss = loss_of(f, batch);
    if (tg_error_status() != TG_OK || check_loss(f, loss) != TG_OK) return tg_error_status();
    double value = tg_item(loss);
    tg_tensor *seed = parts > 1 ? tg_full_like(loss, 1 / (double)parts) : NULL;
    if (tg_backward_with(loss, (tg_backward_opts){.seed = seed}) == TG_OK)
        tg_meter_add_mean(&f->running, value, (double)n);
    return tg_error_status();
}

/* Where a gradient went wrong: the last batch once more, and every gradient watched. */
static bool explain(tg_fitting *f, tg_tensor **batch, char *text, size_t n) {
    const int64_t first_node = tg_tape_nodes();
    tg_tensor *loss = loss_as_it_was(f, batch);
    bool found = tg_error_status() == TG_OK && tg_find_nonfinite_grad(loss, first_node, text, n);
    tg_error_clear(); /* of this function alone: none was pending */
    return found;
}

static tg_status check_gradients(tg_fitting *f, tg_tensor **batch) {
    for (int i = 0; i < tg_model_count(f->run.model); i++) {
        tg_tensor *p = tg_model_at(f->run.model, i);
        if (!tg_has_grad(p) || tg_is_finite(tg_grad_of(p)) || tg_error_status() != TG_OK) continue;
        char name[160], text[1024];
        bool found = batch && explain(f, batch, text, sizeof text);
        return tg_fail(
            TG_ERR_ARGUMENT,
            "tg_fit: step %lld, in epoch %lld, has a finite loss, but the gradient of %s is not finite%s%s",
            (long long)f->r.step + 1, (long long)f->r.epoch + 1, tg_describe(p, name, sizeof name),
            found ? ": " : "", found ? text : "");
    }
    return tg_error_status();
}

static tg_status clip(tg_fitting *f) {
    if (f->o.clip > 0)
        f->r.norm = tg_clip_grad_norm_with(f->run.model, f->o.clip, (tg_clip_grad_norm_opts){0});
    return tg_error_status();
}

/* The gradients of the batches of a step, and the step. */
static bool step_by_gradients(tg_fitting *f, tg_tensor **batch, tg_mark mark) {
    const int64_t parts = batches_of_step(f);
    int64_t k = 0;
    for (; k < parts; k++) {
        tg_tape_rewind(mark);
        if (!next_batch(f, batch)) break;
        const tg_mark given = tg_tape_mark(); /* the batch stays, in case that it has to be looked at again */
        f->standard = *tg_default_rng();
        if (f->run.rng) f->own = *f->run.rng;
        tg_status s = add_gradient(f, batch, parts);
        tg_tape_rewind(given);
        if (s != TG_OK) break;
    }
    if (parts == 0 && f->run.loader) tg_loader_next(f->run.loader, batch); /* takes it to the next epoch */
    return k > 0 && k == parts && check_gradients(f, batch) == TG_OK && tg_fit_gradients_step(f) == TG_OK &&
           clip(f) == TG_OK && tg_optim_step(f->run.optim) == TG_OK;
}

/* The same with other processes, all of which come to the same. */
static bool step_by_dist(tg_fitting *f) {
    return tg_fit_dist_gradients(f) && check_gradients(f, NULL) == TG_OK &&
           tg_fit_gradients_step(f) == TG_OK && clip(f) == TG_OK && tg_optim_step(f->run.optim) == TG_OK;
}

/* Whether to leave: Ctrl-C, here or for any of the processes. */
static bool is_interrupted(const tg_fitting *f) { return f->run.dist ? f->stop : tg_interrupted(); }

/* What a rule that asks for the loss is given. */
typedef struct again {
    const tg_fitting *f;
    tg_tensor **batch;
} again;

static tg_tensor *loss_again(void *user) {
    const again *a = user;
    return a->f->loss(a->f->run.model, a->f->run.loader ? a->batch : NULL, a->f->o.user);
}

static bool step_by_closure(tg_fitting *f, tg_tensor **batch) {
    double value = 0;
    if (!next_batch(f, batch)) return false;
    int64_t n = batch[0] ? tg_size(batch[0], 0) : 1;
    if (tg_optim_step_closure(f->run.optim, loss_again, &(again){f, batch}, &value) != TG_OK) return false;
    tg_meter_add_mean(&f->running, value, (double)n);
    return tg_error_status() == TG_OK;
}

static bool asks_for_loss(const tg_fitting *f) { return tg_optim_rule_of(f->run.optim)->search != NULL; }

/* One step of the optimiser and the schedule. False at the end of an epoch, with nothing done, and on failure. */
static bool take_step(tg_fitting *f) {
    tg_tensor *batch[TG_LOADER_TENSORS] = {NULL};
    const tg_mark mark = tg_tape_mark();
    const double lr = tg_optim_lr(f->run.optim);
    bool done = asks_for_loss(f) ? step_by_closure(f, batch)
                : f->run.dist    ? step_by_dist(f)
                                 : step_by_gradients(f, batch, mark);
    tg_tape_rewind(mark);
    if (!done) return false;
    f->r.step++;
    f->in_epoch++;
    f->r.lr = lr;
    if (f->run.schedule && !f->o.schedule_by_epoch) tg_schedule_step(f->run.schedule);
    return tg_error_status() == TG_OK;
}

/* ---- an epoch ---- */

static void show(const tg_fitting *f, tg_progress *bar) {
    char text[256];
    int n = snprintf(text, sizeof text, "loss %.4f", tg_meter_mean(&f->running));
    if (f->metrics && f->r.metric[0].parts > 0) /* not before the first evaluation of this run */
        n += snprintf(text + n, sizeof text - (size_t)n, "  %.60s %.4f", f->o.metrics[0].name,
                      f->r.metric[0].mean);
    snprintf(text + n, sizeof text - (size_t)n, "  %.0f/s", f->running.count / tg_progress_seconds(bar));
    tg_progress_show(bar, f->in_epoch, text);
}

/* The steps of an epoch that are left, or those until Ctrl-C. */
static tg_status run_steps(tg_fitting *f) {
    char label[64];
    snprintf(label, sizeof label, "epoch %*lld/%lld", (int)snprintf(NULL, 0, "%lld", (long long)f->o.epochs),
             (long long)f->r.epoch + 1, (long long)f->o.epochs);
    tg_progress bar = tg_progress_begin(f->o.log, label, f->all_steps);
    double before = f->running.count;
    while ((f->o.epoch_steps == 0 || f->in_epoch < f->o.epoch_steps) && !is_interrupted(f) && take_step(f))
        show(f, &bar);
    double took = tg_progress_seconds(&bar);
    f->r.seconds += took;
    f->r.rate = (f->running.count - before) / took;
    tg_progress_end(&bar);
    return tg_error_status();
}

static tg_status evaluate(tg_fitting *f) {
    f->r.validation = (tg_meter){0};
    memset(f->r.metric, 0, sizeof f->r.metric);
    if (!f->o.validation) return TG_OK;
    tg_fit_dist_evaluate(f, f->loss, &f->r.validation);
    for (int i = 0; i < f->metrics; i++) tg_fit_dist_evaluate(f, f->o.metrics[i].f, &f->r.metric[i]);
    return tg_error_status();
}

static bool lower_is_better(const tg_fitting *f) { return !f->metrics || f->o.metrics[0].lower; }

static double score(const tg_fitting *f) {
    const tg_fit_report *r = &f->r;
    return tg_meter_mean(f->metrics ? &r->metric[0] : f->o.validation ? &r->validation : &r->loss);
}

static void note_score(tg_fitting *f) {
    tg_fit_report *r = &f->r;
    r->score = score(f);
    if (r->best_epoch > 0 && !(lower_is_better(f) ? r->score < r->best : r->score > r->best)) return;
    if (isnan(r->score)) return;
    r->best = r->score;
    r->best_epoch = r->epoch;
}

/* ---- the checkpoint ---- */

static void put_numbers(tg_fitting *f) {
    const double value[TG_FIT_NUMBERS] = {
        [AT_EPOCH] = (double)f->r.epoch,
        [AT_STEP] = (double)f->r.step,
        [IN_EPOCH] = (double)f->in_epoch,
        [SECONDS] = f->r.seconds,
        [BEST] = f->r.best,
        [BEST_EPOCH] = (double)f->r.best_epoch,
        [COUNT] = f->running.count,
        [MEAN] = f->running.mean,
        [SPREAD] = f->running.spread,
        [PARTS] = (double)f->running.parts,
    };
    memcpy(f->number, value, sizeof value);
}

static tg_status take_numbers(tg_fitting *f, const char *path) {
    static const int counts[] = {AT_EPOCH, AT_STEP, IN_EPOCH, BEST_EPOCH, PARTS};
    const double *v = f->number;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!(v[counts[i]] >= 0 && v[counts[i]] <= 0x1p53))
            return tg_fail(TG_ERR_FORMAT, "tg_fit: %.200s says that %g epochs, steps or batches are done",
                           path, v[counts[i]]);
    f->r.epoch = (int64_t)v[AT_EPOCH];
    f->r.step = (int64_t)v[AT_STEP];
    f->in_epoch = (int64_t)v[IN_EPOCH];
    f->r.seconds = v[SECONDS];
    f->r.best = v[BEST];
    f->r.best_epoch = (int64_t)v[BEST_EPOCH];
    f->running = (tg_meter){v[COUNT], v[MEAN], v[SPREAD], (int64_t)v[PARTS]};
    return TG_OK;
}

static tg_status save(tg_fitting *f, double score) {
    if (!f->o.folder) return TG_OK;
    put_numbers(f);
    return tg_training_keep_with(&f->run, f->o.folder, f->r.step, score,
                                 (tg_training_keep_opts){.last = f->o.last, .lower = lower_is_better(f)});
}

static tg_status resume(tg_fitting *f) {
    char path[TG_FIT_PATH];
    if (tg_fit_path(f, path, "latest.safetensors") != TG_OK || !tg_fit_dist_finds(f, path))
        return tg_error_status();
    if (tg_training_load(&f->run, path) != TG_OK || take_numbers(f, path) != TG_OK) return tg_error_status();
    return tg_fit_log_read(f);
}

/* ---- all of it ---- */

/* What follows the steps of an epoch. The log is written before the checkpoint: a line too many is dropped when the training
 * goes on from there, and one too few would be missing. */
static tg_status finish_epoch(tg_fitting *f) {
    f->r.epoch++;
    f->r.loss = f->running;
    f->running = (tg_meter){0};
    f->in_epoch = 0;
    if (evaluate(f) != TG_OK) return tg_error_status();
    note_score(f);
    if (f->run.schedule && f->o.schedule_by_epoch) tg_schedule_step_metric(f->run.schedule, f->r.score);
    if (tg_error_status() != TG_OK || tg_fit_log_add(f) != TG_OK || tg_fit_gradients_save(f) != TG_OK ||
        save(f, f->r.score) != TG_OK)
        return tg_error_status();
    tg_fit_log_print(f);
    if (!f->o.after_epoch) return TG_OK;
    tg_callback c = tg_callback_begin();
    tg_status s = f->o.after_epoch(&f->r, f->o.user);
    return tg_callback_end(c, s, "tg_fit: after_epoch");
}

static tg_status leave(tg_fitting *f) {
    if (save(f, (double)NAN) == TG_OK && f->o.log)
        fprintf(f->o.log, "interrupted in epoch %lld, after step %lld%s\n", (long long)f->r.epoch + 1,
                (long long)f->r.step, f->o.folder ? ", and saved" : "");
    return tg_error_status();
}

static tg_status train(tg_fitting *f) {
    if (f->r.epoch >= f->o.epochs && evaluate(f) == TG_OK) f->r.score = score(f); /* all was done before */
    while (f->r.epoch < f->o.epochs && !f->r.stop && !f->r.interrupted) {
        if (run_steps(f) != TG_OK) return tg_error_status();
        f->r.interrupted = is_interrupted(f);
        if (f->r.interrupted) return leave(f);
        if (f->running.parts == 0)
            return tg_fail(TG_ERR_ARGUMENT, "tg_fit: the loader gave no batch in epoch %lld",
                           (long long)f->r.epoch + 1);
        if (finish_epoch(f) != TG_OK) return tg_error_status();
        f->r.interrupted = is_interrupted(f); /* during the evaluation, after which it has saved */
    }
    return TG_OK;
}

static void fit(tg_fitting *f) {
    bool was = tg_model_set_training(f->run.model, true);
    if (tg_error_status() != TG_OK) return;
    tg_interrupts_catch(true);
    f->r.best = (double)NAN;
    if (tg_fit_plan_begin(f) == TG_OK && (!f->o.resume || resume(f) == TG_OK) && train(f) != TG_OK)
        tg_model_zero_grad(f->run.model);
    if (f->run.dist && tg_error_status() != TG_OK) tg_dist_agree(f->run.dist); /* tells the others */
    tg_fit_plan_end(f);
    tg_interrupts_catch(false);
    tg_model_set_training(f->run.model, was);
}

tg_status tg_fit_with(const tg_training *run, tg_batch_fn loss, tg_fit_opts opts) {
    static const char *const name[TG_FIT_NUMBERS] = {
        "fit/epoch",      "fit/step",  "fit/in_epoch", "fit/seconds", "fit/best",
        "fit/best_epoch", "fit/count", "fit/mean",     "fit/spread",  "fit/parts"};
    if (opts.report) *opts.report = (tg_fit_report){0};
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do("tg_fit")) return tg_error_status();
    if (!run) return tg_fail(TG_ERR_ARGUMENT, "tg_fit: the training is NULL");
    tg_fitting f = {.run = *run, .loss = loss, .o = opts};
    if (tg_fit_check(&f) != TG_OK) return tg_error_status();
    size_t own = 0;
    while (run->numbers && run->numbers[own].name) own++;
    size_t size = (own + TG_FIT_NUMBERS + 1) * sizeof(tg_number);
    tg_number *numbers = tg_alloc(size);
    if (!numbers) return tg_fail(TG_ERR_MEMORY, "tg_fit: there is no memory for %zu numbers", own);
    if (own) memcpy(numbers, run->numbers, own * sizeof *numbers);
    for (int i = 0; i < TG_FIT_NUMBERS; i++) numbers[own + (size_t)i] = (tg_number){name[i], &f.number[i]};
    numbers[own + TG_FIT_NUMBERS] = (tg_number){0};
    f.run.numbers = numbers;
    fit(&f);
    if (opts.report) *opts.report = f.r;
    tg_fit_log_free(&f);
    tg_dealloc(numbers, size);
    return tg_error_status();
}

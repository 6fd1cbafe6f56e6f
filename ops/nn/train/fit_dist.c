/* A training that several processes share (ops/nn/dist/dist.h): what of the loop differs. With .dist NULL nothing does. */
#include "ops/nn/dist/dist.h"
#include "ops/nn/train/fit_private.h"

#include <math.h>
#include <unistd.h>

tg_status tg_fit_dist_check(tg_fitting *f) {
    const tg_optim_rule *rule = tg_optim_rule_of(f->run.optim);
    if (!f->run.dist) return tg_error_status();
    const char *what = f->o.plan              ? ".plan"
                       : f->o.accumulate > 1  ? ".accumulate (the loader's .parts is that)"
                       : f->run.rng           ? "a stream .rng (tg_default_rng is one of each shard)"
                       : rule && rule->search ? "a rule that asks for the loss"
                                              : NULL;
    if (what) return tg_fail(TG_ERR_ARGUMENT, "tg_fit: with .dist there cannot be %s", what);
    if (tg_dist_rank(f->run.dist) > 0) f->o.log = NULL;
    return tg_error_status();
}

bool tg_fit_dist_writes(const tg_fitting *f) { return tg_dist_rank(f->run.dist) == 0; }

bool tg_fit_dist_finds(const tg_fitting *f, const char *path) {
    double found = access(path, F_OK) == 0;
    if (!f->run.dist) return found > 0;
    const int size = tg_dist_size(f->run.dist);
    if (tg_dist_sum(f->run.dist, 1, &found) != TG_OK) return false;
    if (found > 0 && found < size)
        tg_fail(TG_ERR_IO,
                "tg_fit: %.200s is there for %g of %d processes: the folder must be one that all see", path,
                found, size);
    return found == size;
}

void tg_fit_dist_evaluate(const tg_fitting *f, tg_batch_fn g, tg_meter *meter) {
    if (f->run.dist)
        tg_dist_evaluate(f->run.dist, f->o.validation, g, f->o.user, meter);
    else
        tg_evaluate(f->run.model, f->o.validation, g, f->o.user, meter);
}

bool tg_fit_dist_gradients(tg_fitting *f) {
    tg_dist_report r;
    bool there = tg_dist_gradients(f->run.dist, f->run.loader, f->loss, f->o.user, &r);
    if (!there && f->o.epoch_steps > 0 && tg_error_status() == TG_OK) /* round and round */
        there = tg_dist_gradients(f->run.dist, f->run.loader, f->loss, f->o.user, &r);
    if (!there) return false;
    f->stop = r.stop;
    if (!isfinite(r.loss))
        tg_fail(TG_ERR_ARGUMENT, "tg_fit: the loss of step %lld, in epoch %lld, is %s",
                (long long)f->r.step + 1, (long long)f->r.epoch + 1, isnan(r.loss) ? "NaN" : "infinite");
    tg_meter_add_mean(&f->running, r.loss, (double)r.examples);
    return tg_error_status() == TG_OK;
}

/* What is asked of a training before it begins. */
#include "ops/nn/train/fit_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static tg_status check_metrics(const tg_fitting *f) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (f->metrics > TG_FIT_METRICS)
        return tg_fail(TG_ERR_ARGUMENT, "tg_fit: there are more than %d metrics", TG_FIT_METRICS);
    if (f->metrics && !f->o.validation)
        return tg_fail(TG_ERR_ARGUMENT, "tg_fit: there are metrics, but no .validation to measure them on");
    for (int i = 0; i < f->metrics; i++) {
        const tg_metric *m = &f->o.metrics[i];
        size_t length = strlen(m->name);
        if (!m->f) return tg_fail(TG_ERR_ARGUMENT, "tg_fit: metric %.100s has no function", m->name);
        if (length == 0 || length > 60 || strspn(m->name, plain) != length)
            return tg_fail(TG_ERR_ARGUMENT,
                           "tg_fit: a metric's name has 1 to 60 letters, digits, - and _: %.100s", m->name);
    }
    return TG_OK;
}

tg_status tg_fit_check(tg_fitting *f) {
    tg_fit_opts *o = &f->o;
    if (!f->run.model || !f->run.optim || !f->loss)
        return tg_fail(TG_ERR_ARGUMENT, "tg_fit: there is no %s",
                       !f->run.model  ? "model"
                       : f->run.optim ? "loss"
                                      : "optimiser");
    if (o->epochs < 0 || o->epoch_steps < 0 || o->accumulate < 0 || o->last < 0)
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_fit: epochs, epoch_steps, accumulate and last must not be negative");
    if (!(o->clip >= 0)) return tg_fail(TG_ERR_ARGUMENT, "tg_fit: .clip is a norm, and is %g", o->clip);
    if (!f->run.loader && !o->epoch_steps)
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_fit: without a loader, .epoch_steps must say how many steps an epoch has");
    if (o->resume && !o->folder)
        return tg_fail(TG_ERR_ARGUMENT, "tg_fit: there is no .folder to .resume from");
    if (o->folder && !*o->folder) return tg_fail(TG_ERR_ARGUMENT, "tg_fit: the folder is an empty text");
    const tg_optim_rule *rule = tg_optim_rule_of(f->run.optim);
    if (o->gradients && !o->folder)
        return tg_fail(TG_ERR_ARGUMENT, "tg_fit: there is no .folder for the files of .gradients");
    if (rule && rule->search && (o->accumulate > 1 || o->clip != 0 || o->gradients))
        return tg_fail(
            TG_ERR_ARGUMENT,
            "tg_fit: %.40s asks for the loss itself, so that there is nothing to accumulate or clip, nor gradients to show",
            rule->name);
    if (o->compile && !o->plan)
        return tg_fail(TG_ERR_ARGUMENT, "tg_fit: .compile is an option of .plan = true");
    if (rule && rule->search && o->plan)
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_fit: %.40s asks for the loss as often as it likes, which is no .plan", rule->name);
    if (!o->epochs) o->epochs = 1;
    if (!o->accumulate) o->accumulate = 1;
    while (o->metrics && o->metrics[f->metrics].name) f->metrics++;
    f->all_steps = o->epoch_steps;
    if (!f->all_steps) f->all_steps = (tg_loader_batches(f->run.loader) + o->accumulate - 1) / o->accumulate;
    if (tg_fit_dist_check(f) != TG_OK || check_metrics(f) != TG_OK) return tg_error_status();
    if (o->folder && mkdir(o->folder, 0777) != 0 && errno != EEXIST)
        return tg_fail(TG_ERR_IO, "tg_fit: cannot make the folder %.200s: %s", o->folder, strerror(errno));
    return TG_OK;
}

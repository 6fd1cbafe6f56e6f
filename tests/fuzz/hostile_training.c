/* Training loops and what they are made of: losses and metrics that fail or are none, meters that somebody has filled in,
 * runs of a few steps in our folder. */
#include "tests/fuzz/hostile.h"

static tg_tensor *batch_function(tg_model *model, tg_tensor **batch, void *user) {
    (void)user;
    tg_tensor *x = batch ? batch[0] : tg_ones_with(TG_F32, TG_SHAPE(2, 3));
    if (hostile_depth == 0) return tg_mean_with(tg_to(x, TG_F32), (tg_reduce_opts){0});
    for (int i = 0; i < hostile_depth; i++)
        hostile_frames[i].disturbed = true; /* the model may get a parameter */
    if (bad()) return misbehave(&x, 1);
    if (one_in(4)) return tg_ones_with(TG_F32, TG_SHAPE(tg_rank(x) > 0 ? tg_size(x, 0) : 1));
    tg_tensor *w = tg_model_param(model, "fitted", TG_F32, TG_SHAPE(3), tg_init_ones());
    return tg_mean_with(tg_square(one_in(8) ? tg_log(tg_neg(w)) : w), (tg_reduce_opts){0});
}

tg_batch_fn draw_tg_batch_fn(const char *name) {
    const bool none = bad();
    note(" %s=%s", name, none ? "NULL" : "function");
    return none ? NULL : batch_function;
}

static tg_tensor *closure(void *user) {
    (void)user;
    tg_tensor *x = tg_ones_with(TG_F32, TG_SHAPE(3));
    if (hostile_depth == 0) return tg_mean_with(x, (tg_reduce_opts){0});
    for (int i = 0; i < hostile_depth; i++)
        hostile_frames[i].disturbed = true; /* the model may get a parameter */
    if (bad()) return one_in(2) ? NULL : misbehave(&x, 1);
    tg_tensor *w =
        tg_model_param(draw_tg_model_p("of closure"), "searched", TG_F32, TG_SHAPE(3), tg_init_ones());
    return tg_mean_with(tg_square(one_in(8) ? tg_log(tg_neg(w)) : w), (tg_reduce_opts){0});
}

tg_closure draw_tg_closure(const char *name) {
    const bool none = bad();
    note(" %s=%s", name, none ? "NULL" : "function");
    return none ? NULL : closure;
}

tg_setting draw_tg_setting(const char *name) {
    static const char *const names[] = {"weight_decay", "momentum", "beta1", "eps", "flag", "integer", "lr"};
    note(" %s", name);
    return (tg_setting){bad()       ? draw_text("name")
                        : one_in(2) ? names[below(COUNT(names))]
                                    : NULL,
                        draw_double("value")};
}

tg_meter *draw_tg_meter_p(const char *name) {
    if (bad()) return note(" %s=NULL", name), NULL;
    tg_meter *m = scratch(sizeof *m);
    *m = (tg_meter){0};
    if (one_in(4))
        *m = (tg_meter){draw_double("count"), draw_double("mean"), draw_double("spread"),
                        draw_int64_t("parts")};
    note(" %s", name);
    return m;
}

static tg_status after_epoch(tg_fit_report *report, void *user) {
    (void)user;
    report->stop = one_in(4);
    return bad() ? TG_ERR_IO : TG_OK;
}

tg_metric *draw_tg_metric_p(const char *name) {
    note(" %s", name);
    tg_metric *m = scratch(3 * sizeof *m);
    m[0] = (tg_metric){bad() ? draw_text("metric") : "error", draw_tg_batch_fn("f"), one_in(2)};
    m[1] = (tg_metric){one_in(2) ? "other" : NULL, batch_function, false};
    m[2] = (tg_metric){0};
    return m;
}

tg_epoch_fn draw_tg_epoch_fn(const char *name) {
    note(" %s", name);
    return one_in(2) ? NULL : after_epoch;
}

tg_fit_report *draw_tg_fit_report_p(const char *name) {
    (void)name;
    return scratch(sizeof(tg_fit_report));
}

/* Of a history that memory has, and few losses. */
void own_tg_lbfgs_with(void) {
    tg_model *m = draw_tg_model_p("model");
    double lr = draw_double("lr");
    tg_lbfgs_opts o = {.max_iter = bad() ? -1 : below(4), .history_size = bad() ? -1 : 1 + below(4)};
    o.max_eval = bad() ? -1 : below(6), o.strong_wolfe = one_in(2), o.maximize = one_in(4);
    if (one_in(3)) o.tolerance_grad = draw_double("tolerance_grad");
    if (one_in(3)) o.tolerance_change = draw_double("tolerance_change");
    call_begin();
    end_tg_optim_p(tg_lbfgs_with(m, lr, o));
}

/* A short one. */
void own_tg_fit_with(void) {
    tg_training *run = draw_tg_training_p("run");
    tg_batch_fn loss = draw_tg_batch_fn("loss");
    tg_fit_opts o = {.epochs = bad() ? -1 : below(3), .user = draw_user(), .schedule_by_epoch = one_in(2)};
    o.epoch_steps = bad() ? -1 : below(4);
    o.accumulate = bad() ? -1 : below(3);
    o.last = bad() ? -1 : 0;
    if (one_in(2)) o.validation = draw_tg_loader_p("validation");
    if (one_in(3)) o.metrics = draw_tg_metric_p("metrics");
    if (one_in(3)) o.log = draw_FILE_p("log");
    if (one_in(3)) o.folder = draw_folder();
    if (one_in(3)) o.after_epoch = after_epoch;
    if (one_in(3)) o.clip = draw_double("clip");
    o.resume = one_in(3);
    if (run && one_in(2)) run->loader = draw_tg_loader_p("loader");
    call_begin();
    end_tg_status(tg_fit_with(run, loss, o));
}

/* On our file for what is printed. */
void own_tg_progress_begin(void) {
    FILE *file = bad() ? NULL : draw_FILE_p("file");
    call_begin();
    tg_progress p = tg_progress_begin(file, draw_text("label"), draw_int64_t("total"));
    p.last -= one_in(2) ? 100 : 0;
    p.terminal = one_in(2);
    tg_progress_show(bad() ? NULL : &p, draw_int64_t("done"), draw_text("text"));
    (void)tg_progress_seconds(bad() ? NULL : &p);
    tg_progress_end(bad() ? NULL : &p);
    end_void();
}

/* The training loop: what it trains, writes, goes on from, and refuses. */
#include "tests/ops/nn/helpers.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Numbers of three classes that a line separates, mostly; the loss has a dropout, so that it draws. */
typedef struct problem {
    tg_model *model;
    tg_optim *optim;
    tg_schedule *schedule;
    tg_loader *train, *test;
    int64_t calls, spoiled,
        interrupted; /* losses in training; the one that is NaN; the one during which SIGINT comes */
    tg_status fails;
} problem;

static char folder[64];

static void make_folder(void) {
    strcpy(folder, "/tmp/tapegrad-fit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void) {
    char path[512];
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%.255s", folder, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

static const char *in_folder(const char *name) {
    static char path[2][512];
    static int i;
    i = !i;
    snprintf(path[i], sizeof path[i], "%s/%s", folder, name);
    return path[i];
}

static tg_tensor *net(tg_model *m, tg_tensor *x) {
    x = tg_tanh(tg_nn_linear(m, "hidden", x, 8));
    return tg_nn_linear(m, "out", tg_nn_dropout(m, x, 0.1), 3);
}

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    problem *p = user;
    tg_tensor *z = net(m, batch[0]);
    if (!tg_model_training(m)) return tg_cross_entropy(z, batch[1]);
    p->calls++;
    if (p->calls == p->interrupted) raise(SIGINT);
    if (p->calls == p->spoiled && p->fails) tg_fail(p->fails, "loss: no more");
    if (p->calls == p->spoiled) z = tg_log(tg_affine(tg_square(z), -1, -1));
    return tg_cross_entropy(z, batch[1]);
}

static tg_tensor *accuracy(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_eq(tg_argmax(net(m, batch[0]), 1), batch[1]);
}

static const tg_metric metrics[] = {{"accuracy", accuracy, false}, {NULL, NULL, false}};

static tg_loader *make_loader(int64_t n, uint64_t seed, bool shuffle) {
    tg_mark mark = tg_tape_mark();
    tg_seed(seed);
    tg_tensor *x = tg_randn(TG_F32, n, 4), *y = tg_argmax(tg_slice(x, 1, 0, 3, 1), 1);
    tg_loader *l = tg_loader_new(2, (tg_tensor *[]){x, y}, .batch = 16, .shuffle = shuffle, .seed = 7);
    tg_tape_rewind(mark);
    return l;
}

static problem make_problem(void) {
    problem p = {
        .model = tg_model_new(3), .train = make_loader(200, 1, true), .test = make_loader(100, 2, false)};
    p.optim = tg_adam(p.model, 0.01);
    p.schedule = tg_schedule_new(p.optim, tg_lr_cosine(200));
    tg_seed(5);
    expect_ok();
    return p;
}

static void free_problem(problem *p) {
    tg_schedule_free(p->schedule), tg_optim_free(p->optim), tg_model_free(p->model);
    tg_loader_free(p->train), tg_loader_free(p->test);
    expect_ok();
}

static tg_training run_of(const problem *p) {
    return (tg_training){.model = p->model, .optim = p->optim, .schedule = p->schedule, .loader = p->train};
}

static void expect_same(const problem *p, const problem *q) {
    ck_assert(tg_model_count(p->model) == 4 && tg_model_count(q->model) == 4);
    for (int i = 0; i < 4; i++) {
        tg_tensor *a = tg_model_at(p->model, i), *b = tg_model_find(q->model, tg_name(a));
        size_t n, m;
        void *x = bytes_of(a, &n), *y = bytes_of(b, &m);
        ck_assert_msg(n == m && memcmp(x, y, n) == 0, "%s", tg_name(a));
        free(x), free(y);
    }
}

START_TEST(it_is_the_loop_written_out) {
    problem p = make_problem(), q = make_problem();
    tg_training run = run_of(&p);
    tg_fit_report report;
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 3, .validation = p.test, .metrics = metrics, .user = &p,
                            .report = &report),
                     TG_OK);
    tg_tensor *batch[2];
    double last = 0;
    tg_seed(5);
    for (int epoch = 0; epoch < 3; epoch++)
        for (last = 0; tg_loader_next(q.train, batch);) {
            tg_mark mark = tg_tape_mark();
            tg_tensor *l = loss(q.model, batch, &q);
            last += tg_item(l) * (double)tg_size(batch[1], 0);
            tg_backward(l);
            tg_optim_step(q.optim);
            tg_schedule_step(q.schedule);
            tg_tape_rewind(mark);
        }
    expect_ok();
    expect_same(&p, &q);
    expect_close(tg_meter_mean(&report.loss), last / 200, 1e-12);
    ck_assert(report.epoch == 3 && report.step == 39 && !report.interrupted && report.best_epoch > 0);
    ck_assert(report.metric[0].parts == 100 && report.score == report.metric[0].mean && report.score > 0.5);
    ck_assert(tg_model_training(p.model));
    free_problem(&p), free_problem(&q);
}
END_TEST

START_TEST(accumulated_gradients_are_averaged) {
    problem p = make_problem(), q = make_problem();
    tg_schedule_free(p.schedule), tg_schedule_free(q.schedule);
    p.schedule = q.schedule = NULL;
    tg_optim_free(p.optim), tg_optim_free(q.optim);
    p.optim = tg_sgd(p.model, 0.5), q.optim = tg_sgd(q.model, 0.5);
    tg_training run = run_of(&p);
    tg_tensor *batch[2];
    tg_seed(5);
    ck_assert_int_eq(tg_fit(&run, loss, .accumulate = 5, .user = &p), TG_OK);
    tg_seed(5);
    for (int i = 0; tg_loader_next(q.train, batch); i++) { /* two steps of five batches, and one of three */
        tg_backward(tg_mul_scalar(loss(q.model, batch, &q), i < 10 ? 1.0 / 5 : 1.0 / 3));
        if (i == 4 || i == 9 || i == 12) tg_optim_step(q.optim);
    }
    expect_ok();
    for (int i = 0; i < 4; i++) {
        tg_tensor *a = tg_model_at(p.model, i), *b = tg_model_at(q.model, i);
        for (int64_t k = 0; k < tg_numel(a); k++) expect_close(tg_get(a, k), tg_get(b, k), 1e-5);
    }
    free_problem(&p), free_problem(&q);
}
END_TEST

START_TEST(gradients_are_clipped) {
    problem p = make_problem(), q = make_problem();
    tg_training run = run_of(&p);
    tg_fit_report report;
    tg_tensor *batch[2];
    double norm = 0;
    tg_seed(5);
    ck_assert_int_eq(tg_fit(&run, loss, .clip = 0.05, .user = &p, .report = &report), TG_OK);
    tg_seed(5);
    while (tg_loader_next(q.train, batch)) {
        tg_backward(loss(q.model, batch, &q));
        norm = tg_clip_grad_norm(q.model, 0.05);
        tg_optim_step(q.optim), tg_schedule_step(q.schedule);
    }
    expect_ok();
    expect_same(&p, &q);
    ck_assert(norm > 0.05 && report.norm == norm);
    tg_fit(&run, loss, .clip = -1, .user = &p);
    expect_error(TG_ERR_ARGUMENT, "tg_fit: .clip is a norm, and is -1");
    tg_fit(&run, loss, .clip = NAN, .user = &p);
    expect_error(TG_ERR_ARGUMENT, "is nan");
    free_problem(&p), free_problem(&q);
}
END_TEST

static tg_tensor *valley(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    tg_tensor *y = tg_nn_linear(m, "line", batch[0], 1),
              *want = tg_affine(tg_slice(batch[0], 1, 0, 1, 1), 3, -2);
    return tg_mse_loss(y, want);
}

START_TEST(rules_that_ask_for_the_loss) {
    problem p = make_problem();
    tg_optim *lbfgs = tg_lbfgs(p.model, 1, .strong_wolfe = true);
    tg_training run = {.model = p.model, .optim = lbfgs, .loader = p.train};
    tg_fit_report report;
    ck_assert_int_eq(tg_fit(&run, valley, .epochs = 2, .report = &report), TG_OK);
    ck_assert(report.step == 26 && report.loss.parts == 13 && report.loss.count == 200);
    ck_assert_msg(tg_meter_mean(&report.loss) < 1e-8, "%g", tg_meter_mean(&report.loss));
    tg_fit(&run, valley, .accumulate = 2);
    expect_error(TG_ERR_ARGUMENT,
                 "tg_fit: lbfgs asks for the loss itself, so that there is nothing to accumulate or clip");
    tg_fit(&run, valley, .plan = true);
    expect_error(TG_ERR_ARGUMENT, "tg_fit: lbfgs asks for the loss as often as it likes, which is no .plan");
    p.spoiled = 1, p.fails = TG_ERR_IO;
    tg_fit(&run, loss, .user = &p);
    expect_error(TG_ERR_IO, "loss: no more");
    tg_optim_free(lbfgs);
    free_problem(&p);
}
END_TEST

START_TEST(accumulated_batches_are_one_step) {
    problem p = make_problem();
    tg_training run = run_of(&p);
    tg_fit_report report;
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 2, .accumulate = 4, .user = &p, .report = &report), TG_OK);
    ck_assert(report.step == 8 && p.calls == 26); /* 13 batches: three steps of four, and one of one */
    ck_assert_int_eq(
        tg_fit(&run, loss, .epochs = 2, .epoch_steps = 5, .accumulate = 4, .user = &p, .report = &report),
        TG_OK);
    ck_assert(report.step == 10 && p.calls == 66);
    free_problem(&p);
}
END_TEST

static tg_tensor *drawn(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    ck_assert_ptr_null(batch);
    tg_tensor *x = tg_randn(TG_F64, 8, 1);
    return tg_mse_loss(tg_nn_linear(m, "line", x, 1), tg_affine(x, 2, 1));
}

static tg_status stop_at_four(tg_fit_report *report, void *user) {
    (void)user;
    report->stop = report->epoch == 4;
    return TG_OK;
}

START_TEST(without_a_loader_it_draws_its_points) {
    problem p = make_problem();
    tg_training run = {.model = p.model, .optim = p.optim};
    tg_fit_report report;
    tg_optim_set_lr(p.optim, 0.1);
    ck_assert_int_eq(
        tg_fit(&run, drawn, .epochs = 10, .epoch_steps = 50, .after_epoch = stop_at_four, .report = &report),
        TG_OK);
    ck_assert(report.epoch == 4 && report.step == 200 && report.loss.count == 50);
    ck_assert(tg_meter_mean(&report.loss) < 0.05);
    free_problem(&p);
}
END_TEST

/* ---- files ---- */

#if TG_HAVE_JANSSON
/* The losses of a run, which another that was interrupted has in its log. */
static double loss_of_epoch[4];
static tg_status note_loss(tg_fit_report *report, void *user) {
    (void)user;
    loss_of_epoch[report->epoch - 1] = tg_meter_mean(&report->loss);
    return TG_OK;
}

static void expect_log(int64_t rows) {
    tg_tensor *t =
        tg_load_csv(in_folder("log.csv"), .header = true, .dtype = TG_F64,
                    .columns = "epoch,step,lr,loss,loss_error,validation_loss,accuracy,accuracy_error");
    expect_ok();
    ck_assert(tg_size(t, 0) == rows);
    for (int64_t i = 0; i < rows; i++)
        ck_assert(tg_get(t, 8 * i) == (double)(i + 1) && tg_get(t, 8 * i + 1) == (double)(13 * (i + 1)) &&
                  tg_get(t, 8 * i + 3) == loss_of_epoch[i]);
}

START_TEST(it_goes_on_bit_for_bit) {
    problem p = make_problem(), q = make_problem();
    tg_training run = run_of(&p);
    tg_fit_report report;
    make_folder();
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 4, .user = &p, .validation = p.test, .metrics = metrics,
                            .after_epoch = note_loss),
                     TG_OK);
    q.interrupted = 13 + _i; /* in the second epoch, or with the last step of the first */
    run = run_of(&q);
    tg_seed(5);
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 4, .user = &q, .folder = folder, .resume = true,
                            .validation = q.test, .metrics = metrics, .report = &report),
                     TG_OK);
    ck_assert(report.interrupted && report.step == 13 + _i && report.epoch == (_i > 0));
    free_problem(&q);
    q = make_problem();
    run = run_of(&q);
    tg_seed(99);
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 4, .user = &q, .folder = folder, .resume = true,
                            .validation = q.test, .metrics = metrics, .report = &report),
                     TG_OK);
    ck_assert(report.epoch == 4 && report.step == 52);
    expect_same(&p, &q);
    expect_log(4);
    ck_assert(access(in_folder("best.safetensors"), F_OK) == 0);

    double score = report.score; /* once more, when nothing is left: the report is of the evaluation */
    report = (tg_fit_report){0};
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 4, .user = &q, .folder = folder, .resume = true,
                            .validation = q.test, .metrics = metrics, .report = &report),
                     TG_OK);
    ck_assert(report.step == 52 && report.metric[0].parts > 0 && report.validation.parts > 0);
    ck_assert(report.score == score && report.best >= score);
    expect_same(&p, &q);
    remove_folder();
    free_problem(&p), free_problem(&q);
}
END_TEST

START_TEST(what_a_folder_has_is_not_trusted) {
    problem p = make_problem();
    double epochs = 1, nan = NAN;
    tg_training run = run_of(&p), forged = run;
    make_folder();
    ck_assert_int_eq(tg_fit(&run, loss, .user = &p, .folder = folder), TG_OK);
    tg_tensor *other = tg_zeros(TG_F64, 2, 3);
    tg_save_csv(other, in_folder("log.csv"), .header = "a,b,c");
    tg_fit(&run, loss, .epochs = 2, .user = &p, .folder = folder, .resume = true);
    expect_error(TG_ERR_FORMAT, "tg_fit: ", "log.csv has 3 columns, and this training 7");
    unlink(in_folder("log.csv")); /* is no error: it begins anew */
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 2, .user = &p, .folder = folder, .resume = true), TG_OK);
    forged.numbers = (tg_number[]){{"fit/epoch", &nan},
                                   {"fit/step", &epochs},
                                   {"fit/in_epoch", &epochs},
                                   {"fit/seconds", &epochs},
                                   {"fit/best", &nan},
                                   {"fit/best_epoch", &epochs},
                                   {"fit/count", &epochs},
                                   {"fit/mean", &epochs},
                                   {"fit/spread", &epochs},
                                   {"fit/parts", &epochs},
                                   {0}};
    tg_training_save(&forged, in_folder("latest.safetensors"));
    tg_fit(&run, loss, .epochs = 3, .user = &p, .folder = folder, .resume = true);
    expect_error(TG_ERR_FORMAT, "latest.safetensors says that nan epochs, steps or batches are done");
    tg_training_save(&run, in_folder("latest.safetensors"));
    tg_fit(&run, loss, .epochs = 3, .user = &p, .folder = folder, .resume = true);
    expect_error(TG_ERR_ARGUMENT, "fit/epoch");
    remove_folder();
    free_problem(&p);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_stops_it) {
    problem p = make_problem(), q = make_problem();
    tg_seed(5);
    tg_training run = run_of(&p), other = run_of(&q);
    make_folder();
    p.spoiled = 15;
    tg_fit(&run, loss, .epochs = 3, .user = &p, .folder = folder);
    expect_error(TG_ERR_ARGUMENT, "tg_fit: the loss of step 15, in epoch 2, is NaN: the first NaN is made by #",
                 " log(#", "[16, 3]) -> [16, 3] f32", "test_fit.c:");
    ck_assert(tg_model_training(p.model) && !tg_has_grad(tg_model_at(p.model, 0)));
    tg_seed(5);
    q.interrupted = 14; /* which ends after the step before */
    ck_assert_int_eq(tg_fit(&other, loss, .epochs = 3, .user = &q), TG_OK);
    expect_same(&p, &q);
    tg_training_load(&run, in_folder("latest.safetensors"));
    expect_ok();
    remove_folder();
    free_problem(&p), free_problem(&q);
}
END_TEST
#endif

/* ---- what is refused ---- */

static tg_tensor *rows_loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_cross_entropy(net(m, batch[0]), batch[1], .reduction = TG_REDUCTION_NONE);
}
static tg_tensor *no_loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)m, (void)batch, (void)user;
    return NULL;
}
static tg_tensor *constant_loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)m, (void)batch, (void)user;
    return tg_scalar(TG_F32, 1);
}
static tg_tensor *steep_loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_sum(tg_sqrt(tg_mul_scalar(tg_nn_linear(m, "steep", batch[0], 1), 0)));
}

static const tg_fit_opts ways[] = {{.epochs = 3}, {.epochs = 2, .accumulate = 4}, {.epochs = 2, .clip = 0.1}};
START_TEST(a_plan_is_the_same_training) {
    problem p = make_problem(), q = make_problem();
    tg_training run = run_of(&p), other = run_of(&q);
    tg_fit_report eager, planned;
    tg_fit_opts opts = ways[_i];
    opts.validation = p.test, opts.metrics = metrics, opts.user = &p, opts.report = &eager;
    tg_seed(5);
    ck_assert_int_eq(tg_fit_with(&run, loss, opts), TG_OK);
    opts.validation = q.test, opts.user = &q, opts.report = &planned, opts.plan = true;
    tg_seed(5);
    ck_assert_int_eq(tg_fit_with(&other, loss, opts), TG_OK);
    expect_same(&p, &q);
    ck_assert(eager.step == planned.step && eager.loss.mean == planned.loss.mean &&
              eager.score == planned.score);
    ck_assert_msg(q.calls < p.calls / 2, "%d of %d calls", (int)q.calls, (int)p.calls);
    free_problem(&p), free_problem(&q);
}
END_TEST

static tg_tensor *drawn_loss(tg_model *m, tg_tensor **batch, void *user) {
    ck_assert(!batch && !user);
    tg_tensor *x = tg_rand(TG_F64, 32, 2);
    return tg_mean(tg_square(tg_sub(tg_nn_linear(m, "out", tg_to(x, TG_F32), 1),
                                    tg_to(tg_sum(x, .axes = TG_SHAPE(1), .keepdim = true), TG_F32))));
}
START_TEST(a_plan_without_a_loader) {
    double mean[2];
    for (int planned = 0; planned < 2; planned++) {
        problem p = make_problem();
        tg_training run = {.model = p.model, .optim = p.optim};
        tg_fit_report report;
        tg_seed(5);
        ck_assert_int_eq(tg_fit(&run, drawn_loss, .epoch_steps = 20, .plan = planned, .report = &report),
                         TG_OK);
        mean[planned] = report.loss.mean;
        free_problem(&p);
    }
    ck_assert(mean[0] == mean[1]);
}
END_TEST

/* The same sentence, of the same node and line; what the steps before have done stays. */
START_TEST(a_loss_of_a_plan_that_is_not_finite) {
    char text[2][2048];
    problem p[2];
    for (int planned = 0; planned < 2; planned++) {
        p[planned] = make_problem();
        tg_mark mark = tg_tape_mark();
        tg_tensor *x = tg_randn(TG_F32, 200, 4), *y = tg_argmax(tg_slice(x, 1, 0, 3, 1), 1);
        ((float *)tg_data_mut(x))[150 * 4] = NAN;
        tg_loader *spoiled = tg_loader_new(2, (tg_tensor *[]){x, y}, .batch = 16);
        tg_tape_rewind(mark);
        tg_training run = run_of(&p[planned]);
        run.loader = spoiled;
        tg_seed(5);
        ck_assert_int_eq(tg_fit(&run, loss, .user = &p[planned], .plan = planned), TG_ERR_ARGUMENT);
        snprintf(text[planned], sizeof text[planned], "%s", tg_error_message());
        expect_error(TG_ERR_ARGUMENT,
                     "tg_fit: the loss of step 10, in epoch 1, is NaN: the first NaN is made by #",
                     "has one already, which no recorded op made");
        tg_loader_free(spoiled);
    }
    ck_assert_str_eq(text[0], text[1]);
    expect_same(&p[0], &p[1]);
    free_problem(&p[0]), free_problem(&p[1]);
}
END_TEST

START_TEST(errors_leave_all_as_it_was) {
    const bool planned = _i;
    problem p = make_problem();
    tg_training run = run_of(&p), part = {.model = p.model};
    tg_fit(NULL, loss);
    expect_error(TG_ERR_ARGUMENT, "tg_fit: the training is NULL");
    tg_fit(&run, NULL);
    expect_error(TG_ERR_ARGUMENT, "there is no loss");
    tg_fit(&part, loss);
    expect_error(TG_ERR_ARGUMENT, "there is no optimiser");
    part = (tg_training){.optim = p.optim};
    tg_fit(&part, loss);
    expect_error(TG_ERR_ARGUMENT, "there is no model");
    part.model = p.model;
    tg_fit(&part, loss);
    expect_error(TG_ERR_ARGUMENT, "without a loader, .epoch_steps must say");
    tg_fit(&run, loss, .epochs = -1);
    expect_error(TG_ERR_ARGUMENT, "must not be negative");
    tg_fit(&run, loss, .resume = true);
    expect_error(TG_ERR_ARGUMENT, "no .folder to .resume from");
    tg_fit(&run, loss, .metrics = metrics);
    expect_error(TG_ERR_ARGUMENT, "no .validation to measure them on");
    tg_fit(&run, loss, .validation = p.test,
           .metrics = (tg_metric[]){{"a/b", accuracy, false}, {NULL, NULL, false}});
    expect_error(TG_ERR_ARGUMENT, "letters, digits", "a/b");
    tg_fit(&run, loss, .folder = "/dev/null/run");
    expect_error(TG_ERR_IO, "cannot make the folder /dev/null/run");
    tg_fit(&run, loss, .compile = true);
    expect_error(TG_ERR_ARGUMENT, ".compile is an option of .plan = true");
    tg_fit(&run, rows_loss, .user = &p, .plan = planned);
    expect_error(TG_ERR_SHAPE, "the loss must be one number, such as a mean, and is [16] f32");
    tg_fit(&run, no_loss, .plan = planned);
    expect_error(TG_ERR_ARGUMENT, "tg_fit: the loss is NULL");
    tg_fit(&run, constant_loss, .plan = planned);
    expect_error(TG_ERR_TAPE, "tg_backward");
    tg_fit(&run, steep_loss, .plan = planned);
    expect_error(
        TG_ERR_ARGUMENT,
        "step 1, in epoch 1, has a finite loss, but the gradient of steep.weight [1, 4] f32 is not finite: the first gradient that is not finite is made by the rule of #",
        " sqrt(#", " [16, 1]) -> [16, 1] f32   test_fit.c:", ", for #", " affine(#");
    p.spoiled = planned ? 2 : 3, p.fails = TG_ERR_IO; /* the third is replayed */
    tg_fit(&run, loss, .user = &p, .plan = planned);
    expect_error(TG_ERR_IO, "loss: no more");
    ck_assert(tg_model_training(p.model));
    for (int i = 0; i < tg_model_count(p.model); i++) ck_assert(!tg_has_grad(tg_model_at(p.model, i)));
    free_problem(&p);
}
END_TEST

START_TEST(meters_are_means_with_an_error) {
    static const double x[] = {1, 4, 2, 8, 5, 7};
    tg_meter one = {0}, parts = {0}, wide = {0};
    ck_assert(isnan(tg_meter_mean(&one)) && isnan(tg_meter_error(&one)));
    tg_meter_add(&one, tg_from(TG_F64, x, 2, 3));
    expect_close(tg_meter_mean(&one), 4.5, 1e-15);
    expect_close(tg_meter_error(&one), sqrt(37.5 / 5 / 6), 1e-15);
    for (int i = 0; i < 6; i += 2) tg_meter_add_mean(&parts, (x[i] + x[i + 1]) / 2, 2);
    expect_close(tg_meter_mean(&parts), 4.5, 1e-15);
    expect_close(tg_meter_error(&parts), sqrt(2 * (4 + 0.25 + 2.25) / 2 / 6), 1e-15);
    tg_meter_add(&wide, tg_broadcast_to(tg_from(TG_F64, x, 2, 1), 2, 3));
    ck_assert(wide.parts == 6 && wide.count == 6);
    expect_close(tg_meter_error(&wide), sqrt(13.5 / 5 / 6), 1e-15);
    wide.parts = INT64_MAX - 1; /* and no further */
    tg_meter_add_mean(&wide, 1, 1), tg_meter_add_mean(&wide, 1, 1);
    tg_meter_add(&wide, tg_broadcast_to(tg_from(TG_F64, x, 2, 1), 2, 3));
    ck_assert(wide.parts == INT64_MAX && wide.count == 14);
    tg_meter_add(NULL, tg_scalar(TG_F32, 1));
    expect_error(TG_ERR_ARGUMENT, "the meter is NULL");
}
END_TEST

static tg_tensor *two_numbers(tg_model *m, tg_tensor **batch, void *user) {
    (void)m, (void)batch, (void)user;
    return tg_zeros(TG_F32, 2);
}

START_TEST(an_evaluation_is_a_whole_epoch) {
    problem p = make_problem();
    tg_tensor *batch[2];
    tg_meter a = {0}, b = {0}, c = {0};
    ck_assert_int_eq(tg_evaluate(p.model, p.test, accuracy, NULL, &a), TG_OK);
    ck_assert(tg_loader_next(p.test, batch)); /* the others are six */
    int64_t tensors = tg_tape_tensors();
    ck_assert_int_eq(tg_evaluate(p.model, p.test, accuracy, NULL, &b), TG_OK);
    ck_assert(a.count == 100 && memcmp(&a, &b, sizeof a) == 0 && tg_tape_tensors() == tensors);
    ck_assert(tg_model_training(p.model) && tg_grad_enabled());
    tg_evaluate(p.model, p.test, two_numbers, NULL, &b);
    expect_error(TG_ERR_SHAPE,
                 "tg_evaluate: the result must be one number, or one of each of the 16 examples: [2] f32");
    ck_assert(memcmp(&a, &b, sizeof a) == 0 && tg_model_training(p.model) && tg_grad_enabled());
    tg_evaluate(p.model, p.test, loss, &p, &c); /* from the start again */
    ck_assert(c.count == 100 && c.parts == 7);
    tg_evaluate(p.model, NULL, loss, &p, &c);
    expect_error(TG_ERR_ARGUMENT, "loader");
    tg_evaluate(p.model, p.test, NULL, &p, &c);
    expect_error(TG_ERR_ARGUMENT, "tg_evaluate: the function is NULL");
    tg_evaluate(NULL, p.test, loss, &p, &c);
    expect_error(TG_ERR_ARGUMENT, "model");
    free_problem(&p);
}
END_TEST

TCase *tcase_fit(void);
TCase *tcase_fit(void) {
    TCase *t = tcase_create("fit");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, it_is_the_loop_written_out);
    tcase_add_test(t, accumulated_gradients_are_averaged);
    tcase_add_test(t, gradients_are_clipped);
    tcase_add_test(t, rules_that_ask_for_the_loss);
    tcase_add_test(t, accumulated_batches_are_one_step);
    tcase_add_test(t, without_a_loader_it_draws_its_points);
#if TG_HAVE_JANSSON
    tcase_add_loop_test(t, it_goes_on_bit_for_bit, 0, 6);
    tcase_add_test(t, what_a_folder_has_is_not_trusted);
    tcase_add_test(t, a_loss_that_is_not_finite_stops_it);
#endif
    tcase_add_loop_test(t, errors_leave_all_as_it_was, 0, 2);
    tcase_add_loop_test(t, a_plan_is_the_same_training, 0, 3);
    tcase_add_test(t, a_plan_without_a_loader);
    tcase_add_test(t, a_loss_of_a_plan_that_is_not_finite);
    tcase_add_test(t, an_evaluation_is_a_whole_epoch);
    tcase_add_test(t, meters_are_means_with_an_error);
    return t;
}

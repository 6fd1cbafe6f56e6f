/* What is refused, what one rank differs in, memory that is not there, and the small functions. */
#include "tests/ops/nn/helpers.h"

#include <pthread.h>

enum { EXAMPLES = 24, RANKS = 3 };

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    tg_tensor *h = tg_nn_batch_norm(m, "bn", tg_nn_linear(m, "fc1", batch[0], 6));
    return tg_mse_loss(tg_nn_linear(m, "out", tg_tanh(h), 1), batch[1]);
}

static tg_tensor *two_numbers(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_sum(tg_nn_linear(m, "fc1", batch[0], 2), .axes = TG_SHAPE(0));
}

/* Without a loader: the shard's own random numbers. */
static tg_tensor *drawn(tg_model *m, tg_tensor **batch, void *user) {
    *(bool *)user |= batch != NULL;
    return tg_mean(tg_square(tg_nn_linear(m, "fc1", tg_randn(TG_F32, 4, 3), 2)));
}

static tg_loader *loader_of(const tg_dist *d, int64_t shards) {
    tg_rng data = {.seed = 1};
    tg_tensor *x = tg_zeros(TG_F32, EXAMPLES, 3), *y = tg_zeros(TG_F32, EXAMPLES, 1);
    for (int64_t i = 0; i < 3 * EXAMPLES; i++) tg_array_set(tg_array_of(x), i, tg_rng_normal(&data));
    return tg_loader_new(2, ((tg_tensor *[]){x, y}), .batch = 12, .shards = shards, .rank = tg_dist_rank(d),
                         .ranks = tg_dist_size(d));
}

static tg_transport *lone(void) {
    tg_transport *end[1];
    ck_assert(tg_transport_pairs(1, end));
    return end[0];
}

/* ---- what is refused ---- */

START_TEST(nothing_is_what_one_process_has) {
    ck_assert_int_eq(tg_dist_rank(NULL), 0);
    ck_assert_int_eq(tg_dist_size(NULL), 1);
    ck_assert_int_eq(tg_dist_shards(NULL), 0);
    ck_assert_int_eq(tg_dist_end(NULL), TG_OK);
    tg_dist_sum(NULL, 1, &(double){0});
    expect_error(TG_ERR_ARGUMENT, "tg_dist_sum", "NULL");
    ck_assert(!tg_dist_gradients(NULL, NULL, loss, NULL, NULL));
    expect_error(TG_ERR_ARGUMENT, "tg_dist_gradients", "NULL");
}
END_TEST

START_TEST(options_out_of_range_are_refused) {
    tg_model *m = tg_model_new(1);
    static const struct {
        tg_dist_begin_opts o;
        const char *word;
    } row[] = {
        {{.shards = -1}, "shards"},   {{.shards = 1 << 20}, "shards"}, {{.bucket = -1}, "buckets"},
        {{.timeout = -1}, "timeout"}, {{.timeout = NAN}, "timeout"},   {{.delay = -1}, ".delay"},
        {{.rate = -1}, ".rate"},      {{.rate = NAN}, ".rate"},
    };
    for (int i = 0; i < COUNT(row); i++) {
        tg_dist_begin_opts o = row[i].o;
        o.transport = lone();
        ck_assert_ptr_null(tg_dist_begin_with(m, o));
        expect_error(TG_ERR_ARGUMENT, "tg_dist_begin", row[i].word);
    }
    ck_assert_ptr_null(tg_dist_begin(NULL, .transport = lone()));
    expect_error(TG_ERR_ARGUMENT, "tg_dist_begin", "NULL");
    tg_transport *end[RANKS];
    ck_assert(tg_transport_pairs(RANKS, end));
    ck_assert_ptr_null(tg_dist_begin(m, .transport = end[0], .shards = 2));
    expect_error(TG_ERR_ARGUMENT, "2 shards are too few for 3 processes", ".shards");
    for (int i = 1; i < RANKS; i++) end[i]->end(end[i], true);
    ck_assert(!tg_transport_pairs(0, end));
    expect_error(TG_ERR_ARGUMENT, "tg_transport_pairs", "64");
    ck_assert(!tg_transport_pairs(65, end));
    expect_error(TG_ERR_ARGUMENT, "tg_transport_pairs", "65");
#if !TG_HAVE_MPI
    ck_assert_ptr_null(tg_dist_begin(m));
    expect_error(TG_ERR_ARGUMENT, "tg_dist_begin", "-Dmpi=enabled", "libopenmpi-dev", "openmpi-bin");
#endif
    tg_model_free(m);
}
END_TEST

/* A step that makes no sense is this rank's failure; after it every call has the same error. */
static void expect_refused(tg_loader *(*make)(tg_dist *d), tg_batch_fn f, tg_status status, const char *word) {
    tg_model *m = tg_model_new(1);
    tg_dist *d = tg_dist_begin(m, .transport = lone());
    tg_loader *l = make(d);
    expect_ok();
    ck_assert(!tg_dist_gradients(d, l, f, NULL, NULL));
    expect_error(status, "tg_dist_gradients", word);
    ck_assert(!tg_dist_gradients(d, l, f, NULL, NULL));
    expect_error(TG_ERR_PEER, "rank 0 has failed: step 1", word);
    tg_dist_end(d);
    expect_error(TG_ERR_PEER, "tg_dist_end", "rank 0 has failed");
    tg_loader_free(l), tg_model_free(m);
}

static tg_loader *good(tg_dist *d) { return loader_of(d, 4); }
static tg_loader *other_shards(tg_dist *d) { return loader_of(d, 3); }
static tg_loader *whole_batches(tg_dist *d) { return loader_of(d, 0); }
static tg_loader *in_the_midst(tg_dist *d) {
    tg_tensor *batch[2];
    tg_loader *l = loader_of(d, 4);
    tg_loader_next(l, batch);
    return l;
}

START_TEST(steps_that_make_no_sense_are_refused) {
    expect_refused(other_shards, loss, TG_ERR_ARGUMENT, ".shards 3");
    expect_refused(whole_batches, loss, TG_ERR_ARGUMENT, ".shards 0");
    expect_refused(in_the_midst, loss, TG_ERR_ARGUMENT, "midst of a batch");
    expect_refused(good, NULL, TG_ERR_ARGUMENT, "function is NULL");
    expect_refused(good, two_numbers, TG_ERR_SHAPE, "one number");
}
END_TEST

START_TEST(gradients_that_are_there_are_refused) {
    tg_model *m = tg_model_new(1);
    tg_dist *d = tg_dist_begin(m, .transport = lone());
    tg_loader *l = loader_of(d, 4);
    ck_assert(tg_dist_gradients(d, l, loss, NULL, NULL));
    ck_assert(!tg_dist_gradients(d, l, loss, NULL, NULL));
    expect_error(TG_ERR_TAPE, "fc1.weight", "has a gradient already");
    ck_assert(!tg_has_grad(tg_model_at(m, 0)));
    tg_dist_end(d);
    tg_error_clear();
    tg_loader_free(l), tg_model_free(m);
}
END_TEST

/* ---- one process ---- */

START_TEST(buffers_are_means_of_shards) {
    tg_model *m = tg_model_new(1);
    tg_dist *d = tg_dist_begin(m, .transport = lone(), .shards = 5);
    tg_tensor *x = tg_zeros(TG_F32, 17, 3);
    for (int64_t i = 0; i < 51; i++) tg_array_set(tg_array_of(x), i, tg_rng_normal(tg_default_rng()));
    tg_tensor *y = tg_ones(TG_F32, 17, 1);
    tg_loader *l = tg_loader_new(2, ((tg_tensor *[]){x, y}), .batch = 17, .shards = 5);
    tg_dist_report r;
    ck_assert(tg_dist_gradients(d, l, loss, NULL, &r));
    ck_assert_int_eq(r.examples, 17);
    ck_assert(!r.stop);
    /* The running mean is that of all shards: the layer's mean of the whole batch, of which a tenth is taken. */
    tg_tensor *mean = tg_model_find(m, "bn.running_mean");
    tg_tensor *h = tg_nn_linear(m, "fc1", x, 6), *all = tg_mean(h, .axes = TG_SHAPE(0));
    for (int64_t i = 0; i < 6; i++) expect_close(tg_get(mean, i), 0.1 * tg_get(all, i), 1e-6);
    ck_assert(tg_get(tg_model_find(m, "bn.num_batches_tracked"), 0) == 1);
    tg_dist_end(d);
    expect_ok();
    tg_loader_free(l), tg_model_free(m);
}
END_TEST

static tg_tensor *plain(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_mse_loss(tg_nn_linear(m, "out", tg_tanh(tg_nn_linear(m, "fc1", batch[0], 6)), 1), batch[1]);
}

START_TEST(uneven_shards_are_weighted) {
    tg_model *m = tg_model_new(1);
    tg_dist *d = tg_dist_begin(m, .transport = lone(), .shards = 5);
    tg_tensor *x = tg_zeros(TG_F64, 17, 3), *y = tg_ones(TG_F64, 17, 1), *batch[2] = {x, y};
    for (int64_t i = 0; i < 51; i++) tg_array_set(tg_array_of(x), i, tg_rng_normal(tg_default_rng()));
    tg_loader *l = tg_loader_new(2, batch, .batch = 17, .shards = 5, .parts = 3);
    tg_dist_report r;
    ck_assert(tg_dist_gradients(d, l, plain, NULL, &r));
    double mine[18];
    ck_assert_int_eq(tg_copy_out(tg_grad_of(tg_model_find(m, "fc1.weight")), mine, sizeof mine), TG_OK);
    tg_model_zero_grad(m);
    tg_tensor *whole = plain(m, batch, NULL);
    expect_close(r.loss, tg_item(whole), 1e-12);
    ck_assert_int_eq(tg_backward(whole), TG_OK);
    expect_elements(tg_grad_of(tg_model_find(m, "fc1.weight")), mine, 1e-12);
    tg_model_zero_grad(m);
    tg_dist_end(d);
    tg_loader_free(l), tg_model_free(m);
}
END_TEST

START_TEST(without_a_loader_each_shard_draws_its_own) {
    double loss_of[2];
    for (int64_t shards = 1; shards <= 2; shards++) {
        tg_model *m = tg_model_new(1);
        tg_dist *d = tg_dist_begin(m, .transport = lone(), .shards = shards);
        tg_dist_report r;
        bool given = false;
        tg_seed(3);
        ck_assert(tg_dist_gradients(d, NULL, drawn, &given, &r));
        ck_assert(!given && r.examples == shards);
        loss_of[shards - 1] = r.loss;
        ck_assert_uint_eq(tg_default_rng()->next, 1);
        tg_dist_end(d);
        tg_model_free(m);
    }
    ck_assert(loss_of[0] != loss_of[1]);
}
END_TEST

static tg_tensor *counts(tg_tensor *grad, void *user) {
    (void)grad;
    ++*(int *)user;
    return NULL;
}

/* One of the program's, and one that it takes away itself with those of the library. */
START_TEST(hooks_of_the_program_stay) {
    tg_model *m = tg_model_new(1);
    tg_dist *d = tg_dist_begin(m, .transport = lone());
    int n = 0;
    bool given = false;
    drawn(m, NULL, &given);
    tg_tensor *w = tg_model_find(m, "fc1.weight");
    tg_register_hook(w, counts, &n);
    ck_assert(tg_dist_gradients(d, NULL, drawn, &given, NULL));
    ck_assert_int_eq(n, 4);
    tg_remove_hooks(tg_model_find(m, "fc1.bias"));
    tg_dist_end(d);
    tg_zero_grad(w);
    tg_backward(tg_sum(w));
    ck_assert_int_eq(n, 5);
    tg_model_free(m);
}
END_TEST

static tg_tensor *nothing(tg_tensor *grad, void *user) {
    (void)user;
    return tg_mul_scalar(grad, 0);
}

/* What a hook returns is what is added up, whenever it was registered. */
START_TEST(later_hooks_count) {
    tg_model *m = tg_model_new(1);
    tg_dist *d = tg_dist_begin(m, .transport = lone());
    bool given = false;
    for (int step = 0; step < 4; step++) {
        ck_assert(tg_dist_gradients(d, NULL, drawn, &given, NULL));
        tg_tensor *w = tg_model_find(m, "fc1.weight");
        ck_assert((tg_get(tg_grad_of(w), 0) == 0) == (step == 2));
        tg_model_zero_grad(m);
        if (step == 1) tg_register_hook(w, nothing, NULL);
        if (step == 2) tg_remove_hooks(w); /* ours too, which is there again in the next step */
    }
    tg_dist_end(d), tg_model_free(m);
}
END_TEST

typedef struct odd_step {
    tg_dist *d;
    int kind;
} odd_step;
enum { LATE_LAYER, LATE_BUFFER, INNER_SUM, INNER_BROADCAST, INNER_GRADIENTS, INNER_END, ODD_STEPS };

static tg_tensor *odd_loss(tg_model *m, tg_tensor **batch, void *user) {
    const odd_step *s = user;
    bool given = false;
    double one = 1;
    (void)batch;
    tg_tensor *x = tg_randn(TG_F32, 4, 3), *y = tg_nn_linear(m, "fc1", x, 2);
    if (s->kind == LATE_LAYER && tg_model_training(m)) y = tg_add(y, tg_nn_linear(m, "late", x, 2));
    if (s->kind == LATE_BUFFER && tg_model_training(m))
        tg_model_buffer(m, "seen", TG_F32, TG_SHAPE(2), (tg_init){0});
    if (s->kind == INNER_SUM) tg_dist_sum(s->d, 1, &one);
    if (s->kind == INNER_BROADCAST) tg_dist_broadcast(s->d);
    if (s->kind == INNER_GRADIENTS) tg_dist_gradients(s->d, NULL, drawn, &given, NULL);
    if (s->kind == INNER_END) tg_dist_end(s->d);
    return tg_mean(tg_square(y));
}

/* A parameter that no rank knew of when the step began would not be added up; and a step is not begun inside of one. */
START_TEST(what_the_function_may_not_do) {
    static const char *const word[ODD_STEPS][2] = {
        {"made late.weight", "training mode"}, {"made seen", "training mode"},  {"tg_dist_sum", "inside"},
        {"tg_dist_broadcast", "inside"},       {"tg_dist_gradients", "inside"}, {"tg_dist_end", "inside"}};
    for (int kind = 0; kind < ODD_STEPS; kind++) {
        tg_model *m = tg_model_new(1);
        odd_step s = {tg_dist_begin(m, .transport = lone()), kind};
        ck_assert(!tg_dist_gradients(s.d, NULL, odd_loss, &s, NULL));
        expect_error(TG_ERR_ARGUMENT, word[kind][0], word[kind][1]);
        tg_dist_end(s.d);
        tg_error_clear();
        tg_model_free(m);
    }
}
END_TEST

/* What tg_fit does not do with .dist; and that it trains. */
START_TEST(fits_are_shared) {
    tg_model *m = tg_model_new(1);
    tg_dist *d = tg_dist_begin(m, .transport = lone());
    tg_optim *o = tg_sgd(m, 0.05);
    tg_loader *l = loader_of(d, 4), *whole = loader_of(d, 0);
    tg_rng own = {0};
    tg_training run = {.model = m, .optim = o, .loader = l, .dist = d};
    tg_fit(&run, loss, .plan = true);
    expect_error(TG_ERR_ARGUMENT, "tg_fit: with .dist", ".plan");
    tg_fit(&run, loss, .accumulate = 2);
    expect_error(TG_ERR_ARGUMENT, "tg_fit: with .dist", ".accumulate", ".parts");
    run.rng = &own;
    tg_fit(&run, loss);
    expect_error(TG_ERR_ARGUMENT, "tg_fit: with .dist", ".rng");
    run.rng = NULL;
    tg_fit_report r;
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 3, .validation = l, .report = &r), TG_OK);
    ck_assert(r.step == 6 && r.epoch == 3 && r.loss.count == EXAMPLES && r.validation.parts == 8);
    tg_fit(&run, loss, .validation = whole);
    expect_error(TG_ERR_ARGUMENT, "tg_dist_evaluate", ".shards 0");
    tg_dist_end(d);
    tg_error_clear();
    tg_optim_free(o), tg_loader_free(l), tg_loader_free(whole), tg_model_free(m);
}
END_TEST

/* Every allocation of the beginning and of two steps fails once: an error, and all as before. */
static bool try_step(int64_t fail, bool second) {
    tg_model *m = tg_model_new(1);
    tg_transport *t = lone();
    tg_loader *l = NULL;
    tg_memory_fail_at(second ? -1 : fail);
    tg_dist *d = tg_dist_begin(m, .transport = t, .shards = 3);
    tg_memory_fail_at(-1);
    if (!d) {
        expect_error(TG_ERR_MEMORY, "");
        tg_model_free(m);
        return false;
    }
    l = loader_of(d, 3);
    tg_optim *o = tg_sgd(m, 0.1);
    if (second) ck_assert(tg_dist_gradients(d, l, loss, NULL, NULL) && tg_optim_step(o) == TG_OK);
    const uint64_t was = second ? tg_model_hash(m) : 0;
    tg_rng stream = *tg_default_rng();
    tg_memory_fail_at(fail);
    const bool well = tg_dist_gradients(d, l, loss, NULL, NULL);
    tg_memory_fail_at(-1);
    if (!well) {
        expect_error(TG_ERR_MEMORY, "");
        tg_loader_state at;
        ck_assert_int_eq(tg_loader_get_state(l, &at), TG_OK);
        ck_assert_int_eq(at.next, second);
        for (int i = 0; i < tg_model_count(m); i++) ck_assert(!tg_has_grad(tg_model_at(m, i)));
        if (second) ck_assert_uint_eq(tg_model_hash(m), was);
        ck_assert(tg_default_rng()->next == stream.next && tg_default_rng()->seed == stream.seed);
    }
    tg_dist_end(d);
    tg_error_clear();
    tg_optim_free(o), tg_loader_free(l), tg_model_free(m);
    return well;
}

START_TEST(memory_that_is_not_there) {
    for (int second = 0; second < 2; second++) {
        int64_t n = 1;
        while (!try_step(n, second)) n++;
        ck_assert_int_gt(n, 10);
    }
}
END_TEST

/* ---- several ranks ---- */

typedef struct rank {
    tg_transport *end;
    int kind;
    uint64_t seed;
    char message[1200];
    tg_status status;
    uint64_t hash;
    double sum[2];
    pthread_t thread;
} rank;

enum { SAME, SEEDS, SHARDS, RANDOM, WIDTH, POSITION, AGREE, LOADED, MOVED };

static void *run(void *user) {
    rank *r = user;
    const bool odd = r->end->rank == 1;
    tg_set_num_threads(1);
    tg_seed(r->kind == RANDOM && odd ? 8 : 7);
    tg_model *m = tg_model_new(r->kind == SEEDS && odd ? 2 : 1);
    tg_dist *d =
        tg_dist_begin(m, .transport = r->end, .shards = r->kind == SHARDS && odd ? 6 : 4, .timeout = 20);
    tg_loader *l = loader_of(d, tg_dist_shards(d));
    r->sum[0] = tg_dist_rank(d), r->sum[1] = 0.5;
    tg_dist_sum(d, 2, r->sum);
    if (r->kind == WIDTH && odd) tg_model_param(m, "other", TG_F32, TG_SHAPE(3), (tg_init){0});
    if (r->kind == POSITION && odd) tg_loader_set_state(l, &(tg_loader_state){0, 0, 1, 2, EXAMPLES});
    if (r->kind == AGREE && odd) tg_fail(TG_ERR_IO, "the disk is full");
    if (r->kind == LOADED) {
        tg_init init = {0};
        tg_tensor *w = tg_model_param(m, "w", TG_F64, TG_SHAPE(3, 2), init);
        tg_set_grad_enabled(false);
        if (tg_dist_rank(d) == 0) tg_fill_(w, 2.5);
        tg_set_grad_enabled(true);
        tg_dist_broadcast(d);
    }
    if (r->kind == AGREE)
        tg_dist_agree(d);
    else if (tg_dist_gradients(d, l, loss, NULL, NULL))
        tg_model_zero_grad(m);
    if (r->kind == MOVED) {
        if (odd) ((float *)tg_data_mut(tg_model_at(m, 0)))[1] += 1e-6f;
        tg_dist_gradients(d, l, loss, NULL, NULL);
    }
    r->status = tg_error_status();
    snprintf(r->message, sizeof r->message, "%s", tg_error_message());
    tg_dist_end(d);
    tg_error_clear();
    r->hash = tg_model_hash(m);
    tg_loader_free(l), tg_model_free(m);
    tg_error_clear();
    return NULL;
}

static void run_ranks(int kind, rank at[RANKS]) {
    tg_transport *end[RANKS];
    ck_assert(tg_transport_pairs(RANKS, end));
    memset(at, 0, RANKS * sizeof *at);
    for (int i = 0; i < RANKS; i++) {
        at[i].end = end[i], at[i].kind = kind;
        ck_assert_int_eq(pthread_create(&at[i].thread, NULL, run, &at[i]), 0);
    }
    for (int i = 0; i < RANKS; i++) pthread_join(at[i].thread, NULL);
}

START_TEST(differences_are_named) {
    static const struct {
        int kind;
        const char *word[2];
    } row[] = {
        {SEEDS, {"rank 1 has a model with seed 2, and rank 0 a model with seed 1"}},
        {SHARDS, {"rank 1 has", "6 shards"}},
        {RANDOM, {"random numbers of seed 8", "random numbers of seed 7"}},
        {WIDTH, {"parameter other [3] f32", "parameter fc1.weight"}},
        {POSITION, {"before batch 1 of 2", "before batch 0 of 2"}},
        {AGREE, {"rank 1 has failed: step 0", "the disk is full"}},
        {MOVED, {"other values of the parameters", "step 2"}},
    };
    for (int i = 0; i < COUNT(row); i++) {
        rank at[RANKS];
        run_ranks(row[i].kind, at);
        for (int k = 0; k < RANKS; k++) {
            ck_assert_msg(at[k].status == (row[i].kind == AGREE && k == 1 ? TG_ERR_IO : TG_ERR_PEER),
                          "case %d, rank %d: %s", i, k, at[k].message);
            for (int w = 0; w < 2 && row[i].word[w] && !(row[i].kind == AGREE && k == 1); w++)
                ck_assert_msg(strstr(at[k].message, row[i].word[w]), "case %d, rank %d: no \"%s\" in: %s", i,
                              k, row[i].word[w], at[k].message);
        }
    }
}
END_TEST

START_TEST(sums_and_broadcasts) {
    rank at[RANKS];
    run_ranks(SAME, at);
    for (int k = 0; k < RANKS; k++) {
        ck_assert_msg(at[k].status == TG_OK, "%s", at[k].message);
        ck_assert(at[k].sum[0] == 3 && at[k].sum[1] == 1.5);
        ck_assert(at[k].hash == at[0].hash);
    }
    run_ranks(LOADED, at);
    for (int k = 0; k < RANKS; k++) {
        ck_assert_msg(at[k].status == TG_OK, "%s", at[k].message);
        ck_assert(at[k].hash == at[0].hash);
    }
}
END_TEST

TCase *tcase_dist(void);
TCase *tcase_dist(void) {
    TCase *t = tcase_create("dist");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, nothing_is_what_one_process_has);
    tcase_add_test(t, options_out_of_range_are_refused);
    tcase_add_test(t, steps_that_make_no_sense_are_refused);
    tcase_add_test(t, gradients_that_are_there_are_refused);
    tcase_add_test(t, buffers_are_means_of_shards);
    tcase_add_test(t, uneven_shards_are_weighted);
    tcase_add_test(t, without_a_loader_each_shard_draws_its_own);
    tcase_add_test(t, hooks_of_the_program_stay);
    tcase_add_test(t, later_hooks_count);
    tcase_add_test(t, what_the_function_may_not_do);
    tcase_add_test(t, fits_are_shared);
    tcase_add_test(t, memory_that_is_not_there);
    tcase_add_test(t, differences_are_named);
    tcase_add_test(t, sums_and_broadcasts);
    return t;
}

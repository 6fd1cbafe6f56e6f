/* Shared plans: several threads run one at the same time, each with the bits of the eager step. */
#include "tests/autograd/helpers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* ---- an op that can be held in the middle of a run ---- */

static _Thread_local bool holds; /* the next run of it on this thread */
static pthread_barrier_t inside, let_go;

static tg_status wait_forward(const tg_call *c) {
    if (holds) holds = false, pthread_barrier_wait(&inside), pthread_barrier_wait(&let_go);
    tg_array_copy(c->out[0], c->in[0]);
    return TG_OK;
}
static const tg_op wait_op = {
    .name = "wait", .n_in = 1, .infer = tg_infer_same, .forward = wait_forward, .grad = TG_NO_GRAD};

/* ---- the step: a layer, numbers drawn, the gradient of what comes out by the input ---- */

typedef struct net {
    tg_tensor *w, *b;
    tg_plan *plan;
    bool calm, stores; /* nothing is drawn; a gradient is stored */
    int burst;         /* runs of one shape in a row */
} net;

static net net_make(void) {
    net n = {.w = param(TG_SHAPE(4, 3)), .b = param(TG_SHAPE(3))};
    tg_set_name(n.w, "w");
    return n;
}

static void net_end(net *n) {
    tg_plan_free(n->plan);
    tg_free(n->w), tg_free(n->b);
}

static tg_tensor *forward(tg_tensor *const *in, void *user) {
    const net *n = user;
    tg_tensor *h = tg_tanh(tg_add(tg_matmul(tg_apply(&wait_op, in, 1, NULL), n->w), n->b)), *l, *g;
    if (!n->calm) h = tg_add(tg_dropout(h, 0.5, true), tg_rand(TG_F64, 3));
    if (!tg_requires_grad(h)) return h;
    l = tg_mean(tg_square(h));
    if (n->stores) tg_backward(l);
    tg_grad(1, &l, 1, (tg_tensor *[]){n->w}, &g);
    return tg_add(tg_sum(g, .axes = TG_SHAPE(0)), h);
}

static tg_tensor *batch(int rows, int number) {
    tg_tensor *x = tg_zeros(TG_F64, rows, 4);
    double *v = tg_data_mut(x);
    for (int i = 0; i < 4 * rows; i++) v[i] = ((i * 7 + number * 13) % 11 - 5) / 10.0;
    return x;
}

static bool same(const tg_tensor *a, const tg_tensor *b) {
    return tg_error_status() == TG_OK && tg_numel(a) == tg_numel(b) &&
           memcmp(tg_data(a), tg_data(b), sizeof(double) * (size_t)tg_numel(b)) == 0;
}

/* One run of the plan and one of the step, from one place of this thread's stream. */
static bool run_both(net *n, int rows, int number) {
    tg_mark before = tg_tape_mark();
    tg_rng here = *tg_default_rng();
    tg_tensor *x = batch(rows, number), *y = tg_plan_run(n->plan, x);
    tg_rng after = *tg_default_rng();
    *tg_default_rng() = here;
    tg_tensor *z = forward(&x, n);
    bool equal = same(y, z) && after.next == tg_default_rng()->next;
    tg_tape_rewind(before);
    return equal;
}

/* ---- many threads ---- */

enum { THREADS = 8, RUNS = 200, SHAPES = 3 };

typedef struct worker {
    pthread_t thread;
    net *net;
    int number, runs, different;
    char error[256];
} worker;

/* A thread that stops in the middle of recording leaves the others to run eagerly, so that a number of runs is not enough. */
static bool has_enough(const tg_plan *plan) {
    const tg_plan_stats s = tg_plan_stats_of(plan);
    return s.recorded >= 2 * SHAPES && s.replayed >= THREADS * RUNS / 4;
}

static void *work(void *of) {
    worker *w = of;
    tg_set_num_threads(1);
    tg_seed((uint64_t)w->number);
    tg_set_grad_enabled(w->number % 4 != 3);
    for (int i = 0; i < RUNS || (i < 500 * RUNS && !has_enough(w->net->plan)); i++, w->runs++)
        w->different += !run_both(w->net, 1 + (i / w->net->burst + w->number) % SHAPES, i);
    snprintf(w->error, sizeof w->error, "%s", tg_error_status() == TG_OK ? "" : tg_error_message());
    return NULL;
}

/* The number of runs. */
static int run_workers(net *n) {
    worker w[THREADS];
    int runs = 0;
    for (int i = 0; i < THREADS; i++) {
        w[i] = (worker){.net = n, .number = i};
        ck_assert_int_eq(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
    }
    for (int i = 0; i < 20; i++) tg_plan_stats_of(n->plan);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(w[i].thread, NULL);
        ck_assert_msg(!w[i].different, "thread %d: %d runs differ. %s", i, w[i].different, w[i].error);
        runs += w[i].runs;
    }
    return runs;
}

START_TEST(test_many_threads_have_the_bits_of_the_step) {
    net n = net_make();
    n.burst = _i ? 20 : 1;
    n.plan = tg_plan_new(forward, &n, .shared = true, .recordings = _i ? 3 : 0); /* 3: some go while they run */
    const int runs = run_workers(&n);
    tg_plan_stats s = tg_plan_stats_of(n.plan);
    ck_assert_int_eq(s.eager + s.replayed, runs);
    ck_assert(has_enough(n.plan));
    if (_i == 0) ck_assert_int_eq(s.recorded, 2 * SHAPES);
    ck_assert_int_le(s.copies, THREADS);
    net_end(&n);
}
END_TEST

/* ---- two threads, one of them held in the middle of a run ---- */

typedef struct held {
    pthread_t thread;
    net *net;
    bool equal;
} held;

static void *run_held(void *of) {
    held *h = of;
    tg_tensor *x = batch(5, 3);
    tg_seed(7);
    holds = true;
    tg_tensor *y = tg_plan_run(h->net->plan, x);
    tg_seed(7);
    tg_tensor *z = forward(&x, h->net);
    h->equal = same(y, z);
    return NULL;
}

/* Returns while the other thread stands in the middle of its run. */
static void hold(held *h, net *n) {
    *h = (held){.net = n};
    pthread_barrier_init(&inside, NULL, 2), pthread_barrier_init(&let_go, NULL, 2);
    ck_assert_int_eq(pthread_create(&h->thread, NULL, run_held, h), 0);
    pthread_barrier_wait(&inside);
}

static void end_hold(held *h) {
    pthread_barrier_wait(&let_go);
    pthread_join(h->thread, NULL);
    pthread_barrier_destroy(&inside), pthread_barrier_destroy(&let_go);
    ck_assert(h->equal);
}

static void run_beside(net *n) {
    held h;
    hold(&h, n);
    for (int i = 0; i < 3; i++) ck_assert(run_both(n, 5, i));
    end_hold(&h);
}

START_TEST(test_each_thread_has_a_copy) {
    net n = net_make();
    n.plan = tg_plan_new(forward, &n, .shared = true);
    for (int i = 0; i < 3; i++) ck_assert(run_both(&n, 5, i));
    ck_assert_int_eq(tg_plan_stats_of(n.plan).copies, 1);
    for (int k = 0; k < 2; k++) { /* the second time there is one */
        run_beside(&n);
        ck_assert_int_eq(tg_plan_stats_of(n.plan).copies, 2);
    }
    ck_assert_int_eq(tg_plan_stats_of(n.plan).eager, 2);
    ck_assert_int_eq(tg_plan_stats_of(n.plan).recorded, 1);
    net_end(&n);
}
END_TEST

/* What is recorded does not keep others from running, and they do not make it another. */
START_TEST(test_others_run_eagerly_while_one_records) {
    net n = net_make();
    n.plan = tg_plan_new(forward, &n, .shared = true);
    for (int k = 0; k < 2; k++) run_beside(&n);
    ck_assert_int_eq(tg_plan_stats_of(n.plan).recorded, 1);
    ck_assert_int_eq(tg_plan_stats_of(n.plan).eager, 8);
    ck_assert(run_both(&n, 5, 0));
    ck_assert_int_eq(tg_plan_stats_of(n.plan).replayed, 1);
    net_end(&n);
}
END_TEST

START_TEST(test_no_freeing_while_a_thread_runs) {
    net n = net_make();
    held h;
    n.plan = tg_plan_new(forward, &n, .shared = true);
    for (int i = 0; i < 3 * _i; i++) run_both(&n, 5, i); /* it records, or replays */
    hold(&h, &n);
    tg_plan_free(n.plan);
    expect_error(TG_ERR_ARGUMENT, "tg_plan_free", "running");
    ck_assert(run_both(&n, 5, 1));
    end_hold(&h);
    net_end(&n);
    expect_ok();
}
END_TEST

/* Its recording is pushed out, or no longer holds, while it runs. */
START_TEST(test_a_recording_goes_when_its_last_run_ends) {
    net n = net_make();
    held h;
    n.calm = true;
    n.plan = tg_plan_new(forward, &n, .shared = true, .recordings = 1);
    for (int i = 0; i < 3; i++) run_both(&n, 5, i);
    size_t bytes[3];
    for (int round = 0; round < 3; round++) {
        hold(&h, &n);
        tg_tensor *b = n.b;
        if (_i) n.b = tg_param(tg_mul_scalar(b, 1)); /* of the same numbers, so that the held run is right */
        for (int i = 0; i < 4; i++) ck_assert(run_both(&n, _i ? 5 : 2, i));
        end_hold(&h);
        if (_i) tg_free(b);
        for (int i = 0; i < 4; i++) ck_assert(run_both(&n, 5, i));
        ck_assert_int_eq(tg_plan_stats_of(n.plan).kept, 1);
        bytes[round] = tg_memory_now().system_bytes;
    }
    ck_assert_uint_lt(bytes[2], bytes[1] + 1024); /* a program has more */
    net_end(&n);
}
END_TEST

/* ---- what a shared plan refuses ---- */

typedef enum change {
    STORES,
    STORES_IN_INPUT,
    ADDS,
    FILLS_INPUT,
    DRAWS,
    ZEROES,
    STORES_IN_ITS_OWN,
    CHANGES_ITS_OWN
} change;

typedef struct changer {
    tg_tensor *w;
    tg_rng stream;
    change what;
} changer;

static tg_tensor *changes(tg_tensor *const *in, void *user) {
    changer *c = user;
    tg_tensor *y = tg_tanh(tg_matmul(in[0], c->w)), *own = tg_ones(TG_F64, 3);
    bool was =
        tg_set_grad_enabled(c->what == STORES || c->what == STORES_IN_INPUT || c->what == STORES_IN_ITS_OWN);
    switch (c->what) {
    case STORES:
    case STORES_IN_INPUT:
        tg_backward(tg_sum(tg_mul(y, y)));
        break;
    case ADDS:
        tg_add_(c->w, tg_ones(TG_F64, 4, 3), 1);
        break;
    case FILLS_INPUT:
        tg_fill_(in[0], 3);
        break;
    case DRAWS:
        y = tg_add(y, tg_to(tg_randperm(3, .rng = &c->stream), TG_F64));
        break;
    case ZEROES:
        tg_zero_grad(c->w);
        break;
    case STORES_IN_ITS_OWN:
        tg_set_requires_grad(own, true);
        tg_backward(tg_sum(tg_mul(tg_detach(y), own)));
        y = tg_add(y, tg_grad_of(own));
        break;
    case CHANGES_ITS_OWN:
        tg_add_(own, tg_ones(TG_F64, 3), 1);
        y = tg_mul(y, own);
        break;
    }
    tg_set_grad_enabled(was);
    return y;
}

static const struct refused {
    change what;
    const char *words[4]; /* NULL: it is not */
} refusals[] = {
    {STORES, {"tg_backward: w [4, 3] f64", "shared plan", "tg_grad", "test_shared.c"}},
    {STORES_IN_INPUT, {"tg_backward", "shared plan", "tg_grad", "test_shared.c"}},
    {ADDS, {"add_: w [4, 3] f64", "shared plan", "may not change", "test_shared.c"}},
    {FILLS_INPUT, {"fill_: x [5, 4] f64", "shared plan", "may not change", "test_shared.c"}},
    {DRAWS, {"randperm", "stream", "shared plan", "test_shared.c"}},
    {ZEROES, {"tg_zero_grad", "outlives", "shared plan", "shared plan"}},
    {STORES_IN_ITS_OWN, {NULL}},
    {CHANGES_ITS_OWN, {NULL}},
};

/* And what it refuses has not been done. */
START_TEST(test_what_outlives_the_run_is_not_changed) {
    const struct refused *r = &refusals[_i];
    changer c = {.w = tg_set_name(param(TG_SHAPE(4, 3)), "w"), .what = r->what};
    if (r->what == STORES_IN_INPUT) tg_set_requires_grad(c.w, false);
    tg_plan *plan = tg_plan_new(changes, &c, .shared = true);
    for (int i = 0; i < 4; i++) {
        tg_tensor *x = tg_set_name(batch(5, i), "x"), *again = batch(5, i);
        tg_set_requires_grad(x, r->what == STORES_IN_INPUT);
        bool poison = tg_is_poison(tg_plan_run(plan, x));
        ck_assert_int_eq(poison, r->words[0] != NULL);
        if (poison) expect_error(TG_ERR_TAPE, r->words[0], r->words[1], r->words[2], r->words[3]);
        expect_ok();
        ck_assert(same(x, again) && !tg_has_grad(x) && !tg_has_grad(c.w));
        ck_assert_double_eq(tg_get(c.w, 0), 1);
        ck_assert_uint_eq(c.stream.next, 0);
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, r->words[0] ? 0 : 2);
    tg_plan_free(plan);
    tg_free(c.w);
}
END_TEST

/* Where another records, or a run is undone, too. */
START_TEST(test_unrecorded_runs_change_nothing_either) {
    net n = net_make();
    held h;
    n.plan = tg_plan_new(forward, &n, .shared = true);
    hold(&h, &n);
    n.calm = true, n.stores = true;
    ck_assert(tg_is_poison(tg_plan_run(n.plan, batch(5, 0))));
    expect_error(TG_ERR_TAPE, "tg_backward", "shared plan");
    n.calm = n.stores = false;
    end_hold(&h);
    ck_assert(!tg_has_grad(n.w));
    net_end(&n);
}
END_TEST

static tg_tensor *spread(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_std(tg_mul(in[0], tg_rand(TG_F64, 5, 4)));
}

START_TEST(test_a_shared_run_is_undone) {
    tg_plan *plan = tg_plan_new(spread, NULL, .shared = true);
    for (int i = 0; i < 6; i++) {
        tg_tensor *x = batch(5, i);
        if (i == 4) x = tg_mul_scalar(x, 1e200);
        tg_seed(3);
        tg_tensor *y = tg_plan_run(plan, x);
        tg_seed(3);
        expect_value(y, tg_item(spread(&x, NULL)));
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).undone, 1);
    ck_assert_int_eq(tg_plan_stats_of(plan).eager, 3);
    tg_plan_free(plan);
}
END_TEST

/* ---- any allocation can fail ---- */

START_TEST(test_a_copy_without_memory) {
    net n = net_make();
    held h;
    int failed = 0;
    for (int k = 0; k < 60; k++) {
        n.plan = tg_plan_new(forward, &n, .shared = true);
        for (int i = 0; i < 3; i++) ck_assert(run_both(&n, 5, i));
        hold(&h, &n);
        tg_tensor *x = batch(5, 1);
        tg_seed(5);
        tg_memory_fail_at(k);
        tg_tensor *y = tg_plan_run(n.plan, x);
        tg_memory_fail_at(-1);
        bool poison = tg_is_poison(y);
        if (poison) expect_error(TG_ERR_MEMORY, "");
        failed += poison;
        tg_seed(5);
        ck_assert(poison || same(y, forward(&x, &n)));
        ck_assert(run_both(&n, 5, 2));
        end_hold(&h);
        ck_assert_int_eq(tg_plan_stats_of(n.plan).copies, 2);
        tg_plan_free(n.plan), n.plan = NULL;
    }
    ck_assert_int_lt(failed, 30); /* without a copy the run is eager */
    net_end(&n);
}
END_TEST

START_TEST(test_shared_replay_makes_no_malloc) {
    net n = net_make();
    held h;
    n.plan = tg_plan_new(forward, &n, .shared = true);
    for (int i = 0; i < 3; i++) run_both(&n, 5, i);
    hold(&h, &n);
    for (int i = 0; i < 3; i++) run_both(&n, 5, i);
    uint64_t mallocs = tg_memory_now().mallocs;
    for (int i = 0; i < 20; i++) run_both(&n, 5, i);
    ck_assert_uint_eq(tg_memory_now().mallocs, mallocs);
    end_hold(&h);
    net_end(&n);
}
END_TEST

TCase *tcase_shared(void) {
    TCase *t = tcase_create("shared");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, begin_test, end_test);
    tcase_add_loop_test(t, test_many_threads_have_the_bits_of_the_step, 0, 2);
    tcase_add_test(t, test_each_thread_has_a_copy);
    tcase_add_test(t, test_others_run_eagerly_while_one_records);
    tcase_add_loop_test(t, test_no_freeing_while_a_thread_runs, 0, 2);
    tcase_add_loop_test(t, test_a_recording_goes_when_its_last_run_ends, 0, 2);
    tcase_add_loop_test(t, test_what_outlives_the_run_is_not_changed, 0,
                        (int)(sizeof refusals / sizeof *refusals));
    tcase_add_test(t, test_unrecorded_runs_change_nothing_either);
    tcase_add_test(t, test_a_shared_run_is_undone);
    tcase_add_test(t, test_a_copy_without_memory);
    tcase_add_test(t, test_shared_replay_makes_no_malloc);
    return t;
}

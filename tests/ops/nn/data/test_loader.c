/* Loaders: which examples come when, that a thread changes nothing, and what happens when something fails. */
#include "tests/ops/nn/helpers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Example i: three f32 that tell it, and i itself. On the tape. */
static void make_data(int64_t n, tg_tensor *data[2]) {
    data[0] = tg_zeros(TG_F32, n, 3);
    data[1] = tg_zeros(TG_I64, n);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < 3; c++) tg_array_set(tg_array_of(data[0]), 3 * i + c, (double)(10 * i + c));
        tg_array_set(tg_array_of(data[1]), i, (double)i);
    }
}

static tg_loader *make_loader(int64_t n, tg_loader_new_opts opts) {
    tg_tensor *data[2];
    const tg_mark mark = tg_tape_mark();
    make_data(n, data);
    tg_loader *l = tg_loader_new_with(2, data, opts);
    tg_tape_rewind(mark); /* the loader keeps what it needs */
    expect_ok();
    return l;
}

/* What a run of batches was: the numbers of the examples, -1 at each end of an epoch, and all elements in a hash. Made on any
 * thread, where Check's assertions would be a race: `wrong` says that something was. */
typedef struct run {
    int64_t example[4096];
    int n, batches;
    uint64_t hash;
    bool wrong;
} run;

static void add_bytes(run *r, const tg_tensor *t) {
    const unsigned char *b = tg_data(t);
    const size_t bytes = (size_t)tg_numel(t) * tg_dtype_size(tg_dtype_of(t));
    for (size_t i = 0; i < bytes; i++) r->hash = (r->hash ^ b[i]) * UINT64_C(0x100000001b3);
}

/* Adds the next batch; false at the end of an epoch. */
static bool step(tg_loader *l, run *r) {
    tg_tensor *batch[2];
    const tg_mark mark = tg_tape_mark();
    const bool more = tg_loader_next(l, batch);
    if (more) {
        for (int64_t i = 0; i < tg_size(batch[1], 0); i++) r->example[r->n++] = (int64_t)tg_get(batch[1], i);
        add_bytes(r, batch[0]);
        add_bytes(r, batch[1]);
        r->batches++;
    } else {
        r->example[r->n++] = -1;
        r->wrong |= !tg_is_poison(batch[0]) || !tg_is_poison(batch[1]);
    }
    r->wrong |= tg_tape_rewind(mark) != TG_OK || tg_error_status() != TG_OK;
    return more;
}

static run run_epochs(tg_loader *l, int epochs) {
    run r = {.n = 0};
    for (int e = 0; e < epochs; e++)
        while (step(l, &r)) continue;
    return r;
}

static void expect_same(const run *a, const run *b) {
    expect_ok();
    ck_assert(!a->wrong && !b->wrong);
    ck_assert_int_eq(a->n, b->n);
    ck_assert_mem_eq(a->example, b->example, (size_t)a->n * sizeof *a->example);
    ck_assert_uint_eq(a->hash, b->hash);
}

/* Noise from both streams, which are one; doubles, in another shape. */
static tg_status augment(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    (void)user;
    if (n != 2 || tg_grad_enabled() || rng != tg_default_rng()) return TG_ERR_TAPE;
    float *x = tg_data_mut(batch[0]);
    for (int64_t i = 0; i < tg_numel(batch[0]); i++) x[i] += (float)tg_rng_uniform(rng);
    batch[0] = tg_add(tg_to(tg_reshape(batch[0], -1), TG_F64), tg_rand(TG_F64, tg_numel(batch[0])));
    return TG_OK;
}

/* ---- which examples ---- */

static const struct shape {
    int64_t n, batch, ranks;
    bool drop_last;
    int64_t batches, given; /* on each rank; by all ranks */
} shapes[] = {
    {10, 3, 1, false, 4, 10},      {10, 3, 1, true, 3, 9},     {9, 3, 1, false, 3, 9},
    {9, 3, 1, true, 3, 9},         {1, 1, 1, true, 1, 1},      {5, 64, 1, false, 1, 5},
    {5, 0, 1, false, 5, 5},        {20, 3, 2, false, 4, 20},   {20, 3, 2, true, 3, 18},
    {19, 3, 2, false, 3, 18},      {7, 3, 2, false, 1, 6},     {8, 3, 2, false, 2, 8},
    {11, 3, 2, false, 2, 11},      {100, 7, 4, false, 4, 100}, {87, 7, 4, false, 3, 84},
    {88, 7, 4, false, 4, 88},      {3, 7, 3, false, 1, 3},     {300, 1, 300, true, 1, 300},
    {1000, 64, 3, false, 6, 1000},
};

/* In each epoch an example comes once or, of a rest that is left out, not at all; all ranks have equally many batches,
 * and together those of one loader with larger batches. */
START_TEST(each_example_once) {
    const struct shape *s = &shapes[_i / 2];
    const bool shuffle = _i % 2;
    tg_loader_new_opts opts = {.batch = s->batch * s->ranks, .shuffle = shuffle, .seed = 7, .drop_last = true};
    tg_loader *whole = s->n >= opts.batch && s->batch > 0 ? make_loader(s->n, opts) : NULL;
    const run all = whole ? run_epochs(whole, 1) : (run){.n = 0};
    int seen[1000] = {0};
    for (int64_t rank = 0; rank < s->ranks; rank++) {
        opts = (tg_loader_new_opts){.batch = s->batch,
                                    .shuffle = shuffle,
                                    .seed = 7,
                                    .drop_last = s->drop_last,
                                    .rank = rank,
                                    .ranks = s->ranks};
        tg_loader *l = make_loader(s->n, opts);
        ck_assert_int_eq(tg_loader_batches(l), s->batches);
        const run r = run_epochs(l, 1);
        ck_assert(!r.wrong && r.batches == s->batches);
        for (int i = 0; i < r.n - 1; i++) seen[r.example[i]]++;
        for (int64_t i = 0, full = whole ? s->n / (s->batch * s->ranks) : 0; i < full * s->batch; i++)
            ck_assert_int_eq(r.example[i],
                             all.example[(i / s->batch * s->ranks + rank) * s->batch + i % s->batch]);
        tg_loader_free(l);
    }
    int64_t given = 0;
    for (int64_t i = 0; i < s->n; i++) {
        ck_assert_int_le(seen[i], 1);
        given += seen[i];
    }
    ck_assert_int_eq(given, s->given);
    tg_loader_free(whole);
}
END_TEST

START_TEST(in_the_order_of_the_tensors) {
    tg_loader *l = make_loader(7, (tg_loader_new_opts){.batch = 3, .seed = 5});
    const int64_t expected[] = {0, 1, 2, 3, 4, 5, 6, -1, 0, 1, 2, 3, 4, 5, 6, -1};
    const run r = run_epochs(l, 2);
    ck_assert(!r.wrong && r.n == 16);
    ck_assert_mem_eq(r.example, expected, sizeof expected);
    tg_loader_free(l);
}
END_TEST

/* Another order in each epoch and for each seed, and always the same one for the same. These are the orders. */
START_TEST(orders) {
    tg_loader *a = make_loader(6, (tg_loader_new_opts){.batch = 4, .shuffle = true, .seed = 1}),
              *b = make_loader(6, (tg_loader_new_opts){.batch = 6, .shuffle = true, .seed = 1}),
              *c = make_loader(6, (tg_loader_new_opts){.batch = 6, .shuffle = true, .seed = 2});
    const run ra = run_epochs(a, 3), rb = run_epochs(b, 3), rc = run_epochs(c, 3);
    ck_assert(!ra.wrong && !rb.wrong && !rc.wrong && ra.n == 21);
    ck_assert_mem_eq(ra.example, rb.example, sizeof *ra.example * 21);
    ck_assert(memcmp(ra.example, rc.example, sizeof *ra.example * 21) != 0);
    ck_assert(memcmp(ra.example, ra.example + 7, sizeof *ra.example * 6) != 0);
    ck_assert(memcmp(ra.example + 7, ra.example + 14, sizeof *ra.example * 6) != 0);
    tg_loader_free(a);
    tg_loader_free(b);
    tg_loader_free(c);
}
END_TEST

/* Of 3 examples each of the 6 orders comes about equally often. */
START_TEST(orders_are_uniform) {
    tg_loader *l = make_loader(3, (tg_loader_new_opts){.batch = 3, .shuffle = true, .seed = 3});
    int count[27] = {0};
    for (int e = 0; e < 600; e++) {
        const run r = run_epochs(l, 1);
        count[9 * r.example[0] + 3 * r.example[1] + r.example[2]]++;
    }
    int different = 0;
    for (int i = 0; i < 27; i++) {
        different += count[i] > 0;
        ck_assert(count[i] == 0 || (count[i] > 60 && count[i] < 140)); /* 4 standard deviations of 9 */
    }
    ck_assert_int_eq(different, 6);
    tg_loader_free(l);
}
END_TEST

/* ---- the same with a thread, and from any position ---- */

static const tg_loader_new_opts kinds[] = {
    {.batch = 4},
    {.batch = 4, .shuffle = true, .seed = 3},
    {.batch = 4, .shuffle = true, .seed = 3, .transform = augment},
    {.batch = 3, .seed = 9, .transform = augment, .drop_last = true},
    {.batch = 2, .shuffle = true, .transform = augment, .rank = 1, .ranks = 3},
    {.batch = 1, .shuffle = true, .seed = UINT64_MAX, .transform = augment},
};
static const int64_t ahead[] = {1, 2, 3, 7, 64};

START_TEST(a_thread_changes_nothing) {
    tg_loader_new_opts opts = kinds[_i];
    tg_loader *l = make_loader(19, opts);
    const run expected = run_epochs(l, 5);
    tg_loader_free(l);
    for (int k = 0; k < COUNT(ahead); k++) {
        opts.prefetch = ahead[k];
        l = make_loader(19, opts);
        const run r = run_epochs(l, 5);
        expect_same(&r, &expected);
        tg_loader_free(l);
    }
}
END_TEST

/* At every position of three epochs: a loader that is set there goes on as the first does, though it was elsewhere. */
START_TEST(from_any_position) {
    tg_loader_new_opts opts = kinds[_i % COUNT(kinds)];
    opts.prefetch = _i < COUNT(kinds) ? 0 : 3;
    tg_loader *l = make_loader(19, opts);
    opts.seed += 100; /* the state has the seed */
    tg_loader *other = make_loader(19, opts);
    run passed = {.n = 0};
    step(other, &passed);
    for (int i = 0; i < 3 * (int)(tg_loader_batches(l) + 1); i++) {
        tg_loader_state state, again;
        ck_assert_int_eq(tg_loader_get_state(l, &state), TG_OK);
        ck_assert_int_eq(state.epoch, i / (tg_loader_batches(l) + 1));
        ck_assert_int_eq(state.next, i % (tg_loader_batches(l) + 1));
        ck_assert_int_eq(tg_loader_set_state(other, &state), TG_OK);
        const run b = run_epochs(other, 2);
        ck_assert_int_eq(tg_loader_set_state(other, &state), TG_OK);
        ck_assert_int_eq(tg_loader_get_state(other, &again), TG_OK);
        ck_assert_mem_eq(&again, &state, sizeof state);
        const run c = run_epochs(other, 2);
        expect_same(&b, &c);
        tg_loader *fresh = make_loader(19, opts);
        ck_assert_int_eq(tg_loader_set_state(fresh, &state), TG_OK);
        const run d = run_epochs(fresh, 2);
        expect_same(&b, &d);
        tg_loader_free(fresh);
        run first = {.n = 0};
        step(l, &first);
        ck_assert(!first.wrong);
        ck_assert_mem_eq(first.example, b.example, (size_t)first.n * sizeof *first.example);
    }
    tg_loader_free(l);
    tg_loader_free(other);
}
END_TEST

static const struct bad_state {
    tg_loader_state state;
    const char *says;
} bad_states[] = {
    {{1, 0, 0, 4, 19}, "the state is of 19 examples in 4 batches, and this loader has 19 in 5"},
    {{1, 0, 0, 5, 20}, "the state is of 20 examples in 5 batches"},
    {{1, 0, 6, 5, 19}, "there is no batch 6 of epoch 0"},
    {{1, 0, -1, 5, 19}, "there is no batch -1 of epoch 0"},
    {{1, -1, 0, 5, 19}, "there is no batch 0 of epoch -1"},
    {{1, INT64_MAX, 0, 5, 19}, "there is no batch 0 of epoch 9223372036854775807"},
};

START_TEST(bad_states_change_nothing) {
    tg_loader *l = make_loader(19, kinds[1]);
    tg_loader_state before, after;
    run r = {.n = 0};
    step(l, &r);
    ck_assert(!r.wrong);
    tg_loader_get_state(l, &before);
    ck_assert_int_eq(tg_loader_set_state(l, &bad_states[_i].state), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_loader_set_state: ", bad_states[_i].says);
    tg_loader_get_state(l, &after);
    ck_assert_mem_eq(&before, &after, sizeof before);
    ck_assert_int_eq(tg_loader_set_state(l, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "the state is NULL");
    ck_assert_int_eq(tg_loader_get_state(l, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "the state is NULL");
    tg_loader_free(l);
}
END_TEST

/* The caller's own draws go on as without the loader. */
START_TEST(random_numbers_of_the_caller) {
    for (int64_t prefetch = 0; prefetch < 3; prefetch += 2) {
        tg_loader_new_opts opts = kinds[2];
        opts.prefetch = prefetch;
        tg_loader *l = make_loader(19, opts);
        tg_seed(5);
        run_epochs(l, 2);
        const uint64_t drawn = tg_rng_bits(NULL);
        tg_seed(5);
        ck_assert_uint_eq(drawn, tg_rng_bits(NULL));
        tg_loader_free(l);
    }
}
END_TEST

/* ---- what a batch is ---- */

/* Copies, without a history, of any dtype and layout, that live as the result of an op does. */
START_TEST(batches_are_copies) {
    tg_tensor *w = tg_param(tg_ones(TG_F32, 4, 2)), *batch[6], *more[6];
    tg_tensor *wide = tg_zeros(TG_F64, 2, 4);
    for (int i = 0; i < 8; i++) tg_array_set(tg_array_of(wide), i, i);
    tg_tensor *data[6] = {w,
                          tg_transpose(wide, 0, 1),
                          tg_ones(TG_U8, 4, 1, 2),
                          tg_ones(TG_BOOL, 4),
                          tg_full(TG_I32, 3, 4, 0),
                          tg_expand(tg_scalar(TG_F32, 5), 4, 3)};
    for (int64_t prefetch = 0; prefetch < 2; prefetch++) {
        tg_loader *l = tg_loader_new(6, data, .batch = 2, .prefetch = prefetch);
        ck_assert(tg_loader_next(l, batch) && tg_loader_next(l, more));
        expect_ok();
        tg_loader_free(l);
        for (int i = 0; i < 6; i++) {
            ck_assert_int_eq(tg_dtype_of(batch[i]), tg_dtype_of(data[i]));
            ck_assert(!tg_requires_grad(batch[i]) && tg_is_alive(more[i]));
            ck_assert_int_eq(tg_size(batch[i], 0), 2);
        }
        ck_assert(tg_get(batch[1], 0) == 0 && tg_get(batch[1], 1) == 4 && tg_get(more[1], 3) == 7);
        ck_assert(tg_get(more[5], 5) == 5);
        ((float *)tg_data_mut(batch[0]))[0] = 7;
        ck_assert(tg_get(w, 0) == 1);
        tg_add_(batch[0], batch[0], 1);
        expect_ok();
    }
    tg_free(w);
}
END_TEST

/* A batch ends with the step that it is rewound with, and a loss over several of them has gradients. */
START_TEST(batches_live_on_the_tape) {
    tg_model *m = tg_model_new(1);
    tg_loader *l = make_loader(8, (tg_loader_new_opts){.batch = 2, .shuffle = true, .prefetch = 2});
    tg_tensor *batch[2], *loss = NULL;
    const tg_mark mark = tg_tape_mark();
    while (tg_loader_next(l, batch)) {
        tg_tensor *part = tg_mean(tg_nn_linear(m, "fc", batch[0], 2));
        loss = loss ? tg_add(loss, part) : part;
    }
    ck_assert_int_eq(tg_backward(loss), TG_OK);
    ck_assert(tg_loader_next(l, batch));
    ck_assert_int_eq(tg_tape_rewind(mark), TG_OK);
    ck_assert(!tg_is_alive(batch[0]));
    ck_assert(isnan(tg_item(batch[0])));
    expect_error(TG_ERR_LIFETIME, "");
    tg_loader_free(l);
    tg_model_free(m);
}
END_TEST

/* A steady step asks the system for no memory, on either thread. */
START_TEST(steady_steps_allocate_nothing) {
    tg_tensor *data[2] = {tg_rand(TG_F32, 2000, 784), tg_zeros(TG_I64, 2000)};
    for (int64_t prefetch = 0; prefetch < 5; prefetch += 2) {
        tg_loader *l = tg_loader_new(2, data, .batch = 64, .shuffle = true, .prefetch = prefetch);
        uint64_t before = 0;
        for (int i = 0; i < 300; i++) {
            tg_tensor *batch[2];
            const tg_mark mark = tg_tape_mark();
            if (i == 100) before = tg_memory_now().mallocs;
            if (tg_loader_next(l, batch)) ck_assert_int_eq(tg_size(batch[0], 1), 784);
            tg_tape_rewind(mark);
        }
        expect_ok();
        ck_assert_uint_le(tg_memory_now().mallocs - before, 20);
        tg_loader_free(l);
    }
}
END_TEST

/* ---- what fails ---- */

static const struct bad_loader {
    int n;
    tg_shape first, second; /* of data[0] and data[1] */
    tg_loader_new_opts opts;
    tg_status status;
    const char *says;
} bad_loaders[] = {
    {0, {1, {4}}, {1, {4}}, {0}, TG_ERR_ARGUMENT, "needs 1 to 64 tensors, not 0"},
    {-1, {1, {4}}, {1, {4}}, {0}, TG_ERR_ARGUMENT, "needs 1 to 64 tensors, not -1"},
    {65, {1, {4}}, {1, {4}}, {0}, TG_ERR_ARGUMENT, "needs 1 to 64 tensors, not 65"},
    {2, {1, {4}}, {0, {0}}, {0}, TG_ERR_SHAPE, "tensor 1 is a scalar, which has no examples: [] f32"},
    {2,
     {2, {4, 2}},
     {1, {5}},
     {0},
     TG_ERR_SHAPE,
     "tensors 0 and 1 have different numbers of examples: [4, 2] f32, [5] f32"},
    {1, {2, {0, 3}}, {0}, {0}, TG_ERR_SHAPE, "0 examples make no batch of 1 for 1 ranks"},
    {1,
     {1, {4}},
     {0},
     {.batch = 5, .drop_last = true},
     TG_ERR_SHAPE,
     "4 examples make no batch of 5 for 1 ranks, with drop_last"},
    {1, {1, {4}}, {0}, {.ranks = 5}, TG_ERR_SHAPE, "4 examples make no batch of 1 for 5 ranks"},
    {1, {1, {4}}, {0}, {.batch = -1}, TG_ERR_ARGUMENT, "batches of -1 examples for 1 ranks make no sense"},
    {1, {1, {4}}, {0}, {.ranks = -2}, TG_ERR_ARGUMENT, "for -2 ranks make no sense"},
    {1, {1, {4}}, {0}, {.batch = INT64_MAX, .ranks = 2}, TG_ERR_ARGUMENT, "make no sense"},
    {1, {1, {4}}, {0}, {.rank = 1}, TG_ERR_ARGUMENT, "the rank is 1, outside [0, 1)"},
    {1, {1, {4}}, {0}, {.rank = -1, .ranks = 2}, TG_ERR_ARGUMENT, "the rank is -1, outside [0, 2)"},
    {1, {1, {4}}, {0}, {.prefetch = -1}, TG_ERR_ARGUMENT, "prefetch is -1, outside [0, 1024]"},
    {1, {1, {4}}, {0}, {.prefetch = 1025}, TG_ERR_ARGUMENT, "prefetch is 1025, outside [0, 1024]"},
};

START_TEST(bad_options) {
    const struct bad_loader *b = &bad_loaders[_i];
    tg_tensor *data[2] = {tg_zeros_with(TG_F32, b->first), tg_zeros_with(TG_F32, b->second)};
    const size_t live = tg_memory_now().live_buffer_bytes;
    ck_assert_ptr_null(tg_loader_new_with(b->n, data, b->opts));
    expect_error(b->status, "tg_loader_new: ", b->says);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
}
END_TEST

START_TEST(misuse) {
    tg_tensor *batch[2] = {NULL, NULL};
    tg_loader_state state = {0};
    tg_model *model = tg_model_new(1);
    tg_loader *freed = make_loader(4, kinds[0]), *l = make_loader(4, kinds[0]);
    tg_loader_free(freed);
    tg_loader *const none[] = {NULL, freed, (tg_loader *)model};
    for (int i = 0; i < 3; i++) {
        ck_assert(!tg_loader_next(none[i], batch));
        expect_error(TG_ERR_ARGUMENT, "tg_loader_next: the loader ");
        ck_assert_int_eq(tg_loader_batches(none[i]), 0);
        expect_error(TG_ERR_ARGUMENT, "tg_loader_batches: the loader ");
        ck_assert_int_eq(tg_loader_get_state(none[i], &state), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "tg_loader_get_state: the loader ");
        ck_assert_int_eq(tg_loader_set_state(none[i], &state), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "tg_loader_set_state: the loader ");
        tg_loader_free(none[i]);
        if (none[i]) expect_error(TG_ERR_ARGUMENT, "tg_loader_free: the loader ");
        expect_ok();
    }
    ck_assert(!tg_loader_next(l, NULL));
    expect_error(TG_ERR_ARGUMENT, "there is no place for the batch");
    ck_assert_ptr_null(tg_loader_new(2, NULL));
    expect_error(TG_ERR_ARGUMENT, "needs 1 to 64 tensors");
    ck_assert_ptr_null(tg_loader_new(1, (tg_tensor *[]){NULL}));
    expect_error(TG_ERR_ARGUMENT, "NULL");
    tg_fail(TG_ERR_IO, "earlier");
    ck_assert(!tg_loader_next(l, batch) && tg_is_poison(batch[0]) && tg_is_poison(batch[1]));
    ck_assert_ptr_null(tg_loader_new(1, (tg_tensor *[]){tg_zeros(TG_F32, 2)}));
    expect_error(TG_ERR_IO, "earlier");
    tg_loader_get_state(l, &state);
    ck_assert(state.epoch == 0 && state.next == 0);
    tg_loader_free(l);
    tg_model_free(model);
}
END_TEST

/* The ways in which a transform fails at its fifth call, and what is then said. */
typedef struct failing {
    int way, calls;
    tg_loader *loader;
} failing;

static tg_status fails(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    failing *f = user;
    (void)rng;
    if (++f->calls != 5) return TG_OK;
    switch (f->way) {
    case 0:
        return tg_fail(TG_ERR_FORMAT, "my_transform: there is a cat in it");
    case 1:
        return tg_add(batch[0], tg_zeros(TG_F32, 7)) == tg_poison() ? TG_OK : TG_ERR_TAPE;
    case 2:
        return TG_ERR_IO;
    case 3:
        batch[n - 1] = NULL;
        return TG_OK;
    case 4:
        tg_loader_next(f->loader, batch);
        return TG_OK;
    case 5:
        tg_loader_free(f->loader);
        return TG_OK;
    default:
        tg_memory_fail_from(1);
        batch[0] = tg_rand(TG_F32, 100, 100);
        tg_memory_fail_from(-1);
        return TG_OK;
    }
}

static const struct failure {
    tg_status status;
    const char *says;
} failures[] = {
    {TG_ERR_FORMAT, "my_transform: there is a cat in it"},
    {TG_ERR_SHAPE, "add: "},
    {TG_ERR_IO, "tg_loader_next: "},
    {TG_ERR_LIFETIME, "tg_loader_next: the transform has left no tensor in place 1"},
    {TG_ERR_ARGUMENT, "tg_loader_next: the loader's own transform is running"},
    {TG_ERR_ARGUMENT, "tg_loader_free: the loader's own transform is running"},
    {TG_ERR_MEMORY, "out of memory"},
};

/* The message is the same with a thread and without, up to the line of the call that had none yet; the batch is the one that
 * would have come, and comes when it is asked for again. */
START_TEST(failing_transforms) {
    const struct failure *f = &failures[_i];
    char message[512] = "";
    for (int64_t prefetch = 0; prefetch < 4; prefetch++) {
        failing way = {.way = _i};
        tg_loader_new_opts opts = {.batch = 2, .transform = fails, .user = &way, .prefetch = prefetch};
        tg_loader *l = way.loader = make_loader(20, opts);
        tg_tensor *batch[2];
        const tg_mark mark = tg_tape_mark();
        int got = 0;
        while (tg_loader_next(l, batch)) got++;
        ck_assert_int_eq(got, 4);
        ck_assert(tg_is_poison(batch[0]) && tg_is_poison(batch[1]));
        if (prefetch > 0) ck_assert_str_eq(tg_error_message(), message);
        snprintf(message, sizeof message, "%s", tg_error_message());
        ck_assert_ptr_nonnull(strstr(message, "(test_loader.c:"));
        expect_error(f->status, f->says);
        while (tg_loader_next(l, batch)) got++;
        expect_ok();
        ck_assert_int_eq(got, 10);
        ck_assert_int_eq(tg_tape_rewind(mark), TG_OK);
        tg_loader_free(l);
    }
}
END_TEST

/* Each allocation of making a loader and of its first steps fails in turn: an error or the right batch, and no leak. */
START_TEST(no_memory) {
    for (int64_t prefetch = 0; prefetch < 3; prefetch += 2) {
        int failed = 0, done = 0;
        for (int64_t at = 1; done < 3; at++) {
            tg_tensor *data[2], *batch[2];
            const tg_mark mark = tg_tape_mark();
            make_data(9, data);
            const size_t live = tg_memory_now().live_buffer_bytes;
            tg_memory_fail_at(at);
            tg_loader *l = tg_loader_new(2, data, .batch = 4, .shuffle = true, .transform = augment,
                                         .prefetch = prefetch);
            int got = 0;
            while (l && tg_loader_next(l, batch)) got++;
            tg_memory_fail_at(-1);
            if (tg_error_status() != TG_OK) {
                failed++, done = 0;
                expect_error(TG_ERR_MEMORY, "");
                if (l)
                    while (tg_loader_next(l, batch)) got++;
                ck_assert_int_eq(got, l ? 3 : 0);
            } else {
                ck_assert_int_eq(got, 3);
                done++;
            }
            expect_ok();
            tg_loader_free(l);
            for (int i = 0; i < 2 && l && got; i++) ck_assert(tg_is_poison(batch[i]));
            ck_assert_int_ge((int64_t)tg_memory_now().live_buffer_bytes, (int64_t)live);
            ck_assert_int_eq(tg_tape_rewind(mark), TG_OK);
        }
        ck_assert_int_gt(failed, prefetch ? 1 : 10);
    }
}
END_TEST

/* Freed before the first batch, in the middle, at the end of an epoch, with a transform that takes its time. */
static tg_status takes_time(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    (void)batch, (void)n, (void)rng, (void)user;
    const struct timespec two_ms = {0, 2000000};
    nanosleep(&two_ms, NULL);
    return TG_OK;
}

START_TEST(freed_at_any_time) {
    const size_t live = tg_memory_now().live_buffer_bytes;
    for (int steps = 0; steps < 12; steps++)
        for (int64_t prefetch = 0; prefetch < 9; prefetch += 4) {
            tg_loader *l = make_loader(
                10, (tg_loader_new_opts){.batch = 3, .prefetch = prefetch, .transform = takes_time});
            run r = {.n = 0};
            for (int i = 0; i < steps; i++) step(l, &r);
            ck_assert(!r.wrong);
            tg_loader_free(l);
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        }
}
END_TEST

/* A child has no thread of its parent's, and goes on from the same position with one of its own; so does the parent. */
START_TEST(after_a_fork) {
    tg_loader_new_opts opts = kinds[2];
    opts.prefetch = 3;
    tg_loader *l = make_loader(19, opts);
    for (int steps = 0; steps < 8; steps++) {
        tg_loader_state state;
        tg_loader_get_state(l, &state);
        const pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            alarm(20);
            const run r = run_epochs(l, 2);
            tg_loader *fresh = make_loader(19, opts);
            tg_loader_set_state(fresh, &state);
            const run f = run_epochs(fresh, 2);
            tg_loader_free(fresh);
            tg_loader_free(l);
            _exit(tg_error_status() == TG_OK && !r.wrong && r.n == f.n && r.hash == f.hash ? 0 : 1);
        }
        run r = {.n = 0};
        step(l, &r);
        int status = 1;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    tg_loader_free(l);
}
END_TEST

/* Loaders of several threads over the same kept tensors. */
typedef struct rank_run {
    tg_tensor *const *data;
    int64_t rank;
    run result;
    bool ok;
} rank_run;

static void *run_rank(void *context) {
    rank_run *r = context;
    tg_loader *l = tg_loader_new(2, r->data, .batch = 2, .shuffle = true, .seed = 3, .rank = r->rank,
                                 .ranks = 3, .prefetch = 2, .transform = augment);
    r->result = run_epochs(l, 3);
    tg_loader_free(l);
    r->ok = tg_error_status() == TG_OK;
    return NULL;
}

START_TEST(ranks_on_threads) {
    static rank_run ranks[3];
    tg_tensor *data[2];
    pthread_t thread[3];
    make_data(20, data);
    for (int i = 0; i < 2; i++) data[i] = tg_keep(data[i]);
    for (int i = 0; i < 3; i++) {
        ranks[i] = (rank_run){.data = data, .rank = i};
        ck_assert_int_eq(pthread_create(&thread[i], NULL, run_rank, &ranks[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        ck_assert(ranks[i].ok);
        tg_loader *l = make_loader(
            20, (tg_loader_new_opts){
                    .batch = 2, .shuffle = true, .seed = 3, .rank = i, .ranks = 3, .transform = augment});
        const run expected = run_epochs(l, 3);
        expect_same(&ranks[i].result, &expected);
        tg_loader_free(l);
    }
    for (int i = 0; i < 2; i++) tg_free(data[i]);
}
END_TEST

TCase *tcase_loader(void);
TCase *tcase_loader_forks(void);

TCase *tcase_loader(void) {
    TCase *tc = tcase_create("loader");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, each_example_once, 0, 2 * COUNT(shapes));
    tcase_add_test(tc, in_the_order_of_the_tensors);
    tcase_add_test(tc, orders);
    tcase_add_test(tc, orders_are_uniform);
    tcase_add_loop_test(tc, a_thread_changes_nothing, 0, COUNT(kinds));
    tcase_add_loop_test(tc, from_any_position, 0, 2 * COUNT(kinds));
    tcase_add_loop_test(tc, bad_states_change_nothing, 0, COUNT(bad_states));
    tcase_add_test(tc, random_numbers_of_the_caller);
    tcase_add_test(tc, batches_are_copies);
    tcase_add_test(tc, batches_live_on_the_tape);
    tcase_add_test(tc, steady_steps_allocate_nothing);
    tcase_add_loop_test(tc, bad_options, 0, COUNT(bad_loaders));
    tcase_add_test(tc, misuse);
    tcase_add_loop_test(tc, failing_transforms, 0, COUNT(failures));
    tcase_add_test(tc, no_memory);
    tcase_add_test(tc, freed_at_any_time);
    tcase_add_test(tc, ranks_on_threads);
    return tc;
}

/* Valgrind counts as a leak what the parent's thread had prepared, which a child cannot free. */
TCase *tcase_loader_forks(void) {
    TCase *tc = tcase_create("loader_forks");
    tcase_set_timeout(tc, 120);
    tcase_set_tags(tc, "slow");
    tcase_add_test(tc, after_a_fork);
    return tc;
}

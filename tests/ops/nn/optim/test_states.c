/* Models, optimisers and losses at all of their numbers: each count of parameters, each place in a list. And what they leave
 * after failures and when they are freed: bytes, tensors, the recording mode, parameters, counts of steps. */
#include "core/memory.h"
#include "tests/ops/nn/helpers.h"

#include <stdint.h>
#include <stdio.h>

static size_t bytes_of_all(void) {
    tg_memory_trim();
    return tg_memory_now().system_bytes;
}

static tg_tensor *param(tg_model *m, int i) {
    char name[64];
    snprintf(name, sizeof name, "layer%d.of.some.length.%0*d", i, 1 + i % 30, i);
    return tg_model_param(m, name, i % 2 ? TG_F32 : TG_F64, TG_SHAPE(1 + i % 3, 2), tg_init_kaiming_uniform(0));
}

static tg_optim *optim_of(tg_model *m, int kind) {
    switch (kind) {
    case 0:
        return tg_sgd(m, 0.1);
    case 1:
        return tg_sgd(m, 0.1, .momentum = 0.9);
    case 2:
        return tg_sgd(m, 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1);
    case 3:
        return tg_adam(m, 0.01);
    default:
        return tg_adam(m, 0.01, .weight_decay = 0.2, .decoupled = true);
    }
}
enum { KINDS = 5, MOST = 40 };

/* ---- optimisers ---- */

static bool takes_part(int i, int step) { return (i + step) % 3 != 0; }

static void gradient(tg_tensor *p, int step) {
    ck_assert_msg(tg_backward(tg_sum(tg_mul_scalar(tg_square(p), step + 1.5))) == TG_OK, "%s",
                  tg_error_message());
}

/* Parameters that come one at a time and take part in some steps walk as each does with an optimiser of its own. */
START_TEST(each_walks_by_itself) {
    enum { N = 20 };
    tg_model *m = tg_model_new(9), *own[N];
    tg_optim *o = optim_of(m, _i), *each[N];
    for (int i = 0; i < N; i++) own[i] = tg_model_new(9), each[i] = optim_of(own[i], _i);
    for (int step = 0; step < N + 5; step++) {
        tg_mark mark = tg_tape_mark();
        int n = step < N ? step + 1 : N, used = 0;
        for (int i = 0; i < n; i++) {
            tg_tensor *p = param(m, i), *q = param(own[i], i);
            if (!takes_part(i, step)) continue;
            gradient(p, step), gradient(q, step);
            used++;
            ck_assert_int_eq(tg_optim_step(each[i]), TG_OK);
            ck_assert(!tg_has_grad(q));
        }
        ck_assert_int_eq(tg_optim_step(o), used ? TG_OK : TG_ERR_TAPE);
        tg_error_clear();
        for (int i = 0; i < n; i++) {
            tg_tensor *p = param(m, i), *q = param(own[i], i);
            ck_assert(!tg_has_grad(p));
            for (int64_t k = 0; k < tg_numel(p); k++) ck_assert(tg_get(p, k) == tg_get(q, k));
        }
        expect_ok();
        tg_tape_rewind(mark);
    }
    for (int i = 0; i < N; i++) tg_optim_free(each[i]), tg_model_free(own[i]);
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

static void one_life(int kind, int n) {
    tg_mark mark = tg_tape_mark();
    tg_model *m = tg_model_new(1);
    tg_optim *o = optim_of(m, kind);
    for (int i = 0; i < n; i++) {
        gradient(param(m, i), i);
        ck_assert_int_eq(tg_optim_step(o), TG_OK);
    }
    tg_tape_rewind(mark);
    tg_optim_free(o), tg_model_free(m);
}

START_TEST(optimisers_leave_nothing) {
    one_life(_i, MOST);
    size_t before = bytes_of_all();
    for (int n = 1; n <= MOST; n += 3) {
        one_life(_i, n);
        ck_assert_uint_eq(bytes_of_all(), before);
    }
}
END_TEST

/* A step fails at each parameter in turn, for it was freed: nothing moves, and nothing is left. */
START_TEST(steps_that_fail_change_nothing) {
    enum { N = 6 };
    for (int at = 0; at < N; at++)
        for (int recording = 0; recording < 2; recording++)
            for (int had = 0; had <= N; had += 2) { /* so many have states */
                tg_mark mark = tg_tape_mark();
                tg_model *m = tg_model_new(1);
                tg_optim *o = optim_of(m, _i);
                for (int i = 0; i < N; i++) param(m, i);
                for (int i = 0; i < had; i++) gradient(param(m, i), 0);
                if (had) ck_assert_int_eq(tg_optim_step(o), TG_OK);
                double was[N] = {0};
                for (int i = 0; i < N; i++) gradient(param(m, i), 1), was[i] = tg_get(param(m, i), 1);
                tg_free(param(m, at));
                tg_tape_rewind(mark);
                size_t live = tg_memory_now().live_buffer_bytes;
                int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
                tg_set_grad_enabled(recording);
                ck_assert_int_eq(tg_optim_step(o), TG_ERR_LIFETIME);
                expect_error(TG_ERR_LIFETIME, "");
                ck_assert_int_eq(tg_grad_enabled(), recording);
                tg_set_grad_enabled(true);
                ck_assert_int_eq(tg_tape_tensors(), tensors);
                ck_assert_int_eq(tg_tape_nodes(), nodes);
                ck_assert_uint_le(tg_memory_now().live_buffer_bytes, live);
                for (int i = 0; i < N; i++)
                    if (i != at)
                        ck_assert(tg_get(tg_model_at(m, i), 1) == was[i] && tg_has_grad(tg_model_at(m, i)));
                tg_optim_free(o), tg_model_free(m);
                expect_ok();
            }
}
END_TEST

/* One whose gradient is missing keeps what it has, whatever it had in the step before. */
START_TEST(steps_without_a_gradient) {
    tg_model *m = tg_model_new(1), *twin = tg_model_new(1);
    tg_optim *o = optim_of(m, _i), *t = optim_of(twin, _i);
    for (int step = 0; step < 12; step++) {
        tg_mark mark = tg_tape_mark();
        gradient(param(m, 0), step);
        double was = tg_get(param(m, 1), 0);
        if (step % 4 == 0) gradient(param(m, 1), step), gradient(param(twin, 1), step);
        ck_assert_int_eq(tg_optim_step(o), TG_OK);
        if (step % 4 == 0)
            ck_assert_int_eq(tg_optim_step(t), TG_OK);
        else
            ck_assert(tg_get(param(m, 1), 0) == was);
        for (int k = 0; k < 2; k++) ck_assert(tg_get(param(m, 1), k) == tg_get(param(twin, 1), k));
        tg_tape_rewind(mark);
    }
    tg_optim_free(o), tg_optim_free(t), tg_model_free(m), tg_model_free(twin);
    expect_ok();
}
END_TEST

/* A parameter that takes a freed one's place, each of several in turn, starts as one of a new optimiser. */
START_TEST(places_taken_again) {
    enum { N = 4 };
    for (int at = 0; at < N; at++) {
        tg_model *m = tg_model_new(1), *fresh = tg_model_new(1);
        tg_optim *o = optim_of(m, _i), *f = optim_of(fresh, _i);
        for (int step = 0; step < 3; step++) {
            tg_mark mark = tg_tape_mark();
            for (int i = 0; i < N; i++) gradient(param(m, i), step);
            ck_assert_int_eq(tg_optim_step(o), TG_OK);
            tg_tape_rewind(mark);
        }
        tg_model_truncate(m, at, 0);
        for (int step = 0; step < 3; step++) {
            tg_mark mark = tg_tape_mark();
            for (int i = at; i < N; i++) gradient(param(m, i), step), gradient(param(fresh, i), step);
            ck_assert_int_eq(tg_optim_step(o), TG_OK);
            ck_assert_int_eq(tg_optim_step(f), TG_OK);
            for (int i = at; i < N; i++)
                for (int k = 0; k < 2; k++) ck_assert(tg_get(param(m, i), k) == tg_get(param(fresh, i), k));
            tg_tape_rewind(mark);
        }
        tg_optim_free(o), tg_optim_free(f), tg_model_free(m), tg_model_free(fresh);
    }
    expect_ok();
}
END_TEST

/* ---- models ---- */

START_TEST(models_cut_at_each_count) {
    size_t before = 0;
    for (int cut = 0; cut <= MOST; cut++) {
        tg_model *m = tg_model_new(3);
        tg_tensor *made[MOST];
        for (int i = 0; i < MOST; i++) made[i] = param(m, i);
        tg_model_truncate(m, cut, 0);
        ck_assert_int_eq(tg_model_count(m), cut);
        for (int i = 0; i < cut; i++) ck_assert_ptr_eq(tg_model_find(m, tg_name(made[i])), made[i]);
        for (int i = cut; i < MOST; i++) ck_assert(!tg_is_alive(made[i]));
        for (int i = 0; i < MOST; i++) ck_assert_int_eq(param(m, i) == made[i], i < cut);
        ck_assert_int_eq(tg_model_count(m), MOST);
        tg_model_free(m);
        expect_ok();
        if (cut) ck_assert_uint_eq(bytes_of_all(), before);
        before = bytes_of_all();
    }
}
END_TEST

/* Each allocation fails in turn, at each count where the tables grow: recording is as before, and no byte is left. */
START_TEST(parameters_without_memory) {
    static const int counts[] = {0, 1, 15, 16, 17, 31, 32, 33};
    int failures = 0;
    tg_model *first = tg_model_new(1);
    for (int i = 0; i < MOST; i++) param(first, i);
    tg_model_free(first);
    size_t before = bytes_of_all();
    for (int c = 0; c < COUNT(counts); c++)
        for (int n = 1, made = 0; !made; n++) {
            tg_model *m = tg_model_new(3);
            for (int i = 0; i < counts[c]; i++) param(m, i);
            bool recording = n % 2;
            int64_t tensors = tg_tape_tensors();
            tg_set_grad_enabled(recording);
            tg_memory_fail_at(n);
            tg_tensor *p = param(m, counts[c]);
            tg_memory_fail_at(-1);
            ck_assert_int_eq(tg_grad_enabled(), recording);
            tg_set_grad_enabled(true);
            ck_assert_int_eq(tg_tape_tensors(), tensors);
            made = tg_is_alive(p);
            ck_assert_int_eq(tg_model_count(m), counts[c] + made);
            if (!made) expect_error(TG_ERR_MEMORY, "");
            failures += !made;
            for (int i = 0; i < counts[c]; i++) ck_assert_ptr_eq(param(m, i), tg_model_at(m, i));
            tg_model_free(m);
            expect_ok();
            ck_assert_uint_eq(bytes_of_all(), before);
        }
    ck_assert_int_gt(failures, 2 * COUNT(counts));
}
END_TEST

static tg_status refuse(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)w, (void)rng, (void)init;
    tg_exp(tg_zeros(TG_F64, 100));
    return tg_fail(TG_ERR_IO, "refused");
}

START_TEST(initialisers_that_fail) {
    size_t before = 0;
    for (int n = 0; n <= MOST; n++) {
        tg_model *m = tg_model_new(3);
        for (int i = 0; i < n; i++) param(m, i);
        int64_t tensors = tg_tape_tensors();
        char name[200];
        snprintf(name, sizeof name, "%0*d", 100 + n, n);
        bool recording = n % 2;
        tg_set_grad_enabled(recording);
        ck_assert(tg_is_poison(tg_model_param(m, name, TG_F64, TG_SHAPE(n), (tg_init){.fill = refuse})));
        ck_assert_int_eq(tg_grad_enabled(), recording);
        tg_set_grad_enabled(true);
        expect_error(TG_ERR_IO, "refused");
        ck_assert_int_eq(tg_tape_tensors(), tensors);
        ck_assert_int_eq(tg_model_count(m), n);
        tg_model_free(m);
        if (n) ck_assert_uint_eq(bytes_of_all(), before);
        before = bytes_of_all();
    }
}
END_TEST

static uint64_t hash_of(const char *name) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++) h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return h;
}

static void name_of(char text[32], unsigned i) {
    snprintf(text, 32, "%08x%08x", i * 2654435761U, (i + 7) * 2246822519U);
}

static int by_hash(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double first_of(uint64_t seed, const char *name) {
    tg_model *m = tg_model_new(seed);
    double v = tg_get(tg_model_param(m, name, TG_F64, TG_SHAPE(2, 3), tg_init_kaiming_normal(0)), 0);
    tg_model_free(m);
    expect_ok();
    return v;
}

/* Streams differ by each bit of the seed and by both halves of the name's hash. */
START_TEST(streams_differ) {
    double plain = first_of(0, "w");
    for (int bit = 0; bit < 64; bit++) ck_assert(first_of(UINT64_C(1) << bit, "w") != plain);
    enum { NAMES = 300000 };
    for (int half = 0; half < 2; half++) {
        uint64_t *h = malloc(NAMES * sizeof *h); /* the equal half, then the number */
        char name[2][32];
        for (int i = 0; i < NAMES; i++) {
            name_of(name[0], (unsigned)i);
            uint64_t x = hash_of(name[0]);
            h[i] = (half ? x >> 32 : x & UINT32_MAX) << 32 | (unsigned)i;
        }
        qsort(h, NAMES, sizeof *h, by_hash);
        int pairs = 0;
        for (int i = 1; i < NAMES && pairs < 3; i++) {
            if (h[i] >> 32 != h[i - 1] >> 32) continue;
            pairs++;
            for (int k = 0; k < 2; k++) name_of(name[k], (unsigned)(h[i - k] & UINT32_MAX));
            ck_assert(first_of(1, name[0]) != first_of(1, name[1]));
        }
        ck_assert_int_gt(pairs, 0);
        free(h);
    }
}
END_TEST

/* ---- first values ---- */

/* Weights of every rank, no two sizes equal: the numbers of the stream times the width. */
START_TEST(widths_of_every_rank) {
    static const int64_t sizes[] = {3, 2, 5, 4, 1, 7, 2, 3};
    const tg_init init[] = {tg_init_kaiming_uniform(0), tg_init_kaiming_normal(0), tg_init_xavier_uniform(1),
                            tg_init_xavier_normal(1)};
    tg_shape shape = {.rank = _i};
    double kernel = 1;
    for (int d = 0; d < _i; d++) shape.dim[d] = sizes[d], kernel *= d > 1 ? (double)sizes[d] : 1;
    for (int k = 0; k < 4; k++) {
        tg_mark mark = tg_tape_mark();
        double fan = (double)sizes[1] * kernel + (k >= 2 ? (double)sizes[0] * kernel : 0),
               width = sqrt((k % 2 ? 2 : 6) / fan);
        tg_rng rng = {.seed = 5}, same = rng;
        tg_tensor *w = tg_zeros_with(TG_F64, shape);
        ck_assert_int_eq(tg_init_fill(w, init[k], &rng), TG_OK);
        for (int64_t i = 0; i < tg_numel(w); i++)
            expect_close(tg_get(w, i),
                         k % 2 ? width * tg_rng_normal(&same) : width * (2 * tg_rng_uniform(&same) - 1), 1e-14);
        tg_tape_rewind(mark);
    }
}
END_TEST

/* ---- layers ---- */

typedef tg_tensor *layer(tg_model *m, tg_tensor *x);
static tg_tensor *dense(tg_model *m, tg_tensor *x) { return tg_nn_linear(m, "fc", x, 5); }
static tg_tensor *conv(tg_model *m, tg_tensor *x) {
    return tg_nn_conv2d(m, "conv", x, 6, .kernel = {3, 3}, .groups = 3);
}
static tg_tensor *norm(tg_model *m, tg_tensor *x) { return tg_nn_layer_norm(m, "norm", x); }
static tg_tensor *attend(tg_model *m, tg_tensor *x) { return tg_nn_multihead_attention(m, "att", x, 4); }
static tg_tensor *embed(tg_model *m, tg_tensor *x) { return tg_nn_embedding(m, "emb", x, 9, 3, .f64 = true); }
static layer *const layers[] = {dense, conv, norm, attend, embed};
static const tg_shape given[] = {{2, {24, 6}}, {4, {1, 6, 4, 6}}, {3, {4, 6, 6}}, {3, {2, 6, 12}}, {2, {3, 4}}};

/* In models that are empty and that are not, each allocation fails in turn. */
START_TEST(layers_that_fail) {
    int failures = 0;
    for (int had = 0; had < 3; had++)
        for (int n = 1, made = 0; !made; n++) {
            tg_mark mark = tg_tape_mark();
            tg_model *m = tg_model_new(2);
            for (int i = 0; i < had; i++) param(m, i);
            tg_tensor *x = tg_ones_with(layers[_i] == embed ? TG_I64 : TG_F64, given[_i]);
            int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
            tg_memory_fail_at(n);
            tg_tensor *y = layers[_i](m, x);
            tg_memory_fail_at(-1);
            made = tg_is_alive(y);
            if (!made) {
                expect_error(TG_ERR_MEMORY, "");
                failures++;
                ck_assert_int_eq(tg_model_count(m), had);
                ck_assert_int_eq(tg_tape_tensors(), tensors);
                ck_assert_int_eq(tg_tape_nodes(), nodes);
                ck_assert(tg_is_alive(layers[_i](m, x)));
            }
            expect_ok();
            ck_assert_int_gt(tg_model_count(m), had);
            tg_tape_rewind(mark);
            tg_model_free(m);
        }
    ck_assert_int_gt(failures, 6);
}
END_TEST

/* Filters by groups: the weight's shape, for each number of groups that divides. */
START_TEST(grouped_filters) {
    for (int groups = 0; groups <= 12; groups++) {
        if (groups && 12 % groups) continue;
        tg_mark mark = tg_tape_mark();
        tg_model *m = tg_model_new(2);
        tg_nn_conv2d(m, "c", tg_ones(TG_F32, 1, 12, 5, 4), 24, .kernel = {3, 2}, .groups = groups);
        expect_ok();
        ck_assert(
            tg_shape_equal(tg_shape_of(tg_model_at(m, 0)), TG_SHAPE(24, 12 / (groups ? groups : 1), 3, 2)));
        tg_model_free(m);
        tg_tape_rewind(mark);
    }
    for (int heads = 1; heads <= 13; heads++) {
        tg_mark mark = tg_tape_mark();
        tg_model *m = tg_model_new(2);
        tg_tensor *y = tg_nn_multihead_attention(m, "a", tg_ones(TG_F32, 1, 3, 12), heads);
        ck_assert_int_eq(tg_is_alive(y), 12 % heads == 0);
        if (12 % heads) expect_error(TG_ERR_SHAPE, "nn_multihead_attention", "heads do not divide");
        expect_ok();
        tg_model_free(m);
        tg_tape_rewind(mark);
    }
}
END_TEST

/* ---- losses: the one element of many that is wrong ---- */

START_TEST(one_probability_outside) {
    static const double wrong[] = {1 + 1e-6, -1e-6, 2, -1, 1e30};
    for (int i = 0; i < 12; i++)
        for (int k = 0; k < COUNT(wrong); k++)
            for (int who = 0; who < 2; who++) {
                tg_mark mark = tg_tape_mark();
                tg_tensor *p = tg_full(_i ? TG_F64 : TG_F32, 0.5, 3, 4),
                          *y = tg_full(_i ? TG_F64 : TG_F32, 0.25, 3, 4);
                tg_array_set(tg_array_of(who ? y : p), i, wrong[k]);
                char place[32];
                snprintf(place, sizeof place, "position %d", i);
                tg_tensor *loss = tg_binary_cross_entropy(p, y);
                if (!who) {
                    ck_assert(tg_is_poison(loss));
                    expect_error(TG_ERR_ARGUMENT, place, "[0, 1]");
                }
                tg_error_clear();
                tg_tape_rewind(mark);
            }
}
END_TEST

/* Six rows, of two images where there are more axes than two: [n, classes, ...], [n, ...]. */
static tg_shape rows_of(int rank) {
    tg_shape s = {rank - 1, {rank == 2 ? 6 : 2, 1, 1, 1, 1}};
    if (rank > 2) s.dim[rank - 2] = 3;
    return s;
}
static tg_shape logits_of(int rank, int64_t classes) {
    tg_shape rows = rows_of(rank), s = {rank, {rows.dim[0], classes}};
    for (int d = 1; d < rows.rank; d++) s.dim[d + 1] = rows.dim[d];
    return s;
}

START_TEST(one_class_outside) {
    for (int rank = 2; rank <= 5; rank++)
        for (int i = 0; i < 6; i++)
            for (int c = -1; c <= 4; c++) {
                tg_mark mark = tg_tape_mark();
                tg_tensor *x = tg_zeros_with(TG_F64, logits_of(rank, 4)),
                          *t = tg_zeros_with(_i ? TG_I64 : TG_I32, rows_of(rank));
                tg_array_set(tg_array_of(t), i, c);
                bool inside = c >= 0 && c < 4;
                ck_assert_int_eq(tg_is_alive(tg_cross_entropy(x, t)), inside);
                if (!inside) expect_error(TG_ERR_ARGUMENT, "class");
                if (rank == 2) ck_assert_int_eq(!isnan(tg_accuracy(x, t)), inside);
                if (rank == 2 && !inside) expect_error(TG_ERR_ARGUMENT, "");
                expect_ok();
                tg_tape_rewind(mark);
            }
}
END_TEST

/* Of equal logits the first is the largest, wherever the equal ones stand. */
START_TEST(accuracy_at_ties) {
    enum { C = 5 };
    for (int set = 1; set < 1 << C; set++)
        for (int c = 0; c < C; c++) {
            tg_mark mark = tg_tape_mark();
            tg_tensor *x = tg_zeros(_i ? TG_F64 : TG_F32, 1, C), *t = tg_zeros(TG_I64, 1);
            for (int k = 0; k < C; k++) tg_array_set(tg_array_of(x), k, set >> k & 1 ? 2 : 1);
            tg_array_set(tg_array_of(t), 0, c);
            int first = 0;
            while (!(set >> first & 1)) first++;
            ck_assert(tg_accuracy(x, t) == (c == first));
            tg_tape_rewind(mark);
        }
    expect_ok();
}
END_TEST

/* The mean by class weights, at each rank: of the rows' losses and weights. */
START_TEST(weighted_means_of_every_rank) {
    enum { R = 6, C = 3 };
    for (int rank = 2; rank <= 6; rank++)
        for (int ignore = 0; ignore < 2; ignore++) {
            tg_mark mark = tg_tape_mark();
            tg_tensor *x = tg_zeros_with(TG_F64, logits_of(rank, C)),
                      *t = tg_zeros_with(TG_I64, rows_of(rank)), *w = tg_zeros(TG_F64, C);
            for (int c = 0; c < C; c++) tg_array_set(tg_array_of(w), c, 0.5 + c);
            double sum = 0, weights = 0;
            int rest = rank == 2 ? 1 : 3;
            for (int r = 0; r < R; r++) {
                int c = (r * 2 + r / 3) % C;
                double total = 0, v[C];
                for (int k = 0; k < C; k++)
                    v[k] = ((r * C + k) * 5 % 7) / 3.0, total += exp(v[k]),
                    tg_array_set(tg_array_of(x), (r / rest * C + k) * rest + r % rest, v[k]);
                bool out = ignore && r == 4;
                tg_array_set(tg_array_of(t), r, out ? -7 : c);
                if (!out) sum += (0.5 + c) * (log(total) - v[c]), weights += 0.5 + c;
            }
            tg_tensor *loss = ignore ? tg_cross_entropy(x, t, .weight = w, .ignore_index = -7, .ignore = true)
                                     : tg_cross_entropy(x, t, .weight = w);
            expect_ok();
            expect_close(tg_item(loss), sum / weights, 1e-13);
            tg_tape_rewind(mark);
        }
}
END_TEST

/* The mean over the batch of a divergence divides by the first size alone. */
START_TEST(batch_means_of_every_rank) {
    for (int rank = 1; rank <= 7; rank++) {
        tg_mark mark = tg_tape_mark();
        tg_shape s = {.rank = rank};
        for (int d = 0; d < rank; d++) s.dim[d] = d == 0 ? 5 : d % 3 + 1;
        tg_tensor *q = tg_mul_scalar(tg_ones_with(TG_F64, s), -2),
                  *p = tg_mul_scalar(tg_ones_with(TG_F64, s), 0.5);
        double want = 0.5 * (log(0.5) + 2) * (double)tg_numel(p) / 5;
        expect_close(tg_item(tg_kl_div(q, p, .reduction = TG_REDUCTION_BATCH_MEAN)), want, 1e-13);
        expect_ok();
        tg_tape_rewind(mark);
    }
}
END_TEST

TCase *tcase_states(void);
TCase *tcase_states(void) {
    TCase *t = tcase_create("states");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, each_walks_by_itself, 0, KINDS);
    tcase_add_loop_test(t, optimisers_leave_nothing, 0, KINDS);
    tcase_add_loop_test(t, steps_that_fail_change_nothing, 0, KINDS);
    tcase_add_loop_test(t, steps_without_a_gradient, 0, KINDS);
    tcase_add_loop_test(t, places_taken_again, 0, KINDS);
    tcase_add_test(t, models_cut_at_each_count);
    tcase_add_test(t, parameters_without_memory);
    tcase_add_test(t, initialisers_that_fail);
    tcase_add_test(t, streams_differ);
    tcase_add_loop_test(t, widths_of_every_rank, 2, 9);
    tcase_add_loop_test(t, layers_that_fail, 0, COUNT(layers));
    tcase_add_test(t, grouped_filters);
    tcase_add_loop_test(t, one_probability_outside, 0, 2);
    tcase_add_loop_test(t, one_class_outside, 0, 2);
    tcase_add_loop_test(t, accuracy_at_ties, 0, 2);
    tcase_add_test(t, weighted_means_of_every_rank);
    tcase_add_test(t, batch_means_of_every_rank);
    return t;
}

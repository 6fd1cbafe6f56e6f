/* Exact values: what is chosen where mathematics leaves a choice, and where naive formulas lose. Every number
 * must be met exactly, in f32 and f64. The tables stand in <room>/exact.c. */
#include "tests/ops/cases.h"

/* Where -0 is wanted, 0 will not do. */
static bool same(double got, double want, double within, double least) {
    if (isnan(want)) return isnan(got);
    if (within > 0 && isfinite(got)) return fabs(got - want) <= within * fabs(want) + 3 * least;
    return got == want && (signbit(got) || !signbit(want));
}

static void expect(const convention *c, const char *which, const tg_tensor *t, const values *want) {
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s: %s", c->what, which, tg_error_message());
    tg_shape s = {want->rank - 1, {want->dim[0], want->dim[1], want->dim[2], want->dim[3]}};
    char got[80], wanted[80];
    bool wide = tg_dtype_of(t) == TG_F64;
    ck_assert_msg(tg_shape_equal(tg_shape_of(t), s), "%s: %s has shape %s, not %s", c->what, which,
                  tg_shape_text(tg_shape_of(t), got, sizeof got), tg_shape_text(s, wanted, sizeof wanted));
    for (int64_t k = 0, n = tg_numel(t); k < n; k++)
        ck_assert_msg(same(tg_get(t, k), want->v[k], c->within[wide], wide ? 0x1p-1074 : 0x1p-149),
                      "%s: %s, %s: element %lld is %.17g, not %.17g", c->what, tg_dtype_name(tg_dtype_of(t)),
                      which, (long long)k, tg_get(t, k), want->v[k]);
}

/* Leaves; {-1} stands for the first one again. */
static int leaves(const convention *c, tg_dtype f, const tg_op *op, tg_tensor **in) {
    int n = 0;
    for (; n < 3 && (is_present(&c->in[n]) || c->in[n].rank < 0); n++) {
        bool again = c->in[n].rank < 0;
        in[n] = again ? in[0] : tensor_of(&c->in[n], f);
        if (!again && has_gradient(op) && c->in[n].dtype == TG_F32) tg_set_requires_grad(in[n], true);
    }
    return n;
}

static tg_tensor *seed_of(const values *v, const tg_tensor *y) {
    return is_present(v) ? tensor_of(v, tg_dtype_of(y)) : tg_ones_with(tg_dtype_of(y), tg_shape_of(y));
}

static void check_grads(const convention *c, tg_tensor *y, int n, tg_tensor **in, bool record) {
    static const char *const names[] = {"gradient of input 0", "gradient of input 1", "gradient of input 2"};
    tg_tensor *seed = seed_of(&c->seed, y);
    for (int i = 0; i < n; i++) {
        tg_tensor *g;
        if (!is_present(&c->grad[i])) continue;
        tg_grad(1, &y, 1, &in[i], &g, .seeds = &seed, .retain = true, .create_graph = record);
        expect(c, names[i], g, &c->grad[i]);
    }
}

/* By walks that are recorded, and then by one that is not. */
static void check_second(const convention *c, tg_tensor *y, int n, tg_tensor **in) {
    for (int i = 0; i < 2 && i < n; i++)
        for (int j = 0; j < 2 && j < n; j++) {
            tg_tensor *g, *h;
            if (!is_present(&c->second[i][j])) continue;
            const values none = {0};
            tg_tensor *seed = seed_of(is_present(&c->second_seed) ? &c->seed : &none, y);
            tg_grad(1, &y, 1, &in[i], &g, .seeds = &seed, .retain = true, .create_graph = true);
            seed = seed_of(&c->second_seed, g);
            tg_grad(1, &g, 1, &in[j], &h, .seeds = &seed, .retain = true, .allow_unused = true);
            expect(c, "second derivative", h, &c->second[i][j]);
        }
}

static void run(const convention *c, tg_dtype f) {
    if (c->within[f == TG_F64] < 0) return;
    tg_mark mark = tg_tape_mark();
    const call *called = find_call(c->call);
    ck_assert_msg(called && op_of(called), "%s: no call %s", c->what, c->call);
    tg_tensor *in[3] = {NULL};
    int n = leaves(c, f, op_of(called), in);
    tg_tensor *y = called->fn(in, &c->arg);
    expect(c, "value", y, &c->out);
    check_grads(c, y, n, in, false);
    check_grads(c, y, n, in, true);
    check_second(c, y, n, in);
    tg_tape_rewind(mark);
}

#define DECLARED(room) extern const convention_table conventions_##room;
#define LISTED(room) &conventions_##room,
ROOMS(DECLARED)
DECLARED(extremes) /* of elementwise */
static const convention_table *const tables[] = {ROOMS(LISTED) LISTED(extremes)};

int n_conventions(void) {
    int n = 0;
    for (int t = 0; t < COUNT(tables); t++) n += tables[t]->n;
    return n;
}

const convention *convention_at(int i) {
    int t = 0;
    while (i >= tables[t]->n) i -= tables[t++]->n;
    return &tables[t]->rows[i];
}

START_TEST(value_is_exact) {
    const convention *c = convention_at(_i);
    run(c, TG_F32);
    run(c, TG_F64);
    count_up(T_EXACT, 1);
    if (c->kind == K_KINK) cover_case(op_of(find_call(c->call)), K_KINK);
}
END_TEST

/* The slope of selu on the left of 0 is no number that f32 and f64 share: it is held against that at -1e-30. */
START_TEST(selu_at_zero_has_the_slope_of_the_left) {
    for (tg_dtype f = TG_F32; f <= TG_F64; f++) {
        values points = VECTOR(-1e-30, 0, 1e-30);
        tg_tensor *x = tg_set_requires_grad(tensor_of(&points, f), true), *y = tg_selu(x), *g;
        tg_tensor *seed = tg_ones_with(f, tg_shape_of(y));
        tg_grad(1, &y, 1, &x, &g, .seeds = &seed);
        ck_assert(tg_get(g, 1) == tg_get(g, 0) && tg_get(g, 1) > 1.5 && tg_get(g, 2) < 1.1);
    }
    cover_case(tg_op_find("selu"), K_KINK);
}
END_TEST

/* PyTorch's choice for a row of -inf alone: there is no finite shift, and every quotient is 0/0. */
START_TEST(softmax_of_all_minus_inf_is_nan) {
    tg_tensor *x = tg_full_with(TG_F64, -INFINITY, TG_SHAPE(3));
    ck_assert(isnan(tg_get(tg_softmax(x, 0), 0)));
    ck_assert(isnan(tg_get(tg_log_softmax(x, 0), 2)));
}
END_TEST

/* 2^24 + 1 ones: a running sum in f32 stops at 2^24. */
START_TEST(long_f32_sums_do_not_stall) {
    int64_t n = 16777217;
    tg_mark mark = tg_tape_mark();
    tg_tensor *x = tg_ones_with(TG_F32, TG_SHAPE(1)), *many = tg_expand(x, n);
    ck_assert_msg(fabs(tg_item(tg_sum(many)) - (double)n) <= 1, "sum of %lld ones: %.9g", (long long)n,
                  tg_item(tg_sum(many)));
    tg_tape_rewind(mark);
}
END_TEST

/* Many equal indices: a running sum in f32 would stop at 2^24, and lose a part of each 0.1 long
 * before. The second of the two lines gets one element of each. */
START_TEST(many_equal_indices_add_up_in_double) {
    int64_t n = 17825792;
    tg_mark mark = tg_tape_mark();
    tg_tensor *one = tg_expand(tg_ones_with(TG_F32, TG_SHAPE(1)), n),
              *at = tg_expand(tg_zeros_with(TG_I64, TG_SHAPE(1)), n);
    tg_tensor *out = tg_scatter_add(tg_zeros_with(TG_F32, TG_SHAPE(3)), 0, at, one);
    ck_assert(tg_get(out, 0) == (double)n && tg_get(out, 1) == 0);
    tg_tape_rewind(mark);
}
END_TEST

/* gradient of the tenths that a function picks out of x: k of them from place 0. */
static void check_picked(tg_tensor *x, tg_tensor *picked, int64_t k) {
    tg_tensor *g, *seed = tg_full_with(TG_F32, 0.1, tg_shape_of(picked));
    for (int record = 0; record < 2; record++) {
        ck_assert_int_eq(
            tg_grad(1, &picked, 1, &x, &g, .seeds = &seed, .retain = true, .create_graph = record), TG_OK);
        double want = (double)(float)0.1 * (double)k;
        ck_assert_msg(fabs(tg_get(g, 0) - want) <= 1e-7 * want, "%.9g, not %.9g", tg_get(g, 0), want);
    }
}

START_TEST(gradients_of_many_equal_indices) {
    int64_t n = 100000;
    tg_tensor *x = tg_set_requires_grad(tg_ones_with(TG_F32, TG_SHAPE(5, 3)), true);
    tg_tensor *at = tg_zeros_with(TG_I64, TG_SHAPE(n)), *wide = tg_zeros_with(TG_I32, TG_SHAPE(n, 3));
    for (int64_t i = 0; i < n; i += 10) tg_array_set(tg_array_of(at), i, 2);
    check_picked(x, tg_index_select(x, 0, at), n - n / 10);
    check_picked(x, tg_embedding(x, at), n - n / 10);
    check_picked(x, tg_gather(x, 0, wide), n);
    check_picked(x, tg_take_along_dim(x, tg_reshape(at, n, 1), 0), n - n / 10);
    check_picked(x, tg_gather(x, 1, tg_zeros_with(TG_I64, TG_SHAPE(5, 1000))), 1000);
}
END_TEST

/* Products with a long inner size, of tenths: what a running sum in f32 loses does not cancel. */
static void check_tenth_products(tg_tensor *y, double n) {
    double want = (double)0.1f * (double)0.1f * n;
    for (int64_t i = 0; i < tg_numel(y); i += 7)
        ck_assert_msg(fabs(tg_get(y, i) - want) <= 2e-6 * want, "%.9g, not %.9g", tg_get(y, i), want);
}

static tg_tensor *tenths(int64_t m, int64_t n) { return tg_full_with(TG_F32, 0.1, TG_SHAPE(m, n)); }

START_TEST(long_products_keep_their_digits) {
    int64_t k = 1 << 21, rows = 100003;
    tg_mark mark = tg_tape_mark();
    check_tenth_products(tg_matmul(tenths(1, k), tenths(k, 1)), (double)k);
    check_tenth_products(tg_matmul(tenths(3, rows), tenths(rows, 1)), (double)rows);
    check_tenth_products(tg_matmul(tenths(1, rows), tenths(rows, 17)), (double)rows);
    check_tenth_products(tg_matmul(tg_transpose(tenths(rows, 7), 0, 1), tenths(rows, 9)), (double)rows);
    tg_tensor *w = tg_set_requires_grad(tenths(5, 6), true), *y = tg_linear(tenths(rows, 6), w), *g,
              *seed = tenths(rows, 5);
    ck_assert_int_eq(tg_grad(1, &y, 1, &w, &g, .seeds = &seed), TG_OK);
    check_tenth_products(g, (double)rows);
    w = tg_set_requires_grad(tg_full_with(TG_F32, 0.1, TG_SHAPE(1, 2, 3)), true);
    y = tg_matmul(w, tg_full_with(TG_F32, 0.1, TG_SHAPE(5000, 3, 2))),
    seed = tg_full_with(TG_F32, 0.1, TG_SHAPE(5000, 2, 2));
    ck_assert_int_eq(tg_grad(1, &y, 1, &w, &g, .seeds = &seed), TG_OK);
    check_tenth_products(g, 2 * 5000.0);
    tg_tape_rewind(mark);
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_conventions(void) {
    TCase *t = tcase_create("conventions");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, value_is_exact, 0, n_conventions());
    tcase_add_test(t, selu_at_zero_has_the_slope_of_the_left);
    tcase_add_test(t, softmax_of_all_minus_inf_is_nan);
    tcase_add_test(t, long_f32_sums_do_not_stall);
    tcase_add_test(t, many_equal_indices_add_up_in_double);
    tcase_add_test(t, gradients_of_many_equal_indices);
    tcase_add_test(t, long_products_keep_their_digits);
    return t;
}

/* Fused attention against its composition, what memory it needs, and its bits at any number of threads. */
#include "tests/ops/harness.h"

#include <fenv.h>
#include <math.h>

typedef struct options {
    bool causal, masked, added;
} options;

static const options all[] = {{false, false, false}, {true, false, false}, {false, true, false},
                              {true, true, false},   {false, false, true}, {true, false, true}};

typedef struct inputs {
    tg_tensor *qkv, *mask, *in[4]; /* in: q, k, v, and the mask where it is added */
    int n;
} inputs;

/* q, k, v [batch, heads, length, size] as views of one projection [batch, length, 3, heads, size]. */
static inputs make(tg_dtype f, options o, int64_t batch, int64_t heads, int64_t length, int64_t size) {
    inputs x = {.n = o.added ? 4 : 3};
    tg_seed(11);
    x.qkv = tg_set_requires_grad(tg_randn(f, 0, 1, batch, length, 3, heads, size), true);
    tg_tensor *parts = tg_permute(x.qkv, 2, 0, 3, 1, 4);
    for (int i = 0; i < 3; i++) x.in[i] = tg_squeeze(tg_slice(parts, 0, i, i + 1, 1), 0);
    if (o.added) x.mask = tg_set_requires_grad(tg_randn(f, 0, 1, heads, length, length), true);
    if (o.masked) x.mask = tg_lt(tg_rand(f, 0, 1, batch, 1, 1, length), tg_scalar(f, 0.7));
    x.in[3] = x.mask;
    return x;
}

static tg_tensor *fused(const inputs *x, options o) {
    return tg_scaled_dot_product_attention(x->in[0], x->in[1], x->in[2], .causal = o.causal, .mask = x->mask);
}

/* By the definition, with every score in memory. */
static tg_tensor *composed(const inputs *x, options o) {
    tg_tensor *q = x->in[0], *hidden = NULL;
    int64_t length = tg_size(q, -2);
    tg_dtype f = tg_dtype_of(q);
    tg_tensor *score =
        tg_mul_scalar(tg_matmul(q, tg_transpose(x->in[1], -1, -2)), 1 / sqrt((double)tg_size(q, -1)));
    if (o.added) score = tg_add(score, x->mask);
    if (o.masked) hidden = tg_logical_not(x->mask);
    if (o.causal) {
        tg_tensor *place = tg_arange(f, 0, (double)length, 1);
        tg_tensor *later = tg_gt(tg_unsqueeze(place, 0), tg_unsqueeze(place, 1));
        hidden = hidden ? tg_logical_or(hidden, later) : later;
    }
    if (!hidden) return tg_matmul(tg_softmax(score, -1), x->in[2]);
    tg_tensor *p = tg_softmax(tg_masked_fill(score, hidden, -INFINITY), -1);
    return tg_matmul(tg_masked_fill(p, hidden, 0), x->in[2]);
}

static void expect_near(const char *what, tg_tensor *a, tg_tensor *b) {
    double tolerance = tg_dtype_of(a) == TG_F64 ? 1e-13 : 3e-5;
    for (int64_t i = 0; i < tg_numel(a); i++)
        if (!close_to(tg_get(a, i), tg_get(b, i), tolerance, tolerance))
            ck_abort_msg("%s: element %lld: fused %.17g, composed %.17g", what, (long long)i, tg_get(a, i),
                         tg_get(b, i));
}

START_TEST(fused_is_the_composition) {
    options o = all[_i];
    for (tg_dtype f = TG_F32; f <= TG_F64; f++) {
        inputs x = make(f, o, 2, 3, 75, 20);
        tg_tensor *y[2] = {fused(&x, o), composed(&x, o)}, *leaf[2] = {x.qkv, x.mask}, *g[2][2];
        tg_tensor *seed = signed_seed(y[0], f, 3);
        for (int i = 0; i < 2; i++)
            tg_grad(1, &y[i], o.added ? 2 : 1, leaf, g[i], .seeds = &seed, .retain = true);
        ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
        expect_near("value", y[0], y[1]);
        expect_near("dL/d(q, k, v)", g[0][0], g[1][0]);
        if (o.added) expect_near("dL/d(mask)", g[0][1], g[1][1]);
    }
}
END_TEST

START_TEST(attention_is_the_same_on_any_threads) {
    options o = {.causal = true};
    inputs x = make(TG_F32, o, 2, 3, 150, 64);
    tg_tensor *both[2][4];
    int was = tg_num_threads();
    for (int i = 0; i < 2; i++) {
        tg_set_num_threads(i ? _i : 1);
        both[i][0] = fused(&x, o);
        tg_tensor *seed = signed_seed(both[i][0], TG_F32, 3);
        ck_assert_int_eq(tg_grad(1, &both[i][0], 3, x.in, both[i] + 1, .seeds = &seed), TG_OK);
    }
    tg_set_num_threads(was);
    for (int k = 0; k < 4; k++)
        for (int64_t i = 0, n = tg_numel(both[0][k]); i < n; i++)
            ck_assert_double_eq(tg_get(both[0][k], i), tg_get(both[1][k], i));
}
END_TEST

/* Both passes over a head of 1024 queries need, results and gradients included, less than a quarter of its
 * scores. */
START_TEST(attention_holds_no_scores) {
    const int64_t n = 1024, size = 8;
    tg_tensor *x = tg_set_requires_grad(tg_rand(TG_F32, -1, 1, n, size), true), *g;
    int was = tg_set_num_threads(1);
    size_t before = tg_memory_get_stats().live_buffer_bytes, scores = (size_t)(n * n) * sizeof(float);
    tg_memory_reset_peak();
    tg_tensor *y = tg_scaled_dot_product_attention(x, x, x, .causal = true), *loss = tg_sum(y);
    ck_assert_int_eq(tg_grad(1, &loss, 1, &x, &g), TG_OK);
    ck_assert_uint_lt(tg_memory_get_stats().peak_buffer_bytes - before, scores / 4);
    tg_set_num_threads(was);
}
END_TEST

/* Each allocation fails in turn: an error, no result. */
START_TEST(attention_fails_whole) {
    tg_tensor *x = tg_set_requires_grad(tg_rand(TG_F32, -1, 1, 2, 5, 4), true), *t = tg_transpose(x, -1, -2);
    for (int64_t n = 1;; n++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *g;
        tg_memory_fail_at(n);
        tg_tensor *y = tg_scaled_dot_product_attention(t, t, t), *loss = tg_sum(y);
        tg_status s = tg_grad(1, &loss, 1, &x, &g);
        tg_memory_fail_at(-1);
        ck_assert_int_eq(tg_error_status(), s);
        tg_error_clear();
        tg_tape_rewind(mark);
        if (s == TG_OK) break;
        ck_assert_int_eq(s, TG_ERR_MEMORY);
        ck_assert_int_lt(n, 1000);
    }
}
END_TEST

static void clear(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
}

/* Hidden keys, and lanes beyond the last query, raise no flag. */
START_TEST(harmless_data_raise_no_flags) {
    tg_dtype f = (tg_dtype)_i;
    for (int causal = 0; causal < 2; causal++)
        for (int64_t l = 1; l < 70; l += 17) {
            tg_tensor *x[3];
            for (int i = 0; i < 3; i++) x[i] = tg_set_requires_grad(tg_randn(f, 0, 1, 2, l, 8), true);
            feclearexcept(FE_ALL_EXCEPT);
            tg_backward(tg_sum(tg_square(tg_scaled_dot_product_attention(x[0], x[1], x[2], .causal = causal))));
            ck_assert_int_eq(fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW), 0);
            ck_assert_int_eq(tg_error_status(), TG_OK);
        }
}
END_TEST

TCase *tcase_attention(void) {
    TCase *t = tcase_create("attention");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, fused_is_the_composition, 0, COUNT(all));
    tcase_add_loop_test(t, attention_is_the_same_on_any_threads, 2, 5);
    tcase_add_test(t, attention_holds_no_scores);
    tcase_add_test(t, attention_fails_whole);
    tcase_add_loop_test(t, harmless_data_raise_no_flags, TG_F32, TG_F64 + 1);
    return t;
}

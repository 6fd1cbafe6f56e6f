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
    x.qkv = tg_set_requires_grad(tg_normal(f, 0, 1, batch, length, 3, heads, size), true);
    tg_tensor *parts = tg_permute(x.qkv, 2, 0, 3, 1, 4);
    for (int i = 0; i < 3; i++) x.in[i] = tg_squeeze(tg_slice(parts, 0, i, i + 1, 1), 0);
    if (o.added) x.mask = tg_set_requires_grad(tg_normal(f, 0, 1, heads, length, length), true);
    if (o.masked) x.mask = tg_lt(tg_uniform(f, 0, 1, batch, 1, 1, length), tg_scalar(f, 0.7));
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

/* The longer one takes several groups of partial sums, the last of them of one tile. */
START_TEST(fused_is_the_composition) {
    options o = all[_i % COUNT(all)];
    for (tg_dtype f = TG_F32; f <= TG_F64; f++) {
        inputs x = _i < COUNT(all) ? make(f, o, 2, 3, 75, 20) : make(f, o, 1, 2, 1060, 4);
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

/* Where one probability is near 1, dS of its key is as small as the others: each dS is right to rounding errors of
 * p (1 - p) max |g v^T|, times those that the scores have already. By the definition in f64, both by grad_kernel and by
 * grad. (e, d)-sums are short, and q and k whole numbers, so that scores are exact. */
START_TEST(slopes_have_the_digits_of_the_other_probabilities) {
    const int64_t l = 70, s = 150, size = 4;
    bool causal = _i % 2, recorded = _i / 2 % 2;
    tg_dtype f = (tg_dtype)(_i / 4);
    tg_seed(5);
    tg_tensor *q = tg_round(tg_normal(f, 0, 3, l, size)), *k = tg_round(tg_normal(f, 0, 3, s, size));
    tg_tensor *v = tg_normal(f, 0, 1, s, size), *g = tg_normal(f, 0, 1, l, size), *ds, *want;
    tg_tensor *mask = tg_set_requires_grad(tg_zeros(f, l, s), true), *later = tg_zeros(TG_BOOL, l, s);
    tg_tensor *y = tg_scaled_dot_product_attention(q, k, v, .causal = causal, .mask = mask, .scale = 1);
    tg_grad(1, &y, 1, &mask, &ds, .seeds = &g, .create_graph = recorded);
    for (int64_t i = 0; causal && i < l; i++)
        for (int64_t j = i + 1; j < s; j++) tg_array_set(tg_array_of(later), i * s + j, 1);
    tg_tensor *score = tg_masked_fill(tg_to(tg_matmul(q, tg_transpose(k, 0, 1)), TG_F64), later, -INFINITY);
    tg_tensor *dp = tg_matmul(tg_to(g, TG_F64), tg_transpose(tg_to(v, TG_F64), 0, 1));
    tg_set_requires_grad(score, true);
    tg_tensor *p = tg_softmax(score, -1);
    tg_grad(1, &p, 1, &score, &want, .seeds = &dp);
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    int heavy = 0;
    for (int64_t i = 0; i < l; i++) {
        double most = 0, rest;
        for (int64_t j = 0; j < s; j++) most = fmax(most, fabs(tg_get(dp, i * s + j)));
        for (int64_t j = 0; j < s; j++) {
            double at = tg_get(p, i * s + j);
            heavy += at > 0.999;
            rest = 0;
            for (int64_t m = 0; at > 0.5 && m < s; m++) rest += m == j ? 0 : tg_get(p, i * s + m);
            double unit =
                (at > 0.5 ? rest : at) * most * (f == TG_F32 ? 1e-5 : 1e-13) + (f == TG_F32 ? 1e-44 : 0);
            if (fabs(tg_get(ds, i * s + j) - tg_get(want, i * s + j)) > unit)
                ck_abort_msg("query %lld, key %lld, p = %g: dS is %.9g, not %.9g", (long long)i, (long long)j,
                             at, tg_get(ds, i * s + j), tg_get(want, i * s + j));
        }
    }
    ck_assert_int_gt(heavy, 10);
}
END_TEST

/* Sums over 20,000 queries and 20,000 keys of equal terms in f32, at equal probabilities. Gradients take these from the
 * rounded logsumexp, which costs 5e-7 more. */
START_TEST(long_sums_keep_their_digits) {
    const int64_t n = 20000;
    const int64_t l = _i ? n : 2, s = _i ? 2 : n;
    tg_tensor *q = tg_full(TG_F32, 0.7f, l, 1), *k = tg_full(TG_F32, 0.3f, s, 1),
              *v = tg_full(TG_F32, 0.1f, s, 1), *g[3];
    tg_array_set(tg_array_of(v), 0, 0.9f);
    tg_tensor *in[3] = {tg_set_requires_grad(q, true), tg_set_requires_grad(k, true),
                        tg_set_requires_grad(v, true)};
    tg_tensor *lse, *y = tg_scaled_dot_product_attention(q, k, v, .logsumexp = &lse);
    tg_tensor *loss = tg_add(tg_mul_scalar(tg_sum(y), 0.3f), tg_mul_scalar(tg_sum(lse), 0.7f));
    ck_assert_int_eq(tg_grad(1, &loss, 3, in, g), TG_OK);
    double a = 0.1f, b = 0.9f, x = 0.7f, z = 0.3f, h = 0.3f, w = 0.7f, mean = a + (b - a) / (double)s;
    const double want[6] = {mean,
                            x * z + log((double)s),
                            w * z,
                            (double)l * x * (h * (b - mean) + w) / (double)s,
                            (double)l * x * (h * (a - mean) + w) / (double)s,
                            h * (double)l / (double)s};
    const double is[6] = {tg_get(y, 1),    tg_get(lse, 1),  tg_get(g[0], 1),
                          tg_get(g[1], 0), tg_get(g[1], 1), tg_get(g[2], 1)};
    for (int i = 0; i < 6; i++)
        ck_assert_msg(fabs(is[i] - want[i]) <= (i < 2 ? 1e-6 : 1.5e-6) * fabs(want[i]),
                      "number %d is %.9g, not %.9g", i, is[i], want[i]);
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
    tg_tensor *x = tg_set_requires_grad(tg_uniform(TG_F32, -1, 1, n, size), true), *g;
    int was = tg_set_num_threads(1);
    size_t before = tg_memory_now().live_buffer_bytes, scores = (size_t)(n * n) * sizeof(float);
    tg_memory_reset_peak();
    tg_tensor *y = tg_scaled_dot_product_attention(x, x, x, .causal = true), *loss = tg_sum(y);
    ck_assert_int_eq(tg_grad(1, &loss, 1, &x, &g), TG_OK);
    ck_assert_uint_lt(tg_memory_now().peak_buffer_bytes - before, scores / 4);
    tg_set_num_threads(was);
}
END_TEST

/* Each allocation fails in turn: an error, no result. */
START_TEST(attention_fails_whole) {
    tg_tensor *x = tg_set_requires_grad(tg_uniform(TG_F32, -1, 1, 2, 5, 4), true), *t = tg_transpose(x, -1, -2);
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
            for (int i = 0; i < 3; i++) x[i] = tg_set_requires_grad(tg_normal(f, 0, 1, 2, l, 8), true);
            feclearexcept(FE_ALL_EXCEPT);
            tg_backward(tg_sum(tg_square(tg_scaled_dot_product_attention(x[0], x[1], x[2], .causal = causal))));
            ck_assert_int_eq(fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW), 0);
            ck_assert_int_eq(tg_error_status(), TG_OK);
        }
}
END_TEST

/* Both P of two equal keys are 1/2, but for the rounding of lse; with v = (1, -1), dS = (g/2, -g/2). */
START_TEST(equal_keys_share) {
    enum { N = 500 };
    tg_dtype f = (tg_dtype)_i;
    double tolerance = f == TG_F32 ? 2e-5 : 1e-12;
    tg_tensor *q = tg_set_requires_grad(tg_uniform(f, 20, 90, N, 1), true), *g = tg_uniform(f, 0.5, 1, N, 1),
              *d[2];
    tg_tensor *k = tg_set_requires_grad(tg_ones(f, 2, 1), true), *v = tg_full(f, 1, 2, 1);
    tg_array_set(tg_array_of(v), 1, -1);
    tg_tensor *loss = tg_sum(tg_mul(tg_scaled_dot_product_attention(q, k, v, .scale = 1), g));
    double half = tg_item(tg_sum(tg_mul(q, g))) / 2;
    ck_assert_int_eq(tg_grad(1, &loss, 2, (tg_tensor *[]){q, k}, d), TG_OK);
    for (int64_t i = 0; i < N; i++) ck_assert_double_lt(fabs(tg_array_get(tg_array_of(d[0]), i)), tolerance);
    for (int64_t i = 0; i < 2; i++)
        ck_assert_double_lt(fabs(tg_array_get(tg_array_of(d[1]), i) - (i ? -half : half)), tolerance * half);
}
END_TEST

TCase *tcase_attention(void) {
    TCase *t = tcase_create("attention");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_set_timeout(t, 60); /* the longer compositions under sanitizers */
    tcase_add_loop_test(t, fused_is_the_composition, 0, 2 * COUNT(all));
    tcase_add_loop_test(t, slopes_have_the_digits_of_the_other_probabilities, 0, 8);
    tcase_add_loop_test(t, equal_keys_share, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(t, long_sums_keep_their_digits, 0, 2);
    tcase_add_loop_test(t, attention_is_the_same_on_any_threads, 2, 5);
    tcase_add_test(t, attention_holds_no_scores);
    tcase_add_test(t, attention_fails_whole);
    tcase_add_loop_test(t, harmless_data_raise_no_flags, TG_F32, TG_F64 + 1);
    return t;
}

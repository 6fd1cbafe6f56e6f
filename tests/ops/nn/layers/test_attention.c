/* Attention layers against heads written out one by one, and key-value caches. */
#include "tests/ops/nn/helpers.h"

/* A form leaves out what is as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum { N = 2, T = 4, SIZE = 8 };

static tg_tensor *parameter(tg_model *m, const char *name) {
    tg_tensor *p = tg_model_find(m, name);
    expect_ok();
    return p;
}

#define EXPECT_SAME(is, want) expect_same(__LINE__, is, want, 1e-12)
static void expect_same(int line, const tg_tensor *is, const tg_tensor *want, double tolerance) {
    expect_ok();
    ck_assert_msg(tg_shape_equal(tg_shape_of(is), tg_shape_of(want)), "line %d", line);
    for (int64_t i = 0; i < tg_numel(want); i++)
        expect_close_at(line, tg_get(is, i), tg_get(want, i), tolerance);
}

/* One head is plain attention; with causal the first step sees itself alone: its row is v times W_out. */
START_TEST(self_attention_is_attention) {
    tg_model *m = tg_model_new(6);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, 2, 3, 4), *y[2];
    for (int heads = 1; heads <= 2; heads++)
        y[heads - 1] = tg_nn_multihead_attention(m, "a", x, heads, .causal = true);
    expect_ok();
    ck_assert_int_eq(tg_model_count(m), 4);
    ck_assert(tg_shape_equal(tg_shape_of(tg_model_find(m, "a.in_proj_weight")), TG_SHAPE(12, 4)));
    ck_assert(tg_shape_equal(tg_shape_of(tg_model_find(m, "a.out_proj.bias")), TG_SHAPE(4)));
    tg_tensor *all =
        tg_linear(x, tg_model_find(m, "a.in_proj_weight"), .bias = tg_model_find(m, "a.in_proj_bias"));
    tg_tensor *part[3];
    for (int i = 0; i < 3; i++) part[i] = tg_narrow(all, 2, 4 * i, 4);
    tg_tensor *h = tg_scaled_dot_product_attention(part[0], part[1], part[2], .causal = true);
    tg_tensor *want = tg_nn_linear(m, "a.out_proj", h, 4), *v = tg_nn_linear(m, "a.out_proj", part[2], 4),
              *head[2];
    for (int i = 0; i < 24; i++) expect_close(tg_get(y[0], i), tg_get(want, i), 1e-14);
    for (int i = 0; i < 4; i++) expect_close(tg_get(y[1], i), tg_get(v, i), 1e-14);
    for (int i = 0; i < 2; i++) {
        tg_tensor *p[3];
        for (int k = 0; k < 3; k++) p[k] = tg_narrow(part[k], 2, 2 * i, 2);
        head[i] = tg_scaled_dot_product_attention(p[0], p[1], p[2], .causal = true);
    }
    want = tg_nn_linear(m, "a.out_proj", tg_concat(2, head[0], head[1]), 4);
    for (int i = 0; i < 24; i++) expect_close(tg_get(y[1], i), tg_get(want, i), 1e-14);
    tg_nn_multihead_attention(m, "a", x, 3);
    expect_error(TG_ERR_SHAPE, "nn_multihead_attention", "3 heads", "[2, 3, 4] f64");
    tg_nn_multihead_attention(m, "b", tg_zeros(TG_F32, 3, 4), 1);
    expect_error(TG_ERR_SHAPE, "nn_multihead_attention", "[3, 4] f32");
    tg_nn_multihead_attention(m, "b", x, 0);
    expect_error(TG_ERR_ARGUMENT, "nn_multihead_attention");
    ck_assert_int_eq(tg_model_count(m), 4);
    tg_model_free(m);
}
END_TEST

/* ---- against heads written out ---- */

typedef struct form {
    int heads, kv_heads, keys; /* 0 keys: of x to itself */
    bool causal, rotary, interleaved, separate;
    int mask; /* its rank, negative: added */
    bool padding, lengths;
} form;

static const form forms[] = {
    {2, 2, 0},
    {2, 2, 0, .causal = true},
    {4, 4, 0, .causal = true, .rotary = true},
    {4, 2, 0, .causal = true, .rotary = true, .interleaved = true},
    {4, 1, 0, .separate = true},
    {8, 2, 0, .mask = 3, .causal = true},
    {4, 2, 5},
    {4, 2, 5, .separate = true, .mask = 2},
    {2, 2, 5, .mask = 4, .padding = true},
    {4, 2, 5, .mask = 3, .lengths = true},
    {4, 2, 5, .mask = -4, .lengths = true, .padding = true},
    {4, 2, 0, .mask = -2, .causal = true, .padding = true},
    {2, 1, 0, .mask = -3, .lengths = true},
    {1, 1, 0, .causal = true, .lengths = true},
    {4, 2, 0, .mask = 4, .causal = true},
    {4, 4, 0, .mask = 1, .causal = true},
};

/* What the options of a form are, and the same as numbers to be added to the scores [N, heads, T, keys]. */
typedef struct given {
    tg_tensor *x, *key, *mask, *padding, *lengths, *added;
} given;

static given make(const form *f) {
    int64_t keys = f->keys ? f->keys : T, sizes[4] = {N, f->heads, T, keys};
    given g = {.x = tg_set_requires_grad(tg_normal(TG_F64, 0, 1, N, T, SIZE), true)};
    if (f->keys) g.key = tg_set_requires_grad(tg_normal(TG_F64, 0, 1, N, keys, SIZE), true);
    g.added = tg_zeros_with(TG_F64, TG_SHAPE(N, f->heads, T, keys));
    int rank = abs(f->mask);
    tg_shape shape = {.rank = (int8_t)rank};
    for (int i = 0; i < rank; i++) shape.dim[i] = sizes[4 - rank + i];
    if (f->mask < 0) g.mask = tg_set_requires_grad(tg_normal_with(TG_F64, 0, 1, shape), true);
    if (f->mask > 0) g.mask = tg_gt(tg_normal_with(TG_F64, 0.7, 1, shape), tg_scalar(TG_F64, 0));
    if (f->mask < 0) g.added = tg_add(g.added, g.mask);
    if (f->mask > 0) g.added = tg_masked_fill(g.added, tg_logical_not(g.mask), -INFINITY);
    if (f->padding) g.padding = tg_zeros(TG_BOOL, N, keys);
    static const int32_t lengths[N] = {2, 3};
    if (f->lengths) g.lengths = tg_from(TG_I32, lengths, N);
    tg_tensor *all_hidden = tg_zeros_with(TG_BOOL, tg_shape_of(g.added));
    for (int64_t i = 0; i < tg_numel(g.added); i++) {
        int64_t j = i % keys, t = i / keys % T, n = i / keys / T / f->heads;
        bool hidden = (f->causal && j > t) || (f->lengths && j >= lengths[n]) || (f->padding && j == n + 1);
        if (f->padding && j == n + 1) tg_array_set(tg_array_of(g.padding), n * keys + j, 1);
        tg_array_set(tg_array_of(all_hidden), i, hidden);
    }
    g.added = tg_masked_fill(g.added, all_hidden, -INFINITY);
    return g;
}

static tg_tensor *as_layer(tg_model *m, const form *f, const given *g) {
    return tg_nn_multihead_attention(m, "a", g->x, f->heads, .key = g->key, .mask = g->mask,
                                     .key_padding_mask = g->padding, .lengths = g->lengths,
                                     .kv_heads = f->kv_heads, .causal = f->causal, .rotary = f->rotary,
                                     .rotary_base = 50, .rotary_offset = f->rotary ? 3 : 0,
                                     .rotary_interleaved = f->interleaved, .separate = f->separate);
}

/* Head h of part k (0: queries), [N, .., SIZE / heads]. */
static tg_tensor *head(tg_model *m, const form *f, const given *g, int k, int h) {
    static const char *const names[] = {"a.q_proj_weight", "a.k_proj_weight", "a.v_proj_weight"};
    int64_t d = SIZE / f->heads, rows[3] = {SIZE, d * f->kv_heads, d * f->kv_heads}, start = 0;
    for (int i = 0; i < k; i++) start += rows[i];
    if (k > 0) h /= f->heads / f->kv_heads;
    tg_tensor *w =
        f->separate ? parameter(m, names[k]) : tg_narrow(parameter(m, "a.in_proj_weight"), 0, start, rows[k]);
    tg_tensor *b = tg_narrow(parameter(m, "a.in_proj_bias"), 0, start + h * d, d);
    tg_tensor *y = tg_linear(k && g->key ? g->key : g->x, tg_narrow(w, 0, h * d, d), .bias = b);
    return f->rotary && k < 2 ? tg_rotary(y, .base = 50, .offset = 3, .interleaved = f->interleaved) : y;
}

static tg_tensor *by_hand(tg_model *m, const form *f, const given *g) {
    tg_tensor *all[8];
    for (int h = 0; h < f->heads; h++) {
        tg_tensor *score = tg_matmul(head(m, f, g, 0, h), tg_transpose(head(m, f, g, 1, h), 1, 2));
        score = tg_mul_scalar(score, 1 / sqrt(SIZE / (double)f->heads));
        tg_tensor *added = tg_select(g->added, 1, h), *hidden = tg_eq(added, tg_scalar(TG_F64, -INFINITY));
        /* -1e9 in place of -inf: a row that is all hidden has a softmax that is then made 0 */
        score = tg_masked_fill(tg_add(score, tg_masked_fill(added, hidden, 0)), hidden, -1e9);
        tg_tensor *p = tg_masked_fill(tg_softmax(score, -1), hidden, 0);
        all[h] = tg_matmul(p, head(m, f, g, 2, h));
    }
    return tg_linear(tg_concat_with(-1, f->heads, all), parameter(m, "a.out_proj.weight"),
                     .bias = parameter(m, "a.out_proj.bias"));
}

START_TEST(heads_are_attention) {
    const form *f = &forms[_i];
    tg_seed((uint64_t)_i);
    tg_model *m = tg_model_new(6);
    given g = make(f);
    tg_tensor *seed = tg_normal(TG_F64, 0, 1, N, T, SIZE), *y = as_layer(m, f, &g), *want;
    expect_ok();
    for (int i = 0; i < tg_model_count(m); i++) { /* biases, too, are not zero */
        bool was = tg_set_grad_enabled(false);
        tg_add_(tg_model_at(m, i), tg_normal_with(TG_F64, 0, 0.1, tg_shape_of(tg_model_at(m, i))), 1);
        tg_set_grad_enabled(was);
    }
    ck_assert_int_eq(tg_model_count(m), f->separate ? 6 : 4);
    y = as_layer(m, f, &g), want = by_hand(m, f, &g);
    EXPECT_SAME(y, want);
    tg_tensor *of[9], *is[9], *to[9], *loss[2] = {tg_sum(tg_mul(y, seed)), tg_sum(tg_mul(want, seed))};
    int n = 0;
    for (; n < tg_model_count(m); n++) of[n] = tg_model_at(m, n);
    of[n++] = g.x;
    if (g.key) of[n++] = g.key;
    if (f->mask < 0) of[n++] = g.mask;
    ck_assert_msg(tg_grad(1, &loss[0], n, of, is) == TG_OK, "%s", tg_error_message());
    ck_assert_msg(tg_grad(1, &loss[1], n, of, to) == TG_OK, "%s", tg_error_message());
    for (int i = 0; i < n; i++) EXPECT_SAME(is[i], to[i]);
    tg_model_free(m);
}
END_TEST

/* Dropout so rare that nothing is dropped goes by way of the whole matrix; dropped altogether, or with nothing to see,
 * only the bias is left. */
START_TEST(dropout_is_of_the_weights) {
    const form *f = &forms[_i];
    tg_seed((uint64_t)_i);
    tg_model *m = tg_model_new(6);
    given g = make(f);
    if (f->rotary) return tg_model_free(m);
    tg_tensor *y = as_layer(m, f, &g), *is, *none;
#define DROPPED(p) \
    tg_nn_multihead_attention(m, "a", g.x, f->heads, .key = g.key, .mask = g.mask, \
                              .key_padding_mask = g.padding, .lengths = g.lengths, .kv_heads = f->kv_heads, \
                              .causal = f->causal, .separate = f->separate, .dropout = p)
    is = DROPPED(1e-14), none = DROPPED(1);
    EXPECT_SAME(is, y);
    for (int64_t i = 0; i < tg_numel(none); i++)
        ck_assert(tg_get(none, i) == tg_get(parameter(m, "a.out_proj.bias"), i % SIZE));
    tg_tensor *half = DROPPED(0.5);
    ck_assert(fabs(tg_item(tg_sum(half)) - tg_item(tg_sum(y))) > 1e-9);
    ck_assert_int_eq(tg_backward(tg_sum(half)), TG_OK);
    for (int64_t i = 0; i < tg_numel(g.x); i++) ck_assert(isfinite(tg_get(tg_grad_of(g.x), i)));
    tg_model_set_training(m, false);
    EXPECT_SAME(DROPPED(0.5), y);
    tg_model_free(m);
}
END_TEST

START_TEST(what_sees_nothing_gets_the_bias) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_normal(TG_F32, 0, 1, N, T, SIZE), *y;
    y = tg_nn_multihead_attention(m, "a", x, 2, .lengths = tg_zeros(TG_I64, N),
                                  .init_out_bias = tg_init_constant(3));
    for (int64_t i = 0; i < tg_numel(y); i++) ck_assert(tg_get(y, i) == 3);
    ck_assert_int_eq(tg_backward(tg_sum(y)), TG_OK);
    tg_tensor *g = tg_grad_of(parameter(m, "a.in_proj_weight"));
    for (int64_t i = 0; i < tg_numel(g); i++) ck_assert(tg_get(g, i) == 0);
    tg_model_free(m);
}
END_TEST

#define REFUSED(status, heads, options, ...) \
    do { \
        tg_nn_multihead_attention_opts o = options; \
        ck_assert(tg_is_poison(tg_nn_multihead_attention_with(m, "a", x, heads, o))); \
        expect_error(status, "nn_multihead_attention: ", __VA_ARGS__); \
        ck_assert_int_eq(tg_model_count(m), 0); \
    } while (0)
#define OPTIONS(...) ((tg_nn_multihead_attention_opts){__VA_ARGS__})

START_TEST(wrong_options_leave_no_trace) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_zeros(TG_F32, N, T, SIZE);
    const int64_t far[N] = {1, 5};
    tg_kv_cache *cache = tg_kv_cache_new(8);
    REFUSED(TG_ERR_SHAPE, 3, OPTIONS(.causal = true), "3 heads do not divide", "[2, 4, 8] f32");
    REFUSED(TG_ERR_SHAPE, 4, OPTIONS(.kv_heads = 3), "3 heads of keys and values do not divide 4 heads");
    REFUSED(TG_ERR_SHAPE, 4, OPTIONS(.kv_heads = -2), "-2 heads of keys");
    REFUSED(TG_ERR_SHAPE, 8, OPTIONS(.rotary = true), "even size, not 1");
    REFUSED(TG_ERR_ARGUMENT, 2, OPTIONS(.rotary = true, .rotary_base = -1), "base", "-1");
    REFUSED(TG_ERR_ARGUMENT, 2, OPTIONS(.rotary = true, .rotary_offset = INT64_MAX), "rotary_offset");
    REFUSED(TG_ERR_ARGUMENT, 2, OPTIONS(.dropout = -0.5), "dropout, -0.5");
    REFUSED(TG_ERR_ARGUMENT, 2, OPTIONS(.dropout = NAN), "dropout");
    REFUSED(TG_ERR_SHAPE, 2, OPTIONS(.key = tg_zeros(TG_F32, N, SIZE)), "key and value must be", "[2, 8] f32");
    REFUSED(TG_ERR_SHAPE, 2, OPTIONS(.key = tg_zeros(TG_F32, 1, T, SIZE)), "the n of the query", "[1, 4, 8]");
    REFUSED(TG_ERR_DTYPE, 2, OPTIONS(.key = tg_zeros(TG_F64, N, T, SIZE)), "one dtype", "f64");
    REFUSED(TG_ERR_SHAPE, 2, OPTIONS(.value = tg_zeros(TG_F32, N, T + 1, 3)), "as many values as keys",
            "[2, 5, 3]");
    REFUSED(TG_ERR_ARGUMENT, 2, OPTIONS(.key = tg_zeros(TG_F32, N, T, SIZE), .cache = cache), "to itself");
    REFUSED(TG_ERR_ARGUMENT, 2, OPTIONS(.value = tg_zeros(TG_F32, N, T, SIZE), .rotary = true), "to itself");
    REFUSED(TG_ERR_SHAPE, 2, OPTIONS(.mask = tg_ones(TG_BOOL, T, T + 1)), "[4, 5] bool");
    REFUSED(TG_ERR_SHAPE, 4, OPTIONS(.mask = tg_ones(TG_BOOL, 3, T, T), .kv_heads = 2), "mask",
            "[3, 4, 4] bool");
    REFUSED(TG_ERR_SHAPE, 4, OPTIONS(.mask = tg_ones(TG_BOOL, 1, 1, 1, T, T), .kv_heads = 2), "mask");
    REFUSED(TG_ERR_DTYPE, 2, OPTIONS(.mask = tg_ones(TG_I64, T, T)), "i64");
    REFUSED(TG_ERR_DTYPE, 2, OPTIONS(.key_padding_mask = tg_ones(TG_F32, N, T)), "[2, 4] bool", "[2, 4] f32");
    REFUSED(TG_ERR_SHAPE, 2, OPTIONS(.key_padding_mask = tg_ones(TG_BOOL, T, N)), "[2, 4] bool", "[4, 2] bool");
    REFUSED(TG_ERR_ARGUMENT, 2, OPTIONS(.lengths = tg_from(TG_I64, far, N)),
            "length 5 of sample 1 is not in 0..4");
    tg_kv_cache_free(cache);
    tg_model_free(m);
}
END_TEST

/* ---- caches ---- */

typedef struct generation {
    bool causal, rotary, padding;
    int heads, kv_heads;
} generation;
static const generation generations[] = {
    {true, false, false, 2, 2}, {true, true, false, 4, 2}, {true, true, true, 4, 4}, {true, false, true, 4, 1}};

enum { LONG = 23 };

static tg_tensor *step(tg_model *m, const generation *g, tg_tensor *x, tg_kv_cache *cache, tg_tensor *padding) {
    return tg_nn_multihead_attention(m, "a", x, g->heads, .kv_heads = g->kv_heads, .causal = g->causal,
                                     .rotary = g->rotary, .key_padding_mask = padding, .cache = cache);
}

/* Parts of all lengths, through growths of the cache, give what one pass does. */
START_TEST(a_cache_is_one_pass_in_parts) {
    static const int64_t parts[] = {3, 1, 1, 2, 1, 5, 1, 4, 1, 4};
    const generation *g = &generations[_i];
    tg_model *m = tg_model_new(3);
    tg_kv_cache *cache = tg_kv_cache_new(LONG);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, N, LONG, SIZE), *padding = NULL;
    if (g->padding)
        padding = tg_lt(tg_arange(TG_I64, 0, LONG, 1), tg_from(TG_I64, ((const int64_t[]){0, 2}), N, 1));
    tg_tensor *want = step(m, g, x, NULL, padding);
    expect_ok();
    bool was = tg_set_grad_enabled(false);
    for (int again = 0; again < 2; again++) {
        int64_t past = 0;
        for (int i = 0; i < COUNT(parts); past += parts[i++]) {
            ck_assert_int_eq(tg_kv_cache_length(cache), past);
            ck_assert_int_eq(tg_kv_cache_past(cache, "a"), past);
            tg_mark mark = tg_tape_mark();
            tg_tensor *known = padding ? tg_narrow(padding, 1, 0, past + parts[i]) : NULL;
            tg_tensor *y = step(m, g, tg_narrow(x, 1, past, parts[i]), cache, known);
            EXPECT_SAME(y, tg_narrow(want, 1, past, parts[i]));
            tg_tape_rewind(mark);
        }
        step(m, g, tg_narrow(x, 1, 0, 1), cache, NULL);
        expect_error(TG_ERR_ARGUMENT, "nn_multihead_attention", "a holds 23 steps", "1 more", "limit of 23");
        ck_assert_int_eq(tg_kv_cache_truncate(cache, 0), TG_OK);
    }
    tg_set_grad_enabled(was);
    expect_ok();
    tg_kv_cache_free(cache);
    tg_model_free(m);
}
END_TEST

/* k and v of one step are written where they belong, and what was there is not copied. */
START_TEST(appending_copies_nothing) {
    tg_kv_cache *cache = tg_kv_cache_new(1 << 20);
    tg_tensor *k[20], *v[20], *more = tg_ones(TG_F32, 1, 2, 1, 3), *value = tg_full(TG_F32, 2, 1, 2, 1, 5);
    size_t before = 0;
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(tg_kv_cache_append(cache, "l", more, value, &k[i], &v[i]), TG_OK);
        ck_assert_int_eq(tg_size(k[i], 2), i + 1);
        if (i == 16) before = tg_memory_now().live_buffer_bytes;
        if (i > 0 && i != 16) ck_assert(tg_array_of(k[i])->data == tg_array_of(k[i - 1])->data);
    }
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, before);
    ck_assert(tg_array_of(k[16])->data != tg_array_of(k[15])->data);
    for (int64_t i = 0; i < tg_numel(k[15]); i++) ck_assert(tg_get(k[15], i) == 1); /* still there */
    for (int64_t i = 0; i < tg_numel(v[19]); i++) ck_assert(tg_get(v[19], i) == 2);
    ck_assert(tg_shape_equal(tg_shape_of(v[19]), TG_SHAPE(1, 2, 20, 5)));
    expect_ok();
    tg_kv_cache_free(cache);
}
END_TEST

/* Layers apart, of which one may be behind; and steps are forgotten from the end. */
START_TEST(layers_have_their_own_steps) {
    tg_kv_cache *cache = tg_kv_cache_new(10);
    tg_tensor *k, *v, *a = tg_normal(TG_F64, 0, 1, 1, 1, 4, 2), *b = tg_normal(TG_F64, 0, 1, 2, 3, 1, 4);
    ck_assert_int_eq(tg_kv_cache_length(cache), 0);
    tg_kv_cache_append(cache, "a", a, a, &k, &v);
    tg_kv_cache_append(cache, "b", b, b, &k, &v);
    EXPECT_SAME(k, b);
    ck_assert_int_eq(tg_kv_cache_length(cache), 1);
    ck_assert_int_eq(tg_kv_cache_past(cache, "a"), 4);
    ck_assert_int_eq(tg_kv_cache_past(cache, "c"), 0);
    ck_assert_int_eq(tg_kv_cache_truncate(cache, 2), TG_OK);
    ck_assert_int_eq(tg_kv_cache_past(cache, "a"), 2);
    ck_assert_int_eq(tg_kv_cache_past(cache, "b"), 1);
    tg_kv_cache_append(cache, "a", tg_neg(a), a, &k, &v);
    EXPECT_SAME(k, tg_concat(2, tg_narrow(a, 2, 0, 2), tg_neg(a)));
    tg_kv_cache_append(cache, "d", a, a, &k, &v);
    ck_assert_int_eq(tg_kv_cache_length(cache), 1);
    tg_kv_cache_truncate(cache, 0);
    tg_kv_cache_append(cache, "a", b, b, &k, &v); /* another batch */
    EXPECT_SAME(v, b);
    tg_kv_cache_append(cache, "a", tg_zeros(TG_F64, 2, 3, 0, 4), tg_zeros(TG_F64, 2, 3, 0, 4), &k, &v);
    EXPECT_SAME(k, b);
    expect_ok();
    tg_kv_cache_free(cache);
}
END_TEST

#define NOT_APPENDED(status, name, k, v, ...) \
    do { \
        tg_tensor *keys = NULL, *values = NULL; \
        ck_assert_int_eq(tg_kv_cache_append(cache, name, k, v, &keys, &values), status); \
        expect_error(status, "tg_kv_cache_append: ", __VA_ARGS__); \
        ck_assert(tg_is_poison(keys) && tg_is_poison(values)); \
        ck_assert_int_eq(tg_kv_cache_past(cache, "l"), 3); \
    } while (0)

START_TEST(wrong_steps_are_refused) {
    tg_kv_cache *cache = tg_kv_cache_new(4);
    tg_tensor *k, *v, *x = tg_ones(TG_F32, 1, 2, 3, 4), *one = tg_ones(TG_F32, 1, 2, 1, 4);
    tg_kv_cache_append(cache, "l", x, x, &k, &v);
    expect_ok();
    char name[300];
    memset(name, 'a', sizeof name), name[299] = 0;
    NOT_APPENDED(TG_ERR_ARGUMENT, "l", x, x, "l holds 3 steps", "3 more", "limit of 4");
    NOT_APPENDED(TG_ERR_ARGUMENT, "m", tg_ones(TG_F32, 1, 2, 5, 4), tg_ones(TG_F32, 1, 2, 5, 4),
                 "m holds 0 steps");
    NOT_APPENDED(TG_ERR_SHAPE, "l", tg_ones(TG_F32, 1, 3, 1, 4), tg_ones(TG_F32, 1, 3, 1, 4),
                 "l holds [1, 2, 3, 4]", "[1, 3, 1, 4]");
    NOT_APPENDED(TG_ERR_SHAPE, "l", one, tg_ones(TG_F32, 1, 2, 1, 5), "l holds", "[1, 2, 1, 5]");
    NOT_APPENDED(TG_ERR_SHAPE, "l", one, tg_ones(TG_F32, 1, 2, 2, 4), "[n, heads, t, size]");
    NOT_APPENDED(TG_ERR_SHAPE, "l", tg_ones(TG_F32, 2, 1, 4), one, "[2, 1, 4]");
    NOT_APPENDED(TG_ERR_DTYPE, "l", one, tg_ones(TG_F64, 1, 2, 1, 4), "f64");
    NOT_APPENDED(TG_ERR_DTYPE, "l", tg_ones(TG_F64, 1, 2, 1, 4), tg_ones(TG_F64, 1, 2, 1, 4), "l holds f32",
                 "f64");
    NOT_APPENDED(TG_ERR_DTYPE, "n", tg_ones(TG_I32, 1, 2, 1, 4), tg_ones(TG_I32, 1, 2, 1, 4), "i32");
    NOT_APPENDED(TG_ERR_ARGUMENT, NULL, one, one, "NULL");
    NOT_APPENDED(TG_ERR_ARGUMENT, name, one, one, "too long");
    NOT_APPENDED(TG_ERR_ARGUMENT, "l", NULL, one, "k");
    NOT_APPENDED(TG_ERR_TAPE, "l", tg_set_requires_grad(tg_ones(TG_F32, 1, 2, 1, 4), true), one, "recording");
    ck_assert_int_eq(tg_kv_cache_length(cache), 3);
    ck_assert_ptr_null(tg_kv_cache_new(0));
    expect_error(TG_ERR_ARGUMENT, "tg_kv_cache_new", "limit, 0");
    tg_kv_cache_truncate(cache, -1);
    expect_error(TG_ERR_ARGUMENT, "tg_kv_cache_truncate", "-1");
    tg_kv_cache_past(cache, NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_kv_cache_past", "NULL");
    tg_kv_cache_length(NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_kv_cache_length", "NULL");
    tg_kv_cache_free(cache);
    tg_kv_cache_length(cache);
    expect_error(TG_ERR_ARGUMENT, "tg_kv_cache_length", "was freed");
    tg_kv_cache_free(cache);
    expect_error(TG_ERR_ARGUMENT, "tg_kv_cache_free", "was freed");
    tg_kv_cache_free(NULL);
    expect_ok();
}
END_TEST

/* While gradients are recorded, a cache would lose them. */
START_TEST(a_cache_refuses_gradients) {
    tg_model *m = tg_model_new(1);
    tg_kv_cache *cache = tg_kv_cache_new(8);
    tg_tensor *x = tg_ones(TG_F32, 1, 2, 4);
    tg_nn_multihead_attention(m, "a", x, 2, .cache = cache);
    expect_error(TG_ERR_TAPE, "nn_multihead_attention: ", "recording", "tg_set_grad_enabled");
    ck_assert_int_eq(tg_model_count(m), 0);
    ck_assert_int_eq(tg_kv_cache_length(cache), 0);
    bool was = tg_set_grad_enabled(false);
    ck_assert(tg_is_alive(tg_nn_multihead_attention(m, "a", x, 2, .cache = cache)));
    tg_set_grad_enabled(was);
    expect_ok();
    tg_kv_cache_free(cache);
    tg_model_free(m);
}
END_TEST

typedef struct layer_call {
    tg_model *model;
    tg_tensor *x;
    tg_kv_cache *cache;
    const generation *g;
} layer_call;

static void generate(void *context) {
    layer_call *c = context;
    step(c->model, c->g, c->x, c->cache, NULL);
}

/* With each allocation failing in turn, of a first step, of one that grows and of one that does not. */
START_TEST(every_allocation_may_fail) {
    static const int64_t before[] = {0, 15, 3};
    const generation *g = &generations[_i];
    bool was = tg_set_grad_enabled(false);
    int failures = 0;
    for (int k = 0; k < COUNT(before); k++) {
        bool failed = true;
        for (int64_t n = 1; failed; n++) {
            tg_mark mark = tg_tape_mark();
            tg_model *m = tg_model_new(1);
            layer_call c = {m, tg_ones(TG_F32, 1, 2, SIZE), tg_kv_cache_new(64), g};
            if (before[k]) step(m, g, tg_ones(TG_F32, 1, before[k], SIZE), c.cache, NULL);
            expect_ok();
            size_t live = tg_memory_now().live_buffer_bytes;
            int64_t tensors = tg_tape_tensors();
            tg_memory_fail_at(n);
            generate(&c);
            tg_memory_fail_at(-1);
            failed = tg_error_status() != TG_OK;
            if (failed) {
                failures++;
                expect_error(TG_ERR_MEMORY, "nn_multihead_attention");
                ck_assert_int_eq(tg_kv_cache_length(c.cache), before[k]);
                ck_assert_int_eq(tg_model_count(m), before[k] ? 4 : 0);
                ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
                ck_assert_int_eq(tg_tape_tensors(), tensors);
            }
            generate(&c);
            ck_assert_int_eq(tg_kv_cache_length(c.cache), before[k] + (failed ? 2 : 4));
            expect_ok();
            tg_kv_cache_free(c.cache);
            tg_model_free(m);
            tg_tape_rewind(mark);
        }
    }
    tg_set_grad_enabled(was);
    ck_assert_int_ge(failures, 12);
}
END_TEST

TCase *tcase_attention_layers(void) {
    TCase *t = tcase_create("attention");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, self_attention_is_attention);
    tcase_add_loop_test(t, heads_are_attention, 0, COUNT(forms));
    tcase_add_loop_test(t, dropout_is_of_the_weights, 0, COUNT(forms));
    tcase_add_test(t, what_sees_nothing_gets_the_bias);
    tcase_add_test(t, wrong_options_leave_no_trace);
    tcase_add_loop_test(t, a_cache_is_one_pass_in_parts, 0, COUNT(generations));
    tcase_add_test(t, appending_copies_nothing);
    tcase_add_test(t, layers_have_their_own_steps);
    tcase_add_test(t, wrong_steps_are_refused);
    tcase_add_test(t, a_cache_refuses_gradients);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, COUNT(generations));
    return t;
}

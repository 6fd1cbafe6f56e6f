#include "tests/ops/nn/helpers.h"

typedef tg_tensor *(*loss_fn)(tg_tensor *x, tg_tensor *target);

static tg_tensor *mse(tg_tensor *x, tg_tensor *y) { return tg_mse_loss(x, y); }
static tg_tensor *bce_logits(tg_tensor *x, tg_tensor *y) { return tg_binary_cross_entropy_with_logits(x, y); }
static tg_tensor *bce(tg_tensor *x, tg_tensor *y) { return tg_binary_cross_entropy(x, y); }
static tg_tensor *bce_plain(tg_tensor *x, tg_tensor *y) { return tg_binary_cross_entropy(tg_sigmoid(x), y); }
static tg_tensor *ce(tg_tensor *x, tg_tensor *y) { return tg_cross_entropy(x, y); }
static tg_tensor *nll(tg_tensor *x, tg_tensor *y) { return tg_nll_loss(x, y); }
static tg_tensor *ce_plain(tg_tensor *x, tg_tensor *y) { return tg_nll_loss(tg_log(tg_softmax(x, 1)), y); }

static tg_tensor *leaf(tg_dtype dtype, const double *v, tg_shape shape) {
    return tg_set_requires_grad(tg_to(tg_from_with(TG_F64, v, shape), dtype), true);
}

static tg_tensor *gradient(tg_tensor *loss, tg_tensor *x) {
    tg_tensor *g = NULL;
    ck_assert_msg(tg_grad(1, &loss, 1, &x, &g) == TG_OK, "%s", tg_error_message());
    return g;
}

/* ---- against PyTorch: torch.nn.functional on z, y, p [2, 3] and classes {2, 0}, float64 ---- */

static const double z[] = {-3, 0.5, 1.25, 2, -0.75, 40}, y[] = {0, 1, 0.25, 1, 0.5, 0.75};
static const double p[] = {0.125, 0.5, 0.75, 0.9, 0.25, 0.999};
static const int64_t classes[] = {2, 0};

static const struct {
    loss_fn fn;
    const double *x;
    double value, gradient[6];
} golden[] = {
    /* mse_loss(z, y) */
    {mse,
     z,
     258.89583333333331,
     {-1, -0.16666666666666666, 0.33333333333333331, 0.33333333333333331, -0.41666666666666663,
      13.083333333333332}},
    /* binary_cross_entropy_with_logits(z, y) */
    {bce_logits,
     z,
     2.100148739042849,
     {0.0079043121962611308, -0.062923444799690906, 0.087883310195781841, -0.019867153670352949,
      -0.029863116529232164, 0.041666666666666664}},
    /* binary_cross_entropy(p, y) */
    {bce,
     p,
     0.76805963159611901,
     {0.19047619047619047, -0.33333333333333331, 0.44444444444444442, -0.1851851851851852,
      -0.22222222222222221, 41.541541541541498}},
    /* cross_entropy(z, classes) */
    {ce,
     z,
     19.198256171266134,
     {0.0047975038715370628, 0.1588715089795259, -0.16366901285106294, -0.5, 1.0033902271973544e-18, 0.5}},
};

static tg_tensor *target_of(loss_fn fn, tg_dtype dtype) {
    return fn == ce || fn == nll || fn == ce_plain ? tg_from(TG_I64, classes, 2)
                                                   : tg_to(tg_from(TG_F64, y, 2, 3), dtype);
}

START_TEST(as_pytorch) {
    for (int f32 = 0; f32 < 2; f32++) {
        tg_dtype dtype = f32 ? TG_F32 : TG_F64;
        tg_tensor *x = leaf(dtype, golden[_i].x, TG_SHAPE(2, 3));
        tg_tensor *loss = golden[_i].fn(x, target_of(golden[_i].fn, dtype));
        ck_assert_int_eq(tg_rank(loss), 0);
        expect_close(tg_item(loss), golden[_i].value, f32 ? 2e-6 : 1e-14);
        expect_elements(gradient(loss, x), golden[_i].gradient, f32 ? 2e-5 : 1e-13);
    }
}
END_TEST

/* ---- start gradients: (y_hat - y) / n, from the fused loss and from the plain composition ---- */

START_TEST(starts_with_y_hat_minus_y_over_n) {
    tg_tensor *x = leaf(TG_F64, z, TG_SHAPE(2, 3));
    double binary[6], many[6], square[6];
    for (int i = 0; i < 6; i++) {
        double row = 0;
        for (int j = 0; j < 3; j++) row += exp(z[i / 3 * 3 + j]);
        binary[i] = (1 / (1 + exp(-z[i])) - y[i]) / 6;
        many[i] = (exp(z[i]) / row - (classes[i / 3] == i % 3)) / 2;
        square[i] = 2 * (z[i] - y[i]) / 6;
    }
    tg_tensor *t = tg_from(TG_F64, y, 2, 3), *c = tg_from(TG_I64, classes, 2);
    expect_elements(gradient(mse(x, t), x), square, 1e-15);
    expect_elements(gradient(bce_logits(x, t), x), binary, 1e-15);
    expect_elements(gradient(ce(x, c), x), many, 1e-15);
    expect_elements(gradient(ce_plain(x, c), x), many, 1e-15);
    expect_close(tg_item(ce_plain(x, c)), tg_item(ce(x, c)), 1e-14);

    tg_tensor *mild = leaf(TG_F64, z, TG_SHAPE(5)),
              *target = tg_from(TG_F64, y, 5); /* not 40: there 1 - s(z) is 0 */
    for (int i = 0; i < 5; i++) binary[i] *= 6.0 / 5;
    expect_elements(gradient(bce_plain(mild, target), mild), binary, 1e-15);
    expect_close(tg_item(bce_plain(mild, target)), tg_item(bce_logits(mild, target)), 1e-14);
}
END_TEST

/* ---- far out, and at 0 ---- */

START_TEST(logits_of_any_size) {
    static const struct {
        double z, y, loss, gradient;
    } rows[] = {
        {0, 0, 0.69314718055994531, 0.5},
        {0, 1, 0.69314718055994531, -0.5},
        {0, 0.25, 0.69314718055994531, 0.25},
        {-0.0, 1, 0.69314718055994531, -0.5},
        {1000, 0, 1000, 1},
        {1000, 1, 0, 0},
        {-1000, 0, 0, 0},
        {-1000, 1, 1000, -1},
        {1000, 0.5, 500, 0.5},
        {30, 1, 9.3576229688397368e-14, -9.3576229688393e-14}, /* log1p(exp(-30)), all digits */
        {-30, 0, 9.3576229688397368e-14, 9.3576229688393e-14},
        {1e300, 1, 0, 0},
        {-1e300, 1, 1e300, -1},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        tg_tensor *x = leaf(TG_F64, &rows[i].z, TG_SHAPE(1)), *t = tg_from(TG_F64, &rows[i].y, 1);
        tg_tensor *loss = bce_logits(x, t);
        double is = tg_item(loss), slope = tg_item(gradient(loss, x));
        ck_assert_msg(fabs(is - rows[i].loss) <= 1e-14 * rows[i].loss, "loss at %g: %.17g", rows[i].z, is);
        ck_assert_msg(fabs(slope - rows[i].gradient) <= 1e-12 * fabs(rows[i].gradient),
                      "gradient at %g: %.17g", rows[i].z, slope);
        if (fabs(rows[i].z) > 1e38) continue;
        tg_tensor *x32 = leaf(TG_F32, &rows[i].z, TG_SHAPE(1));
        tg_tensor *loss32 = bce_logits(x32, tg_to(t, TG_F32));
        expect_close(tg_item(loss32), rows[i].loss, 1e-6);
        expect_close(tg_item(gradient(loss32, x32)), rows[i].gradient, 1e-6);
    }
}
END_TEST

START_TEST(cross_entropy_far_out) {
    const double far[] = {1000, 0, -1000, 1e6, 1e6, -1e6};
    tg_tensor *x = leaf(TG_F64, far, TG_SHAPE(2, 3));
    tg_tensor *loss = ce(x, tg_from(TG_I64, classes, 2)); /* 2000 and log 2 */
    expect_close(tg_item(loss), (2000 + log(2)) / 2, 1e-15);
    expect_elements(gradient(loss, x), ((double[]){0.5, 0, -0.5, -0.25, 0.25, 0}), 1e-15);
}
END_TEST

/* At p = 0 and 1 the logarithms stop at -100, and no NaN comes from the side that counts nothing. */
START_TEST(probabilities_at_the_ends) {
    const double at[] = {0, 0, 1, 1}, target[] = {0, 1, 0, 1};
    for (int f32 = 0; f32 < 2; f32++) {
        tg_tensor *x = leaf(f32 ? TG_F32 : TG_F64, at, TG_SHAPE(4));
        tg_tensor *loss = bce(x, tg_to(tg_from(TG_F64, target, 4), f32 ? TG_F32 : TG_F64));
        expect_close(tg_item(loss), 50, 1e-15);
        expect_elements(gradient(loss, x), ((double[]){0.25, 0, 0, -0.25}), 1e-15);
    }
    /* Before the bound, the logarithm itself. */
    const double small = 1e-40;
    tg_tensor *x = leaf(TG_F64, &small, TG_SHAPE(1)), *loss = bce(x, tg_ones(TG_F64, 1));
    expect_close(tg_item(loss), -log(small), 1e-15);
    expect_close(tg_item(gradient(loss, x)), -1 / small, 1e-15);
    ck_assert(isnan(tg_item(bce(tg_full(TG_F64, NAN, 1), tg_ones(TG_F64, 1)))));
    ck_assert(isnan(tg_item(bce_logits(tg_full(TG_F64, NAN, 1), tg_ones(TG_F64, 1)))));
    ck_assert(isnan(tg_item(mse(tg_full(TG_F64, NAN, 1), tg_ones(TG_F64, 1)))));
    expect_ok();
}
END_TEST

START_TEST(losses_of_nothing_are_nan) {
    ck_assert(isnan(tg_item(mse(tg_zeros(TG_F64, 0), tg_zeros(TG_F64, 0)))));
    ck_assert(isnan(tg_item(bce_logits(tg_zeros(TG_F64, 0, 3), tg_zeros(TG_F64, 0, 3)))));
    ck_assert(isnan(tg_item(ce(tg_zeros(TG_F64, 0, 3), tg_zeros(TG_I64, 0)))));
    ck_assert(isnan(tg_accuracy(tg_zeros(TG_F64, 0, 3), tg_zeros(TG_I64, 0))));
    expect_ok();
}
END_TEST

/* ---- gradients of first and second order, of the target too ---- */

static tg_tensor *of_both(tg_tensor *const *in, void *user) {
    return ((loss_fn)(uintptr_t)user)(in[0], in[1]);
}

START_TEST(gradients_check) {
    static const loss_fn of_elements[] = {mse, bce_logits, bce, bce_plain}, of_rows[] = {ce, ce_plain};
    const double inner[] = {-1, 0.5, 1.25, 2, -0.75, 0.3}, soft[] = {0.1, 0.9, 0.25, 0.8, 0.5, 0.75};
    const double other[] = {0.3, 0.6, 0.45, 0.2, 0.7, 0.35}; /* at the target itself the gradient is 0 */
    for (int order = 1; order <= 2; order++) {
        tg_gradcheck_report r;
        for (int i = 0; i < COUNT(of_elements); i++) {
            tg_tensor *in[] = {leaf(TG_F64, of_elements[i] == bce ? other : inner, TG_SHAPE(6)),
                               leaf(TG_F64, soft, TG_SHAPE(6))};
            ck_assert_msg(tg_gradcheck(of_both, (void *)(uintptr_t)of_elements[i], 2, in, &r, .order = order),
                          "loss %d: %s", i, r.message);
        }
        for (int i = 0; i < COUNT(of_rows); i++) {
            tg_tensor *in[] = {leaf(TG_F64, inner, TG_SHAPE(2, 3)), tg_from(TG_I64, classes, 2)};
            ck_assert_msg(tg_gradcheck(of_both, (void *)(uintptr_t)of_rows[i], 2, in, &r, .order = order),
                          "loss %d: %s", i, r.message);
        }
    }
}
END_TEST

/* ---- mistakes ---- */

START_TEST(shapes_and_dtypes_must_agree) {
    static const struct {
        loss_fn fn;
        const char *name;
    } losses[] = {
        {mse, "mse_loss"}, {bce_logits, "binary_cross_entropy_with_logits"}, {bce, "binary_cross_entropy"}};
    for (int i = 0; i < COUNT(losses); i++) {
        loss_fn fn = losses[i].fn;
        tg_tensor *column = tg_set_name(tg_zeros(TG_F32, 8, 1), "pred");
        ck_assert(tg_is_poison(fn(column, tg_zeros(TG_F32, 8))));
        expect_error(TG_ERR_SHAPE, losses[i].name, "pred [8, 1] f32", "[8] f32", "test_loss.c:");
        ck_assert(tg_is_poison(fn(tg_zeros(TG_F32, 8), tg_zeros(TG_F64, 8))));
        expect_error(TG_ERR_DTYPE, losses[i].name, "f32", "f64");
        ck_assert(tg_is_poison(fn(tg_zeros(TG_I64, 8), tg_zeros(TG_I64, 8))));
        expect_error(TG_ERR_DTYPE, losses[i].name, "i64");
        ck_assert(tg_is_poison(fn(NULL, tg_zeros(TG_F32, 8))));
        expect_error(TG_ERR_ARGUMENT, "NULL");
    }
    const double labels[] = {1, -1};
    bce_logits(tg_zeros(TG_F64, 2), tg_from(TG_F64, labels, 2));
    expect_error(TG_ERR_ARGUMENT, "target", "-1", "position 1");
    bce(tg_full(TG_F64, 1.5, 2), tg_ones(TG_F64, 2));
    expect_error(TG_ERR_ARGUMENT, "probability", "1.5", "position 0");
    bce(tg_transpose(tg_full(TG_F32, 1.5, 2, 3), 0, 1), tg_ones(TG_F32, 3, 2));
    expect_error(TG_ERR_ARGUMENT, "probability", "1.5");
}
END_TEST

START_TEST(classes_must_exist) {
    static const struct {
        loss_fn fn;
        const char *name;
    } losses[] = {{ce, "cross_entropy"}, {nll, "nll_loss"}};
    for (int i = 0; i < COUNT(losses); i++) {
        loss_fn fn = losses[i].fn;
        const int64_t high[] = {0, 9, 10, 2}, low[] = {0, 9, 1, -1};
        const int32_t high32[] = {0, 9, 10, 2};
        tg_tensor *x = tg_set_name(tg_zeros(TG_F32, 4, 10), "out");
        ck_assert(tg_is_poison(fn(x, tg_from(TG_I64, high, 4))));
        expect_error(TG_ERR_ARGUMENT, losses[i].name, "row 2", "class 10", "[0, 10)", "out [4, 10] f32",
                     "test_loss.c:");
        fn(x, tg_from(TG_I64, low, 4));
        expect_error(TG_ERR_ARGUMENT, losses[i].name, "row 3", "class -1");
        fn(x, tg_from(TG_I32, high32, 4));
        expect_error(TG_ERR_ARGUMENT, losses[i].name, "row 2", "class 10");
        fn(x, tg_zeros(TG_I64, 5));
        expect_error(TG_ERR_SHAPE, losses[i].name, "out [4, 10] f32", "[5] i64");
        fn(x, tg_zeros(TG_I64, 4, 1));
        expect_error(TG_ERR_SHAPE, losses[i].name, "[4, 1] i64");
        fn(tg_zeros(TG_F32, 4), tg_zeros(TG_I64, 4));
        expect_error(TG_ERR_SHAPE, losses[i].name, "[4] f32");
        fn(x, tg_zeros(TG_F32, 4));
        expect_error(TG_ERR_DTYPE, losses[i].name, "[4] f32");
        fn(tg_zeros(TG_I64, 4, 10), tg_zeros(TG_I64, 4));
        expect_error(TG_ERR_DTYPE, losses[i].name, "[4, 10] i64");
        fn(tg_zeros(TG_F32, 4, 0), tg_zeros(TG_I64, 4));
        expect_error(TG_ERR_ARGUMENT, losses[i].name, "row 0");
    }
    ck_assert(isnan(tg_accuracy(tg_zeros(TG_F32, 4, 3), tg_full(TG_I64, 3, 4))));
    expect_error(TG_ERR_ARGUMENT, "accuracy", "row 0", "class 3");
}
END_TEST

/* Strided logits and targets of either index type give what contiguous ones give. */
START_TEST(layouts_and_index_types) {
    tg_tensor *x = leaf(TG_F64, z, TG_SHAPE(2, 3)), *flipped = tg_contiguous(tg_transpose(x, 0, 1));
    const int32_t gaps[] = {2, 7, 0, 7};
    tg_tensor *strided = tg_slice(tg_from(TG_I32, gaps, 4), 0, 0, TG_END, 2);
    double want = tg_item(ce(x, tg_from(TG_I64, classes, 2)));
    expect_close(tg_item(ce(tg_transpose(flipped, 0, 1), strided)), want, 1e-15);
    ck_assert(tg_accuracy(tg_transpose(flipped, 0, 1), strided) == tg_accuracy(x, tg_from(TG_I64, classes, 2)));
    tg_tensor *t = tg_from(TG_F64, y, 2, 3), *t_flipped = tg_contiguous(tg_transpose(t, 0, 1));
    expect_close(tg_item(bce_logits(tg_transpose(flipped, 0, 1), tg_transpose(t_flipped, 0, 1))),
                 tg_item(bce_logits(x, t)), 1e-15);
    expect_ok();
}
END_TEST

START_TEST(accuracy_counts_first_largest) {
    const double v[] = {1, 2, 3, /**/ 5, 5, 1, /**/ 5, 5, 1, /**/ NAN, 1, 0, /**/ -1, -2, -3};
    const int64_t c[] = {2, 0, 1, 0, 0};
    tg_tensor *x = leaf(TG_F64, v, TG_SHAPE(5, 3)), *t = tg_from(TG_I64, c, 5);
    int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
    ck_assert(tg_accuracy(x, t) == 0.6); /* right, first of a tie, second of a tie, NaN, right */
    ck_assert_int_eq(tg_tape_tensors(), tensors);
    ck_assert_int_eq(tg_tape_nodes(), nodes);
    ck_assert(tg_accuracy(tg_to(x, TG_F32), t) == 0.6);
    expect_ok();
}
END_TEST

/* ---- memory ---- */

typedef struct loss_call {
    loss_fn fn;
    tg_tensor *x, *t;
} loss_call;

static void call_loss(void *context) {
    loss_call *c = context;
    c->fn(c->x, c->t);
}

START_TEST(every_allocation_may_fail) {
    static const loss_fn all[] = {mse, bce_logits, bce, ce, nll};
    tg_mark start = tg_tape_mark();
    tg_tensor *x = leaf(TG_F64, p, TG_SHAPE(2, 3));
    loss_call c = {all[_i], x, target_of(all[_i], TG_F64)};
    tg_mark before = tg_tape_mark();
    int64_t most = count_allocations(call_loss, &c), failures = 0;
    tg_tape_rewind(before);
    size_t live = tg_memory_now().live_buffer_bytes;
    for (int64_t n = 1; n <= most + 3; n++) {
        tg_memory_fail_at(n);
        call_loss(&c);
        tg_memory_fail_at(-1);
        if (tg_error_status() != TG_OK) {
            expect_error(TG_ERR_MEMORY, "");
            failures++;
        }
        tg_tape_rewind(before);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    }
    ck_assert_int_ge(failures, 2);
    tg_tape_rewind(start);
}
END_TEST

/* Rows that are ignored are looked at for what is not finite, where there are elements. */
START_TEST(released_with_ignored_rows) {
    tg_tensor *target = tg_zeros(TG_I64, 2);
    for (int logits = 0; logits < 2; logits++) {
        tg_tensor *x = tg_square(tg_ones(TG_F32, 2, 3)), *loss;
        tg_drop_elements(x);
        loss = logits ? tg_cross_entropy(x, target, .ignore = true, .ignore_index = 0)
                      : tg_nll_loss(x, target, .ignore = true, .ignore_index = 0);
        ck_assert(tg_is_poison(loss));
        expect_error(TG_ERR_LIFETIME, logits ? "cross_entropy: " : "nll_loss: ", "dropped");
    }
}
END_TEST

/* Where 0 stands for a default and is a number of its own, it can be asked for. */
START_TEST(zero_itself) {
    const double from[] = {1, -2, 0.25}, to[] = {0.5, 0.5, 0.25}, small[] = {3e-200, 4e-200};
    tg_tensor *x = tg_from(TG_F64, from, 3), *target = tg_from(TG_F64, to, 3), *v = tg_from(TG_F64, small, 2);
    expect_close(tg_item(tg_smooth_l1_loss(x, target, .beta = TG_ZERO)), (0.5 + 2.5 + 0) / 3, 1e-15);
    expect_close(tg_item(tg_smooth_l1_loss(x, target)), (0.125 + 2 + 0) / 3, 1e-15);
    expect_close(tg_item(tg_cosine_similarity(v, v, 0, .eps = TG_ZERO)), 1, 1e-15);
    ck_assert(tg_item(tg_cosine_similarity(v, v, 0)) < 1e-100);
    ck_assert(tg_is_poison(tg_cosine_similarity(v, v, 0, .eps = -1)));
    expect_error(TG_ERR_ARGUMENT, "cosine_similarity: eps is -1");
    ck_assert(tg_is_poison(tg_smooth_l1_loss(x, target, .beta = -1)));
    expect_error(TG_ERR_ARGUMENT, "smooth_l1_loss: beta is -1");
}
END_TEST

/* The square of one number leaves the range, and the mean does not. */
START_TEST(terms_are_made_again) {
    static const struct {
        tg_loss_reduction reduction;
        double mean, times;
    } rows[] = {
        {TG_REDUCTION_MEAN, 4e305, 2}, {TG_REDUCTION_BATCH_MEAN, 2e306, 2}, {TG_REDUCTION_SUM, INFINITY, 1}};
    for (int i = 0; i < COUNT(rows); i++) {
        tg_tensor *x = tg_zeros(TG_F64, 200, 5), *out, *g;
        tg_array_set(tg_array_of(x), 7, 2e154);
        tg_set_requires_grad(x, true);
        double share = 1;
        int times = 0;
        do out = tg_mul(x, tg_loss_part(x, share)), times++;
        while (tg_loss_again("mine", &out, x, rows[i].reduction, &share));
        ck_assert_int_eq(times, (int)rows[i].times);
        ck_assert(tg_item(out) == rows[i].mean || fabs(tg_item(out) / rows[i].mean - 1) < 1e-15);
        if (i == 2) break;
        ck_assert_int_eq(tg_grad(1, &out, 1, &x, &g), TG_OK);
        expect_close(tg_get(g, 7) / (2 * 2e154 * share), 1, 1e-15);
        ck_assert(tg_get(g, 6) == 0);
    }
}
END_TEST

/* Of one term that leaves the range no share is smaller. */
START_TEST(one_infinite_term) {
    for (int rank = 0; rank < 2; rank++) {
        tg_shape shape = rank ? TG_SHAPE(1) : TG_SHAPE();
        tg_tensor *high = tg_full_with(TG_F64, 1e200, shape), *low = tg_full_with(TG_F64, -1e200, shape);
        ck_assert(tg_item(tg_mse_loss(high, low)) == INFINITY);
        ck_assert(tg_item(tg_mse_loss(high, low, .reduction = TG_REDUCTION_BATCH_MEAN)) == INFINITY);
        ck_assert(tg_item(tg_l1_loss(tg_mul_scalar(high, 1e108), tg_mul_scalar(low, 1e108))) == INFINITY);
        expect_ok();
    }
}
END_TEST

TCase *tcase_loss(void) {
    TCase *t = tcase_create("loss");
    tcase_add_loop_test(t, as_pytorch, 0, COUNT(golden));
    tcase_add_test(t, starts_with_y_hat_minus_y_over_n);
    tcase_add_test(t, logits_of_any_size);
    tcase_add_test(t, cross_entropy_far_out);
    tcase_add_test(t, probabilities_at_the_ends);
    tcase_add_test(t, losses_of_nothing_are_nan);
    tcase_add_test(t, gradients_check);
    tcase_add_test(t, shapes_and_dtypes_must_agree);
    tcase_add_test(t, classes_must_exist);
    tcase_add_test(t, released_with_ignored_rows);
    tcase_add_test(t, zero_itself);
    tcase_add_test(t, terms_are_made_again);
    tcase_add_test(t, one_infinite_term);
    tcase_add_test(t, layouts_and_index_types);
    tcase_add_test(t, accuracy_counts_first_largest);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, 5);
    return t;
}

/* Where the first number that is not finite came from: the sentences, over small programs. */
#include "tests/ops/nn/helpers.h"

/* The sentences number nodes, so each test has a tape of its own. */
static tg_tape *own, *before;
static void begin(void) { before = tg_tape_use(own = tg_tape_new()); }
static void end(void) {
    tg_tape_use(before);
    tg_tape_free(own);
}

static tg_tensor *leaf(double a, double b) {
    return tg_set_name(tg_set_requires_grad(tg_from(TG_F64, ((double[]){a, b}), 2), true), "w");
}

static tg_tensor *fine(void) { return tg_sum(tg_square(leaf(1, 2))); }
static tg_tensor *log_of_negative(void) { return tg_sum(tg_log(tg_affine(leaf(1, 2), -1, 0))); }
static tg_tensor *overflow(void) { return tg_sum(tg_square(tg_exp(leaf(1, 400)))); }
static tg_tensor *infinity_minus_infinity(void) {
    tg_tensor *e = tg_exp(leaf(1, 800)), *a = tg_relu(e), *b = tg_abs(e);
    return tg_sum(tg_sub(a, b));
}
static tg_tensor *data_with_nan(void) {
    return tg_sum(tg_mul(leaf(1, 2), tg_set_name(tg_from(TG_F64, ((double[]){1, NAN}), 2), "x")));
}
static tg_tensor *masked_and_spoiled(void) { /* the mask's infinities are meant */
    tg_tensor *mask = tg_from(TG_F64, ((double[]){0, -INFINITY}), 2),
              *p = tg_softmax(tg_add(leaf(1, 2), mask), 0);
    return tg_sum(tg_log(tg_affine(p, 1, -2)));
}
static tg_tensor *given_up(void) {
    tg_tensor *h = tg_log(leaf(-1, 2)), *y = tg_sum(tg_affine(h, 2, 0));
    tg_drop_elements(h);
    return y;
}

static const struct {
    tg_tensor *(*f)(void);
    const char *words[4];
} table[] = {
    {fine, {NULL}},
    {log_of_negative, {"the first NaN is made by #1 log(#0 [2]) -> [2] f64   test_nonfinite.c:"}},
    {overflow, {"the first infinity is made by #1 square(#0 [2]) -> [2] f64"}},
    {infinity_minus_infinity,
     {"the first NaN is made by #3 sub(#1 [2], #2 [2])",
      "its input 0 has infinities; its input 1 has infinities, the first of which is made by #0 exp(w [2] f64)"}},
    {data_with_nan,
     {"the first NaN is made by #0 mul(w [2] f64, x [2] f64)",
      "; its input 1, x [2] f64, has one already, which no recorded op made"}},
    {masked_and_spoiled, {"the first NaN is made by #3 log(#2 [2])"}},
    {given_up, {"the first NaN is made by #"}}, /* what is left to be seen */
};

START_TEST(sentences) {
    char text[1024];
    tg_mark mark = tg_tape_mark();
    table[_i].f();
    expect_ok();
    ck_assert(tg_find_nonfinite(0, text, sizeof text) == (table[_i].words[0] != NULL));
    if (!table[_i].words[0]) ck_assert_str_eq(text, "");
    for (const char *const *w = table[_i].words; *w; w++)
        ck_assert_msg(strstr(text, *w), "no \"%s\" in: %s", *w, text);
    expect_ok();
    ck_assert(!tg_find_nonfinite(tg_tape_nodes(), text, sizeof text));
    char few[8];
    if (tg_find_nonfinite(-5, few, sizeof few)) ck_assert_str_eq(few, "the fir");
    tg_tape_rewind(mark);
}
END_TEST

static tg_tensor *root_of_zero(tg_tensor *w) {
    tg_tensor *zero = tg_affine(w, 0, 0), *root = tg_sqrt(zero);
    return tg_sum(tg_mul(root, tg_exp(w)));
}
static tg_tensor *leaf_alone(tg_tensor *w) { return tg_sum(tg_sqrt(w)); }
static tg_tensor *smooth(tg_tensor *w) { return tg_sum(tg_square(w)); }

START_TEST(gradients) {
    static const struct {
        tg_tensor *(*f)(tg_tensor *w);
        const char *words[2];
    } rows[] = {
        {root_of_zero,
         {"made by the rule of #1 sqrt(#0 [2]) -> [2] f64   test_nonfinite.c:", ", for #0 affine(w [2] f64"}},
        {leaf_alone,
         {"the first gradient that is not finite is made by the rule of #0 sqrt(w [2] f64)",
          "test_nonfinite.c"}},
        {smooth, {NULL, NULL}}};
    for (int i = 0; i < COUNT(rows); i++) {
        char text[1024];
        tg_mark mark = tg_tape_mark();
        tg_tensor *loss = rows[i].f(leaf(0, 4));
        ck_assert(!tg_find_nonfinite(0, text, sizeof text));
        ck_assert(tg_find_nonfinite_grad(loss, 0, text, sizeof text) == (rows[i].words[0] != NULL));
        expect_ok();
        for (int k = 0; k < 2 && rows[i].words[0]; k++)
            ck_assert_msg(strstr(text, rows[i].words[k]), "%s", text);
        tg_tape_rewind(mark);
    }
}
END_TEST

START_TEST(all_dtypes_and_layouts_are_looked_at) {
    for (int d = 0; d < TG_DTYPES; d++)
        ck_assert(tg_is_finite(tg_full(TG_F64, 1, 3)) && tg_is_finite(tg_zeros((tg_dtype)d, 3)));
    for (int i = 0; i < 21; i++)
        for (int d = 0; d < 2; d++)
            for (int kind = 0; kind < 3; kind++) {
                tg_tensor *t = tg_to(tg_arange(TG_F64, 0, 21, 1), d ? TG_F64 : TG_F32);
                const double bad = kind == 0 ? (double)NAN : kind == 1 ? INFINITY : -INFINITY;
                ck_assert(tg_is_finite(t));
                if (d)
                    ((double *)tg_data_mut(t))[i] = bad;
                else
                    ((float *)tg_data_mut(t))[i] = (float)bad;
                ck_assert(!tg_is_finite(t) && !tg_is_finite(tg_transpose(tg_reshape(t, 3, 7), 0, 1)));
                ck_assert(tg_is_finite(tg_slice(t, 0, i + 1, 21, 2)) && tg_is_finite(tg_slice(t, 0, 0, i, 1)));
            }
    ck_assert(tg_is_finite(tg_full(TG_F32, 3e38, 2)) && tg_is_finite(tg_full(TG_F64, 5e-324, 2)));
    ck_assert(!tg_is_finite(tg_broadcast_to(tg_full(TG_F32, INFINITY, 1), 1000, 1000)));
    ck_assert(!tg_is_finite(NULL));
    expect_error(TG_ERR_ARGUMENT, "the tensor is NULL");
    tg_find_nonfinite(0, NULL, 5);
    expect_error(TG_ERR_ARGUMENT, "the text is NULL");
    char text[8];
    tg_find_nonfinite_grad(NULL, 0, text, 8);
    expect_error(TG_ERR_ARGUMENT, "tg_find_nonfinite_grad: the loss is NULL");
}
END_TEST

TCase *tcase_nonfinite(void);
TCase *tcase_nonfinite(void) {
    TCase *t = tcase_create("nonfinite");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, sentences, 0, COUNT(table));
    tcase_add_test(t, gradients);
    tcase_add_test(t, all_dtypes_and_layouts_are_looked_at);
    return t;
}

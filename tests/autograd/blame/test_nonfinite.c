/* Where the first number that is not finite came from: the sentences, over small programs. */
#include "tests/autograd/helpers.h"

#include <math.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

/* The sentences number nodes, so each test has a tape of its own. */
static tg_tape *own, *before;
static void begin(void) { before = tg_tape_use(own = tg_tape_new()); }
static void end(void) {
    tg_tape_use(before);
    tg_tape_free(own);
}

static tg_tensor *pair(double a, double b) {
    return tg_set_name(tg_set_requires_grad(tg_from(TG_F64, ((double[]){a, b}), 2), true), "w");
}

static tg_tensor *fine(void) { return tg_sum(tg_square(pair(1, 2))); }
static tg_tensor *log_of_negative(void) { return tg_sum(tg_log(tg_affine(pair(1, 2), -1, 0))); }
static tg_tensor *overflow(void) { return tg_sum(tg_square(tg_exp(pair(1, 400)))); }
static tg_tensor *infinity_minus_infinity(void) {
    tg_tensor *e = tg_exp(pair(1, 800)), *a = tg_relu(e), *b = tg_abs(e);
    return tg_sum(tg_sub(a, b));
}
static tg_tensor *data_with_nan(void) {
    return tg_sum(tg_mul(pair(1, 2), tg_set_name(tg_from(TG_F64, ((double[]){1, NAN}), 2), "x")));
}
static tg_tensor *overflown_product(void) {
    const double a[] = {1, 1, 1e200, 1, 1, 1};
    tg_tensor *x = tg_set_name(tg_set_requires_grad(tg_from(TG_F64, a, 3, 2), true), "big");
    return tg_sum(tg_matmul(x, tg_full(TG_F64, 1e200, 2, 4)));
}
static tg_tensor *broadcast(void) {
    return tg_sum(tg_div(pair(1, 0), tg_from(TG_F64, ((double[]){1, 1, 1, 1, 1, 0}), 3, 2)));
}
static tg_tensor *masked_and_spoiled(void) { /* the mask's infinities are meant */
    tg_tensor *mask = tg_from(TG_F64, ((double[]){0, -INFINITY}), 2),
              *p = tg_softmax(tg_add(pair(1, 2), mask), 0);
    return tg_sum(tg_log(tg_affine(p, 1, -2)));
}
static tg_tensor *given_up(void) {
    tg_tensor *h = tg_log(pair(-1, 2)), *y = tg_sum(tg_affine(h, 2, 0));
    tg_drop_elements(h);
    return y;
}

static const struct {
    tg_tensor *(*f)(void);
    const char *words[4];
} table[] = {
    {fine, {NULL}},
    {log_of_negative,
     {"the first NaN is made by #1 log(#0 [2]) -> [2] f64   test_nonfinite.c:", ": log(-1) at [0]"}},
    {overflow, {"the first infinity is made by #1 square(#0 [2]) -> [2] f64", ": square(5.22147e+173) at [1]"}},
    {infinity_minus_infinity,
     {"the first NaN is made by #3 sub(#1 [2], #2 [2])", ": sub(inf, inf) at [1]; ",
      "its input 0 has infinities; its input 1 has infinities, the first of which is made by #0 exp(w [2] f64)"}},
    {data_with_nan,
     {"the first NaN is made by #0 mul(w [2] f64, x [2] f64)",
      ": mul(2, nan) at [1]; its input 1, x [2] f64, has one already, which no recorded op made"}},
    {overflown_product,
     {"the first infinity is made by #0 matmul(big [3, 2] f64, [2, 4] f64",
      ": its first at [1, 0], where input 0 is from 1 to 1e+200, input 1 is from 1e+200 to 1e+200"}},
    {broadcast, {"the first NaN is made by #0 div(w [2] f64, [3, 2] f64)", ": div(0, 0) at [2, 1]"}},
    {masked_and_spoiled, {"the first NaN is made by #3 log(#2 [2])"}},
    {given_up,
     {"the first NaN is made by #",
      "; 1 of its inputs have been dropped since (tg_drop_elements), so that it may have come by them"}},
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
static tg_tensor *rows_of_product(tg_tensor *w) {
    return tg_sum(tg_matmul(w, tg_from(TG_F64, ((double[]){1e308, 1e308, 1, 1}), 2, 2)));
}
static tg_tensor *bad_loss(tg_tensor *w) { return tg_sum(tg_square(tg_log(tg_affine(w, 1, -1)))); }
static tg_tensor *smooth(tg_tensor *w) { return tg_sum(tg_square(w)); }

START_TEST(gradients) {
    static const struct {
        tg_tensor *(*f)(tg_tensor *w);
        const char *words[4];
    } rows[] = {
        {root_of_zero,
         {"made by the rule of #1 sqrt(#0 [2]) -> [2] f64   test_nonfinite.c:", ", for #0 affine(w [2] f64",
          ": inf at [0], of sqrt(0) and the gradient 1 of its result"}},
        {leaf_alone,
         {"the first gradient that is not finite is made by the rule of #0 sqrt(w [2] f64)",
          "test_nonfinite.c", ", for w [2] f64: inf at [0]"}},
        {rows_of_product, {"made by the rule of #0 matmul(", ", for w [2] f64: inf at [0]"}},
        {bad_loss,
         {"the loss itself is NaN: the first NaN is made by #1 log(#0 [2]", ": log(-1) at [0]",
          "; walking back from there, the first gradient that is not finite is made by the rule of #"}},
        {smooth, {NULL}}};
    for (int i = 0; i < COUNT(rows); i++) {
        char text[1024];
        tg_mark mark = tg_tape_mark();
        tg_tensor *loss = rows[i].f(pair(0, 4));
        ck_assert(tg_find_nonfinite(0, text, sizeof text) == (rows[i].f == bad_loss));
        ck_assert(tg_find_nonfinite_grad(loss, 0, text, sizeof text) == (rows[i].words[0] != NULL));
        expect_ok();
        for (const char *const *word = rows[i].words; *word; word++)
            ck_assert_msg(strstr(text, *word), "%s not in %s", *word, text);
        tg_tensor *w = tg_tape_node(0)->in[0];
        ck_assert(!tg_has_grad(w)); /* it looks on alone, as often as one likes, before a walk and after */
        ck_assert(tg_find_nonfinite_grad(loss, 0, text, sizeof text) == (rows[i].words[0] != NULL));
        ck_assert_int_eq(tg_backward(loss), TG_OK);
        ck_assert(tg_find_nonfinite_grad(loss, 0, text, sizeof text) == (rows[i].words[0] != NULL));
        ck_assert(tg_is_finite(tg_grad_of(w)) == (rows[i].words[0] == NULL));
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

/* Going back from one result: what does not reach it is not blamed. */
START_TEST(of_one_result) {
    char text[1024];
    tg_tensor *w = pair(-1, 4), *bad = tg_log(w), *fine = tg_sum(tg_square(w)),
              *loss = tg_sum(tg_sqrt(tg_affine(w, -1, 0)));
    ck_assert(tg_find_nonfinite(0, text, sizeof text) && strstr(text, "#0 log("));
    ck_assert(!tg_find_nonfinite_in(fine, text, sizeof text));
    ck_assert_str_eq(text, "");
    ck_assert(tg_find_nonfinite_in(loss, text, sizeof text));
    ck_assert_msg(strstr(text, "the first NaN is made by #4 sqrt(#3 [2])") && strstr(text, ": sqrt(-4) at [1]"),
                  "%s", text);
    ck_assert(tg_find_nonfinite_in(bad, text, sizeof text) && strstr(text, "#0 log(w [2] f64)"));
    tg_tensor *data = tg_set_name(tg_full(TG_F32, (double)INFINITY, 3), "data");
    ck_assert(tg_find_nonfinite_in(data, text, sizeof text));
    ck_assert_str_eq(text, "data [3] f32 has an infinity, and no recorded op made it");
    ck_assert(!tg_find_nonfinite_in(NULL, text, sizeof text));
    expect_error(TG_ERR_ARGUMENT, "tg_find_nonfinite_in: the tensor is NULL");
    ck_assert(!tg_find_nonfinite_in(loss, NULL, 0));
    expect_error(TG_ERR_ARGUMENT, "the text is NULL");
    ck_assert(!tg_find_nonfinite_grad(data, 0, text, sizeof text));
    expect_error(TG_ERR_TAPE, "tg_find_nonfinite_grad: the loss has no history");
    tg_drop_elements(bad);
    ck_assert(!tg_find_nonfinite_in(bad, text, sizeof text));
    expect_error(TG_ERR_LIFETIME, "dropped");
}
END_TEST

TCase *tcase_nonfinite(void);
TCase *tcase_nonfinite(void) {
    TCase *t = tcase_create("nonfinite");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, sentences, 0, COUNT(table));
    tcase_add_test(t, gradients);
    tcase_add_test(t, of_one_result);
    tcase_add_test(t, all_dtypes_and_layouts_are_looked_at);
    return t;
}

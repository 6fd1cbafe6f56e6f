/* tg_gradcheck_model: a network that makes its parameters by name, and what is put back. */
#include "tests/ops/nn/helpers.h"

#include <string.h>

static tg_op planted; /* x^2, with a rule that is off by `off` */
static double off;
static tg_status square_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) {
        double x = tg_array_get(c->in[0], i);
        tg_array_set(c->out[0], i, x * x);
    }
    return TG_OK;
}
static void square_rule(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(n->in[0], 2 * off));
}

static void begin(void) {
    tg_error_clear();
    planted = (tg_op){.name = "planted",
                      .n_in = 1,
                      .save = TG_IN(0),
                      .infer = tg_infer_same,
                      .forward = square_forward,
                      .grad = square_rule};
}

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    tg_tensor *h = tg_tanh(tg_nn_linear(m, "fc", tg_nn_batch_norm(m, "norm", batch[0]), 4));
    return tg_mean(tg_apply(&planted, &h, 1, NULL));
}

static tg_tensor *with_dropout(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_mean(tg_square(tg_nn_dropout(m, tg_nn_linear(m, "fc", batch[0], 4), 0.5)));
}

static tg_tensor *constant(tg_model *m, tg_tensor **batch, void *user) {
    (void)m, (void)user;
    return tg_mean(batch[0]);
}

static tg_tensor *data(tg_dtype dtype) {
    tg_rng rng = {.seed = 3};
    double v[15];
    for (int i = 0; i < 15; i++) v[i] = tg_rng_normal(&rng);
    return tg_to(tg_from_with(TG_F64, v, TG_SHAPE(5, 3)), dtype);
}

START_TEST(a_model) {
    tg_tensor *batch[1] = {data(TG_F64)};
    tg_gradcheck_report r;
    tg_model *m = tg_model_new(1);
    off = 1;
    ck_assert_msg(tg_gradcheck_model(m, loss, batch, NULL, &r), "%s", r.message);
    ck_assert(r.verdict == TG_CORRECT && tg_model_count(m) == 4 && r.compared == 3 + 3 + 12 + 4);
    double mean = tg_get(tg_model_buffer_at(m, 0), 0), weight = tg_get(tg_model_at(m, 2), 5);
    bool ok = tg_gradcheck_model(m, loss, batch, NULL, &r, .order = 2, .samples = 3);
    ck_assert_msg(ok && r.left_out == 2 * (9 + 1), "%s", r.message);
    off = 1.03;
    ck_assert(!tg_gradcheck_model(m, loss, batch, NULL, &r) && r.verdict == TG_WRONG);
    ck_assert_msg(strcmp(r.op, "planted") == 0 && strstr(r.message, "input"), "%s", r.message);
    ck_assert(tg_get(tg_model_buffer_at(m, 0), 0) == mean && tg_get(tg_model_at(m, 2), 5) == weight);
    for (int i = 0; i < 4; i++) ck_assert(!tg_has_grad(tg_model_at(m, i)));
    tg_model_freeze(m, "fc.*");
    off = 1;
    ck_assert_msg(tg_gradcheck_model(m, loss, batch, NULL, &r) && r.compared == 6, "%s", r.message);
    tg_model_free(m);
}
END_TEST

START_TEST(what_is_no_model) {
    tg_tensor *batch[1] = {data(TG_F64)}, *single[1] = {data(TG_F32)};
    tg_model *m = tg_model_new(1), *f32 = tg_model_new(1), *none = tg_model_new(1);
    const struct {
        tg_model *m;
        tg_batch_fn f;
        tg_tensor **batch;
        const char *word;
    } rows[] = {{m, NULL, batch, "function is NULL"},
                {NULL, loss, batch, "NULL"},
                {f32, loss, single, "f64"},
                {none, constant, batch, "no parameters"},
                {m, with_dropout, batch, "not deterministic"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_gradcheck_report r;
        off = 1;
        ck_assert(!tg_gradcheck_model(rows[i].m, rows[i].f, rows[i].batch, NULL, &r));
        ck_assert_msg(!r.ok && r.verdict == TG_NO_VERDICT && strstr(r.message, rows[i].word), "row %zu: %s",
                      i, r.message);
        ck_assert(tg_error_status() == TG_OK);
    }
    tg_model_free(m), tg_model_free(f32), tg_model_free(none);
}
END_TEST

START_TEST(without_memory) {
    tg_tensor *batch[1] = {data(TG_F64)};
    off = 1;
    for (int64_t n = 1;; n += 1 + n / 50) {
        tg_model *m = tg_model_new(1);
        tg_gradcheck_report r;
        tg_memory_fail_at(n);
        bool ok = tg_gradcheck_model(m, loss, batch, NULL, &r, .samples = 1);
        tg_memory_fail_at(-1);
        tg_model_free(m);
        if (ok) break;
        ck_assert_msg(strstr(r.message, "memory"), "%s", r.message);
        ck_assert_int_lt(n, 100000);
    }
}
END_TEST

TCase *tcase_check_model(void) {
    TCase *tc = tcase_create("check_model");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, begin, NULL);

    tcase_add_test(tc, a_model);
    tcase_add_test(tc, what_is_no_model);
    tcase_add_test(tc, without_memory);
    return tc;
}

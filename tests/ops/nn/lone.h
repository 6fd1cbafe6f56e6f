/* One parameter of its own model, with gradients and moments as a test gives them. */
#ifndef TESTS_OPS_NN_LONE_H
#define TESTS_OPS_NN_LONE_H

#include "tests/ops/nn/helpers.h"

typedef struct lone {
    tg_model *model;
    tg_tensor *p;
} lone;

static inline tg_tensor *numbers(tg_dtype dtype, int64_t n, const double *v) {
    return tg_to(tg_from_with(TG_F64, v, TG_SHAPE(n)), dtype);
}

static inline void set_numbers(tg_tensor *x, const double *v) {
    for (int64_t i = 0; i < tg_numel(x); i++) tg_array_set(tg_array_of(x), i, v[i]);
}

static inline lone lone_new(tg_dtype dtype, int64_t n, const double *v) {
    lone l = {.model = tg_model_new(1)};
    l.p = tg_model_param(l.model, "p", dtype, TG_SHAPE(n), tg_init_zeros());
    set_numbers(l.p, v);
    return l;
}

static inline void lone_end(lone l, tg_optim *o) {
    expect_ok();
    tg_optim_free(o);
    tg_model_free(l.model);
}

/* A step with the gradient g. */
static inline void lone_step(lone l, tg_optim *o, const double *g) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *loss = tg_sum(tg_mul(l.p, numbers(tg_dtype_of(l.p), tg_numel(l.p), g)));
    ck_assert_msg(tg_backward(loss) == TG_OK && tg_optim_step(o) == TG_OK, "%s", tg_error_message());
    tg_tape_rewind(mark);
}

/* As if so many steps had been walked, with these moments. */
static inline void lone_state(lone l, tg_optim *o, int64_t steps, const double *first, const double *second) {
    tg_mark mark = tg_tape_mark();
    tg_optim_state s = {.steps = steps};
    if (first) s.moment[0] = numbers(tg_dtype_of(l.p), tg_numel(l.p), first);
    if (second) s.moment[1] = numbers(tg_dtype_of(l.p), tg_numel(l.p), second);
    ck_assert_msg(tg_optim_set_state(o, 0, &s) == TG_OK, "%s", tg_error_message());
    tg_tape_rewind(mark);
}

static inline tg_tensor *lone_moment(tg_optim *o, int k) {
    tg_optim_state s;
    ck_assert_int_eq(tg_optim_get_state(o, 0, &s), TG_OK);
    return s.moment[k];
}

/* A gradient that changes from step to step and from place to place. */
static inline double gradient_at(int64_t t, int64_t i) {
    return sin((double)t * 0.7 + (double)i) + 0.3 * (double)(i % 3);
}

#endif

/* Integers that forward has checked and that change before the gradient reads them, through a pointer taken before, so
 * that no version tells: each rule checks them anew. */
#include "tests/ops/harness.h"
#include "tests/ops/state.h"

typedef struct subject {
    const char *name; /* what the message begins with */
    tg_tensor *(*run)(tg_tensor *x, tg_tensor *index, tg_tensor **changed);
    bool integers; /* it takes `index`; else *changed is one of its outputs */
} subject;

static tg_tensor *gather(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)changed;
    return tg_gather(x, 0, tg_reshape(index, 2, 2));
}
static tg_tensor *take_along_dim(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)changed;
    return tg_take_along_dim(x, tg_reshape(index, 4, 1), 1);
}
static tg_tensor *index_select(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)changed;
    return tg_index_select(x, 1, index);
}
static tg_tensor *embedding(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)changed;
    return tg_embedding(x, index);
}
static tg_tensor *scatter(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)changed;
    return tg_scatter(tg_zeros(TG_F64, 4, 4), 0, tg_reshape(index, 1, 4), tg_slice(x, 0, 0, 1, 1));
}
static tg_tensor *scatter_add(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)changed;
    return tg_scatter_add(tg_zeros(TG_F64, 4, 4), 0, tg_reshape(index, 1, 4), tg_slice(x, 0, 0, 1, 1));
}
static tg_tensor *nll_loss(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)changed;
    return tg_nll_loss(x, index);
}
static tg_tensor *cross_entropy(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)changed;
    return tg_cross_entropy(x, index);
}
static tg_tensor *weighted(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)changed;
    return tg_cross_entropy(x, index, .label_smoothing = 0.1);
}
static tg_tensor *sort(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)index;
    return tg_sort(x, 1, .index = changed);
}
static tg_tensor *max(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)index;
    return tg_max(x, 1, .index = changed);
}
static tg_tensor *min(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)index;
    return tg_min(x, 0, .index = changed);
}
static tg_tensor *pool(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)index;
    return tg_max_pool2d(tg_reshape(x, 1, 1, 4, 4), .kernel = {2, 2}, .index = changed);
}
static tg_tensor *wide_pool(tg_tensor *x, tg_tensor *index, tg_tensor **changed) {
    (void)index;
    return tg_max_pool2d(tg_reshape(x, 1, 1, 4, 4), .kernel = {3, 3}, .stride = {1, 1}, .index = changed);
}

static const subject subjects[] = {
    {"gather: ", gather, true},
    {"gather: ", take_along_dim, true},
    {"index_select: ", index_select, true},
    {"index_select: ", embedding, true},
    {"scatter: ", scatter, true},
    {"scatter_add: ", scatter_add, true},
    {"gather: ", nll_loss, true},
    {"softmax_cross_entropy: ", cross_entropy, true},
    {"gather: ", weighted, true},
    {"sort: ", sort, false},
    {"max: ", max, false},
    {"min: ", min, false},
    {"max_pool2d: ", pool, false},
    {"max_pool2d: ", wide_pool, false},
};

static const int64_t wrong[] = {4,         16,        1 << 20,   INT32_MAX,       -17,
                                INT32_MIN, INT64_MAX, INT64_MIN, INT64_C(1) << 40};

static void fill(void *data, tg_dtype dtype, int64_t n, int64_t value) {
    for (int64_t i = 0; i < n; i++)
        if (dtype == TG_I32)
            ((int32_t *)data)[i] = (int32_t)value;
        else
            ((int64_t *)data)[i] = value;
}

static void try_one(const subject *s, tg_dtype dtype, bool recorded, int64_t value) {
    if (dtype == TG_I32 && value != (int32_t)value) return;
    tg_tensor *x = tg_set_requires_grad(tg_uniform(TG_F64, 0, 1, 4, 4), true), *g;
    tg_tensor *index = tg_zeros(dtype, 4), *changed = index;
    void *data = tg_data_mut(index);
    fill(data, dtype, 4, 1);
    tg_tensor *y = tg_sum(s->run(x, index, &changed));
    ck_assert_msg(tg_error_status() == TG_OK, "%s%s", s->name, tg_error_message());
    bool inside = value < 4 && value >= -4;
    if (!s->integers) data = (void *)(uintptr_t)tg_data(changed);
    if (s->integers ? inside : value < 16 && value >= 0 && s->run != sort && s->run != max && s->run != min)
        return;
    fill((char *)data + tg_dtype_size(tg_dtype_of(changed)), tg_dtype_of(changed), 1, value);
    state before = state_of(0, NULL);
    tg_status status = recorded ? tg_grad(1, &y, 1, &x, &g, .create_graph = true) : tg_backward(y);
    ck_assert_msg(status == TG_ERR_ARGUMENT, "%s %lld: %s %s", s->name, (long long)value,
                  tg_status_name(status), tg_error_message());
    ck_assert_msg(strncmp(tg_error_message(), s->name, strlen(s->name)) == 0, "%s: %s", s->name,
                  tg_error_message());
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    ck_assert_msg(strstr(tg_error_message(), text), "%s lacks %s", tg_error_message(), text);
    ck_assert(!tg_has_grad(x));
    if (!recorded) expect_state(s->name, &before, 0, NULL);
    tg_error_clear();
}

START_TEST(rules_check_integers_again) {
    const subject *s = &subjects[_i];
    for (int w = 0; w < COUNT(wrong); w++)
        for (int recorded = 0; recorded < 2; recorded++) {
            tg_mark mark = tg_tape_mark();
            try_one(s, TG_I64, recorded, wrong[w]);
            if (s->integers) try_one(s, TG_I32, recorded, wrong[w]);
            tg_tape_rewind(mark);
        }
}
END_TEST

/* The factors of solve are outputs of the op, for whoever applies it himself. */
START_TEST(pivots_are_checked_again) {
    tg_tensor *a = tg_param(tg_eye(TG_F64, 3, 3)), *in[2] = {a, tg_ones(TG_F64, 3)}, *out[3];
    ck_assert_int_eq(tg_apply_multi(tg_op_find("solve"), in, 2, NULL, out), TG_OK);
    ((int32_t *)(uintptr_t)tg_data(out[2]))[1] = 1 << 20;
    ck_assert_int_eq(tg_backward(tg_sum(out[0])), TG_ERR_ARGUMENT);
    ck_assert(strncmp(tg_error_message(), "solve: ", 7) == 0);
    tg_error_clear();
    tg_free(a);
}
END_TEST

TCase *tcase_changed(void) {
    TCase *t = tcase_create("changed");
    tcase_add_loop_test(t, rules_check_integers_again, 0, COUNT(subjects));
    tcase_add_test(t, pivots_are_checked_again);
    return t;
}

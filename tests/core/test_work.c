/* What is done outside of ops is told to a listener, who can do it again. */
#include "core/work.h"
#include "ops/tapegrad.h"

#include <check.h>
#include <math.h>
#include <string.h>

TCase *tcase_work(void);

/* ---- a listener that notes all it hears ---- */

enum { MOST = 64 };

typedef struct heard {
    tg_work work;
    tg_decision decision;
    tg_array a[TG_WORK_ARRAYS]; /* as they were when it was told */
    _Alignas(16) char data[512];
    bool yes;
} heard;

typedef struct ear {
    tg_listener l;
    int works, decisions, relied, asked, mapped, folded, pointing;
    heard work[MOST], decision[MOST];
    const char *who;
    int64_t (*ask)(const void *of);
    const void *of;
    int working, kept;
} ear;

static void note(heard *h, int n, const tg_array *const *a, const void *data, size_t size) {
    ck_assert_uint_le(size, sizeof h->data);
    if (size) memcpy(h->data, data, size);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(tg_array_alloc_like(&h->a[i], a[i]), TG_OK);
        tg_array_copy(&h->a[i], a[i]);
    }
}

static void worked(tg_listener *l, const tg_work *w, const tg_array *const *a) {
    ear *e = (ear *)l;
    ck_assert_int_lt(e->works, MOST);
    heard *h = &e->work[e->works++];
    h->work = *w;
    note(h, w->n, a, w->data, w->size);
    h->work.data = h->data;
}

static void decided(tg_listener *l, const tg_decision *d, const tg_array *const *a, bool yes) {
    ear *e = (ear *)l;
    ck_assert_int_lt(e->decisions, MOST);
    heard *h = &e->decision[e->decisions++];
    h->decision = *d, h->yes = yes;
    note(h, d->n, a, d->data, d->size);
    h->decision.data = h->data;
}

static void relied(tg_listener *l, const char *name, int64_t (*ask)(const void *of), const void *of,
                   int64_t answer) {
    ear *e = (ear *)l;
    ck_assert_str_eq(name, "training mode");
    ck_assert_int_eq(ask(of), answer);
    e->relied++, e->ask = ask, e->of = of;
}

static bool refuse(tg_listener *l, const char *who) {
    ear *e = (ear *)l;
    e->asked++, e->who = who;
    tg_fail(TG_ERR_ARGUMENT, "%s: not here", who);
    return false;
}
static bool refuse_reading(tg_listener *l, const tg_array *a, const char *who) {
    ck_assert_ptr_nonnull(a);
    return refuse(l, who);
}
static bool may_point(tg_listener *l, const void *to, const char *who) {
    (void)to;
    ck_assert_ptr_nonnull(who);
    return ((ear *)l)->pointing++, true;
}
static void working(tg_listener *l, const tg_work *w, const tg_array *const *a) {
    (void)a;
    ck_assert_ptr_nonnull(w->run);
    ((ear *)l)->working++;
}
static void kept(tg_listener *l) { ((ear *)l)->kept++; }
static void mapped(tg_listener *l, const tg_map_call *m) {
    ck_assert(m->run || m->folds); /* a sum that is no single kernel */
    ((ear *)l)->mapped += m->run != NULL, ((ear *)l)->folded += m->run && m->folds;
}

static ear one;

static void listen(void) { tg_listening = &one.l; }
static void stop(void) {
    tg_listening = NULL;
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
}
static tg_tape *tape; /* of a test, which ends with it */

static void setup(void) {
    tape = tg_tape_new();
    tg_tape_use(tape);
    one = (ear){.l = {.working = working,
                      .worked = worked,
                      .decided = decided,
                      .relied = relied,
                      .may_read = refuse_reading,
                      .may_write = refuse_reading,
                      .may_do = refuse,
                      .may_point = may_point,
                      .kept = kept,
                      .mapped = mapped}};
    tg_error_clear();
    tg_seed(3);
}
static void teardown(void) {
    tg_listening = NULL;
    for (int i = 0; i < MOST; i++)
        for (int k = 0; k < TG_WORK_ARRAYS; k++)
            tg_array_drop(&one.work[i].a[k]), tg_array_drop(&one.decision[i].a[k]);
    tg_error_clear();
    tg_tape_use(NULL);
    tg_tape_free(tape);
}

static bool same(const tg_array *a, const tg_array *b) {
    return a->dtype == b->dtype && tg_array_same_shape(a, b) &&
           memcmp(a->data, b->data, (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype)) == 0;
}

/* Does work h again, for which array 0 is `begin` where that is not NULL, and otherwise nothing sensible; dropped by the caller. */
static tg_array again(const heard *h, const tg_array *begin) {
    const tg_array *a[TG_WORK_ARRAYS];
    tg_array to = {0};
    ck_assert_int_eq(tg_array_alloc_like(&to, &h->a[0]), TG_OK);
    tg_array_fill(&to, 77);
    if (begin) tg_array_copy(&to, begin);
    for (int i = 0; i < h->work.n; i++) a[i] = i ? &h->a[i] : &to;
    ck_assert_int_eq(h->work.run(a, h->work.data), TG_OK);
    return to;
}

static void expect_again(const heard *h, const tg_array *begin) {
    tg_array to = again(h, begin);
    ck_assert_msg(same(&to, &h->a[0]), "%s does something else the second time", h->work.name);
    tg_array_drop(&to);
}

/* ---- in place ---- */

START_TEST(changes_in_place) {
    static const char *const name[] = {"add_", "mul_", "copy_", "fill_", "zero_"};
    tg_tensor *x = tg_from(TG_F32, ((float[]){1, 2, 3}), 3), *y = tg_from(TG_F32, ((float[]){5, 7, 0.1f}), 3),
              *was = tg_contiguous(tg_mul_scalar(x, 1));
    listen();
    if (_i == 0) tg_add_(x, y, 0.3);
    if (_i == 1) tg_mul_(x, y);
    if (_i == 2) tg_copy_(x, y);
    if (_i == 3) tg_fill_(x, 9);
    if (_i == 4) tg_zero_(x);
    stop();
    ck_assert_int_eq(one.works, 1);
    ck_assert_str_eq(one.work[0].work.name, name[_i]);
    ck_assert_uint_eq(one.work[0].work.changes, _i < 2);
    ck_assert_uint_eq(one.work[0].work.makes, _i >= 2);
    ck_assert(same(&one.work[0].a[0], tg_array_of(x)));
    expect_again(&one.work[0], _i < 2 ? tg_array_of(was) : NULL);
}
END_TEST

/* x += x from the second on reads what it writes: the copy that is made is told, too. */
START_TEST(overlapping_operands_are_copied_again) {
    tg_tensor *x = tg_from(TG_F64, ((double[]){1, 2, 3, 4}), 4), *front = tg_slice(x, 0, 0, 3, 1),
              *back = tg_slice(x, 0, 1, 4, 1);
    listen();
    tg_add_(back, front, 1);
    stop();
    ck_assert_int_eq(one.works, 2);
    ck_assert_uint_eq(one.work[0].work.makes, 1);
    expect_again(&one.work[0], NULL);
    ck_assert_double_eq(tg_get(x, 3), 7);
}
END_TEST

/* ---- random numbers ---- */

static tg_rng mine = {11, 4};

static tg_tensor *drawn(int i) {
    tg_tensor *half = tg_full(TG_F64, 0.5, 9);
    switch (i) {
    case 0:
        return tg_uniform(TG_F32, -1, 3, 9);
    case 1:
        return tg_randn(TG_F64, 9);
    case 2:
        return tg_randint(TG_I32, -4, 40, 9);
    case 3:
        return tg_randperm(9);
    case 4:
        return tg_bernoulli(half);
    case 5:
        return tg_multinomial(half, 4);
    case 6:
        return tg_multinomial(half, 4, .replacement = true, .rng = &mine);
    case 7:
        return tg_randperm(9, .rng = &mine);
    default:
        return tg_bernoulli(half, .rng = &mine);
    }
}

START_TEST(random_numbers_continue_their_stream) {
    tg_rng *stream = _i < 6 ? tg_default_rng() : &mine, before = *stream;
    listen();
    const tg_tensor *t = drawn(_i);
    stop();
    const heard *h = &one.work[one.works - 1];
    tg_rng after = *stream;
    ck_assert_uint_eq(h->work.makes, 1);
    ck_assert_uint_gt(after.next, before.next);
    tg_array next = again(h, NULL);
    ck_assert(!same(&next, tg_array_of(t)));
    const tg_tensor *eager = (*stream = after, drawn(_i));
    ck_assert(same(&next, tg_array_of(eager)));
    *stream = before;
    expect_again(h, NULL);
    ck_assert_mem_eq(stream, &after, sizeof after);
    tg_array_drop(&next);
}
END_TEST

START_TEST(dropout_draws_from_its_own_stream) {
    tg_tensor *x = tg_ones(TG_F32, 64);
    tg_rng standard = *tg_default_rng(), before = mine;
    listen();
    tg_dropout(x, 0.5, true, .rng = &mine);
    stop();
    ck_assert_int_eq(one.works, 1);
    ck_assert_int_eq(one.pointing, 1);
    ck_assert_uint_gt(mine.next, before.next);
    ck_assert_mem_eq(tg_default_rng(), &standard, sizeof standard);
    mine = before;
    expect_again(&one.work[0], NULL);
}
END_TEST

/* ---- sums ---- */

/* The sum of one short run is a kernel; of columns, of many elements, of integers and of none it is not. */
START_TEST(short_sums_are_kernels) {
    static const struct {
        tg_dtype dtype;
        int64_t rows, columns;
        bool over_rows;
        int folded;
    } row[] = {{TG_F32, 1, 2, false, 1}, {TG_F64, 4, 256, false, 1}, {TG_F64, 4, 257, false, 0},
               {TG_F32, 3, 5, true, 0},  {TG_I32, 1, 2, false, 0},   {TG_F32, 0, 2, false, 0}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        tg_tensor *x = tg_ones(row[i].dtype, row[i].rows, row[i].columns);
        listen();
        tg_tensor *y = row[i].over_rows ? tg_sum(x, .axes = TG_SHAPE(0)) : tg_sum(x);
        stop();
        ck_assert_msg(one.folded == row[i].folded, "row %d: %d", (int)i, one.folded);
        ck_assert_double_eq(tg_get(y, 0),
                            (double)(row[i].over_rows ? row[i].rows : row[i].rows * row[i].columns));
        one.folded = 0;
    }
}
END_TEST

/* ---- sums of adjoints ---- */

START_TEST(adjoints_are_summed_again) {
    tg_tensor *x = tg_param(tg_from(TG_F64, ((double[]){1, 2, 3}), 3)), *m = tg_ones(TG_F64, 2, 3);
    tg_tensor *y = tg_sum(tg_add(tg_add(tg_mul(m, x), tg_square(x)), tg_mul_scalar(x, 4)));
    int sums = 0, added = 0;
    listen();
    tg_backward(y);
    stop();
    ck_assert_int_gt(one.mapped, 0);
    for (int i = 0; i < one.works; i++) {
        heard *h = &one.work[i];
        bool in_place = h->work.changes, accumulates = strcmp(h->work.name, "accumulate") == 0;
        tg_array begin = {0};
        sums += strcmp(h->work.name, "sum to the input") == 0, added += accumulates;
        if (in_place) { /* whole numbers, so that what it was can be told from what it is */
            ck_assert(accumulates);
            ck_assert_int_eq(tg_array_alloc_like(&begin, &h->a[0]), TG_OK);
            for (int64_t k = 0; k < begin.numel; k++)
                tg_array_set(&begin, k, tg_array_get(&h->a[0], k) - tg_array_get(&h->a[1], k));
        }
        expect_again(h, in_place ? &begin : NULL);
        tg_array_drop(&begin);
    }
    ck_assert_int_ge(sums, 1);
    ck_assert_int_ge(added, 2);
    tg_free(x);
}
END_TEST

/* ---- decisions ---- */

START_TEST(decisions_are_told_with_their_answer) {
    const double big = _i ? 1e300 : 1;
    tg_tensor *x = tg_full(TG_F64, big, 4), *zero = tg_zeros(TG_F64, 4);
    listen();
    tg_mse_loss(x, zero);
    ck_assert(tg_decide_infinite(tg_scalar(TG_F32, _i ? INFINITY : 1), "test") == !!_i);
    ck_assert(tg_decide_set(tg_scalar(TG_BOOL, _i), "test") == !!_i);
    stop();
    ck_assert_int_ge(one.decisions, 3);
    for (int i = 0; i < one.decisions; i++) {
        const heard *h = &one.decision[i];
        const tg_array *a[TG_WORK_ARRAYS];
        for (int k = 0; k < h->decision.n; k++) a[k] = &h->a[k];
        ck_assert_int_eq(h->yes, _i);
        ck_assert_int_eq(h->decision.decide(a, h->decision.data), _i);
    }
}
END_TEST

START_TEST(decisions_need_one_element) {
    ck_assert(!tg_decide_infinite(tg_full(TG_F32, INFINITY, 2), "test"));
    ck_assert_int_eq(tg_error_status(), TG_ERR_SHAPE);
}
END_TEST

/* The range of classes is checked again, and the error is that of the first time, though the tensors are gone. */
START_TEST(checks_raise_their_error_again) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *x = tg_set_name(tg_zeros(TG_F32, 2, 3), "scores"),
              *target = tg_from(TG_I64, ((int64_t[]){2, 0}), 2);
    listen();
    tg_cross_entropy(x, target);
    stop();
    tg_tape_rewind(mark);
    ck_assert_int_ge(one.works, 1);
    const heard *h = &one.work[0];
    const tg_array *a = &h->a[0];
    ck_assert_int_eq(h->work.run(&a, h->work.data), TG_OK);
    tg_array_set(a, 1, 3);
    ck_assert_int_eq(h->work.run(&a, h->work.data), TG_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(tg_error_message(), "row 1 has class 3, outside [0, 3): scores [2, 3] f32"));
}
END_TEST

/* ---- leave ---- */

static void expect_refusal(const char *who) {
    tg_listening = NULL;
    ck_assert_int_eq(one.asked, 1);
    ck_assert_str_eq(one.who, who);
    ck_assert_int_eq(tg_error_status(), TG_ERR_ARGUMENT);
    tg_error_clear();
}

static tg_tensor *untouched(tg_tensor *grad, void *user) {
    (void)grad, (void)user;
    return NULL;
}

START_TEST(refusals_leave_all_as_it_was) {
    static const char *const who[] = {"tg_item", "tg_data_mut",          "tg_array_of",      "mine",
                                      "tg_seed", "tg_set_requires_grad", "tg_register_hook", "tg_save_npy"};
    tg_tensor *x = tg_param(tg_scalar(TG_F64, 5)), *y = tg_scalar(TG_F64, 6);
    tg_rng before = *tg_default_rng();
    listen();
    if (_i == 0) ck_assert(isnan(tg_item(x)));
    if (_i == 1) ck_assert_ptr_null(tg_data_mut(x));
    if (_i == 2) ck_assert_ptr_null(tg_array_of(x));
    if (_i == 3) ck_assert_ptr_null(tg_inplace(y, "mine"));
    if (_i == 4) tg_seed(8);
    if (_i == 5) tg_set_requires_grad(x, false);
    if (_i == 6) ck_assert_int_ne(tg_register_hook(x, untouched, NULL), TG_OK);
    if (_i == 7) ck_assert_int_ne(tg_save_npy(x, "/nowhere/x.npy"), TG_OK);
    expect_refusal(who[_i]);
    ck_assert_double_eq(tg_item(x), 5);
    ck_assert_double_eq(tg_item(y), 6);
    ck_assert(tg_requires_grad(x));
    ck_assert_mem_eq(tg_default_rng(), &before, sizeof before);
    tg_free(x);
}
END_TEST

/* ---- wholes ---- */

START_TEST(a_step_is_told_as_a_whole) {
    tg_model *m = tg_model_new(1);
    tg_tensor *w = tg_model_param(m, "w", TG_F32, TG_SHAPE(3), tg_init_ones());
    tg_optim *sgd = tg_sgd(m, 0.5);
    tg_backward(tg_sum(w));
    listen();
    ck_assert(tg_model_training(m));
    tg_clip_grad_value(m, 0.5);
    tg_clip_grad_norm(m, 100);
    tg_optim_step(sgd);
    tg_model_zero_grad(m);
    stop();
    ck_assert_int_eq(one.works, 4);
    ck_assert_int_eq(one.mapped, 0);
    ck_assert_int_eq(one.relied, 1);
    for (int i = 0; i < 4; i++) {
        ck_assert(one.work[i].work.outside);
        ck_assert_int_eq(one.work[i].work.n, 0);
    }
    ck_assert_double_eq(tg_get(w, 2), 0.75);
    tg_backward(tg_sum(w));
    for (int i = 0; i < 4; i++) ck_assert_int_eq(one.work[i].work.run(NULL, one.work[i].work.data), TG_OK);
    ck_assert_double_eq(tg_get(w, 2), 0.5);
    tg_model_set_training(m, false);
    ck_assert_int_eq(one.ask(one.of), 0);
    tg_optim_free(sgd);
    tg_model_free(m);
    ck_assert_int_eq(one.ask(one.of), -1);
    stop();
}
END_TEST

TCase *tcase_work(void) {
    TCase *t = tcase_create("work");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, changes_in_place, 0, 5);
    tcase_add_test(t, overlapping_operands_are_copied_again);
    tcase_add_loop_test(t, random_numbers_continue_their_stream, 0, 9);
    tcase_add_test(t, dropout_draws_from_its_own_stream);
    tcase_add_test(t, adjoints_are_summed_again);
    tcase_add_test(t, short_sums_are_kernels);
    tcase_add_loop_test(t, decisions_are_told_with_their_answer, 0, 2);
    tcase_add_test(t, decisions_need_one_element);
    tcase_add_test(t, checks_raise_their_error_again);
    tcase_add_loop_test(t, refusals_leave_all_as_it_was, 0, 8);
    tcase_add_test(t, a_step_is_told_as_a_whole);
    return t;
}

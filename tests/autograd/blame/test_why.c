/* Why a gradient is what it is: a row for each cause, with the words that the sentence must have. */
#include "tests/autograd/helpers.h"

#include <math.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static tg_tensor *w; /* a parameter [4] of each row: 1, 2, 3, 4 */

/* A program: it may walk, and says which tensor and which loss is asked about. */
typedef struct asked {
    tg_tensor *t, *loss;
} asked;

static asked walked(tg_tensor *t, tg_tensor *loss) {
    tg_backward(loss);
    return (asked){t, loss};
}
static tg_tensor *other(void) { return tg_set_name(tg_set_requires_grad(tg_ones(TG_F64, 4), true), "other"); }

static asked fine(void) { return walked(w, tg_sum(tg_square(w))); }
static asked some_zeros(void) { return walked(w, tg_sum(tg_relu(tg_affine(w, 1, -2.5)))); }

static asked plain_data(void) {
    tg_tensor *x = tg_set_name(tg_ones(TG_F64, 4), "x");
    return walked(x, tg_sum(tg_mul(w, x)));
}
static asked whole_numbers(void) {
    tg_tensor *i = tg_zeros(TG_I64, 4);
    return walked(i, tg_sum(w));
}
static asked bad_loss(void) { return walked(w, tg_sum(tg_square(tg_log(tg_affine(w, 1, -2.5))))); }
static asked bad_loss_alone(void) { return walked(w, tg_sum(tg_log(tg_affine(w, 1, -2.5)))); }
static asked of_data(void) {
    tg_tensor *x = tg_exp(tg_ones(TG_F64, 4));
    return walked(x, tg_sum(tg_mul(w, x)));
}
static asked is_detached(void) {
    tg_tensor *d = tg_detach(tg_square(w));
    return walked(d, tg_sum(tg_mul(d, w)));
}
static asked of_detached(void) {
    tg_tensor *d = tg_exp(tg_detach(w));
    return walked(d, tg_sum(tg_mul(d, w)));
}
static asked detached_on_the_way(void) { return walked(w, tg_sum(tg_mul(other(), tg_detach(tg_square(w))))); }
static asked detached_and_used(void) { return walked(w, tg_sum(tg_mul(other(), tg_exp(tg_detach(w))))); }
static asked detached_loss(void) { return (asked){w, tg_detach(tg_sum(tg_square(w)))}; }

static asked made_while_off(void) {
    bool was = tg_set_grad_enabled(false);
    tg_tensor *h = tg_square(w);
    tg_set_grad_enabled(was);
    return walked(h, tg_sum(tg_mul(h, other())));
}
static asked off_on_the_way(void) {
    bool was = tg_set_grad_enabled(false);
    tg_tensor *h = tg_square(w);
    tg_set_grad_enabled(was);
    return walked(w, tg_sum(tg_mul(tg_exp(h), other())));
}
static asked off_all_the_way(void) {
    bool was = tg_set_grad_enabled(false);
    tg_tensor *loss = tg_sum(tg_square(w));
    tg_set_grad_enabled(was);
    return (asked){w, loss};
}

static tg_tensor *as_float(tg_tensor *x) { return tg_to(x, TG_F64); }
static asked result_of_no_rule(void) {
    tg_tensor *h = as_float(tg_gt(w, tg_full(TG_F64, 2, 4)));
    return walked(h, tg_sum(tg_mul(h, w)));
}
static asked no_rule_on_the_way(void) {
    tg_tensor *h = as_float(tg_gt(w, tg_full(TG_F64, 2, 4)));
    return walked(w, tg_sum(tg_mul(h, other())));
}

static asked not_used(void) { return walked(w, tg_sum(tg_square(other()))); }
static asked no_path(void) {
    tg_exp(tg_square(w));
    return walked(w, tg_sum(tg_square(other())));
}
static asked loss_of_data(void) { return (asked){w, tg_sum(tg_ones(TG_F64, 4))}; }

static asked not_walked(void) { return (asked){w, tg_sum(tg_square(w))}; }
static asked a_result(void) {
    tg_tensor *h = tg_square(w);
    return walked(h, tg_sum(tg_exp(h)));
}
static asked a_retained_result(void) {
    tg_tensor *h = tg_square(w);
    tg_retain_grad(h);
    return walked(h, tg_sum(tg_exp(h)));
}
static asked cleared(void) {
    asked a = fine();
    tg_zero_grad(w);
    return a;
}
static asked walked_by_grad(void) {
    tg_tensor *loss = tg_sum(tg_square(w)), *g;
    tg_grad(1, &loss, 1, &w, &g);
    return (asked){w, loss};
}

static asked infinite(void) { return walked(w, tg_sum(tg_sqrt(tg_affine(w, 0, 0)))); }
static asked refused(void) {
    tg_set_finite_check(TG_FINITE_AT_BACKWARD);
    asked a = infinite();
    tg_set_finite_check(TG_FINITE_OFF);
    tg_error_clear();
    return a;
}
static asked infinite_of_another(void) {
    infinite();
    return (asked){w, tg_sum(tg_square(w))};
}

static asked dead(void) { return walked(w, tg_sum(tg_relu(tg_affine(w, -1, 0.5)))); }
static asked dead_below(void) { /* the layer below a dead one */
    return walked(w, tg_sum(tg_affine(tg_relu(tg_affine(tg_exp(tg_affine(w, -1, 0)), -1, 0)), 3, 0)));
}
static asked stationary(void) { return walked(w, tg_sum(tg_square(tg_affine(w, 0, 0)))); }
static asked stationary_product(void) {
    tg_tensor *zero = tg_affine(w, 0, 0);
    return walked(w, tg_sum(tg_mul(zero, zero)));
}
static asked saturated(void) { return walked(w, tg_sum(tg_tanh(tg_affine(w, 500, 0)))); }
static asked masked_by_product(void) {
    return walked(w, tg_sum(tg_mul(w, tg_set_name(tg_zeros(TG_F64, 4), "mask"))));
}
static asked masked_by_choice(void) {
    return walked(w, tg_sum(tg_where(tg_gt(w, tg_zeros(TG_F64, 4)), other(), w)));
}
static asked zero_weights(void) {
    tg_tensor *last = tg_set_name(tg_set_requires_grad(tg_zeros(TG_F64, 4, 3), true), "out.weight");
    return walked(w, tg_sum(tg_matmul(w, last)));
}
static asked cancelled(void) { return walked(w, tg_sub(tg_sum(tg_exp(w)), tg_sum(tg_exp(w)))); }
static asked cancelled_below(void) {
    tg_tensor *h = tg_exp(tg_square(w));
    return walked(w, tg_sum(tg_sub(h, h)));
}
static asked not_in_the_slice(void) {
    tg_tensor *h = tg_slice(w, 0, 0, 2, 1);
    return walked(w, tg_sum(tg_slice(tg_mul(tg_concat(0, h, other()), tg_ones(TG_F64, 6)), 0, 3, 6, 1)));
}
static tg_tensor *nothing(tg_tensor *grad, void *user) {
    (void)user;
    return tg_zeros_like(grad);
}
static asked zeroed_by_hook(void) {
    tg_tensor *h = tg_square(w);
    tg_register_hook(h, nothing, NULL);
    return walked(w, tg_sum(h));
}
static void step(void) { /* as an optimiser's */
    bool was = tg_set_grad_enabled(false);
    tg_mul_(w, tg_full(TG_F64, 2, 4));
    tg_set_grad_enabled(was);
}
static asked changed_since(void) {
    asked a = dead();
    step();
    return a;
}
static asked saved_and_changed(void) {
    asked a = walked(w, tg_sum(tg_mul(tg_square(w), tg_zeros(TG_F64, 4))));
    step();
    return a;
}
static asked dropped_since(void) {
    tg_tensor *h = tg_affine(w, -1, 0.5), *r = tg_relu(h), *loss = tg_sum(r);
    tg_drop_elements(h), tg_drop_elements(r);
    return walked(w, loss);
}
static asked rewound(void) {
    const tg_mark mark = tg_tape_mark();
    dead();
    tg_tape_rewind(mark);
    return (asked){w, NULL};
}
static asked rewound_and_missing(void) {
    const tg_mark mark = tg_tape_mark();
    tg_sum(tg_square(w));
    tg_tape_rewind(mark);
    return (asked){w, NULL};
}
static asked rewound_loss(void) {
    const tg_mark mark = tg_tape_mark();
    tg_tensor *loss = tg_sum(tg_square(w));
    tg_tape_rewind(mark);
    return (asked){w, loss};
}
static asked freed(void) {
    tg_tensor *p = tg_param(tg_ones(TG_F64, 4)), *loss = tg_sum(tg_square(p));
    tg_backward(loss);
    tg_free(p);
    return (asked){p, loss};
}
static asked without_loss(void) {
    asked a = dead();
    return (asked){a.t, NULL};
}

#define HERE "test_why.c:"
#define NO_WAY "no recorded way leads from it to the loss"
static const struct row {
    const char *name;
    asked (*f)(void);
    tg_cause cause;
    const char *words[4];
} rows[] = {
    {"fine",
     fine,
     TG_CAUSE_NONE,
     {"the gradient of w [4] f64 is there: its norm is 10.9545, its elements are from 2 to 8, and 0 of 4 are zero"}},
    {"some zeros",
     some_zeros,
     TG_CAUSE_NONE,
     {"2 of 4 are zero; relu at " HERE,
      " stops 2 of the 4 elements of the gradient that reach it, its input there being from -1.5 to -0.5"}},
    {"data", plain_data, TG_CAUSE_NOT_REQUIRED, {"the gradient of x [4] f64 is missing: ", "nobody asked for it"}},
    {"integers", whole_numbers, TG_CAUSE_NOT_REQUIRED, {"only f32 and f64 carry gradients, not i64"}},
    {"of data", of_data, TG_CAUSE_NOT_REQUIRED, {"exp at " HERE, "of nothing that requires one"}},
    {"detached", is_detached, TG_CAUSE_DETACHED, {"detach at " HERE, " has cut it off"}},
    {"of detached", of_detached, TG_CAUSE_DETACHED, {"exp at " HERE, "tg_detach has cut off"}},
    {"detached on the way", detached_on_the_way, TG_CAUSE_DETACHED, {NO_WAY, "detach at " HERE}},
    {"detached and used", detached_and_used, TG_CAUSE_DETACHED, {NO_WAY, "detach at " HERE}},
    {"detached loss", detached_loss, TG_CAUSE_DETACHED, {"the loss has no history: detach at " HERE}},
    {"off", made_while_off, TG_CAUSE_RECORDING_OFF, {"square at " HERE, "recording was off"}},
    {"off on the way",
     off_on_the_way,
     TG_CAUSE_RECORDING_OFF,
     {NO_WAY, "exp at " HERE, "recording was off", "is not known"}},
    {"off all the way", off_all_the_way, TG_CAUSE_RECORDING_OFF, {"the loss has no history: sum at " HERE}},
    {"no rule",
     result_of_no_rule,
     TG_CAUSE_NO_RULE,
     {" made it, and that op, or one that something it was made of went through, has no gradient"}},
    {"no rule on the way",
     no_rule_on_the_way,
     TG_CAUSE_NO_RULE,
     {NO_WAY, "by an op that has no gradient", "is not known"}},
    {"not used", not_used, TG_CAUSE_NOT_USED, {"no recorded op on the tape reads it"}},
    {"no path", no_path, TG_CAUSE_NO_PATH, {"the last op that depends on it is #1 exp(#0 [4]) -> [4] f64   " HERE}},
    {"loss of data", loss_of_data, TG_CAUSE_NO_PATH, {"the loss has no history: sum at " HERE}},
    {"not walked", not_walked, TG_CAUSE_NO_BACKWARD, {"no tg_backward has walked back"}},
    {"result", a_result, TG_CAUSE_NOT_RETAINED, {"tg_retain_grad"}},
    {"retained result", a_retained_result, TG_CAUSE_NONE, {"is there"}},
    {"cleared", cleared, TG_CAUSE_CLEARED, {"it was cleared since"}},
    {"tg_grad", walked_by_grad, TG_CAUSE_CLEARED, {"tg_grad walked"}},
    {"infinite",
     infinite,
     TG_CAUSE_NOT_FINITE,
     {"the gradient of w [4] f64 is not finite: the first gradient that is not finite is made by the rule of #1 sqrt(",
      "of sqrt(0) and the gradient 1"}},
    {"bad loss",
     bad_loss,
     TG_CAUSE_NOT_FINITE,
     {"the gradient of w [4] f64 is not finite: the loss itself is NaN: the first NaN is made by #1 log(",
      ": log(-1.5) at [0]; walking back from there, the first gradient that is not finite is made by the rule of #"}},
    {"bad loss, and finite gradients",
     bad_loss_alone,
     TG_CAUSE_NONE,
     {"is there: its norm is ", "; but the loss itself is NaN: the first NaN is made by #1 log("}},
    {"refused",
     refused,
     TG_CAUSE_NOT_FINITE,
     {"missing: the walk gives one that is not finite, which was refused: ", "#1 sqrt("}},
    {"infinite of another",
     infinite_of_another,
     TG_CAUSE_NOT_FINITE,
     {"not finite: the graph of this loss gives finite ones"}},
    {"dead",
     dead,
     TG_CAUSE_DEAD,
     {"is zero: relu at " HERE,
      "at all 4 elements that a gradient reaches its slope is 0, its input there being from -3.5 to -0.5"}},
    {"dead below", dead_below, TG_CAUSE_DEAD, {"relu at " HERE}},
    {"stationary", stationary, TG_CAUSE_NO_SLOPE, {"square at " HERE, "its input there being 0"}},
    {"stationary product", stationary_product, TG_CAUSE_NO_SLOPE, {"mul at " HERE}},
    {"saturated", saturated, TG_CAUSE_SATURATED, {"tanh at " HERE, "its input there being from 500 to 2000"}},
    {"mask",
     masked_by_product,
     TG_CAUSE_MASKED,
     {"mul at " HERE, "its input 1, mask [4] f64, is 0 wherever a gradient reaches it"}},
    {"choice", masked_by_choice, TG_CAUSE_MASKED, {"where at " HERE, "choose something else"}},
    {"zero weights", zero_weights, TG_CAUSE_MASKED, {"matmul at " HERE, "out.weight [4, 3] f64, is 0 everywhere"}},
    {"cancelled",
     cancelled,
     TG_CAUSE_CANCELLED,
     {"contributions to w [4] f64 that are not zero add up to zero", "exp at " HERE}},
    {"cancelled below",
     cancelled_below,
     TG_CAUSE_CANCELLED,
     {"sub at " HERE, "is given [4] f64 more than once, and what it gives for each adds up to zero"}},
    {"not in the slice",
     not_in_the_slice,
     TG_CAUSE_NO_SLOPE,
     {" at " HERE, "passes nothing on: its rule gives 0 for every element"}},
    {"hook", zeroed_by_hook, TG_CAUSE_UNKNOWN, {"is zero: this loss gives one that is not, so that a hook"}},
    {"changed, but not needed", changed_since, TG_CAUSE_DEAD, {"relu at " HERE}},
    {"changed",
     saved_and_changed,
     TG_CAUSE_UNKNOWN,
     {"is zero: where that comes from cannot be seen any more: ", "changed in place"}},
    {"dropped", dropped_since, TG_CAUSE_UNKNOWN, {"cannot be seen any more: ", "dropped by tg_drop_elements"}},
    {"rewound",
     rewound,
     TG_CAUSE_UNKNOWN,
     {"is zero: where that comes from cannot be seen any more: the graph of the loss is gone"}},
    {"rewound and missing",
     rewound_and_missing,
     TG_CAUSE_UNKNOWN,
     {"missing: the tape has no recorded result of one element"}},
    {"rewound loss",
     rewound_loss,
     TG_CAUSE_GONE,
     {"the loss was made by sum (" HERE, "the tape has since been rewound past it"}},
    {"freed", freed, TG_CAUSE_GONE, {"the tensor was made by ", "has since been freed"}},
    {"no loss given", without_loss, TG_CAUSE_DEAD, {"relu at " HERE}},
};

/* The sentences number nodes, so each test has a tape of its own. */
static tg_tape *own, *before;
static void begin(void) {
    before = tg_tape_use(own = tg_tape_new());
    w = tg_set_name(param(TG_SHAPE(4)), "w");
    tg_tape_free(own);
    tg_tape_use(own = tg_tape_new());
}
static void end(void) {
    expect_ok();
    tg_free(w);
    tg_tape_use(before);
    tg_tape_free(own);
}

START_TEST(causes) {
    const struct row *r = &rows[_i];
    char text[1024], again[1024], few[12];
    asked a = r->f();
    expect_ok();
    const int64_t nodes = tg_tape_nodes(), tensors = tg_tape_tensors();
    tg_cause cause = tg_why(a.t, a.loss, text, sizeof text);
    expect_ok();
    ck_assert_msg(cause == r->cause, "%s: cause %d instead of %d: %s", r->name, cause, r->cause, text);
    for (int i = 0; i < 4 && r->words[i]; i++)
        ck_assert_msg(strstr(text, r->words[i]), "%s: no \"%s\" in: %s", r->name, r->words[i], text);
    /* Nothing has changed by asking, so that the answer is the same. */
    ck_assert(tg_why(a.t, a.loss, again, sizeof again) == cause);
    ck_assert_str_eq(text, again);
    ck_assert(tg_tape_nodes() == nodes && tg_tape_tensors() == tensors);
    ck_assert(tg_why(a.t, a.loss, few, sizeof few) == cause);
    ck_assert(strlen(few) == sizeof few - 1 && strncmp(few, text, sizeof few - 1) == 0);
}
END_TEST

START_TEST(gradients_stay) {
    char text[512];
    tg_tensor *loss = tg_sum(tg_square(w));
    ck_assert(tg_why(w, loss, text, sizeof text) == TG_CAUSE_NO_BACKWARD);
    ck_assert(!tg_has_grad(w));
    ck_assert_int_eq(tg_backward(loss), TG_OK);
    ck_assert(tg_why(w, loss, text, sizeof text) == TG_CAUSE_NONE);
    ck_assert(tg_get(tg_grad_of(w), 3) == 8);
    ck_assert_int_eq(tg_backward(loss), TG_ERR_TAPE); /* it was walked, by tg_backward */
    tg_error_clear();
}
END_TEST

START_TEST(bad_arguments) {
    char text[64] = "before";
    tg_tensor *loss = tg_sum(w);
    ck_assert(tg_why(NULL, loss, text, sizeof text) == TG_CAUSE_UNKNOWN);
    expect_error(TG_ERR_ARGUMENT, "tg_why: the tensor is NULL", "test_why.c:");
    ck_assert_str_eq(text, "");
    ck_assert(tg_why(w, loss, NULL, 4) == TG_CAUSE_UNKNOWN);
    expect_error(TG_ERR_ARGUMENT, "tg_why: the text is NULL");
    ck_assert(tg_why(w, loss, text, 0) == TG_CAUSE_NO_BACKWARD);
    tg_tape *second = tg_tape_new();
    tg_tape_use(second);
    ck_assert(tg_why(w, loss, text, sizeof text) == TG_CAUSE_UNKNOWN);
    expect_error(TG_ERR_TAPE, "tg_why: the loss was recorded on another tape");
    tg_tape_use(own);
    tg_tape_free(second);
    tg_fail(TG_ERR_IO, "disk");
    ck_assert(tg_why(w, loss, text, sizeof text) == TG_CAUSE_UNKNOWN);
    ck_assert_str_eq(text, "");
    ck_assert(tg_why(tg_poison(), loss, text, sizeof text) == TG_CAUSE_UNKNOWN);
    expect_error(TG_ERR_IO, "disk");
    ck_assert(tg_why(tg_poison(), loss, text, sizeof text) == TG_CAUSE_GONE);
    ck_assert_msg(strstr(text, "the tensor is the result of a failed op"), "%s", text);
}
END_TEST

/* Each allocation fails in turn: the error, and then the answer. */
START_TEST(without_memory) {
    static asked (*const f[])(void) = {dead, no_path, infinite, cancelled, refused};
    char text[512];
    asked a = f[_i]();
    const tg_cause cause = tg_why(a.t, a.loss, text, sizeof text);
    int failures = 0;
    for (int64_t n = 1; n < 300; n++) {
        tg_memory_trim();
        tg_memory_fail_at(n);
        tg_cause now = tg_why(a.t, a.loss, text, sizeof text);
        tg_memory_fail_at(-1);
        const bool failed = tg_error_status() == TG_ERR_MEMORY;
        failures += failed;
        if (failed) tg_error_clear();
        expect_ok();
        ck_assert(failed ? now == TG_CAUSE_UNKNOWN : now == cause);
    }
    ck_assert_int_gt(failures, 0);
    ck_assert(tg_why(a.t, a.loss, text, sizeof text) == cause);
}
END_TEST

TCase *tcase_why(void);
TCase *tcase_why(void) {
    TCase *t = tcase_create("why");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, causes, 0, COUNT(rows));
    tcase_add_test(t, gradients_stay);
    tcase_add_test(t, bad_arguments);
    tcase_add_loop_test(t, without_memory, 0, 5);
    return t;
}

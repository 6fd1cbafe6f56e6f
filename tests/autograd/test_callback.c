/* Functions that the library calls in the middle of its work: what they do to the tape, and what they return. */
#include "helpers.h"

#include <math.h>

static tg_mark start;
static tg_tape *mine, *thread_own;
static tg_mark outside; /* taken on `mine` before the call */
static tg_tensor *w;    /* a parameter that the call needs */
static bool done;       /* `act` ran: it does so once */
static void (*act)(void);

/* On a tape of its own, so that freeing it is possible at all. */
static void setup(void) {
    tg_error_clear();
    thread_own = tg_tape_current();
    mine = tg_tape_new();
    tg_tape_use(mine);
    start = tg_tape_mark();
    w = param(TG_SHAPE(2));
    done = false;
}

static void teardown(void) {
    expect_ok();
    if (tg_is_alive(w)) tg_free(w);
    tg_tape_use(NULL);
    tg_tape_free(mine);
    expect_ok();
}

static void act_once(void) {
    if (!done && (done = true)) act();
}

/* ---- where functions are called ---- */

static tg_tensor *f(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *y = tg_square(in[0]);
    act_once();
    return tg_sum(y);
}

/* out = x^2, with the callback in one of its functions */
static int in_function = -1; /* 0: infer, 1: forward */
static tg_status square_infer(const tg_call *c) {
    if (in_function == 0) act_once();
    return tg_infer_same(c);
}
static tg_status square_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++)
        tg_array_set(c->out[0], i, pow(tg_array_get(c->in[0], i), 2));
    if (in_function == 1) act_once();
    return TG_OK;
}
static void square_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(n->in[0], 2));
    act_once();
}
static tg_status square_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    tg_status s = tg_array_alloc_like(&din[0], dout[0]);
    for (int64_t i = 0; s == TG_OK && i < din->numel; i++)
        tg_array_set(din, i, 2 * tg_array_get(dout[0], i) * tg_array_get(tg_node_in(n, 0), i));
    act_once();
    return s;
}
static const tg_op square_op = {.name = "square_op",
                                .n_in = 1,
                                .save = TG_IN(0),
                                .infer = square_infer,
                                .forward = square_forward,
                                .grad = square_grad};

static tg_tensor *apply(int function) {
    tg_op op = square_op;
    in_function = function;
    tg_tensor *y = tg_apply(&op, &w, 1, NULL);
    in_function = -1;
    return y;
}

static tg_tensor *hook(tg_tensor *grad, void *user) {
    (void)user;
    act_once();
    return grad;
}

static tg_status at_infer(void) {
    apply(0);
    return tg_error_status();
}
static tg_status at_forward(void) {
    apply(1);
    return tg_error_status();
}
static tg_status at_rule(void) {
    static tg_op op;
    op = square_op;
    return tg_backward(tg_sum(tg_apply(&op, &w, 1, NULL)));
}
static tg_status at_recorded_rule(void) {
    static tg_op op;
    op = square_op;
    tg_tensor *y = tg_sum(tg_apply(&op, &w, 1, NULL)), *g;
    return tg_grad(1, &y, 1, &w, &g, .create_graph = true);
}
static tg_status at_kernel(void) {
    static tg_op op;
    op = square_op;
    op.grad_kernel = square_kernel;
    return tg_backward(tg_sum(tg_apply(&op, &w, 1, NULL)));
}
static tg_status at_leaf_hook(void) {
    tg_register_hook(w, hook, NULL);
    return tg_backward(tg_sum(tg_square(w)));
}
static tg_status at_result_hook(void) {
    tg_tensor *y = tg_square(w);
    tg_register_hook(y, hook, NULL);
    return tg_backward(tg_sum(y));
}
static tg_status at_recorded_hook(void) {
    tg_tensor *y = tg_square(w), *sum = tg_sum(y), *g;
    tg_register_hook(y, hook, NULL);
    return tg_grad(1, &sum, 1, &w, &g, .create_graph = true);
}
static tg_status at_checkpoint(void) {
    return tg_is_poison(tg_checkpoint(f, NULL, 1, &w)) ? tg_error_status() : TG_OK;
}
static tg_status at_checkpoint_again(void) {
    done = true;
    tg_tensor *y = tg_checkpoint(f, NULL, 1, &w);
    done = false;
    return tg_backward(y);
}
static tg_status at_vjp(void) {
    tg_tensor *g;
    return tg_vjp(f, NULL, 1, &w, NULL, NULL, &g);
}
static tg_status at_jvp(void) {
    tg_tensor *g, *v = tg_ones(TG_F64, 2);
    return tg_jvp(f, NULL, 1, &w, &v, NULL, &g);
}
static tg_status at_hvp(void) {
    tg_tensor *g, *v = tg_ones(TG_F64, 2);
    return tg_hvp(f, NULL, 1, &w, &v, &g);
}
static tg_status at_jacobian(void) {
    tg_tensor *g;
    return tg_jacobian(f, NULL, 1, &w, &g);
}
static tg_status at_hessian(void) {
    return tg_is_poison(tg_hessian(f, NULL, 1, &w)) ? tg_error_status() : TG_OK;
}

static tg_status fill(tg_tensor *p, tg_rng *rng, const tg_init *init) {
    (void)p, (void)rng, (void)init;
    act_once();
    return TG_OK;
}
static tg_status at_initialiser(void) {
    tg_model *m = tg_model_new(0);
    tg_tensor *p = tg_model_param(m, "p", TG_F64, TG_SHAPE(2), (tg_init){.fill = fill});
    ck_assert_int_eq(tg_model_count(m), !tg_is_poison(p));
    tg_model_free(m);
    return tg_error_status();
}

static tg_status (*const place[])(void) = {
    at_infer,       at_forward,       at_rule,       at_recorded_rule,    at_kernel, at_leaf_hook,
    at_result_hook, at_recorded_hook, at_checkpoint, at_checkpoint_again, at_vjp,    at_jvp,
    at_hvp,         at_jacobian,      at_hessian,    at_initialiser};
enum { PLACES = sizeof place / sizeof *place };

/* Without the act each of them is well. */
static void nothing(void) {}
START_TEST(test_places_are_reached) {
    act = nothing;
    ck_assert_msg(place[_i]() == TG_OK, "%s", tg_error_message());
    ck_assert(done);
}
END_TEST

/* ---- what they must not do: the call fails, the tape is whole, and so is the parameter ---- */

static void rewind_outside(void) { ck_assert_int_eq(tg_tape_rewind(outside), TG_ERR_TAPE); }
static void free_the_tape(void) { tg_tape_free(mine); }
static void switch_tapes(void) { tg_tape_use(NULL); }

static void expect_refusal(int i, void (*what)(void), const char *word) {
    act = what;
    outside = tg_tape_mark();
    tg_tensor *kept = leaf(3);
    bool recording = tg_grad_enabled();
    ck_assert_int_eq(place[i](), TG_ERR_TAPE);
    ck_assert(done);
    expect_error(TG_ERR_TAPE, word);
    ck_assert_ptr_eq(tg_tape_current(), mine);
    ck_assert(tg_grad_enabled() == recording);
    ck_assert(tg_get(w, 0) == 1 && tg_get(w, 1) == 2 && !tg_has_grad(w));
    tg_remove_hooks(w);
    expect_value(kept, 3);
    ck_assert_int_eq(tg_backward(tg_sum(tg_mul(tg_square(w), kept))), TG_OK);
    ck_assert(tg_get(tg_grad_of(w), 1) == 12);
    ck_assert_int_eq(tg_tape_rewind(outside), TG_OK);
}

START_TEST(test_rewinding_below_is_refused) {
    expect_refusal(_i, rewind_outside, "outside the function that is running");
}
END_TEST
START_TEST(test_freeing_the_tape_is_refused) { expect_refusal(_i, free_the_tape, "in use"); }
END_TEST
START_TEST(test_leaving_another_tape_is_refused) { expect_refusal(_i, switch_tapes, "another tape"); }
END_TEST

/* ---- what they may do ---- */

static void use_own_mark(void) {
    bool was = tg_set_grad_enabled(true);
    tg_mark own = tg_tape_mark();
    tg_tensor *x = leaf(2);
    ck_assert_int_eq(tg_backward(tg_square(x)), TG_OK);
    ck_assert_int_eq(tg_tape_rewind(own), TG_OK);
    tg_set_grad_enabled(was);
}
static void use_another_tape(void) {
    tg_tape *other = tg_tape_new(), *before = tg_tape_use(other);
    use_own_mark();
    tg_tape_use(before);
    tg_tape_free(other);
}
static void change_mode(void) { tg_set_grad_enabled(!tg_grad_enabled()); }

START_TEST(test_own_marks_and_other_tapes_are_free) {
    void (*const acts[])(void) = {use_own_mark, use_another_tape};
    for (int k = 0; k < 2; k++) {
        done = false;
        act = acts[k];
        ck_assert_msg(place[_i]() == TG_OK, "%s", tg_error_message());
        tg_remove_hooks(w);
        ck_assert(tg_set_grad_enabled(true));
    }
}
END_TEST

START_TEST(test_the_recording_mode_comes_back) {
    act = change_mode;
    tg_status s = place[_i]();
    if (place[_i] == at_infer || place[_i] == at_forward) /* which run in the caller's mode, and are ops */
        tg_set_grad_enabled(true);
    ck_assert(tg_set_grad_enabled(true));
    if (s != TG_OK) tg_error_clear(); /* f without a record has no gradient */
}
END_TEST

/* A mark ends with the function it was taken in: were it valid, rewinding to it would take the node of the op from under
 * its output. */
static tg_mark inside;
static void take_mark(void) { inside = tg_tape_mark(); }

START_TEST(test_marks_end_with_their_function) {
    act = take_mark;
    ck_assert_int_eq(place[_i](), TG_OK);
    int64_t tensors = tg_tape_tensors();
    ck_assert_int_eq(tg_tape_rewind(inside), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "has returned since");
    ck_assert_int_eq(tg_tape_tensors(), tensors);
    tg_remove_hooks(w);
}
END_TEST

/* ---- freeing what the caller needs ---- */

static void free_parameter(void) { tg_free(w); }

START_TEST(test_freeing_the_parameter) {
    act = free_parameter;
    tg_status s = place[_i]();
    ck_assert(s == TG_OK || s == TG_ERR_LIFETIME);
    if (s != TG_OK) expect_error(TG_ERR_LIFETIME, "freed");
    ck_assert(done && !tg_is_alive(w));
    tg_tensor *again = param(TG_SHAPE(2)); /* most likely in the slot that came free */
    ck_assert(!tg_has_grad(again));
    ck_assert_int_eq(tg_backward(tg_sum(tg_square(again))), TG_OK);
    ck_assert(tg_get(tg_grad_of(again), 1) == 4);
    tg_free(again);
}
END_TEST

/* ---- hooks that change the hooks ---- */

static int calls[4];
static tg_tensor *count(tg_tensor *grad, void *user) {
    calls[*(int *)user]++;
    return grad;
}
static tg_tensor *once(tg_tensor *grad, void *user) {
    calls[*(int *)user]++;
    tg_remove_hooks(w);
    return grad;
}
static tg_tensor *replace(tg_tensor *grad, void *user) {
    static int other = 3;
    calls[*(int *)user]++;
    tg_remove_hooks(w);
    tg_register_hook(w, count, &other);
    return grad;
}
static tg_tensor *add_another(tg_tensor *grad, void *user) {
    calls[*(int *)user]++;
    tg_register_hook(w, add_another, user);
    return grad;
}

START_TEST(test_hooks_that_change_hooks) {
    static int id[3] = {0, 1, 2};
    static const tg_hook second[] = {count, once, replace, add_another};
    /* by hook 0, by the second, by the last, by what the second registered: in a first walk and a second */
    static const int want[4][2][4] = {{{1, 1, 1, 0}, {2, 2, 2, 0}},
                                      {{1, 1, 0, 0}, {1, 1, 0, 0}},
                                      {{1, 1, 0, 0}, {1, 1, 0, 1}},
                                      {{1, 1, 1, 0}, {2, 3, 2, 0}}};
    for (int k = 0; k < 4; k++) {
        memset(calls, 0, sizeof calls);
        tg_register_hook(w, count, &id[0]);
        tg_register_hook(w, second[k], &id[1]);
        tg_register_hook(w, count, &id[2]);
        for (int walk = 0; walk < 2; walk++) {
            ck_assert_int_eq(tg_backward(tg_sum(tg_square(w))), TG_OK);
            for (int i = 0; i < 4; i++)
                ck_assert_msg(calls[i] == want[k][walk][i], "row %d, walk %d, hook %d", k, walk, i);
        }
        tg_remove_hooks(w);
    }
}
END_TEST

/* ---- walks inside walks ---- */

static tg_tensor *root;
static void walk_again(void) { tg_backward(root); }

START_TEST(test_walking_the_same_graph_inside) {
    tg_tensor *y = tg_square(w);
    tg_register_hook(y, hook, NULL);
    root = tg_sum(y);
    act = walk_again; /* the node of sum is behind the outer walk */
    ck_assert_int_eq(tg_backward(root), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "walked before");
    ck_assert(!tg_has_grad(w));
}
END_TEST

static tg_tensor *for_ever(tg_tensor *grad, void *user) {
    (void)user;
    tg_backward(root, .retain = true);
    return grad;
}

START_TEST(test_a_walk_that_walks_back_to_itself_ends) {
    tg_tensor *y = tg_square(w);
    tg_register_hook(y, for_ever, NULL);
    root = tg_sum(y);
    ck_assert_int_eq(tg_backward(root, .retain = true), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "walks are nested");
    ck_assert(!tg_has_grad(w));
}
END_TEST

/* ---- statuses that nobody raised ---- */

static tg_status returned;
static tg_status bad_infer(const tg_call *c) {
    (void)c;
    return returned;
}
static tg_status bad_forward(const tg_call *c) {
    (void)c;
    return returned;
}
static tg_status bad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    (void)n, (void)dout, (void)din;
    return returned;
}
static tg_status bad_init(tg_tensor *p, tg_rng *rng, const tg_init *init) {
    (void)p, (void)rng, (void)init;
    return returned;
}

START_TEST(test_a_returned_status_is_raised) {
    static const struct {
        tg_status returned, raised;
        const char *word;
    } rows[] = {{TG_ERR_SHAPE, TG_ERR_SHAPE, "without a message"},
                {TG_ERR_FORMAT, TG_ERR_FORMAT, "without a message"},
                {(tg_status)77, TG_ERR_ARGUMENT, "returned 77"},
                {(tg_status)-1, TG_ERR_ARGUMENT, "returned -1"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        returned = rows[i].returned;
        tg_op op = square_op;
        op.infer = bad_infer;
        ck_assert(tg_is_poison(tg_apply(&op, &w, 1, NULL)));
        expect_error(rows[i].raised, "square_op", rows[i].word);
        op.infer = tg_infer_same;
        op.forward = bad_forward;
        ck_assert(tg_is_poison(tg_apply(&op, &w, 1, NULL)));
        expect_error(rows[i].raised, "square_op", rows[i].word);
        op.forward = square_forward;
        op.grad_kernel = bad_kernel;
        ck_assert_int_eq(tg_backward(tg_sum(tg_apply(&op, &w, 1, NULL))), rows[i].raised);
        expect_error(rows[i].raised, "square_op", rows[i].word);
        tg_model *m = tg_model_new(0);
        ck_assert(tg_is_poison(tg_model_param(m, "p", TG_F64, TG_SHAPE(2), (tg_init){.fill = bad_init})));
        expect_error(rows[i].raised, "initialiser of p", rows[i].word);
        tg_model_free(m);
    }
}
END_TEST

/* A kernel that raises and says all is well. */
static tg_status deceitful(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    (void)n;
    tg_fail(TG_ERR_ARGUMENT, "deceitful: no");
    tg_array_share(&din[0], dout[0]);
    return TG_OK;
}

START_TEST(test_a_raised_error_fails_the_walk) {
    tg_op op = square_op;
    op.grad_kernel = deceitful;
    ck_assert_int_eq(tg_backward(tg_sum(tg_apply(&op, &w, 1, NULL))), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "deceitful: no");
    ck_assert(!tg_has_grad(w));
}
END_TEST

/* ---- results that are none ---- */

static tg_tensor *given;
static tg_tensor *gives(tg_tensor *const *in, void *user) {
    (void)in, (void)user;
    return given;
}

START_TEST(test_functions_that_return_no_tensor) {
    for (int k = 0; k < 2; k++) {
        given = k ? tg_poison() : NULL;
        tg_status s = k ? TG_ERR_LIFETIME : TG_ERR_ARGUMENT;
        const char *word = k ? "returned the result of a failed op" : "returned NULL";
        tg_tensor *g, *v = tg_ones(TG_F64, 2);
        tg_gradcheck_report r;
        ck_assert_int_eq(tg_vjp(gives, NULL, 1, &w, NULL, NULL, &g), s);
        expect_error(s, "tg_vjp", word);
        ck_assert_int_eq(tg_jvp(gives, NULL, 1, &w, &v, NULL, &g), s);
        expect_error(s, "tg_jvp", word);
        ck_assert_int_eq(tg_hvp(gives, NULL, 1, &w, &v, &g), s);
        expect_error(s, "tg_hvp", word);
        ck_assert_int_eq(tg_jacobian(gives, NULL, 1, &w, &g), s);
        expect_error(s, "tg_jacobian", word);
        ck_assert(tg_is_poison(tg_hessian(gives, NULL, 1, &w)));
        expect_error(s, "tg_hessian", word);
        ck_assert(tg_is_poison(tg_checkpoint(gives, NULL, 1, &w)));
        expect_error(s, "gives", word);
        ck_assert(!tg_gradcheck(gives, NULL, 1, &w, &r));
        ck_assert_msg(strstr(r.message, "tg_gradcheck") && strstr(r.message, word), "%s", r.message);
    }
}
END_TEST

/* ---- the pair for functions of one's own that take functions ---- */

static tg_status refused_inside(void) { return tg_tape_rewind(outside); }

START_TEST(test_the_public_pair) {
    outside = tg_tape_mark();
    tg_tensor *x = leaf(1);
    tg_callback c = tg_callback_begin();
    tg_status s = refused_inside();
    tg_set_grad_enabled(false);
    ck_assert_int_eq(tg_callback_end(c, s, "fit: f"), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "outside");
    ck_assert(tg_grad_enabled());
    c = tg_callback_begin();
    ck_assert_int_eq(tg_callback_end(c, TG_ERR_IO, "fit: f"), TG_ERR_IO);
    expect_error(TG_ERR_IO, "fit: f");
    c = tg_callback_begin();
    ck_assert_int_eq(tg_callback_end(c, TG_OK, "fit: f"), TG_OK);
    expect_value(x, 1);
    ck_assert_int_eq(tg_tape_rewind(outside), TG_OK);
}
END_TEST

/* What was not begun, or has ended, ends nothing: the mark stays outside. */
static tg_callback stale_one;
static tg_tensor *ends_another(tg_tensor *grad, void *user) {
    tg_mark own = tg_tape_mark();
    tg_callback forged = stale_one;
    (void)grad, (void)user;
    ck_assert_int_eq(tg_callback_end(stale_one, TG_OK, "fit: f"), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "tg_callback_end", "ended already");
    for (forged.depth = -1; forged.depth < 4; forged.depth++) {
        ck_assert_int_eq(tg_callback_end(forged, TG_OK, NULL), TG_ERR_TAPE);
        expect_error(TG_ERR_TAPE, "tg_callback_end");
    }
    ck_assert_int_eq(tg_callback_end((tg_callback){0}, TG_OK, "fit: f"), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "tg_callback_end");
    ck_assert_int_eq(tg_tape_rewind(outside), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "outside the function that is running");
    ck_assert_int_eq(tg_tape_rewind(own), TG_OK);
    tg_callback_begin(); /* which nobody ends */
    return NULL;
}

START_TEST(test_ends_without_a_beginning) {
    outside = tg_tape_mark();
    tg_tensor *x = leaf(3);
    stale_one = tg_callback_begin();
    ck_assert_int_eq(tg_callback_end(stale_one, TG_OK, "fit: f"), TG_OK);
    tg_register_hook(x, ends_another, NULL);
    ck_assert_int_eq(tg_backward(tg_square(x)), TG_OK);
    expect_value(tg_grad_of(x), 6);
    ck_assert_int_eq(tg_tape_rewind(outside), TG_OK); /* what the hook left open has ended with it */
    tg_tape *gone = tg_tape_new(), *was = tg_tape_use(gone);
    tg_callback c = tg_callback_begin();
    ck_assert_int_eq(tg_callback_end(c, TG_OK, "fit: f"), TG_OK);
    tg_tape_use(was);
    tg_tape_free(gone);
    ck_assert_int_eq(tg_callback_end(c, TG_OK, "fit: f"), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "tg_callback_end");
}
END_TEST

/* More of them, one inside the other, than the tape knows one by one. */
START_TEST(test_deeply_nested_pairs) {
    enum { DEEP = 600 };
    static tg_callback c[DEEP];
    outside = tg_tape_mark();
    for (int i = 0; i < DEEP; i++) c[i] = tg_callback_begin();
    for (int i = DEEP - 1; i >= 0; i--) {
        ck_assert_int_eq(tg_tape_rewind(outside), TG_ERR_TAPE);
        expect_error(TG_ERR_TAPE, "outside");
        ck_assert_int_eq(tg_callback_end(c[i], TG_OK, "fit: f"), TG_OK);
        ck_assert_int_eq(tg_callback_end(c[i], TG_OK, "fit: f"), TG_ERR_TAPE);
        expect_error(TG_ERR_TAPE, "ended already");
    }
    ck_assert_int_eq(tg_tape_rewind(outside), TG_OK);
}
END_TEST

TCase *tcase_callback(void) {
    TCase *tc = tcase_create("callback");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_places_are_reached, 0, PLACES);
    tcase_add_loop_test(tc, test_rewinding_below_is_refused, 0, PLACES);
    tcase_add_loop_test(tc, test_freeing_the_tape_is_refused, 0, PLACES);
    tcase_add_loop_test(tc, test_leaving_another_tape_is_refused, 0, PLACES);
    tcase_add_loop_test(tc, test_own_marks_and_other_tapes_are_free, 0, PLACES);
    tcase_add_loop_test(tc, test_the_recording_mode_comes_back, 0, PLACES);
    tcase_add_loop_test(tc, test_marks_end_with_their_function, 0, PLACES);
    tcase_add_loop_test(tc, test_freeing_the_parameter, 0, PLACES);
    tcase_add_test(tc, test_hooks_that_change_hooks);
    tcase_add_test(tc, test_walking_the_same_graph_inside);
    tcase_add_test(tc, test_a_walk_that_walks_back_to_itself_ends);
    tcase_add_test(tc, test_a_returned_status_is_raised);
    tcase_add_test(tc, test_a_raised_error_fails_the_walk);
    tcase_add_test(tc, test_functions_that_return_no_tensor);
    tcase_add_test(tc, test_the_public_pair);
    tcase_add_test(tc, test_ends_without_a_beginning);
    tcase_add_test(tc, test_deeply_nested_pairs);
    return tc;
}

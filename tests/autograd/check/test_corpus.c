/* The corpus: each case has the verdict that is right. */
#include "tests/autograd/check/corpus.h"
#include "tests/autograd/check/counts.h"
#include "tests/autograd/helpers.h"

/* What the tables of docs/checking.md say: an alarm where there is nothing, and silence where there is something. */
static void count(const corpus_case *c, const tg_gradcheck_report *r) {
    const bool right = tg_verdict_passes(c->verdict);
    counts->cases++;
    counts->alarms += (right && !r->ok) || (c->source == FALSE_ALARM && r->verdict == TG_WRONG);
    counts->passes += !right && r->ok;
    counts->planted += c->culprit != NULL;
    counts->localised += c->culprit && strcmp(r->op, c->culprit) == 0;
}

static void run_case(const corpus_case *c) {
    tg_gradcheck_report r = corpus_run(c);
    count(c, &r);
    ck_assert_msg(r.verdict == c->verdict, "%s: %s instead of %s: %s", c->name, tg_verdict_name(r.verdict),
                  tg_verdict_name(c->verdict), r.message);
    ck_assert(r.ok == tg_verdict_passes(c->verdict));
    ck_assert_msg(strcmp(r.op, c->culprit ? c->culprit : "") == 0, "%s: \"%s\" is named: %s", c->name, r.op,
                  r.message);
    ck_assert_msg(c->fault == TG_FAULT_NONE || r.fault == c->fault, "%s: %s", c->name, r.message);
}
START_TEST(each_of_values) { run_case(&corpus_of_values.at[_i]); }
END_TEST
START_TEST(each_of_shapes) { run_case(&corpus_of_shapes.at[_i]); }
END_TEST
START_TEST(each_of_limits) { run_case(&corpus_of_limits.at[_i]); }
END_TEST

/* ---- every shape (burn#5304: 33 of 512 were wrong, by the parity of a size) ---- */

enum { SIDES = 8, OTHERS = 4, SHAPES = SIDES * OTHERS * OTHERS * OTHERS };
typedef struct convolution {
    int64_t size, kernel, stride, padding;
    bool planted;
} convolution;

static convolution shape_of(int i) {
    return (convolution){4 + i % SIDES, 1 + i / SIDES % OTHERS, 1 + i / SIDES / OTHERS % OTHERS,
                         i / SIDES / OTHERS / OTHERS, false};
}
/* What is left of the padded input behind the last place of the kernel, and odd. */
static bool is_rare(const convolution *c) {
    int64_t rest = (c->size + 2 * c->padding - c->kernel) % c->stride;
    return c->size % 2 == 1 && c->kernel % 2 == 0 && rest % 2 == 1;
}

/* x, whose last element's gradient is lost. */
static tg_status same_forward(const tg_call *c) {
    tg_array_copy(c->out[0], c->in[0]);
    return TG_OK;
}
static void loses_the_last(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    int64_t last = tg_numel(n->in[0]) - 1;
    din[0] = tg_pad(tg_slice(dout[0], 2, 0, last, 1), .before = TG_SHAPE(0, 0, 0), .after = TG_SHAPE(0, 0, 1));
}
static const tg_op cropped = {.name = "cropped",
                              .n_in = 1,
                              .save = TG_IN(0),
                              .infer = tg_infer_same,
                              .forward = same_forward,
                              .grad = loses_the_last};

static tg_tensor *convolved(tg_tensor *const *in, void *user) {
    const convolution *c = user;
    tg_tensor *x = c->planted && is_rare(c) ? tg_apply(&cropped, in, 1, NULL) : in[0];
    return tg_conv1d(x, in[1], .stride = (int)c->stride, .padding = (int)c->padding);
}

/* Whether the last element of x has a gradient that can be lost. */
static bool has_last(tg_tensor *const *in, convolution *c) {
    tg_tensor *sum = tg_sum(tg_exp(convolved(in, c))), *g;
    tg_grad(1, &sum, 1, in, &g);
    return tg_get(g, c->size - 1) != 0;
}

static tg_tensor *drawn(tg_rng *rng, int64_t n) {
    tg_tensor *x = tg_zeros(TG_F64, 1, 1, n);
    for (int64_t i = 0; i < n; i++) ((double *)tg_data_mut(x))[i] = tg_rng_normal(rng);
    return tg_set_requires_grad(x, true);
}

/* Of a convolution over all sizes, kernels, strides and paddings, planted in the loop's second run. */
START_TEST(shapes_by_parity) {
    int wrong = 0, should = 0;
    counts->cases++;
    for (int i = 0; i < SHAPES; i++) {
        convolution c = shape_of(i);
        tg_rng rng = {.seed = (uint64_t)i};
        tg_mark mark = tg_tape_mark();
        tg_tensor *in[2] = {drawn(&rng, c.size), drawn(&rng, c.kernel)};
        tg_gradcheck_report r;
        bool lost = _i && is_rare(&c) && has_last(in, &c);
        c.planted = _i;
        tg_gradcheck(convolved, &c, 2, in, &r);
        counts->alarms += !lost && !r.ok, counts->passes += lost && r.ok;
        should += lost, wrong += lost && r.verdict == TG_WRONG && strcmp(r.op, "cropped") == 0;
        ck_assert_msg(lost || r.verdict == TG_CORRECT, "size %d, kernel %d, stride %d, padding %d: %s",
                      (int)c.size, (int)c.kernel, (int)c.stride, (int)c.padding, r.message);
        tg_tape_rewind(mark);
    }
    counts->planted += should, counts->localised += wrong;
    ck_assert_msg(wrong == should && (should > 20) == _i, "%d of %d", wrong, should);
}
END_TEST

TCase *tcase_corpus(void) {
    TCase *tc = tcase_create("corpus");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_loop_test(tc, each_of_values, 0, corpus_of_values.n);
    tcase_add_loop_test(tc, each_of_shapes, 0, corpus_of_shapes.n);
    tcase_add_loop_test(tc, each_of_limits, 0, corpus_of_limits.n);
    tcase_add_loop_test(tc, shapes_by_parity, 0, 2);
    return tc;
}

/* Which runs become a recording. Scripts of runs, each of which does one of several things, are followed by what a plan should know
 * of them: two runs that are done to their ends one behind the other, and do the same, are a recording, whatever came before. */
#include "tests/autograd/helpers.h"

#include <stdlib.h>
#include <string.h>

/* What a run does: 'a', or 'a' with one thing that differs, early or late; 'f' fails behind all that 'a' and 'g' behind all that 'b'
 * computes. */
static const char kinds[] = "abnvomlesfg";

typedef struct script {
    char now;
    tg_tensor *w, *other;
} script;

static script script_make(void) { return (script){'a', param(TG_SHAPE(3)), param(TG_SHAPE(3))}; }
static void script_end(script *s) { tg_free(s->w), tg_free(s->other); }

static void add_nothing(tg_tensor *w, tg_tensor *x) {
    const bool was = tg_set_grad_enabled(false);
    tg_add_(w, x, 0);
    tg_set_grad_enabled(was);
}

/* Elementwise calls, of one size and broadcast, one that is no kernel, a constant, a gradient that is stored. */
static tg_tensor *play(tg_tensor *const *in, void *user) {
    const script *s = user;
    const char now = s->now == 'f' ? 'a' : s->now == 'g' ? 'b' : s->now;
    tg_tensor *y = tg_mul(in[0], s->w);
    y = now == 'b' ? tg_sigmoid(y) : tg_tanh(y);
    y = tg_mul_scalar(y, now == 'v' ? 3 : 2);
    y = tg_add(y, tg_full_like(y, now == 'n' ? 5 : 4));
    y = tg_softmax(y, -1);
    y = tg_mul(y, now == 'o' ? s->other : s->w);
    y = now == 'm' ? tg_mul(y, tg_slice(y, 0, 1, 2, 1)) : tg_mul(y, tg_slice(y, 0, 0, 1, 1));
    if (now == 'l') y = tg_neg(y);
    if (now != 's') y = tg_square(y);
    if (s->now == 'f' || s->now == 'g') return tg_reshape(y, 7);
    y = tg_sum(y);
    tg_backward(y);
    if (now == 'e') add_nothing(s->w, in[0]);
    return y;
}

typedef struct twins { /* the same program with a plan and without */
    script planned, eager;
    tg_plan *plan;
    tg_tensor *x;
    char known;   /* what the last run did; 0: nothing is known */
    int recorded; /* recordings there should be */
} twins;

static void expect_same_gradient(const tg_tensor *a, const tg_tensor *b) {
    ck_assert_int_eq(tg_has_grad(a), tg_has_grad(b));
    if (tg_has_grad(a)) ck_assert_mem_eq(tg_data(tg_grad_of(a)), tg_data(tg_grad_of(b)), sizeof(double[3]));
}

static void run_both(twins *t, char now) {
    const tg_mark before = tg_tape_mark();
    const bool fails = now == 'f' || now == 'g';
    t->planned.now = t->eager.now = now;
    tg_tensor *y = tg_plan_run(t->plan, t->x);
    ck_assert_int_eq(tg_is_poison(y), fails);
    tg_error_clear();
    if (!fails) {
        tg_tensor *z = play(&t->x, &t->eager);
        ck_assert_mem_eq(tg_data(y), tg_data(z), sizeof(double));
    }
    expect_same_gradient(t->planned.w, t->eager.w), expect_same_gradient(t->planned.other, t->eager.other);
    tg_tape_rewind(before);
}

/* A run that fails leaves what is known where it has done the same so far ('e' goes on behind 'a'). */
static void expect(twins *t, char now) {
    if (now == 'f' || now == 'g') {
        if (!t->known || !strchr(now == 'f' ? "ae" : "b", t->known)) t->known = 0;
        return;
    }
    t->recorded += t->known == now;
    t->known = now;
}

static void zero(script *s) { tg_zero_grad(s->w), tg_zero_grad(s->other); }

/* The runs of a script, and then the last that does not fail again and again: it is recorded at last, and replayed. */
static void follow(const char *runs, int n, bool zeroes) {
    twins t = {.planned = script_make(), .eager = script_make(), .x = tg_keep(tg_full(TG_F64, 0.3, 3))};
    char last = 'a';
    t.plan = tg_plan_new(play, &t.planned);
    for (int i = 0; i < n + 5; i++) {
        if (zeroes && i % 2) zero(&t.planned), zero(&t.eager);
        const char now = i < n ? runs[i] : last;
        if (now != 'f' && now != 'g') last = now;
        if (!t.recorded) expect(&t, now);
        run_both(&t, now);
        ck_assert_msg(tg_plan_stats_of(t.plan).recorded == t.recorded, "%.*s, run %d: %d recordings, not %d",
                      n, runs, i, (int)tg_plan_stats_of(t.plan).recorded, t.recorded);
        if (t.recorded && i < n) break; /* what it did is what it does now */
    }
    ck_assert_int_eq(t.recorded, 1);
    tg_plan_free(t.plan);
    script_end(&t.planned), script_end(&t.eager);
    tg_free(t.x);
}

START_TEST(test_two_equal_runs_are_a_recording) {
    const int kind = (int)strlen(kinds), step = getenv("TG_FAST") ? 7 : 1;
    for (int i = 0; i < kind * kind * kind; i += step) {
        const char runs[] = {kinds[i / kind / kind], kinds[i / kind % kind], kinds[i % kind]};
        follow(runs, 3, i % 2);
    }
}
END_TEST

/* Of two shapes one is recorded; the other's runs fail after they have differed, and take its place. */
START_TEST(test_what_failed_makes_room_for_itself) {
    script s = script_make();
    tg_tensor *x = tg_keep(tg_full(TG_F64, 0.3, 3)), *y = tg_keep(tg_full(TG_F64, 0.3, 2, 3));
    tg_plan *plan = tg_plan_new(play, &s, .recordings = 2);
    for (const char *run = "xaxaxayaygyayayaxa"; *run; run += 2) {
        s.now = run[1];
        tg_plan_run(plan, *run == 'x' ? x : y);
        tg_error_clear();
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).recorded, 2);
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, 3);
    tg_plan_free(plan);
    script_end(&s);
    tg_free(x), tg_free(y);
}
END_TEST

/* What differs is named, with the place of the call. */
START_TEST(test_what_differs_is_named) {
    static const struct {
        const char *runs, *why;
    } told[] = {{"ab", "tanh"},         {"av", "scale differs"},     {"an", "give them as an input"},
                {"ao", "other memory"}, {"am", "operand 1"},         {"al", "called"},
                {"as", "square"},       {"as", "test_recording.c:"}, {"af", "it ran once"}};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        twins t = {.planned = script_make(), .eager = script_make(), .x = tg_keep(tg_full(TG_F64, 0.3, 3))};
        char text[512];
        t.plan = tg_plan_new(play, &t.planned);
        for (const char *run = told[i].runs; *run; run++) run_both(&t, *run);
        ck_assert_msg(strstr(plan_text(t.plan, text, sizeof text), told[i].why), "%s: %s", told[i].runs, text);
        tg_plan_free(t.plan);
        script_end(&t.planned), script_end(&t.eager);
        tg_free(t.x);
    }
}
END_TEST

/* A gradient kernel that asks for its two buffers in another order each time: 2 and 3 times the adjoint. */
static int turn;

static tg_status weigh_forward(const tg_call *c) {
    tg_array_copy(c->out[0], c->in[0]);
    return TG_OK;
}

static tg_status weigh_grad(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    (void)n;
    for (int i = 0, k = turn++ & 1; i < 2; i++, k = !k) {
        if (tg_array_alloc_like(&din[k], dout[0]) != TG_OK) return TG_ERR_MEMORY;
        for (int64_t e = 0; e < dout[0]->numel; e++)
            ((double *)din[k].data)[e] = (k + 2) * ((const double *)dout[0]->data)[e];
    }
    return TG_OK;
}

static void weigh_rule(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n;
    for (int i = 0; i < 2; i++) din[i] = tg_mul_scalar(dout[0], i + 2);
}

static const tg_op weigh_op = {.name = "weigh",
                               .n_in = 2,
                               .infer = tg_infer_same,
                               .forward = weigh_forward,
                               .grad = weigh_rule,
                               .grad_kernel = weigh_grad};

static tg_tensor *weigh(tg_tensor *const *in, void *user) {
    script *s = user;
    tg_tensor *both[] = {tg_mul(in[0], s->w), tg_mul(in[0], s->other)};
    tg_tensor *y = tg_sum(tg_mul(tg_apply(&weigh_op, both, 2, NULL), tg_ones(TG_F64, 3)));
    tg_backward(y);
    return y;
}

START_TEST(test_buffers_in_another_order) {
    script s = script_make();
    tg_tensor *x = tg_keep(tg_full(TG_F64, 0.5, 3));
    tg_plan *plan = tg_plan_new(weigh, &s);
    for (int i = 0; i < 7; i++) {
        if (i == 5) turn++; /* both orders in replays */
        tg_plan_run(plan, x);
        expect_ok();
        for (int k = 0; k < 3; k++) {
            ck_assert_double_eq(tg_get(tg_grad_of(s.w), k), 1);
            ck_assert_double_eq(tg_get(tg_grad_of(s.other), k), 1.5);
        }
        zero(&s);
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, 5);
    tg_plan_free(plan);
    script_end(&s);
    tg_free(x);
}
END_TEST

TCase *tcase_recording(void) {
    TCase *t = tcase_create("recording");
    tcase_add_checked_fixture(t, begin_test, end_test);
    tcase_add_test(t, test_two_equal_runs_are_a_recording);
    tcase_add_test(t, test_what_failed_makes_room_for_itself);
    tcase_add_test(t, test_what_differs_is_named);
    tcase_add_test(t, test_buffers_in_another_order);
    return t;
}

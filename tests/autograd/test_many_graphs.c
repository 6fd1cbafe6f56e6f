/* Graphs at random, of nodes of one to three outputs, and what they do not reach. */
#include "many.h"

/* ---- graphs at random, of nodes of one to three outputs ---- */

/* out_o = slope_o (a + b) / 2: all numbers are exact. */
enum { LEAVES = 4, NODES = 24 };
static const double slope[3] = {1, -1, 2};
static int fan_fails, fan_runs; /* the run that fails, if it is above 0 */

static tg_status fan_forward(const tg_call *c) {
    for (int o = 0; o < c->n_out; o++)
        for (int64_t i = 0; i < c->out[o]->numel; i++)
            tg_array_set(c->out[o], i, slope[o] * (tg_array_get(c->in[0], i) + tg_array_get(c->in[1], i)) / 2);
    return TG_OK;
}
static tg_status fan_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    if (++fan_runs == fan_fails) return tg_fail(TG_ERR_ARGUMENT, "fan: cannot");
    for (int k = 0; k < 2; k++) {
        if (!tg_needs(n, k)) continue;
        tg_status s = tg_array_alloc(&din[k], TG_F64, TG_SHAPE(2));
        for (int64_t i = 0; s == TG_OK && i < 2; i++) {
            double sum = 0;
            for (int o = 0; o < n->n_out; o++) sum += dout[o] ? slope[o] * tg_array_get(dout[o], i) / 2 : 0;
            tg_array_set(&din[k], i, sum);
        }
        if (s != TG_OK) return s;
    }
    return TG_OK;
}
static void fan_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (++fan_runs == fan_fails) tg_fail(TG_ERR_ARGUMENT, "fan: cannot");
    tg_tensor *sum = tg_zeros(TG_F64, 2);
    for (int o = 0; o < n->n_out; o++)
        if (dout[o]) sum = tg_add(sum, tg_mul_scalar(dout[o], slope[o] / 2));
    for (int k = 0; k < 2; k++) din[k] = tg_needs(n, k) ? sum : NULL;
}

typedef struct graph {
    tg_tensor *t[LEAVES + 3 * NODES];
    int n, in[NODES][2], out[NODES], first[NODES]; /* numbers of tensors */
    double adjoint[LEAVES + 3 * NODES];
} graph;

static void grow_graph(graph *g, const tg_op *ops, tg_rng *rng) {
    for (g->n = 0; g->n < LEAVES; g->n++) g->t[g->n] = tg_set_requires_grad(row_of(g->n, 2), true);
    for (int k = 0; k < NODES; k++) {
        int outputs = 1 + (int)(tg_rng_uniform(rng) * 3), near = g->n < 9 ? g->n : 9;
        for (int i = 0; i < 2; i++)
            g->in[k][i] = tg_rng_uniform(rng) < 0.3 ? (int)(tg_rng_uniform(rng) * g->n)
                                                    : g->n - 1 - (int)(tg_rng_uniform(rng) * near);
        g->first[k] = g->n, g->out[k] = outputs;
        ck_assert_int_eq(tg_apply_multi(&ops[outputs - 1], (tg_tensor *[]){g->t[g->in[k][0]], g->t[g->in[k][1]]},
                                        2, NULL, &g->t[g->n]),
                         TG_OK);
        g->n += outputs;
    }
    memset(g->adjoint, 0, sizeof g->adjoint);
    g->adjoint[g->n - 1] = 1;
    for (int k = NODES - 1; k >= 0; k--) {
        double sum = 0;
        for (int o = 0; o < g->out[k]; o++) sum += slope[o] * g->adjoint[g->first[k] + o] / 2;
        for (int i = 0; i < 2; i++) g->adjoint[g->in[k][i]] += sum;
    }
}

/* Gradients of the leaves; and a walk that fails at each node in turn leaves all as it was, retained outputs too. */
START_TEST(graphs_at_random) {
    tg_op ops[3];
    for (int o = 0; o < 3; o++)
        ops[o] = (tg_op){.name = "fan",
                         .formula = "out_o = s_o (a + b) / 2",
                         .n_in = 2,
                         .n_out = o + 1,
                         .infer = powers_infer,
                         .forward = fan_forward,
                         .grad = fan_grad,
                         .grad_kernel = _i % 2 ? fan_kernel : NULL};
    tg_rng rng = {.seed = (uint64_t)(_i / 2)};
    tg_tensor *seed = tg_ones(TG_F64, 2);
    for (int round = 0; round < 60; round++) {
        tg_mark mark = tg_tape_mark();
        graph g;
        grow_graph(&g, ops, &rng);
        tg_tensor *y = g.t[g.n - 1], *d[LEAVES];
        size_t live = tg_memory_now().live_buffer_bytes;
        int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes(), slots = tg_slots_alive(NULL, 0);
        for (fan_fails = 1;; fan_fails++) {
            fan_runs = 0;
            tg_status s = fan_fails % 2 ? tg_backward(y, .seed = seed, .retain = true)
                                        : tg_grad(1, &y, LEAVES, g.t, d, .seeds = &seed, .retain = true,
                                                  .allow_unused = true, .create_graph = fan_fails % 4 == 2);
            if (fan_runs < fan_fails) {
                ck_assert_int_eq(s, TG_OK);
                break;
            }
            expect_error(TG_ERR_ARGUMENT, "fan");
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
            ck_assert_int_eq(tg_tape_tensors(), tensors);
            ck_assert_int_eq(tg_tape_nodes(), nodes);
            ck_assert_int_eq(tg_slots_alive(NULL, 0), slots);
        }
        fan_fails = 0;
        ck_assert_int_eq(
            tg_grad(1, &y, LEAVES, g.t, d, .seeds = &seed, .create_graph = true, .allow_unused = true), TG_OK);
        for (int i = 0; i < LEAVES; i++) tg_zero_grad(g.t[i]);
        for (int i = LEAVES; i < g.n; i += 2) tg_retain_grad(g.t[i]);
        ck_assert_int_eq(tg_backward(y, .seed = seed), TG_OK);
        for (int i = 0; i < g.n; i++) {
            if (i < LEAVES) ck_assert(tg_get(d[i], 1) == g.adjoint[i]);
            if (i < LEAVES || i % 2 == 0)
                ck_assert(tg_has_grad(g.t[i]) ? tg_get(tg_grad_of(g.t[i]), 1) == g.adjoint[i]
                                              : g.adjoint[i] == 0);
        }
        tg_tape_rewind(mark);
    }
}
END_TEST

/* Of several inputs each in turn is not reached: an error, or zeros. */
START_TEST(inputs_that_are_not_reached) {
    enum { N = 6 };
    for (int set = 0; set < 1 << N; set++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *x[N], *g[N], *y = tg_square(tg_set_requires_grad(row_of(1, 2), true));
        for (int i = 0; i < N; i++) {
            x[i] = tg_set_requires_grad(row_of(i, 2), true);
            if (set >> i & 1) y = tg_add(y, tg_mul_scalar(x[i], i + 1));
        }
        y = tg_sum(y);
        int64_t tensors = tg_tape_tensors();
        bool all = set == (1 << N) - 1;
        ck_assert_int_eq(tg_grad(1, &y, N, x, g, .retain = true), all ? TG_OK : TG_ERR_TAPE);
        if (!all) {
            int missing = 0;
            while (set >> missing & 1) missing++;
            char text[32];
            snprintf(text, sizeof text, "input %d", missing);
            expect_error(TG_ERR_TAPE, "no output depends on", text);
            ck_assert_int_eq(tg_tape_tensors(), tensors);
            for (int i = 0; i < N; i++) ck_assert(tg_is_poison(g[i]));
        }
        ck_assert_int_eq(tg_grad(1, &y, N, x, g, .allow_unused = true), TG_OK);
        for (int i = 0; i < N; i++) ck_assert(tg_get(g[i], 1) == (set >> i & 1 ? i + 1 : 0));
        tg_tape_rewind(mark);
    }
}
END_TEST

/* Hooks of leaves that the walk does not reach do not run, nor those of leaves that no gradient is asked of. */
START_TEST(hooks_that_are_not_reached) {
    static double factor = 2;
    for (int way = 0; way < 4; way++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *x = leaf(3), *unused = leaf(4), *both[2] = {x, unused}, *g[2];
        tg_register_hook(unused, note, &factor);
        tg_tensor *y = tg_square(x);
        n_hooked = 0;
        if (way < 2)
            ck_assert_int_eq(tg_grad(1, &y, 2, both, g, .allow_unused = true, .create_graph = way == 1), TG_OK);
        else
            ck_assert_int_eq(tg_backward(y, .retain = way == 3), TG_OK);
        ck_assert_int_eq(n_hooked, 0);
        tg_tape_rewind(mark);
    }
}
END_TEST

/* In a Jacobian an element that is not a number stays one where it is reached, and there alone. */
static tg_tensor *roots(tg_tensor *const *in, void *user) {
    return (void)user, tg_mul(tg_sqrt(in[0]), in[1]);
}

START_TEST(not_a_number_in_a_jacobian) {
    enum { N = 4 };
    for (int at = 0; at < N; at++) {
        tg_tensor *in[2] = {row_of(1, N), row_of(2, N)}, *j[2];
        for (int k = 0; k < 2; k++) tg_set_requires_grad(in[k], true);
        tg_array_set(tg_array_of(in[0]), at, -1);
        ck_assert_int_eq(tg_jacobian(roots, NULL, 2, in, j), TG_OK);
        for (int i = 0; i < N * N; i++) {
            bool diagonal = i / N == i % N, wrong = diagonal && i % N == at;
            for (int k = 0; k < 2; k++)
                ck_assert_msg(isnan(tg_get(j[k], i)) == wrong && (diagonal || tg_get(j[k], i) == 0),
                              "input %d, element %d: %g", k, i, tg_get(j[k], i));
        }
    }
}
END_TEST

/* ---- inputs that end while an op computes ---- */

static tg_tensor *victim;
static tg_status eat(const tg_call *c) {
    tg_array_fill(c->out[0], 1);
    tg_free(victim);
    return TG_OK;
}
static const tg_op eater = {.name = "eater",
                            .formula = "none",
                            .n_in = TG_VARIADIC,
                            .infer = tg_infer_broadcast,
                            .forward = eat,
                            .grad = TG_NO_GRAD};

/* Whichever of the inputs it is, and however often its slot has been used. */
START_TEST(inputs_eaten) {
    enum { N = 5 };
    for (int round = 0; round < 6; round++)
        for (int which = 0; which < N; which++) {
            tg_tensor *x[N];
            for (int i = 0; i < N; i++) x[i] = tg_keep(tg_scalar(TG_F64, i));
            victim = x[which];
            ck_assert(tg_is_poison(tg_apply(&eater, x, N, NULL)));
            expect_error(TG_ERR_LIFETIME, "eater");
            for (int i = 0; i < N; i++)
                if (i != which) tg_free(x[i]);
        }
}
END_TEST

void graphs_of_many(TCase *tc) {
    tcase_add_loop_test(tc, graphs_at_random, 0, 4);
    tcase_add_test(tc, inputs_that_are_not_reached);
    tcase_add_test(tc, hooks_that_are_not_reached);
    tcase_add_test(tc, not_a_number_in_a_jacobian);
    tcase_add_test(tc, inputs_eaten);
}

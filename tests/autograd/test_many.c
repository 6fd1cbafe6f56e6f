/* Nodes of many inputs and several outputs: every input and every output in turn is the one that is missing, changed,
 * freed, released, hooked, retained or wrong. And that after a failure all is as it was: gradients, elements, tensors and
 * nodes on the tape, bytes, the recording mode, what was released.
 */
#include "core/array.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/slot.h"
#include "helpers.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

TCase *tcase_many(void);

static tg_mark start;

static void setup(void) {
    tg_error_clear();
    start = tg_tape_mark();
}

static void teardown(void) {
    tg_memory_fail_at(-1);
    expect_ok();
    ck_assert(tg_grad_enabled());
    tg_tape_rewind(start);
}

#define EQUAL(is, want) equal(__LINE__, is, want)
static void equal(int line, double is, double want) {
    if (!(fabs(is - want) <= 1e-12 * fmax(1, fabs(want))))
        ck_abort_msg("line %d: %.17g, not %.17g: %s", line, is, want, tg_error_message());
}

/* ---- an op of any number of inputs: out = times * sum over i of (i + 1) x_i^2, broadcast ---- */

typedef struct mix_attr {
    double times;
    int64_t other;
} mix_attr;
static const tg_attr_field mix_fields[] = {{"times", TG_ATTR_REAL, offsetof(mix_attr, times)},
                                           {"other", TG_ATTR_INT, offsetof(mix_attr, other)}};
static const mix_attr once = {1, 77};
static double times_of(const void *attr) {
    return ((const mix_attr *)attr)->other == 77 ? ((const mix_attr *)attr)->times : (double)NAN;
}

enum { MOST = 40 };
static int without = -1; /* the input for which the rule returns nothing */
static int too_wide = -1, too_narrow = -1, failing = -1;

static double at_of(const tg_array *x, const tg_array *like, int64_t i) {
    (void)like;
    return tg_array_get(x, x->numel == 1 ? 0 : i);
}

static tg_status mix_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) {
        double sum = 0;
        for (int k = 0; k < c->n_in; k++) sum += (k + 1) * pow(at_of(c->in[k], c->out[0], i), 2);
        tg_array_set(c->out[0], i, times_of(c->attr) * sum);
    }
    return TG_OK;
}

static void mix_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    for (int k = 0; k < n->n_in; k++) {
        if (!tg_needs(n, k) || k == without) continue;
        din[k] = tg_mul(dout[0], tg_mul_scalar(n->in[k], times_of(n->attr) * 2 * (k + 1)));
        if (k == too_wide) din[k] = tg_ones(TG_F64, 7, 5);
        if (k == too_narrow) din[k] = tg_to(din[k], TG_F32);
        if (k == failing) din[k] = tg_matmul(din[k], tg_ones(TG_F64, 9, 9));
    }
}

static tg_status mix_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    for (int k = 0; k < n->n_in; k++) {
        if (!tg_needs(n, k) || k == without) continue;
        if (k == failing) return tg_fail(TG_ERR_ARGUMENT, "mix: cannot");
        const tg_array *x = tg_node_in(n, k);
        tg_dtype dtype = k == too_narrow ? TG_F32 : TG_F64;
        tg_status s =
            tg_array_alloc(&din[k], dtype, k == too_wide ? TG_SHAPE(7, 5) : tg_array_shape(dout[0]));
        if (s != TG_OK) return s;
        for (int64_t i = 0; i < dout[0]->numel && k != too_wide; i++)
            tg_array_set(&din[k], i,
                         times_of(n->attr) * tg_array_get(dout[0], i) * 2 * (k + 1) * at_of(x, dout[0], i));
    }
    return TG_OK;
}

static tg_op mix = {.name = "mix",
                    .formula = "out = sum of (i + 1) x_i^2",
                    .n_in = TG_VARIADIC,
                    .save = TG_ALL_IN,
                    .attr_size = sizeof(mix_attr),
                    .attrs = mix_fields,
                    .n_attrs = 2,
                    .infer = tg_infer_broadcast,
                    .forward = mix_forward,
                    .grad = mix_grad,
                    .grad_kernel = mix_kernel};

static const int counts[] = {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 18, 24, MOST};
enum { COUNTS = sizeof counts / sizeof *counts };

static tg_tensor *row_of(double v, int64_t n) {
    tg_tensor *t = tg_zeros(TG_F64, n);
    double *p = tg_data_mut(t);
    for (int64_t i = 0; i < n; i++) p[i] = v + 0.25 * (double)i;
    return t;
}

/* x_i = 1 + i/8 and on, every third of one element, which is repeated; every fifth without gradient but the first. */
static void make_inputs(int n, tg_tensor **x) {
    for (int i = 0; i < n; i++) {
        x[i] = row_of(1 + i / 8.0, i % 3 == 1 ? 1 : 2);
        if (i % 5 != 4) tg_set_requires_grad(x[i], true);
    }
}

static double slope_of(int i, tg_tensor *x, int n, int64_t e) {
    bool wide = tg_numel(x) == 1 && n > 1; /* then of two results */
    return 2 * (i + 1) * tg_get(x, e) * (wide ? 2 : 1);
}

START_TEST(each_of_many_inputs) {
    tg_tensor *x[MOST] = {NULL}, *g[MOST], *h[MOST];
    int n = counts[_i / 2];
    mix.grad_kernel = _i % 2 ? mix_kernel : NULL;
    make_inputs(n, x);
    tg_tensor *y = tg_sum(tg_apply(&mix, x, n, &once));
    ck_assert_int_eq(tg_backward(y, .retain = true), TG_OK);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(tg_has_grad(x[i]), i % 5 != 4);
        for (int64_t e = 0; tg_has_grad(x[i]) && e < tg_numel(x[i]); e++)
            EQUAL(tg_get(tg_grad_of(x[i]), e), slope_of(i, x[i], n, e));
        tg_tensor *one;
        if (i % 5 == 4) continue;
        ck_assert_int_eq(tg_grad(1, &y, 1, &x[i], &one, .retain = true), TG_OK);
        EQUAL(tg_get(one, 0), slope_of(i, x[i], n, 0));
    }
    int used = 0;
    tg_tensor *in[MOST];
    for (int i = n - 1; i >= 0; i--)
        if (i % 5 != 4) in[used++] = x[i];
    ck_assert_int_eq(tg_grad(1, &y, used, in, g, .create_graph = true), TG_OK);
    tg_tensor *sum = tg_scalar(TG_F64, 0);
    for (int k = 0; k < used; k++) sum = tg_add(sum, tg_sum(tg_square(g[k])));
    ck_assert_int_eq(tg_grad(1, &sum, used, in, h), TG_OK); /* d/dx of (c x)^2 = 2 c^2 x */
    for (int k = 0, i = n - 1; k < used; k++, i--) {
        if (i % 5 == 4) i--;
        double c = slope_of(i, x[i], n, 0) / tg_get(x[i], 0);
        EQUAL(tg_get(h[k], 0), 2 * c * c * tg_get(x[i], 0));
    }
    mix.grad_kernel = mix_kernel;
}
END_TEST

/* One tensor at every place, then at two of them. */
START_TEST(one_tensor_many_times) {
    for (int c = 0; c < COUNTS; c++)
        for (int record = 0; record < 2; record++) {
            int n = counts[c];
            tg_tensor *x = leaf(3), *other = leaf(2), *in[MOST], *g[2];
            double total = 0;
            for (int i = 0; i < n; i++)
                in[i] = i % 4 == 1 ? other : x, total += i % 4 == 1 ? 0 : 2 * (i + 1) * 3;
            tg_tensor *y = tg_apply(&mix, in, n, &once);
            ck_assert_int_eq(tg_grad(1, &y, 2, ((tg_tensor *[]){x, other}), g, .create_graph = record,
                                     .retain = true, .allow_unused = true),
                             TG_OK);
            EQUAL(tg_item(g[0]), total);
            ck_assert_int_eq(tg_backward(y), TG_OK);
            EQUAL(tg_item(tg_grad_of(x)), total);
        }
}
END_TEST

/* ---- what is wrong with one of the inputs ---- */

typedef struct before {
    int64_t tensors, nodes, slots;
    size_t live;
    double grad;
    tg_rng rng;
} before;

static tg_tensor *with_grad; /* a kept leaf that takes part, whose gradient must stay */

static before look(void) {
    tg_mark m = tg_tape_mark();
    double g = tg_has_grad(with_grad) ? tg_item(tg_grad_of(with_grad)) : -1;
    tg_tape_rewind(m);
    return (before){tg_tape_tensors(),
                    tg_tape_nodes(),
                    tg_slots_alive(NULL, 0),
                    tg_memory_get_stats().live_buffer_bytes,
                    g,
                    *tg_default_rng()};
}

/* The call failed with this, and nothing is changed. */
#define UNCHANGED(was, ...) unchanged(__LINE__, was, (const char *[]){__VA_ARGS__, NULL})
static void unchanged(int line, before was, const char *const *words) {
    ck_assert_msg(tg_error_status() != TG_OK, "line %d: no error", line);
    for (; *words; words++)
        ck_assert_msg(strstr(tg_error_message(), *words), "line %d: no \"%s\" in: %s", line, *words,
                      tg_error_message());
    tg_error_clear();
    before is = look();
    ck_assert_msg(is.tensors == was.tensors && is.nodes == was.nodes,
                  "line %d: %d tensors and %d nodes, not %d and %d", line, (int)is.tensors, (int)is.nodes,
                  (int)was.tensors, (int)was.nodes);
    ck_assert_msg(is.slots == was.slots, "line %d: %d kept tensors, not %d", line, (int)is.slots,
                  (int)was.slots);
    ck_assert_msg(is.live == was.live, "line %d: %d bytes more", line, (int)is.live - (int)was.live);
    ck_assert_msg(is.grad == was.grad, "line %d: the gradient became %g from %g", line, is.grad, was.grad);
    ck_assert_msg(memcmp(&is.rng, &was.rng, sizeof is.rng) == 0, "line %d: the random stream moved", line);
    ck_assert_msg(tg_grad_enabled(), "line %d: recording is off", line);
}

static void begin_with_grad(void) {
    with_grad = tg_param(tg_scalar(TG_F64, 5));
    tg_mark m = tg_tape_mark();
    ck_assert_int_eq(tg_backward(tg_square(with_grad)), TG_OK);
    tg_tape_rewind(m);
}

/* n inputs, the first of which is the kept one. */
static void some_inputs(int n, tg_tensor **x) {
    x[0] = with_grad;
    for (int i = 1; i < n; i++) x[i] = tg_set_requires_grad(row_of(1 + i, 1 + i % 2), true);
}

START_TEST(rules_that_fail_at_one_input) {
    int *const fault[] = {&without, &too_wide, &too_narrow, &failing};
    begin_with_grad();
    for (int f = 0; f < 4; f++)
        for (int c = 0; c < COUNTS; c++)
            for (int kernel = 0; kernel < 2; kernel++)
                for (int i = 0; i<counts[c]; i += counts[c]> 20 ? 5 : 1) {
                    tg_tensor *x[MOST] = {NULL}, *g[MOST], *y;
                    char number[32];
                    int n = counts[c];
                    tg_mark mark = tg_tape_mark();
                    some_inputs(n, x);
                    mix.grad_kernel = kernel ? mix_kernel : NULL;
                    y = tg_sum(tg_apply(&mix, x, n, &once));
                    before was = look();
                    if (f == 1 && tg_numel(x[i]) == 1) continue; /* anything sums down to one element */
                    *fault[f] = i;
                    snprintf(number, sizeof number, "input %d", i);
                    ck_assert_int_ne(tg_backward(y, .retain = true), TG_OK);
                    UNCHANGED(was, "mix", f < 3 ? number : "mix");
                    was = look();
                    tg_mark walk = tg_tape_mark();
                    ck_assert_int_ne(tg_grad(1, &y, n, x, g, .retain = true), TG_OK);
                    for (int k = 0; k < n; k++) ck_assert(tg_is_poison(g[k]));
                    tg_tape_rewind(walk); /* the seed */
                    UNCHANGED(was, "mix", f < 3 ? number : "mix");
                    *fault[f] = -1;
                    ck_assert_int_eq(tg_grad(1, &y, n, x, g), TG_OK); /* now it goes */
                    EQUAL(tg_get(g[n - 1], 0),
                          2.0 * n * tg_get(x[n - 1], 0) * (tg_numel(x[n - 1]) == 1 && n > 1 ? 2 : 1));
                    tg_tape_rewind(mark);
                }
    mix.grad_kernel = mix_kernel;
    tg_free(with_grad);
}
END_TEST

/* Each saved input in turn is changed in place, or freed, before the walk. */
START_TEST(saved_inputs_that_change) {
    begin_with_grad();
    for (int c = 1; c < COUNTS; c++)
        for (int i = 1; i<counts[c]; i += counts[c]> 20 ? 3 : 1)
            for (int way = 0; way < 4; way++) {
                int n = counts[c];
                tg_tensor *x[MOST] = {NULL}, *g[MOST], *kept = tg_param(tg_ones(TG_F64, 2));
                tg_mark mark = tg_tape_mark();
                some_inputs(n, x);
                x[i] = kept;
                tg_tensor *y = tg_sum(tg_apply(&mix, x, n, &once));
                before was = look();
                if (way % 2) {
                    tg_free(kept);
                    was = look();
                } else {
                    ((double *)tg_data_mut(kept))[1] = 7;
                }
                tg_mark walk = tg_tape_mark();
                tg_status s =
                    way < 2 ? tg_backward(y, .retain = true) : tg_grad(1, &y, 1, x, g, .create_graph = true);
                ck_assert_int_ne(s, TG_OK);
                if (way >= 2) tg_tape_rewind(walk); /* what it recorded so far */
                UNCHANGED(was, "mix", way % 2 ? "freed" : "changed");
                if (way % 2 == 0) tg_free(kept);
                tg_tape_rewind(mark);
            }
    tg_free(with_grad);
}
END_TEST

/* A released input is refused wherever it stands; so are NULL and poison; one that is saved by a node stays for it. */
START_TEST(inputs_that_cannot_be_read) {
    begin_with_grad();
    for (int c = 0; c < COUNTS; c++)
        for (int i = 0; i < counts[c]; i++) {
            int n = counts[c];
            tg_tensor *x[MOST] = {NULL};
            tg_mark mark = tg_tape_mark();
            some_inputs(n, x);
            tg_tensor *was_x = x[i], *gone = row_of(1, 2), *saved = tg_set_requires_grad(row_of(1, 2), true);
            tg_tensor *twice = tg_add(tg_apply(&mix, &saved, 1, &once), tg_apply(&mix, &saved, 1, &once));
            tg_release(gone), tg_release(saved);
            before was = look();
            tg_tensor *const bad[] = {gone, saved, NULL};
            for (int k = 0; k < 3; k++) {
                x[i] = bad[k];
                ck_assert(tg_is_poison(tg_apply(&mix, x, n, &once)));
                UNCHANGED(was, "mix", k < 2 ? "released" : "NULL");
            }
            x[i] = was_x;
            ck_assert_int_eq(tg_backward(tg_sum(twice)), TG_OK); /* which may read what it saved */
            EQUAL(tg_get(tg_grad_of(saved), 1), 4 * 1.25);
            tg_tape_rewind(mark);
        }
    tg_free(with_grad);
}
END_TEST

/* Only the last input requires a gradient. */
START_TEST(the_last_input_alone) {
    for (int c = 0; c < COUNTS; c++) {
        int n = counts[c];
        tg_tensor *x[MOST] = {NULL}, *g;
        for (int i = 0; i < n; i++) x[i] = tg_scalar(TG_F64, 2);
        tg_set_requires_grad(x[n - 1], true);
        tg_tensor *y = tg_apply(&mix, x, n, &once), *z = tg_square(y);
        ck_assert(tg_requires_grad(y));
        ck_assert_int_eq(tg_grad(1, &z, 1, &x[n - 1], &g), TG_OK);
        EQUAL(tg_item(g), 2 * tg_item(y) * 2 * n * 2);
    }
}
END_TEST

/* Of all inputs only one comes from an earlier node, from far back. */
START_TEST(one_input_with_a_history) {
    for (int c = 0; c < COUNTS; c++)
        for (int i = 0; i < counts[c]; i++)
            for (int way = 0; way < 3; way++) {
                int n = counts[c];
                tg_tensor *x[MOST] = {NULL}, *far = leaf(3), *result = tg_square(far), *g;
                for (int k = 0; k < 3; k++) tg_square(leaf(1)); /* other nodes between */
                for (int k = 0; k < n; k++) x[k] = k == i ? result : leaf(2);
                tg_tensor *y = tg_apply(&mix, x, n, &once);
                double want = 2 * (i + 1) * 9 * 2 * 3;
                if (way == 0) {
                    ck_assert_int_eq(tg_backward(y), TG_OK);
                    EQUAL(tg_item(tg_grad_of(far)), want);
                } else {
                    ck_assert_int_eq(tg_grad(1, &y, 1, &far, &g, .create_graph = way == 2), TG_OK);
                    EQUAL(tg_item(g), want);
                }
            }
}
END_TEST

/* ---- sharing: what one contribution may be written to ---- */

/* a is used by three ops, whose gradients of it come shared with others, in every order; of every rank. */
START_TEST(shared_contributions) {
    for (int rank = 0; rank <= 6; rank++)
        for (int order = 0; order < 27; order++) {
            tg_shape s = {rank, {2, 1, 3, 2, 1, 2}};
            tg_mark mark = tg_tape_mark();
            size_t live = tg_memory_get_stats().live_buffer_bytes;
            tg_tensor *in[3], *sum = NULL, *g[3];
            for (int i = 0; i < 3; i++) in[i] = tg_set_requires_grad((tg_full)(TG_F64, 2 + i, s), true);
            tg_tensor *a = in[0], *b = in[1], *c = in[2];
            double want[3] = {0};
            for (int k = 0, o = order; k < 3; k++, o /= 3) {
                tg_tensor *y = o % 3 == 0   ? tg_add(a, b)
                               : o % 3 == 1 ? tg_mul(a, c)
                                            : tg_sub(tg_add(a, c), b);
                want[0] += o % 3 == 1 ? 4 : 1,
                    want[1] += o % 3 == 0   ? 1
                               : o % 3 == 1 ? 0
                                            : -1,
                    want[2] += o % 3 == 0   ? 0
                               : o % 3 == 1 ? 2
                                            : 1;
                sum = sum ? tg_add(sum, y) : y;
            }
            tg_tensor *seed = (tg_ones)(TG_F64, s);
            for (int record = 0; record < 2; record++) {
                ck_assert_int_eq(tg_grad(1, &sum, 3, in, g, .seeds = &seed, .retain = true,
                                         .create_graph = record, .allow_unused = true),
                                 TG_OK);
                for (int i = 0; i < 3; i++)
                    for (int64_t e = 0; e < tg_numel(g[i]); e++) EQUAL(tg_get(g[i], e), want[i]);
            }
            ck_assert_int_eq(tg_backward(sum, .seed = seed), TG_OK);
            for (int i = 0; i < 3; i++)
                for (int64_t e = 0; tg_has_grad(in[i]) && e < tg_numel(a); e++)
                    EQUAL(tg_get(tg_grad_of(in[i]), e), want[i]);
            tg_tape_rewind(mark);
            ck_assert_uint_eq(tg_memory_get_stats().live_buffer_bytes, live);
        }
}
END_TEST

/* Gradients summed down along leading axes and axes of size 1, of every rank, leave nothing behind. */
START_TEST(sums_down_of_every_rank) {
    for (int rank = 0; rank <= 5; rank++)
        for (int extra = 0; rank + extra <= 6; extra++)
            for (int way = 0; way < 3; way++) {
                tg_mark mark = tg_tape_mark();
                size_t live = tg_memory_get_stats().live_buffer_bytes;
                tg_shape s = {rank, {1, 2, 1, 3, 1}}, full = {rank + extra, {0}};
                int64_t times = 1;
                for (int i = 0; i < full.rank; i++) {
                    full.dim[i] = i < extra ? 2 : s.dim[i - extra] == 1 ? 3 : s.dim[i - extra];
                    times *= i < extra || s.dim[i - extra] == 1 ? full.dim[i] : 1;
                }
                tg_tensor *x = tg_set_requires_grad((tg_full)(TG_F64, 2, s), true),
                          *c = (tg_full)(TG_F64, 3, full), *y = tg_sum(tg_add(tg_mul(x, c), tg_mul(c, x))),
                          *g;
                if (way == 0) {
                    ck_assert_int_eq(tg_backward(y), TG_OK);
                    g = tg_grad_of(x);
                } else {
                    ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .create_graph = way == 2), TG_OK);
                }
                ck_assert(tg_shape_equal(tg_shape_of(g), s));
                for (int64_t e = 0; e < tg_numel(g); e++) EQUAL(tg_get(g, e), 6.0 * (double)times);
                tg_tape_rewind(mark);
                ck_assert_uint_eq(tg_memory_get_stats().live_buffer_bytes, live);
            }
}
END_TEST

/* What cannot be a parameter leaves nothing; a detached tensor of any rank has no history. */
START_TEST(parameters_and_detached) {
    begin_with_grad();
    for (int rank = 0; rank <= 6; rank++) {
        tg_shape s = {rank, {2, 1, 3, 2, 1, 2}};
        tg_tensor *i64 = (tg_zeros)(TG_I64, s), *x = tg_set_requires_grad((tg_ones)(TG_F64, s), true),
                  *y = tg_square(x);
        before was = look();
        ck_assert(tg_is_poison(tg_param(i64)));
        UNCHANGED(was, "i64");
        tg_mark mark = tg_tape_mark();
        tg_tensor *d = tg_detach(y), *e = tg_detach(x);
        ck_assert(!tg_requires_grad(d) && !tg_requires_grad(e) && !tg_node_of(d));
        ck_assert(!tg_requires_grad(tg_square(d)));
        tg_tape_rewind(mark);
    }
    tg_free(with_grad);
}
END_TEST

/* ---- an op of three outputs: x, x^2, x^3, times what the attribute says ---- */

static tg_status powers_infer(const tg_call *c) {
    tg_status s = TG_OK;
    for (int o = 0; s == TG_OK && o < c->n_out; o++) s = tg_out(c, o, TG_F64, tg_array_shape(c->in[0]));
    return s;
}
static tg_status powers_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++)
        for (int o = 0; o < c->n_out; o++) tg_array_set(c->out[o], i, pow(tg_array_get(c->in[0], i), o + 1));
    return TG_OK;
}
static int seen_pattern; /* which outputs had a gradient */
static void powers_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *sum = (tg_zeros)(TG_F64, tg_shape_of(n->in[0])), *one = tg_scalar(TG_F64, 1);
    seen_pattern = 0;
    for (int o = 0; o < n->n_out; o++) {
        if (!dout[o]) continue;
        seen_pattern |= 1 << o;
        sum = tg_add(
            sum, tg_mul(dout[o], o ? tg_mul_scalar(o == 1 ? n->in[0] : tg_square(n->in[0]), o + 1) : one));
    }
    din[0] = sum;
}
static tg_status powers_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0);
    tg_status s = tg_array_alloc_like(&din[0], x);
    seen_pattern = 0;
    for (int o = 0; o < n->n_out; o++) seen_pattern |= dout[o] ? 1 << o : 0;
    for (int64_t i = 0; s == TG_OK && i < x->numel; i++) {
        double sum = 0;
        for (int o = 0; o < n->n_out; o++)
            if (dout[o]) sum += tg_array_get(dout[o], i) * (o + 1) * pow(tg_array_get(x, i), o);
        tg_array_set(&din[0], i, sum);
    }
    return s;
}
static tg_op powers = {.name = "powers",
                       .formula = "out_o = x^(o + 1)",
                       .n_in = 1,
                       .n_out = 3,
                       .save = TG_IN(0) | TG_OUT(0) | TG_OUT(1) | TG_OUT(2),
                       .infer = powers_infer,
                       .forward = powers_forward,
                       .grad = powers_grad,
                       .grad_kernel = powers_kernel};

static double weight_of(int o) { return o == 0 ? 2 : o == 1 ? -3 : 5; }

/* Each set of outputs that the result depends on, by backward, grad and twice. */
START_TEST(each_set_of_outputs) {
    powers.grad_kernel = _i % 2 ? powers_kernel : NULL;
    powers.n_out = 2 + _i / 2;
    for (int set = 1; set < 1 << powers.n_out; set++) {
        tg_tensor *x = tg_set_requires_grad(row_of(2, 3), true), *out[3], *y = tg_scalar(TG_F64, 0), *g, *h;
        double first = 0, second = 0;
        ck_assert_int_eq(tg_apply_multi(&powers, &x, 1, NULL, out), TG_OK);
        for (int o = powers.n_out - 1; o >= 0; o--) {
            if (!(set >> o & 1)) continue;
            y = tg_add(y, tg_mul_scalar(tg_sum(out[o]), weight_of(o)));
            first += weight_of(o) * (o + 1) * pow(2.25, o);
            second += o ? weight_of(o) * (o + 1) * o * pow(2.25, o - 1) : 0;
        }
        ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .create_graph = true), TG_OK);
        ck_assert_int_eq(seen_pattern, set);
        EQUAL(tg_get(g, 1), first);
        ck_assert_int_eq(tg_backward(y, .retain = true), TG_OK);
        ck_assert_int_eq(seen_pattern, set);
        EQUAL(tg_get(tg_grad_of(x), 1), first);
        if (set == 1) continue; /* a constant gradient */
        tg_tensor *z = tg_sum(tg_square(g));
        ck_assert_int_eq(tg_grad(1, &z, 1, &x, &h), TG_OK);
        EQUAL(tg_get(h, 1), 2 * first * second);
    }
    powers.grad_kernel = powers_kernel, powers.n_out = 3;
}
END_TEST

static double hooked[4];
static int n_hooked;
static tg_tensor *note(tg_tensor *grad, void *user) {
    hooked[n_hooked++ & 3] = tg_get(grad, 0);
    return *(double *)user == 1 ? NULL : tg_mul_scalar(grad, *(double *)user);
}

/* Retained, hooked, asked for: each output alone and all at once. */
START_TEST(each_output_retained_and_hooked) {
    for (int one = 0; one < 3; one++)
        for (int way = 0; way < 2; way++) {
            tg_tensor *x = leaf(2), *out[3], *g[3];
            double factor = way ? 10 : 1, want = 0;
            powers.grad_kernel = way ? powers_kernel : NULL;
            tg_apply_multi(&powers, &x, 1, NULL, out);
            tg_tensor *y =
                tg_add(tg_add(tg_mul_scalar(out[0], 2), tg_mul_scalar(out[1], -3)), tg_mul_scalar(out[2], 5));
            for (int o = 0; o < 3; o++) want += weight_of(o) * (o == one ? factor : 1) * (o + 1) * pow(2, o);
            n_hooked = 0;
            ck_assert_int_eq(tg_register_hook(out[one], note, &factor), TG_OK);
            ck_assert_int_eq(tg_retain_grad(out[one]), TG_OK);
            ck_assert_int_eq(tg_backward(y, .retain = true), TG_OK);
            ck_assert_int_eq(n_hooked, 1);
            EQUAL(hooked[0], weight_of(one));
            EQUAL(tg_item(tg_grad_of(x)), want);
            for (int o = 0; o < 3; o++) ck_assert_int_eq(tg_has_grad(out[o]), o == one);
            EQUAL(tg_item(tg_grad_of(out[one])), weight_of(one) * factor);
            tg_remove_hooks(out[one]);
            for (int record = 0; record < 2; record++) {
                ck_assert_int_eq(tg_grad(1, &y, 3, out, g, .create_graph = record, .retain = true), TG_OK);
                for (int o = 0; o < 3; o++) EQUAL(tg_item(g[o]), weight_of(o));
            }
        }
    powers.grad_kernel = powers_kernel;
}
END_TEST

/* Each saved output released after the forward pass is still there for the rule; each changed in place is noticed. */
START_TEST(each_output_saved) {
    begin_with_grad();
    for (int one = 0; one < 3; one++) {
        tg_tensor *x = tg_set_requires_grad(row_of(2, 200), true), *out[3];
        tg_apply_multi(&powers, &x, 1, NULL, out);
        tg_tensor *y = tg_sum(tg_add(out[one == 0], out[2 - (one == 2)]));
        size_t live = tg_memory_get_stats().live_buffer_bytes;
        tg_release(out[one]);
        ck_assert_uint_eq(tg_memory_get_stats().live_buffer_bytes, live); /* pinned */
        ck_assert(isnan(tg_get(out[one], 0)));
        expect_error(TG_ERR_LIFETIME, "released");
        ck_assert_int_eq(tg_backward(y), TG_OK);
        ck_assert_uint_lt(tg_memory_get_stats().live_buffer_bytes,
                          live + 1600); /* x's gradient came, the output's elements went */
        tg_tensor *w = tg_set_requires_grad(row_of(2, 2), true);
        tg_apply_multi(&powers, &w, 1, NULL, out);
        y = tg_sum(tg_add(tg_add(out[0], out[1]), out[2]));
        before was = look();
        ((double *)tg_data_mut(out[one]))[0] = 1;
        ck_assert_int_eq(tg_backward(y), TG_ERR_TAPE);
        UNCHANGED(was, "powers", "changed");
    }
    tg_free(with_grad);
}
END_TEST

/* An output of integers requires no gradient, wherever it stands among the others. */
static int whole_output;
static tg_status mixed_infer(const tg_call *c) {
    tg_status s = TG_OK;
    for (int o = 0; s == TG_OK && o < c->n_out; o++)
        s = tg_out(c, o, o == whole_output ? TG_I64 : TG_F64, tg_array_shape(c->in[0]));
    return s;
}

START_TEST(outputs_of_integers) {
    for (whole_output = 0; whole_output < 3; whole_output++) {
        tg_op op = powers;
        op.infer = mixed_infer;
        tg_tensor *x = leaf(2), *out[3];
        ck_assert_int_eq(tg_apply_multi(&op, &x, 1, NULL, out), TG_OK);
        for (int o = 0; o < 3; o++) ck_assert_int_eq(tg_requires_grad(out[o]), o != whole_output);
    }
}
END_TEST

/* All outputs are poison when one cannot be made, and none of them is on the tape. */
static tg_status half_infer(const tg_call *c) {
    tg_status s = powers_infer(c);
    return s == TG_OK ? tg_call_fail(c, TG_ERR_SHAPE, "no: %s, %s, %s, %s", tg_call_input(c, 0),
                                     tg_call_input(c, 1), tg_call_input(c, 2), tg_call_input(c, 3))
                      : s;
}

START_TEST(outputs_of_a_failed_op) {
    begin_with_grad();
    for (int n = 1; n <= 3; n++) {
        tg_op op = powers;
        op.n_out = n, op.n_in = 4, op.infer = half_infer;
        tg_tensor *x[4], *out[3];
        for (int i = 0; i < 4; i++) x[i] = row_of(1, 1 + i);
        before was = look();
        ck_assert_int_eq(tg_apply_multi(&op, x, 4, NULL, out), TG_ERR_SHAPE);
        for (int o = 0; o < n; o++) ck_assert(tg_is_poison(out[o]));
        UNCHANGED(was, "powers: no: [1] f64, [2] f64, [3] f64, [4] f64");
        for (int64_t k = 1; k < 5; k++) { /* no memory for one of them */
            tg_memory_fail_at(k);
            tg_status s = tg_apply_multi(&powers, x, 1, NULL, out);
            tg_memory_fail_at(-1);
            if (s == TG_OK) break;
            for (int o = 0; o < 3; o++) ck_assert(tg_is_poison(out[o]));
            UNCHANGED(was, "memory");
        }
    }
    tg_free(with_grad);
}
END_TEST

/* Sixteen inputs, of which any may be left out that the op says may. */
static tg_status first_infer(const tg_call *c) { return tg_out(c, 0, TG_F64, TG_SCALAR); }
static tg_status first_forward(const tg_call *c) {
    double sum = 0;
    for (int i = 0; i < c->n_in; i++) sum += c->in[i] ? (i + 1) * tg_array_get(c->in[i], 0) : 0;
    tg_array_set(c->out[0], 0, sum);
    return TG_OK;
}
static void first_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && tg_needs(n, i)) din[i] = tg_mul_scalar(dout[0], i + 1);
}

START_TEST(inputs_left_out) {
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++) {
            tg_op op = {.name = "first",
                        .formula = "out = sum of (i + 1) x_i",
                        .n_in = 16,
                        .optional = TG_IN(i),
                        .no_grad = TG_IN((i + 1) % 16),
                        .infer = first_infer,
                        .forward = first_forward,
                        .grad = first_grad};
            tg_tensor *x[16], *y;
            double sum = 0;
            for (int j = 0; j < 16; j++)
                x[j] = j == k ? NULL : leaf(1 + j), sum += j == k ? 0 : (j + 1) * (j + 1);
            y = tg_apply(&op, x, 16, NULL);
            if (i != k) {
                ck_assert(tg_is_poison(y));
                expect_error(TG_ERR_ARGUMENT, "first", "NULL");
                continue;
            }
            EQUAL(tg_item(y), sum);
            ck_assert_int_eq(tg_backward(y), TG_OK);
            for (int j = 0; j < 16; j++) {
                if (j == k) continue;
                ck_assert_int_eq(tg_has_grad(x[j]), j != (i + 1) % 16);
                if (tg_has_grad(x[j])) EQUAL(tg_item(tg_grad_of(x[j])), j + 1);
            }
        }
}
END_TEST

/* ---- several outputs of the walk ---- */

/* tg_grad of one to six outputs recorded in any order, some of them twice; seeds for all. */
START_TEST(walks_from_several_outputs) {
    for (int n = 1; n <= 6; n++)
        for (int turn = 0; turn < 6; turn++)
            for (int record = 0; record < 2; record++) {
                tg_tensor *x = leaf(1.5), *w = leaf(0.5), *y[6], *out[6], *seed[6], *g[2];
                double by_x = 0, by_w = 0;
                for (int k = 0; k < 6; k++) y[k] = tg_mul(k % 2 ? tg_square(x) : x, tg_mul_scalar(w, k + 1));
                for (int k = 0; k < n; k++) {
                    int of = (k * 5 + turn) % 6;
                    if (k == 3) of = turn; /* which is the first again */
                    out[k] = y[of], seed[k] = tg_scalar(TG_F64, 1 + k);
                    by_x += (1 + k) * (of + 1) * 0.5 * (of % 2 ? 3 : 1);
                    by_w += (1 + k) * (of + 1) * (of % 2 ? 2.25 : 1.5);
                }
                ck_assert_int_eq(
                    tg_grad(n, out, 2, ((tg_tensor *[]){x, w}), g, .seeds = seed, .create_graph = record),
                    TG_OK);
                EQUAL(tg_item(g[0]), by_x);
                EQUAL(tg_item(g[1]), by_w);
            }
}
END_TEST

/* More leaves than a table of the walk has room for at first; with no memory for it, at each allocation. */
START_TEST(hundreds_of_leaves) {
    enum { MANY = 300 };
    static tg_tensor *w[MANY], *g[MANY];
    for (int i = 0; i < MANY; i++) w[i] = tg_param(row_of(i, 2));
    int failures = 0;
    double had[MANY] = {0};
    for (int round = 0; round < 3;
         round++) { /* the second time there are gradients to add to, the third some */
        for (int i = 1; round == 2 && i < MANY; i += 2)
            tg_zero_grad(w[i]), had[i] = 0; /* each needs a copy */
        for (int64_t n = 1;; n += 1 + n / 3) {
            tg_mark mark = tg_tape_mark();
            tg_tensor *sum = tg_scalar(TG_F64, 0);
            for (int i = 0; i < MANY; i++)
                sum = tg_add(sum, tg_mul_scalar(tg_sum(i % 2 ? w[i] : tg_square(w[i])), i % 7));
            size_t live = tg_memory_get_stats().live_buffer_bytes;
            int64_t slots = tg_slots_alive(NULL, 0);
            tg_memory_fail_at(n);
            tg_status s = tg_backward(sum, .retain = true);
            tg_memory_fail_at(-1);
            if (s != TG_OK) {
                failures++;
                expect_error(TG_ERR_MEMORY, "memory");
                ck_assert_uint_eq(tg_memory_get_stats().live_buffer_bytes, live);
                ck_assert_int_eq(tg_slots_alive(NULL, 0), slots);
            }
            for (int i = 0; i < MANY; i++) {
                had[i] += s == TG_OK;
                ck_assert_int_eq(tg_has_grad(w[i]), had[i] > 0);
                if (tg_has_grad(w[i]))
                    EQUAL(tg_get(tg_grad_of(w[i]), 1), had[i] * (i % 7) * (i % 2 ? 1 : 2 * (i + 0.25)));
            }
            if (s == TG_OK) {
                ck_assert_int_eq(tg_grad(1, &sum, MANY, w, g), TG_OK);
                for (int i = 0; i < MANY; i++) EQUAL(tg_get(g[i], 0), (i % 7) * (i % 2 ? 1 : 2.0 * i));
                tg_tape_rewind(mark);
                break;
            }
            tg_tape_rewind(mark);
        }
    }
    ck_assert_int_gt(failures, 3);
    size_t with = tg_memory_get_stats().live_buffer_bytes;
    for (int i = 0; i < MANY; i++)
        tg_free(w[i]); /* and their gradients; the elements are the tape's as well */
    ck_assert_uint_eq(tg_memory_get_stats().live_buffer_bytes, with - MANY * 64);
}
END_TEST

/* What accumulation adds to is changed: a node that saved the gradient so far refuses. Several shapes, for zero_grad too. */
START_TEST(accumulation_raises_the_version) {
    for (int rank = 0; rank <= 4; rank++) {
        tg_shape s = {rank, {2, 1, 2, 3}};
        tg_tensor *w = tg_param((tg_ones)(TG_F64, s)), *x = tg_set_requires_grad((tg_ones)(TG_F64, s), true);
        size_t live = tg_memory_get_stats().live_buffer_bytes;
        tg_mark mark = tg_tape_mark();
        ck_assert_int_eq(tg_backward(tg_sum(tg_square(w))), TG_OK);
        tg_tensor *y = tg_sum(tg_mul(x, tg_grad_of(w)));
        ck_assert_int_eq(tg_backward(tg_sum(tg_square(w))), TG_OK);
        ck_assert_int_eq(tg_backward(y), TG_ERR_TAPE);
        expect_error(TG_ERR_TAPE, "mul", "changed");
        EQUAL(tg_get(tg_grad_of(w), 0), 4);
        tg_tape_rewind(mark);
        tg_zero_grad(w);
        ck_assert(!tg_has_grad(w));
        ck_assert_uint_eq(tg_memory_get_stats().live_buffer_bytes, live);
        tg_free(w);
    }
}
END_TEST

/* A leaf's gradient is its own: neither the seed, nor another leaf's, nor a view. */
START_TEST(gradients_share_nothing) {
    tg_tensor *a = tg_set_requires_grad(row_of(1, 4), true), *b = tg_set_requires_grad(row_of(2, 4), true),
              *c = leaf(3), *seed = row_of(5, 4);
    tg_tensor *y = tg_add(tg_add(a, b), tg_expand(c, 4)), *all[] = {a, b, c};
    ck_assert_int_eq(tg_backward(y, .seed = seed, .retain = true), TG_OK);
    ck_assert_int_eq(tg_backward(y, .seed = seed), TG_OK);
    EQUAL(tg_get(seed, 1), 5.25);
    EQUAL(tg_get(tg_grad_of(a), 1), 10.5);
    EQUAL(tg_item(tg_grad_of(c)), 2 * (5 + 5.25 + 5.5 + 5.75));
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            ck_assert_int_eq(
                tg_array_of(tg_grad_of(all[i]))->buffer == tg_array_of(tg_grad_of(all[k]))->buffer, i == k);
    tg_tensor *x = tg_set_requires_grad((tg_ones)(TG_F64, TG_SHAPE(3, 4)),
                                        true); /* its gradient comes repeated, and turned */
    ck_assert_int_eq(tg_backward(tg_sum(tg_transpose(x, 0, 1))), TG_OK);
    ck_assert(tg_is_contiguous(tg_grad_of(x)));
    ck_assert_int_eq(tg_backward(tg_sum(tg_mul(tg_transpose(x, 0, 1), tg_transpose(x, 0, 1)))), TG_OK);
    ((double *)tg_data_mut(tg_grad_of(x)))[0] = 100;
    EQUAL(tg_get(tg_grad_of(x), 0), 100);
    for (int i = 1; i < 12; i++) EQUAL(tg_get(tg_grad_of(x), i), 3);
    tg_tensor *r =
        tg_set_requires_grad((tg_ones)(TG_F64, TG_SHAPE(3, 4)), true); /* repeated, in memory of its own */
    for (int round = 1; round <= 3; round++) {
        ck_assert_int_eq(tg_backward(tg_mul_scalar(tg_sum(r), 2)), TG_OK);
        ck_assert_int_eq(tg_backward(tg_mul_scalar(tg_sum(tg_mul_scalar(r, 1)), 3)), TG_OK);
        ck_assert(tg_is_contiguous(tg_grad_of(r)));
        for (int i = 0; i < 12; i++) EQUAL(tg_get(tg_grad_of(r), i), 5 * round);
    }
    for (int form = 0; form < 6; form++) { /* a view of what the rule behind it made, or repeated */
        tg_tensor *v = tg_set_requires_grad((tg_ones)(TG_F64, TG_SHAPE(3, 4)), true), *turned = v;
        if (form == 0) turned = tg_transpose(v, 0, 1);
        if (form == 1) turned = tg_permute(tg_reshape(v, 3, 2, 2), 2, 0, 1);
        if (form == 2) turned = tg_flip(v, 0);
        if (form == 3) turned = tg_sum(v, .axes = TG_SHAPE(1));
        if (form == 4) turned = tg_sum(v, .axes = TG_SHAPE(0));
        if (form == 5) turned = tg_mul_scalar(tg_sum(v), 1);
        for (int round = 1; round <= 2; round++) {
            double e = tg_get(turned, 0);
            ck_assert_int_eq(tg_backward(tg_sum(tg_square(turned)), .retain = true), TG_OK);
            ck_assert(tg_is_contiguous(tg_grad_of(v)));
            for (int k = 0; k < 12; k++) EQUAL(tg_get(tg_grad_of(v), k), 2 * e * round);
        }
    }
}
END_TEST

/* ---- hooks ---- */

START_TEST(several_hooks) {
    double factor[5] = {2, 3, 5, 7, 11};
    size_t live = 0;
    for (int record = 0; record < 2; record++) {
        tg_tensor *x = leaf(2), *y = tg_square(x), *g;
        for (int i = 0; i < 5; i++) tg_register_hook(y, note, &factor[i]);
        tg_tensor *z = tg_mul_scalar(y, 1);
        n_hooked = 0;
        live = tg_memory_get_stats().live_buffer_bytes;
        ck_assert_int_eq(tg_grad(1, &z, 1, &x, &g, .create_graph = record), TG_OK);
        ck_assert_int_eq(n_hooked, 5);
        EQUAL(hooked[0], 2.0 * 3 * 5 * 7); /* the fifth, and before it the others, in their order */
        EQUAL(hooked[1], 2);
        EQUAL(hooked[2], 6);
        EQUAL(hooked[3], 30);
        EQUAL(tg_item(g), 2310.0 * 4);
        if (!record)
            ck_assert_uint_le(tg_memory_get_stats().live_buffer_bytes, live + 128); /* g and the seed */
    }
}
END_TEST

static tg_tensor *narrow_hook(tg_tensor *grad, void *user) { return (void)user, tg_to(grad, TG_F32); }
static tg_tensor *failing_hook(tg_tensor *grad, void *user) {
    return (void)user, tg_matmul(grad, tg_ones(TG_F64, 4, 4));
}

START_TEST(hooks_that_fail) {
    tg_hook const bad[] = {narrow_hook, failing_hook};
    begin_with_grad();
    for (int i = 0; i < 4; i++) {
        tg_tensor *x = leaf(2), *y = tg_square(x), *z = tg_add(tg_square(y), with_grad);
        tg_register_hook(i / 2 ? y : x, bad[i % 2], NULL);
        before was = look();
        ck_assert_int_ne(tg_backward(z, .retain = true), TG_OK);
        UNCHANGED(was, i % 2 ? "matmul" : "hook");
        ck_assert(!tg_has_grad(x));
        tg_remove_hooks(y), tg_remove_hooks(x);
        tg_tensor *g;
        ck_assert_int_eq(tg_grad(1, &z, 1, &x, &g), TG_OK);
        EQUAL(tg_item(g), 32);
    }
    tg_free(with_grad);
}
END_TEST

/* ---- after failures ---- */

/* After a failed walk a released tensor is still released, and recording as it was, whichever it was. */
START_TEST(modes_after_failures) {
    begin_with_grad();
    for (int off = 0; off < 2; off++) {
        tg_tensor *x = leaf(2), *gone = row_of(1, 2), *y = tg_apply(&mix, &x, 1, &once);
        tg_tensor *w = tg_set_requires_grad(row_of(1, 2), true), *saved = tg_apply(&mix, &w, 1, &once);
        tg_release(gone), tg_release(w);
        without = 0;
        tg_set_grad_enabled(!off);
        ck_assert_int_ne(tg_backward(y, .retain = true), TG_OK);
        tg_error_clear();
        ck_assert_int_eq(tg_grad_enabled(), !off);
        ck_assert(isnan(tg_get(gone, 0)) && isnan(tg_get(w, 0)));
        tg_error_clear();
        tg_set_grad_enabled(true);
        without = -1;
        ck_assert_int_eq(tg_backward(tg_sum(saved)), TG_OK);
    }
    tg_free(with_grad);
}
END_TEST

/* ---- checkpoints ---- */

static int runs, fails_at_run;
static tg_tensor *third_of; /* read by the third input of an inner op only */
static tg_tensor *noisy(tg_tensor *const *in, void *user) {
    (void)user;
    if (++runs == fails_at_run) tg_fail(TG_ERR_ARGUMENT, "noisy: cannot");
    tg_tensor *noise = tg_rand(TG_F64, 0, 1, 3),
              *three[3] = {tg_scalar(TG_F64, 1), tg_scalar(TG_F64, 1), third_of};
    return tg_sum(tg_mul(tg_mul(in[0], noise), tg_apply(&mix, three, 3, &once)));
}

START_TEST(checkpoints_leave_the_stream) {
    for (int f = 0; f < 3; f++) {
        tg_tensor *x = tg_set_requires_grad(row_of(1, 3), true), *plain, *g[2], *in[3] = {x, x, x};
        third_of = leaf(2);
        tg_seed(7);
        runs = fails_at_run = 0;
        tg_tensor *y = noisy(&x, NULL);
        ck_assert_int_eq(tg_grad(1, &y, 1, &x, &plain), TG_OK);
        double want = tg_get(plain, 1), value = tg_item(y);
        tg_seed(7);
        y = tg_checkpoint(noisy, NULL, 1 + f, in);
        EQUAL(tg_item(y), value);
        tg_rand(TG_F64, 0, 1, 5);
        tg_rng rng = *tg_default_rng();
        fails_at_run = runs + 1;
        ck_assert_int_ne(tg_grad(1, &y, 2, ((tg_tensor *[]){x, third_of}), g, .retain = true), TG_OK);
        expect_error(TG_ERR_ARGUMENT, "noisy");
        ck_assert(tg_grad_enabled() && memcmp(&rng, tg_default_rng(), sizeof rng) == 0);
        fails_at_run = 0;
        ck_assert_int_eq(tg_grad(1, &y, 2, ((tg_tensor *[]){x, third_of}), g, .retain = true), TG_OK);
        EQUAL(tg_get(g[0], 1), want);
        ck_assert_int_eq(tg_item(g[1]) != 0, 1);
        ck_assert_int_eq(memcmp(&rng, tg_default_rng(), sizeof rng), 0);
        bool was = tg_set_grad_enabled(false);
        ck_assert_int_eq(tg_backward(y), TG_OK);
        ck_assert(!tg_set_grad_enabled(was));
        EQUAL(tg_get(tg_grad_of(x), 1), want);
    }
}
END_TEST

static tg_tensor *four(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_apply(&mix, in, 4, &once);
}

START_TEST(checkpoints_of_several_inputs) {
    begin_with_grad();
    tg_tensor *x[4], *y[4];
    for (int i = 0; i < 4; i++) x[i] = leaf(i + 1), y[i] = tg_mul_scalar(x[i], 2);
    tg_tensor *z = tg_square(tg_checkpoint(four, NULL, 4, y));
    ck_assert_int_eq(tg_backward(z), TG_OK);
    double v = 1 * 4 + 2 * 16 + 3 * 36 + 4 * 64;
    for (int i = 0; i < 4; i++) EQUAL(tg_item(tg_grad_of(x[i])), 2 * v * 2 * (i + 1) * 2 * (i + 1) * 2);
    size_t system = 0;
    for (int round = 0; round < 4; round++) { /* what fails at any allocation leaves nothing */
        tg_mark mark = tg_tape_mark();
        for (int64_t n = 1; n < 40; n++) {
            before was = look();
            tg_memory_fail_at(n);
            tg_tensor *c = tg_checkpoint(four, NULL, 4, y);
            tg_memory_fail_at(-1);
            if (!tg_is_poison(c)) break;
            UNCHANGED(was, "memory");
        }
        tg_tape_rewind(mark);
        tg_memory_trim();
        if (round == 1) system = tg_memory_get_stats().system_bytes;
    }
    ck_assert_uint_eq(tg_memory_get_stats().system_bytes, system);
    tg_free(with_grad);
}
END_TEST

/* ---- functions of functions, of four inputs ---- */

static tg_tensor *product(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *p = tg_mul(tg_mul(in[0], in[1]), tg_mul(in[2], in[3]));
    return tg_sum(tg_mul(p, tg_square(in[3])));
}
static tg_tensor *table(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(tg_mul(in[0], tg_square(in[1])), tg_mul(in[2], in[3]));
}

/* f = a b c d^3 at (2, 3, 5, 7), in each of two elements. */
START_TEST(products_with_four_vectors) {
    static const double at[4] = {2, 3, 5, 7};
    tg_tensor *x[4], *v[4], *h[4], *y, *jv;
    double d[4], dd[4][4], f = 2.0 * 3 * 5 * 343;
    for (int i = 0; i < 4; i++)
        x[i] = tg_full(TG_F64, at[i], 2), v[i] = tg_full(TG_F64, 1 + i, 2),
        d[i] = (i == 3 ? 3 : 1) * f / at[i];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            dd[i][j] = i == j ? (i == 3 ? 6 * f / 49 : 0) : (i == 3 || j == 3 ? 3 : 1) * f / (at[i] * at[j]);
    ck_assert_int_eq(tg_hvp(product, NULL, 4, x, v, h), TG_OK);
    double along = 0;
    for (int i = 0; i < 4; i++) {
        double want = 0;
        for (int j = 0; j < 4; j++) want += dd[i][j] * (1 + j);
        EQUAL(tg_get(h[i], 1), want);
        along += 2 * d[i] * (1 + i);
    }
    ck_assert_int_eq(tg_jvp(product, NULL, 4, x, v, &y, &jv), TG_OK);
    EQUAL(tg_item(jv), along);
    ck_assert_int_eq(tg_vjp(product, NULL, 4, x, tg_scalar(TG_F64, 2), &y, h), TG_OK);
    for (int i = 0; i < 4; i++) EQUAL(tg_get(h[i], 0), 2 * d[i]);
}
END_TEST

START_TEST(rows_of_a_jacobian) {
    tg_tensor *x[4], *j[4];
    for (int i = 0; i < 4; i++) x[i] = row_of(1 + i, 9);
    tg_mark mark = tg_tape_mark();
    for (int64_t n = 3; n <= 9; n += 6) {
        tg_tensor *in[4];
        for (int i = 0; i < 4; i++) in[i] = tg_narrow(x[i], 0, 0, n);
        int64_t tensors = tg_tape_tensors();
        ck_assert_int_eq(tg_jacobian(table, NULL, 4, in, j), TG_OK);
        ck_assert_int_le(tg_tape_tensors() - tensors, 30); /* the rows' own are gone */
        for (int i = 0; i < 4; i++)
            for (int64_t r = 0; r < n; r++)
                for (int64_t c = 0; c < n; c++) {
                    double f = tg_get(x[0], r) * pow(tg_get(x[1], r), 2) * tg_get(x[2], r) * tg_get(x[3], r);
                    EQUAL(tg_get(j[i], r * n + c), r == c ? (i == 1 ? 2 : 1) * f / tg_get(x[i], r) : 0);
                }
    }
    tg_tape_rewind(mark);
}
END_TEST

/* ---- the gradient checker's edges ---- */

/* y = sum of (i + 1) x_i^2, whose gradient by one element of one input is off by so much. */
static struct {
    int input;
    int64_t element;
    double relative, value; /* value: in its place, where it is not 0 */
    bool second;            /* in the gradient of the gradient only */
} off;

static void off_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    mix_grad(n, dout, din);
    if (!tg_needs(n, off.input)) return;
    tg_tensor *g = din[off.input], *error = (tg_zeros)(TG_F64, tg_shape_of(g));
    double *e = tg_data_mut(error), is = tg_get(g, off.element);
    e[off.element] = off.value != 0 ? off.value : is * off.relative;
    din[off.input] =
        off.second ? tg_add(tg_detach(g), tg_mul(error, tg_scalar(TG_F64, 0))) : tg_add(g, error);
}
static tg_op wrong_mix;
static tg_tensor *call_wrong(tg_tensor *const *in, void *user) {
    return tg_apply(&wrong_mix, in, *(int *)user, &once);
}

START_TEST(checker_at_its_edges) {
    wrong_mix = mix;
    wrong_mix.grad = off_grad, wrong_mix.grad_kernel = NULL;
    int n = 5;
    tg_tensor *in[5];
    for (int i = 0; i < n; i++) in[i] = tg_set_requires_grad(row_of(1 + i, 3), true);
    tg_gradcheck_report r;
    for (int i = 0; i < n; i++)
        for (int64_t e = 0; e < 3; e++) {
            off.input = i, off.element = e, off.second = false;
            off.value = 0, off.relative = 0.97e-3; /* inside of rtol */
            ck_assert_msg(tg_gradcheck(call_wrong, &n, n, in, &r, .atol = 1e-12), "input %d: %s", i,
                          r.message);
            off.relative = 1.05e-3; /* and outside, to either side */
            ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r, .atol = 1e-12));
            ck_assert(r.input == i && r.element == e && r.order == 1 && r.worst > 1 && r.worst < 1.1);
            off.relative = -1.05e-3;
            ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r, .atol = 1e-12));
            ck_assert(r.input == i && r.element == e);
            static const double values[] = {NAN, INFINITY, -INFINITY};
            for (int k = 0; k < 3; k++) {
                off.value = values[k];
                ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r));
                ck_assert(r.input == i && r.element == e);
                expect_ok();
            }
            off.value = 0, off.relative = 0,
            off.second = true; /* the first order is right, the second has no history */
            ck_assert(tg_gradcheck(call_wrong, &n, n, in, &r));
            ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r, .order = 2));
            for (int64_t k = 0; k < 3; k++)
                EQUAL(tg_get(in[i], k), 1 + i + 0.25 * (double)k); /* inputs are what they were */
        }
    off.relative = 0, off.second = false;
    ck_assert(tg_gradcheck(call_wrong, &n, n, in, &r, .order = 2));
    bool was = tg_set_grad_enabled(false); /* it records for itself, and leaves the mode */
    ck_assert(tg_gradcheck(call_wrong, &n, n, in, &r));
    ck_assert(!tg_set_grad_enabled(was));
    tg_fail(TG_ERR_SHAPE, "an error of before");
    ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r));
    expect_error(TG_ERR_SHAPE, "an error of before");
}
END_TEST

static tg_tensor *steepest(tg_tensor *const *in, void *user) {
    return (void)user, tg_mul_scalar(tg_mul_scalar(in[0], 1e308), 1e10);
}
static tg_tensor *at_infinity(tg_tensor *const *in, void *user) { return (void)user, tg_log(in[0]); }

/* An infinite slope is none that agrees, however the numbers compare. */
START_TEST(checker_at_infinity) {
    tg_gradcheck_report r;
    tg_tensor *x = tg_set_requires_grad(row_of(0, 3), true);
    ck_assert(!tg_gradcheck(at_infinity, NULL, 1, &x, &r));
    ck_assert(r.element == 0 && r.worst == INFINITY);
    x = tg_set_requires_grad(tg_zeros(TG_F64, 1), true); /* both are infinite */
    ck_assert(!tg_gradcheck(steepest, NULL, 1, &x, &r));
    ck_assert(isinf(r.analytic) && r.analytic == r.numeric && r.worst == INFINITY);
}
END_TEST

/* ---- the tape as text ---- */

typedef struct many_attrs {
    int64_t a;
    double b;
    bool c;
    int64_t d;
    tg_dtype e;
} many_attrs;
static const tg_attr_field many_fields[] = {{"a", TG_ATTR_INT, offsetof(many_attrs, a)},
                                            {"b", TG_ATTR_REAL, offsetof(many_attrs, b)},
                                            {"c", TG_ATTR_BOOL, offsetof(many_attrs, c)},
                                            {"d", TG_ATTR_INT, offsetof(many_attrs, d)},
                                            {"e", TG_ATTR_DTYPE, offsetof(many_attrs, e)}};

/* Each attribute has its own value, and each output stands behind a comma. */
START_TEST(nodes_as_text) {
    tg_op op = powers;
    op.attrs = many_fields, op.attr_size = sizeof(many_attrs), op.n_attrs = 5;
    const many_attrs attr = {11, 2.5, true, 13, TG_I32};
    for (op.n_out = 1; op.n_out <= 3; op.n_out++) {
        tg_tensor *x = tg_set_requires_grad(row_of(1, 2), true), *out[3];
        tg_mark mark = tg_tape_mark();
        ck_assert_int_eq(tg_apply_multi(&op, &x, 1, &attr, out), TG_OK);
        for (int o = 0; o < op.n_out; o++)
            tg_set_name(out[o], (const char *[]){"first", "second", "third"}[o]);
        FILE *file = tmpfile();
        tg_tape_print(file, mark);
        rewind(file);
        char line[1000] = "";
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        fclose(file);
        ck_assert_msg(strstr(line, ", a=11, b=2.5, c=true, d=13, e=i32) -> "), "%s", line);
        const char *at = strstr(line, "->");
        for (int o = 0; o < op.n_out; o++) {
            ck_assert_msg((at = strstr(at, (const char *[]){"first", "second", "third"}[o])) != NULL, "%s",
                          line);
            const char *comma = strstr(at, ", ");
            ck_assert_msg(o == op.n_out - 1 || comma, "%s", line);
        }
        int commas = 0;
        for (const char *c = strstr(line, "->"); (c = strstr(c, "f64, ")); c++) commas++;
        ck_assert_msg(commas == op.n_out - 1, "%s", line);
    }
}
END_TEST

/* ---- tapes ---- */

/* Freed tapes give all back, however much was on them, and leave the current one. */
START_TEST(freed_tapes) {
    size_t bytes = 0;
    for (int round = 0; round < 5; round++) {
        tg_tape *a = tg_tape_new(), *b = tg_tape_new(), *mine = tg_tape_use(a);
        tg_tensor *x = leaf(1), *y = x;
        for (int i = 0; i < 3000; i++) y = tg_add(y, x);
        ck_assert_int_eq(tg_backward(y), TG_OK);
        EQUAL(tg_item(tg_grad_of(x)), 3001);
        tg_tape_free(b); /* not the current one */
        ck_assert_ptr_eq(tg_tape_current(), a);
        tg_tape_use(mine);
        tg_tape_free(a);
        ck_assert_ptr_eq(tg_tape_current(), mine);
        tg_memory_trim();
        if (round == 1) bytes = tg_memory_get_stats().system_bytes;
    }
    ck_assert_uint_eq(tg_memory_get_stats().system_bytes, bytes);
}
END_TEST

/* Rewinding nodes that nobody walked lets go of what they saved, the first of them too. */
START_TEST(rewound_nodes_let_go) {
    size_t live = tg_memory_get_stats().live_buffer_bytes;
    for (int n = 1; n <= 3; n++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *x = tg_set_requires_grad(row_of(1, 500), true);
        tg_mark inner = tg_tape_mark();
        for (int i = 0; i < n; i++) tg_apply(&mix, &x, 1, &once);
        tg_tape_rewind(inner);
        size_t with = tg_memory_get_stats().live_buffer_bytes;
        tg_release(x);
        ck_assert_uint_lt(tg_memory_get_stats().live_buffer_bytes, with);
        tg_tape_rewind(mark);
    }
    ck_assert_uint_eq(tg_memory_get_stats().live_buffer_bytes, live);
}
END_TEST

/* ---- graphs at random, of nodes of one to three outputs ---- */

/* out_o = slope_o (a + b) / 2: all numbers are exact. */
enum { LEAVES = 4, NODES = 24 };
static const double slope[3] = {1, -1, 2};
static int fan_fails, fan_runs; /* the run that fails, if it is above 0 */

static tg_status fan_forward(const tg_call *c) {
    for (int o = 0; o < c->n_out; o++)
        for (int64_t i = 0; i < c->out[o]->numel; i++)
            tg_array_set(c->out[o], i,
                         slope[o] * (tg_array_get(c->in[0], i) + tg_array_get(c->in[1], i)) / 2);
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
        ck_assert_int_eq(tg_apply_multi(&ops[outputs - 1],
                                        (tg_tensor *[]){g->t[g->in[k][0]], g->t[g->in[k][1]]}, 2, NULL,
                                        &g->t[g->n]),
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
        size_t live = tg_memory_get_stats().live_buffer_bytes;
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
            ck_assert_uint_eq(tg_memory_get_stats().live_buffer_bytes, live);
            ck_assert_int_eq(tg_tape_tensors(), tensors);
            ck_assert_int_eq(tg_tape_nodes(), nodes);
            ck_assert_int_eq(tg_slots_alive(NULL, 0), slots);
        }
        fan_fails = 0;
        ck_assert_int_eq(
            tg_grad(1, &y, LEAVES, g.t, d, .seeds = &seed, .create_graph = true, .allow_unused = true),
            TG_OK);
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

TCase *tcase_many(void) {
    TCase *tc = tcase_create("many");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, each_of_many_inputs, 0, 2 * COUNTS);
    tcase_add_test(tc, one_tensor_many_times);
    tcase_add_test(tc, rules_that_fail_at_one_input);
    tcase_add_test(tc, saved_inputs_that_change);
    tcase_add_test(tc, inputs_that_cannot_be_read);
    tcase_add_test(tc, the_last_input_alone);
    tcase_add_test(tc, one_input_with_a_history);
    tcase_add_test(tc, shared_contributions);
    tcase_add_test(tc, sums_down_of_every_rank);
    tcase_add_test(tc, parameters_and_detached);
    tcase_add_test(tc, outputs_of_integers);
    tcase_add_loop_test(tc, each_set_of_outputs, 0, 4);
    tcase_add_test(tc, each_output_retained_and_hooked);
    tcase_add_test(tc, each_output_saved);
    tcase_add_test(tc, outputs_of_a_failed_op);
    tcase_add_test(tc, inputs_left_out);
    tcase_add_test(tc, walks_from_several_outputs);
    tcase_add_test(tc, hundreds_of_leaves);
    tcase_add_test(tc, accumulation_raises_the_version);
    tcase_add_test(tc, gradients_share_nothing);
    tcase_add_test(tc, several_hooks);
    tcase_add_test(tc, hooks_that_fail);
    tcase_add_test(tc, modes_after_failures);
    tcase_add_test(tc, checkpoints_leave_the_stream);
    tcase_add_test(tc, checkpoints_of_several_inputs);
    tcase_add_test(tc, products_with_four_vectors);
    tcase_add_test(tc, rows_of_a_jacobian);
    tcase_add_test(tc, checker_at_its_edges);
    tcase_add_test(tc, checker_at_infinity);
    tcase_add_test(tc, freed_tapes);
    tcase_add_test(tc, rewound_nodes_let_go);
    tcase_add_loop_test(tc, graphs_at_random, 0, 4);
    tcase_add_test(tc, nodes_as_text);
    tcase_add_test(tc, inputs_that_are_not_reached);
    return tc;
}

/* What many.h declares, and the case that its tests are. */
#include "many.h"

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

void equal(int line, double is, double want) {
    if (!(fabs(is - want) <= 1e-12 * fmax(1, fabs(want))))
        ck_abort_msg("line %d: %.17g, not %.17g: %s", line, is, want, tg_error_message());
}

/* ---- an op of any number of inputs: out = times * sum over i of (i + 1) x_i^2, broadcast ---- */

static const tg_attr_field mix_fields[] = {{"times", TG_ATTR_REAL, offsetof(mix_attr, times)},
                                           {"other", TG_ATTR_INT, offsetof(mix_attr, other)}};
const mix_attr once = {1, 77};
static double times_of(const void *attr) {
    return ((const mix_attr *)attr)->other == 77 ? ((const mix_attr *)attr)->times : (double)NAN;
}

int without = -1, too_wide = -1, too_narrow = -1, failing = -1;

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

void mix_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    for (int k = 0; k < n->n_in; k++) {
        if (!tg_needs(n, k) || k == without) continue;
        din[k] = tg_mul(dout[0], tg_mul_scalar(n->in[k], times_of(n->attr) * 2 * (k + 1)));
        if (k == too_wide) din[k] = tg_ones(TG_F64, 7, 5);
        if (k == too_narrow) din[k] = tg_to(din[k], TG_F32);
        if (k == failing) din[k] = tg_matmul(din[k], tg_ones(TG_F64, 9, 9));
    }
}

tg_status mix_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    for (int k = 0; k < n->n_in; k++) {
        if (!tg_needs(n, k) || k == without) continue;
        if (k == failing) return tg_fail(TG_ERR_ARGUMENT, "mix: cannot");
        const tg_array *x = tg_node_in(n, k);
        tg_dtype dtype = k == too_narrow ? TG_F32 : TG_F64;
        tg_status s = tg_array_alloc(&din[k], dtype, k == too_wide ? TG_SHAPE(7, 5) : tg_array_shape(dout[0]));
        if (s != TG_OK) return s;
        for (int64_t i = 0; i < dout[0]->numel && k != too_wide; i++)
            tg_array_set(&din[k], i,
                         times_of(n->attr) * tg_array_get(dout[0], i) * 2 * (k + 1) * at_of(x, dout[0], i));
    }
    return TG_OK;
}

tg_op mix = {.name = "mix",
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

const int counts[COUNTS] = {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 18, 24, MOST};

tg_tensor *row_of(double v, int64_t n) {
    tg_tensor *t = tg_zeros(TG_F64, n);
    double *p = tg_data_mut(t);
    for (int64_t i = 0; i < n; i++) p[i] = v + 0.25 * (double)i;
    return t;
}

void make_inputs(int n, tg_tensor **x) {
    for (int i = 0; i < n; i++) {
        x[i] = row_of(1 + i / 8.0, i % 3 == 1 ? 1 : 2);
        if (i % 5 != 4) tg_set_requires_grad(x[i], true);
    }
}

double slope_of(int i, tg_tensor *x, int n, int64_t e) {
    bool wide = tg_numel(x) == 1 && n > 1; /* then of two results */
    return 2 * (i + 1) * tg_get(x, e) * (wide ? 2 : 1);
}

/* ---- an op of three outputs: x, x^2, x^3, times what the attribute says ---- */

tg_status powers_infer(const tg_call *c) {
    tg_status s = TG_OK;
    for (int o = 0; s == TG_OK && o < c->n_out; o++) s = tg_out(c, o, TG_F64, tg_array_shape(c->in[0]));
    return s;
}
tg_status powers_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++)
        for (int o = 0; o < c->n_out; o++) tg_array_set(c->out[o], i, pow(tg_array_get(c->in[0], i), o + 1));
    return TG_OK;
}
int seen_pattern;
static void powers_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *sum = tg_zeros_with(TG_F64, tg_shape_of(n->in[0])), *one = tg_scalar(TG_F64, 1);
    seen_pattern = 0;
    for (int o = 0; o < n->n_out; o++) {
        if (!dout[o]) continue;
        seen_pattern |= 1 << o;
        sum = tg_add(sum,
                     tg_mul(dout[o], o ? tg_mul_scalar(o == 1 ? n->in[0] : tg_square(n->in[0]), o + 1) : one));
    }
    din[0] = sum;
}
tg_status powers_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
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
tg_op powers = {.name = "powers",
                .formula = "out_o = x^(o + 1)",
                .n_in = 1,
                .n_out = 3,
                .save = TG_IN(0) | TG_OUT(0) | TG_OUT(1) | TG_OUT(2),
                .infer = powers_infer,
                .forward = powers_forward,
                .grad = powers_grad,
                .grad_kernel = powers_kernel};

/* ---- hooks ---- */

double hooked[4];
int n_hooked;
tg_tensor *note(tg_tensor *grad, void *user) {
    hooked[n_hooked++ & 3] = tg_get(grad, 0);
    return *(double *)user == 1 ? NULL : tg_mul_scalar(grad, *(double *)user);
}

/* ---- what a failed call must leave ---- */

tg_tensor *with_grad;

before look(void) {
    tg_mark m = tg_tape_mark();
    double g = tg_has_grad(with_grad) ? tg_item(tg_grad_of(with_grad)) : -1;
    tg_tape_rewind(m);
    return (before){
        tg_tape_tensors(), tg_tape_nodes(), tg_slots_alive(NULL, 0), tg_memory_now().live_buffer_bytes, g,
        *tg_default_rng()};
}

void unchanged(int line, before was, const char *const *words) {
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

void begin_with_grad(void) {
    with_grad = tg_param(tg_scalar(TG_F64, 5));
    tg_mark m = tg_tape_mark();
    ck_assert_int_eq(tg_backward(tg_square(with_grad)), TG_OK);
    tg_tape_rewind(m);
}

void some_inputs(int n, tg_tensor **x) {
    x[0] = with_grad;
    for (int i = 1; i < n; i++) x[i] = tg_set_requires_grad(row_of(1 + i, 1 + i % 2), true);
}

TCase *tcase_many(void) {
    TCase *tc = tcase_create("many");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    inputs_of_many(tc);
    outputs_of_many(tc);
    calls_of_many(tc);
    graphs_of_many(tc);
    return tc;
}

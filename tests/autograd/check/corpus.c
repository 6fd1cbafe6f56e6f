#include "tests/autograd/check/corpus.h"

#include "autograd/check/check.h"

#include <math.h>

tg_status elementwise_forward(const tg_call *c) {
    const elementwise_op *e = (const elementwise_op *)c->op;
    for (int64_t i = 0; i < c->out[0]->numel; i++)
        tg_array_set(c->out[0], i, e->f(tg_array_get(c->in[0], i)));
    return TG_OK;
}
tg_status elementwise_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const elementwise_op *e = (const elementwise_op *)n->op;
    const tg_array *x = tg_node_in(n, 0);
    tg_status s = tg_array_alloc_like(&din[0], dout[0]);
    for (int64_t i = 0; s == TG_OK && i < din[0].numel; i++)
        tg_array_set(&din[0], i, e->slope(tg_array_get(x, i)) * tg_array_get(dout[0], i));
    return s;
}
void elementwise_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const elementwise_op *e = (const elementwise_op *)n->op;
    tg_tensor *slope = tg_zeros_with(TG_F64, tg_shape_of(n->in[0]));
    for (int64_t i = 0; i < tg_numel(slope); i++)
        ((double *)tg_data_mut(slope))[i] = e->slope(tg_get(n->in[0], i));
    din[0] = tg_mul(dout[0], slope);
}

/* The nearest number of so many bits. */
static double rounded(double x, int bits) {
    int e;
    double m = frexp(x, &e);
    return ldexp(rint(ldexp(m, bits)), e - bits);
}
double f16_sin(double x) { return rounded(sin(x), 11); }
double bf16_sin(double x) { return rounded(sin(x), 8); }

static tg_tensor *through_op(tg_tensor *const *in, void *user) {
    const corpus_case *c = user;
    return tg_apply(&c->op.op, in, 1, NULL);
}

tg_gradcheck_report corpus_run(const corpus_case *c) {
    tg_gradcheck_report r;
    tg_tensor *x = c->input ? c->input(c) : tg_from_with(TG_F64, c->x, TG_SHAPE(c->n));
    tg_set_requires_grad(x, true);
    tg_gradcheck_with(c->f ? c->f : through_op, (void *)(uintptr_t)c, 1, &x, &r, c->opts);
    return r;
}

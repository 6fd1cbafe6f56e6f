/* Programs of elementwise ops, which a plan makes one pass of: forward and back, in all inputs. The floor of the large ones is
 * their traffic: each input read once, each gradient written once. */
#include "bench.h"

#include <stdlib.h>

enum { MOST = 3, LARGE = 1 << 20, DIMENSIONS = 1000, STEPS = 200 };

typedef struct composition {
    int n;
    tg_tensor *x[MOST];
    tg_tensor *(*f)(tg_tensor *const *x); /* a number */
} composition;

static void *make(int n, int64_t size, tg_tensor *(*f)(tg_tensor *const *)) {
    composition *c = malloc(sizeof *c);
    if (!c) return NULL;
    *c = (composition){.n = n, .f = f};
    for (int i = 0; i < n; i++) c->x[i] = tg_param(tg_normal(TG_F32, 0, 1, size));
    return c;
}

static void step(void *state) {
    composition *c = state;
    tg_mark m = tg_tape_mark();
    for (int i = 0; i < c->n; i++) tg_zero_grad(c->x[i]);
    tg_backward(c->f(c->x));
    tg_tape_rewind(m);
}

static void end(void *state) {
    composition *c = state;
    for (int i = 0; i < c->n; i++) tg_free(c->x[i]);
    free(c);
}

/* Ten elementwise ops, and the mean. */
static tg_tensor *elementwise(tg_tensor *const *x) {
    tg_tensor *y = tg_add(tg_mul(x[0], x[1]), x[2]), *u = tg_mul(tg_sigmoid(y), tg_tanh(y));
    tg_tensor *v = tg_exp(tg_neg(tg_mul(u, x[0])));
    return tg_mean(tg_sub(tg_add(tg_square(u), v), x[1]));
}

static tg_tensor *mish(tg_tensor *const *x) { return tg_mean(tg_mul(x[0], tg_tanh(tg_softplus(x[0])))); }
static tg_tensor *swiglu(tg_tensor *const *x) {
    return tg_mean(tg_mul(tg_mul(x[0], tg_sigmoid(x[0])), x[1]));
}

/* sum of 100 (x[i + 1] - x[i]^2)^2 + (1 - x[i])^2 */
static tg_tensor *rosenbrock(tg_tensor *const *x) {
    tg_tensor *head = tg_slice(x[0], 0, 0, DIMENSIONS - 1, 1), *tail = tg_slice(x[0], 0, 1, DIMENSIONS, 1);
    tg_tensor *valley = tg_square(tg_sub(tail, tg_square(head))), *slope = tg_square(tg_affine(head, -1, 1));
    return tg_sum(tg_add(tg_mul_scalar(valley, 100), slope));
}

/* A planet: q'' = -q / |q|^3, 200 steps of Runge and Kutta's fourth order, and how far it then is from the sun. */
typedef struct place {
    tg_tensor *q, *v;
} place;

static place motion(place p) {
    tg_tensor *r = tg_sum(tg_square(p.q), .keepdim = true);
    return (place){p.v, tg_neg(tg_mul(p.q, tg_pow_scalar(r, -1.5)))};
}
static place ahead(place p, place d, double h) {
    return (place){tg_add(p.q, tg_mul_scalar(d.q, h)), tg_add(p.v, tg_mul_scalar(d.v, h))};
}
static tg_tensor *mixed(tg_tensor *a, tg_tensor *b, tg_tensor *c, tg_tensor *d) {
    return tg_add(tg_add(a, d), tg_mul_scalar(tg_add(b, c), 2));
}

static tg_tensor *orbit(tg_tensor *const *x) {
    const double h = 0.01;
    place p = {x[0], x[1]};
    for (int i = 0; i < STEPS; i++) {
        place a = motion(p), b = motion(ahead(p, a, h / 2)), c = motion(ahead(p, b, h / 2)),
              d = motion(ahead(p, c, h));
        place sum = {mixed(a.q, b.q, c.q, d.q), mixed(a.v, b.v, c.v, d.v)};
        p = ahead(p, sum, h / 6);
    }
    return tg_sum(tg_square(p.q));
}

static void *orbit_make(void) {
    composition *c = malloc(sizeof *c);
    if (c)
        *c = (composition){.n = 2,
                           .f = orbit,
                           .x = {tg_param(tg_from(TG_F32, ((const float[]){1, 0}), 2)),
                                 tg_param(tg_from(TG_F32, ((const float[]){0, 1.1f}), 2))}};
    return c;
}

static void *elementwise_make(void) { return make(3, LARGE, elementwise); }
static void *mish_make(void) { return make(1, LARGE, mish); }
static void *swiglu_make(void) { return make(2, LARGE, swiglu); }
static void *rosenbrock_make(void) { return make(1, DIMENSIONS, rosenbrock); }

static const workload table[] = {
    {"elementwise", elementwise_make, step, end, 0, 6 * 4.0 * LARGE},
    {"mish_composed", mish_make, step, end, 0, 2 * 4.0 * LARGE},
    {"swiglu_composed", swiglu_make, step, end, 0, 4 * 4.0 * LARGE},
    {"rosenbrock", rosenbrock_make, step, end, 0, 0},
    {"orbit", orbit_make, step, end, 0, 0},
};

extern const workload_table composition_workloads;
WORKLOADS(composition_workloads, table);

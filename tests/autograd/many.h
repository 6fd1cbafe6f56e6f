/* For tests of nodes of many inputs and several outputs: an op of each kind, and whether a failed call has left all as it was. */
#ifndef TESTS_AUTOGRAD_MANY_H
#define TESTS_AUTOGRAD_MANY_H

#include "core/array.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/slot.h"
#include "helpers.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#define EQUAL(is, want) equal(__LINE__, is, want)
void equal(int line, double is, double want);

/* ---- out = times * sum over i of (i + 1) x_i^2, broadcast ---- */

typedef struct mix_attr {
    double times;
    int64_t other;
} mix_attr;
extern const mix_attr once;
extern tg_op mix;
void mix_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din);
tg_status mix_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din);

/* The input for which the rule returns nothing, too wide or too narrow a gradient, an error; -1: none. */
extern int without, too_wide, too_narrow, failing;

enum { MOST = 40, COUNTS = 13 };
extern const int counts[COUNTS];

/* [n]: v, v + 1/4, .. */
tg_tensor *row_of(double v, int64_t n);

/* x_i = 1 + i/8 and on, every third of one element, which is repeated; every fifth without gradient but the first. */
void make_inputs(int n, tg_tensor **x);
double slope_of(int i, tg_tensor *x, int n, int64_t e);

/* ---- three outputs: x, x^2, x^3 ---- */

extern tg_op powers;
extern int seen_pattern; /* which outputs had a gradient */
tg_status powers_infer(const tg_call *c);
tg_status powers_forward(const tg_call *c);
tg_status powers_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din);
static inline double weight_of(int o) { return o == 0 ? 2 : o == 1 ? -3 : 5; }

/* ---- hooks ---- */

/* A hook that notes the first element of each gradient, and multiplies it by the number at `user`. */
tg_tensor *note(tg_tensor *grad, void *user);
extern double hooked[4];
extern int n_hooked;

/* ---- what a failed call must leave ---- */

typedef struct before {
    int64_t tensors, nodes, slots;
    size_t live;
    double grad;
    tg_rng rng;
} before;
extern tg_tensor *with_grad; /* a kept leaf that takes part, whose gradient must stay */
before look(void);

/* The call failed with this, and nothing is changed. */
#define UNCHANGED(was, ...) unchanged(__LINE__, was, (const char *[]){__VA_ARGS__, NULL})
void unchanged(int line, before was, const char *const *words);
void begin_with_grad(void);

/* n inputs, the first of which is the kept one. */
void some_inputs(int n, tg_tensor **x);

/* ---- the parts of the case ---- */

void inputs_of_many(TCase *tc);
void outputs_of_many(TCase *tc);
void calls_of_many(TCase *tc);
void graphs_of_many(TCase *tc);

#endif

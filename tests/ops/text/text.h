/* The texts of ops, `formula` and `rule` of autograd/op.h, as expressions that are computed: so that a text which does not say
 * what the op does fails a test.
 *
 *   value.c     arrays of long doubles, and what can be done with them; beside `real`, nothing of the library's kernels
 *   special.c   functions of numbers that C does not have
 *   evaluate.c  a text to a value; docs/add-an-op.md has the notation
 *   node.c      what the names in an op's text stand for at a node of the tape
 */
#ifndef TG_TESTS_OPS_TEXT_TEXT_H
#define TG_TESTS_OPS_TEXT_TEXT_H

#include "tests/ops/harness.h"

typedef long double real;

/* ---- values: arrays in row-major order, which live until values_forget ---- */

typedef struct value {
    tg_shape shape;
    real *v;
} value;

typedef real function_1(real);
typedef real function_2(real, real);

/* What two values are asked for that they cannot give, as a product of matrices that do not fit; NULL: nothing since it was
 * last asked. The result then is NaN. */
const char *values_wrong(void);

void values_forget(void);
value value_new(tg_shape shape);
value value_scalar(real v);
value value_of(const tg_array *a);
value value_shaped(value x, tg_shape shape); /* the same elements */
int64_t value_numel(value x);

value value_map(function_1 *f, value x);
value value_map_2(function_2 *f, value a, value b); /* broadcasts */
value value_choose(value condition, value a, value b);

/* Over the axes whose bits are set, the last axis being bit 0; they stay with size 1. */
value value_fold(function_2 *f, real start, unsigned axes, value x);
value value_others(unsigned axes, value x); /* the product of the others, for each element */
value value_first(unsigned axes, value x);  /* 1 at the first element that is not 0, else 0 */

/* dL/dx of x's shape from one of a shape that x broadcasts to or that broadcasts to x: summed, and repeated. */
value value_fit(value x, tg_shape shape);
value value_repeated(value x, tg_shape shape); /* x broadcasts to the shape, or has as many elements */

/* Matrices in the last two axes. */
value value_product(value a, value b);
value value_transposed(value a);
value value_inverse(value a, value *determinant); /* determinant: [.., 1, 1] */
value value_lower(value a, int offset);           /* the triangle up to this diagonal */

value value_part(value x, int64_t first, int64_t n); /* of the last axis */
value value_joined(value a, value b);                /* along the last axis */
value value_picked(value x, value index);            /* x[.., index], with the last axis of size 1 */
value value_onehot(value index, int64_t n);   /* of [.., 1]: [.., n] */

/* ---- numbers ---- */

real sigmoid_of(real x);
real inverse_erf(real y);
real digamma_of(real x);
real polygamma_of(int order, real x);
real sinc_slope(int order, real x);                  /* of sin(pi x) / (pi x) */
real sigmoid_slope(int order, real scale, real x);   /* of sigmoid(scale x) */
real gaussian_slope(int order, real scale, real x);  /* of e^(-scale x^2) */

/* ---- texts ---- */

enum { MAX_NAMES = 48, NAME = 24 };

typedef struct scope {
    const char *text; /* statements, in which a name is looked for that is not bound */
    struct {
        char name[NAME];
        value is;
    } bound[MAX_NAMES];
    int n, depth;
    unsigned axes;   /* of sum, mean, var, max, min, prod, softmax and first; the last axis is bit 0 */
    tg_shape out[TG_MAX_OUT]; /* the shapes in which the op's outputs stand */
    char error[200]; /* the first thing that is not understood; "": none */
} scope;

void bind(scope *s, const char *name, value is);
value *bound(scope *s, const char *name); /* NULL: none */

/* What the text says that the name is. */
value evaluate(scope *s, const char *name);

/* The values of the first statement, of n at most; returns how many are expressions, and sets *end to where the last one ends.
 * That the first is none is an error. */
int evaluate_first(scope *s, int n, value *v, const char **end);

/* Number i of the statements that say a gradient: what stands before " = ". False: there is none. */
bool gradient_said(const char *rule, int i, char left[64]);
/* "x" of "dx[i]"; of a list as "dh1, .., dhm" the first. */
void input_named(const char *left, char name[NAME]);

/* ---- nodes ---- */

/* Why the text of this node's op is not computed here; NULL: it is. */
const char *not_computed(const tg_node *n);

/* Binds what the texts of n's op name, for these gradients of the outputs. */
void bind_node(scope *s, const tg_node *n, tg_tensor *const *dout);

#endif

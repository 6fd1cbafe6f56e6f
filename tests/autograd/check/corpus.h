/* Cases that checkers got wrong, each with the verdict that is right. */
#ifndef TESTS_AUTOGRAD_CHECK_CORPUS_H
#define TESTS_AUTOGRAD_CHECK_CORPUS_H

#include <tapegrad.h>

/* ---- ops with rules that are wrong in a way of their own ---- */

typedef double scalar_fn(double);
typedef struct elementwise_op { /* out = f(x), whose rule says f' = slope */
    tg_op op;                   /* first, so that a node's op leads here */
    scalar_fn *f, *slope;
} elementwise_op;

tg_status elementwise_forward(const tg_call *c);
tg_status elementwise_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din);
void elementwise_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din);

#define ELEMENTWISE(name_, f_, slope_) \
    { \
        {.name = name_, \
         .n_in = 1, \
         .save = TG_IN(0), \
         .infer = tg_infer_same, \
         .forward = elementwise_forward, \
         .grad = elementwise_grad, \
         .grad_kernel = elementwise_kernel}, \
            f_, slope_ \
    }

/* sin, rounded to the bits of those formats. */
double f16_sin(double x);
double bf16_sin(double x);

/* ---- cases ---- */

typedef enum source { FALSE_ALARM, FALSE_PASS, SHAPE_OF_IT } source;
typedef struct corpus_case corpus_case;
struct corpus_case {
    const char *name;
    source source;
    tg_verdict verdict;
    tg_gradcheck_fn f; /* NULL: `op`, applied to the input */
    elementwise_op op;
    int n;
    double x[8];
    tg_gradcheck_opts opts;
    const char *culprit;                       /* the op that is named; NULL: none is at fault */
    tg_fault fault;                            /* what is wrong with it, where that is asked for */
    tg_tensor *(*input)(const corpus_case *c); /* NULL: the n numbers of x as a vector */
};

/* Rows of a table. */
#define RIGHT(name_, verdict_) .name = name_, .source = FALSE_ALARM, .verdict = verdict_
#define WRONG(name_, op_) .name = name_, .source = FALSE_PASS, .verdict = TG_WRONG, .culprit = op_
#define IDLE(name_) .name = name_, .source = FALSE_PASS, .verdict = TG_NOT_EXERCISED

typedef struct corpus_table {
    const corpus_case *at;
    int n;
} corpus_table;
extern const corpus_table corpus_of_values, corpus_of_shapes, corpus_of_limits;

tg_gradcheck_report corpus_run(const corpus_case *c);

#endif

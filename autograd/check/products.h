/* Private. The functions of a check without tensors (function.h), called on copies, with marks in what they write: what they
 * leave unwritten, write beside it, or change, is an error that says so. */
#ifndef TG_AUTOGRAD_CHECK_PRODUCTS_H
#define TG_AUTOGRAD_CHECK_PRODUCTS_H

#include "autograd/check/function.h"

/* n numbers that a function writes; v is NULL where nothing is allocated. */
typedef struct tg_marked {
    double *v, *block; /* the block begins 16 elements before v, and ends as many behind */
    size_t n;
} tg_marked;

typedef struct tg_by_hand {
    const char *who;
    tg_scalar_fn scalar; /* m = 1 and u = 1; or NULL, and then `vector` and `transpose` */
    tg_gradient_fn gradient;
    tg_vector_fn vector;
    tg_vjp_fn transpose;
    tg_jvp_fn forward; /* NULL: none */
    void *user;
    size_t n, m;
    double *was, *x;  /* the point, and what the functions are given */
    double *u, *v;    /* of m and of n numbers; v is for forward products alone, and along directions */
    double *analytic; /* J^T u */
    tg_marked y, grad;
    double at_point; /* u . y there */
    int64_t evaluations;
} tg_by_hand;

/* Copies the point; draws u from `seed`; calls everything twice, and compares. The caller ends it, also on failure. */
tg_status tg_products_begin(tg_by_hand *p, const double *x, uint64_t seed);
void tg_products_end(tg_by_hand *p);

/* The function gives at the point what it gave at the beginning; else TG_ERR_ARGUMENT. */
tg_status tg_products_check_still(tg_by_hand *p);

/* A line through the point: along the axis of `element`, or, where that is -1, along v. As a tg_line it gives u . f there; NaN
 * with the error raised. */
typedef struct tg_products_line {
    tg_by_hand *products;
    int64_t element;
} tg_products_line;
double tg_products_on_line(double *t, void *line);

/* <u, J v> at the point, v being that line's; *size is what its rounding is relative to. */
double tg_products_forward(tg_by_hand *p, int64_t element, double *size);

#endif

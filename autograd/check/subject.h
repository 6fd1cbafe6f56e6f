/* Private. The function that a gradient check is about: its inputs, its values along a line, and its derivatives of any
 * order. Of order 1 it is S = p . y; of order k + 1 it is S' = sum over i of v_i . dS/dx_i, v random. */
#ifndef TG_AUTOGRAD_CHECK_SUBJECT_H
#define TG_AUTOGRAD_CHECK_SUBJECT_H

#include "autograd/check/gradcheck.h"
#include "autograd/walk.h"
#include "core/random.h"

enum { TG_MAX_ORDER = 8 };

typedef struct tg_subject {
    const char *who;
    tg_gradcheck_fn f;
    void *user;
    int n, order;
    tg_tensor **in; /* what f is given; lines go through those checked, and every element is put back */
    int *which;     /* the numbers of the inputs that require a gradient */
    int n_which;
    tg_array *was;               /* for each of `which`: a copy of what it was */
    bool *unused;                /* for each of `which`: no recorded op leads to it */
    double **analytic;           /* for each of `which`: the derivatives of S */
    double **rounding;           /* and their errors by rounding */
    tg_tensor *p;                /* projection of y */
    tg_tensor **v[TG_MAX_ORDER]; /* v[k]: for each of `which`, that of its gradient of order k */
    tg_tensor **base, **kept; /* what is projected, y or the gradients, at the inputs; NULL: not known yet */
    double moved_size;        /* sum of |p y| over what differed from `base` at the last value, */
    double still_size;        /* and over what did not */
    double natural;           /* of order 1 the sum of |p y| */
    double weights;           /* and that of |p| */
    double jitter;            /* how far S moves where all inputs do by a few units in the last place */
    tg_shape result;          /* of y */
    int64_t odd_element;      /* the first of y that is not finite; -1: none */
    double odd_value;
    bool mutes;           /* the next value takes the weights of what does not move */
    bool records;         /* f takes gradients itself, and its values are made with recording on */
    bool may_stand_alone; /* a result that depends on nothing is no error */
    int64_t evaluations;
    tg_rng rng;
} tg_subject;

/* Reads the inputs; everything lives in the tape's scratch arena but for `was`, which tg_subject_end drops after it has put
 * the elements back. */
tg_status tg_subject_begin(tg_subject *s, tg_tensor *const *in);
void tg_subject_end(tg_subject *s);

/* n elements of the scratch arena, not cleared; NULL with the error raised. */
void *tg_subject_memory(size_t n, size_t size);

/* Draws p and all v for this order, and computes `analytic`. */
tg_status tg_subject_derive(tg_subject *s, int order);

/* The derivatives of S as it is projected now, to[k][i]. */
tg_status tg_subject_derivatives(tg_subject *s, double *const *to);

/* `rounding` and `jitter`: check/rounding.c. And the jitter alone, of S as it is projected now. */
tg_status tg_subject_find_rounding(tg_subject *s);
double tg_subject_jitter(tg_subject *s);

/* S minus what it is at the inputs, element by element, so that nothing is rounded by elements that do not move; NaN with the
 * error raised. */
double tg_subject_value(tg_subject *s);

/* Whether what is projected are, at the inputs, all numbers of single precision. */
bool tg_subject_is_single(const tg_subject *s);

/* At the inputs f gives what it gave when this order began; else TG_ERR_ARGUMENT, for what was judged meanwhile is worth nothing. */
tg_status tg_subject_check_still(tg_subject *s);

/* The first of `which` that f depends on neither by recorded ops nor, where `moved` says so, by its values; -1: none. */
int tg_subject_idle(const tg_subject *s, const bool *moved);

/* The largest magnitude of an element; 0 where there is none. */
double tg_subject_largest(const tg_array *a);

/* A tensor of +-[0.5, 1.5): no element is weighted near zero, and signs differ. */
tg_tensor *tg_subject_random(tg_subject *s, tg_shape shape);

/* The line x_k + t d; d NULL: the unit vector of `element`. */
typedef struct tg_subject_line {
    tg_subject *subject;
    int k;
    int64_t element;
    const double *d;
} tg_subject_line;
double tg_subject_on_line(double *t, void *line); /* NaN, too, where f says that it is outside its domain */

/* Outputs that do not move along the line at t have no weight from here to the end, so that nothing hides what those that move do:
 * check/muted.c. *analytic is the derivative that the tape claims for these alone. */
typedef struct tg_muted {
    tg_array *was; /* the weights of each output */
    int n;
} tg_muted;
tg_status tg_subject_mute(tg_subject *s, tg_subject_line *line, double t, double *analytic, tg_muted *m);
void tg_subject_unmute(tg_subject *s, tg_muted *m);

#endif

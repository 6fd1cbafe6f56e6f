/* Private. The values of phi on a ladder of steps, and the limits that they tend to: autograd/check/verdict.h. */
#ifndef TG_AUTOGRAD_CHECK_LADDER_H
#define TG_AUTOGRAD_CHECK_LADDER_H

#include "autograd/check/verdict.h"

/* A derivative that is 3 % off must be seen to be wrong, more than BARS (autograd/check/judge.c) times u away from n, which may
 * itself be u off: u may be this part of it. */
#define TG_RESOLVED 0.009

enum { TG_RUNGS = 14, TG_FEWEST_RUNGS = 5 };

/* A number with an error bar; `rung` is the finest that it is made of. An infinite error: there is no limit to be seen. */
typedef struct tg_limit {
    double value, error;
    int rung;
} tg_limit;

typedef struct tg_ladder {
    tg_line phi;
    void *user;
    double at_0, noise;
    int n, evaluations;                      /* rungs so far, those left out among them not counted */
    double above[TG_RUNGS], below[TG_RUNGS]; /* the steps: h and, positive too, that to the other side */
    double high[TG_RUNGS], low[TG_RUNGS];    /* phi there */
    tg_limit central, right, left;           /* of D, R and L */
} tg_ladder;

/* Evaluates phi(0); false where that is not finite. */
bool tg_ladder_begin(tg_ladder *l, tg_line phi, void *user, double noise);

/* Goes to h and -h; a step whose values are not finite, or that rounding has swallowed, is left out. Then the limits are
 * those of all rungs so far. False: it was left out. */
bool tg_ladder_descend(tg_ladder *l, double h);

/* D, R and L of rung i, and the noise in each. */
double tg_ladder_central(const tg_ladder *l, int i);
double tg_ladder_right(const tg_ladder *l, int i);
double tg_ladder_left(const tg_ladder *l, int i);
double tg_ladder_noise(const tg_ladder *l, int i);

/* How far phi moves: the largest |phi(h) - phi(0)|. */
double tg_ladder_range(const tg_ladder *l);

/* By how much phi, less trend * t, leaps somewhere between the two: halves the interval, always the half that differs more,
 * until it cannot be halved. Less than `small`, soon, where phi is continuous; 0 where it is not finite. */
double tg_leap(tg_line phi, void *user, double from, double to, double trend, double small);

/* Where the finest rungs do not move at all and the one before them does, by a leap: that of a staircase; or 0. */
double tg_ladder_stair(tg_ladder *l);

/* tg_judge; and phi may be noisier along this line than along the one where opts->noise was measured: before it is said to be
 * WRONG, or that it is too noisy to tell, the noise is measured here, at other points, and where it is twice as large, phi is
 * judged anew by that. What is WRONG still is looked at from closer by. *in_vain counts lines where it was not; after TG_MOST_IN_VAIN of them nothing more is measured. */
enum { TG_MOST_IN_VAIN = 16 };
tg_status tg_judge_twice(tg_line phi, void *user, double analytic, tg_judge_opts *opts, int *in_vain,
                         tg_evidence *out);

#endif

/* Private. An optimiser as optim.c (steps), optim_state.c (its state) and training.c (the state in a file) see it. */
#ifndef TG_OPS_NN_OPTIM_PRIVATE_H
#define TG_OPS_NN_OPTIM_PRIVATE_H

#include "ops/nn/optim/optim.h"
#include "ops/nn/model/state_file.h"
#include "ops/nn/model/store.h"

#define TG_MAX_STEPS (INT64_C(1) << 53) /* a double, in which rules raise to the power of it, counts so far */

/* The state of the model's parameter of the same number. Moments are kept tensors of its dtype and shape. */
typedef struct tg_optim_slot {
    tg_tensor *param; /* whose state it is; another handle means that the model replaced it */
    tg_tensor *moment[TG_MAX_MOMENTS];
    unsigned fresh;  /* the moments that the step under way has made, as a bit set */
    tg_tensor *grad; /* the gradient, during a step; NULL: none */
    int64_t steps;
} tg_optim_slot;

/* The object behind a handle tg_optim *. */
typedef struct tg_optim_object {
    tg_model *model;
    const tg_optim_rule *rule;
    double lr;
    unsigned kept; /* the moments that the options ask for, as a bit set */
    int running;   /* the number of functions of the rule that are running */
    int count;     /* the number of states at `at`, and of calls behind them */
    tg_optim_slot *at;
    tg_optim_call *call;
    _Alignas(16) char opts[]; /* rule->opts_size bytes */
} tg_optim_object;

/* NULL with TG_ERR_ARGUMENT raised when the handle is not that of an optimiser. */
tg_optim_object *tg_optim_object_of(const tg_optim *optim, const char *who);

/* The same for an optimiser that is to be changed, which none of its rule's functions may be running for. */
tg_optim_object *tg_optim_object_idle(tg_optim *optim, const char *who);

/* Asks the rule whether it takes the options, each of which is in its range, and notes which moments they keep. */
tg_status tg_optim_accept(tg_optim_object *o);

/* Makes room for the states of n parameters, new ones empty. */
tg_status tg_optim_grow(tg_optim_object *o, int n);
enum { TG_OPTIM_ROOM = sizeof(tg_optim_slot) + sizeof(tg_optim_call) }; /* bytes for one parameter */

/* Frees the moments, and empties the state. */
void tg_optim_forget(tg_optim_slot *s);

/* Zeros of p's shape and dtype, which the caller owns; NULL with the error raised. */
tg_tensor *tg_optim_new_moment(const tg_tensor *p);

/* ---- in a file (optim_file.c) ---- */

/* Puts what the keys of ops/nn/train/training.h hold of an optimiser, whose model has these parameters. */
tg_status tg_optim_put(const tg_optim *optim, tg_safetensors *set, const tg_store *params);

/* Loading in two halves: `made` is an optimiser with the state of the file, which commit, that cannot fail, exchanges with
 * the one to be changed. steps[number[i]] in the file are those of parameter i. */
typedef struct tg_optim_change {
    tg_optim_object *o;
    tg_optim *made;
} tg_optim_change;
tg_status tg_optim_change_prepare(tg_optim_change *c, tg_optim *optim, const tg_state_file *f, int n,
                                  tg_tensor *const param[], const char *const name[], const int number[]);
void tg_optim_change_commit(tg_optim_change *c);
void tg_optim_change_drop(tg_optim_change *c);

#endif

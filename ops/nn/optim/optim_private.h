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
    int group;        /* the number of its group, -1: none, as of this version of the groups */
    unsigned version; /* 0: of none */
} tg_optim_slot;

/* A group. `set` are the hyperparameters that it names; the others in its options are the optimiser's. */
typedef struct tg_optim_group {
    char *pattern;              /* in the memory of opts */
    double lr, base, lr_factor; /* lr and base, from which a schedule moves lr, where it has its own */
    double next;                /* lr after the step of a schedule that is being made */
    bool own, skip, allow_empty;
    bool matched; /* a parameter of the model */
    int n_set;
    const tg_hyper *set[TG_MAX_SETTINGS];
    unsigned kept; /* as below */
    char *opts;    /* owned, of `size` bytes */
    size_t size;
} tg_optim_group;

/* The object behind a handle tg_optim *. */
typedef struct tg_optim_object {
    tg_model *model;
    const tg_optim_rule *rule;
    double lr;
    unsigned kept; /* the moments that the options ask for, as a bit set */
    int running;   /* the number of functions of the rule that are running */
    int count; /* the number of states at `at`, and of calls behind them; states are the parameters' by number */
    tg_optim_slot *at;
    tg_optim_call *call;
    int groups;
    tg_optim_group *group;
    unsigned version;         /* of the groups; never 0 */
    _Alignas(16) char opts[]; /* rule->opts_size bytes */
} tg_optim_object;

/* NULL with TG_ERR_ARGUMENT raised when the handle is not that of an optimiser. */
tg_optim_object *tg_optim_object_of(const tg_optim *optim, const char *who);

/* The same for an optimiser that is to be changed, which none of its rule's functions may be running for. */
tg_optim_object *tg_optim_object_idle(tg_optim *optim, const char *who);

/* Asks the rule whether it takes the options, each of which is in its range, and notes which moments they keep. */
tg_status tg_optim_accept(tg_optim_object *o, const void *opts, unsigned *kept);

/* Makes room for the states of n parameters, new ones empty. */
tg_status tg_optim_grow(tg_optim_object *o, int n);
enum { TG_OPTIM_ROOM = sizeof(tg_optim_slot) + sizeof(tg_optim_call) }; /* bytes for one parameter */

/* Frees the moments, and empties the state. */
void tg_optim_forget(tg_optim_slot *s);

/* The shape of moment k of p. */
tg_shape tg_optim_moment_shape(const tg_optim_object *o, int k, const void *opts, const tg_tensor *p);

/* Zeros of this shape and p's dtype, which the caller owns; NULL with the error raised. */
tg_tensor *tg_optim_new_moment(const tg_optim_object *o, int k, const void *opts, const tg_tensor *p);

/* ---- steps (optim.c) ---- */

/* Makes what the step of each parameter needs that has a gradient and is not skipped, and its call; returns how many there
 * are. `all`: of each that requires a gradient, of which the call has one of zeros, on the tape. After an error it has changed
 * nothing. */
int tg_optim_prepare_calls(tg_optim_object *o, bool all);

/* After what can fail: everything that a call holds is still alive. `who` is what was running. */
tg_status tg_optim_check_whole(const tg_optim_object *o, const char *who);

/* Frees the moments that a step that failed has made. */
void tg_optim_undo(tg_optim_object *o);

/* Raises the versions of what a step changes. It cannot fail. */
void tg_optim_touch(const tg_optim_object *o, const tg_optim_slot *s);

/* Counts the step of a parameter, and clears its gradient. */
void tg_optim_count(tg_optim_slot *s);

/* ---- groups (group.c) ---- */

/* The group of the parameter of a name, NULL: none, and the numbers that hold for it. */
const tg_optim_group *tg_optim_group_of(const tg_optim_object *o, const char *name);
double tg_optim_rate(const tg_optim_object *o, const tg_optim_group *g);
const void *tg_optim_opts(const tg_optim_object *o, const tg_optim_group *g);
unsigned tg_optim_kept(const tg_optim_object *o, const tg_optim_group *g);

tg_status tg_optim_group_add(tg_optim_object *o, const char *pattern, const tg_optim_group_opts *in);
bool tg_optim_group_names(const tg_optim_group *g, const tg_hyper *h);
void tg_optim_groups_free(tg_optim_object *o);
void tg_optim_groups_print(FILE *file, const tg_optim_object *o);

/* Gives the number to the groups that do not name it themselves. */
tg_status tg_optim_groups_set(tg_optim_object *o, const tg_hyper *h, double value);

/* Raises the error where a pattern has never matched a parameter. */
tg_status tg_optim_check_groups(tg_optim_object *o, const tg_store *params);

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

/* The step of Adam, and of AdamW, whose options are Adam's with `decoupled`. */
void tg_adam_move(const tg_optim_call *call, const tg_adam_opts *o);

#endif

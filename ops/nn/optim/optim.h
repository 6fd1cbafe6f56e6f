/* Optimisers. A rule says how one parameter moves; an optimiser applies a rule to the parameters of a model and keeps what
 * the rule remembers of each. The rules of the library (at the end) and a user's own use the same struct and the same
 * tg_optim_new. examples/rmsprop.c is a complete one; docs/add-an-optimiser.md walks through it.
 *
 * The life of a rule, in order:
 *     tg_optim_new(model, rule, lr, options)
 *       options are given their defaults and held against their ranges; then `check`
 *     tg_optim_step(optim), after tg_backward
 *       every parameter with a gradient is given the moments that it lacks, as zeros
 *       prepare  does what can fail, and what looks at several parameters, and changes nothing
 *       step     changes one parameter and its moments, and cannot fail
 *       the gradients are cleared
 *
 * All or nothing: on any error the parameters, their gradients and the optimiser's state are what they were.
 */
#ifndef TG_OPS_NN_OPTIM_H
#define TG_OPS_NN_OPTIM_H

#include "ops/nn/optim/hyper.h"
#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_optim tg_optim;
typedef struct tg_optim_rule tg_optim_rule;

/* ---- the contract ---- */

/* A moment is a tensor that a rule keeps for each parameter, of its dtype and shape, at first zero. */
typedef struct tg_optim_moment {
    const char *name; /* its key in PyTorch's state_dict, where it has one */
    const char *when; /* the moment is kept only where the hyperparameter of this name is not zero; NULL: always */
} tg_optim_moment;

#define TG_MAX_MOMENTS 4

/* One parameter in one step, as prepare and step see it. All arrays but `work` are contiguous, of the parameter's shape and
 * dtype (f32 or f64), and do not overlap. */
typedef struct tg_optim_call {
    const tg_optim_rule *rule;
    const void *opts; /* the rule's options, with their defaults filled in */
    double lr;
    int64_t t; /* which step of this parameter it is, from 1 */
    const tg_array *param;
    const tg_array *moment[TG_MAX_MOMENTS]; /* in the rule's order; NULL where not kept */
    const tg_array *grad;
    const tg_array *work[TG_MAX_MOMENTS]; /* what prepare leaves for step, of any dtype and shape */
    const tg_tensor *handle;              /* the parameter's, for messages only */
} tg_optim_call;

struct tg_optim_rule {
    const char *name;    /* "adam" */
    const char *formula; /* "p -= lr m / (sqrt(v) + eps)", for the reader; may be NULL */
    const tg_optim_moment *moments;
    int n_moments; /* at most TG_MAX_MOMENTS */

    size_t opts_size;       /* bytes of the struct of options, at most TG_MAX_ATTR; 0: none */
    const tg_hyper *hypers; /* its fields; the learning rate, which every optimiser has, is not among them */
    int n_hypers;

    /* Optional: refuses, by tg_fail, options that are wrong together, such as nesterov without a momentum. */
    tg_status (*check)(const void *opts);

    /* Optional: sees all parameters of the step at once, and changes neither them nor moments. It leaves results for `step`
     * in `work`: tensors made here live until the step is over, and tg_array_of gives their arrays. Recording is off, so a
     * rule can compute with the ops that models are made of (tg_from_array makes a tensor of an array). A failure ends the
     * step, with everything as it was. */
    tg_status (*prepare)(tg_optim_call *calls, int n);

    /* Changes param and moments. It depends on these arrays and numbers alone, so that it can be called again with
     * others. core/update.h has the loops of the library's rules. */
    void (*step)(const tg_optim_call *call);
};

/* ---- use ---- */

/* An optimiser of every parameter that the model has at the time of each step, so that layers that appear later are
 * included. The model must outlive the optimiser (a step without it is TG_ERR_ARGUMENT), and so must the rule, which is
 * usually static. `opts` is copied; NULL means all defaults. Returns NULL with the error raised: TG_ERR_ARGUMENT for a
 * number out of range or a malformed rule (no name, no step, too many moments, a field outside of its struct, ..),
 * TG_ERR_MEMORY, or the error that is pending. */
TG_API tg_optim *tg_optim_new(tg_model *model, const tg_optim_rule *rule, double lr, const void *opts);

/* Uses the gradients that tg_backward accumulated, and clears them. Parameters without a gradient are skipped; a step in
 * which none has one is TG_ERR_TAPE. */
TG_API tg_status tg_optim_step(tg_optim *optim);

/* Frees the optimiser; NULL is ignored. An optimiser that was freed is TG_ERR_ARGUMENT, here and everywhere; so is freeing,
 * stepping or setting one while a function of its rule runs. */
TG_API void tg_optim_free(tg_optim *optim);

/* Prints one line with name, learning rate and hyperparameters.
 *     adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0, decoupled=false)
 * TG_ERR_ARGUMENT for a file that is NULL. */
TG_API void tg_optim_print(FILE *file, const tg_optim *optim);

/* Clears the gradients of all parameters without using them. */
TG_API void tg_model_zero_grad(tg_model *model);

/* ---- state: what a schedule changes and a checkpoint holds ---- */

/* The rule; NULL with TG_ERR_ARGUMENT raised when `optim` is no optimiser. */
TG_API const tg_optim_rule *tg_optim_rule_of(const tg_optim *optim);

/* get returns the hyperparameter of a name, "lr" or a field's (0 or 1 for a bool); NaN with TG_ERR_ARGUMENT raised for
 * another name. set stores the number as it is, 0 included, and refuses what tg_optim_new refuses. */
TG_API double tg_optim_get(const tg_optim *optim, const char *name);
TG_API tg_status tg_optim_set(tg_optim *optim, const char *name, double value);

/* The same for the learning rate. */
TG_API double tg_optim_lr(const tg_optim *optim);
TG_API tg_status tg_optim_set_lr(tg_optim *optim, double lr);

/* The state of the model's parameter number i (tg_model_at). Moments are in the rule's order, NULL where none is kept;
 * those that get returns belong to the optimiser, which may free them in its next step. `steps` is 0 before the first step.
 * set copies the moments; it needs each that the rule keeps, of the parameter's shape and dtype, unless `steps` is 0,
 * which forgets all; steps outside [0, 2^53] are TG_ERR_ARGUMENT. */
typedef struct tg_optim_state {
    int64_t steps;
    tg_tensor *moment[TG_MAX_MOMENTS];
} tg_optim_state;
TG_API tg_status tg_optim_get_state(const tg_optim *optim, int i, tg_optim_state *state);
TG_API tg_status tg_optim_set_state(tg_optim *optim, int i, const tg_optim_state *state);

/* ---- the rules of the library ---- */

/* torch.optim.SGD: with d = g + weight_decay p, p -= lr d without a momentum, else
 *     v = momentum v + d;  p -= lr (nesterov ? d + momentum v : v).
 * nesterov without a momentum is TG_ERR_ARGUMENT. */
typedef struct tg_sgd_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double momentum, weight_decay;
    bool nesterov;
} tg_sgd_opts;
TG_API tg_optim *tg_sgd_with(tg_model *model, double lr, tg_sgd_opts opts);

/* torch.optim.Adam (Kingma and Ba 2015), or with decoupled torch.optim.AdamW (Loshchilov and Hutter 2019):
 *     d = g + weight_decay p  (decoupled: g, and p is first multiplied by 1 - lr weight_decay)
 *     m = beta1 m + (1 - beta1) d;  v = beta2 v + (1 - beta2) d^2
 *     p -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps).
 * The defaults are beta1 0.9, beta2 0.999 and eps 1e-8; TG_ZERO asks for 0. */
typedef struct tg_adam_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double beta1, beta2, eps, weight_decay;
    bool decoupled;
} tg_adam_opts;
TG_API tg_optim *tg_adam_with(tg_model *model, double lr, tg_adam_opts opts);

#ifdef __cplusplus
}
#endif

#endif

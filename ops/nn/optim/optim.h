/* Optimisers. A rule says how one parameter moves; an optimiser applies a rule to the parameters of a model and keeps what
 * the rule remembers of each. The rules of the library (at the end) and a user's own use the same struct and the same
 * tg_optim_new. examples/signum.c is a complete one; docs/add-an-optimiser.md walks through it.
 *
 * The life of a rule, in order:
 *     tg_optim_new(model, rule, lr, options)
 *       options are given their defaults and held against their ranges; then `check`
 *     tg_optim_step(optim), after tg_backward
 *       every parameter with a gradient is given the moments that it lacks, as zeros
 *       prepare  does what can fail, and what looks at several parameters, and changes nothing
 *       step     changes one parameter and its moments, and cannot fail
 *       the gradients are cleared
 * A rule that asks for the loss has `search` in their place, and is stepped by tg_optim_step_closure.
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
    const char *rows; /* the moment is a matrix of as many rows as this hyperparameter says, each of the parameter's elements
                       * in order; once a step has made it, another number is TG_ERR_SHAPE. NULL: of the parameter's shape */
} tg_optim_moment;

#define TG_MAX_MOMENTS 4

/* One parameter in one step, as prepare and step see it. All arrays but `work` are contiguous, of the parameter's shape (or
 * moments of rows) and dtype (f32 or f64), and do not overlap. */
typedef struct tg_optim_call {
    const tg_optim_rule *rule;
    const void *opts; /* the rule's options, with their defaults filled in; those of the parameter's group */
    double lr;        /* the same */
    int64_t t;        /* which step of this parameter it is, from 1 */
    const tg_array *param;
    const tg_array *moment[TG_MAX_MOMENTS]; /* in the rule's order; NULL where not kept */
    const tg_array *grad;
    const tg_array *work[TG_MAX_MOMENTS]; /* what prepare leaves for step, of any dtype and shape */
    const tg_tensor *handle;              /* the parameter's, for messages only */
} tg_optim_call;

/* One step of a rule that asks for the loss itself, as `search` sees it. */
typedef struct tg_optim_search {
    tg_optim_call *calls; /* with the gradients at the parameters as they are */
    int n;
    double loss; /* the same */
    struct tg_optim_closure *closure;
} tg_optim_search;

/* Puts loss and gradients at the parameters as they are now in their places in s. An error is that of the function given to
 * tg_optim_step_closure, or of what the library does with it; `search` returns it. */
TG_API tg_status tg_optim_evaluate(tg_optim_search *s);

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

    /* In place of prepare and step: changes parameters and evaluates, as often as it likes, and changes moments only when
     * nothing can fail any more. On a failure the parameters are what they were. */
    tg_status (*search)(tg_optim_search *s);
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

/* The loss of a program: a scalar made with recorded ops, or the poison tensor after a failure. It is called with recording
 * on, and what it makes ends with the call. */
typedef tg_tensor *(*tg_closure)(void *user);

/* A step with the loss that the closure makes, which is called once, or for a rule that asks for it (tg_lbfgs) several times,
 * each time with other parameters. It neither clears gradients nor calls tg_backward. Returns the loss before the step in
 * *loss, unless that is NULL. For the other rules it is the closure, tg_backward and tg_optim_step, in this order; a rule that
 * asks for the loss does not look at gradients that are there, and clears them. When the closure fails, its error is the
 * step's, and parameters and state are what they were; only parameters that the closure made stay. */
TG_API tg_status tg_optim_step_closure(tg_optim *optim, tg_closure closure, void *user, double *loss);

/* Frees the optimiser; NULL is ignored. An optimiser that was freed is TG_ERR_ARGUMENT, here and everywhere; so is freeing,
 * stepping or setting one while a function of its rule runs. */
TG_API void tg_optim_free(tg_optim *optim);

/* Prints one line with name, learning rate and hyperparameters.
 *     sgd(lr=0.1, momentum=0.9, dampening=0, weight_decay=0.01, nesterov=false, maximize=false)
 * and one for each group, with what is its own.
 *         *.bias: weight_decay=0
 * TG_ERR_ARGUMENT for a file that is NULL. */
TG_API void tg_optim_print(FILE *file, const tg_optim *optim);

/* Clears the gradients of all parameters without using them. */
TG_API void tg_model_zero_grad(tg_model *model);

/* ---- groups: numbers of their own for some of the parameters ---- */

/* A hyperparameter of the rule and its number, in which 0 is 0. */
typedef struct tg_setting {
    const char *name;
    double value;
} tg_setting;

#define TG_MAX_SETTINGS 8

typedef struct tg_optim_group_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double lr;                    /* a learning rate of its own; TG_ZERO asks for 0 */
    double lr_factor; /* without one: the optimiser's, of any time, times this; default 1, TG_ZERO asks for 0 */
    tg_setting set[8]; /* TG_MAX_SETTINGS; the first without a name ends them */
    bool skip; /* a step touches neither these parameters nor their gradients, which are for another optimiser */
    bool allow_empty; /* a pattern that matches nothing is no error */
} tg_optim_group_opts;

/* Parameters whose name matches the pattern have numbers of their own; what a group does not name is the optimiser's.
 *     tg_optim_group(adam, "*.bias", .set = {{"weight_decay", 0}});
 *     tg_optim_group(adam, "encoder.*", .lr_factor = 0.1);
 * In a pattern * is any text, dots too, ? any character, [a-c] one of a set, [!a-c] one of no set, and \ takes the next
 * character as it is (fnmatch). Of the patterns that match a parameter the last one given decides, and the others have no
 * part in it: the general one first. The same pattern again replaces what was said of it, and keeps its place. Since
 * parameters are made by the first call of a layer, it is the step that looks: one in which a pattern has not yet matched
 * any parameter of the model is TG_ERR_ARGUMENT, and changes nothing.
 * A schedule moves a learning rate of its own from that one on by the same formula, as it does PyTorch's param_groups.
 * A rule that asks for the loss takes `skip` alone. TG_ERR_ARGUMENT for a name that is no hyperparameter, for a number out of
 * range, and for two learning rates. */
TG_API tg_status tg_optim_group_with(tg_optim *optim, const char *pattern, tg_optim_group_opts opts);

/* The number that holds for the parameter of a name, which need not exist yet; as tg_optim_get. */
TG_API double tg_optim_get_of(const tg_optim *optim, const char *parameter, const char *name);

/* ---- gradients out of hand: between tg_backward and tg_optim_step ---- */

typedef struct tg_clip_grad_norm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double norm_type;             /* p of tg_norm; default 2, INFINITY for the largest magnitude */
    bool error_if_nonfinite;      /* an infinite or NaN norm is TG_ERR_ARGUMENT, and changes nothing */
} tg_clip_grad_norm_opts;

/* Returns the norm of all gradients of the model together, as if they were one vector, and multiplies them by
 * min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ does. So a norm that is NaN makes all of them NaN, and
 * an infinite one makes those that are finite 0: look at the norm, or ask for the error. With a max_norm of INFINITY it is only
 * measured. Without any gradient it is 0. A plan that is replayed clips by the norm of its own gradients, which is not
 * returned. NaN
 * with the error raised, and all gradients as they were: TG_ERR_ARGUMENT for a max_norm that is negative or NaN, and
 * for a norm_type that tg_norm refuses. */
TG_API double tg_clip_grad_norm_with(tg_model *model, double max_norm, tg_clip_grad_norm_opts opts);

/* Clamps each element of each gradient to [-max, max], as torch.nn.utils.clip_grad_value_ does; NaN stays NaN.
 * TG_ERR_ARGUMENT for a `max` that is negative or NaN. */
TG_API tg_status tg_clip_grad_value(tg_model *model, double max);

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

/* ---- the rules of the library ----
 *
 * Each is the class of torch.optim of its name, step for step; names, defaults and formulas are those, and TG_ZERO asks for 0
 * where the default is another number. In the table g is the gradient, with `maximize` its negative, and plus weight_decay p
 * but where decay is decoupled; r is the learning rate, t counts a parameter's steps from 1.
 *
 *     sgd        p -= r g, or v = momentum v + (1 - dampening) g;  p -= r v  (nesterov: r (g + momentum v))
 *     adam       m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
 *                p -= r (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
 *     adamw      the same, with decoupled decay: p is first multiplied by 1 - r weight_decay
 *     adamax     m = beta1 m + (1 - beta1) g;  u = max(beta2 u, |g| + eps);  p -= r (m / (1 - beta1^t)) / u
 *     rmsprop    v = alpha v + (1 - alpha) g^2;  p -= r g / (sqrt(v) + eps)
 *     adagrad    v += g^2;  p -= r / (1 + (t - 1) lr_decay) g / (sqrt(v) + eps)
 *     adadelta   v = rho v + (1 - rho) g^2;  x = g sqrt(u + eps) / sqrt(v + eps);  u = rho u + (1 - rho) x^2;  p -= r x
 *     lion       p -= r sign(beta1 m + (1 - beta1) g);  m = beta2 m + (1 - beta2) g;  decoupled decay
 *     muon       m = momentum m + (1 - momentum) g;  p -= r O, with O near to the orthogonal matrix nearest to m;
 *                decoupled decay
 *     lbfgs      p += a d, with d = -H g and H the inverse Hessian that the last steps tell of
 */

/* torch.optim.SGD. In the first step of a parameter v is g, whatever the dampening. nesterov without a momentum, or with
 * dampening, is TG_ERR_ARGUMENT. */
typedef struct tg_sgd_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double momentum, dampening, weight_decay;
    bool nesterov, maximize;
} tg_sgd_opts;
TG_API tg_optim *tg_sgd_with(tg_model *model, double lr, tg_sgd_opts opts);

/* torch.optim.Adam (Kingma and Ba 2015), with amsgrad AMSGrad (Reddi, Kale and Kumar 2018), where the largest v so far takes
 * the place of v, with decoupled AdamW. The defaults are beta1 0.9, beta2 0.999 and eps 1e-8. */
typedef struct tg_adam_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double beta1, beta2, eps, weight_decay;
    bool decoupled, amsgrad, maximize;
} tg_adam_opts;
TG_API tg_optim *tg_adam_with(tg_model *model, double lr, tg_adam_opts opts);

/* torch.optim.AdamW (Loshchilov and Hutter 2019): tg_adam with decoupled decay, of which the default is 0.01. */
typedef struct tg_adamw_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double beta1, beta2, eps, weight_decay;
    bool amsgrad, maximize;
} tg_adamw_opts;
TG_API tg_optim *tg_adamw_with(tg_model *model, double lr, tg_adamw_opts opts);

/* torch.optim.Adamax (Kingma and Ba 2015). The defaults are beta1 0.9, beta2 0.999 and eps 1e-8. */
typedef struct tg_adamax_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double beta1, beta2, eps, weight_decay;
    bool maximize;
} tg_adamax_opts;
TG_API tg_optim *tg_adamax_with(tg_model *model, double lr, tg_adamax_opts opts);

/* torch.optim.RMSprop (Tieleman and Hinton 2012). `centered` takes the square of the mean gradient, a = alpha a +
 * (1 - alpha) g, from v; with a momentum, b = momentum b + g / (sqrt(v) + eps) and p -= r b. The defaults are alpha 0.99 and
 * eps 1e-8. */
typedef struct tg_rmsprop_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double alpha, eps, momentum, weight_decay;
    bool centered, maximize;
} tg_rmsprop_opts;
TG_API tg_optim *tg_rmsprop_with(tg_model *model, double lr, tg_rmsprop_opts opts);

/* torch.optim.Adagrad (Duchi, Hazan and Singer 2011); v begins with initial_accumulator_value. The default of eps is 1e-10. */
typedef struct tg_adagrad_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double lr_decay, initial_accumulator_value, eps, weight_decay;
    bool maximize;
} tg_adagrad_opts;
TG_API tg_optim *tg_adagrad_with(tg_model *model, double lr, tg_adagrad_opts opts);

/* torch.optim.Adadelta (Zeiler 2012), whose lr is 1 in PyTorch. The defaults are rho 0.9 and eps 1e-6. */
typedef struct tg_adadelta_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double rho, eps, weight_decay;
    bool maximize;
} tg_adadelta_opts;
TG_API tg_optim *tg_adadelta_with(tg_model *model, double lr, tg_adadelta_opts opts);

/* Lion (Chen et al. 2023), which torch.optim lacks: formula and defaults of the paper, beta1 0.9 and beta2 0.99. sign(0) is
 * 0. A step is r in size, whatever the gradient, so r is about a tenth of Adam's, and weight_decay ten times. */
typedef struct tg_lion_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double beta1, beta2, weight_decay;
    bool maximize;
} tg_lion_opts;
TG_API tg_optim *tg_lion_with(tg_model *model, double lr, tg_lion_opts opts);

/* torch.optim.Muon (Jordan et al. 2024), for the matrices of hidden layers. With X = m (nesterov: (1 - momentum) g + momentum
 * m), divided by max(|X|, eps) and transposed where it has more rows than columns, ns_steps times
 *     A = X X^T;  X = a X + (b A + c A^2) X
 * (a Newton-Schulz iteration in products of matrices, which draws all singular values near to 1; ns_a, ns_b, ns_c), and
 *     p -= r max(1, rows / columns)^(1/2) X  (match_rms_adamw: r 0.2 max(rows, columns)^(1/2) X).
 * PyTorch iterates in bfloat16, and this in the parameter's dtype. A parameter that is no matrix is TG_ERR_SHAPE: give it, and
 * embeddings, to another optimiser of the same model,
 *     tg_optim_group(muon, "*.bias", .skip = true);
 *     tg_optim_step(muon), tg_optim_step(adam);      // the second sees what the first has skipped
 * The defaults are momentum 0.95, weight_decay 0.1, eps 1e-7, ns_steps 5, ns_a 3.4445, ns_b -4.775 and ns_c 2.0315. */
typedef struct tg_muon_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double momentum, weight_decay, eps, ns_a, ns_b, ns_c;
    int64_t ns_steps;
    bool plain_momentum; /* PyTorch's nesterov, which is its default, is false */
    bool match_rms_adamw;
} tg_muon_opts;
TG_API tg_optim *tg_muon_with(tg_model *model, double lr, tg_muon_opts opts);

/* torch.optim.LBFGS (Liu and Nocedal 1989), for tg_optim_step_closure: a step is up to max_iter iterations with at most
 * max_eval losses. Each goes along d = -H g, for which the last history_size changes of p and g stand. Without a line search
 * it goes lr far (in the first iteration of all lr min(1, 1 / |g|_1)), with strong_wolfe to a point where the loss and its
 * slope along d have become less by the conditions of that name (c1 1e-4, c2 0.9). The step ends early where |g| is nowhere
 * above tolerance_grad, and where loss or parameters change by no more than tolerance_change. The sums are in f64, with a second
 * copy of the history during the step. A loss that is not finite is TG_ERR_ARGUMENT, but the line search turns back from it
 * unless it is the first of the step. The defaults
 * are max_iter 20, max_eval 5/4 max_iter, tolerance_grad 1e-7, tolerance_change 1e-9, history_size 100. PyTorch's lr is 1. */
typedef struct tg_lbfgs_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t max_iter, max_eval, history_size;
    double tolerance_grad, tolerance_change;
    bool strong_wolfe, maximize;
} tg_lbfgs_opts;
TG_API tg_optim *tg_lbfgs_with(tg_model *model, double lr, tg_lbfgs_opts opts);

#ifdef __cplusplus
}
#endif

#endif

/* Plans: a step recorded once and replayed.
 *
 * A training step does the same to other numbers each time. Run through a plan it is recorded as it runs, as a list of calls
 * of kernels, and from then on the list is run in its place: without handles, shape rules, nodes, a walk or allocation, on
 * memory laid out once. The step is an ordinary function; eager and planned it is the same code and gives the same bits.
 *
 *     static tg_tensor *step(tg_tensor *const *in, void *user) {
 *         trainer *t = user;
 *         tg_tensor *loss = tg_cross_entropy(net(t->model, in[0]), in[1]);
 *         tg_backward(loss);
 *         tg_optim_step(t->adam);
 *         return loss;
 *     }
 *     ...
 *     tg_plan *plan = tg_plan_new(step, &t);
 *     while (...) {
 *         tg_mark before = tg_tape_mark();
 *         double loss = tg_item(tg_plan_run(plan, x, y));
 *         tg_tape_rewind(before);
 *     }
 *     tg_plan_free(plan);
 *
 * When it is recorded. Two runs in a row that did the same, in the same order, on arrays of the same layouts, with the same
 * numbers in what the step made itself (tg_full, tg_from) or drew for itself (tg_rng_uniform), are one recording; the third
 * run replays it. So whatever changes
 * from run to run without being an input (a counter, a scale that the step computes on the host) never freezes: the
 * runs differ and stay eager, and the fifth is an error that names what differed and the line. What is the same in two runs and
 * another only later (a rate that a schedule of one's own changes each epoch, a host array given to tg_from) does freeze, as
 * no call of the step happens any more that could tell: give it as an input, or keep it in a tensor (tg_keep) and change
 * that between runs. Parameters that layers make on
 * the first run are no difference.
 *
 * What a replay does as the eager step would: draws from the same random streams (one of the caller's own, `.rng`, has to live
 * as long as the plan; a variable of the step is refused); uses the learning rate, the step count and
 * the parameters as they are then; adds to gradients that are there; checks indices and classes, and raises the error with the
 * line of the step.
 *
 * Guards. Before a replay the plan looks whether a recording holds, and otherwise makes one, keeping the others for when
 * they hold again: dtypes, shapes and strides of the inputs; whether recording is on (tg_set_grad_enabled); which tensors
 * require a gradient; the training mode of the models; that each parameter still has its memory; where the step itself uses
 * a gradient that it has stored, that it was new, or added to, as when it was recorded. In the middle of a replay it looks at what the
 * library decided by the numbers (is the sum of a loss infinite?): where that differs, the run is undone up to there,
 * which costs nothing but the time, and done eagerly. Where gradients were stored or an optimiser has stepped by then, it is
 * TG_ERR_TAPE.
 *
 * Several threads at once. A plan made with `.shared = true`, for inference, may be run by any number of threads at the same time:
 *
 *     tg_plan *plan = tg_plan_new(forward, model, .shared = true);
 *     ...
 *     tg_tensor *y = tg_plan_run(plan, x);                              each thread, with inputs of its own
 *
 * They share the recordings. Memory is one arena for each thread that runs at the same moment, made when it is first needed, and
 * used again by whichever thread comes next. Nobody waits: one thread at a time records, and others with inputs of which
 * there is no recording yet run the step eagerly meanwhile. So the step is called by several threads at once, and what layers
 * make on their first run has to be there by then: load the model, or run the plan once. Each thread draws from its own default
 * stream, has its own setting of tg_set_grad_enabled, and sees parameters as they are then, as in an eager run; who changes
 * them takes care that nobody reads them meanwhile.
 *
 * The step of a shared plan changes nothing that outlives the run. Gradients stored in parameters or inputs (tg_grad returns them
 * instead), optimisers, clipping, ops in place on parameters, on buffers (batch_norm in training mode) or on inputs, and
 * streams of the caller's own (`.rng`) are TG_ERR_TAPE, named with their line, and not done.
 *
 * Groups. Elementwise work on as many elements becomes one pass over memory, in blocks that stay in the first-level cache. With
 * `.compile` it becomes a loop in C, written of the same expressions, which the system's compiler (`cc`, or what TG_CC names)
 * compiles when the recording is made, so that values stay in registers: the same bits, but that of two NaN either may be
 * the result. That takes about half a second a recording, more on a busy machine, and nothing in the next process, since
 * what was compiled is kept in a folder: TG_CACHE, or tapegrad in XDG_CACHE_HOME or ~/.cache, which must be the user's own.
 * Where it fails, for want of a compiler or of such a folder, blocks are run as ever: tg_plan_stats counts
 * groups, and tg_plan_print tells why.
 *
 * What cannot be recorded is an error that names it, raised while the step is recorded: elements that leave for the host
 * (tg_item, tg_get, tg_data, tg_copy_out, tg_array_of, tg_print, a file) after they were computed from inputs or parameters,
 * since what they decide there would be frozen; a tape tensor from outside of the step that is no input; hooks; changes of an
 * optimiser's or a model's settings inside the step; tg_seed. */
#ifndef TG_AUTOGRAD_PLAN_H
#define TG_AUTOGRAD_PLAN_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_plan tg_plan;

/* One step, of the inputs given to tg_plan_run; `user` is what tg_plan_new was given. Any program of tensors: forward,
 * tg_backward or tg_grad, tg_optim_step, clipping. What it returns is the result; an error it leaves pending fails the run. */
typedef tg_tensor *tg_step(tg_tensor *const *in, void *user);

typedef struct tg_plan_new_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int recordings; /* how many are kept, for inputs of several shapes; 0: 8. The one that was used longest ago goes: where more
                       shapes than that come in turn, all runs are eager */
    bool shared; /* several threads may run it at the same time */
    bool compile; /* groups are compiled, below; so are those of all plans where TG_PLAN_COMPILE is set, and not to 0 */
} tg_plan_new_opts;

/* A plan, which the caller frees. It belongs to no thread, but is run by one at a time unless it is shared. NULL with the error raised:
 * TG_ERR_ARGUMENT where the step is NULL, TG_ERR_MEMORY. */
TG_API tg_plan *tg_plan_new_with(tg_step *step, void *user, tg_plan_new_opts opts);

/* Frees it and its memory. NULL is ignored. TG_ERR_ARGUMENT while it runs, on any thread. */
TG_API void tg_plan_free(tg_plan *plan);

/* Runs the step of n inputs: eagerly while it is not recorded, and as recorded from then on. The result is a tensor of
 * the current tape, in memory of its own, without a history; all other tensors that the step made are gone. Inputs are any tensors; one that has a
 * history counts as a constant, and gradients arrive at those that are leaves and require one, as from tg_backward.
 * After an error the result is the poison tensor, and what the step had changed by then is as the eager step would have left
 * it. TG_ERR_ARGUMENT: the plan is NULL, freed, or, unless it is shared, running on another thread or in the middle of a run of its own; the step was
 * another in each of four runs. TG_ERR_TAPE: something that cannot be recorded, or not in a shared plan. */
TG_API tg_tensor *tg_plan_run_with(tg_plan *plan, int n, tg_tensor *const *in);

/* What a plan has done and holds. */
typedef struct tg_plan_stats {
    int64_t eager, replayed; /* runs */
    int64_t undone;          /* of the eager ones: those that began as a replay and met another decision */
    int64_t recorded;        /* recordings made; `kept` of them are there */
    int kept;
    int64_t calls;  /* of the last recording used: calls in its list */
    int64_t unused; /* calls of the step that are not in it, since nobody uses what they make */
    int64_t fused;  /* of these: elementwise ones that are run block by block with others */
    int copies; /* arenas that it has: 1, or of a shared plan the most threads that ran it at the same time */
    int groups; /* passes that these were made; `compiled` of them by the compiler, in compile_seconds */
    int compiled;
    int straight; /* runs of calls on a few elements that the compiler has made straight-line code of, in that time too */
    double compile_seconds;
    int sums; /* calls (tg_sum, tg_mean) of all elements of what a pass makes, which sums them on the way */
    size_t arena;       /* bytes of one */
    size_t lower_bound; /* the largest sum of bytes alive at once, below which no layout can come */
} tg_plan_stats;
TG_API tg_plan_stats tg_plan_stats_of(const tg_plan *plan);

/* Prints the last recording used: one line a call with op, shapes, and the line of the step; before it, or before the calls that
 * are run together, bytes and flops, and how long it took in the mean of the runs that a profile measured
 * (autograd/profile/profile.h), with its share. Without such a run there are no times. */
TG_API void tg_plan_print(FILE *file, const tg_plan *plan);

#ifdef __cplusplus
}
#endif

#endif

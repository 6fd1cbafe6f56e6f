/* The training loop: epochs, evaluation, checkpoints and reports over what a training consists of.
 *
 *     static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
 *         return tg_cross_entropy(net(m, batch[0]), batch[1]);
 *     }
 *     static tg_tensor *accuracy(tg_model *m, tg_tensor **batch, void *user) {
 *         return tg_eq(tg_argmax(net(m, batch[0]), 1), batch[1]);
 *     }
 *     ..
 *     tg_training run = {.model = m, .optim = adam, .schedule = cosine, .loader = train};
 *     if (tg_fit(&run, loss, .epochs = 10, .validation = test, .metrics = (tg_metric[]){{"accuracy", .f = accuracy}, {0}},
 *                .folder = "run", .log = stderr) != TG_OK)
 *         fprintf(stderr, "%s\n", tg_error_message());
 *
 * It is made of public calls and can be taken apart: ops/nn/train/ has evaluate.h, progress.h, interrupt.h, grad_profile.h and
 * training.h, and autograd/blame/ nonfinite.h, for loops of your own.
 */
#ifndef TG_OPS_NN_TRAIN_FIT_H
#define TG_OPS_NN_TRAIN_FIT_H

#include "ops/nn/train/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is measured in evaluation, beside the loss. A list ends with {0}, and has at most TG_FIT_METRICS. */
#define TG_FIT_METRICS 8
typedef struct tg_metric {
    const char *name; /* letters, digits, - and _ */
    tg_batch_fn f;    /* as tg_evaluate has it */
    bool lower;       /* a lower one is better, as of an error */
} tg_metric;

/* What a training has come to. `epoch`, `step` and `seconds` are those of all runs together, and the seconds those of steps,
 * without evaluation and saving. The score is the mean of the first metric, or else the loss in evaluation, or, without
 * .validation, in training. */
typedef struct tg_fit_report {
    int64_t epoch, step; /* so many are done */
    double seconds;
    double rate;                     /* examples a second in this epoch */
    double lr;                       /* of the last step */
    double norm;                     /* of its gradients before .clip, without which it is 0 */
    tg_meter loss;                   /* over this epoch, of each batch before its step */
    tg_meter validation;             /* the loss in evaluation, after the epoch */
    tg_meter metric[TG_FIT_METRICS]; /* in evaluation */
    double score, best;              /* of this epoch, and the best so far */
    int64_t best_epoch;              /* 0: none yet */
    bool interrupted;                /* by Ctrl-C */
    bool stop;                       /* set by after_epoch: no further epoch */
} tg_fit_report;

/* Called after an epoch, its evaluation and saving. */
typedef tg_status (*tg_epoch_fn)(tg_fit_report *report, void *user);

typedef struct tg_fit_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */

    /* How many epochs there are to be, those before a .resume included; 1 when left out. An epoch is the loader's, or
     * epoch_steps steps, for which the loader goes round and round; without a loader they are needed. A step has the
     * averaged gradients of `accumulate` batches, 1 when left out; each counts alike, a smaller last one too. */
    int64_t epochs, epoch_steps, accumulate;

    tg_loader *validation;    /* evaluated after each epoch; NULL: nothing is */
    const tg_metric *metrics; /* over .validation; NULL: none */
    void *user;               /* for the functions */
    bool schedule_by_epoch; /* the schedule takes a step after each epoch, with the score; otherwise after each step */

    FILE *log; /* the bar of progress.h and a line an epoch; NULL: nothing is printed */
    bool gradients; /* in .folder, gradients.csv and gradients.svg of this run (ops/nn/train/grad_profile.h), before .clip */
    bool plan; /* the loss of a batch and its gradients are a plan: recorded once and replayed, with the same bits. What that asks of
                  * `loss` is in autograd/plan/plan.h: no number may leave it for the host (tg_item) */
    bool compile; /* the plan's groups are compiled */
    double clip; /* the norm that all gradients of a step together have at most; 0: any (tg_clip_grad_norm) */
    const char *folder;      /* where files go; it is made where it is missing; NULL: nowhere */
    int last;                /* how many numbered checkpoints are kept; 1 when left out */
    bool resume;             /* goes on from the latest checkpoint in the folder, where there is one */
    tg_epoch_fn after_epoch; /* NULL: none */
    tg_fit_report *report;   /* is given what the training has come to; NULL: not needed */
} tg_fit_opts;

/* Trains run->model with run->optim on the batches of run->loader until so many epochs are done. A step is
 *     loss(model, batch, user), one number of f32 or f64;  tg_backward;  tg_optim_step;  tg_schedule_step
 * (a rule that asks for the loss, such as tg_lbfgs, tg_optim_step_closure) and the tape is rewound behind it. Without a loader `batch` is NULL, as for losses that draw their own points, and counts
 * as one example. The model is in training mode, and gets back the mode that it had.
 *
 * After each epoch it evaluates, and in .folder writes
 *     latest, best, step-<step>.safetensors   by tg_training_keep, with the score; the file has run's parts, and the
 *                                             program's own numbers and texts beside those of this loop, "fit/.."
 *     log.csv                                 a line an epoch: epoch, step, seconds, rate, lr, loss, loss_error, ..
 *     loss.svg, <metric>.svg                  curves, with the standard error as a band
 *     gradients.csv, gradients.svg            with .gradients: their norms, .. of each step of this run, by layer
 * each of which appears whole or not at all. With .resume it goes on from the latest, also in the middle of an epoch, bit for
 * bit as if it had never stopped, and the log goes on as well; where that is of the last epoch, the model is evaluated, for
 * the report, and no more.
 *
 * On Ctrl-C (SIGINT) the step that is running is finished, a checkpoint without a score is written, and tg_fit returns
 * TG_OK with report.interrupted set; another one ends the process (ops/nn/train/interrupt.h).
 *
 * With run->dist the steps are shared with other processes, all of which call tg_fit (ops/nn/dist/dist.h): both loaders are ones
 * with shards, an evaluation is one of all processes, and rank 0 prints and writes. The folder must be one that all see. Ctrl-C of
 * any process ends them all. There is no .plan, .accumulate (the loader has .parts) or run->rng then (TG_ERR_ARGUMENT).
 *
 * A loss that is NaN or infinite, and a gradient that has such a number, is TG_ERR_ARGUMENT, before the step: parameters and
 * optimiser are what they were after the step before, and so are the files. The message has the step and what
 * tg_find_nonfinite_in says of the loss, or tg_find_nonfinite_grad of the gradients, for which `loss` is called once more with
 * the same batch. (Buffers, as of batch_norm, have seen the batch.)
 *
 * Any other failure ends the training in the same way: the gradients of a step that was not made are cleared. TG_ERR_ARGUMENT
 * is for a run without a model or an optimiser, counts out of range, .accumulate, .clip, .gradients and .plan with a rule that asks for the loss, .compile without .plan, .gradients without .folder, metrics without .validation or with unfit names, and a
 * .resume without .folder; TG_ERR_SHAPE for a loss of several numbers; TG_ERR_IO for a folder that cannot be made. */
TG_API tg_status tg_fit_with(const tg_training *run, tg_batch_fn loss, tg_fit_opts opts);

#ifdef __cplusplus
}
#endif

#endif

/* Private. What fit.c, fit_check.c and fit_log.c share: a training under way. */
#ifndef TG_OPS_NN_TRAIN_FIT_PRIVATE_H
#define TG_OPS_NN_TRAIN_FIT_PRIVATE_H

#include "ops/nn/train/fit.h"
#include "ops/nn/train/grad_profile.h"

/* The numbers of the loop in a checkpoint: epochs and steps that are done, steps in the epoch that is running, seconds, the
 * best score and its epoch, and the meter of the epoch's losses. */
enum { AT_EPOCH, AT_STEP, IN_EPOCH, SECONDS, BEST, BEST_EPOCH, COUNT, MEAN, SPREAD, PARTS, TG_FIT_NUMBERS };

typedef struct tg_fitting {
    tg_training run; /* with the numbers of the loop beside the program's own */
    tg_batch_fn loss;
    tg_fit_opts o;
    int metrics;
    tg_fit_report r;
    tg_rng standard, own; /* the streams as they were before the last batch */
    tg_meter running;     /* the losses of the epoch so far */
    int64_t in_epoch;     /* steps of the epoch that are made */
    int64_t all_steps;    /* steps of an epoch */
    double number[TG_FIT_NUMBERS];
    double *row; /* the log: a row an epoch, of columns() numbers */
    int64_t rows, room;
    tg_grad_profile *gradients; /* NULL: not asked for, or no step was made yet */
    struct tg_plan *plan;       /* NULL: batches are run eagerly */
    bool stop;                  /* some process was interrupted */
    int planned;                /* tensors of the batch that it runs */
} tg_fitting;

/* Refuses what makes no sense, fills in what was left out, and makes the folder. */
tg_status tg_fit_check(tg_fitting *f);

/* A loss is one number, else TG_ERR_SHAPE. */
tg_status tg_fit_check_shape(const tg_tensor *loss);

/* The gradients of a step that several processes share: fit_dist.c. False at the end of an epoch, and on failure. */
bool tg_fit_dist_gradients(tg_fitting *f);
tg_status tg_fit_dist_check(tg_fitting *f);
bool tg_fit_dist_writes(const tg_fitting *f); /* whether it is this process that writes files */
bool tg_fit_dist_finds(const tg_fitting *f, const char *path); /* whether all processes find the file */
void tg_fit_dist_evaluate(const tg_fitting *f, tg_batch_fn g, tg_meter *meter);

/* The plan that was asked for: fit_plan.c. A run adds the gradient of the batch's loss over `parts`, and returns the loss. */
tg_status tg_fit_plan_begin(tg_fitting *f);
void tg_fit_plan_end(tg_fitting *f);
double tg_fit_plan_run(tg_fitting *f, tg_tensor **batch, int64_t parts);

/* Adds the report to the log, and writes log.csv and the curves. */
tg_status tg_fit_log_add(tg_fitting *f);

/* Reads the rows of the epochs that are done back from the folder. */
tg_status tg_fit_log_read(tg_fitting *f);
void tg_fit_log_free(tg_fitting *f);

/* Before a step, of its gradients; and after an epoch, the files. */
tg_status tg_fit_gradients_step(tg_fitting *f);
tg_status tg_fit_gradients_save(const tg_fitting *f);

/* The line about an epoch. */
void tg_fit_log_print(const tg_fitting *f);

/* Writes "<folder>/<name>"; TG_ERR_ARGUMENT where that is too long. */
#define TG_FIT_PATH 4096
tg_status tg_fit_path(const tg_fitting *f, char path[TG_FIT_PATH], const char *name);

#endif

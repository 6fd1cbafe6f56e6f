/* The whole state of a training in one file, from which it goes on as if it had never stopped, bit for bit.
 *
 *     double epoch = 0, best = 0;
 *     tg_training run = {.model = m, .optim = adam, .loader = images,
 *                        .numbers = (tg_number[]){{"epoch", &epoch}, {"best", &best}, {0}}};
 *     if (resume) tg_training_load(&run, "run/latest.safetensors");
 *     while (epoch < 20) {
 *         ..
 *         epoch++;                                   // before it is saved: so many are done
 *         tg_training_keep(&run, "run", (int64_t)epoch, accuracy, .last = 3);
 *     }
 *
 * The file is a model file (ops/nn/model/model_file.h), so that tg_model_load reads the model alone from it. Beside the model it
 * holds
 *     optim/rule                    the name of the rule, a text
 *     optim/lr, optim/beta1, ..     the learning rate and the hyperparameters, f64
 *     optim/steps                   of each parameter, in the order of the text "parameters", i64
 *     optim/exp_avg/fc1.weight, ..  the moments that are kept, or were until an option changed
 *     group/0                       the pattern of the optimiser's first group, a text
 *     group/0/weight_decay, ..      the numbers that it names, lr_factor or its own lr and base among them, f64
 *     schedule/kind                 the names of the formulas, "linear, cosine", a text
 *     schedule/step, ..             tg_schedule_state: base and best f64, the others i64
 *     random/default, random/own    seed and next of a stream (core/random.h), as two i64 of the same bits
 *     loader/position               the integers of tg_loader_state, in its order
 *     number/epoch, text/note, ..   the program's own numbers, f64, and texts
 *     keep/score                    the score with which tg_training_keep saved it, f64
 *     checksum                      a text, over all the others (ops/nn/model/state_file.h has the formula), so that a bit that
 *                                   fell over on the disk is noticed
 * A parameter or buffer with one of these names cannot be saved (TG_ERR_ARGUMENT).
 */
#ifndef TG_OPS_NN_TRAINING_H
#define TG_OPS_NN_TRAINING_H

#include "ops/nn/data/loader.h"
#include "ops/nn/model/model_file.h"
#include "ops/nn/optim/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A number of the program's own, and where it is. A list ends with {0}. */
typedef struct tg_number {
    const char *name;
    double *value;
} tg_number;

/* A text of the program's own, in UTF-8, and where it is: `size` bytes, of which the text and its NUL take as many as they
 * need. */
typedef struct tg_text {
    const char *name;
    char *text;
    size_t size;
} tg_text;

typedef struct tg_dist tg_dist; /* several processes: ops/nn/dist/dist.h */

/* What a training consists of. What is NULL is not part of it; the model is always, and so is the calling thread's default
 * stream of random numbers. */
typedef struct tg_training {
    tg_model *model;
    tg_optim *optim;       /* of this model */
    tg_schedule *schedule; /* of this optimiser */
    tg_loader *loader;
    tg_rng *rng; /* a stream of the program's own */
    const tg_number *numbers;
    const tg_text *texts;
    tg_dist *dist; /* shares it with other processes, all of which call the functions below: rank 0 writes, and all read */
} tg_training;

/* Writes all of it. The file appears whole or not at all (tg_safetensors_save). */
TG_API tg_status tg_training_save(const tg_training *run, const char *path);

/* Reads all of it back: everything or nothing. The model may be empty, or have the same parameters and buffers
 * (tg_model_load). TG_ERR_ARGUMENT is for an optimiser of another rule or of other groups, a schedule of other formulas, a loader of other
 * data, a number out of the range of its hyperparameter, and a part of the run that the file does not have, TG_ERR_FORMAT
 * for one that is not as described above, and for a checksum that does not agree. What the file has besides is left
 * alone. */
TG_API tg_status tg_training_load(const tg_training *run, const char *path);

typedef struct tg_training_keep_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int last;                     /* how many to keep; default 1 */
    bool lower;                   /* a lower score is better, as of a loss */
} tg_training_keep_opts;

/* Saves it in an existing folder as "step-<number>.safetensors", the number not negative and with 12 digits, and then under
 * two more names:
 *     latest.safetensors     this file
 *     best.safetensors       this file, if its score is better than that of the one that stood there, or none did; a score
 *                            that is NaN is never better, and a file that is damaged worse than any
 * Each name stands for the old file or the new one at any moment, never for a part of one. Of the files with a number the
 * `last` highest are kept, and the others removed. Names are links to one file where the file system has them, copies
 * otherwise. */
TG_API tg_status tg_training_keep_with(const tg_training *run, const char *folder, int64_t number,
                                       double score, tg_training_keep_opts opts);

#ifdef __cplusplus
}
#endif

#endif

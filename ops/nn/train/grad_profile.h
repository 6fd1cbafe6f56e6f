/* Gradients over the steps of a training, by parameter and by layer: norm, share of zeros, least and largest element.
 *
 *     tg_grad_profile *p = tg_grad_profile_new(m, .every = 10);
 *     for (..) {
 *         ..
 *         tg_backward(loss);
 *         tg_grad_profile_step(p);                      // gradients are there, and not used yet
 *         tg_optim_step(adam);
 *     }
 *     tg_grad_profile_save(p, "gradients.csv");
 *     tg_grad_profile_plot(p, "gradients.svg");         // a row a layer, a column a step: vanishing is dark, exploding bright
 *     tg_grad_profile_free(p);
 *
 * tg_fit does the same with .gradients = true. docs/debugging.md says what the picture shows.
 */
#ifndef TG_OPS_NN_TRAIN_GRAD_PROFILE_H
#define TG_OPS_NN_TRAIN_GRAD_PROFILE_H

#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_grad_profile tg_grad_profile;

typedef struct tg_grad_profile_new_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t every;                /* only every so many-th step is looked at; 1 when left out */
    int64_t first;                /* the number of the first step; 1 when left out */
} tg_grad_profile_new_opts;

/* A profile of the model's parameters, of which there may be none yet. The caller frees it, before or after the model. NULL
 * with the error raised: TG_ERR_ARGUMENT for a scope and for counts below 0, TG_ERR_MEMORY. */
TG_API tg_grad_profile *tg_grad_profile_new_with(tg_model *model, tg_grad_profile_new_opts opts);
TG_API void tg_grad_profile_free(tg_grad_profile *p);

/* Looks at all gradients that there are: one pass over them, and nothing in the steps between. On failure (TG_ERR_MEMORY, a
 * model that was freed, the pending error) the step does not count. */
TG_API tg_status tg_grad_profile_step(tg_grad_profile *p);

/* What was seen of one parameter, or of a layer, at one step. A layer is what the names of its parameters have before the
 * last dot, fc1 of fc1.weight and fc1.bias, and a name without a dot is a layer of its own. With g over all of its elements:
 *     norm = sqrt(sum g^2)    zeros = share of g = 0    min, max = least and largest g
 * NaN makes norm, min and max NaN. Parameters without a gradient at the step have no row. */
typedef struct tg_grad_row {
    int64_t step;
    const char *name; /* as long as the profile */
    bool layer;
    double norm, zeros, min, max;
} tg_grad_row;

/* Writes the first `most` rows to row[0 ..], step by step, the parameters in the order of the model, each before its
 * layer; and returns how many rows there are. -1 with TG_ERR_ARGUMENT for an array that is NULL, or with TG_ERR_MEMORY. */
TG_API int64_t tg_grad_profile_rows(const tg_grad_profile *p, tg_grad_row *row, int64_t most);

/* The rows as a CSV file: "step,kind,name,norm,zeros,min,max", where kind is parameter or layer. It appears whole or not at
 * all, and is compressed where the path ends in ".gz". */
TG_API tg_status tg_grad_profile_save(const tg_grad_profile *p, const char *path);

typedef enum tg_grad_figure { TG_GRAD_NORM, TG_GRAD_ZEROS } tg_grad_figure;
typedef struct tg_grad_profile_plot_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_grad_figure what;          /* the norm, as its logarithm to base 10, or the share of zeros */
    bool parameters;              /* a row each, in place of the layers */
    const char *title;            /* what it shows, when left out */
} tg_grad_profile_plot_opts;

/* A heat map (ops/nn/plot/plot.h) of steps, from left to right, and layers, the first above: where gradients vanish on their way
 * back the upper rows are darker than the lower ones, and where they explode a row gets brighter from left to right and ends
 * in a gap. A gap is a gradient that is not there, not finite, or, in a picture of norms, all zero. Errors as of
 * tg_plot_heatmap; TG_ERR_ARGUMENT for a profile that has no row to draw. */
TG_API tg_status tg_grad_profile_plot_with(const tg_grad_profile *p, const char *path,
                                           tg_grad_profile_plot_opts opts);

#ifdef __cplusplus
}
#endif

#endif

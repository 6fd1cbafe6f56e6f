/* Hyperparameters are numbers in a struct that a table describes field by field, so that they can be given defaults,
 * checked, read by name, set, printed and saved. Rules of optimisers have such a table (ops/nn/optim/optim.h).
 *
 *     typedef struct lion_opts { double beta1, beta2; bool maximize; } lion_opts;
 *     static const tg_hyper hypers[] = {{"beta1", TG_ATTR_REAL, offsetof(lion_opts, beta1), .standard = 0.9, .below = 1}, ..
 *
 * `at` is the struct, whose type must be the one that the table describes; nothing checks it. */
#ifndef TG_OPS_NN_HYPER_H
#define TG_OPS_NN_HYPER_H

#include "autograd/op.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_hyper {
    const char *name;  /* PyTorch's, where it has one */
    tg_attr_type type; /* TG_ATTR_REAL, TG_ATTR_INT or TG_ATTR_BOOL */
    size_t offset;
    double standard; /* the default, for which 0 stands (false for a bool); TG_ZERO asks a TG_ATTR_REAL for 0 itself */
    double least, below; /* the range is [least, below); without an end where `below` is 0, left out */
} tg_hyper;

/* Checks that the table describes fields of a struct of `size` bytes: each has a name of its own, one of the three types,
 * and an aligned offset within the struct; TG_ERR_ARGUMENT otherwise. */
TG_API tg_status tg_hyper_check(const tg_hyper *table, int n, size_t size);

/* Puts defaults where 0 stands for them, and then checks all ranges (TG_ERR_ARGUMENT). */
TG_API tg_status tg_hyper_complete(const tg_hyper *table, int n, void *at);

/* The hyperparameter of this name, or NULL. */
TG_API const tg_hyper *tg_hyper_find(const tg_hyper *table, int n, const char *name);

/* get returns the number, 0 or 1 for a bool. set stores the number as it is, 0 included; one that is out of range, or not
 * an integer where the type is, is TG_ERR_ARGUMENT. */
TG_API double tg_hyper_get(const tg_hyper *hyper, const void *at);
TG_API tg_status tg_hyper_set(const tg_hyper *hyper, void *at, double value);

/* Writes "beta1=0.9". */
TG_API void tg_hyper_print(FILE *file, const tg_hyper *hyper, const void *at);

#ifdef __cplusplus
}
#endif
#endif

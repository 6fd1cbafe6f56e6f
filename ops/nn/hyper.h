/* Hyperparameters: numbers in a struct that a table describes field by field, so that they can be given defaults, checked,
 * read by name, set, printed and saved. Rules of optimisers have such a table (ops/nn/optim.h).
 *
 *     typedef struct lion_opts { double beta1, beta2; bool maximize; } lion_opts;
 *     static const tg_hyper hypers[] = {{"beta1", TG_ATTR_REAL, offsetof(lion_opts, beta1), .standard = 0.9, .below = 1}, ..
 *
 * `at` is the struct, of the type that the table describes, which nothing checks. */
#ifndef TG_OPS_NN_HYPER_H
#define TG_OPS_NN_HYPER_H

#include "autograd/op.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_hyper {
    const char *name;  /* as in PyTorch, where it has one */
    tg_attr_type type; /* TG_ATTR_REAL, TG_ATTR_INT or TG_ATTR_BOOL */
    size_t offset;
    double standard; /* what 0, left out, stands for. TG_ZERO asks for 0 itself where the type is TG_ATTR_REAL; of a bool
                      * it is false */
    double least, below; /* the range is [least, below); below 0, left out: any finite number from `least` on */
} tg_hyper;

/* Whether the table describes fields of a struct of `size` bytes: each has a name, one of the three types, and a place;
 * TG_ERR_ARGUMENT otherwise. */
TG_API tg_status tg_hyper_check(const tg_hyper *table, int n, size_t size);

/* Puts defaults where 0 stands for them, and then checks all ranges (TG_ERR_ARGUMENT). */
TG_API tg_status tg_hyper_complete(const tg_hyper *table, int n, void *at);

/* The one of this name, or NULL. */
TG_API const tg_hyper *tg_hyper_find(const tg_hyper *table, int n, const char *name);

/* The number; 0 and 1 for a bool. Set takes it as it is, 0 too, and refuses what is out of range or, where it should be
 * one, no integer (TG_ERR_ARGUMENT). */
TG_API double tg_hyper_get(const tg_hyper *hyper, const void *at);
TG_API tg_status tg_hyper_set(const tg_hyper *hyper, void *at, double value);

/* Writes "beta1=0.9". */
TG_API void tg_hyper_print(FILE *file, const tg_hyper *hyper, const void *at);

#ifdef __cplusplus
}
#endif
#endif

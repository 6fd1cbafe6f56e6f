/* The bench: workloads by name, timed one step at a time. Names, shapes and optimisers are those of the
 * PyTorch side of the comparison, so the two columns can be put side by side. A new one is a line of
 * workloads.def. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <tapegrad.h>

typedef struct workload {
    const char *name;
    void *(*make)(void);       /* state of the workload; NULL on failure, with an error pending */
    void (*step)(void *state); /* one training step, or one forward and backward */
    void (*end)(void *state);
} workload;

extern const workload workloads[];
extern const int n_workloads;

#define WORKLOAD(name, kind) \
    void *name##_make(void); \
    void kind##_step(void *state); \
    void kind##_end(void *state);
#include "workloads.def"
#undef WORKLOAD

/* ---- training of a model: forward, backward, one step of the optimiser ---- */

typedef struct training {
    tg_model *model;
    tg_optim *optim; /* for make to set */
    tg_tensor *x, *y;
    tg_tensor *(*loss)(tg_model *model, tg_tensor *x, tg_tensor *y);
} training;

training *training_make(tg_tensor *x, tg_tensor *y, tg_tensor *(*loss)(tg_model *, tg_tensor *, tg_tensor *));

/* n classes in [0, classes), i64. */
tg_tensor *random_classes(int64_t n, uint64_t classes);

#endif

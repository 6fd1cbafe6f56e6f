/* The bench: workloads by name, timed one step at a time. Names, shapes and optimisers are those of the PyTorch
 * side of the comparison, so the two columns can be put side by side. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <tapegrad.h>

typedef struct workload {
    const char *name;
    void *(*make)(void);       /* state of the workload; NULL on failure, with an error pending */
    void (*step)(void *state); /* one training step, or one forward and backward */
    void (*end)(void *state);
} workload;

/* The tables of workloads, each ended by one without a name. */
extern const workload model_workloads[], row_workloads[];

#endif

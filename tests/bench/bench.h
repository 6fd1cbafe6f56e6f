/* The bench: workloads by name, timed one step at a time. Names, shapes and optimisers are those of peer_torch.py,
 * so the two columns can be put side by side. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <tapegrad.h>

/* Batches of a share of the size, for whoever runs the workloads and times none (tests/plans). */
#ifndef BENCH_SHARE
#define BENCH_SHARE 1
#endif
#define SHARE(n) ((n) / BENCH_SHARE)

typedef struct workload {
    const char *name;
    void *(*make)(void);       /* state of the workload; NULL on failure, with an error pending */
    void (*step)(void *state); /* one training step, or one forward and backward */
    void (*end)(void *state);
    double flops, bytes; /* the floor of a step: what its matrix products compute, and what has to move through
                                  memory; both 0: none stated */
} workload;

/* One table a file; list.c lists them. */
typedef struct workload_table {
    const workload *rows;
    int n;
} workload_table;

#define WORKLOADS(name, rows) const workload_table name = {rows, (int)(sizeof(rows) / sizeof *(rows))}

/* Workload number i of all tables; NULL behind the last. */
const workload *workload_at(int i);

/* A workload that runs, and its step as that of a plan without inputs. */
typedef struct running {
    const workload *w;
    void *state;
} running;
tg_tensor *running_step(tg_tensor *const *in, void *of);

/* Seconds on a clock that only goes forward; the order of doubles for qsort. */
double seconds_now(void);
int ascending(const void *a, const void *b);

/* Median seconds a call of step(state) takes, after three to warm up. */
double seconds_a_step(void (*step)(void *state), void *state, double seconds);

/* ---- training of a model ---- */

typedef tg_tensor *loss_fn(tg_model *model, tg_tensor *x, tg_tensor *y);
typedef struct training {
    tg_model *model;
    tg_optim *optim;
    tg_tensor *x, *y;
    loss_fn *loss;
} training;

/* Takes the data into its keeping; the caller adds the optimiser. */
training *training_make(tg_tensor *x, tg_tensor *y, loss_fn *loss);
void training_step(void *state); /* loss, backward, optimiser */
void training_end(void *state);

/* n numbers of [0, classes) as i64, in this shape. */
tg_tensor *random_classes(tg_shape shape, uint64_t classes);

/* Bytes that Adam moves for n parameters: reads p, g, m and v, writes p, m and v, in f32. */
#define ADAM_BYTES(n) (28.0 * (n))

#endif

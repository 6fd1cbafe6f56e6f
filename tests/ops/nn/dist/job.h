/* A training that is run by so many threads, each a rank of its own, over pairs of sockets. */
#ifndef TESTS_OPS_NN_DIST_JOB_H
#define TESTS_OPS_NN_DIST_JOB_H

#include "tests/ops/nn/helpers.h"

#include <inttypes.h>

typedef struct job {
    int ranks, threads;
    int64_t shards, batch, parts, examples, bucket;
    int64_t steps; /* that are made, over the ends of epochs */
    int64_t prefetch;
    bool thread, adopt_late, skip_layer, f64, frozen;
    double delay, rate, timeout;
    const char *load, *save; /* checkpoints: read before the first step, written after the last one */
} job;

typedef struct outcome {
    uint64_t parameters, buffers; /* hashes */
    double loss[64];
    double accuracy, error; /* of an evaluation at the end */
    int64_t examples[64];
    tg_dist_stats stats;
    uint64_t mallocs; /* of the last step but two, by all threads */
    tg_status status;
    char message[2048];
} outcome;

/* Runs the job, and checks that all ranks have come to the same; returns what rank 0 has. */
outcome job_run(job j);

/* One rank, on this thread. */
void job_rank(const job *j, tg_transport *end, outcome *o);

#endif

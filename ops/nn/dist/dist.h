/* Several machines: one training shared by the processes of an MPI job, with the same bits at any number of processes.
 *
 *     tg_model *m = tg_model_new(1);
 *     tg_optim *adam = tg_adam(m, 1e-3);
 *     tg_dist *d = tg_dist_begin(m);                                               // one line more
 *     tg_loader *train = tg_loader_new(2, data, .batch = 64, .shuffle = true,
 *                                      .shards = tg_dist_shards(d), .rank = tg_dist_rank(d), .ranks = tg_dist_size(d));
 *     while (tg_dist_gradients(d, train, loss, NULL, NULL)) tg_optim_step(adam);   // in place of tg_backward
 *     tg_dist_end(d);                                                              // and another
 *
 *     cc train.c .. && mpirun -np 4 ./train                            docs/several-machines.md goes from here to a cluster
 *
 * tg_fit does the same where the training has .dist = d. `loss` is a function of a batch (tg_batch_fn), as tg_fit takes it.
 *
 * ---- what is computed ----
 *
 * A batch of N examples is divided, in the loader's order, into S *virtual shards* of n_0 .. n_S-1 examples (S is .shards, and
 * has nothing to do with the number of processes). With L_s the loss over shard s, a mean over its examples, the gradient of
 * the step is
 *     g = sum over s of (n_s / N) dL_s/dp,       added as a tree:  T(a, b) = T(a, m) + T(m, b),  m = a + ceil((b - a) / 2)
 * so that an uneven last batch is weighted as it should be. Rank r of R computes the shards in [r S / R, (r + 1) S / R), each by
 * a forward and a backward pass of its own, and adds what stands under one node of the tree; what crosses ranks is added in the
 * order of the tree as well. Floating-point addition is the same everywhere, so g does not depend on R: training with 1, 2, 3 or
 * 4 processes, on any number of threads, gives the same parameters to the last bit, and one that is continued on another number
 * of processes goes on as if nothing had happened. Another S is another sum, and other bits.
 *
 * Between the shards nothing leaks: each begins with the buffers as they were before the step and with random numbers of its
 * own (the default stream of the calling thread is set to one of the step and the shard, which dropout then draws from).
 * *Buffers*, such as the running statistics of batch norm, are afterwards
 *     b + sum over s of (n_s / N) (b_s - b),     b_s being what shard s made of b;  of whole numbers: b_0
 * in f64 and by the same tree. (A batch norm normalises by the statistics of its shard. The running variance is the mean of the
 * shards' variances.) *The loss* that tg_dist_gradients gives is sum (n_s / N) L_s. A parameter that no shard has a gradient
 * for has none, as in one process; one that only some have a gradient for counts as zero in the others.
 *
 * *Gradient accumulation* is the loader's .parts: each shard is passed in so many pieces, whose gradients are added before anything
 * is sent. `batch` is what one step sees; memory is that of a piece.
 *
 * ---- how it travels ----
 *
 * Gradients are put in *buckets* of .bucket bytes at most, or of one larger parameter, in the order in which the backward walk
 * completes them: the last layer's first. That order is seen in the first step, and is that of rank 0. While the walk of a rank's last shard goes on, a
 * bucket that is full is cut in R chunks; chunk r goes to rank r from all others, is added up there, and goes back to all
 * (reduce-scatter, then all-gather). So a rank sends and receives, with G bytes of gradients,
 *     bytes = 2 (R - 1) / R G       in 2 (R - 1) messages a bucket
 * (the former half once for each subtree of the rank's shards, which is once where S / R is a power of two and at most
 * 2 log2(S / R) times). With latency a, bandwidth w and B buckets, communication takes about
 *     t = 2 a + bytes / w    for the last bucket, and hides behind the walk for the others
 * as long as the walk takes longer than they do. tg_dist_stats_of tells how much was hidden. Messages go on while the walk does,
 * each time that a parameter's gradient is complete, and with .thread on a thread of their own.
 *
 * ---- when something goes wrong ----
 *
 * Every rank returns an error within .timeout seconds, and none hangs. It is TG_ERR_PEER where another rank is the cause, and
 * names the rank, the step, and the parameter whose gradient was waited for:
 *     tg_dist_gradients: rank 2 has ended: step 17, the gradient of fc2.weight (its process has ended)
 * A rank whose step fails by itself (a shape that does not fit, no memory, a file that cannot be read) tells the others, whose
 * error has its message. In all these cases parameters, buffers, random numbers, the loader and the optimiser are what they were
 * before the step, and there are no gradients. After a failure the tg_dist cannot be used any more: each call returns the
 * same error. End the program with a status other than 0, which ends the job, and start it again from the last checkpoint.
 *
 * At the first step the ranks compare what must be equal: versions, shards, the seed of the model, the position of the loader,
 * the random numbers, and the names, dtypes and shapes of parameters and buffers. The first line that differs is the error.
 * Then parameters and buffers are sent from rank 0 to all. Each message has the number of its step and bucket, hashes of that
 * list, of the random numbers, and of the parameters and the training mode, and a checksum, so that ranks that drift apart, or a bit
 * that fell over, are noticed. A parameter or buffer that the function makes in the middle of a step is TG_ERR_ARGUMENT, and so is a
 * function of this header that is called inside of it.
 *
 * ---- where this is not torch.nn.parallel.DistributedDataParallel ----
 *
 *  - Results do not depend on the number of processes. DDP's do: order of addition, batch, and random numbers all change.
 *  - `batch` is that of all processes together; the learning rate need not be scaled.
 *  - The last batch is uneven without Join, and a mean over the batch is one over its examples, not one of means of ranks.
 *  - There is no find_unused_parameters: what was not used is known when the walk ends.
 *  - There is no no_sync: .parts accumulates.
 *  - Buffers are averaged after the step; DDP sends those of rank 0 before it.
 *  - A step is one call with a function, not a wrapped module: errors in it can so be told to the others.
 *  - A rank that fails is named; the others do not wait for a watchdog.
 */
#ifndef TG_OPS_NN_DIST_DIST_H
#define TG_OPS_NN_DIST_DIST_H

#include "ops/nn/dist/transport.h"
#include "ops/nn/train/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_dist_begin_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t shards;               /* S, at least as many as there are processes; 4 when left out */
    int64_t bucket;               /* bytes; the larger of 64 KiB and 16 KiB a process when left out */
    double timeout; /* seconds without any message, after which a rank counts as lost; 60 when left out */
    bool thread;    /* messages go on by a thread of the library's, beside the walk's own calls */
    const void *communicator; /* an MPI_Comm * of a program that has called MPI_Init_thread, of which a duplicate is used; NULL:
                                 all processes of the job, and MPI is begun and ended here, unless the program has done it */
    tg_transport *transport; /* in place of MPI; ended by tg_dist_end. NULL: MPI */
    double delay,
        rate; /* for experiments on one machine: seconds that a message takes longer, and bytes a second that leave a
                           rank; 0: as it is. The processes must have the same monotonic clock. */
} tg_dist_begin_opts;

/* Joins the processes of the job, all of which call it. `model` must outlive what is returned. Nothing is sent yet. NULL with the error raised:
 * TG_ERR_ARGUMENT for a number out of range, for fewer shards than processes, and where the library was built without MPI
 * (-Dmpi=enabled; Debian: libopenmpi-dev, openmpi-bin) and no .transport is given; TG_ERR_PEER for what MPI reports; TG_ERR_MEMORY.
 * A transport that was given is ended then, too. */
TG_API tg_dist *tg_dist_begin_with(tg_model *model, tg_dist_begin_opts opts);

/* Waits until all ranks have come here, and frees d; NULL is ignored. While an error is pending, and after a failure, it
 * waits for nobody, and tells the others. TG_ERR_PEER where another rank does not come. */
TG_API tg_status tg_dist_end(tg_dist *d);

/* This process's number, how many there are, and the number of shards. Of NULL: 0, 1 and 0, so that a loader that is made with
 * them gives whole batches, and one program serves with and without. */
TG_API int tg_dist_rank(const tg_dist *d);
TG_API int tg_dist_size(const tg_dist *d);
TG_API int64_t tg_dist_shards(const tg_dist *d);

/* What a step was given and gave. */
typedef struct tg_dist_report {
    double loss;      /* of the batch, the same on all ranks */
    int64_t examples; /* in the batch */
    bool stop;        /* whether tg_interrupted() on any rank: all may leave their loops together */
} tg_dist_report;

/* Leaves in the model's parameters the gradient of the loader's next batch, the same bits on all ranks, for tg_optim_step; all
 * ranks call it. f(model, batch, user) is called once for each piece of this rank's shards, with recording on and the tape
 * rewound behind it, and once more in the very first step, in evaluation mode, so that parameters and buffers are there. The
 * loader is one with .shards = tg_dist_shards(d), or NULL, with which each shard is one call of f with batch NULL, and one
 * example. False at the end of an epoch, once, as tg_loader_next; and false on failure (see above), TG_ERR_ARGUMENT for a
 * loader of other shards, TG_ERR_TAPE for a parameter that has a gradient already, TG_ERR_SHAPE for a loss of several numbers. report may
 * be NULL. */
TG_API bool tg_dist_gradients(tg_dist *d, tg_loader *loader, tg_batch_fn f, void *user, tg_dist_report *report);

/* tg_evaluate over all ranks: the loader is one with shards, each of which has a meter, and these are added as a tree, so that mean and error are
 * the same bits at any number of processes. A last batch with fewer examples than shards times .parts is left out, as in training
 * (ops/nn/data/loader.h). All ranks call it. */
TG_API tg_status tg_dist_evaluate(tg_dist *d, tg_loader *loader, tg_batch_fn f, void *user, tg_meter *meter);

/* Sends parameters and buffers of rank 0 to all, as for a model that only rank 0 has loaded; the first step does it by itself.
 * All have the same names and shapes, as is checked. */
TG_API tg_status tg_dist_broadcast(tg_dist *d);

/* value[i] becomes its sum over all ranks, as a tree over ranks; for counts and times, since its bits may depend on how many ranks
 * there are. */
TG_API tg_status tg_dist_sum(tg_dist *d, int n, double *value);

/* Whether all ranks are well, as when one of them has written a file: TG_OK where no error is pending on any; where one is, it is
 * told to the others, and stays raised. */
TG_API tg_status tg_dist_agree(tg_dist *d);

/* Measured since the beginning, on this rank, in the steps after the first. */
typedef struct tg_dist_stats {
    int64_t steps;
    double bytes, messages; /* sent, in exchanges of gradients */
    double under_way;       /* seconds in which some bucket was */
    double waited;          /* of these, seconds after the walk, in which nothing else was done */
    double hidden;          /* 1 - waited / under_way; 1 for one process */
    double seconds;         /* in tg_dist_gradients */
    int buckets;
} tg_dist_stats;
TG_API tg_dist_stats tg_dist_stats_of(const tg_dist *d);

#ifdef __cplusplus
}
#endif

#endif

/* Loaders: the examples of a data set in batches, epoch after epoch.
 *
 *     tg_loader *train = tg_loader_new(2, (tg_tensor *[]){images, labels}, .batch = 64, .shuffle = true, .seed = 1);
 *     tg_tensor *batch[2];
 *     for (int epoch = 0; epoch < 3; epoch++)
 *         while (tg_loader_next(train, batch)) {
 *             tg_mark step = tg_tape_mark();
 *             if (tg_backward(tg_cross_entropy(net(m, batch[0]), batch[1])) == TG_OK) tg_optim_step(adam);
 *             tg_tape_rewind(step);
 *         }
 *     tg_loader_free(train);
 *
 * A batch depends on the seed, the number of its epoch and its number in the epoch, and on nothing else: not on what was
 * drawn before, and not on the thread that prepares it. So a loader that is set to a position goes on as the one it was
 * taken from.
 */
#ifndef TG_OPS_NN_LOADER_H
#define TG_OPS_NN_LOADER_H

#include "core/random.h"
#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_loader tg_loader;

/* What is done to a batch before it is given out, such as augmentation or conversion to floats: it changes the n tensors in
 * place, which are copies, or puts others, of any dtype and shape, in their places. Recording is off. Random numbers come from
 * `rng`, a stream of the batch's own that is this thread's default stream as long as the function runs, so that tg_rand and
 * its like draw from it too. A failure, by tg_fail or of an op, is that of the call of tg_loader_next which would have given
 * the batch, with its own message. With .prefetch the function runs on the loader's thread: what it reads by `user` must not
 * be written meanwhile, and handles there must be of kept tensors. It may not use the loader that calls it. */
typedef tg_status (*tg_transform)(tg_tensor **batch, int n, tg_rng *rng, void *user);

typedef struct tg_loader_new_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t batch;                /* examples in a batch; 1 when left out */
    bool shuffle;        /* each epoch has an order of its own; otherwise all have that of the tensors */
    uint64_t seed;       /* of the orders, and of the transforms' random numbers */
    bool drop_last;      /* leaves the last batch of an epoch out where it has fewer examples */
    int64_t rank, ranks; /* gives out part `rank` of `ranks`, from 0 on; 1 part when left out */
    int64_t shards,
        parts; /* with shards, a batch is that of all ranks together, and is given in pieces; 0: whole. 1 part when left out */
    int64_t prefetch;       /* how many batches a thread of the loader prepares ahead; 0: it has none */
    tg_transform transform; /* NULL: none */
    void *user;             /* for the transform */
} tg_loader_new_opts;

#define TG_LOADER_TENSORS 64

/* A loader over the examples of n tensors, 1 to TG_LOADER_TENSORS, whose first axes are equal: example i is place i of each. It keeps the
 * elements, as tg_keep does, and copies none: the tensors may be freed or rewound. Changes in place show in batches that are
 * prepared later; with .prefetch they must not be made while the loader lives. NULL with an error raised: TG_ERR_SHAPE for a
 * scalar, first axes that differ, and too few examples for one batch; TG_ERR_ARGUMENT for options out of range,
 * TG_ERR_MEMORY, or the error that is pending.
 *
 * With `ranks` the loaders of all ranks, otherwise made alike, share each epoch: batch k of rank r has the examples from
 * (k ranks + r) batch on in the epoch's order, so that together they are batch k of a loader of ranks * batch examples. All
 * give equally many. What is left for the last one is divided evenly, earlier ranks having one more where it does not go
 * up; fewer examples than ranks are left out of the epoch, as drop_last leaves out any rest. No example is given out twice.
 *
 * With `shards` = S, which do not depend on the number of ranks, `batch` examples are one batch of all ranks together
 * (ops/nn/dist/dist.h). Its n examples are divided evenly, in their order, into S shards, and each shard into `parts` pieces,
 * earlier ones having one more where it does not go up. This loader gives, batch after batch, the pieces of the shards
 *     s in [rank S / ranks, (rank + 1) S / ranks),   rounded down,
 * one after another, and tg_loader_last tells which one it was. So a piece and the random numbers of its transform are the same
 * whoever gives it. A batch has at least S * parts examples (TG_ERR_ARGUMENT); a last one of fewer is left out of the epoch. There
 * are at most S ranks. */
TG_API tg_loader *tg_loader_new_with(int n, tg_tensor *const *tensors, tg_loader_new_opts opts);

/* Gives the next batch: batch[i] has the examples of tensor i, on the current tape and without a history, and lives as the
 * result of an op does. False at the end of an epoch, once, after which the next call begins the next epoch; and false on
 * failure and while an error is pending, so that loops end, and tg_error_status tells. A failure stays at its batch: another
 * call tries again. When it is false every batch[i] is poison.
 *
 * With .prefetch, a thread of the loader's own prepares batches, on one core, from the first call on. Where the system gives
 * no thread, and in a child forked from the process, until it has its own, the result is the same. A loader may be used by
 * one thread at a time. */
TG_API bool tg_loader_next(tg_loader *loader, tg_tensor **batch);

/* What the last call of tg_loader_next gave. Without shards a batch has one shard and one part. */
typedef struct tg_loader_piece {
    int64_t batch, shard, part; /* its numbers, from 0 on */
    int64_t examples, of;       /* how many it has, and the batch */
    bool first, last; /* whether it is the first, or last, piece of the batch that this loader gives */
} tg_loader_piece;

/* TG_ERR_ARGUMENT before the first call, and after one that gave none. */
TG_API tg_status tg_loader_last(const tg_loader *loader, tg_loader_piece *piece);

/* How many batches an epoch has. 0 with the error raised when it is no loader. */
TG_API int64_t tg_loader_batches(const tg_loader *loader);

/* The position, as a checkpoint holds it: which batch the next call gives, or, in the midst of a batch that is given in pieces, the
 * batch that it is in, from the first piece on. It is the same for all ranks, and any number of them. `batches` and `examples`
 * say what it is a position in. */
typedef struct tg_loader_state {
    uint64_t seed;
    int64_t epoch, next;       /* from 0 on; next == batches: the end of the epoch */
    int64_t batches, examples; /* of an epoch; of the tensors */
} tg_loader_state;
TG_API tg_status tg_loader_get_state(const tg_loader *loader, tg_loader_state *state);

/* Goes on from there; the seed is the state's. The loader must have been made with the same options and as many examples: a
 * state of other numbers of batches or examples, or out of range, is TG_ERR_ARGUMENT and changes nothing. */
TG_API tg_status tg_loader_set_state(tg_loader *loader, const tg_loader_state *state);

/* Frees the loader, after a transform that is running has returned; batches that it has given stay. NULL is ignored; a second
 * free is an error, here and everywhere (TG_ERR_ARGUMENT). */
TG_API void tg_loader_free(tg_loader *loader);

#ifdef __cplusplus
}
#endif

#endif

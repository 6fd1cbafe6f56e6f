/* Private. A loader, between loader.c (making and using one), loader_batch.c (what is in a batch) and loader_thread.c (batches
 * prepared ahead).
 */
#ifndef TG_OPS_NN_LOADER_PRIVATE_H
#define TG_OPS_NN_LOADER_PRIVATE_H

#include "autograd/tape.h"
#include "core/memory.h"
#include "ops/nn/data/loader.h"

enum { TG_LOADER_AHEAD = 1024 };

typedef struct tg_position {
    int64_t epoch, next; /* next: pieces of the epoch; without shards a batch is one piece */
} tg_position;

/* A batch, or that there is none. */
typedef struct tg_prepared {
    tg_tensor *tensor[TG_LOADER_TENSORS]; /* kept; NULL: none */
    tg_status status;
} tg_prepared;

typedef struct tg_worker tg_worker; /* a thread and the batches that it has prepared */

/* The object behind a handle tg_loader *. While there is a worker, it alone uses the order. */
typedef struct tg_loading {
    int n;
    tg_tensor *source[TG_LOADER_TENSORS]; /* kept */
    tg_loader_new_opts opts;
    int64_t examples, batches;
    int64_t shard, pieces; /* its first shard; of a batch it gives so many pieces */
    tg_position at;        /* of the next piece that is given out */
    bool given;            /* the piece before it was */
    int64_t *order;        /* of the epoch's examples; without shuffling, room for the places of a batch */
    int64_t order_epoch;   /* -1: of none */
    tg_worker *worker;     /* NULL: there is none now */
} tg_loading;

/* What a loader was made with, defaults filled in; NULL with the error raised. */
const tg_loader_new_opts *tg_loader_options(const tg_loader *handle);

/* ---- loader_batch.c ---- */

/* Prepares a batch; no error is pending before. Nothing stays on the tape. */
tg_status tg_loader_prepare(tg_loading *l, tg_position at, tg_prepared *p);

/* Puts a batch on the current tape. */
tg_status tg_loader_give(const tg_loading *l, const tg_prepared *p, tg_tensor **batch);
void tg_loader_drop(const tg_loading *l, tg_prepared *p);

/* The piece at a position. */
tg_loader_piece tg_loader_piece_at(const tg_loading *l, int64_t next);

/* Whether the loader's own transform runs on this thread. */
bool tg_loader_is_transforming(const tg_loading *l);

/* ---- loader_thread.c ---- */

/* Starts the thread at the loader's position; without memory or a thread there is no worker after it. */
void tg_worker_start(tg_loading *l);

/* Waits for the next batch and puts it on the current tape. */
tg_status tg_worker_next(tg_loading *l, tg_tensor **batch);

/* Ends the thread. In a child forked from the process that has it there is none, and what it was doing is left as it is:
 * forget, called first in each function, sees to that. */
void tg_worker_end(tg_loading *l);
void tg_worker_forget(tg_loading *l);

#endif

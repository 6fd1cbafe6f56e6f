/* Private. A training that several processes share: what the files of this room have in common.
 *
 *   dist.c      begin, end, errors, waiting               tree.c      who adds what to what
 *   manifest.c  what must be equal is compared            bucket.c    where gradients lie
 *   exchange.c  the messages of a step                    collect.c   other messages: broadcast, sums, evaluation
 *   step.c      a step                                    state.c     what a failure puts back; buffers
 *   transport.c, mpi.c  engines
 *
 * With .thread a second thread lets messages go on, under d->lock. It raises no error: failures are noted in d, and raised by
 * whoever calls from the program. So functions in here return whether all is well.
 */
#ifndef TG_OPS_NN_DIST_PRIVATE_H
#define TG_OPS_NN_DIST_PRIVATE_H

#include "core/memory.h"
#include "ops/nn/dist/dist.h"
#include "ops/nn/model/model_private.h"

#include <pthread.h>

/* ---- tree.c: the tree over shards ---- */

typedef struct tg_shard_range { /* the shards [from, to), which stand under one node of the tree */
    int from, to;
} tg_shard_range;

/* Adds up n subtrees that are given in order: after the i-th has come, `merges[i]` times the last two that are there become
 * one. */
typedef struct tg_adder {
    int n;
    int left;             /* how many are there in the end */
    int deep;             /* and at most, after the additions */
    tg_shard_range *part; /* [n] what is given */
    tg_shard_range *sum;  /* [left] what is there in the end */
    int *merges;          /* [n] */
    size_t bytes;
} tg_adder;

/* For the shards [from, to) one by one; and for what is left of all ranks, which gives the whole. */
tg_status tg_adder_of_shards(tg_adder *a, int shards, int from, int to);
tg_status tg_adder_of_ranks(tg_adder *a, int shards, int ranks, const tg_adder *rank);
void tg_adder_free(tg_adder *a);

/* The first shard of a rank; of rank `ranks`, the end. */
static inline int tg_shard_of(int shards, int ranks, int rank) {
    return (int)((int64_t)rank * shards / ranks);
}

/* ---- what there is ---- */

/* What each message begins with. In one of a bucket, marks follow, a bit an entry that some shard of the sender has a gradient
 * of, and then elements. */
typedef struct tg_dist_header {
    uint64_t magic;
    uint64_t hash; /* of the list that was compared, and of the random numbers */
    int64_t step;
    int32_t bucket, from, piece, unused; /* piece: which subtree of the sender's; -1: the sum */
    uint64_t checksum;                   /* of what follows */
    double due;                          /* when it may be looked at, with .delay or .rate */
    uint64_t state; /* a hash of the parameters, and the training mode, before the step */
} tg_dist_header;

typedef struct tg_dist_entry { /* a parameter in its bucket */
    tg_tensor *param;
    const char *name; /* the model's */
    int64_t at, n;    /* elements of the bucket */
    int bucket;
    bool added; /* this shard's gradient was */
    bool any;   /* some shard has one */
} tg_dist_entry;

typedef struct tg_bucket {
    tg_dtype dtype;
    int first, entries;    /* of d->entry; none in bucket 0, which has d->scalar */
    int64_t n, chunk;      /* elements, and those of each chunk but the last */
    size_t head;           /* bytes before the elements of a chunk: header and marks */
    size_t stride;         /* bytes from one chunk to the next */
    size_t at, in;         /* bytes: where it begins in a layer, and its messages in d->in */
    int left;              /* entries whose gradient of the last shard is not there yet */
    int to_add, to_gather; /* messages that have not come */
    bool sent, summed, done;
} tg_bucket;

typedef struct tg_dist_ear { /* what a parameter's hook is given */
    struct tg_dist_object *d;
    tg_tensor *param;
    int number; /* among those that are trained */
    bool heard; /* in the first walk */
} tg_dist_ear;

/* The numbers in bucket 0: the loss, who wants to stop, and then buffers. */
enum { TG_DIST_LOSS, TG_DIST_STOP, TG_DIST_BUFFERS };
enum { TG_DIST_ERROR = TG_TRANSPORT_TEXT };

typedef struct tg_dist_object {
    tg_dist_begin_opts o;
    tg_model *model;
    tg_transport *t;
    int shards, rank, size, from, to; /* the shards [from, to) are this rank's */
    const char *who, *about;          /* the function that is running, and what it is doing, for messages */
    bool inside;                      /* a function of the program's is being called */
    bool broken;                      /* somebody has failed: */
    tg_status status;
    char error[TG_DIST_ERROR]; /* as a sentence without the function's name */

    tg_adder *adder;    /* [size] */
    tg_adder all;       /* of what is left of each */
    int most;           /* subtrees that a rank has left at most */
    tg_transfer *other; /* [2 size] of collect.c */
    size_t others_bytes;

    /* Known after the first forward pass; parameters < 0: not yet. */
    int parameters, buffers; /* that are trained; all */
    uint64_t hash;
    int64_t calls;    /* of collect.c so far */
    tg_dist_ear *ear; /* [parameters], by number */
    tg_hook hook;     /* of each of them */
    int *order;       /* [parameters] numbers in the order of the first walk, of which `ordered` are there */
    int ordered;
    int64_t scalars;
    double *scalar; /* [scalars] of the shard at hand */
    char *saved;    /* the bytes of the buffers before the step, each at a multiple of eight */
    size_t saved_bytes, known_bytes;

    /* What bucket.c lays out after the first walk; buckets == 0: not yet. */
    int buckets;
    tg_dist_entry *entry; /* [parameters], by bucket */
    int *place;           /* [parameters] where in `entry` a number is */
    tg_bucket *bucket;
    char **stack;          /* [all.n] */
    tg_transfer *transfer; /* [buckets * transfers] */
    bool *taken;           /* [same] a message that was received was looked at */
    int transfers;
    char *memory, *result, *in; /* `memory` begins with the layers */
    size_t memory_bytes, layer_bytes, tables_bytes;
    void *tables;

    int64_t step; /* the one that is made, from 1 */
    bool stepping;
    uint64_t mixed, state; /* the hashes of its messages */
    tg_rng base;           /* random numbers before it */
    tg_loader *loader;
    tg_loader_state position;
    bool has_saved; /* the buffers of before the step */
    int shard;      /* the one at hand */
    bool walking;   /* a walk of the library's */
    bool whole;     /* which is that of the last piece of a shard */
    bool last;      /* and that shard the last one of this rank */
    int depth;      /* layers in use after this shard */
    double free_at; /* when what was sent has left, with .rate */
    double began, heard;
    int under_way;
    tg_dist_stats stats;

    pthread_mutex_t lock;
    pthread_cond_t sent; /* something is under way, for the thread; or it is to quit */
    pthread_t thread;
    bool threaded, quit;
} tg_dist_object;

tg_dist_object *tg_dist_object_of(const tg_dist *d, const char *who);

/* ---- dist.c ---- */

/* Notes that somebody has failed, and tells the others. False. */
bool tg_dist_note(tg_dist_object *d, tg_status status, const char *format, ...) TG_PRINTF(3, 4);

/* The same of a rank with which messages cannot be exchanged any more, which may have told why. */
bool tg_dist_lost(tg_dist_object *d, int peer);

/* Raises what was noted, or notes what was raised; the status that is pending then. */
tg_status tg_dist_raise(tg_dist_object *d);

/* Frees what messages were in, unless one may still be written to. */
void tg_dist_release(const tg_dist_object *d, void *p, size_t bytes);

/* Whether d may be used now; raises the error. */
bool tg_dist_may(tg_dist_object *d, const char *who);

double tg_dist_now(void);

/* Lets messages go on, those of the step included. */
bool tg_dist_progress(tg_dist_object *d);

/* Progress until done(d, at), at most .timeout after the last message. */
bool tg_dist_wait(tg_dist_object *d, bool (*done)(tg_dist_object *d, void *at), void *at);

/* Fills in the header of a message whose other bytes are there, and sends it. */
bool tg_dist_send(tg_dist_object *d, tg_transfer *x, tg_dist_header h);

/* Whether a message that has come is the one that it should be, and due. */
typedef enum tg_arrival { TG_NOT_DUE, TG_ARRIVED, TG_UNFIT } tg_arrival;
tg_arrival tg_dist_look(tg_dist_object *d, const tg_transfer *x, tg_dist_header want);

uint64_t tg_dist_mix(uint64_t h, const void *data, size_t bytes);

/* ---- collect.c ---- */

/* Block r of `all` is rank r's, with `each` bytes; afterwards all have all. spread: rank 0's to all. */
bool tg_dist_share(tg_dist_object *d, void *all, size_t each);
bool tg_dist_spread(tg_dist_object *d, void *data, size_t bytes);

/* Whether the loader, which may be NULL, gives the shards of this rank; raises the error. */
bool tg_dist_check_loader(const tg_dist_object *d, const tg_loader *loader);

/* ---- manifest.c ---- */

/* Of d->model as it is now, and of d->loader, which may be NULL. */
bool tg_dist_compare(tg_dist_object *d);

/* Raises an error where the program's function has made or dropped parameters or buffers. */
bool tg_dist_is_as_known(const tg_dist_object *d);
/* Makes our hooks of the parameters the last, so that what those of the program return is what is added up. */
bool tg_dist_hear(tg_dist_object *d);
/* A hash of the parameters that are trained, and of the training mode. */
uint64_t tg_dist_state(const tg_dist_object *d);
bool tg_dist_spread_model(tg_dist_object *d);

/* Looks at the parameters that are trained, which begin to be heard, and at the buffers. changed: whether they are others than
 * they were. */
bool tg_dist_know(tg_dist_object *d, tg_hook hook);
bool tg_dist_changed(const tg_dist_object *d);
void tg_dist_forget(tg_dist_object *d); /* the layout, too */

/* ---- bucket.c ---- */

bool tg_dist_lay_out(tg_dist_object *d); /* from d->order */
void tg_dist_drop_layout(tg_dist_object *d);

/* A chunk of a bucket in a layer, or with layer -1 in the results: its header, and its number of elements. */
char *tg_bucket_chunk(const tg_dist_object *d, const tg_bucket *b, int layer, int rank);
int64_t tg_bucket_chunk_size(const tg_dist_object *d, const tg_bucket *b, int rank);
size_t tg_bucket_bytes(const tg_dist_object *d, const tg_bucket *b, int rank); /* of its message */

/* Copies n elements of the results, from number `at` on. */
void tg_bucket_copy_out(const tg_dist_object *d, const tg_bucket *b, int64_t at, int64_t n, void *to);

/* Adds x + y, either of which may be NULL, to the sums: n elements of this shard from number `at` on. */
void tg_bucket_add(tg_dist_object *d, const tg_bucket *b, int64_t at, int64_t n, const void *x, const void *y);

/* to = x + y, n elements; what is NULL is 0. */
void tg_dist_add(tg_dtype dtype, int64_t n, void *to, const void *x, const void *y);

/* ---- exchange.c ---- */

bool tg_exchange_begin(tg_dist_object *d);              /* asks for all messages of the step */
void tg_exchange_shard(tg_dist_object *d);              /* d->shard begins */
bool tg_exchange_send(tg_dist_object *d, tg_bucket *b); /* everything of this rank is in it */
bool tg_exchange_advance(tg_dist_object *d);
bool tg_exchange_finish(tg_dist_object *d); /* waits for the rest */

/* Whom the step waits for, -1 for nobody, and which parameter. */
int tg_exchange_missing(const tg_dist_object *d, const char **name);

/* ---- state.c ---- */

void tg_dist_save_buffers(tg_dist_object *d);
size_t tg_dist_room(const tg_tensor *buffer); /* bytes that it takes in d->saved */
void tg_dist_restore_buffers(tg_dist_object *d);
void tg_dist_note_buffers(tg_dist_object *d, double weight); /* of this shard, into d->scalar */
void tg_dist_take_buffers(tg_dist_object *d);                /* from the results */
void tg_dist_clear_gradients(const tg_dist_object *d);

/* ---- mpi.c, or none ---- */

tg_transport *tg_transport_mpi(const void *communicator);

#endif

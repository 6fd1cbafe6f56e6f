/* Transports: how bytes get from one process to another. What data-parallel training (ops/nn/dist/dist.h) needs of an engine
 * such as MPI is a rank, a size, and these six functions; another engine is another struct, given as .transport to
 * tg_dist_begin.
 *
 * A message has a tag. Messages of one tag from one rank to another arrive in the order in which they were sent; those of
 * different tags may overtake each other. Sends and receives are begun, and made to go on by `progress` alone, on the thread
 * that calls it: no function waits. The caller's functions are called by one thread at a time.
 *
 *     tg_transfer in = {.data = there, .bytes = n, .peer = 1, .tag = 7};
 *     if (!t->receive(t, &in)) failed(t);
 *     while (!in.done)
 *         if (!t->progress(t)) failed(t);
 */
#ifndef TG_OPS_NN_DIST_TRANSPORT_H
#define TG_OPS_NN_DIST_TRANSPORT_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_transport tg_transport;

/* A message under way. The caller fills in the first four fields, and leaves struct and bytes where they are until it is done. */
typedef struct tg_transfer {
    void *data;
    size_t bytes;             /* a message that arrives has as many, or the transport fails */
    int peer;                 /* the rank that it goes to, or comes from */
    int tag;                  /* from 0 to TG_TRANSPORT_TAGS - 1 */
    bool done;                /* set by `progress`, or at once */
    uint64_t own[2];          /* the transport's */
    struct tg_transfer *next; /* likewise */
} tg_transfer;

#define TG_TRANSPORT_TAGS (1 << 20)
#define TG_TRANSPORT_TEXT 1024 /* bytes of an alarm, with the final NUL */

struct tg_transport {
    const char *name; /* "mpi" */
    int rank, size;   /* of this process, from 0 on; how many there are */

    /* Begin a message; false on failure. */
    bool (*send)(tg_transport *t, tg_transfer *x);
    bool (*receive)(tg_transport *t, tg_transfer *x);

    /* Lets messages go on, without waiting for any. False on failure. */
    bool (*progress)(tg_transport *t);

    /* Tells all others, as far as that can be done within a tenth of a second, that this rank has failed, and why. Messages
     * are forgotten; where it is not certain that nothing is written to those that were under way, `holds` is set, and their
     * memory is never freed. Nothing but `end` is called afterwards. */
    void (*alarm)(tg_transport *t, const char *text);

    /* An alarm that has come: its text, and from whom. False: none has. */
    bool (*alarmed)(tg_transport *t, int *from, char text[TG_TRANSPORT_TEXT]);

    /* The end of it; frees t. `broken`: somebody has failed, so that nothing may be waited for. */
    void (*end)(tg_transport *t, bool broken);

    /* After a failure: what it was, "the connection was closed", and with whom; -1: that is not known. */
    char fault[256];
    int culprit;
    bool holds;

    void *own;
};

/* n connected transports of one machine, end[i] that of rank i, over pairs of sockets: for processes that are forked after it, or
 * threads, each of which uses one of them. A process calls `end` of those that it does not use, or else the others do not
 * notice when it dies. False with the error raised: TG_ERR_ARGUMENT for an n below 1 or above 64, TG_ERR_MEMORY, TG_ERR_IO
 * where the system gives no sockets.
 *
 *     tg_transport *end[2];
 *     if (!tg_transport_pairs(2, end)) ..
 *     const int me = fork() == 0;
 *     end[1 - me]->end(end[1 - me], true);
 *     tg_dist *d = tg_dist_begin(m, .transport = end[me]); */
TG_API bool tg_transport_pairs(int n, tg_transport **end);

#ifdef __cplusplus
}
#endif

#endif

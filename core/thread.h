/* Private. What the library needs of POSIX threads: locks that a fork finds free, and work at a thread's end. */
#ifndef TG_CORE_THREAD_H
#define TG_CORE_THREAD_H

#include <stdbool.h>

/* All locks of the library, in the order in which one thread may take several. A fork takes them all, so that none is held
 * in the child by a thread that the child does not have. */
typedef enum tg_lock_name {
    TG_LOCK_PLANS,  /* of which thread has what of a shared plan */
    TG_LOCK_SETUP,  /* of what tg_thread_ready makes */
    TG_LOCK_TAPES,  /* of the list of all tapes */
    TG_LOCK_KEPT,   /* of the free slots for kept tensors */
    TG_LOCK_CHUNKS, /* of all chunks of slots */
    TG_LOCK_CACHES, /* of the list of all threads' buffer caches */
    TG_LOCK_SLABS,  /* of the slabs that buffers of one number come from */
    TG_LOCK_MAKERS, /* of the table of what makes tensors */
    TG_LOCK_BLAS,   /* of BLAS's number of threads */
    TG_LOCKS
} tg_lock_name;
void tg_lock(tg_lock_name name);
void tg_unlock(tg_lock_name name);

/* A function to be called at the end of a thread. The struct is usually a field of what the function frees, so run may
 * free it. */
typedef struct tg_thread_end {
    void (*run)(struct tg_thread_end *self);
    struct tg_thread_end *next;
} tg_thread_end;

/* When this thread ends, e->run(e) is called, the youngest first. False when the system has no place to note it. */
bool tg_at_thread_end(tg_thread_end *e);

/* Makes, once, what a fork and a thread's end need; false as long as the system refuses. */
bool tg_thread_ready(void);

/* begin is called before OpenMP makes its first threads. It is false, and lost is true, in a child forked from a process
 * where OpenMP had made some: the child has none of these threads, and OpenMP would wait for them. */
bool tg_teams_begin(void);
bool tg_teams_lost(void);

/* How many of n more threads the process could have now, found by making them all at once and ending them. */
int tg_threads_to_be_had(int n);

#endif

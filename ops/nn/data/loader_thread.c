/* Batches prepared ahead, by a thread of the loader's own. */
#include "core/parallel.h"
#include "ops/nn/data/loader_private.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static tg_position following(const tg_loading *l, tg_position at) {
    return at.next + 1 < l->batches * l->pieces ? (tg_position){at.epoch, at.next + 1}
                                                : (tg_position){at.epoch + 1, 0};
}

/* Batch number i since the thread began is in slot i % slots. One slot more than batches are ahead: the batch that was given
 * out last keeps its own, so that its memory goes back to this thread's cache when the caller has done with it. */
struct tg_worker {
    tg_loading *of;
    tg_position at; /* of the next batch that it prepares */
    pthread_t thread;
    pid_t process;
    pthread_mutex_t lock;
    pthread_cond_t room, ready;
    bool stop, sleeping;
    bool placed;        /* the message names the line of a call */
    char message[4096]; /* of the failure with which the thread ends */
    int64_t made, taken, slots;
    tg_prepared slot[];
};

static size_t worker_bytes(int64_t slots) { return sizeof(tg_worker) + (size_t)slots * sizeof(tg_prepared); }

/* Moves the pending error to the worker. One that has no place yet is given one here, which shows in its text. */
static void take_error(tg_worker *w, tg_prepared *p) {
    p->status = tg_error_status();
    snprintf(w->message, sizeof w->message, "%s", tg_error_message());
    tg_status_at(TG_OK, __FILE__, __LINE__);
    w->placed = strcmp(w->message, tg_error_message()) == 0;
    tg_error_clear();
}

/* Waits until a batch may be prepared; false: it is time to end. */
static bool await_room(tg_worker *w) {
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stop && w->made - w->taken >= w->of->opts.prefetch) {
        w->sleeping = true;
        (void)pthread_cond_wait(&w->room, &w->lock);
    }
    w->sleeping = false;
    const bool go_on = !w->stop;
    (void)pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *work(void *context) {
    tg_worker *w = context;
    tg_set_num_threads(1);
    for (tg_status status = TG_OK; status == TG_OK && await_room(w); w->at = following(w->of, w->at)) {
        tg_prepared *p = &w->slot[w->made % w->slots];
        tg_loader_drop(w->of, p);
        status = tg_loader_prepare(w->of, w->at, p);
        take_error(w, p);
        (void)pthread_mutex_lock(&w->lock);
        w->made++;
        (void)pthread_cond_signal(&w->ready);
        (void)pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

void tg_worker_end(tg_loading *l) {
    tg_worker *w = l->worker;
    l->worker = NULL;
    if (!w) return;
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_signal(&w->room);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    for (int64_t i = 0; i < w->slots; i++) tg_loader_drop(l, &w->slot[i]);
    (void)pthread_cond_destroy(&w->room);
    (void)pthread_cond_destroy(&w->ready);
    (void)pthread_mutex_destroy(&w->lock);
    tg_dealloc(w, worker_bytes(w->slots));
}

void tg_worker_forget(tg_loading *l) {
    if (!l->worker || l->worker->process == getpid()) return;
    l->worker = NULL;
    l->order_epoch = -1;
}

/* Signals of the program are for its own threads. */
static bool start_thread(tg_worker *w) {
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool made = pthread_create(&w->thread, NULL, work, w) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return made;
}

void tg_worker_start(tg_loading *l) {
    const int64_t slots = l->opts.prefetch + 1;
    tg_worker *w = tg_alloc(worker_bytes(slots));
    if (!w) return;
    memset(w, 0, worker_bytes(slots));
    w->of = l;
    w->at = l->at;
    w->process = getpid();
    w->slots = slots;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->room, NULL);
    (void)pthread_cond_init(&w->ready, NULL);
    if (start_thread(w))
        l->worker = w;
    else
        tg_dealloc(w, worker_bytes(slots));
}

/* The slot is the caller's until taken is counted. The thread is woken when half of the slots are free, which is cheaper than
 * for each. */
tg_status tg_worker_next(tg_loading *l, tg_tensor **batch) {
    tg_worker *w = l->worker;
    (void)pthread_mutex_lock(&w->lock);
    while (w->made == w->taken) (void)pthread_cond_wait(&w->ready, &w->lock);
    (void)pthread_mutex_unlock(&w->lock);
    const tg_prepared *p = &w->slot[w->taken % w->slots];
    if (p->status != TG_OK) {
        tg_fail(p->status, "%s", w->message);
        if (w->placed) tg_status_at(TG_OK, NULL, 0);
        tg_worker_end(l);
        return tg_error_status();
    }
    const tg_status status = tg_loader_give(l, p, batch);
    if (status != TG_OK) return status;
    (void)pthread_mutex_lock(&w->lock);
    w->taken++;
    const bool wake = w->sleeping && w->made - w->taken <= l->opts.prefetch / 2;
    if (wake) (void)pthread_cond_signal(&w->room);
    (void)pthread_mutex_unlock(&w->lock);
    return TG_OK;
}

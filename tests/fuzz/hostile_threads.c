/* Threads beside the one that makes the calls: one has ended, and one lives, with a tape and tensors of its own. It waits,
 * and during some calls it works, so that what all threads share is used by two at once. Its work is over before the call
 * is looked at: what that left behind is not to depend on chance. */
#define _POSIX_C_SOURCE 200809L
#include "tests/fuzz/hostile.h"

#include <pthread.h>

tg_tensor *foreign[N_FOREIGN], *orphans[N_FOREIGN];
tg_tape *foreign_tape;
tg_mark foreign_mark;

static pthread_t worker;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
enum { AWAITED, IDLE, ASKED, WORKING, OVER };
static int now = AWAITED;
static tg_tensor *handles[N_STALE]; /* those that have ended, as it is given them */
static const char *wrong;           /* what it found */

static void pass_to(int state) {
    pthread_mutex_lock(&lock);
    now = state;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
}

/* Returns the state, which is no longer `state`. */
static int wait_while(int state) {
    pthread_mutex_lock(&lock);
    while (now == state) pthread_cond_wait(&change, &lock);
    int then = now;
    pthread_mutex_unlock(&lock);
    return then;
}

static void make_foreign(tg_tensor **t) {
    t[0] = tg_ones(TG_F32, 2, 3);
    t[1] = tg_zeros(TG_I64, 3);
    t[2] = tg_square(tg_set_requires_grad(tg_ones(TG_F32, 2, 3), true));
    t[3] = tg_keep(t[0]);
}

/* A step of training, with what it takes from and gives back to the process: slots, buffers, tapes, models. */
static void work(void) {
    tg_mark mark = tg_tape_mark();
    tg_tape *own = tg_tape_current(), *other = tg_tape_new();
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adam(m, 0.1);
    tg_tensor *x = tg_ones(TG_F32, 4, 3);
    bool trained =
        tg_backward(tg_mean(tg_square(tg_nn_linear(m, "fc", x, 5)))) == TG_OK && tg_optim_step(o) == TG_OK;
    tg_optim_free(o);
    tg_model_free(m);
    tg_tape_use(other);
    bool counted = tg_item(tg_sum(tg_ones(TG_F32, 100, 100))) == 1e4;
    tg_tape_use(own);
    tg_tape_free(other);
    for (int i = 0; i < N_STALE; i++)
        if (tg_is_alive(handles[i])) wrong = "a handle that has ended is alive on another thread";
    if (!trained || !counted || tg_tape_rewind(mark) != TG_OK)
        wrong = "another thread's step of training fails";
    tg_error_clear();
}

static void *live(void *arg) {
    foreign_tape = tg_tape_current();
    make_foreign(foreign);
    foreign_mark = tg_tape_mark();
    pass_to(IDLE);
    while (wait_while(IDLE) != OVER) {
        pass_to(WORKING);
        work();
        pass_to(IDLE);
    }
    tg_free(foreign[N_FOREIGN - 1]);
    return arg;
}

static void *end_at_once(void *arg) {
    make_foreign(orphans);
    return arg;
}

bool start_threads(void) {
    pthread_t short_lived;
    if (pthread_create(&short_lived, NULL, end_at_once, NULL) != 0 || pthread_join(short_lived, NULL) != 0)
        return false;
    if (pthread_create(&worker, NULL, live, NULL) != 0) return false;
    wait_while(AWAITED);
    return true;
}

void stop_threads(void) {
    pass_to(OVER);
    pthread_join(worker, NULL);
    tg_free(orphans[N_FOREIGN - 1]);
}

void start_work(void) {
    for (int i = 0; i < N_STALE; i++) handles[i] = stale[i];
    pass_to(ASKED);
    wait_while(ASKED);
}

void await_work(void) {
    wait_while(WORKING);
    if (wrong) finding("%s", wrong);
    wrong = NULL;
}

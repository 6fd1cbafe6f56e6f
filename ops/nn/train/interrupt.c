/* Ctrl-C. */
#include "ops/nn/train/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int asked;               /* trues without their false */
static struct sigaction before; /* what was there */
static bool installed;
static atomic_int came; /* lock-free, so that a handler may write it */

/* The second signal finds what was there before. sigaction may be called in a handler. */
static void note(int number) {
    came = 1;
    sigaction(number, &before, NULL);
}

static void install(void) {
    came = 0;
    sigaction(SIGINT, NULL, &before);
    if (!(before.sa_flags & SA_SIGINFO) && before.sa_handler == SIG_IGN) return;
    struct sigaction ours = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&ours.sa_mask);
    installed = sigaction(SIGINT, &ours, NULL) == 0;
}

void tg_interrupts_catch(bool on) {
    pthread_mutex_lock(&lock);
    if (on && asked++ == 0) install();
    if (!on && asked > 0 && --asked == 0 && installed) {
        sigaction(SIGINT, &before, NULL);
        installed = false;
    }
    pthread_mutex_unlock(&lock);
}

bool tg_interrupted(void) { return came != 0; }

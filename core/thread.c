/* Locks, forks, the end of a thread, and whether more threads can be had. */
#define _DEFAULT_SOURCE /* syscall */
#include "core/thread.h"

#include <pthread.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

/* ---- locks, and what a fork does to them ---- */

static pthread_mutex_t locks[TG_LOCKS] = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

/* The calls fail only for a thread that takes a lock again which it holds, and nothing here does. */
void tg_lock(tg_lock_name name) { (void)pthread_mutex_lock(&locks[name]); }
void tg_unlock(tg_lock_name name) { (void)pthread_mutex_unlock(&locks[name]); }

static atomic_bool teams, teams_lost;

static void before_fork(void) {
    for (int i = 0; i < TG_LOCKS; i++) tg_lock((tg_lock_name)i);
}

static void after_fork(void) {
    for (int i = TG_LOCKS; i-- > 0;) tg_unlock((tg_lock_name)i);
}

static void in_child(void) {
    after_fork();
    if (atomic_load(&teams)) atomic_store(&teams_lost, true);
}

static bool have_handlers; /* under TG_LOCK_SETUP */

static bool register_handlers(void) { return pthread_atfork(before_fork, after_fork, in_child) == 0; }

/* Runs before there are threads: a fork while one of them registered would leave the child with a lock that is held. */
__attribute__((constructor)) static void register_early(void) { have_handlers = register_handlers(); }

bool tg_teams_lost(void) { return atomic_load_explicit(&teams_lost, memory_order_relaxed); }

bool tg_teams_begin(void) {
    if (tg_teams_lost() || !tg_thread_ready()) return false;
    atomic_store(&teams, true);
    return true;
}

/* ---- the end of a thread ---- */

static pthread_key_t at_end;
static _Thread_local tg_thread_end *ends;

/* Destructors of other keys may call the library after this one; what they register is noted, and run, anew. */
static void end_thread(void *unused) {
    (void)unused;
    for (tg_thread_end *e; (e = ends);) {
        ends = e->next;
        e->run(e);
    }
}

bool tg_thread_ready(void) {
    static bool have_key;
    tg_lock(TG_LOCK_SETUP);
    if (!have_handlers) have_handlers = register_handlers();
    if (!have_key) have_key = pthread_key_create(&at_end, end_thread) == 0;
    bool ready = have_handlers && have_key;
    tg_unlock(TG_LOCK_SETUP);
    return ready;
}

bool tg_at_thread_end(tg_thread_end *e) {
    if (!tg_thread_ready() || pthread_setspecific(at_end, &ends) != 0) return false;
    e->next = ends;
    ends = e;
    return true;
}

/* ---- trying threads ---- */

enum { TRIED_AT_ONCE = 1024, STEPS = 1000, STEP_NS = 100000 };

typedef struct probe {
    pthread_mutex_t *gate; /* held until all are there */
    pthread_t thread;
    long id; /* the kernel's */
} probe;

static void *wait_at_gate(void *p) {
    probe *self = p;
#ifdef SYS_gettid
    self->id = syscall(SYS_gettid);
#endif
    (void)pthread_mutex_lock(self->gate);
    (void)pthread_mutex_unlock(self->gate);
    return NULL;
}

/* A thread that has been joined may still count against the limits for some microseconds. */
static void wait_until_gone(const probe *p) {
#ifdef SYS_tgkill
    const struct timespec step = {0, STEP_NS};
    for (int i = 0; i < STEPS && syscall(SYS_tgkill, (long)getpid(), p->id, 0) == 0; i++)
        nanosleep(&step, NULL);
#else
    (void)p;
#endif
}

/* The size of the stacks that OpenMP gives its threads, a number of kilobytes or with a unit; 0: the system's. */
static size_t stack_size(void) {
    const char *text = getenv("OMP_STACKSIZE"), *const units = "bBkKmMgG";
    char *end;
    if (!text) text = getenv("GOMP_STACKSIZE");
    unsigned long long n = text ? strtoull(text, &end, 10) : 0;
    if (n == 0) return 0;
    while (*end == ' ') end++;
    int shift = 10;
    for (int i = 0; i < 8; i++)
        if (*end == units[i]) shift = i / 2 * 10;
    return n > SIZE_MAX >> shift ? SIZE_MAX : (size_t)(n << shift);
}

static int make_probes(probe *p, int n, pthread_mutex_t *gate) {
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) return 0;
    size_t stack = stack_size();
    if (stack > 0)
        (void)pthread_attr_setstacksize(&attr, stack); /* OpenMP too ignores a size that is refused here */
    int made = 0;
    for (; made < n; made++) {
        p[made] = (probe){.gate = gate};
        if (pthread_create(&p[made].thread, &attr, wait_at_gate, &p[made]) != 0) break;
    }
    (void)pthread_attr_destroy(&attr);
    return made;
}

int tg_threads_to_be_had(int n) {
    probe p[TRIED_AT_ONCE];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    if (n > TRIED_AT_ONCE) n = TRIED_AT_ONCE;
    (void)pthread_mutex_lock(&gate);
    int made = make_probes(p, n, &gate);
    (void)pthread_mutex_unlock(&gate);
    for (int i = 0; i < made; i++) (void)pthread_join(p[i].thread, NULL);
    for (int i = 0; i < made; i++) wait_until_gone(&p[i]);
    return made;
}

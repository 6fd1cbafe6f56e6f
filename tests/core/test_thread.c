/* Forks, limits on threads, and the caller's floating-point mode. */
#define _DEFAULT_SOURCE /* setresuid's relatives */
#include "ops/tapegrad.h"
#include "core/alloc.h"
#include "core/float_mode.h"
#include "core/parallel.h"
#include "core/slot.h"
#include "core/thread.h"
#include "tests/core/helpers.h"
#include "tests/core/layouts.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TCase *tcase_thread(void);
int limited_program(const char *mode);

#if defined(__SANITIZE_THREAD__)
#define SANITIZED_THREADS 1
#else
#define SANITIZED_THREADS 0
#endif

static int threads;
static bool teams; /* a library without OpenMP has none */

static void setup(void) {
    threads = tg_set_num_threads(3);
    teams = tg_num_threads() == 3;
}
static void teardown(void) {
    tg_set_num_threads(threads);
    tg_error_clear();
}

/* ---- loops ---- */

enum { BLOCKS = 64 };

static void cube(void *context, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) ((int64_t *)context)[i] = i * i * i;
}

static bool loop_is_right(void) {
    int64_t x[BLOCKS] = {0};
    tg_parallel_for(BLOCKS, 1, cube, x);
    for (int64_t i = 0; i < BLOCKS; i++)
        if (x[i] != i * i * i) return false;
    return true;
}

/* ---- forks ---- */

/* Runs f in a child that is killed after 60 s; its result, or -1. Check's handler of the alarm, which the child inherits,
 * would kill the parent with it. */
static int in_child(int (*f)(void)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(60);
        _exit(f());
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

static int loop_in_child(void) {
    if (!loop_is_right() || tg_num_threads() != 1 || tg_threads_here() != 1) return 1;
    tg_set_num_threads(4);
    return !loop_is_right() || tg_num_threads() != 1;
}

static int grandchild(void) { return loop_in_child() || in_child(loop_in_child) != 0; }

START_TEST(a_child_of_threaded_work) {
    ck_assert(loop_is_right());
    if (!teams) return;
    ck_assert_int_eq(in_child(loop_in_child), 0);
    ck_assert_int_eq(in_child(grandchild), 0);
    ck_assert(loop_is_right());
    ck_assert_int_eq(tg_num_threads(), 3); /* the parent keeps its own */
}
END_TEST

static int keeps_and_frees(void) {
    for (int i = 0; i < 200; i++) {
        tg_tensor *k = tg_keep(tg_scalar(TG_F64, i));
        if (tg_item(k) != i) return 1;
        tg_free(k);
        tg_memory_now();
        if (i % 100 > 0) continue;
        tg_slots_alive(NULL, 0); /* takes long where other tests have left many slots */
        tg_region_rewind(tg_region_current(), 0);
    }
    return tg_error_status() != TG_OK;
}

static atomic_bool stop;

/* Takes all of the library's locks, over and over. */
static void *take_locks(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) keeps_and_frees();
    return NULL;
}

START_TEST(locks_are_free_in_a_child) {
    if (SANITIZED_THREADS) return; /* ThreadSanitizer refuses to fork a process with threads */
    if (fast())
        return; /* Valgrind runs one thread at a time, and calls what the others held in the parent a leak */
    pthread_t other[2];
    atomic_store(&stop, false);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(pthread_create(&other[i], NULL, take_locks, NULL), 0);
    for (int i = 0; i < 100; i++) ck_assert_int_eq(in_child(keeps_and_frees), 0);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) pthread_join(other[i], NULL);
}
END_TEST

static tg_lock_name held;
static atomic_int inside; /* 1: the lock is held, what it guards is half changed */
static atomic_bool begun; /* it was taken: stays, however late that is looked at */

static void *hold(void *unused) {
    tg_lock(held);
    atomic_store(&inside, 1);
    atomic_store(&begun, true);
    usleep(20000);
    atomic_store(&inside, 0);
    tg_unlock(held);
    return unused;
}

static int lock_works(void) {
    if (atomic_load(&inside)) return 1;
    for (int i = 0; i < TG_LOCKS; i++) tg_lock((tg_lock_name)i), tg_unlock((tg_lock_name)i);
    return 0;
}

/* A fork waits until a lock is free, whichever it is: the child finds nothing half changed. */
START_TEST(forks_wait_for_each_lock) {
    if (SANITIZED_THREADS) return;
    pthread_t other;
    held = (tg_lock_name)_i;
    atomic_store(&inside, 0);
    atomic_store(&begun, false);
    ck_assert_int_eq(pthread_create(&other, NULL, hold, NULL), 0);
    while (!atomic_load(&begun)) continue;
    ck_assert_int_eq(in_child(lock_works), 0);
    pthread_join(other, NULL);
    ck_assert_int_eq(lock_works(), 0);
}
END_TEST

/* ---- programs of their own, run by main.c for the tests below ---- */

static int fork_before_threads(void) { return !loop_is_right() || tg_num_threads() != 3; }

/* A limit at which a fourth thread's stack does not fit the address space any more. */
static bool limit_space(void) {
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return false;
    bool known = fscanf(f, "%ld", &pages) == 1;
    fclose(f);
    rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)40 << 20);
    return known && setrlimit(RLIMIT_AS, &(struct rlimit){most, most}) == 0;
}

/* The number of threads does not bind root. */
static bool limit_threads(void) {
    return (geteuid() != 0 || setuid(54321) == 0) && setrlimit(RLIMIT_NPROC, &(struct rlimit){4, 4}) == 0;
}

enum { SKIPPED = 77 };

static int many_threads(bool limited) {
    if (!limited) return SKIPPED;
    tg_set_num_threads(50000);
    if (tg_num_threads() > 1024) return 1;
    for (int i = 0; i < 20; i++)
        if (!loop_is_right()) return 2;
    int had = tg_num_threads();
    if (had >= 1024 || had < 1) return 3;
    for (int n = 1; n < 40; n++) { /* again, with teams that grow and shrink */
        tg_set_num_threads(n % 2 ? 1024 : n);
        if (!loop_is_right()) return 4;
    }
    return 0;
}

/* What was tried is gone: as many can be had each time. */
static int threads_again(void) {
    if (!limit_space()) return SKIPPED;
    int first = tg_threads_to_be_had(30);
    for (int i = 0; i < 10; i++)
        if (tg_threads_to_be_had(30) != first) return 1;
    return first >= 30;
}

int limited_program(const char *mode) {
    tg_set_num_threads(3);
    if (tg_num_threads() != 3) return SKIPPED; /* without OpenMP */
    if (strcmp(mode, "fork") == 0) return in_child(fork_before_threads);
    if (strcmp(mode, "again") == 0) return threads_again();
    return many_threads(strcmp(mode, "space") == 0 ? limit_space() : limit_threads());
}

static const char *const modes[] = {"fork", "space", "again", "threads"};

START_TEST(programs) {
    char command[600];
    int n = snprintf(command, sizeof command,
                     "OPENBLAS_NUM_THREADS=1 OMP_STACKSIZE=8M timeout 60 '%s' limited %s", program, modes[_i]);
    ck_assert(n > 0 && n < (int)sizeof command);
#if defined(TG_HAVE_ASAN) || defined(__SANITIZE_THREAD__)
    if (_i == 1 || _i == 2) return; /* the shadow is larger than any limit */
#endif
#if defined(__clang__)
    if (_i == 1 || _i == 3)
        return; /* LLVM's libomp ends the process where it cannot have a thread, tried or not */
#endif
    int status = system(command);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) != SKIPPED) ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(a_number_of_threads_has_bounds) {
    static const int asked[] = {50000, INT32_MAX, 1024, 1025, 0, -1, INT32_MIN},
                     given[] = {1024, 1024, 1024, 1024, 1, 1, 1};
    for (int i = 0; i < COUNT(asked); i++) {
        tg_set_num_threads(asked[i]);
        ck_assert_int_eq(tg_num_threads(), teams ? given[i] : 1);
    }
}
END_TEST

START_TEST(threads_are_tried) {
    if (SANITIZED_THREADS) return;
    ck_assert_int_eq(tg_threads_to_be_had(0), 0);
    ck_assert_int_eq(tg_threads_to_be_had(5), 5);
    setenv("OMP_STACKSIZE", "1 m", 1);
    ck_assert_int_eq(tg_threads_to_be_had(3), 3);
    setenv("OMP_STACKSIZE", "4000000G", 1);
    ck_assert_int_eq(tg_threads_to_be_had(3), 0);
    unsetenv("OMP_STACKSIZE");
}
END_TEST

/* ---- the floating-point mode ---- */

typedef struct sums {
    float third[BLOCKS], tiny[BLOCKS];
    uint64_t mode[BLOCKS];
} sums;

static volatile float one = 1, three = 3, least_normal = 0x1p-126f;

static void divide(void *context, int64_t begin, int64_t end) {
    sums *s = context;
    for (int64_t i = begin; i < end; i++) {
        s->third[i] = one / three;
        s->tiny[i] = least_normal / three;
        s->mode[i] = tg_float_word() & ~TG_FLOAT_FLAGS;
    }
}

static void compare_threads(void) {
    sums by1 = {0}, by4 = {0};
    tg_set_num_threads(1);
    tg_parallel_for(BLOCKS, 1, divide, &by1);
    tg_set_num_threads(4);
    tg_parallel_for(BLOCKS, 1, divide, &by4);
    ck_assert_mem_eq(&by1, &by4, sizeof by1);
}

START_TEST(workers_take_the_callers_mode) {
    static const int rounding[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};
    ck_assert(loop_is_right()); /* the team exists before the mode changes */
    for (int i = 0; i < COUNT(rounding); i++) {
        fesetround(rounding[i]);
        compare_threads();
    }
#ifdef __x86_64__
    const unsigned was = _mm_getcsr(), flush_to_zero = 0x8000, denormals_are_zero = 0x40;
    _mm_setcsr(was | flush_to_zero);
    compare_threads();
    _mm_setcsr(was | denormals_are_zero | flush_to_zero);
    compare_threads();
    _mm_setcsr(was);
#endif
    compare_threads();
    sums s = {0};
    tg_parallel_for(BLOCKS, 1, divide, &s);
    for (int i = 0; i < BLOCKS; i++)
        ck_assert(s.mode[i] == s.mode[0] && s.tiny[i] > 0); /* and gave it back */
}
END_TEST

TCase *tcase_thread(void) {
    TCase *tc = tcase_create("thread");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_child_of_threaded_work);
    tcase_add_test(tc, locks_are_free_in_a_child);
    tcase_add_loop_test(tc, forks_wait_for_each_lock, 0, TG_LOCKS);
    tcase_add_loop_test(tc, programs, 0, COUNT(modes));
    tcase_add_test(tc, a_number_of_threads_has_bounds);
    tcase_add_test(tc, threads_are_tried);
    tcase_add_test(tc, workers_take_the_callers_mode);
    return tc;
}

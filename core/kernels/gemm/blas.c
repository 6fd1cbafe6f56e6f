/* BLAS on one thread, whatever the program has set: our loops bring the threads, and a product is the same to the bit at
 * any number. */
#include "core/kernels/gemm/gemm.h"
#include "core/thread.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* Weak, since another CBLAS has no such functions. */
extern void openblas_set_num_threads(int n) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));
extern int openblas_get_parallel(void) __attribute__((weak));
enum { WITH_OPENMP = 2 }; /* what openblas_get_parallel may say */

/* OpenBLAS's number of threads is the process', and the program's own calls go by it: it is 1 while some thread of ours
 * is inside, and what it was when the last has left. */
static struct { int inside, before; } blas; /* under TG_LOCK_BLAS */

/* Built with OpenMP it goes by OpenMP's number, which is the calling thread's. */
static bool goes_by_openmp(void) { return openblas_get_parallel && openblas_get_parallel() == WITH_OPENMP; }

int tg_blas_begin(void) {
    if (!openblas_set_num_threads || !openblas_get_num_threads) return 0;
#ifdef _OPENMP
    if (goes_by_openmp()) {
        int before = omp_get_max_threads();
        omp_set_num_threads(1);
        return before;
    }
#endif
    tg_lock(TG_LOCK_BLAS);
    if (blas.inside++ == 0) {
        blas.before = openblas_get_num_threads();
        if (blas.before != 1) openblas_set_num_threads(1);
    }
    tg_unlock(TG_LOCK_BLAS);
    return 0;
}

void tg_blas_end(int threads) {
    if (!openblas_set_num_threads || !openblas_get_num_threads) return;
#ifdef _OPENMP
    if (goes_by_openmp()) {
        omp_set_num_threads(threads);
        return;
    }
#endif
    (void)threads;
    tg_lock(TG_LOCK_BLAS);
    if (--blas.inside == 0 && blas.before != 1) openblas_set_num_threads(blas.before);
    tg_unlock(TG_LOCK_BLAS);
}

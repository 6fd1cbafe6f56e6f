/* Threads. Loops run on OpenMP's team; BLAS runs single-threaded inside them. Work is split along outputs in
 * blocks that do not depend on the number of threads, so results are bit-identical at any number. The threads of a loop
 * compute with the rounding mode and the treatment of subnormal numbers that its caller has set.
 *
 * A child forked after loops on several threads runs all of its own on one: OpenMP's threads do not survive a fork, and
 * it cannot be told to make new ones. A child forked before has as many as its parent. (Where the program itself has
 * used OpenMP before the fork, the child calls tg_set_num_threads(1).)
 */
#ifndef TG_CORE_PARALLEL_H
#define TG_CORE_PARALLEL_H

#include "core/error.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets how many threads this thread's ops may use, n clamped to [1, 1024], and returns the previous number. The default
 * is OpenMP's (OMP_NUM_THREADS or the number of cores); without OpenMP it is always 1. Where the system gives fewer, loops
 * run on those that it gives, and after the first loop tg_num_threads says how many. */
TG_API int tg_set_num_threads(int n);
TG_API int tg_num_threads(void);

/* How many threads a loop started here would have, which is 1 inside another loop. */
TG_API int tg_threads_here(void);

/* Calls body(context, begin, end) for consecutive blocks of `grain` (the last may be shorter) that cover
 * [0, n), in parallel when there is more than one block and more than one thread. A grain below 1 counts as 1. The
 * body must not raise errors, touch the tape, or take or drop references to arrays made outside of it. Nested calls run
 * on one thread. */
TG_API void tg_parallel_for(int64_t n, int64_t grain, void (*body)(void *context, int64_t begin, int64_t end),
                            void *context);

#ifdef __cplusplus
}
#endif
#endif

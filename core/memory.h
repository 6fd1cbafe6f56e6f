/* Memory: what the library has allocated, and a way to make it fail.
 *
 * Every allocation of the library goes through one function. Buffers come from it by way of a cache of size
 * classes that is private to each thread, tensor slots and tape nodes by way of arenas, so a steady training
 * step does not call malloc at all; tg_memory_now counts the calls.
 */
#ifndef TG_CORE_MEMORY_H
#define TG_CORE_MEMORY_H

#include "core/shape.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_memory_stats {
    uint64_t mallocs;         /* calls to the system's allocator so far, all threads */
    uint64_t frees;           /* calls to free so far */
    size_t live_buffer_bytes; /* bytes in buffers of the library's that some tensor or node holds */
    size_t peak_buffer_bytes; /* the largest live_buffer_bytes since the start or tg_memory_reset_peak */
    size_t system_bytes; /* bytes obtained from the system and not given back: live and cached buffers, arenas,
                                tables */
} tg_memory_stats;

TG_API tg_memory_stats tg_memory_now(void);
TG_API void tg_memory_reset_peak(void);

/* The live buffers that one line of the program made by calling one op. */
typedef struct tg_memory_site {
    const char *op;
    const char *file; /* NULL: not noted, as for gradients that tg_backward keeps */
    int line;
    size_t bytes;    /* a buffer that several tensors share counts for the first of them */
    int64_t tensors; /* how many such buffers there are */
} tg_memory_site;

/* Writes the `most` places with the most live bytes to site[0 ..], largest first, and returns how many places there are.
 * The tensors are those on this thread's current tape and all kept ones; no other thread may make or free kept tensors
 * meanwhile. On failure it returns -1, with TG_ERR_MEMORY, or TG_ERR_ARGUMENT for an array that is NULL. */
TG_API int64_t tg_memory_sites(tg_memory_site *site, int64_t most);

/* Prints live and peak bytes, and the twenty largest places:
 *     1638400 in 2 by matmul   (train.c:41) */
TG_API void tg_memory_print(FILE *file);

/* Gives all unused buffers in this thread's cache back to the system. Those that were not needed recently go back by
 * themselves (docs/memory.md). */
TG_API void tg_memory_trim(void);

/* Failure injection for tests: the n-th allocation from now on this thread (1 is the next) fails, and only
 * that one; -1 turns it off. tg_memory_fail_from makes every one from the n-th on fail. While either is on,
 * buffers bypass the cache, so that each request is an allocation that can fail. */
TG_API void tg_memory_fail_at(int64_t n);
TG_API void tg_memory_fail_from(int64_t n);

/* Memory from that one function, so that it is counted and can be made to fail, for layers, optimisers and ops of your
 * own. It is 64-byte aligned and not cleared; NULL means failure, and no error is raised. Size 0 is served as 1. tg_dealloc
 * takes the same size, and ignores NULL. */
TG_API void *tg_alloc(size_t size);
TG_API void tg_dealloc(void *p, size_t size);

#ifdef __cplusplus
}
#endif
#endif

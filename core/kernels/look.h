/* Private. Elements that were just written are looked at: in the first cache that costs next to nothing, where another pass over
 * memory later on costs as much as making them did (docs/debugging.md has figures).
 *
 * While somebody looks, the functions of core/kernels/kernels.h that are named here note which of their results they saw
 * to be finite, every element of it: the elementwise ones, the gradients of softmax and of norms, products, and
 * tg_conv_input (core/kernels/conv/conv.h). All of them forget what they write over. So a note holds as long as nobody else writes
 * there, and until the memory is given to somebody else: whoever reads it must know (autograd/op.h, `looks`). */
#ifndef TG_CORE_KERNELS_LOOK_H
#define TG_CORE_KERNELS_LOOK_H

#include "core/alloc.h"
#include "core/kernels/simd/table.h"

/* Results of fewer elements stay in the cache: nobody looks, and nothing is noted. */
#define TG_LOOK_LEAST 16384

/* What is looked at together: little where memory sets the pace, so that the machine fetches what comes next meanwhile, and
 * where sums do as much as the first cache has room for with two operands. */
enum { TG_LOOK_BYTES = 2048, TG_LOOK_DEAR_BYTES = 8192 };

typedef struct tg_look { /* the youngest results that were seen to be finite */
    struct {
        const char *begin, *end;
    } seen[4];
    int n;
} tg_look;
extern _Thread_local TG_HOT tg_look *tg_looking; /* NULL: nobody looks on this thread */

/* Whether a function has noted that all elements of `a` are finite. */
bool tg_look_saw(const tg_look *l, const tg_array *a);

/* ---- for those functions ---- */

/* One function that fills one array, on whatever threads. */
typedef struct tg_looker {
    tg_finite_fn *finite;
    int64_t size; /* bytes an element */
    atomic_bool bad;
} tg_looker;

/* For those that write to `out` and do not look. */
void tg_look_forget(const tg_array *out);

/* Where somebody looks: what is known of out's memory is forgotten; l is made ready and returned if out is one run of many real
 * numbers, else NULL. */
tg_looker *tg_look_begin(tg_looker *l, const tg_array *out);

/* n neighbours have been written at x. l NULL: nothing happens. */
static inline void tg_look_at(tg_looker *l, const void *x, int64_t n) {
    if (l && !l->finite(n, x)) atomic_store_explicit(&l->bad, true, memory_order_relaxed);
}

/* The same where a kernel has looked, and says whether there are others. */
static inline void tg_look_told(tg_looker *l, bool bad) {
    if (bad) atomic_store_explicit(&l->bad, true, memory_order_relaxed);
}

/* While something is looked at the machine waits for no memory: it may fetch what is read next. l NULL: nothing happens. */
static inline void tg_look_fetch(const tg_looker *l, const void *next, int64_t bytes) {
    for (int64_t i = 0; l && i < bytes; i += 64) __builtin_prefetch((const char *)next + i);
}

/* The function has succeeded, and all elements of `out` have been looked at. l NULL: nothing happens. */
void tg_look_end(const tg_looker *l, const tg_array *out);

#endif

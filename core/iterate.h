/* Private. One loop over several strided arrays of one shape. Axes are sorted by the first array's strides and
 * merged where all arrays allow, so that the innermost run is long; the runs are shared among threads in
 * blocks that do not depend on the number of threads.
 */
#ifndef TG_CORE_ITERATE_H
#define TG_CORE_ITERATE_H

#include "core/array.h"

#define TG_MAX_OPERANDS 4

/* Works on n elements: operand k is at p[k] and advances by s[k] elements. */
typedef void tg_run(int64_t n, char *const p[], const int64_t s[], const void *arg);

/* The merged loop: shape[rank - 1] is the length of a run. rank is at least 1. */
typedef struct tg_loop {
    int operands, rank;
    int64_t shape[TG_MAX_RANK];
    int64_t stride[TG_MAX_OPERANDS][TG_MAX_RANK]; /* elements */
    int64_t size[TG_MAX_OPERANDS];                /* bytes an element */
    char *data[TG_MAX_OPERANDS];
    int64_t unit, units; /* elements of a run handled at once, and pieces in a run */
} tg_loop;

/* A block is about this many elements of cheap work: some 5 us, the cost of waking a thread. */
#define TG_BLOCK 32768

/* Calls run on pieces that cover all elements of the arrays, which have the shape of a[0] (broadcast ones by stride
 * 0). `cost` is the work an element means, in units of an addition, at least 1. */
void tg_iterate(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg);

/* The stride of `a` as one run over all its elements: 1 when contiguous, 0 when one element is repeated, -1 when it
 * is neither. */
static inline int64_t tg_flat_stride(const tg_array *a) {
    if (a->numel == 1) return 1;
    int64_t expect = 1;
    bool dense = true, repeat = true;
    for (int i = a->rank - 1; i >= 0; i--) {
        if (a->shape[i] == 1) continue;
        dense = dense && a->stride[i] == expect;
        repeat = repeat && a->stride[i] == 0;
        expect *= a->shape[i];
    }
    return dense ? 1 : repeat ? 0 : -1;
}

/* For each coordinate of [0, shape), rank axes: moves p[] on by one in row-major order. Returns false after the
 * last. */
static inline bool tg_step(int rank, const int64_t *shape, int64_t *index, int operands, char **p,
                           const int64_t (*byte_stride)[TG_MAX_RANK]) {
    for (int d = rank - 1; d >= 0; d--) {
        for (int k = 0; k < operands; k++) p[k] += byte_stride[k][d];
        if (++index[d] < shape[d]) return true;
        for (int k = 0; k < operands; k++) p[k] -= byte_stride[k][d] * shape[d];
        index[d] = 0;
    }
    return false;
}

#endif

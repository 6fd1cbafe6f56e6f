/* Private. One loop over several strided arrays of one shape. Axes are sorted by the first array's
 * strides and merged where all arrays allow, so that the innermost run is long; the runs are shared among
 * threads in blocks that do not depend on the number of threads.
 */
#ifndef TG_CORE_ITERATE_H
#define TG_CORE_ITERATE_H

#include "core/array.h"

#define TG_MAX_OPERANDS 5

/* Where the operands of a run begin, and how many elements on their next element stands. `out` is the one that is
 * written; each run says what a, b and c are. each[] has the same four in this order, and a fifth, for loops over operands. */
typedef union tg_operands {
    struct {
        char *out, *a, *b, *c;
    };
    char *each[TG_MAX_OPERANDS];
} tg_operands;
typedef union tg_strides {
    struct {
        int64_t out, a, b, c;
    };
    int64_t each[TG_MAX_OPERANDS];
} tg_strides;

/* Works on n elements of each operand. */
typedef void tg_run(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg);

/* A block is about this many elements of cheap work, which take some 5 us: the cost of waking a thread. */
#define TG_BLOCK 32768

/* Calls run on pieces that cover all elements of the arrays, which have the shape of a[0] (broadcast ones
 * by stride 0) and become each[] in this order. `cost` is the work an element means, in units of an
 * addition, at least 1. */
void tg_iterate(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg);

/* The same for a run that writes its first operand alone, and needs of the others no more than their values: what is contiguous
 * along another axis it may be given a copy of. */
void tg_iterate_map(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg);

/* The stride of `a` as one run over all its elements: 1 when contiguous, 0 when one element is repeated,
 * -1 when it is neither. */
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

/* Coordinates in row-major order, and pointers that go with them. Axis d has shape[d] steps of
 * bytes[k][d]. */
typedef struct tg_grid {
    int operands, rank;
    int64_t shape[TG_MAX_RANK + 1];
    int64_t bytes[TG_MAX_OPERANDS][TG_MAX_RANK + 1];
} tg_grid;

/* index[] becomes the coordinates of number i, and p[] moves there from the origin. */
static inline void tg_grid_seek(const tg_grid *g, int64_t i, int64_t *index, char **p) {
    for (int d = g->rank - 1; d >= 0; d--) {
        index[d] = i % g->shape[d];
        i /= g->shape[d];
        for (int k = 0; k < g->operands; k++) p[k] += index[d] * g->bytes[k][d];
    }
}

/* Moves on to the next coordinates, and from the last ones back to the origin. */
static inline void tg_grid_step(const tg_grid *g, int64_t *index, char **p) {
    for (int d = g->rank - 1; d >= 0; d--) {
        for (int k = 0; k < g->operands; k++) p[k] += g->bytes[k][d];
        if (++index[d] < g->shape[d]) return;
        for (int k = 0; k < g->operands; k++) p[k] -= g->bytes[k][d] * g->shape[d];
        index[d] = 0;
    }
}

#endif

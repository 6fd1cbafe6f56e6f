/* Private. The part of core/kernels/simd/kernel_set.c that tells whether numbers are finite. */
#ifndef TG_CORE_KERNELS_REDUCE_FINITE_H
#define TG_CORE_KERNELS_REDUCE_FINITE_H

#include "core/kernels/simd/table.h"
#include "core/kernels/simd/vector.h"

/* 0 x is 0 where x is finite, and NaN where it is not, as is any sum with that in it: one instruction a vector. */
static bool all_finite(int64_t n, const void *of) {
    const S *x = of;
    V zero[4] = {K(0), K(0), K(0), K(0)};
    int64_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
        UNROLL(4)
        for (int k = 0; k < 4; k++) zero[k] = vfma(vload(x + i + k * W), K(0), zero[k]);
    }
    for (; i < n; i += W) zero[0] = vfma(load(x, i, lanes_left(n - i)), K(0), zero[0]);
    V all = (zero[0] + zero[1]) + (zero[2] + zero[3]);
    return !any(all != all);
}

#endif

/* Private. Part of the kernel set: max pooling by windows of 2 by 2, side by side. */
#ifndef TG_CORE_KERNELS_CONV_MAX_POOL_2X2_H
#define TG_CORE_KERNELS_CONV_MAX_POOL_2X2_H

#include "core/kernels/simd/table.h"
#include "core/kernels/simd/vector.h"

/* m pairs of neighbours: the first of each, and the second. */
INLINE void split_pairs(const S *x, int64_t m, V *even, V *odd) {
    int64_t low = lanes_left(2 * m), high = 2 * m - low;
    V a = load(x, 0, low), b = high > 0 ? load(x, W, high) : a;
    *even = even_lanes(a, b);
    *odd = odd_lanes(a, b);
}

/* Takes c where it is larger, or the first NaN; `offset` says which was taken. */
INLINE void take_larger(V c, V at, V *most, V *offset) {
    M larger = either(c > *most, both(c != c, *most == *most));
    *most = select(larger, c, *most);
    *offset = select(larger, at, *offset);
}

/* Offsets are from the window's first element: 0, 1, width, width + 1. Positions are in the plane. */
static void max_two(const tg_max_two *p) {
    int64_t cols = p->width / 2;
    S *out = p->window, offset[W];
    int64_t *index = p->index;
    V below = K((S)p->width);
    for (int64_t i = 0; i + 1 < p->height; i += 2)
        for (int64_t j = 0; j < cols; j += W) {
            int64_t m = lanes_left(cols - j), first_at = i * p->width + 2 * j;
            const S *x = (const S *)p->image + first_at;
            V most, other, at = K(0);
            split_pairs(x, m, &most, &other);
            take_larger(other, K(1), &most, &at);
            V low, low_other;
            split_pairs(x + p->width, m, &low, &low_other);
            take_larger(low, below, &most, &at);
            take_larger(low_other, below + K(1), &most, &at);
            store(out, 0, m, most);
            vstore(offset, at);
            for (int64_t l = 0; l < m; l++) index[l] = first_at + 2 * l + (int32_t)offset[l];
            out += m, index += m;
        }
}

#endif

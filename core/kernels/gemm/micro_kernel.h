/* Private. The part of core/kernels/simd/kernel_set.c that serves sliding windows: the product of convolution,
 * transposes, and max pooling by two. */
#ifndef TG_CORE_KERNELS_GEMM_MICRO_KERNEL_H
#define TG_CORE_KERNELS_GEMM_MICRO_KERNEL_H

#include "core/kernels/simd/table.h"
#include "core/kernels/simd/vector.h"

/* ---- products ---- */

/* Rows of c that one pass over b makes: as many sums of one or two vectors as the registers hold, beside a
 * row of b and an element of x. The last rows are left to about half of that, or
 * to a few. */
#if defined(TG_ISA_AVX2)
enum { TILE_1 = 12, HALF_1 = 6, TILE_2 = 6, HALF_2 = 3 };
#elif defined(TG_ISA_REF)
enum { TILE_1 = 4, HALF_1 = 2, TILE_2 = 4, HALF_2 = 2 };
#else
enum { TILE_1 = 14, HALF_1 = 8, TILE_2 = 14, HALF_2 = 8 };
#endif
enum { FEW = 2 };

/* What a tile made, [rows, vectors * W] one after the other, to rows of c that end within a vector. */
INLINE void store_cut(const tg_offset_gemm *g, int64_t i, int64_t rows, int vectors, const S *made) {
    const S *start = g->start;
    for (int64_t k = 0; k < rows; k++, made += vectors * W) {
        S *c = (S *)g->c + (i + k) * g->c_row;
        for (int64_t l = 0; l < g->lanes; l++)
            c[l] = (start ? start[(i + k) * g->start_row + l] : 0) + made[l];
    }
}

/* Of the rows of c from its first on. */
INLINE void fetch_rows(const S *c, int64_t c_row, int rows, int64_t left, int vectors) {
    UNROLL(16)
    for (int k = 0; k < rows; k++)
        UNROLL(2)
        for (int v = 0; v < vectors; v++) __builtin_prefetch(c + (k < left ? k : left - 1) * c_row + v * W);
}

/* Rows i .. i + rows of c, `left` of which exist: the last one stands in for the others. Lines of c are fetched while
 * the sums are made. */
INLINE void offset_tile(const tg_offset_gemm *g, int64_t i, int64_t left, int rows, int vectors) {
    const int64_t width = vectors * W;
    const S *b = g->b, *start = g->start;
    S *c = (S *)g->c + i * g->c_row, made[TILE_1 * 2 * W];
    int64_t at[TILE_1];
    V sum[TILE_1][2], w[2];
    UNROLL(16)
    for (int k = 0; k < rows; k++) {
        at[k] = g->row[i + (k < left ? k : left - 1)];
        UNROLL(2)
        for (int v = 0; v < vectors; v++) sum[k][v] = K(0);
    }
    if (g->fetch) fetch_rows(c, g->c_row, rows, left, vectors);
    for (int64_t r = 0; r < g->sums; r++, b += g->b_row) {
        const S *x = (const S *)g->x + g->sum[r];
        UNROLL(2)
        for (int v = 0; v < vectors; v++) w[v] = vload(b + v * W);
        UNROLL(16)
        for (int k = 0; k < rows; k++) {
            V e = K(x[at[k]]);
            UNROLL(2)
            for (int v = 0; v < vectors; v++) {
                sum[k][v] = vfma(e, w[v], sum[k][v]);
                settle(&sum[k][v]);
            }
        }
    }
    bool cut = g->lanes < width;
    UNROLL(16)
    for (int k = 0; k < rows; k++) {
        if (k >= left) break;
        UNROLL(2)
        for (int v = 0; v < vectors; v++) {
            V first = start && !cut ? vload(start + (i + k) * g->start_row + v * W) : K(0);
            vstore(cut ? made + k * width + v * W : c + k * g->c_row + v * W, first + sum[k][v]);
        }
    }
    if (cut) store_cut(g, i, left < rows ? left : rows, vectors, made);
}

/* A tile that is not full costs as much as one that is. */
INLINE void offset_rows(const tg_offset_gemm *g, int tile, int half, int vectors) {
    for (int64_t i = 0, left; (left = g->rows - i) > 0;)
        if (left > 2 * half || (left > half && left <= tile)) {
            offset_tile(g, i, left, tile, vectors);
            i += tile;
        } else if (left > FEW) {
            offset_tile(g, i, left, half, vectors);
            i += half;
        } else {
            offset_tile(g, i, left, FEW, vectors);
            i += FEW;
        }
}

static void offset_gemm(const tg_offset_gemm *g) {
    if (g->lanes <= W)
        offset_rows(g, TILE_1, HALF_1, 1);
    else
        offset_rows(g, TILE_2, HALF_2, 2);
}

/* Rows i .. i + rows of c, two vectors from column j on; m0 and m1 lanes of them exist, m1 maybe none. */
INLINE void line_tile(const tg_offset_lines *g, int64_t i, int64_t j, int rows) {
    const S *w = (const S *)g->w + i, *start = g->start;
    int64_t m0 = lanes_left(g->n - j), m1 = lanes_left(g->n - j - m0);
    V sum[4][2];
    UNROLL(4)
    for (int k = 0; k < rows; k++) sum[k][0] = sum[k][1] = K(0);
    for (int64_t r = 0; r < g->sums; r++, w += g->width) {
        const S *x = (const S *)g->x + g->sum[r] + j;
        V a = load(x, 0, m0), b = m1 > 0 ? load(x, W, m1) : a;
        UNROLL(4)
        for (int k = 0; k < rows; k++) {
            sum[k][0] = vfma(K(w[k]), a, sum[k][0]);
            sum[k][1] = vfma(K(w[k]), b, sum[k][1]);
        }
    }
    UNROLL(4)
    for (int k = 0; k < rows; k++) {
        S *c = (S *)g->c + (i + k) * g->c_row + j;
        V first = K(start ? start[i + k] : 0);
        store(c, 0, m0, first + sum[k][0]);
        if (m1 > 0) store(c, W, m1, first + sum[k][1]);
    }
}

static void offset_lines(const tg_offset_lines *g) {
    for (int64_t j = 0; j < g->n; j += 2 * W) {
        int64_t i = 0;
        for (; i + 4 <= g->rows; i += 4) line_tile(g, i, j, 4);
        if (g->rows - i == 3) line_tile(g, i, j, 3);
        if (g->rows - i == 2) line_tile(g, i, j, 2);
        if (g->rows - i == 1) line_tile(g, i, j, 1);
    }
}

/* ---- transposes ---- */

#if !defined(TG_ISA_REF)
/* Shuffles of two vectors a, b: F(l, h) is the number of the lane, among those of a and then of b, that comes
 * to lane l. */
#define SHUFFLE(a, b, F, h) __builtin_shufflevector(a, b, ALL_LANES(F, h))
#define EVEN(l, h) (2 * (l))
#define ODD(l, h) (2 * (l) + 1)
#define MERGE(l, h) ((l) / 2 + (h) + (l) % 2 * W) /* a[h], b[h], a[h + 1], b[h + 1], .. */
#define UPPER(l, h) ((l) & (h) ? W + (l) - (h) : (l))
#define LOWER(l, h) ((l) & (h) ? W + (l) : (l) + (h))
#define LANES_2(F, h) F(0, h), F(1, h)
#define LANES_4(F, h) LANES_2(F, h), F(2, h), F(3, h)
#define LANES_8(F, h) LANES_4(F, h), F(4, h), F(5, h), F(6, h), F(7, h)
#define LANES_16(F, h) \
    LANES_8(F, h), F(8, h), F(9, h), F(10, h), F(11, h), F(12, h), F(13, h), F(14, h), F(15, h)
#if BYTES * 8 / TG_REAL == 16
#define ALL_LANES LANES_16
#elif BYTES * 8 / TG_REAL == 8
#define ALL_LANES LANES_8
#elif BYTES * 8 / TG_REAL == 4
#define ALL_LANES LANES_4
#else
#define ALL_LANES LANES_2
#endif
/* Exchanges bit h of the number of a row with bit h of the number of a lane; done for all bits, rows and
 * lanes have changed places. */
#define EXCHANGE(line, h) \
    UNROLL(16) for (int i = 0; i < W; i++) { \
        if (i & (h)) continue; \
        V a = line[i], b = line[(i + (h)) % W]; \
        line[i] = SHUFFLE(a, b, UPPER, h); \
        line[(i + (h)) % W] = SHUFFLE(a, b, LOWER, h); \
    }

INLINE void transpose_square(const S *x, int64_t x_row, S *out, int64_t out_row) {
    V line[W];
    UNROLL(16)
    for (int i = 0; i < W; i++) line[i] = vload(x + i * x_row);
    EXCHANGE(line, 1)
#if BYTES * 8 / TG_REAL > 2
    EXCHANGE(line, 2)
#endif
#if BYTES * 8 / TG_REAL > 4
    EXCHANGE(line, 4)
#endif
#if BYTES * 8 / TG_REAL > 8
    EXCHANGE(line, 8)
#endif
    UNROLL(16)
    for (int i = 0; i < W; i++) vstore(out + i * out_row, line[i]);
}
#else
INLINE void transpose_square(const S *x, int64_t x_row, S *out, int64_t out_row) {
    (void)x_row, (void)out_row;
    *out = *x;
}
#endif

/* Less than a square. */
static void transpose_edge(int64_t rows, int64_t cols, const S *x, int64_t x_row, S *out, int64_t out_row) {
    S from[W * W] = {0}, to[W * W];
    for (int64_t i = 0; i < rows; i++) memcpy(from + i * W, x + i * x_row, (size_t)cols * sizeof(S));
    transpose_square(from, W, to, W);
    for (int64_t j = 0; j < cols; j++) memcpy(out + j * out_row, to + j * W, (size_t)rows * sizeof(S));
}

static void transpose(int64_t rows, int64_t cols, const void *from, int64_t x_row, void *to,
                      int64_t out_row) {
    const S *x = from;
    S *out = to;
    for (int64_t i = 0; i < rows; i += W)
        for (int64_t j = 0; j < cols; j += W) {
            int64_t down = lanes_left(rows - i), across = lanes_left(cols - j);
            const S *corner = x + i * x_row + j;
            if (down == W && across == W)
                transpose_square(corner, x_row, out + j * out_row + i, out_row);
            else
                transpose_edge(down, across, corner, x_row, out + j * out_row + i, out_row);
        }
}

/* ---- max pooling by two ---- */

#if defined(TG_ISA_REF)
INLINE void deal(const S *x, int64_t m, V *even, V *odd) { (void)m, *even = x[0], *odd = x[1]; }
INLINE void merge(S *x, int64_t m, V even, V odd) { (void)m, x[0] = even, x[1] = odd; }
#else
/* m pairs of neighbours: the first of each, and the second. */
INLINE void deal(const S *x, int64_t m, V *even, V *odd) {
    int64_t low = lanes_left(2 * m), high = 2 * m - low;
    V a = load(x, 0, low), b = high > 0 ? load(x, W, high) : a;
    *even = SHUFFLE(a, b, EVEN, 0);
    *odd = SHUFFLE(a, b, ODD, 0);
}
INLINE void merge(S *x, int64_t m, V even, V odd) {
    int64_t low = lanes_left(2 * m), high = 2 * m - low;
    store(x, 0, low, SHUFFLE(even, odd, MERGE, 0));
    if (high > 0) store(x, W, high, SHUFFLE(even, odd, MERGE, W / 2));
}
#endif

/* Takes c where it is larger, or the first NaN; `place` says which was taken. */
INLINE void take_larger(V c, V at, V *most, V *place) {
    M larger = either(c > *most, both(c != c, *most == *most));
    *most = select(larger, c, *most);
    *place = select(larger, at, *place);
}

/* Places are offsets from the window's first element: 0, 1, width, width + 1. Positions are in the plane. */
static void max_two(const tg_max_two *p) {
    int64_t cols = p->width / 2;
    S *out = p->window, place[W];
    int64_t *index = p->index;
    V below = K((S)p->width);
    for (int64_t i = 0; i + 1 < p->height; i += 2)
        for (int64_t j = 0; j < cols; j += W) {
            int64_t m = lanes_left(cols - j), first_at = i * p->width + 2 * j;
            const S *x = (const S *)p->image + first_at;
            V most, other, at = K(0);
            deal(x, m, &most, &other);
            take_larger(other, K(1), &most, &at);
            V low, low_other;
            deal(x + p->width, m, &low, &low_other);
            take_larger(low, below, &most, &at);
            take_larger(low_other, below + K(1), &most, &at);
            store(out, 0, m, most);
            vstore(place, at);
            for (int64_t l = 0; l < m; l++) index[l] = first_at + 2 * l + (int32_t)place[l];
            out += m, index += m;
        }
}

/* With m = W these are vectors, and windows of the next rows may be among them. */
INLINE void to_places(int64_t m, const int64_t *index, int64_t corner, S *place) {
    for (int64_t l = 0; l < m; l++) place[l] = (S)(int32_t)(index[l] - corner - 2 * l);
}

static void max_two_grad(const tg_max_two *p) {
    int64_t cols = p->width / 2, i = 0, left = p->height / 2 * cols;
    const S *g = p->window;
    const int64_t *index = p->index;
    S place[W] = {0}, *dx = p->image;
    V below = K((S)p->width);
    for (; i + 1 < p->height; i += 2, dx += 2 * p->width) {
        for (int64_t j = 0; j < cols; j += W) {
            int64_t m = lanes_left(cols - j), first_at = i * p->width + 2 * j;
            if (left >= W)
                to_places(W, index, first_at, place);
            else
                to_places(m, index, first_at, place);
            V v = load(g, 0, m), at = vload(place), none = K(0);
            merge(dx + 2 * j, m, select(at == none, v, none), select(at == K(1), v, none));
            merge(dx + p->width + 2 * j, m, select(at == below, v, none),
                  select(at == below + K(1), v, none));
            g += m, index += m, left -= m;
        }
        if (p->width % 2) dx[p->width - 1] = dx[2 * p->width - 1] = 0;
    }
    if (i < p->height) memset(dx, 0, (size_t)p->width * sizeof(S));
}

#endif

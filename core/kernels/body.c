/* The kernels of one instruction set and one real type; see core/kernels/traits.h for how the build chooses them.
 *
 * Every element goes through the same vector expression wherever it stands: whole vectors straight from memory, the
 * rest and strided runs by way of a staged vector. So no result depends on how a run was cut, and with that on the
 * number of threads.
 */
#include "core/kernels/table.h"
#include "core/kernels/traits.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- elementwise ---- */

typedef V value_1(V x, V p0, V p1);
typedef V gradient_1(V g, V x, V y, V p0, V p1);
typedef V value_2(V a, V b, V p0, V p1);

#define TG_UNARY(NAME, X, Y, VALUE, GRADIENT) \
    INLINE V value_##NAME(V x, V p0, V p1) { \
        (void)x, (void)p0, (void)p1; \
        return VALUE; \
    } \
    INLINE V gradient_##NAME(V g, V x, V y, V p0, V p1) { \
        (void)g, (void)x, (void)y, (void)p0, (void)p1; \
        return GRADIENT; \
    }
#include "core/kernels/unary.def"
#undef TG_UNARY
#define TG_BINARY(NAME, VALUE) \
    INLINE V binary_##NAME(V a, V b, V p0, V p1) { \
        (void)p0, (void)p1; \
        return VALUE; \
    }
#include "core/kernels/binary.def"
#undef TG_BINARY
INLINE V value_affine(V x, V scale, V shift) { return x * scale + shift; }
INLINE V value_axpy(V x, V y, V alpha, V unused) {
    (void)unused;
    return y + alpha * x;
}

/* Where a loop over whole vectors starts, and how it advances: by W at stride 1; at stride 0 it stays on W copies. */
INLINE const S *whole(const S *p, int64_t s, S *copies, int64_t *step) {
    *step = s == 0 ? 0 : W;
    if (s != 0) return p;
    vstore(copies, K(*p));
    return copies;
}
INLINE bool is_whole(int64_t s) { return s == 1 || s == 0; }
INLINE int64_t lanes_left(int64_t n) { return n < W ? n : W; }

INLINE void loop_1(int64_t n, char *const p[], const int64_t s[], const double *arg, value_1 *f) {
    S *out = (S *)(void *)p[0], copies[W];
    const S *x = (const S *)(void *)p[1];
    V p0 = K((S)arg[0]), p1 = K((S)arg[1]);
    int64_t i = 0, so = s[0], sx = s[1], step;
    if (n == 1) {
        *out = lane0(f(K(*x), p0, p1));
        return;
    }
    if (n >= W && so == 1 && is_whole(sx)) {
        const S *q = whole(x, sx, copies, &step);
        for (; i + W <= n; i += W, q += step) vstore(out + i, f(vload(q), p0, p1));
    }
    for (; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        vstore_part(out + i * so, so, m, f(vload_part(x + i * sx, sx, m), p0, p1));
    }
}

INLINE void loop_2(int64_t n, char *const p[], const int64_t s[], const double *arg, value_2 *f) {
    S *out = (S *)(void *)p[0], copies[2][W];
    const S *x = (const S *)(void *)p[1], *y = (const S *)(void *)p[2];
    V p0 = K((S)arg[0]), p1 = K((S)arg[1]);
    int64_t i = 0, so = s[0], sx = s[1], sy = s[2], step, step_y;
    if (n == 1) {
        *out = lane0(f(K(*x), K(*y), p0, p1));
        return;
    }
    if (n >= W && so == 1 && is_whole(sx) && is_whole(sy)) {
        const S *q = whole(x, sx, copies[0], &step), *r = whole(y, sy, copies[1], &step_y);
        for (; i + W <= n; i += W, q += step, r += step_y) vstore(out + i, f(vload(q), vload(r), p0, p1));
    }
    for (; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        V v = vload_part(x + i * sx, sx, m), w = vload_part(y + i * sy, sy, m);
        vstore_part(out + i * so, so, m, f(v, w, p0, p1));
    }
}

/* An operand that the gradient does not use is not there: g takes its place. */
INLINE void loop_grad(int64_t n, char *const p[], const int64_t s[], const double *arg, bool use_x, bool use_y,
                      gradient_1 *f) {
    S *out = (S *)(void *)p[0], copies[3][W];
    const S *g = (const S *)(void *)p[1], *x = use_x ? (const S *)(void *)p[2] : g;
    const S *y = use_y ? (const S *)(void *)p[3] : g;
    V p0 = K((S)arg[0]), p1 = K((S)arg[1]);
    int64_t i = 0, so = s[0], sg = s[1], sx = use_x ? s[2] : sg, sy = use_y ? s[3] : sg, step, step_x, step_y;
    if (n == 1) {
        *out = lane0(f(K(*g), K(*x), K(*y), p0, p1));
        return;
    }
    if (n >= W && so == 1 && is_whole(sg) && is_whole(sx) && is_whole(sy)) {
        const S *q = whole(g, sg, copies[0], &step), *t = whole(x, sx, copies[1], &step_x);
        const S *u = whole(y, sy, copies[2], &step_y);
        for (; i + W <= n; i += W, q += step, t += step_x, u += step_y)
            vstore(out + i, f(vload(q), vload(t), vload(u), p0, p1));
    }
    for (; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        V gv = vload_part(g + i * sg, sg, m), xv = use_x ? vload_part(x + i * sx, sx, m) : gv;
        V yv = use_y ? vload_part(y + i * sy, sy, m) : gv;
        vstore_part(out + i * so, so, m, f(gv, xv, yv, p0, p1));
    }
}

static const double no_parameters[2];

#define TG_UNARY(NAME, X, Y, VALUE, GRADIENT) \
    static void run_##NAME(int64_t n, char *const p[], const int64_t s[], const void *arg) { \
        loop_1(n, p, s, arg, value_##NAME); \
    } \
    static void run_gradient_##NAME(int64_t n, char *const p[], const int64_t s[], const void *arg) { \
        loop_grad(n, p, s, arg, X, Y, gradient_##NAME); \
    }
#include "core/kernels/unary.def"
#undef TG_UNARY
#define TG_BINARY(NAME, VALUE) \
    static void run_binary_##NAME(int64_t n, char *const p[], const int64_t s[], const void *arg) { \
        (void)arg; \
        loop_2(n, p, s, no_parameters, binary_##NAME); \
    }
#include "core/kernels/binary.def"
#undef TG_BINARY

static void run_affine(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    loop_1(n, p, s, arg, value_affine);
}
static void run_axpy(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    loop_2(n, p, s, arg, value_axpy);
}

/* ---- comparison and choice: plain loops that compilers vectorise ---- */

#define COMPARE(NAME, OP) \
    static void run_##NAME(int64_t n, char *const p[], const int64_t s[], const void *arg) { \
        unsigned char *out = (unsigned char *)p[0]; \
        const S *a = (const S *)(void *)p[1], *b = (const S *)(void *)p[2]; \
        (void)arg; \
        if (s[0] == 1 && s[1] == 1 && s[2] == 1) { \
            for (int64_t i = 0; i < n; i++) out[i] = a[i] OP b[i]; \
        } else if (s[0] == 1 && s[1] == 1 && s[2] == 0) { \
            const S c = *b; \
            for (int64_t i = 0; i < n; i++) out[i] = a[i] OP c; \
        } else { \
            for (int64_t i = 0; i < n; i++) out[i * s[0]] = a[i * s[1]] OP b[i * s[2]]; \
        } \
    }
COMPARE(EQ, ==)
COMPARE(NE, !=)
COMPARE(LT, <)
COMPARE(LE, <=)
COMPARE(GT, >)
COMPARE(GE, >=)

static void run_where(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    const unsigned char *c = (const unsigned char *)p[1];
    S *out = (S *)(void *)p[0];
    const S *a = (const S *)(void *)p[2], *b = (const S *)(void *)p[3];
    (void)arg;
    if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 1) {
        for (int64_t i = 0; i < n; i++) {
            S yes = a[i], no = b[i];
            out[i] = c[i] ? yes : no;
        }
    } else {
        for (int64_t i = 0; i < n; i++) out[i * s[0]] = c[i * s[1]] ? a[i * s[2]] : b[i * s[3]];
    }
}

/* ---- reductions ---- */

/* A run is folded into LANES accumulators, element i into lane i % LANES, and these by halving. Neither depends on
 * W, so sums agree to the bit between instruction sets. */
enum { LANES = 256 / (int)sizeof(S), ACCS = LANES / W, BLOCK = 1024, ROWS = 32, LEVELS = 56 };

typedef V fold(V a, V b);
INLINE V op_sum(V a, V b) { return a + b; }
INLINE V op_prod(V a, V b) { return a * b; }
INLINE V op_max(V a, V b) { return vmax(a, b); }
INLINE V op_min(V a, V b) { return vmin(a, b); }
INLINE S fold_two(S a, S b, fold *f) { return lane0(f(K(a), K(b))); }

/* m elements, and the neutral element in the lanes behind them. */
INLINE V load_padded(const S *x, int64_t s, int64_t m, S neutral) {
    if (m >= W && s == 1) return vload(x);
    return m >= W ? vload_part(x, s, W) : select(first(m), vload_part(x, s, m), K(neutral));
}

INLINE S fold_accs(V *acc, int used, fold *f) {
    for (int h = ACCS / 2; h > 0; h /= 2)
        for (int k = 0; k < h && k + h < used; k++) acc[k] = f(acc[k], acc[k + h]);
    return across(acc[0], f);
}

INLINE S fold_short(int64_t n, const S *x, int64_t s, fold *f, S neutral) {
    V acc[ACCS];
    int used = 0;
    for (int64_t i = 0; i < n; i += W) acc[used++] = f(K(neutral), load_padded(x + i * s, s, n - i, neutral));
    return used > 0 ? fold_accs(acc, used, f) : neutral;
}

INLINE S fold_block(int64_t n, const S *x, int64_t s, fold *f, S neutral) {
    V acc[ACCS];
    int64_t i = 0;
    if (n < LANES) return fold_short(n, x, s, f, neutral);
    for (int k = 0; k < ACCS; k++) acc[k] = K(neutral);
    if (s == 1)
        for (; i + LANES <= n; i += LANES)
            for (int k = 0; k < ACCS; k++) acc[k] = f(acc[k], vload(x + i + k * W));
    for (; i < n; i += LANES)
        for (int k = 0; k < ACCS && i + k * W < n; k++)
            acc[k] = f(acc[k], load_padded(x + (i + k * W) * s, s, n - i - k * W, neutral));
    return fold_accs(acc, ACCS, f);
}

/* Partial results of equally many blocks meet in a binary counter: level l holds 2^l blocks, so that an element takes
 * part in log2(blocks) additions. count is the number of blocks that came before. */
INLINE void carry(S part, int64_t count, S *level, fold *f) {
    int l = 0;
    for (; count & 1; count >>= 1) part = fold_two(level[l++], part, f);
    level[l] = part;
}
INLINE S carried(int64_t count, const S *level, fold *f, S neutral) {
    S total = neutral;
    for (int l = 0; count; count >>= 1, l++)
        if (count & 1) total = fold_two(level[l], total, f);
    return total;
}

INLINE void fold_row(int64_t n, const S *x, int64_t s, S *out, fold *f, S neutral) {
    if (n <= BLOCK) {
        *out = fold_block(n, x, s, f, neutral);
        return;
    }
    S level[LEVELS];
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += BLOCK, count++)
        carry(fold_block(n - i < BLOCK ? n - i : BLOCK, x + i * s, s, f, neutral), count, level, f);
    *out = carried(count, level, f, neutral);
}

typedef struct lanes {
    V acc[ACCS];
} lanes;

INLINE lanes fold_lanes(lanes a, lanes b, fold *f) {
    for (int k = 0; k < ACCS; k++) a.acc[k] = f(a.acc[k], b.acc[k]);
    return a;
}

INLINE lanes fold_rows(int64_t rows, int64_t row_stride, int64_t n, const S *x, int64_t s, fold *f, S neutral) {
    lanes sum;
    for (int k = 0; k < ACCS; k++) sum.acc[k] = K(neutral);
    for (; rows > 0; rows--, x += row_stride) {
        if (n == LANES && s == 1)
            for (int k = 0; k < ACCS; k++) sum.acc[k] = f(sum.acc[k], vload(x + k * W));
        else
            for (int k = 0; k < ACCS && k * W < n; k++)
                sum.acc[k] = f(sum.acc[k], load_padded(x + k * W * s, s, n - k * W, neutral));
    }
    return sum;
}

INLINE void fold_col(int64_t rows, int64_t row_stride, int64_t n, const S *x, int64_t s, S *out, fold *f,
                     S neutral) {
    lanes level[LEVELS], total;
    int64_t count = 0;
    for (int64_t i = 0; i < rows || count == 0; i += ROWS, count++) {
        int64_t m = rows - i < ROWS ? rows - i : ROWS, c = count;
        int l = 0;
        total = fold_rows(m, row_stride, n, x + i * row_stride, s, f, neutral);
        for (; c & 1; c >>= 1) total = fold_lanes(level[l++], total, f);
        level[l] = total;
    }
    int l = __builtin_ctzll((unsigned long long)count);
    for (int64_t c = count >> (l + 1); c; c >>= 1)
        if (l++, c & 1) total = fold_lanes(level[l], total, f);
    for (int k = 0; k * W < n; k++) vstore_part(out + k * W, 1, lanes_left(n - k * W), total.acc[k]);
}

#define FOLD(NAME, NEUTRAL) \
    static void row_##NAME(int64_t n, const void *x, int64_t s, void *out) { \
        fold_row(n, x, s, out, op_##NAME, NEUTRAL); \
    } \
    static void col_##NAME(int64_t rows, int64_t row_stride, int64_t n, const void *x, int64_t s, void *out) { \
        fold_col(rows, row_stride, n, x, s, out, op_##NAME, NEUTRAL); \
    }
FOLD(sum, 0)
FOLD(prod, 1)
FOLD(max, -(S)INFINITY)
FOLD(min, (S)INFINITY)

/* ---- softmax of a row ---- */

/* The terms of a sum are made W at a time and go straight into the accumulators that fold_block would use. */
typedef struct row {
    S *y;
    const S *a, *b;
    V c, last; /* last: the terms that were made last */
} row;
typedef V row_term(const row *r, int64_t i, int64_t m);

INLINE V load(const S *p, int64_t i, int64_t m) { return m == W ? vload(p + i) : vload_part(p + i, 1, m); }
INLINE void store(S *p, int64_t i, int64_t m, V v) {
    if (m == W)
        vstore(p + i, v);
    else
        vstore_part(p + i, 1, m, v);
}

/* n terms, at most BLOCK, from `begin` on. */
INLINE S sum_block(int64_t begin, int64_t n, row *r, row_term *f) {
    V acc[ACCS];
    int used = 0;
    for (int64_t i = 0, k = 0; i < n; i += W, k = (k + 1) % ACCS) {
        int64_t m = lanes_left(n - i);
        r->last = f(r, begin + i, m);
        V v = m < W ? select(first(m), r->last, K(0)) : r->last;
        acc[k] = used < ACCS ? K(0) + v : acc[k] + v;
        used += used < ACCS;
    }
    return fold_accs(acc, used, op_sum);
}

INLINE S sum_terms(int64_t n, row *r, row_term *f) {
    S level[LEVELS];
    int64_t count = 0;
    if (n <= BLOCK) return sum_block(0, n, r, f);
    for (int64_t i = 0; i < n; i += BLOCK, count++)
        carry(sum_block(i, n - i < BLOCK ? n - i : BLOCK, r, f), count, level, op_sum);
    return carried(count, level, op_sum, 0);
}

INLINE V term_exp(const row *r, int64_t i, int64_t m) { return vexp(load(r->a, i, m) - r->c); }
INLINE V term_exp_kept(const row *r, int64_t i, int64_t m) {
    V e = term_exp(r, i, m);
    if (m == W) vstore(r->y + i, e);
    return e;
}
INLINE V term_product(const row *r, int64_t i, int64_t m) { return load(r->a, i, m) * load(r->b, i, m); }

/* y = e^(x - max) / sum e^(x - max) */
static void row_softmax(int64_t n, char *const p[]) {
    S *y = (S *)(void *)p[0], largest;
    row_max(n, p[1], 1, &largest);
    row r = {y, (const S *)(void *)p[1], NULL, K(largest), K(0)};
    V sum = K(sum_terms(n, &r, term_exp_kept));
    int64_t i = 0;
    for (; i + W <= n; i += W) vstore(y + i, vload(y + i) / sum);
    if (i < n) vstore_part(y + i, 1, n - i, r.last / sum);
}

/* dx = y (g - sum g y) */
static void row_softmax_grad(int64_t n, char *const p[]) {
    S *dx = (S *)(void *)p[0];
    const S *g = (const S *)(void *)p[1], *y = (const S *)(void *)p[2];
    row r = {NULL, g, y, K(0), K(0)};
    V sum = K(sum_terms(n, &r, term_product));
    for (int64_t i = 0; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        store(dx, i, m, load(y, i, m) * (load(g, i, m) - sum));
    }
}

/* y = x - max - log sum e^(x - max) */
static void row_log_softmax(int64_t n, char *const p[]) {
    S *y = (S *)(void *)p[0], largest;
    const S *x = (const S *)(void *)p[1];
    row_max(n, x, 1, &largest);
    row r = {NULL, x, NULL, K(largest), K(0)};
    V log_sum = vlog(K(sum_terms(n, &r, term_exp)));
    for (int64_t i = 0; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        store(y, i, m, load(x, i, m) - r.c - log_sum);
    }
}

/* dx = g - e^y sum g */
static void row_log_softmax_grad(int64_t n, char *const p[]) {
    S *dx = (S *)(void *)p[0], total;
    const S *g = (const S *)(void *)p[1], *y = (const S *)(void *)p[2];
    row_sum(n, g, 1, &total);
    for (int64_t i = 0; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        store(dx, i, m, load(g, i, m) - vexp(load(y, i, m)) * K(total));
    }
}

/* ---- small matrix products ---- */

/* Row by row, W columns at once. B is packed first when its rows are not contiguous. */
static void small_gemm(const tg_small_gemm *g) {
    S packed[TG_SMALL_GEMM], *c = g->c;
    const S *a = g->a, *b = g->b;
    int64_t bs = g->b_row;
    V alpha = K((S)g->alpha), beta = K((S)g->beta);
    if (g->b_col != 1 && g->n > 1) {
        for (int64_t l = 0; l < g->k; l++)
            for (int64_t j = 0; j < g->n; j++) packed[l * g->n + j] = b[l * g->b_row + j * g->b_col];
        b = packed, bs = g->n;
    }
    for (int64_t i = 0; i < g->m; i++, a += g->a_row, c += g->c_row)
        for (int64_t j = 0; j < g->n; j += W) {
            int64_t m = lanes_left(g->n - j);
            V sum = K(0);
            for (int64_t l = 0; l < g->k; l++) sum += K(a[l * g->a_col]) * load(b + l * bs, j, m);
            sum *= alpha;
            if (g->beta != 0) sum += beta * load(c, j, m);
            store(c, j, m, sum);
        }
}

/* ---- the set ---- */

#define SET_NAME__(isa, suffix) tg_kernels_##isa##_##suffix
#define SET_NAME_(isa, suffix) SET_NAME__(isa, suffix)
#define SET_NAME SET_NAME_(ISA, S_SUFFIX)
extern const tg_kernel_set SET_NAME;
const tg_kernel_set SET_NAME = {
#define TG_UNARY(NAME, X, Y, VALUE, GRADIENT) \
    .unary[TG_UNARY_##NAME] = run_##NAME, .unary_grad[TG_UNARY_##NAME] = run_gradient_##NAME,
#include "core/kernels/unary.def"
#undef TG_UNARY
#define TG_BINARY(NAME, VALUE) .binary[TG_BINARY_##NAME] = run_binary_##NAME,
#include "core/kernels/binary.def"
#undef TG_BINARY
    .compare = {[TG_EQ] = run_EQ, [TG_NE] = run_NE, [TG_LT] = run_LT, [TG_LE] = run_LE, [TG_GT] = run_GT,
                [TG_GE] = run_GE},
    .where = run_where,
    .affine = run_affine,
    .axpy = run_axpy,
    .row = {[TG_SUM] = row_sum, [TG_PROD] = row_prod, [TG_MAX] = row_max, [TG_MIN] = row_min},
    .col = {[TG_SUM] = col_sum, [TG_PROD] = col_prod, [TG_MAX] = col_max, [TG_MIN] = col_min},
    .softmax = row_softmax,
    .softmax_grad = row_softmax_grad,
    .log_softmax = row_log_softmax,
    .log_softmax_grad = row_log_softmax_grad,
    .small_gemm = small_gemm,
};

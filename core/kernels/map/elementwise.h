/* Private. The part of core/kernels/simd/kernel_set.c that works element by element.
 *
 * Every element goes through the same vector expression wherever it stands: whole vectors straight from
 * memory, the rest and strided runs by way of a staged vector. So no result depends on how a run was cut,
 * and with that on the number of threads. (SLEEF's sin, cos and tan choose their method for a vector as a
 * whole; blocks of work are multiples of a vector, so that threads change nothing there either.)
 */
#ifndef TG_CORE_KERNELS_MAP_ELEMENTWISE_H
#define TG_CORE_KERNELS_MAP_ELEMENTWISE_H

#include "core/kernels/map/expressions.h"
#include "core/kernels/simd/table.h"

typedef V value_1(V x, V p0, V p1);
typedef V gradient_1(V g, V x, V y, V p0, V p1);
typedef V value_2(V a, V b, V p0, V p1);

/* Where a loop over vectors of an operand starts, and how it advances: by W at stride 1; at stride 0 the element is
 * broadcast to the vector at `copies`, where it stays. */
INLINE const S *vector_operand(const S *p, int64_t s, S *copies, int64_t *step) {
    *step = s == 0 ? 0 : W;
    if (s != 0) return p;
    vstore(copies, K(*p));
    return copies;
}
INLINE bool is_vectorisable(int64_t s) { return s == 1 || s == 0; }

INLINE void loop_1(int64_t n, const tg_operands *p, const tg_strides *s, const double *arg, value_1 *f) {
    S *out = (S *)(void *)p->out, copies[W];
    const S *x = (const S *)(void *)p->a;
    V p0 = K((S)arg[0]), p1 = K((S)arg[1]);
    int64_t i = 0, so = s->out, sx = s->a, step;
    if (n == 1) {
        *out = lane0(f(K(*x), p0, p1));
        return;
    }
    if (n >= W && so == 1 && is_vectorisable(sx)) {
        const S *q = vector_operand(x, sx, copies, &step);
        for (; i + W <= n; i += W, q += step) vstore(out + i, f(vload(q), p0, p1));
    }
    for (; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        vstore_part(out + i * so, so, m, f(vload_part(x + i * sx, sx, m), p0, p1));
    }
}

INLINE void loop_2(int64_t n, const tg_operands *p, const tg_strides *s, const double *arg, value_2 *f) {
    S *out = (S *)(void *)p->out, copies[2][W];
    const S *x = (const S *)(void *)p->a, *y = (const S *)(void *)p->b;
    V p0 = K((S)arg[0]), p1 = K((S)arg[1]);
    int64_t i = 0, so = s->out, sx = s->a, sy = s->b, step, step_y;
    if (n == 1) {
        *out = lane0(f(K(*x), K(*y), p0, p1));
        return;
    }
    if (n >= W && so == 1 && is_vectorisable(sx) && is_vectorisable(sy)) {
        const S *q = vector_operand(x, sx, copies[0], &step), *r = vector_operand(y, sy, copies[1], &step_y);
        for (; i + W <= n; i += W, q += step, r += step_y) vstore(out + i, f(vload(q), vload(r), p0, p1));
    }
    for (; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        V v = vload_part(x + i * sx, sx, m), w = vload_part(y + i * sy, sy, m);
        vstore_part(out + i * so, so, m, f(v, w, p0, p1));
    }
}

/* An operand that the gradient does not use is not there: g takes its place. */
INLINE void loop_grad(int64_t n, const tg_operands *p, const tg_strides *s, const double *arg, bool use_x,
                      bool use_y, gradient_1 *f) {
    S *out = (S *)(void *)p->out, copies[3][W];
    const S *g = (const S *)(void *)p->a, *x = use_x ? (const S *)(void *)p->b : g;
    const S *y = use_y ? (const S *)(void *)p->c : g;
    V p0 = K((S)arg[0]), p1 = K((S)arg[1]);
    int64_t i = 0, so = s->out, sg = s->a, sx = use_x ? s->b : sg, sy = use_y ? s->c : sg, step, step_x, step_y;
    if (n == 1) {
        *out = lane0(f(K(*g), K(*x), K(*y), p0, p1));
        return;
    }
    if (n >= W && so == 1 && is_vectorisable(sg) && is_vectorisable(sx) && is_vectorisable(sy)) {
        const S *q = vector_operand(g, sg, copies[0], &step), *t = vector_operand(x, sx, copies[1], &step_x);
        const S *u = vector_operand(y, sy, copies[2], &step_y);
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
    static void run_##NAME(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) { \
        loop_1(n, p, s, arg, value_##NAME); \
    } \
    static void run_gradient_##NAME(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) { \
        loop_grad(n, p, s, arg, TG_USED_IN(DTYPE, X), TG_USED_IN(DTYPE, Y), gradient_##NAME); \
    }
#include "core/kernels/map/unary.def"
#undef TG_UNARY
#define TG_BINARY(NAME, VALUE) \
    static void run_binary_##NAME(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) { \
        (void)arg; \
        loop_2(n, p, s, no_parameters, binary_##NAME); \
    }
#include "core/kernels/map/binary.def"
#undef TG_BINARY

static void run_affine(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    loop_1(n, p, s, arg, value_affine);
}
static void run_axpy(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    loop_2(n, p, s, arg, value_axpy);
}

/* ---- comparison and choice: plain loops that compilers vectorise ---- */

#define COMPARE(NAME, OP) \
    static void run_##NAME(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) { \
        unsigned char *out = (unsigned char *)p->out; \
        const S *a = (const S *)(void *)p->a, *b = (const S *)(void *)p->b; \
        (void)arg; \
        if (s->out == 1 && s->a == 1 && s->b == 1) { \
            for (int64_t i = 0; i < n; i++) out[i] = a[i] OP b[i]; \
        } else if (s->out == 1 && s->a == 1 && s->b == 0) { \
            const S c = *b; \
            for (int64_t i = 0; i < n; i++) out[i] = a[i] OP c; \
        } else { \
            for (int64_t i = 0; i < n; i++) out[i * s->out] = a[i * s->a] OP b[i * s->b]; \
        } \
    }
COMPARE(EQ, ==)
COMPARE(NE, !=)
COMPARE(LT, <)
COMPARE(LE, <=)
COMPARE(GT, >)
COMPARE(GE, >=)

INLINE void choose(int64_t n, S *out, int64_t so, const unsigned char *c, int64_t sc, const S *a, int64_t sa,
                   const S *b, int64_t sb) {
    for (int64_t i = 0; i < n; i++) {
        S yes = a[i * sa], no = b[i * sb];
        out[i * so] = c[i * sc] ? yes : no;
    }
}

/* Either choice may be one number for the whole run. */
static void run_where(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    const unsigned char *c = (const unsigned char *)p->c;
    S *out = (S *)(void *)p->out;
    const S *a = (const S *)(void *)p->a, *b = (const S *)(void *)p->b;
    bool dense = s->out == 1 && s->c == 1;
    (void)arg;
    if (dense && s->a == 1 && s->b == 1)
        choose(n, out, 1, c, 1, a, 1, b, 1);
    else if (dense && s->a == 0 && s->b == 1)
        choose(n, out, 1, c, 1, a, 0, b, 1);
    else if (dense && s->a == 1 && s->b == 0)
        choose(n, out, 1, c, 1, a, 1, b, 0);
    else if (dense && s->a == 0 && s->b == 0)
        choose(n, out, 1, c, 1, a, 0, b, 0);
    else
        choose(n, out, s->out, c, s->c, a, s->a, b, s->b);
}

static void spread_numbers(int64_t n, int64_t left, int64_t row, const void *x, void *y) {
    const S *from = x;
    S *to = y;
    for (int64_t i = 0; i < n; i += left, left = row, from++) {
        const V v = K(*from);
        for (int64_t k = 0; k < left; k += W) vstore(to + i + k, v);
    }
}

#endif

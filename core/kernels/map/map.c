/* The elementwise functions: which kernel, and how it walks over the arrays. */
#include "core/kernels/look.h"
#include "core/update.h"
#include "core/work.h"

static const struct unary_use {
    int x, y;
} unary_use[TG_UNARY_COUNT] = {
#define TG_UNARY(NAME, X, Y, ...) [TG_UNARY_##NAME] = {X, Y},
#include "core/kernels/map/unary.def"
#undef TG_UNARY
};

typedef void tg_loop(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg);

/* Small arrays that are one run go straight to the kernel; a scalar op then costs a few nanoseconds. */
static inline void walk(tg_loop *loop, int operands, const tg_array *const a[], int64_t cost, tg_run *run,
                        const void *arg) {
    static const tg_strides ones = {.each = {1, 1, 1, 1, 1}};
    tg_operands p;
    tg_strides s;
    int64_t n = a[0]->numel;
    for (int k = 0; k < operands; k++) p.each[k] = a[k]->data;
    if (n == 1) {
        run(1, &p, &ones, arg);
        return;
    }
    int k = 0;
    while (k < operands && (s.each[k] = tg_flat_stride(a[k])) >= 0) k++;
    if (k < operands || n > TG_BLOCK / cost)
        loop(operands, a, cost, run, arg);
    else if (n > 0)
        run(n, &p, &s, arg);
}

/* What an element costs, in additions: memory-bound loops 1, anything with a division or a function 4. */
enum { CHEAP = 1, DEAR = 4 };

/* ---- for whoever listens or looks ---- */

typedef struct looked_run {
    tg_run *run;
    const void *arg;
    tg_looker *looker;
    int operands;
    bool fetches;
    int64_t piece, size[TG_MAX_OPERANDS]; /* elements of a piece; bytes of an element of each operand */
} looked_run;

/* A run in pieces, each looked at in its turn; where the machine waits for memory, what the next one reads is asked for
 * first. Pieces end where vectors do, and the last is no short one, so that every element goes through the expression that it
 * would go through without. */
static void run_and_look(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    const looked_run *r = arg;
    tg_operands at = *p;
    for (int64_t m; n > 0; n -= m) {
        const char *made = at.out;
        m = n < 2 * r->piece ? n : r->piece;
        r->run(m, &at, s, r->arg);
        for (int k = 0; k < r->operands; k++) at.each[k] += m * s->each[k] * r->size[k];
        for (int k = 1; k < r->operands && r->fetches && n > m; k++)
            tg_look_fetch(r->looker, at.each[k], m * s->each[k] * r->size[k]);
        tg_look_at(r->looker, made, m);
    }
}

__attribute__((noinline)) static void walk_observed(tg_loop *loop, int operands, const tg_array *const a[],
                                                    int64_t cost, tg_run *run, const void *arg) {
    tg_looker looker;
    looked_run r = {.run = run, .arg = arg, .looker = tg_look_begin(&looker, a[0]), .operands = operands};
    if (tg_listening) tg_listening->mapped(tg_listening, &(tg_map_call){run, operands, a, cost, arg, false});
    if (!r.looker) {
        walk(loop, operands, a, cost, run, arg);
        return;
    }
    r.fetches = cost == CHEAP && operands == 4; /* a gradient that reads y; others lost by it where measured */
    r.piece = (cost == CHEAP ? TG_LOOK_BYTES : TG_LOOK_DEAR_BYTES) / looker.size;
    for (int k = 0; k < operands; k++) r.size[k] = (int64_t)tg_dtype_size((tg_dtype)a[k]->dtype);
    walk(loop, operands, a, cost, run_and_look, &r);
    tg_look_end(&looker, a[0]);
}

static inline void apply_in(tg_loop *loop, int operands, const tg_array *const a[], int64_t cost, tg_run *run,
                            const void *arg) {
    if (__builtin_expect(tg_listening == NULL && tg_looking == NULL, 1))
        walk(loop, operands, a, cost, run, arg);
    else
        walk_observed(loop, operands, a, cost, run, arg);
}

static inline void apply(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg) {
    apply_in(tg_iterate_map, operands, a, cost, run, arg);
}

/* The powers that have a function of their own. */
static tg_unary power(double p) {
    if (p == 2) return TG_UNARY_SQUARE;
    if (p == 3) return TG_UNARY_CUBE;
    if (p == 0.5) return TG_UNARY_SQRT;
    return p == -1 ? TG_UNARY_RECIPROCAL : TG_UNARY_POW_SCALAR;
}

void tg_map_unary(tg_unary f, const tg_array *x, const tg_array *out, const double p[2]) {
    static const double none[2];
    if (f == TG_UNARY_POW_SCALAR) f = power(p[0]);
    apply(2, (const tg_array *[]){out, x}, DEAR, tg_kernels_for(x->dtype)->unary[f], p ? p : none);
}

void tg_map_unary_grad(tg_unary f, const tg_array *g, const tg_array *x, const tg_array *y,
                       const tg_array *dx, const double p[2]) {
    static const double none[2];
    if (f == TG_UNARY_POW_SCALAR && (p[0] == 2 || p[0] == 3)) f = power(p[0]);
    bool use_x = TG_USED_IN(g->dtype, unary_use[f].x), use_y = TG_USED_IN(g->dtype, unary_use[f].y);
    const tg_array *const a[] = {dx, g, use_x ? x : g, use_y ? y : g};
    apply(use_y ? 4 : 3, a, use_x ? DEAR : CHEAP, tg_kernels_for(g->dtype)->unary_grad[f], p ? p : none);
}

void tg_map_binary(tg_binary f, const tg_array *a, const tg_array *b, const tg_array *out) {
    bool real = tg_dtype_is_float((tg_dtype)a->dtype);
    tg_run *run = real ? tg_kernels_for(a->dtype)->binary[f] : tg_integer_binary(f, a->dtype);
    apply(3, (const tg_array *[]){out, a, b}, f <= TG_BINARY_MINIMUM ? CHEAP : DEAR, run, NULL);
}

void tg_map_compare(tg_compare f, const tg_array *a, const tg_array *b, const tg_array *out) {
    bool real = tg_dtype_is_float((tg_dtype)a->dtype);
    tg_run *run = real ? tg_kernels_for(a->dtype)->compare[f] : tg_integer_compare(f, a->dtype);
    apply(3, (const tg_array *[]){out, a, b}, CHEAP, run, NULL);
}

void tg_map_where(const tg_array *condition, const tg_array *a, const tg_array *b, const tg_array *out) {
    size_t size = tg_dtype_size((tg_dtype)out->dtype);
    tg_run *run = size == 1 ? tg_where_bytes : tg_kernels_for(size == 4 ? TG_F32 : TG_F64)->where;
    apply(4, (const tg_array *[]){out, a, b, condition}, CHEAP, run, NULL);
}

void tg_map_affine(const tg_array *x, double scale, double shift, const tg_array *out) {
    bool real = tg_dtype_is_float((tg_dtype)x->dtype);
    tg_run *run = real ? tg_kernels_for(x->dtype)->affine : tg_integer_affine(x->dtype);
    apply(2, (const tg_array *[]){out, x}, CHEAP, run, (const double[]){scale, shift});
}

/* A step of an optimiser: the last array is the gradient, which is read; the others are read and written. */
static inline void update(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg) {
    if (__builtin_expect(tg_measuring != NULL, 0)) tg_span_moved((2 * operands - 1) * tg_span_bytes(a[0]));
    apply_in(tg_iterate, operands, a, cost, run, arg);
}

void tg_update_sgd(const tg_sgd_step *c, const tg_array *g, const tg_array *p) {
    update(2, (const tg_array *[]){p, g}, CHEAP, tg_kernels_for(p->dtype)->sgd, c);
}

void tg_update_momentum(const tg_sgd_step *c, const tg_array *g, const tg_array *v, const tg_array *p) {
    update(3, (const tg_array *[]){p, v, g}, CHEAP, tg_kernels_for(p->dtype)->momentum, c);
}

void tg_update_adam(const tg_adam_step *c, const tg_array *g, const tg_array *m, const tg_array *v,
                    const tg_array *p) {
    update(4, (const tg_array *[]){p, m, v, g}, DEAR, tg_kernels_for(p->dtype)->adam, c);
}

void tg_update_amsgrad(const tg_adam_step *c, const tg_array *g, const tg_array *m, const tg_array *v,
                       const tg_array *w, const tg_array *p) {
    update(5, (const tg_array *[]){p, m, v, w, g}, DEAR, tg_kernels_for(p->dtype)->amsgrad, c);
}

void tg_update_rms(const tg_rms_step *c, const tg_array *g, const tg_array *v, const tg_array *a,
                   const tg_array *b, const tg_array *p) {
    const tg_array *use[TG_MAX_OPERANDS] = {p, v};
    int n = 2, form = (a ? TG_RMS_CENTERED : 0) | (b ? TG_RMS_MOMENTUM : 0);
    if (a) use[n++] = a;
    if (b) use[n++] = b;
    use[n++] = g;
    update(n, use, DEAR, tg_kernels_for(p->dtype)->rms[form], c);
}

void tg_update_adadelta(const tg_adadelta_step *c, const tg_array *g, const tg_array *v, const tg_array *u,
                        const tg_array *p) {
    update(4, (const tg_array *[]){p, v, u, g}, DEAR, tg_kernels_for(p->dtype)->adadelta, c);
}

void tg_update_adamax(const tg_adamax_step *c, const tg_array *g, const tg_array *m, const tg_array *u,
                      const tg_array *p) {
    update(4, (const tg_array *[]){p, m, u, g}, DEAR, tg_kernels_for(p->dtype)->adamax, c);
}

void tg_update_lion(const tg_lion_step *c, const tg_array *g, const tg_array *m, const tg_array *p) {
    update(3, (const tg_array *[]){p, m, g}, CHEAP, tg_kernels_for(p->dtype)->lion, c);
}

void tg_map_axpy(double alpha, const tg_array *x, const tg_array *y) {
    tg_run *run = tg_kernels_for(y->dtype)->axpy;
    apply(3, (const tg_array *[]){y, x, y}, CHEAP, run, (const double[]){alpha, 0});
}

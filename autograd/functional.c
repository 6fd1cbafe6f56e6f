#include "autograd/functional.h"
#include "autograd/tape_private.h"

/* What a call needs by input, for any n: the inputs f is given, and first gradients. */
typedef struct call {
    int n;
    tg_tensor **x, **g, **live, **seed;
    tg_tensor *y;
} call;

static tg_status begin(call *c, tg_function f, void *user, int n, tg_tensor *const *in) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!f || !in || n < 1) return tg_fail(TG_ERR_ARGUMENT, "functional: needs a function and at least one input");
    tg_tape *tape = tg_tape_get();
    size_t bytes = 4 * (size_t)n * sizeof *c->x;
    c->n = n;
    c->x = tape ? tg_arena_alloc(&tape->arena, bytes) : NULL;
    if (!c->x) return tg_fail_memory(bytes);
    c->g = c->x + n, c->live = c->g + n, c->seed = c->live + n;
    for (int i = 0; i < n; i++) c->x[i] = (tg_set_requires_grad)((tg_detach)(in[i]), true);
    if (tg_error_status() == TG_OK) c->y = f(c->x, user);
    return tg_error_status();
}

/* out[i] = d(seed . y)/dx_i, zeros where y does not depend on x_i. */
static tg_status gradients(call *c, tg_tensor *seed, tg_tensor **out, bool create_graph) {
    if (tg_requires_grad(c->y))
        return tg_grad(1, &c->y, c->n, c->x, out, .seeds = &seed, .create_graph = create_graph, .retain = true, .allow_unused = true);
    for (int i = 0; i < c->n; i++) out[i] = tg_zeros_like(c->x[i]);
    return tg_error_status();
}

/* out[k] = d(sum_i v_i . g_i)/d(by[k]) for the first gradients g. Those that are constant have no history. */
static tg_status second(call *c, tg_tensor *const *v, int n_by, tg_tensor *const *by, tg_tensor **out) {
    int n = 0;
    for (int i = 0; i < c->n; i++)
        if (tg_requires_grad(c->g[i])) c->live[n] = c->g[i], c->seed[n++] = v[i];
    if (n) return tg_grad(n, c->live, n_by, by, out, .seeds = c->seed, .retain = true, .allow_unused = true);
    for (int k = 0; k < n_by; k++) out[k] = tg_zeros_like(by[k]);
    return tg_error_status();
}

static tg_status finish(tg_status s, int n, tg_tensor **out) {
    for (int i = 0; s != TG_OK && out && i < n; i++) out[i] = tg_poison();
    return s;
}

tg_status(tg_vjp)(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *v, tg_tensor **y, tg_tensor **out) {
    call c;
    tg_status s = begin(&c, f, user, n, in);
    if (s == TG_OK && y) *y = c.y;
    if (s == TG_OK) s = gradients(&c, v, out, false);
    return finish(s, n, out);
}

tg_status(tg_jvp)(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *const *v, tg_tensor **y,
                  tg_tensor **out) {
    call c;
    tg_status s = begin(&c, f, user, n, in);
    if (s == TG_OK && y) *y = c.y;
    tg_tensor *u = s == TG_OK ? (tg_set_requires_grad)(tg_zeros_like(c.y), true) : NULL;
    if (s == TG_OK) s = gradients(&c, u, c.g, true);
    if (s == TG_OK) s = second(&c, v, 1, &u, out);
    return finish(s, 1, out);
}

tg_status(tg_hvp)(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *const *v, tg_tensor **out) {
    call c;
    tg_status s = begin(&c, f, user, n, in);
    if (s == TG_OK) s = gradients(&c, NULL, c.g, true);
    if (s == TG_OK) s = second(&c, v, n, c.x, out);
    return finish(s, n, out);
}

/* ---- whole matrices: a walk per row ---- */

static tg_tensor *matrix(const tg_tensor *y, const tg_tensor *x) {
    tg_shape s = tg_shape_of(y), more = tg_shape_of(x);
    if (s.rank + more.rank > TG_MAX_RANK) {
        tg_fail(TG_ERR_SHAPE, "tg_jacobian: %d and %d axes make more than %d", s.rank, more.rank, TG_MAX_RANK);
        return tg_poison();
    }
    for (int i = 0; i < more.rank; i++) s.dim[s.rank++] = more.dim[i];
    return (tg_zeros)(tg_dtype_of(y), s);
}

static void put_row(tg_tensor *out, int64_t row, const tg_tensor *g) {
    const tg_array *to = tg_array_of(out), *from = tg_array_of(g);
    tg_array line; /* borrows out's buffer */
    if (tg_array_layout(&line, (tg_dtype)from->dtype, tg_array_shape(from)) != TG_OK) return;
    line.data = (char *)to->data + (size_t)(row * from->numel) * tg_dtype_size((tg_dtype)from->dtype);
    tg_array_copy(&line, from);
}

/* out[i] = dy/dx_i for the y in c, where only the first n_by inputs are asked for. */
static tg_status rows(call *c, int n_by, tg_tensor **out) {
    for (int i = 0; i < n_by; i++) out[i] = matrix(c->y, c->x[i]);
    tg_tensor *e = tg_zeros_like(c->y);
    if (tg_error_status() != TG_OK || !tg_requires_grad(c->y)) return tg_error_status();
    for (int64_t row = 0; row < tg_numel(c->y); row++) {
        tg_mark mark = tg_tape_mark();
        tg_array_set(tg_array_of(e), row, 1);
        tg_status s = tg_grad(1, &c->y, n_by, c->x, c->g, .seeds = &e, .retain = true, .allow_unused = true);
        for (int i = 0; s == TG_OK && i < n_by; i++) put_row(out[i], row, c->g[i]);
        tg_array_set(tg_array_of(e), row, 0);
        tg_tape_rewind(mark);
        if (s != TG_OK) return s;
    }
    return TG_OK;
}

tg_status(tg_jacobian)(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor **out) {
    call c;
    tg_status s = begin(&c, f, user, n, in);
    return finish(s == TG_OK ? rows(&c, n, out) : s, n, out);
}

tg_tensor *(tg_hessian)(tg_function f, void *user, int n, tg_tensor *const *in) {
    call c;
    tg_tensor *h = tg_poison();
    tg_status s = begin(&c, f, user, n, in);
    if (s == TG_OK) s = gradients(&c, NULL, c.g, true);
    if (s == TG_OK) c.y = c.g[0];
    if (s == TG_OK) s = rows(&c, 1, &h);
    finish(s, 1, &h);
    return h;
}

#include "autograd/functional.h"
#include "autograd/walk.h"
#include "core/work.h"

#include <math.h>

/* What a call holds for each of its n inputs: the tensor that f is given, and first gradients. */
typedef struct call {
    const char *who;
    int n;
    tg_tensor **x, **g, **live, **seed;
    tg_tensor *y;
    bool allow_unused, recording;
    tg_tape *tape;
    int64_t tensors, nodes; /* how many were on it before */
    tg_arena_mark scratch;
} call;

/* Input i as f is given it. A leaf that requires a gradient is itself, so that a function which reaches it by another
 * way than `in`, as a network its parameters, is differentiated by it all the same. Others are leaves of their own on
 * the same elements, and so is a leaf that comes again: the derivatives by the two are apart. */
static tg_tensor *leaf_of(call *c, tg_tensor *const *in, int i) {
    tg_slot *s = tg_slot_of_input(in[i], c->who, i);
    if (s) s = tg_slot_with_data(in[i], c->who);
    bool itself = s && s->requires_grad && !s->node;
    for (int j = 0; j < i; j++) itself = itself && in[j] != in[i];
    return itself ? in[i] : tg_set_requires_grad(tg_detach(in[i]), true);
}

/* Computes y from the inputs, recorded whether recording is on or not. */
static tg_status evaluate(call *c, tg_function f, void *user, tg_tensor *const *in) {
    for (int i = 0; i < c->n; i++) c->x[i] = leaf_of(c, in, i);
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_callback inside = tg_callback_begin();
    tg_tensor *y = f(c->x, user);
    if (tg_callback_end(inside, tg_error_status(), c->who) != TG_OK || !tg_callback_result(y, c->who))
        return tg_error_status();
    c->y = y;
    for (int i = 0; i < c->n; i++) /* f may have freed it */
        if (tg_slot_of_input(c->x[i], c->who, i)) tg_slot_with_data(c->x[i], c->who);
    return tg_error_status();
}

/* Checks the arguments and evaluates f; `given` says whether the other arrays are there. end() must follow. */
static tg_status begin(call *c, const char *who, bool given, tg_function f, void *user, int n,
                       tg_tensor *const *in, tg_functional_opts opts) {
    *c = (call){.who = who, .n = n, .allow_unused = opts.allow_unused};
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!f || !in || n < 1 || !given)
        return tg_fail(
            TG_ERR_ARGUMENT,
            "%s: a function, at least one input, and arrays for all inputs and results must be given", who);
    tg_tape *tape = tg_tape_get();
    if (!tape) return tg_error_status();
    c->tape = tape;
    c->tensors = tape->region.count, c->nodes = tape->n_nodes;
    c->scratch = tg_arena_get_mark(&tape->scratch);
    c->recording = tg_set_grad_enabled(true);
    size_t bytes = 4 * (size_t)n * sizeof *c->x;
    c->x = tg_arena_alloc(&tape->scratch, bytes);
    if (!c->x) return tg_fail_memory(bytes);
    c->g = c->x + n, c->live = c->g + n, c->seed = c->live + n;
    return evaluate(c, f, user, in);
}

/* On failure the n results are the poison tensor, and the tape is as it was. *y becomes f's value, without the history
 * that was walked here. */
static tg_status end(call *c, tg_status s, int n, tg_tensor **out, tg_tensor **y) {
    if (y) *y = s == TG_OK ? tg_detach(c->y) : tg_poison();
    if (s == TG_OK) s = tg_error_status();
    for (int i = 0; s != TG_OK && out && i < n; i++) out[i] = tg_poison();
    if (!c->tape) return s;
    tg_arena_rewind(&c->tape->scratch, c->scratch);
    tg_set_grad_enabled(c->recording);
    if (s != TG_OK) tg_tape_cut(c->tape, c->tensors, c->nodes);
    return s;
}

/* out[i] = d(seed . y)/dx_i for the first n inputs; where y does not depend on x_i, zeros if allowed, else an error. */
static tg_status gradients(call *c, tg_tensor *seed, int n, tg_tensor **out, bool create_graph) {
    if (tg_requires_grad(c->y) || c->allow_unused)
        return tg_grad_for(
            (tg_grad_caller){.who = c->who}, 1, &c->y, n, c->x, out,
            (tg_grad_opts){
                .seeds = &seed, .create_graph = create_graph, .retain = true, .allow_unused = c->allow_unused});
    return tg_fail(TG_ERR_TAPE,
                   "%s: the result of the function depends on no input by recorded ops (.allow_unused = true "
                   "gives zeros)",
                   c->who);
}

/* out[k] = d(sum_i v_i . g_i)/d(by[k]) for the first gradients g, of which some may be constant. */
static tg_status second(call *c, tg_tensor *const *v, int n_by, tg_tensor *const *by, tg_tensor **out) {
    return tg_grad_for((tg_grad_caller){.who = c->who}, c->n, c->g, n_by, by, out,
                       (tg_grad_opts){.seeds = v, .retain = true, .allow_unused = true});
}

tg_status tg_vjp_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *v, tg_tensor **y,
                      tg_tensor **out, tg_vjp_opts opts) {
    call c;
    tg_status s = begin(&c, "tg_vjp", out, f, user, n, in, opts);
    if (s == TG_OK) s = gradients(&c, v, n, out, false);
    return end(&c, s, n, out, y);
}

tg_status tg_jvp_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *const *v,
                      tg_tensor **y, tg_tensor **out, tg_jvp_opts opts) {
    call c;
    tg_status s = begin(&c, "tg_jvp", v && out, f, user, n, in, opts);
    tg_tensor *u = s == TG_OK ? tg_set_requires_grad(tg_zeros_like(c.y), true) : NULL;
    if (s == TG_OK) s = gradients(&c, u, n, c.g, true);
    if (s == TG_OK) s = second(&c, v, 1, &u, out);
    return end(&c, s, 1, out, y);
}

tg_status tg_hvp_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor *const *v,
                      tg_tensor **out, tg_hvp_opts opts) {
    call c;
    tg_status s = begin(&c, "tg_hvp", v && out, f, user, n, in, opts);
    if (s == TG_OK) s = gradients(&c, NULL, n, c.g, true);
    if (s == TG_OK) s = second(&c, v, n, c.x, out);
    return end(&c, s, n, out, NULL);
}

/* ---- whole matrices: a walk per row ---- */

static tg_tensor *matrix(const call *c, const tg_tensor *x) {
    tg_shape s = tg_shape_of(c->y), more = tg_shape_of(x);
    if (s.rank + more.rank > TG_MAX_RANK) {
        tg_fail(TG_ERR_SHAPE, "%s: a matrix of the result's %d axes and the input's %d has more than %d",
                c->who, s.rank, more.rank, TG_MAX_RANK);
        return tg_poison();
    }
    for (int i = 0; i < more.rank; i++) s.dim[s.rank++] = more.dim[i];
    return tg_zeros_with(tg_dtype_of(c->y), s);
}

/* Row *data of a[0] becomes a[1]. */
static tg_status copy_to_row(const tg_array *const *a, const void *data) {
    const tg_array *to = a[0], *from = a[1];
    tg_array line; /* borrows the buffer, so it has a[0]'s dtype: a[1] has that of its input */
    tg_status s = tg_array_layout(&line, (tg_dtype)to->dtype, tg_array_shape(from));
    if (s != TG_OK) return s;
    line.data =
        (char *)to->data + (size_t)(*(const int64_t *)data * from->numel) * tg_dtype_size((tg_dtype)to->dtype);
    tg_array_copy(&line, from);
    return TG_OK;
}

static void put_row(tg_tensor *out, int64_t row, const tg_tensor *g) {
    const tg_array *const a[] = {tg_array_within(out, "tg_array_of"), tg_array_within(g, "tg_array_of")};
    if (a[0] && a[1])
        TG_WORK_DO(copy_to_row, a, &row, .name = "row of a matrix", .n = 2, .changes = 1u, .size = sizeof row);
}

static bool any_nan(const tg_array *const *a, const void *data) {
    (void)data;
    for (int64_t i = 0; i < a[0]->numel; i++)
        if (isnan(tg_array_get(a[0], i))) return true;
    return false;
}

static bool has_nan(const tg_tensor *g) {
    const tg_array *a = tg_array_within(g, "tg_array_of");
    return a && tg_decide(&(tg_decision){"is a gradient NaN", any_nan, 1, NULL, 0}, &a);
}

/* Unit vector *data, of an array that is the one before it, or anything for 0. */
static tg_status select_row(const tg_array *const *a, const void *data) {
    int64_t row = *(const int64_t *)data;
    if (row == 0) tg_array_fill(a[0], 0);
    if (row > 0) tg_array_set(a[0], row - 1, 0);
    tg_array_set(a[0], row, 1);
    return TG_OK;
}

/* g_i = d(y[row])/dx_i, e being that of the row before. If that is not a number anywhere, a zero of the seed may have met an
 * infinite slope: the sparse walk, which is slow, tells. */
static tg_status gradients_of_row(call *c, tg_tensor *e, int64_t row, int n_by, bool allow_unused) {
    const tg_array *const seed[] = {tg_array_within(e, c->who)};
    TG_WORK_DO(select_row, seed, &row, .name = "seed of a row", .n = 1, .makes = row == 0, .changes = row > 0,
               .size = sizeof row);
    tg_grad_opts opts = {.seeds = &e, .retain = true, .allow_unused = allow_unused};
    tg_status s = tg_grad_for((tg_grad_caller){.who = c->who}, 1, &c->y, n_by, c->x, c->g, opts);
    bool nan = false;
    for (int i = 0; s == TG_OK && i < n_by; i++) nan = nan || has_nan(c->g[i]);
    if (nan)
        s = tg_grad_for((tg_grad_caller){.who = c->who, .sparse = true}, 1, &c->y, n_by, c->x, c->g, opts);
    return s;
}

/* out[i] = dy/dx_i for the y in c, where only the first n_by inputs are asked for. */
static tg_status rows(call *c, int n_by, tg_tensor **out, bool allow_unused) {
    for (int i = 0; i < n_by; i++) out[i] = matrix(c, c->x[i]);
    tg_tensor *e = tg_zeros_like(c->y);
    if (tg_error_status() != TG_OK) return tg_error_status();
    for (int64_t row = 0; row < tg_numel(c->y); row++) {
        tg_mark mark = tg_tape_mark();
        tg_status s = gradients_of_row(c, e, row, n_by, allow_unused);
        for (int i = 0; s == TG_OK && i < n_by; i++) put_row(out[i], row, c->g[i]);
        tg_tape_rewind(mark);
        if (s != TG_OK) return s;
    }
    return TG_OK;
}

tg_status tg_jacobian_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_tensor **out,
                           tg_jacobian_opts opts) {
    call c;
    tg_status s = begin(&c, "tg_jacobian", out, f, user, n, in, opts);
    if (s == TG_OK) s = rows(&c, n, out, opts.allow_unused);
    return end(&c, s, n, out, NULL);
}

tg_tensor *tg_hessian_with(tg_function f, void *user, int n, tg_tensor *const *in, tg_hessian_opts opts) {
    call c;
    tg_tensor *h = tg_poison();
    tg_status s = begin(&c, "tg_hessian", true, f, user, n, in, opts);
    if (s == TG_OK) s = gradients(&c, NULL, 1, c.g, true);
    if (s == TG_OK) c.y = c.g[0];
    if (s == TG_OK) s = rows(&c, 1, &h, true);
    end(&c, s, 1, &h, NULL);
    return h;
}

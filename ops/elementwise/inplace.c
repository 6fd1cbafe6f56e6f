/* Changes of elements, not of history. */
#include "ops/elementwise/inplace.h"

#include "autograd/tape.h"
#include "core/kernels/kernels.h"
#include "core/slot.h"

#include <math.h>

/* ---- what may be changed ---- */

/* Whether two index tuples reach the same element. */
static bool repeats(const tg_array *a) {
    for (int i = 0; i < a->rank; i++)
        if (a->shape[i] > 1 && a->stride[i] == 0) return true;
    return false;
}

/* The slot of a tensor that may be changed in place; NULL with the error raised. Memory without a buffer has no version
 * to raise. */
static tg_slot *target(const char *who, tg_tensor *x) {
    tg_slot *s = tg_slot_with_data(x, who);
    bool with_history = s && s->requires_grad && (s->node || tg_grad_enabled());
    if (!s || (!with_history && !repeats(&s->a) && s->a.buffer)) return s;
    char text[160];
    tg_describe(x, text, sizeof text);
    if (s->requires_grad && s->node)
        tg_fail(TG_ERR_TAPE, "%s: %s is the result of %s and requires a gradient", who, text,
                s->node->op->name);
    else if (s->requires_grad && tg_grad_enabled())
        tg_fail(TG_ERR_TAPE, "%s: %s requires a gradient and recording is on (tg_set_grad_enabled(false))",
                who, text);
    else if (!s->a.buffer)
        tg_fail(TG_ERR_ARGUMENT, "%s: %s lies in memory that is not the library's (tg_contiguous copies)", who, text);
    else
        tg_fail(TG_ERR_ARGUMENT, "%s: %s shows one element in several places (tg_contiguous copies)", who,
                text);
    return NULL;
}

static tg_status changed(const char *who, tg_slot *s) {
    s->a.buffer->version++;
    s->a.buffer->changed_by = who;
    return TG_OK;
}

/* ---- what it is changed with ---- */

static bool same_elements(const tg_array *a, const tg_array *b) {
    if (a->data != b->data || a->dtype != b->dtype) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->stride[i] != b->stride[i] && a->shape[i] > 1) return false;
    return true;
}

/* *out = src broadcast to x's shape, to be dropped: a view, or a copy where writing to x would change what
 * is read. */
static tg_status operand(const char *who, const tg_slot *x, const tg_tensor *src, tg_array *out) {
    *out = (tg_array){0};
    tg_slot *s = tg_slot_with_data(src, who);
    if (!s) return tg_error_status();
    tg_shape shape = tg_array_shape(&x->a), both;
    char text[160], other[160];
    if (!tg_shape_broadcast(shape, tg_array_shape(&s->a), &both) || !tg_shape_equal(shape, both))
        return tg_fail(TG_ERR_SHAPE, "%s: %s does not broadcast to %s", who,
                       tg_describe(src, text, sizeof text), tg_describe(tg_handle(x), other, sizeof other));
    tg_status status = tg_array_broadcast(out, &s->a, shape);
    if (status != TG_OK || out->buffer != x->a.buffer || same_elements(out, &x->a)) return status;
    tg_array copy = {0};
    status = tg_array_alloc(&copy, (tg_dtype)out->dtype, shape);
    if (status == TG_OK) tg_array_copy(&copy, out);
    tg_array_drop(out);
    *out = copy;
    return status;
}

/* The same for arithmetic: of x's dtype, which is f32 or f64. */
static tg_status number(const char *who, const tg_slot *x, const tg_tensor *y, tg_array *out) {
    char text[160], other[160];
    tg_status s = operand(who, x, y, out);
    if (s != TG_OK || (out->dtype == x->a.dtype && tg_dtype_is_float((tg_dtype)out->dtype))) return s;
    tg_array_drop(out);
    return tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, both the same, was given %s and %s", who,
                   tg_describe(tg_handle(x), text, sizeof text), tg_describe(y, other, sizeof other));
}

/* ---- the changes ---- */

tg_status(tg_copy_)(tg_tensor *x, const tg_tensor *src) {
    tg_array from;
    tg_slot *s = target("copy_", x);
    if (!s || operand("copy_", s, src, &from) != TG_OK) return tg_error_status();
    if (!same_elements(&from, &s->a)) tg_array_copy(&s->a, &from);
    tg_array_drop(&from);
    return changed("copy_", s);
}

tg_status(tg_fill_)(tg_tensor *x, double value) {
    tg_slot *s = target("fill_", x);
    if (!s) return tg_error_status();
    tg_array_fill(&s->a, value);
    return changed("fill_", s);
}

tg_status(tg_zero_)(tg_tensor *x) {
    tg_slot *s = target("zero_", x);
    if (!s) return tg_error_status();
    tg_array_fill(&s->a, 0);
    return changed("zero_", s);
}

tg_status(tg_add_)(tg_tensor *x, const tg_tensor *y, double alpha) {
    tg_array from;
    tg_slot *s = target("add_", x);
    if (!s || number("add_", s, y, &from) != TG_OK) return tg_error_status();
    tg_map_axpy(alpha, &from, &s->a);
    tg_array_drop(&from);
    return changed("add_", s);
}

tg_status(tg_mul_)(tg_tensor *x, const tg_tensor *y) {
    tg_array from;
    tg_slot *s = target("mul_", x);
    if (!s || number("mul_", s, y, &from) != TG_OK) return tg_error_status();
    tg_map_binary(TG_BINARY_MUL, &s->a, &from, &s->a);
    tg_array_drop(&from);
    return changed("mul_", s);
}

/* ---- steps of optimisers ---- */

/* Whether t can take part in a step of p; raises the error otherwise. */
static bool fits_parameter(const char *who, const tg_slot *p, const tg_tensor *t) {
    const tg_slot *s = tg_slot_with_data(t, who);
    char text[160], other[160];
    if (!s) return false;
    bool alike = tg_dtype_is_float((tg_dtype)p->a.dtype) && s->a.dtype == p->a.dtype;
    if (alike && tg_array_same_shape(&s->a, &p->a)) return true;
    tg_describe(tg_handle(p), text, sizeof text);
    tg_describe(t, other, sizeof other);
    if (alike)
        tg_fail(TG_ERR_SHAPE, "%s: shapes differ: %s and %s", who, text, other);
    else
        tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, all the same, was given %s and %s", who, text, other);
    return false;
}

/* The addresses from the first element of an array to its last. */
static void extent(const tg_array *a, uintptr_t *from, uintptr_t *to) {
    int64_t low = 0, high = 1;
    for (int i = 0; i < a->rank; i++) *(a->stride[i] < 0 ? &low : &high) += (a->shape[i] - 1) * a->stride[i];
    int64_t size = (int64_t)tg_dtype_size((tg_dtype)a->dtype);
    *from = (uintptr_t)a->data + (uintptr_t)(low * size), *to = (uintptr_t)a->data + (uintptr_t)(high * size);
}

/* Whether the memory of no two of the n tensors overlaps; raises the error otherwise. */
static bool are_apart(const char *who, int n, tg_tensor *const *t) {
    uintptr_t from[4], to[4];
    char text[160], other[160];
    for (int i = 0; i < n; i++) {
        const tg_array *a = &tg_slot_peek(t[i])->a;
        if (a->numel == 0) return true;
        extent(a, &from[i], &to[i]);
        for (int j = 0; j < i; j++) {
            if (from[i] >= to[j] || from[j] >= to[i]) continue;
            tg_fail(TG_ERR_ARGUMENT, "%s: %s and %s share memory", who, tg_describe(t[j], text, sizeof text),
                    tg_describe(t[i], other, sizeof other));
            return false;
        }
    }
    return true;
}

/* The slots of the tensors t of a step: what it changes, the parameter first, and the gradient last; false with the
 * error raised. */
static bool targets(const char *who, int n, tg_tensor *const *t, tg_slot **s) {
    for (int i = 0; i < n; i++) {
        s[i] = i < n - 1 ? target(who, t[i]) : tg_slot_with_data(t[i], who);
        if (!s[i] || !fits_parameter(who, s[0], t[i])) return false;
    }
    return are_apart(who, n, t);
}

/* Whether a number of a step is what its name says: not negative, finite, and below `end`. */
static bool in_range(const char *who, const char *name, double v, double end) {
    if (v >= 0 && v < end) return true;
    tg_fail(TG_ERR_ARGUMENT, "%s: %s is %g, outside [0, %g)", who, name, v, end);
    return false;
}

tg_status(tg_sgd_)(tg_tensor *p, tg_tensor *velocity, const tg_tensor *grad, tg_sgd_update u) {
    tg_slot *s[3];
    tg_tensor *t[3] = {p, velocity ? velocity : (tg_tensor *)(uintptr_t)grad, (tg_tensor *)(uintptr_t)grad};
    if (!targets("sgd_", velocity ? 3 : 2, t, s)) return tg_error_status();
    if (!in_range("sgd_", "lr", u.lr, INFINITY) || !in_range("sgd_", "momentum", u.momentum, INFINITY) ||
        !in_range("sgd_", "weight_decay", u.weight_decay, INFINITY))
        return tg_error_status();
    if (!velocity && (u.momentum > 0 || u.nesterov))
        return tg_fail(TG_ERR_ARGUMENT, "sgd_: a momentum needs a velocity");
    const tg_array *g = &tg_slot_peek(grad)->a;
    tg_sgd_step c = {u.lr, u.weight_decay, u.momentum, u.nesterov ? 1 : 0, u.nesterov ? u.momentum : 1};
    if (!velocity) {
        tg_map_sgd(&c, g, &s[0]->a);
        return changed("sgd_", s[0]);
    }
    tg_map_momentum(&c, g, &s[1]->a, &s[0]->a);
    changed("sgd_", s[1]);
    return changed("sgd_", s[0]);
}

tg_status(tg_adam_)(tg_tensor *p, tg_tensor *m, tg_tensor *v, const tg_tensor *grad, tg_adam_update u) {
    tg_slot *s[4];
    if (!targets("adam_", 4, (tg_tensor *[]){p, m, v, (tg_tensor *)(uintptr_t)grad}, s)) return tg_error_status();
    if (!in_range("adam_", "lr", u.lr, INFINITY) || !in_range("adam_", "beta1", u.beta1, 1) ||
        !in_range("adam_", "beta2", u.beta2, 1) || !in_range("adam_", "eps", u.eps, INFINITY) ||
        !in_range("adam_", "weight_decay", u.weight_decay, INFINITY))
        return tg_error_status();
    if (u.t < 1) return tg_fail(TG_ERR_ARGUMENT, "adam_: steps count from 1, not %lld", (long long)u.t);
    double t = (double)u.t;
    tg_adam_step c = {.decay = u.decoupled ? 0 : u.weight_decay,
                      .b1 = u.beta1,
                      .c1 = 1 - u.beta1,
                      .b2 = u.beta2,
                      .c2 = 1 - u.beta2,
                      .keep = u.decoupled ? 1 - u.lr * u.weight_decay : 1,
                      .step = u.lr / (1 - pow(u.beta1, t)),
                      .root = 1 / sqrt(1 - pow(u.beta2, t)),
                      .eps = u.eps};
    tg_map_adam(&c, &tg_slot_peek(grad)->a, &s[1]->a, &s[2]->a, &s[0]->a);
    for (int i = 1; i < 3; i++) changed("adam_", s[i]);
    return changed("adam_", s[0]);
}

/* Changes in place, which change elements but not history. */
#include "ops/elementwise/inplace.h"

#include "autograd/tape.h"
#include "core/kernels/kernels.h"
#include "core/slot.h"
#include "core/work.h"

/* ---- what may be changed ---- */

/* Whether two index tuples reach the same element. */
static bool repeats(const tg_array *a) {
    for (int i = 0; i < a->rank; i++)
        if (a->shape[i] > 1 && a->stride[i] == 0) return true;
    return false;
}

/* The slot of operand i, its elements not dropped, else NULL with the error raised; i < 0: of an only operand. */
static tg_slot *with_elements(const char *who, const tg_tensor *x, int i) {
    return tg_slot_of_input(x, who, i) ? tg_slot_with_data(x, who) : NULL;
}

/* The slot of a tensor that may be changed in place, operand i of who, else NULL with the error raised. Memory without a
 * buffer may not be changed, since it has no version to raise. */
static tg_slot *target(const char *who, tg_tensor *x, int i) {
    tg_slot *s = with_elements(who, x, i);
    bool with_history = s && s->requires_grad && (s->node || tg_grad_enabled());
    if (!s || (!with_history && !repeats(&s->a) && s->a.buffer && !s->a.buffer->read_only)) return s;
    char text[160];
    tg_describe(x, text, sizeof text);
    if (s->requires_grad && s->node)
        tg_fail(TG_ERR_TAPE,
                "%s: %s is the result of %s and requires a gradient, so it cannot be changed in place", who,
                text, s->node->op->name);
    else if (s->requires_grad && tg_grad_enabled())
        tg_fail(
            TG_ERR_TAPE,
            "%s: %s requires a gradient, and cannot be changed while recording is on (tg_set_grad_enabled(false))",
            who, text);
    else if (!s->a.buffer)
        tg_fail(TG_ERR_ARGUMENT, "%s: %s lies in memory that is not the library's (tg_contiguous copies)",
                who, text);
    else if (tg_slot_check_writable(s, who) == TG_OK)
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

/* *out becomes src broadcast to x's shape: a view, or a copy where writing to x would change what is read.
 * The caller drops it. */
static tg_status operand(const char *who, const tg_slot *x, const tg_tensor *src, tg_array *out) {
    *out = (tg_array){0};
    const tg_slot *s = with_elements(who, src, 1);
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
    if (status == TG_OK) tg_work_copy(who, &copy, out);
    tg_array_drop(out);
    *out = copy;
    return status;
}

/* The same for arithmetic, where src must have x's dtype, which must be f32 or f64. */
static tg_status number(const char *who, const tg_slot *x, const tg_tensor *y, tg_array *out) {
    char text[160], other[160];
    tg_status s = operand(who, x, y, out);
    if (s != TG_OK || (out->dtype == x->a.dtype && tg_dtype_is_float((tg_dtype)out->dtype))) return s;
    tg_array_drop(out);
    return tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, the same of both, was given %s and %s", who,
                   tg_describe(tg_handle(x), text, sizeof text), tg_describe(y, other, sizeof other));
}

/* ---- the changes: a[0] is changed, with a[1] ---- */

static tg_status fill(const tg_array *const *a, const void *value) {
    tg_array_fill(a[0], *(const double *)value);
    return TG_OK;
}
static tg_status add(const tg_array *const *a, const void *alpha) {
    tg_map_axpy(*(const double *)alpha, a[1], a[0]);
    return TG_OK;
}
static tg_status mul(const tg_array *const *a, const void *data) {
    (void)data;
    tg_map_binary(TG_BINARY_MUL, a[0], a[1], a[0]);
    return TG_OK;
}

static tg_status fill_with(const char *who, tg_tensor *x, double value) {
    tg_slot *s = target(who, x, -1);
    if (!s) return tg_error_status();
    const tg_array *const a[] = {&s->a};
    tg_status done = TG_WORK_DO(fill, a, &value, .name = who, .n = 1, .makes = 1u, .size = sizeof value);
    return done == TG_OK ? changed(who, s) : done;
}

tg_status tg_copy_(tg_tensor *x, const tg_tensor *src) {
    tg_array from;
    tg_slot *s = target("copy_", x, 0);
    if (!s || operand("copy_", s, src, &from) != TG_OK) return tg_error_status();
    tg_status done = same_elements(&from, &s->a) ? TG_OK : tg_work_copy("copy_", &s->a, &from);
    tg_array_drop(&from);
    return done == TG_OK ? changed("copy_", s) : done;
}

tg_status tg_fill_(tg_tensor *x, double value) { return fill_with("fill_", x, value); }

tg_status tg_zero_(tg_tensor *x) { return fill_with("zero_", x, 0); }

tg_status tg_add_(tg_tensor *x, const tg_tensor *y, double alpha) {
    tg_array from;
    tg_slot *s = target("add_", x, 0);
    if (!s || number("add_", s, y, &from) != TG_OK) return tg_error_status();
    const tg_array *const a[] = {&s->a, &from};
    tg_status done = TG_WORK_DO(add, a, &alpha, .name = "add_", .n = 2, .changes = 1u, .of_kernels = true,
                                .size = sizeof alpha);
    tg_array_drop(&from);
    return done == TG_OK ? changed("add_", s) : done;
}

tg_status tg_mul_(tg_tensor *x, const tg_tensor *y) {
    tg_array from;
    tg_slot *s = target("mul_", x, 0);
    if (!s || number("mul_", s, y, &from) != TG_OK) return tg_error_status();
    const tg_array *const a[] = {&s->a, &from};
    tg_status done = TG_WORK_DO(mul, a, NULL, .name = "mul_", .n = 2, .changes = 1u, .of_kernels = true);
    tg_array_drop(&from);
    return done == TG_OK ? changed("mul_", s) : done;
}

const tg_array *tg_inplace(tg_tensor *x, const char *who) {
    tg_slot *s = target(who ? who : "tg_inplace", x, -1);
    if (!s || !tg_may_do(who ? who : "tg_inplace")) return NULL;
    changed(who, s);
    return &s->a;
}

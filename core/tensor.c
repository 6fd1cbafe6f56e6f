/* Tensors as users hold them: creation, questions, elements, and how long they live. */
#include "core/tensor.h"

#include "core/slot.h"
#include "core/work.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT 224 /* a description: name, shape, dtype */

/* ---- creation ---- */

/* A new tape tensor with undefined elements, or NULL. */
static tg_slot *create(const char *op, tg_dtype dtype, const tg_shape *shape) {
    tg_status before = tg_error_pending;
    tg_array a;
    tg_slot *s = tg_array_alloc(&a, dtype, *shape) == TG_OK ? tg_slot_new(op) : NULL;
    if (s) {
        s->a = a;
    } else {
        tg_array_drop(&a);
        tg_error_by(op, before);
    }
    return s;
}

static tg_tensor *filled(const char *op, tg_dtype dtype, tg_shape shape, double value) {
    tg_slot *s = create(op, dtype, &shape);
    if (!s) return tg_poison();
    tg_array_fill(&s->a, value);
    return tg_handle(s);
}

tg_tensor *tg_zeros_with(tg_dtype dtype, tg_shape shape) { return filled("zeros", dtype, shape, 0); }
tg_tensor *tg_ones_with(tg_dtype dtype, tg_shape shape) { return filled("ones", dtype, shape, 1); }
tg_tensor *tg_full_with(tg_dtype dtype, double value, tg_shape shape) {
    return filled("full", dtype, shape, value);
}
tg_tensor *tg_scalar(tg_dtype dtype, double value) { return filled("scalar", dtype, TG_SCALAR, value); }

static tg_tensor *filled_like(const char *op, const tg_tensor *t, double value) {
    const tg_slot *s = tg_slot_of(t, op);
    return s ? filled(op, (tg_dtype)s->a.dtype, tg_array_shape(&s->a), value) : tg_poison();
}

tg_tensor *tg_zeros_like(const tg_tensor *t) { return filled_like("zeros_like", t, 0); }
tg_tensor *tg_ones_like(const tg_tensor *t) { return filled_like("ones_like", t, 1); }
tg_tensor *tg_full_like(const tg_tensor *t, double value) { return filled_like("full_like", t, value); }

tg_tensor *tg_from_with(tg_dtype dtype, const void *data, tg_shape shape) {
    if (!data && tg_shape_numel(shape) > 0) {
        tg_fail(TG_ERR_ARGUMENT, "from: the data pointer is NULL");
        return tg_poison();
    }
    tg_slot *s = create("from", dtype, &shape);
    if (!s) return tg_poison();
    tg_array from = s->a;
    from.data = (void *)(uintptr_t)data;
    if (dtype == TG_BOOL) from.dtype = TG_U8; /* so that any byte but 0 becomes 1 */
    tg_array_copy(&s->a, &from);
    return tg_handle(s);
}

tg_tensor *tg_from_sizes(tg_dtype dtype, const void *data, int64_t s0, int64_t s1, int64_t s2, int64_t s3,
                         int64_t s4, int64_t s5, int64_t s6, int64_t s7, int64_t s8, ...) {
    tg_shape shape = {0, {s0, s1, s2, s3, s4, s5, s6, s7}};
    while (shape.rank < TG_MAX_RANK && shape.dim[shape.rank] != TG_NO_SIZE) shape.rank++;
    if (s8 != TG_NO_SIZE) shape.rank = TG_MAX_RANK + 1;
    return tg_from_with(dtype, data, shape);
}

tg_tensor *tg_from_array(const tg_array *a) {
    if (!a || !a->data) {
        tg_fail(TG_ERR_ARGUMENT, "from_array: the array is NULL, or its elements are not allocated");
        return tg_poison();
    }
    if (!tg_array_is_sound(a)) {
        tg_fail(TG_ERR_ARGUMENT,
                "from_array: the array is malformed: its dtype, rank, sizes and numel contradict each other, or its "
                "strides reach beyond its buffer");
        return tg_poison();
    }
    tg_status before = tg_error_pending;
    tg_slot *s = tg_slot_new("from_array");
    if (!s) return tg_error_by("from_array", before), tg_poison();
    tg_array_share(&s->a, a);
    return tg_handle(s);
}

/* ---- what a tensor is ---- */

int tg_rank(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_rank");
    return s ? s->a.rank : 0;
}

int64_t tg_numel(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_numel");
    return s ? s->a.numel : 0;
}

int64_t tg_size(const tg_tensor *t, int axis) {
    const tg_slot *s = tg_slot_of(t, "tg_size");
    if (!s) return 0;
    int i = tg_axis(axis, s->a.rank);
    char text[TEXT];
    if (i >= 0) return s->a.shape[i];
    tg_fail(TG_ERR_ARGUMENT, "tg_size: axis %d is out of range for %s", axis,
            tg_describe(t, text, sizeof text));
    return 0;
}

tg_shape tg_shape_of(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_shape_of");
    return s ? tg_array_shape(&s->a) : TG_SCALAR;
}

tg_dtype tg_dtype_of(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_dtype_of");
    return s ? (tg_dtype)s->a.dtype : TG_F32;
}

bool tg_is_contiguous(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_is_contiguous");
    return s && tg_array_is_contiguous(&s->a);
}

bool tg_is_poison(const tg_tensor *t) { return t == tg_poison(); }

bool tg_is_alive(const tg_tensor *t) {
    const tg_slot *s = tg_slot_peek(t);
    return s && !s->poison;
}

bool tg_check_argument(const tg_tensor *t, const char *op, const char *what) {
    return tg_slot_of_argument(t, op ? op : "tg_check_argument", what ? what : "the input", -1);
}

/* ---- names ---- */

/* Gives s a copy of `name` (NULL or "": none); false when there is no memory, with the old name kept. */
static bool set_name(tg_slot *s, const char *name) {
    char *copy = NULL;
    if (name && *name) {
        size_t n = strlen(name) + 1;
        copy = tg_sys_alloc(n);
        if (!copy) {
            tg_fail_memory(n);
            return false;
        }
        memcpy(copy, name, n);
        if (!tg_slot_extras(s)) return tg_sys_free(copy, n), false;
    }
    const char *old = tg_slot_name(s);
    if (old) tg_sys_free((void *)(uintptr_t)old, strlen(old) + 1);
    if (s->extras) s->extras->name = copy;
    return true;
}

tg_tensor *tg_set_name(tg_tensor *t, const char *name) {
    tg_status before = tg_error_pending;
    tg_slot *s = tg_slot_of(t, "tg_set_name");
    if (s && set_name(s, name)) return t;
    tg_error_by("tg_set_name", before);
    return s && s->kept ? t : tg_poison();
}

const char *tg_name(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_name");
    return s && tg_slot_name(s) ? tg_slot_name(s) : "";
}

/* The name on one line, as much of it as n bytes hold of whole characters. */
static int put_name(const char *name, char *buf, size_t n) {
    size_t used = 0;
    while (name[used] && used + 1 < n) {
        const unsigned char c = (unsigned char)name[used];
        buf[used++] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    while (name[used] && used > 0 && ((unsigned char)name[used] & 0xc0) == 0x80)
        used--; /* in the middle of one */
    return (int)used;
}

char *tg_describe(const tg_tensor *t, char *buf, size_t n) {
    char shape[TEXT];
    const tg_slot *s = tg_slot_peek(t);
    const char *name = s ? tg_slot_name(s) : NULL;
    if (!buf) n = 0;
    if (!s || s->poison)
        snprintf(buf, n, "%s", s ? "the result of a failed op" : t ? "a dead tensor" : "NULL");
    else {
        const char *dtype = tg_dtype_name((tg_dtype)s->a.dtype);
        size_t rest = strlen(tg_shape_text(tg_array_shape(&s->a), shape, sizeof shape)) + strlen(dtype) + 2;
        int used = name && n > 0 ? put_name(name, buf, n > rest + 8 ? n - rest : n) : 0;
        if (n > 0) snprintf(buf + used, n - (size_t)used, "%s%s %s", name ? " " : "", shape, dtype);
    }
    return buf;
}

/* ---- its elements ---- */

double tg_item(const tg_tensor *t) {
    const tg_slot *s = tg_slot_with_data(t, "tg_item");
    char text[TEXT];
    if (!s) return NAN;
    if (s->a.numel == 1) return tg_may_read(&s->a, "tg_item") ? tg_array_get(&s->a, 0) : NAN;
    tg_fail(TG_ERR_SHAPE, "tg_item: %s has %" PRId64 " elements, not one", tg_describe(t, text, sizeof text),
            s->a.numel);
    return NAN;
}

double tg_get(const tg_tensor *t, int64_t i) {
    const tg_slot *s = tg_slot_with_data(t, "tg_get");
    char text[TEXT];
    if (!s) return NAN;
    if (i >= 0 && i < s->a.numel) return tg_may_read(&s->a, "tg_get") ? tg_array_get(&s->a, i) : NAN;
    tg_fail(TG_ERR_ARGUMENT, "tg_get: element %" PRId64 " is out of range for %s, which has %" PRId64, i,
            tg_describe(t, text, sizeof text), s->a.numel);
    return NAN;
}

static tg_slot *dense(const tg_tensor *t, const char *who) {
    tg_slot *s = tg_slot_with_data(t, who);
    char text[TEXT];
    if (!s || tg_array_is_contiguous(&s->a)) return s;
    tg_fail(TG_ERR_ARGUMENT, "%s: the elements of %s do not lie in row-major order; tg_copy_out gathers them",
            who, tg_describe(t, text, sizeof text));
    return NULL;
}

const void *tg_data(const tg_tensor *t) {
    const tg_slot *s = dense(t, "tg_data");
    return s && tg_may_read(&s->a, "tg_data") ? s->a.data : NULL;
}

void *tg_data_mut(tg_tensor *t) {
    tg_slot *s = dense(t, "tg_data_mut");
    if (!s || tg_slot_check_writable(s, "tg_data_mut") != TG_OK || !tg_may_write(&s->a, "tg_data_mut"))
        return NULL;
    if (s->a.buffer) {
        s->a.buffer->version++;
        s->a.buffer->changed_by = NULL;
    }
    return s->a.data;
}

tg_status tg_copy_out(const tg_tensor *t, void *out, size_t bytes) {
    const tg_slot *s = tg_slot_with_data(t, "tg_copy_out");
    char text[TEXT];
    if (!s) return tg_error_status();
    size_t need = (size_t)s->a.numel * tg_dtype_size((tg_dtype)s->a.dtype);
    if (bytes != need)
        return tg_fail(TG_ERR_ARGUMENT, "tg_copy_out: %s has %zu bytes, and the output is said to have %zu",
                       tg_describe(t, text, sizeof text), need, bytes);
    if (!out && need) return tg_fail(TG_ERR_ARGUMENT, "tg_copy_out: the output pointer is NULL");
    if (!tg_may_read(&s->a, "tg_copy_out")) return tg_error_status();
    tg_array to;
    tg_status status = tg_array_layout(&to, (tg_dtype)s->a.dtype, tg_array_shape(&s->a));
    if (status != TG_OK) return status;
    to.data = out;
    tg_array_copy(&to, &s->a);
    return TG_OK;
}

const tg_array *tg_array_of(const tg_tensor *t) {
    const tg_slot *s = tg_slot_with_data(t, "tg_array_of");
    return s && tg_may_read(&s->a, "tg_array_of") ? &s->a : NULL;
}

/* ---- how long it lives ---- */

tg_tensor *tg_keep(const tg_tensor *t) {
    tg_status before = tg_error_pending;
    const tg_slot *s = tg_slot_with_data(t, "tg_keep");
    tg_slot *k = s ? tg_slot_new_kept("keep") : NULL;
    if (!k) return tg_error_by("keep", before), tg_poison();
    if (tg_listening) tg_listening->kept(tg_listening);
    tg_buffer_share(s->a.buffer);
    tg_array_share(&k->a, &s->a);
    k->requires_grad = s->requires_grad;
    if (tg_slot_name(s) && !set_name(k, tg_slot_name(s))) {
        tg_slot_kill(k);
        return tg_error_by("keep", before), tg_poison();
    }
    return tg_handle(k);
}

void tg_free(tg_tensor *t) {
    if (!t || tg_is_poison(t)) return;
    tg_slot *s = tg_slot_of(t, "tg_free");
    char text[TEXT];
    if (s && s->kept && tg_listening) tg_listening->kept(tg_listening);
    if (s && s->kept)
        tg_slot_kill(s);
    else if (s)
        tg_fail(TG_ERR_ARGUMENT, "tg_free: %s belongs to the tape; only kept tensors are freed",
                tg_describe(t, text, sizeof text));
}

void tg_drop_elements(tg_tensor *t) {
    tg_slot *s = tg_slot_of(t, "tg_drop_elements");
    if (!s || s->kept) return;
    s->released = true;
    if (s->pins == 0) tg_array_drop(&s->a);
}

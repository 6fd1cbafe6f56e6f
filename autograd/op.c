/* Applying an op: check, infer, allocate, compute, record. */
#include "autograd/tape_private.h"

#include <stdarg.h>
#include <string.h>

#define FEW 16 /* inputs that fit the stack; more come from the tape's arena */

typedef struct inputs {
    tg_slot *slots_few[FEW], **slot;
    const tg_array *arrays_few[FEW], **array;
} inputs;

static tg_status reserve_inputs(inputs *in, int n) {
    in->slot = in->slots_few;
    in->array = in->arrays_few;
    if (n <= FEW) return TG_OK;
    tg_tape *tape = tg_tape_get();
    if (!tape) return tg_error_status();
    size_t bytes = (size_t)n * (sizeof *in->slot + sizeof *in->array);
    in->slot = tg_arena_alloc(&tape->arena, bytes);
    if (!in->slot) return tg_fail_memory(bytes);
    in->array = (const tg_array **)(void *)(in->slot + n);
    return TG_OK;
}

static tg_status read_inputs(const tg_op *op, tg_tensor *const *handle, int n, inputs *in) {
    for (int i = 0; i < n; i++) {
        tg_slot *s = NULL;
        if (handle[i] || i >= 16 || !(op->optional & TG_IN(i))) {
            s = tg_slot_peek(handle[i]);
            if (!s || s->poison || s->released || !s->a.data) s = tg_slot_with_data(handle[i], op->name);
            if (!s) return tg_error_status();
        }
        in->slot[i] = s;
        in->array[i] = s ? &s->a : NULL;
    }
    return TG_OK;
}

static tg_status check_count(const tg_op *op, int n) {
    if (op->n_in == TG_VARIADIC ? n > 0 : n == op->n_in) return TG_OK;
    if (op->n_in == TG_VARIADIC) return tg_fail(TG_ERR_ARGUMENT, "%s: needs at least one input", op->name);
    return tg_fail(TG_ERR_ARGUMENT, "%s: takes %d inputs, was given %d", op->name, op->n_in, n);
}

/* Storage for an output that infer laid out; views have theirs already. */
static tg_status allocate_output(tg_array *a) {
    if (a->data) return TG_OK;
    size_t bytes = (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype);
    a->buffer = tg_buffer_new(bytes);
    if (!a->buffer) return tg_fail_memory(bytes);
    a->data = tg_buffer_data(a->buffer);
    return TG_OK;
}

static tg_status compute(const tg_op *op, const tg_call *call) {
    tg_status s = op->infer(call);
    for (int o = 0; s == TG_OK && o < call->n_out; o++) s = allocate_output(call->out[o]);
    return s == TG_OK && op->forward ? op->forward(call) : s;
}

/* Whether the results require a gradient: recording is on, and one flows to some input. */
static bool wants_grad(const tg_op *op, tg_slot *const *slot, int n) {
    if (tg_grad_off || op->grad == TG_NO_GRAD) return false;
    for (int i = 0; i < n; i++)
        if (slot[i] && slot[i]->requires_grad && !(i < 16 && op->no_grad & TG_IN(i))) return true;
    return false;
}

static tg_status new_outputs(const tg_op *op, int n_out, tg_slot **slot, tg_array **array) {
    for (int o = 0; o < n_out; o++) {
        slot[o] = tg_slot_new(op->name);
        if (!slot[o]) return tg_error_status();
        array[o] = &slot[o]->a;
    }
    return TG_OK;
}

static tg_status apply(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr, tg_slot **out, int n_out) {
    inputs read;
    tg_array *out_array[TG_MAX_OUT];
    tg_status s = check_count(op, n_in);
    if (s == TG_OK) s = reserve_inputs(&read, n_in);
    if (s == TG_OK) s = read_inputs(op, in, n_in, &read);
    if (s == TG_OK) s = new_outputs(op, n_out, out, out_array);
    if (s != TG_OK) return s;
    tg_call call = {op, n_in, n_out, read.array, out_array, attr, in};
    s = compute(op, &call);
    if (s == TG_OK && wants_grad(op, read.slot, n_in)) s = tg_record(op, read.slot, n_in, out, n_out, attr);
    return s;
}

static int outputs_of(const tg_op *op) { return op->n_out ? op->n_out : 1; }

tg_status(tg_apply_multi)(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr, tg_tensor **out) {
    tg_slot *slot[TG_MAX_OUT];
    int n_out = outputs_of(op);
    tg_region *region = tg_region_current();
    int64_t before = region ? region->count : 0;
    tg_status s = region ? apply(op, in, n_in, attr, slot, n_out) : tg_error_status();
    if (s != TG_OK && region) tg_region_rewind(region, before);
    for (int o = 0; o < n_out; o++) out[o] = s == TG_OK ? tg_handle(slot[o]) : tg_poison();
    return s;
}

tg_tensor *(tg_apply)(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr) {
    tg_tensor *out[TG_MAX_OUT];
    (tg_apply_multi)(op, in, n_in, attr, out);
    return out[0];
}

void tg_no_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)dout, (void)din;
    tg_fail(TG_ERR_TAPE, "%s: has no gradient", node->op->name);
}

/* ---- for the writers of ops ---- */

tg_status tg_out(const tg_call *call, int o, tg_dtype dtype, tg_shape shape) {
    return tg_array_layout(call->out[o], dtype, shape);
}

const char *tg_call_input(const tg_call *call, int i) {
    static _Thread_local char text[4][160];
    static _Thread_local unsigned next;
    return tg_describe(call->handle[i], text[next++ % 4], sizeof *text);
}

tg_status tg_call_fail(const tg_call *call, tg_status status, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return tg_fail(status, "%s: %s", call->op->name, text);
}

tg_status tg_infer_same(const tg_call *call) {
    const tg_array *x = call->in[0];
    if (!tg_dtype_is_float((tg_dtype)x->dtype))
        return tg_call_fail(call, TG_ERR_DTYPE, "takes f32 or f64, was given %s", tg_call_input(call, 0));
    return tg_array_layout_like(call->out[0], (tg_dtype)x->dtype, x);
}

tg_status tg_infer_broadcast(const tg_call *call) {
    const tg_array *a = call->in[0];
    tg_shape shape = tg_array_shape(a);
    for (int i = 0; i < call->n_in; i++) {
        const tg_array *b = call->in[i];
        if (!tg_dtype_is_float((tg_dtype)b->dtype))
            return tg_call_fail(call, TG_ERR_DTYPE, "takes f32 or f64, was given %s", tg_call_input(call, i));
        if (b->dtype != a->dtype)
            return tg_call_fail(call, TG_ERR_DTYPE, "dtypes differ: %s and %s (tg_to converts)",
                                tg_call_input(call, 0), tg_call_input(call, i));
        if (i && !tg_shape_broadcast(shape, tg_array_shape(b), &shape))
            return tg_call_fail(call, TG_ERR_SHAPE, "shapes do not broadcast: %s and %s", tg_call_input(call, 0),
                                tg_call_input(call, i));
    }
    return tg_out(call, 0, (tg_dtype)a->dtype, shape);
}

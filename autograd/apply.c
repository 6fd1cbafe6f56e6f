/* Applying an op: check, infer, allocate, compute, record. */
#include "autograd/tape_private.h"

#include <stdarg.h>
#include <string.h>

#define FEW 16 /* inputs that fit the stack; more come from the tape's scratch arena */

typedef struct inputs {
    tg_slot *slots_few[FEW], **slot;
    const tg_array *arrays_few[FEW], **array;
    tg_arena_mark scratch; /* for many */
} inputs;

static tg_status reserve_inputs(tg_tape *tape, inputs *in, int n) {
    in->slot = in->slots_few;
    in->array = in->arrays_few;
    if (n <= FEW) return TG_OK;
    size_t bytes = (size_t)n * (sizeof *in->slot + sizeof *in->array);
    in->scratch = tg_arena_get_mark(&tape->scratch);
    in->slot = tg_arena_alloc(&tape->scratch, bytes);
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

/* ---- the op's own struct: the user's memory, so each call asks ---- */

static int outputs_of(const tg_op *op) { return op->n_out ? op->n_out : 1; }

static inline bool is_sound(const tg_op *op, const void *attr) {
    return op->name && op->infer && (unsigned)op->n_out <= TG_MAX_OUT &&
           (attr ? op->attr_size <= TG_MAX_ATTR : op->attr_size == 0);
}

static tg_status fail_op(const tg_op *op) {
    const char *name = op->name ? op->name : "tg_apply";
    if (!op->name || !op->infer)
        return tg_fail(TG_ERR_ARGUMENT, "%s: an op needs a name and infer, and has no %s", name,
                       op->name ? "infer" : "name");
    if ((unsigned)op->n_out > TG_MAX_OUT)
        return tg_fail(TG_ERR_ARGUMENT, "%s: an op has 1 to %d outputs, and this one says %d", name, TG_MAX_OUT, op->n_out);
    if (op->attr_size > TG_MAX_ATTR)
        return tg_fail(TG_ERR_ARGUMENT, "%s: an op has at most %d bytes of attributes, and this one says %zu", name,
                       TG_MAX_ATTR, op->attr_size);
    return tg_fail(TG_ERR_ARGUMENT, "%s: its attributes, %zu bytes, were not given (attr is NULL)", name, op->attr_size);
}

static tg_status fail_count(const tg_op *op, int n) {
    if (op->n_in == TG_VARIADIC) return tg_fail(TG_ERR_ARGUMENT, "%s: needs at least one input", op->name);
    if (op->n_in == n)
        return tg_fail(TG_ERR_ARGUMENT, "%s: an op has at most 16 inputs, or TG_VARIADIC, and this one says %d", op->name, n);
    return tg_fail(TG_ERR_ARGUMENT, "%s: takes %d inputs, was given %d", op->name, op->n_in, n);
}

static tg_status fail_call(const tg_op *op, int n, const void *attr) {
    if (!op) return tg_fail(TG_ERR_ARGUMENT, "tg_apply: the op is NULL");
    if (!is_sound(op, attr)) return fail_op(op);
    if (op->n_in == TG_VARIADIC ? n < 1 : n != op->n_in || (unsigned)n > 16) return fail_count(op, n);
    return tg_fail(TG_ERR_ARGUMENT, "%s: the array of inputs is NULL", op->name);
}

static inline bool is_sound_call(const tg_op *op, tg_tensor *const *in, int n, const void *attr) {
    return op && is_sound(op, attr) && (in || n == 0) && (n == op->n_in ? (unsigned)n <= 16 : n > 0 && op->n_in == TG_VARIADIC);
}

/* ---- one call ---- */

static tg_status fail_output(const tg_op *op, int o, const char *why) {
    return tg_fail(TG_ERR_ARGUMENT, "%s: its infer left output %d %s", op->name, o, why);
}

/* Storage for an output that infer laid out; views have theirs already. */
static tg_status allocate_output(const tg_op *op, int o, tg_array *a) {
    if (!a->data && a->numel == 0 && a->rank == 0) return fail_output(op, o, "without a layout (tg_out gives one)");
    if (!tg_array_is_sound(a)) return fail_output(op, o, "with fields that no array has");
    if (a->data) return TG_OK;
    if (!op->forward) return fail_output(op, o, "without elements, and the op has no forward");
    size_t bytes = (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype);
    a->buffer = tg_buffer_new(bytes);
    if (!a->buffer) return tg_fail_memory(bytes);
    a->data = tg_buffer_data(a->buffer);
    return TG_OK;
}

/* After infer or forward: have they left the inputs alive? */
static tg_status find_dead(const tg_call *call) {
    for (int i = 0; i < call->n_in; i++)
        if (call->in[i] && !tg_slot_of(call->handle[i], call->op->name)) return tg_error_status();
    return TG_OK;
}

static tg_status compute(const tg_op *op, const tg_call *call, tg_status before) {
    uint64_t deaths = tg_kept_deaths; /* only kept tensors can be freed */
    tg_status s = op->infer(call);
    for (int o = 0; s == TG_OK && o < call->n_out; o++) s = allocate_output(op, o, call->out[o]);
    if (s == TG_OK && tg_kept_deaths != deaths) s = find_dead(call);
    if (s != TG_OK) return s;
    if (op->forward && (s = op->forward(call)) != TG_OK) return s;
    if (tg_kept_deaths != deaths && (s = find_dead(call)) != TG_OK) return s;
    return before == TG_OK ? tg_error_pending : TG_OK; /* what was raised counts, returned or not */
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

static tg_status apply_to(tg_tape *tape, const inputs *read, const tg_op *op, tg_tensor *const *in, int n_in,
                          const void *attr, tg_slot **out, tg_status before) {
    tg_array *out_array[TG_MAX_OUT];
    int n_out = outputs_of(op);
    tg_status s = new_outputs(op, n_out, out, out_array);
    if (s != TG_OK) return s;
    tg_call call = {op, n_in, n_out, read->array, out_array, attr, in};
    tg_callback_outer outer = tg_callback_enter(tape);
    s = compute(op, &call, before);
    s = tg_callback_leave(tape, outer, s, op->name);
    if (s == TG_OK && wants_grad(op, read->slot, n_in)) s = tg_record(op, read->slot, n_in, out, n_out, attr);
    return s;
}

/* The outputs' slots; after a failure the tape is as it was. */
static tg_status apply(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr, tg_slot **out) {
    tg_status before = tg_error_pending;
    tg_tape *tape = tg_tape_get();
    if (!tape) return tg_error_status();
    if (!is_sound_call(op, in, n_in, attr)) return fail_call(op, n_in, attr);
    inputs read;
    int64_t tensors = tape->region.count, nodes = tape->n_nodes;
    tg_status s = reserve_inputs(tape, &read, n_in);
    if (s == TG_OK) s = read_inputs(op, in, n_in, &read);
    if (s == TG_OK) s = apply_to(tape, &read, op, in, n_in, attr, out, before);
    if (n_in > FEW) tg_arena_rewind(&tape->scratch, read.scratch);
    if (s != TG_OK) tg_tape_cut(tape, tensors, nodes), tg_error_by(op->name, before);
    return s;
}

tg_status(tg_apply_multi)(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr, tg_tensor **out) {
    tg_slot *slot[TG_MAX_OUT];
    if (!out) return tg_fail(TG_ERR_ARGUMENT, "tg_apply_multi: the array of outputs is NULL");
    tg_status s = apply(op, in, n_in, attr, slot);
    for (int o = 0; op && o < TG_MAX_OUT && o < outputs_of(op); o++) out[o] = s == TG_OK ? tg_handle(slot[o]) : tg_poison();
    return s;
}

tg_tensor *(tg_apply)(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr) {
    tg_slot *slot[TG_MAX_OUT];
    return apply(op, in, n_in, attr, slot) == TG_OK ? tg_handle(slot[0]) : tg_poison();
}

void tg_no_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)dout, (void)din;
    tg_fail(TG_ERR_TAPE, "%s: has no gradient", node ? node->op->name : "tg_no_grad");
}

/* ---- for the writers of ops ---- */

static tg_status fail_no_call(const char *who) { return tg_fail(TG_ERR_ARGUMENT, "%s: the call is NULL", who); }

tg_status tg_out(const tg_call *call, int o, tg_dtype dtype, tg_shape shape) {
    if (!call) return fail_no_call("tg_out");
    if (o < 0 || o >= call->n_out)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "lays out output %d of %d", o, call->n_out);
    return tg_array_layout(call->out[o], dtype, shape);
}

const char *tg_call_input(const tg_call *call, int i) {
    static _Thread_local char text[4][160];
    static _Thread_local unsigned next;
    char *buf = text[next++ % 4];
    if (!call) return fail_no_call("tg_call_input"), "";
    if (i >= 0 && i < call->n_in) return tg_describe(call->handle[i], buf, sizeof *text);
    snprintf(buf, sizeof *text, "no input (%d of %d)", i, call->n_in);
    return buf;
}

tg_status tg_call_fail(const tg_call *call, tg_status status, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return call ? tg_fail(status, "%s: %s", call->op->name, text) : fail_no_call("tg_call_fail");
}

static tg_status fail_left_out(const tg_call *call, int i) {
    return tg_call_fail(call, TG_ERR_ARGUMENT, "input %d, whose shape is needed, was left out", i);
}

tg_status tg_infer_same(const tg_call *call) {
    if (!call) return fail_no_call("tg_infer_same");
    const tg_array *x = call->n_in > 0 ? call->in[0] : NULL;
    if (!x) return fail_left_out(call, 0);
    if (!tg_dtype_is_float((tg_dtype)x->dtype))
        return tg_call_fail(call, TG_ERR_DTYPE, "takes f32 or f64, was given %s", tg_call_input(call, 0));
    return tg_array_layout_like(call->out[0], (tg_dtype)x->dtype, x);
}

tg_status tg_infer_broadcast(const tg_call *call) {
    if (!call) return fail_no_call("tg_infer_broadcast");
    const tg_array *a = call->n_in > 0 ? call->in[0] : NULL;
    if (!a) return fail_left_out(call, 0);
    tg_shape shape = tg_array_shape(a);
    for (int i = 0; i < call->n_in; i++) {
        const tg_array *b = call->in[i];
        if (!b) return fail_left_out(call, i);
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

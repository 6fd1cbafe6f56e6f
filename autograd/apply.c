/* Applying an op: check, infer, allocate, compute, record. */
#include "autograd/apply.h"
#include "autograd/blame/blame.h"
#include "autograd/plan/record.h"
#include "autograd/profile/cost.h"

#include <string.h>

#define FEW 16 /* inputs that fit the stack; more come from the tape's scratch arena */

typedef struct inputs {
    tg_slot *slots_few[FEW], **slot;
    const tg_array *arrays_few[FEW], **array;
    tg_arena_mark scratch; /* where the arena stood, when there are more than FEW */
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

/* An input that is no tensor or has no elements: NULL with the error raised, unless a rule reads what it saved. */
__attribute__((cold, noinline)) static tg_slot *slow_input(const tg_op *op, tg_tensor *t, int i) {
    return tg_slot_of_input(t, op->name, i) ? tg_slot_with_data(t, op->name) : NULL;
}

static tg_status read_inputs(const tg_op *op, tg_tensor *const *handle, int n, inputs *in) {
    for (int i = 0; i < n; i++) {
        tg_slot *s = NULL;
        if (handle[i] || i >= 16 || !(op->optional & TG_IN(i))) {
            s = tg_slot_peek(handle[i]);
            if (!s || s->released || !s->a.data) s = slow_input(op, handle[i], n > 1 ? i : -1);
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
        return tg_fail(TG_ERR_ARGUMENT, "%s: the op has no %s, and must have a name and infer", name,
                       op->name ? "infer" : "name");
    if ((unsigned)op->n_out > TG_MAX_OUT)
        return tg_fail(TG_ERR_ARGUMENT, "%s: an op has 1 to %d outputs, and this one says %d", name,
                       TG_MAX_OUT, op->n_out);
    if (op->attr_size > TG_MAX_ATTR)
        return tg_fail(TG_ERR_ARGUMENT, "%s: an op has at most %d bytes of attributes, and this one says %zu",
                       name, TG_MAX_ATTR, op->attr_size);
    return tg_fail(TG_ERR_ARGUMENT, "%s: its attributes, %zu bytes, were not given (attr is NULL)", name,
                   op->attr_size);
}

static tg_status fail_count(const tg_op *op, int n) {
    if (op->n_in == TG_VARIADIC)
        return tg_fail(TG_ERR_ARGUMENT, "%s: at least one input must be given", op->name);
    if (op->n_in == n)
        return tg_fail(TG_ERR_ARGUMENT,
                       "%s: an op has at most 16 inputs, or TG_VARIADIC, and this one says %d", op->name, n);
    return tg_fail(TG_ERR_ARGUMENT, "%s: the op takes %d inputs, and was given %d", op->name, op->n_in, n);
}

static tg_status fail_call(const tg_op *op, int n, const void *attr) {
    if (!op) return tg_fail(TG_ERR_ARGUMENT, "tg_apply: the op is NULL");
    if (!is_sound(op, attr)) return fail_op(op);
    if (op->n_in == TG_VARIADIC ? n < 1 : n != op->n_in || (unsigned)n > 16) return fail_count(op, n);
    return tg_fail(TG_ERR_ARGUMENT, "%s: the array of inputs is NULL", op->name);
}

static inline bool is_sound_call(const tg_op *op, tg_tensor *const *in, int n, const void *attr) {
    return op && is_sound(op, attr) && (in || n == 0) &&
           (n == op->n_in ? (unsigned)n <= 16 : n > 0 && op->n_in == TG_VARIADIC);
}

/* ---- recording: a node goes on the tape ---- */

/* The set of inputs and outputs that the gradient reads. */
static unsigned saved_of(const tg_op *op, const tg_slot *in0) {
    return op->save_f64 && in0 && in0->a.dtype == TG_F64 ? op->save_f64 : op->save;
}

static int n_saved(unsigned set, int n_in) {
    int n = n_in > 16 && tg_saves(set, n_in, 16) ? n_in - 16 : 0;
    for (; set; set &= set - 1) n++;
    return n;
}

static bool add_chunk(tg_tape *tape) {
    void *table = tape->chunk;
    if (!tg_grow(&table, &tape->cap_chunks, tape->n_chunks, tape->n_chunks + 1, sizeof *tape->chunk))
        return false;
    tape->chunk = table;
    tg_node **chunk = tg_sys_alloc(TG_CHUNK_NODES * sizeof *chunk);
    if (chunk) tape->chunk[tape->n_chunks++] = chunk;
    return chunk;
}

/* The bytes that attributes take in a node: what follows is aligned. */
static size_t attr_room(const tg_op *op) { return (op->attr_size + 7) & ~(size_t)7; }

/* A node is one block of the arena: the struct, inputs, outputs, attributes, versions of what is saved. */
static tg_node *node_alloc(tg_tape *tape, const tg_op *op, unsigned saved, int n_in, int n_out,
                           const void *attr) {
    if (tape->n_nodes == INT32_MAX) return NULL; /* no id is left */
    if (tape->n_nodes == tape->n_chunks * TG_CHUNK_NODES && !add_chunk(tape)) return NULL;
    size_t handles = (size_t)(n_in + n_out) * sizeof(tg_tensor *);
    size_t attrs = attr_room(op), versions = (size_t)n_saved(saved, n_in) * sizeof(uint32_t);
    tg_node *node = tg_arena_alloc(&tape->arena, sizeof *node + handles + attrs + versions);
    if (!node) return NULL;
    tg_tensor **in = (tg_tensor **)(void *)(node + 1), **out = in + n_in;
    *node = (tg_node){.op = op,
                      .in = in,
                      .out = out,
                      .attr = attrs ? memcpy(out + n_out, attr, op->attr_size) : NULL,
                      .id = (int32_t)tape->n_nodes,
                      .first = (int32_t)tape->n_nodes,
                      .n_in = n_in,
                      .saved = saved & 0xffffff,
                      .n_out = (unsigned)n_out & 127};
    return node;
}

uint32_t *tg_node_versions(const tg_node *node) {
    return (uint32_t *)(void *)((char *)(node->out + node->n_out) + attr_room(node->op));
}

tg_status tg_each_saved(const tg_node *node, unsigned saved,
                        tg_status (*fn)(const tg_node *node, tg_slot *s, int k)) {
    int k = 0, n = node->n_in + node->n_out;
    for (int i = 0; i < n; i++) {
        int o = i - node->n_in;
        if (!tg_saves(saved, node->n_in, i)) continue;
        tg_slot *s = tg_slot_peek(o < 0 ? node->in[i] : node->out[o]);
        tg_status status = s ? fn(node, s, k) : TG_OK;
        if (status != TG_OK) return status;
        k++;
    }
    return TG_OK;
}

static tg_status save(const tg_node *node, tg_slot *s, int k) {
    tg_slot_pin(s);
    tg_node_versions(node)[k] = s->a.buffer ? (uint32_t)s->a.buffer->version : 0;
    return TG_OK;
}

static tg_status unsave(const tg_node *node, tg_slot *s, int k) {
    (void)node, (void)k;
    tg_slot_unpin(s);
    return TG_OK;
}

void tg_node_unsave(tg_node *node) {
    if (node->walked) return;
    const unsigned saved = node->saved; /* before its neighbour is written: a load that spans both would wait */
    node->walked = true;
    if (saved) tg_each_saved(node, saved, unsave);
}

static tg_status fail_no_rule(const tg_op *op, tg_slot *const *slots, int n_in) {
    char text[160] = "an input";
    for (int i = n_in - 1; i >= 0; i--)
        if (slots[i] && slots[i]->requires_grad) tg_describe(tg_handle(slots[i]), text, sizeof text);
    return tg_fail(TG_ERR_TAPE, "%s: the op defines no gradient, and %s requires one", op->name, text);
}

/* Sets input i to s. Ids are positions on one tape, so a history cannot span two. */
static tg_status set_input(const tg_tape *tape, tg_node *node, int i, const tg_slot *s) {
    const tg_node *from = s ? s->node : NULL;
    char text[160];
    node->in[i] = s ? tg_handle(s) : NULL;
    if (!from) return TG_OK;
    if (from->id >= tape->n_nodes || tg_node_at(tape, from->id) != from)
        return tg_fail(TG_ERR_TAPE,
                       "%s: %s was recorded on another tape than the current one (tg_detach drops its history)",
                       node->op->name, tg_describe(node->in[i], text, sizeof text));
    if (from->first < node->first) node->first = from->first;
    return TG_OK;
}

tg_status tg_record(const tg_op *op, tg_slot *const *slots, int n_in, tg_slot *const *out, int n_out,
                    const void *attr) {
    if (!op->grad) return fail_no_rule(op, slots, n_in);
    tg_tape *tape = tg_tape_get();
    unsigned saved = saved_of(op, n_in > 0 ? slots[0] : NULL);
    tg_node *node = tape ? node_alloc(tape, op, saved, n_in, n_out, attr) : NULL;
    if (!node) return tg_fail_memory(sizeof *node);
    for (int i = 0; i < n_in; i++)
        if (set_input(tape, node, i, slots[i]) != TG_OK) {
            tg_arena_rewind_to(&tape->arena, node);
            return tg_error_status();
        }
    for (int o = 0; o < n_out; o++) {
        node->out[o] = tg_handle(out[o]);
        out[o]->requires_grad = tg_dtype_is_float((tg_dtype)out[o]->a.dtype);
        out[o]->node = node;
    }
    if (saved) tg_each_saved(node, saved, save);
    *tg_node_place(tape, tape->n_nodes++) = node;
    return TG_OK;
}

int tg_output_index(const tg_slot *s) {
    int o = 0;
    while (o < s->node->n_out - 1 && tg_slot_peek(s->node->out[o]) != s) o++;
    return o;
}

/* ---- one call ---- */

static tg_status fail_output(const tg_op *op, int o, const char *why) {
    return tg_fail(TG_ERR_ARGUMENT, "%s: its infer left output %d %s", op->name, o, why);
}

/* Allocates an output that infer laid out; a view has its elements already. */
static tg_status allocate_output(const tg_op *op, int o, tg_array *a) {
    if (!a->data && a->numel == 0 && a->rank == 0)
        return fail_output(op, o, "without a layout (tg_out gives one)");
    if (!tg_array_is_sound(a)) return fail_output(op, o, "malformed");
    if (a->data) return TG_OK;
    if (a->buffer) return fail_output(op, o, "with a buffer and without elements");
    if (!op->forward) return fail_output(op, o, "without elements, and the op has no forward");
    size_t bytes = (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype);
    a->buffer = tg_buffer_new(bytes);
    if (!a->buffer) return tg_fail_memory(bytes);
    a->data = tg_buffer_data(a->buffer);
    return TG_OK;
}

/* Raises the error when infer or forward has freed an input. */
static tg_status find_dead(const tg_call *call) {
    for (int i = 0; i < call->n_in; i++)
        if (call->in[i] && !tg_slot_of_input(call->handle[i], call->op->name, call->n_in > 1 ? i : -1))
            return tg_error_status();
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
    return before == TG_OK ? tg_error_pending : TG_OK; /* an error that was raised counts, returned or not */
}

/* Whether the results require a gradient: recording is on, and one flows to some input. Where one would, were it not for
 * that, or where an input says so of itself, the results note it (autograd/blame/why.h). */
static bool wants_grad(const tg_op *op, tg_slot *const *slot, int n, tg_slot *const *out) {
    const bool no_rule = op->grad == TG_NO_GRAD;
    unsigned cut = TG_CUT_NOWHERE;
    for (int i = 0; i < n; i++) {
        if (!slot[i]) continue;
        if (slot[i]->requires_grad && !(i < 16 && op->no_grad & TG_IN(i))) {
            if (!tg_grad_off && !no_rule) return true;
            cut = no_rule ? TG_CUT_BY_OP : TG_CUT_OFF;
        } else if (slot[i]->cut && !cut) {
            cut = slot[i]->cut;
        }
    }
    for (int o = 0; cut && o < outputs_of(op); o++) out[o]->cut = cut & 3;
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
    if (op->attr_size == 0) attr = NULL; /* its kernels may take what they find for parameters of theirs */
    tg_call call = {op, n_in, n_out, read->array, out_array, attr, in};
    tg_recorder *recorder = tg_recorder_enter();
    tg_callback_outer outer = tg_callback_enter(tape);
    s = compute(op, &call, before);
    s = tg_callback_leave(tape, outer, s, op->name);
    if (recorder) {
        tg_recorder_leave(recorder);
        if (s == TG_OK) s = tg_recorder_applied(recorder, &call, read->slot, out);
    }
    if (s == TG_OK && wants_grad(op, read->slot, n_in, out))
        s = tg_record(op, read->slot, n_in, out, n_out, attr);
    return s;
}

/* The outputs' slots; after a failure the tape is as it was. */
static tg_status apply_plain(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr, tg_slot **out) {
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

__attribute__((cold, noinline)) static tg_status apply_watched(const tg_op *op, tg_tensor *const *in,
                                                               int n_in, const void *attr, tg_slot **out) {
    const tg_tape *tape = tg_tape_get();
    const int64_t tensors = tape ? tape->region.count : 0, nodes = tape ? tape->n_nodes : 0;
    tg_span span;
    tg_span_try(&span, NULL);
    tg_status s = apply_plain(op, in, n_in, attr, out);
    tg_span_stop(&span);
    if (s == TG_OK && span.watch) span.name = op->name, tg_span_of_op(&span, op, in, n_in, attr, out);
    tg_span_end(&span, s == TG_OK);
    if (s != TG_OK || !(tg_watched & TG_WATCH_ELEMENTS)) return s;
    s = tg_check_applied(op, in, n_in, out);
    if (s != TG_OK) tg_tape_cut(tg_tape_get(), tensors, nodes);
    return s;
}

static inline tg_status apply(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr, tg_slot **out) {
    return __builtin_expect(tg_watched == 0, 1) ? apply_plain(op, in, n_in, attr, out)
                                                : apply_watched(op, in, n_in, attr, out);
}

tg_status tg_apply_multi(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr, tg_tensor **out) {
    tg_slot *slot[TG_MAX_OUT];
    if (!out) return tg_fail(TG_ERR_ARGUMENT, "tg_apply_multi: the array of outputs is NULL");
    tg_status s = apply(op, in, n_in, attr, slot);
    for (int o = 0; op && o < TG_MAX_OUT && o < outputs_of(op); o++)
        out[o] = s == TG_OK ? tg_handle(slot[o]) : tg_poison();
    return s;
}

tg_tensor *tg_apply(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr) {
    tg_slot *slot[TG_MAX_OUT];
    return apply(op, in, n_in, attr, slot) == TG_OK ? tg_handle(slot[0]) : tg_poison();
}

void tg_no_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)dout, (void)din;
    tg_fail(TG_ERR_TAPE, "%s: the op has no gradient", node ? node->op->name : "tg_no_grad");
}

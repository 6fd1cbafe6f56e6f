/* What infer and rules ask of the library: see the end of autograd/op.h. */
#include "autograd/walk.h"

#include <stdarg.h>

/* ---- infer ---- */

static tg_status fail_no_call(const char *who) {
    return tg_fail(TG_ERR_ARGUMENT, "%s: the call is NULL", who);
}

tg_status tg_out(const tg_call *call, int o, tg_dtype dtype, tg_shape shape) {
    if (!call) return fail_no_call("tg_out");
    if (o < 0 || o >= call->n_out)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "its infer lays out output %d, and the op has %d", o,
                            call->n_out);
    return tg_array_layout(call->out[o], dtype, shape);
}

const char *tg_call_input(const tg_call *call, int i) {
    static _Thread_local char text[4][160];
    static _Thread_local unsigned next;
    char *buf = text[next++ % 4];
    if (!call) return fail_no_call("tg_call_input"), "";
    if (i >= 0 && i < call->n_in) return tg_describe(call->handle[i], buf, sizeof *text);
    snprintf(buf, sizeof *text, "input %d, which is not there (the call has %d)", i, call->n_in);
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
            return tg_call_fail(call, TG_ERR_SHAPE, "shapes do not broadcast: %s and %s",
                                tg_call_input(call, 0), tg_call_input(call, i));
    }
    return tg_out(call, 0, (tg_dtype)a->dtype, shape);
}

/* ---- rules ---- */

/* Number i of the n inputs or outputs of the node. */
static bool is_there(const tg_node *node, int i, int n, const char *who) {
    if (node && i >= 0 && i < n) return true;
    if (node)
        tg_fail(TG_ERR_ARGUMENT, "%s: number %d is out of range for %s, which has %d", who, i, node->op->name,
                n);
    else
        tg_fail(TG_ERR_ARGUMENT, "%s: the node is NULL", who);
    return false;
}

bool tg_needs(const tg_node *node, int i) {
    if (!is_there(node, i, node ? node->n_in : 0, "tg_needs")) return false;
    const tg_rule_call *call = tg_rule_running;
    while (call && call->node != node) call = call->outer;
    return tg_walk_needed(call ? call->walk : NULL, node, i);
}

const tg_array *tg_node_in(const tg_node *node, int i) {
    if (!is_there(node, i, node ? node->n_in : 0, "tg_node_in")) return NULL;
    const tg_slot *s = tg_slot_peek(node->in[i]);
    return s ? &s->a : NULL;
}

const tg_array *tg_node_out(const tg_node *node, int o) {
    if (!is_there(node, o, node ? node->n_out : 0, "tg_node_out")) return NULL;
    const tg_slot *s = tg_slot_peek(node->out[o]);
    return s ? &s->a : NULL;
}

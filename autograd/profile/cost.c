#include "autograd/profile/cost.h"

#include <stdio.h>

#define FEW 16 /* inputs of an op that can say its flops, unless it takes any number */

static double numel_of(const tg_array *a) { return a ? (double)a->numel : 0; }
static double bytes_of(const tg_array *a) { return a ? tg_span_bytes(a) : 0; }

static bool is_view(const tg_call *call) {
    for (int i = 0; i < call->n_in; i++)
        if (call->in[i] && call->in[i]->buffer && call->in[i]->buffer == call->out[0]->buffer) return true;
    return false;
}

tg_cost tg_cost_of_forward(const tg_call *call) {
    tg_cost cost = {0};
    if (!call->op->forward || is_view(call)) return cost;
    for (int i = 0; i < call->n_in; i++) cost.bytes += bytes_of(call->in[i]);
    for (int o = 0; o < call->n_out; o++) cost.bytes += bytes_of(call->out[o]);
    cost.flops = call->op->flops         ? call->op->flops(call, 0)
                 : call->op->elementwise ? numel_of(call->out[0])
                                         : 0;
    return cost;
}

tg_cost tg_cost_of_gradient(const tg_gradient_call *g) {
    tg_cost cost = {0};
    const tg_call *call = &g->call;
    unsigned needed = 0;
    bool whole = true; /* no array is missing, so that the op can be asked */
    for (int i = 0; i < call->n_in; i++) {
        const tg_array *x = call->in[i];
        bool asked = g->needed(g->of, i);
        if (tg_saves(g->saved, call->n_in, i)) cost.bytes += bytes_of(x);
        whole = whole && (x || (i < FEW && call->op->optional & TG_IN(i)));
        if (!asked) continue;
        cost.bytes += numel_of(x) * (x ? (double)tg_dtype_size((tg_dtype)x->dtype) : 0);
        if (call->op->elementwise) cost.flops += numel_of(x);
        if (i < FEW) needed |= TG_IN(i);
    }
    for (int o = 0; o < call->n_out; o++) {
        if (tg_saves(g->saved, call->n_in, call->n_in + o)) cost.bytes += bytes_of(call->out[o]);
        cost.bytes += bytes_of(g->dout[o]);
        whole = whole && call->out[o];
    }
    if (call->op->flops && needed) cost.flops = whole ? call->op->flops(call, needed) : 0;
    return cost;
}

void tg_span_of_op(tg_span *s, const tg_op *op, tg_tensor *const *in, int n_in, const void *attr,
                   tg_slot *const *out) {
    const tg_array *few[FEW];
    tg_array *result[TG_MAX_OUT];
    int n_out = op->n_out ? op->n_out : 1;
    for (int o = 0; o < n_out; o++) result[o] = &out[o]->a;
    for (int i = 0; i < n_in; i++) {
        const tg_slot *x = in[i] ? tg_slot_peek(in[i]) : NULL;
        if (i < FEW) few[i] = x ? &x->a : NULL;
        if (i >= FEW) s->bytes += bytes_of(x ? &x->a : NULL);
    }
    tg_call call = {op, n_in < FEW ? n_in : FEW, n_out, few, result, attr, in};
    tg_cost cost = tg_cost_of_forward(&call);
    s->bytes += cost.bytes, s->flops = cost.flops;
}

typedef struct asked {
    const tg_walk *walk;
    const tg_node *node;
} asked;

static bool is_asked(const void *of, int i) {
    const asked *a = of;
    return tg_walk_needed(a->walk, a->node, i);
}

static tg_cost cost_of_rule(const tg_walk *w, const tg_node *node, const tg_adjoint *adjoints) {
    const tg_array *in[FEW], *dout[TG_MAX_OUT];
    tg_array *out[TG_MAX_OUT];
    const asked of = {w, node};
    if (!node->op->grad_kernel || w->mode.record || node->n_in > FEW)
        return (tg_cost){0}; /* it is made of others, or of many */
    for (int i = 0; i < node->n_in; i++) {
        const tg_slot *x = node->in[i] ? tg_slot_peek(node->in[i]) : NULL;
        in[i] = x ? &x->a : NULL;
    }
    for (int o = 0; o < node->n_out; o++) {
        tg_slot *y = tg_slot_peek(node->out[o]);
        out[o] = y ? &y->a : NULL;
        dout[o] = adjoints[o].value.data ? &adjoints[o].value : NULL;
    }
    tg_gradient_call g = {.call = {node->op, node->n_in, node->n_out, in, out, node->attr, node->in},
                          .saved = node->saved,
                          .dout = dout,
                          .needed = is_asked,
                          .of = &of};
    return tg_cost_of_gradient(&g);
}

void tg_span_begin_rule(tg_span *s, const tg_walk *w, const tg_node *node, const tg_adjoint *adjoints) {
    const tg_slot *made = tg_slot_peek(node->out[0]);
    tg_maker maker = made ? *tg_slot_maker(made) : (tg_maker){0};
    tg_cost cost = cost_of_rule(w, node, adjoints);
    tg_span_begin(s, node->op->name);
    s->kind = TG_SPAN_BACKWARD, s->rule = true, s->bytes = cost.bytes, s->flops = cost.flops;
    if (maker.file) s->file = maker.file, s->line = maker.line;
}

const char *tg_figure(double v, char text[16]) {
    static const char unit[] = " kMGTP";
    int u = 0;
    for (; v >= 999.5 && u < 5; u++) v /= 1000;
    if (v == 0)
        snprintf(text, 16, "%*s", TG_FIGURE, "-");
    else if (v < 1e6)
        snprintf(text, 16, "%*.*f%c%c", TG_FIGURE - 2,
                 u == 0      ? 0
                 : v < 9.995 ? 2
                 : v < 99.95 ? 1
                             : 0,
                 v, ' ', unit[u]);
    else
        snprintf(text, 16, "%*s", TG_FIGURE, "many");
    return text;
}

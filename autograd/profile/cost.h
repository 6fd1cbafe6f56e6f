/* Private. What a call moves and computes, by its layouts alone. */
#ifndef TG_AUTOGRAD_PROFILE_COST_H
#define TG_AUTOGRAD_PROFILE_COST_H

#include "autograd/walk.h"
#include "core/span.h"

typedef struct tg_cost {
    double bytes, flops; /* as autograd/profile/profile.h defines them */
} tg_cost;

/* Of an op's forward. An output that has the buffer of an input is a view, which costs nothing. */
tg_cost tg_cost_of_forward(const tg_call *call);

typedef struct tg_gradient_call {
    tg_call call;                /* the node's inputs and outputs; NULL: gone, or absent */
    unsigned saved;              /* those whose elements are read: tg_node.saved */
    const tg_array *const *dout; /* n_out; NULL: absent */
    bool (*needed)(const void *of, int i);
    const void *of;
} tg_gradient_call;

/* Of its gradient kernel. */
tg_cost tg_cost_of_gradient(const tg_gradient_call *g);

/* Sets what is known of a call that has gone well: its arrays are found by the handles. */
void tg_span_of_op(tg_span *s, const tg_op *op, tg_tensor *const *in, int n_in, const void *attr,
                   tg_slot *const *out);

/* Begins the span of a node's rule, before which all is known, and after which what it is of may be gone. */
void tg_span_begin_rule(tg_span *s, const tg_walk *w, const tg_node *node, const tg_adjoint *adjoints);

/* "1.05 M", and "-" for 0: always TG_FIGURE characters, filled up on the left. */
#define TG_FIGURE 8
const char *tg_figure(double v, char text[16]);

#endif

/* Private. What the recurrent ops share. A sequence is an array [n, t, width] and a state an array [n, width], both
 * contiguous; a cell works on states, as a sequence of one step. A missing array stands for zeros.
 * Rows (samples) do not depend on each other: each thread takes some rows through all steps. */
#ifndef TG_OPS_RECURRENT_SEQUENCE_H
#define TG_OPS_RECURRENT_SEQUENCE_H

#include "core/kernels/gemm/prepacked.h"
#include "core/kernels/simd/table.h"
#include "ops/shared.h"

/* Row i of a sequence at step t, or of a state; NULL without x. */
static inline void *tg_step_row(const tg_array *x, int64_t i, int64_t t) {
    if (!x) return NULL;
    int64_t at = i * x->stride[0] + (x->rank > 2 ? t * x->stride[1] : 0);
    return (char *)x->data + at * (int64_t)tg_dtype_size((tg_dtype)x->dtype);
}

/* Row i of the state before step t: of y at the step before, or of x0 at the start. */
static inline void *tg_row_before(const tg_array *y, const tg_array *x0, int64_t i, int64_t t) {
    return t > 0 ? tg_step_row(y, i, t - 1) : tg_step_row(x0, i, 0);
}

/* The product that recurs. `right` has a row for each sample, to which a row of some sequence times w is stored or, with
 * `add`, added. Since w is the same at every step, it is packed once. Rows of a sequence often lie a power of two apart,
 * where they evict each other from the cache, so products work on copies in `left`. */
typedef struct tg_recurrence {
    tg_prepacked w;
    tg_array left, right; /* states, whose rows are padded */
} tg_recurrence;

/* Prepares the product of n samples with w or, with `transposed`, w^T; nothing where w is NULL, for a cell. The caller drops
 * it, after a failure too. */
tg_status tg_recurrence_make(tg_recurrence *r, const tg_array *w, bool transposed, int64_t n);
void tg_recurrence_drop(tg_recurrence *r);

/* Computes the rows [begin, end) of `right` from those of x at step t. */
void tg_recurrence_product(const tg_recurrence *r, const tg_array *x, int64_t t, bool add, int64_t begin,
                           int64_t end);

/* *dh0 [n, h] becomes the states that the backward pass over `steps` steps has left in `right`; zeros when steps is 0. */
tg_status tg_recurrence_first(const tg_recurrence *r, int64_t steps, int64_t h, tg_array *dh0);

/* The number of rows in a block of work. It depends on n alone, so results do not depend on the threads. */
int64_t tg_step_grain(int64_t n);

/* dw = sum over rows and steps of ds^T (state before), for ds [n, t, m] and dw [m, h]; it is added to a dw that has data. db
 * becomes the sum of ds. */
tg_status tg_step_weight_grad(const tg_array *ds, const tg_array *y, const tg_array *h0, tg_array *dw);
tg_status tg_step_bias_grad(const tg_array *ds, tg_array *db);

/* ---- gradients in ops (ops/recurrent/lstm_grad.c, ops/recurrent/gru_grad.c) ---- */

void tg_lstm_cell_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din);
void tg_lstm_scan_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din);
void tg_gru_cell_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din);
void tg_gru_scan_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din);

/* ---- for infer ---- */

/* Input 0 is f32 or f64 and has `rank` axes, the last of them `gates` times as long as the hidden state. *h becomes
 * its shape with that state's size last. */
tg_status tg_call_gates(const tg_call *call, int rank, int gates, tg_shape *h);

/* Input i, when it is there, has this shape and the dtype of input 0. */
tg_status tg_call_shape(const tg_call *call, int i, tg_shape want);

/* ---- in differentiable ops ---- */

/* x[:, t, :], and number k of the gates that lie side by side in the last axis of x. */
tg_tensor *tg_at_step(tg_tensor *x, int64_t t);
tg_tensor *tg_gate(tg_tensor *x, int64_t h, int k);

/* sigmoid(a), tanh(a), h - tanh(a), sigmoid'(a) and tanh'(a), whose derivatives of any order are right also where the gate
 * has rounded to 1. */
tg_tensor *tg_gate_sigmoid(tg_tensor *a);
tg_tensor *tg_gate_tanh(tg_tensor *a);
tg_tensor *tg_less_tanh(tg_tensor *h, tg_tensor *a);
tg_tensor *tg_sigmoid_slope(tg_tensor *a);
tg_tensor *tg_tanh_slope(tg_tensor *a);

/* The four gates of pre-activations [.., 4h]: sigmoid, sigmoid, tanh and, with `last`, a sigmoid; the fourth is copied
 * otherwise. */
tg_tensor *tg_gates_of(tg_tensor *pre, bool last);

/* a + b, where a NULL counts as zeros. */
tg_tensor *tg_plus(tg_tensor *a, tg_tensor *b);

/* x, or where it is NULL zeros [n, h] of the dtype of `like`. */
tg_tensor *tg_or_zeros(tg_tensor *x, const tg_array *like, int64_t n, int64_t h);

/* The states before each step, [n, t, h]: x0, and y at all steps but the last. */
tg_tensor *tg_states_before(tg_tensor *y, tg_tensor *x0);

/* ds^T before, summed over rows and steps. */
tg_tensor *tg_step_outer(tg_tensor *ds, tg_tensor *before);

/* Room for t tensors of the gradient of n, to be freed with the same t; NULL with the error raised. */
tg_tensor **tg_tensors_new(const tg_node *n, int64_t t);
void tg_tensors_free(tg_tensor **p, int64_t t);

/* Stacks t tensors [n, width] to [n, t, width]. */
tg_tensor *tg_stack_steps(tg_tensor **x, int64_t t);

#endif

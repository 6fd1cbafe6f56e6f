/* Wrong gradients on purpose. An input goes through an op that is the identity and passes on the gradient with a fault. */
#include "ops/nn/check/suite_private.h"

#include "ops/rooms.h"

#include <math.h>

typedef enum fault { NEGATED = 1, SCALED, ZEROED, SHIFTED, TRANSPOSED, FAULTS } fault;
static const char *const fault_name[] = {
    "", "negated", "times 1.03", "zero", "shifted by an element", "transposed"};

/* g with the fault; it can be recorded. */
static tg_tensor *with_fault(tg_tensor *g, fault how) {
    tg_shape shape = tg_shape_of(g), flat = {1, {tg_numel(g)}};
    if (how == NEGATED) return tg_neg(g);
    if (how == SCALED) return tg_mul_scalar(g, 1.03);
    if (how == ZEROED) return tg_mul_scalar(g, 0);
    if (how == SHIFTED) return tg_reshape_with(tg_roll(tg_reshape_with(g, flat), 1, 0), shape);
    if (shape.rank < 2) return g;
    return tg_reshape_with(tg_transpose(g, -1, -2), shape);
}

typedef struct fault_attr {
    int64_t how;
} fault_attr;
static const tg_attr_field fault_fields[] = {{"how", TG_ATTR_INT, offsetof(fault_attr, how)}};

static tg_status fault_infer(const tg_call *call) { return tg_infer_same(call); }
static tg_status fault_forward(const tg_call *call) {
    tg_array_copy(call->out[0], call->in[0]);
    return TG_OK;
}
static void fault_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = with_fault(dout[0], (fault)((const fault_attr *)node->attr)->how);
}

static const tg_op planted_op = {.name = "planted_fault",
                                 .formula = "out = x, with a wrong gradient",
                                 .n_in = 1,
                                 .attr_size = sizeof(fault_attr),
                                 .attrs = fault_fields,
                                 .n_attrs = 1,
                                 .infer = fault_infer,
                                 .forward = fault_forward,
                                 .grad = fault_grad};

tg_tensor *tg_trial_plant(const tg_trial *t, tg_tensor *x) {
    return tg_apply(&planted_op, &x, 1, &(fault_attr){t->fault});
}

/* ---- which are none ---- */

/* The gradient of input i is the same with the fault, as that of a sum is when shifted: then nothing is planted. */
static bool is_planted(tg_trial *t, tg_tensor *const *g, const int *at, int n, int i, fault how) {
    for (int k = 0; k < n; k++) {
        if (at[k] != i) continue;
        tg_tensor *wrong = with_fault(g[k], how);
        if (!tg_trial_good(t, fault_name[how])) return false;
        double most = 0, apart = 0;
        for (int64_t e = 0; e < tg_numel(wrong); e++) {
            most = fmax(most, fabs(tg_get(g[k], e)));
            apart = fmax(apart, fabs(tg_get(wrong, e) - tg_get(g[k], e)));
        }
        return apart > 1e-4 * most;
    }
    return false;
}

/* ---- each of them ---- */

static void try_fault(tg_trial *t, int i, fault how) {
    tg_gradcheck_report r;
    tg_mark mark = tg_tape_mark();
    t->fault = (int)how, t->faulty = i;
    bool ran = tg_trial_judge(t, tg_trial_run, (tg_gradcheck_opts){.no_search = true}, 0, &r);
    t->fault = 0;
    tg_tape_rewind(mark);
    if (!ran) return;
    t->planted++, t->result->numbers += r.compared;
    if (r.verdict == TG_WRONG) {
        t->caught++;
        return;
    }
    t->result->verdict = TG_NOT_EXERCISED;
    tg_trial_fail(t, "%s: the gradient of input %d %s on purpose is not WRONG: %s",
                  tg_verdict_name(TG_NOT_EXERCISED), i, fault_name[how], r.message);
}

static int plant_in(tg_trial *t, tg_tensor *const *g, const int *at, int n, int i) {
    int before = t->planted;
    for (int how = NEGATED; how < FAULTS && t->result->outcome == TG_CHECK_PASSED; how++)
        if (is_planted(t, g, at, n, i, (fault)how)) try_fault(t, i, (fault)how);
    return t->planted - before;
}

void tg_check_planted(tg_trial *t) {
    tg_tensor *in[TG_CHECK_MOST_TENSORS], *g[TG_CHECK_MOST_TENSORS], *y;
    int at[TG_CHECK_MOST_TENSORS], n = tg_trial_inputs(t, TG_F64, 0, true, in), takers = 0;
    int m = n < 0 ? -1 : tg_trial_gradients(t, n, in, false, &y, at, g);
    for (int i = 0; m >= 0 && i < t->n; i++) {
        if (!tg_trial_takes_gradient(t, i) || tg_numel(in[i]) == 0 || t->result->outcome != TG_CHECK_PASSED)
            continue;
        takers++;
        if (plant_in(t, g, at, m, i) > 0 || t->row->allow_zero) continue;
        t->result->verdict = TG_NOT_EXERCISED;
        tg_trial_fail(t, "%s: a wrong gradient of input %d is the same as the right one: both are 0",
                      tg_verdict_name(TG_NOT_EXERCISED), i);
    }
    if (m >= 0 && takers == 0)
        tg_trial_skip(t, "no input takes a gradient");
    else if (t->planted == 0)
        tg_trial_skip(t, "every gradient is 0 (.allow_zero)");
}

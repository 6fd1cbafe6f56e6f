/* The inputs of a run: what is refused, and what the step is given in their place. */
#include "autograd/plan/program.h"

/* An input that was computed is given to the step without its history. */
static bool has_no_hooks(const tg_tensor *t) {
    const tg_slot *s = tg_slot_peek(t);
    char text[160];
    if (s->node || !tg_slot_hooks(s)) return true;
    tg_fail(TG_ERR_TAPE, "tg_plan_run: %s has hooks, which a plan cannot call",
            tg_describe(t, text, sizeof text));
    return false;
}

tg_status tg_inputs_check(int n, tg_tensor *const *in) {
    if (tg_error_pending != TG_OK) return tg_error_pending;
    if (n < 0 || (n > 0 && !in))
        return tg_fail(TG_ERR_ARGUMENT, "tg_plan_run: the array of inputs is NULL, or their number below 0");
    if (tg_listening)
        return tg_fail(TG_ERR_TAPE, "tg_plan_run: a plan cannot be run inside the step of another");
    for (int i = 0; i < n; i++)
        if (!tg_slot_of_input(in[i], "tg_plan_run", i) || !tg_slot_with_data(in[i], "tg_plan_run") ||
            !has_no_hooks(in[i]))
            return tg_error_status();
    return TG_OK;
}

/* The inputs as the step sees them: without a history, and each in memory of its own. Behind them NULL, for a step that takes
 * more than it was given. */
tg_status tg_inputs_separate(int n, tg_tensor *const *in, tg_tensor **own, bool *twice) {
    for (int i = n; i < TG_FEW_INPUTS; i++) own[i] = NULL;
    for (int i = 0; i < n; i++) {
        const tg_slot *s = tg_slot_peek(in[i]);
        bool again = false;
        for (int k = 0; k < i; k++) again = again || tg_slot_peek(in[k])->a.buffer == s->a.buffer;
        own[i] = s->node ? tg_detach(in[i]) : in[i];
        if (!again) continue;
        *twice = true;
        tg_array copy = {0};
        if (s->requires_grad && !s->node)
            return tg_fail(TG_ERR_ARGUMENT,
                           "tg_plan_run: input %d has the memory of another, and requires a gradient", i);
        if (tg_array_alloc_like(&copy, &s->a) != TG_OK) return tg_error_status();
        tg_array_copy(&copy, &s->a);
        own[i] = tg_from_array(&copy);
        tg_array_drop(&copy);
    }
    return tg_error_status();
}

/* A replay that changes an input in memory that another one has would not do what the step does. */
tg_status tg_inputs_may_change(const tg_program *g, int n, tg_tensor *const *in) {
    for (int i = 1; i < n && g->changes_inputs; i++)
        for (int k = 0; k < i; k++)
            if (tg_slot_peek(in[k])->a.buffer == tg_slot_peek(in[i])->a.buffer)
                return tg_fail(
                    TG_ERR_ARGUMENT,
                    "tg_plan_run: input %d has the memory of input %d, and the step changes its inputs", i, k);
    return TG_OK;
}

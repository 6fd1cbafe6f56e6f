/* Gradients that outlive a run: each becomes, or is added to, that of the tensor whose it is. */
#include "autograd/plan/program.h"
#include "core/kernels/kernels.h"

tg_tensor *tg_store_owner(const tg_plan_call *c, tg_tensor *const *in) {
    return c->of->target ? c->of->target : in[c->of->input];
}

static tg_status add_to_gradient(const tg_slot *grad, const tg_array *g) {
    tg_map_axpy(1, g, &grad->a);
    grad->a.buffer->version++;
    return TG_OK;
}

/* What the gradient becomes where there is none: without elements where it keeps those that were made. NULL with the error raised. */
static tg_slot *make_ready(const tg_program *p, const tg_program_call *c) {
    int memory = p->rec.operand[c->call->operand].memory;
    const tg_memory *m = &p->rec.memory[memory];
    const bool keeps = m->escapes && m->stored == 1 && memory != p->rec.result.memory;
    tg_slot *kept = tg_slot_new_kept("backward");
    if (!kept) return NULL;
    tg_array own = *c->array[0];
    if (!keeps && tg_array_alloc_like(&own, c->array[0]) != TG_OK) return tg_slot_kill(kept), NULL;
    if (!keeps) kept->a = own;
    return kept;
}

/* Gradients that are stored one behind the other are all made ready before the first one is, so that what fails changes none. */
static tg_status make_all_ready(tg_program *p, int64_t call, tg_tensor *const *in) {
    for (int64_t i = call; i < p->rec.n_calls && p->rec.call[i].kind == TG_CALL_STORE; i++) {
        tg_program_call *c = &p->call[i];
        const tg_slot *s = tg_slot_peek(tg_store_owner(c->call, in));
        if (!s) return tg_fail(TG_ERR_LIFETIME, "tg_plan_run: a tensor was freed whose gradient is due");
        const bool old = tg_slot_peek(s->grad) != NULL;
        if (old && tg_call_shows_new(&p->rec, c->call))
            return tg_fail(
                TG_ERR_TAPE,
                "tg_plan_run: there is a gradient already where there was none when the plan was recorded, and "
                "the step uses it: call tg_zero_grad between runs");
        if (!old && !(c->ready = make_ready(p, c))) return tg_error_status();
    }
    return TG_OK;
}

void tg_program_drop_ready(tg_program *p) {
    for (int64_t i = 0; i < p->rec.n_calls; i++) {
        if (p->rec.call[i].kind != TG_CALL_STORE) continue;
        if (p->call[i].ready) tg_slot_kill(p->call[i].ready);
        p->call[i].ready = NULL;
    }
}

tg_status tg_program_store(tg_program *p, int64_t call, tg_tensor *const *in) {
    tg_program_call *c = &p->call[call];
    const bool first = call == 0 || p->rec.call[call - 1].kind != TG_CALL_STORE;
    if (first && make_all_ready(p, call, in) != TG_OK) return tg_error_status();
    tg_slot *s = tg_slot_peek(tg_store_owner(c->call, in)), *kept = c->ready, *old = tg_slot_peek(s->grad);
    const tg_array *g = c->array[0];
    c->ready = NULL;
    if (old && kept) tg_slot_kill(kept); /* the call before it has stored one */
    if (old) return add_to_gradient(old, g);
    if (kept->a.buffer) {
        tg_array_copy(&kept->a, g);
    } else {
        tg_array own = *g;
        own.buffer = p->fresh[p->rec.operand[c->call->operand].memory];
        tg_buffer_ref(own.buffer);
        kept->a = own;
    }
    tg_buffer_share(kept->a.buffer);
    s->grad = tg_handle(kept);
    return TG_OK;
}

/* The elementwise kernels that a call has run, heard one by one, which may be all that it is made of. */
#include "autograd/plan/recorder.h"

#include <string.h>

/* Operand k: where it is, for now. False where it is neither one run of elements nor, in the same rows as others, broadcast. */
static inline bool note_operand(tg_recorder *r, tg_kernel_form *m, int k, const tg_array *a) {
    int64_t stride = tg_flat_stride(a), row = m->row;
    size_t size = tg_dtype_size((tg_dtype)a->dtype);
    if (stride < 0 && k > 0 && (m->along[k] = (uint8_t)tg_broadcast_in_rows(a, &row)) != TG_EACH) {
        if (m->row && m->row != row) return false;
        m->row = row, stride = m->along[k] == TG_SAME_ROW;
    }
    m->stride[k] = (uint8_t)stride, m->size[k] = (uint8_t)size;
    r->buffer[r->maps][k] = a->buffer;
    if (a->buffer)
        m->at[k] = (int64_t)(intptr_t)a->data;
    else
        memcpy(&m->at[k], a->data, size);
    return stride >= 0 && (a->buffer || stride == 0 || a->numel == 1);
}

void tg_recorder_mapped(tg_listener *l, const tg_map_call *c) {
    tg_recorder *r = (tg_recorder *)(void *)l;
    const int64_t n = c->a[c->folds]->numel;
    if (r->maps < 0 || (c->run && n == 0)) return;
    if (!c->run || r->maps == TG_CALL_MAPS) {
        r->maps = -1;
        return;
    }
    tg_kernel_form *m = &r->kernel[r->maps];
    *m = (tg_kernel_form){.run = c->run, .n = n, .cost = c->cost, .operands = (uint8_t)c->operands};
    if (c->arg) memcpy(m->arg, c->arg, sizeof m->arg);
    bool alone = true;
    for (int k = 0; k < c->operands; k++) alone = note_operand(r, m, k, c->a[k]) && alone;
    if (c->folds) m->stride[0] = 0;
    r->maps = alone ? r->maps + 1 : -1;
}

/* Each operand of kernel i becomes a place in memory that is known by now. */
static inline bool resolve(tg_recorder *r, int i, int memory[TG_MAX_OPERANDS]) {
    tg_kernel_form *m = &r->kernel[i];
    for (int k = 0; k < TG_MAX_OPERANDS; k++) memory[k] = -1;
    for (int k = 0; k < m->operands; k++) {
        const tg_buffer *b = r->buffer[i][k];
        if (!b) continue;
        if ((memory[k] = tg_recorder_find_buffer(r, b)) < 0) return false;
        m->at[k] -= (int64_t)(intptr_t)r->rec->memory[memory[k]].origin;
    }
    return true;
}

/* NULL with the recording lost. */
static const tg_kernel_form *form_of(tg_recorder *r, const tg_kernel_form *m) {
    if (m->n > r->rec->most) r->rec->most = m->n;
    r->rec->rows |= m->row > 0;
    return tg_recorder_form(r, &r->kernels, m, sizeof *m);
}

void tg_recorder_differs_in_kernels(tg_recorder *r) {
    tg_recorder_differs(r, -1, "it runs other kernels than in the run before");
}

/* Adds kernel i of the call under way, which most likely is the one that the run before had at this place. */
static bool add(tg_recorder *r, int i, const int memory[TG_MAX_OPERANDS]) {
    tg_recording *rec = r->rec;
    tg_plan_map *at = &rec->map[rec->n_maps];
    if (r->compares) {
        if (rec->n_maps < r->before.n_maps && memcmp(at->of, &r->kernel[i], sizeof *at->of) == 0 &&
            memcmp(at->memory, memory, sizeof at->memory) == 0)
            return rec->n_maps++, true;
        tg_recorder_differs_in_kernels(r);
    }
    if (!TG_ROOM(r, map, n_maps, cap_maps, 1)) return false;
    at = &rec->map[rec->n_maps];
    if (!(at->of = form_of(r, &r->kernel[i]))) return false;
    memcpy(at->memory, memory, sizeof at->memory);
    rec->n_maps++;
    return true;
}

void tg_recorder_take_maps(tg_recorder *r, bool of_kernels) {
    tg_plan_call *c = &r->call;
    const int n = r->maps;
    int memory[TG_CALL_MAPS][TG_MAX_OPERANDS];
    r->maps = 0;
    if (r->lost || tg_error_pending != TG_OK || !of_kernels || n < 0) return;
    for (int i = 0; i < n; i++)
        if (!resolve(r, i, memory[i])) return;
    c->map = r->rec->n_maps;
    for (int i = 0; i < n; i++)
        if (!add(r, i, memory[i])) return;
    c->lowered = true, c->maps = (uint8_t)n;
}

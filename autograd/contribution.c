/* What a gradient rule returned for one input, between the rule and the adjoint it is accumulated into. */
#include "autograd/walk.h"
#include "core/kernels/kernels.h"
#include "core/work.h"

#include <math.h>

/* A sparse walk looks at each contribution alone. */
void tg_contribution_begin(tg_walk *w, const tg_node *node, int i, tg_array *din) {
    tg_slot *s = w->mode.sparse ? NULL : tg_walk_needed(w, node, i);
    tg_adjoint *a = s ? tg_walk_adjoint(w, s) : NULL;
    if (!a || !a->value.data || !tg_array_is_exclusive(&a->value) || !tg_array_is_contiguous(&a->value))
        return;
    *din = a->value;
    a->value.data = NULL, a->value.buffer = NULL;
}

/* It is as a new one would be, contiguous, so that whatever adds its elements up does so in the same order. */
void tg_contribution_give_over(const tg_walk *w, const tg_node *node, const tg_array *dout, tg_array *din) {
    if (w->mode.sparse || tg_watched || tg_listening || !dout || !tg_array_is_exclusive(dout) ||
        !tg_array_is_contiguous(dout) || dout->buffer->read_only)
        return;
    int i = node->n_in - 1;
    while (i >= 0 && !(i < 16 && node->op->over & TG_IN(i) && tg_walk_needed(w, node, i))) i--;
    if (i >= 0 && !din[i].data) tg_array_share(&din[i], dout);
}

static tg_status fail_rule(const tg_node *node, int i, const tg_array *g) {
    char want[160], got[96];
    tg_describe(node->in[i], want, sizeof want);
    return tg_fail(TG_ERR_SHAPE, "%s: its gradient rule returned %s %s for input %d, which is %s",
                   node->op->name, tg_shape_text(tg_array_shape(g), got, sizeof got),
                   tg_dtype_name((tg_dtype)g->dtype), i, want);
}

/* A kernel of a user's own may have filled in anything. */
static inline bool is_sound(const tg_node *node, int i, const tg_array *g) {
    if (tg_array_is_sound(g)) return true;
    tg_fail(TG_ERR_ARGUMENT, "%s: its gradient rule returned a malformed array for input %d", node->op->name,
            i);
    return false;
}

/* Whether a gradient array is of the input's dtype and of a shape that sums down to the input's. */
static bool fits(const tg_array *g, const tg_array *like) {
    tg_shape both;
    return g->dtype == like->dtype && tg_shape_broadcast(tg_array_shape(g), tg_array_shape(like), &both) &&
           tg_shape_equal(both, tg_array_shape(g));
}

static tg_status sum_over(const tg_array *const *a, const void *axes) {
    tg_reduce(TG_SUM, a[1], *(const unsigned *)axes, a[0]);
    return TG_OK;
}

/* Sums the array g, of a shape that `like` broadcasts to, down to like's shape. */
static tg_status sum_down(tg_array *g, const tg_array *like) {
    tg_shape kept = tg_array_shape(g);
    unsigned axes = 0;
    int extra = g->rank - like->rank;
    for (int i = 0; i < g->rank; i++)
        if (i < extra || (like->shape[i - extra] == 1 && g->shape[i] != 1)) axes |= 1u << i, kept.dim[i] = 1;
    tg_array sum = {0};
    tg_status s = tg_array_alloc(&sum, (tg_dtype)g->dtype, kept);
    if (s != TG_OK) return s;
    const tg_array *const a[] = {&sum, g};
    TG_WORK_DO(sum_over, a, &axes, .name = "sum to the input", .n = 2, .makes = 1u, .of_kernels = true,
               .size = sizeof axes);
    tg_array_drop(g);
    bool viewed = tg_array_reshape(g, &sum, tg_array_shape(like));
    tg_array_drop(&sum);
    return viewed ? TG_OK : tg_fail_memory(0);
}

tg_status tg_contribution_fit(const tg_node *node, int i, const tg_slot *s, tg_array *g) {
    if (!is_sound(node, i, g)) return tg_error_status();
    if (g->dtype == s->a.dtype && tg_array_same_shape(g, &s->a)) return TG_OK;
    return fits(g, &s->a) ? sum_down(g, &s->a) : fail_rule(node, i, g);
}

tg_tensor *tg_contribution_fit_recorded(const tg_node *node, int i, const tg_slot *s, tg_tensor *g) {
    const tg_slot *gs = tg_slot_with_data(g, node->op->name);
    if (!gs) return NULL;
    if (!fits(&gs->a, &s->a)) return fail_rule(node, i, &gs->a), NULL;
    return tg_array_same_shape(&gs->a, &s->a) ? g : tg_walk_ops_table.sum_to(g, tg_array_shape(&s->a));
}

static double at(const tg_array *a, int64_t i) { return tg_array_get(a, i); }

/* a[0] = a[1], but 0 where that is NaN and a[2] is 0. */
static tg_status drop_unreached(const tg_array *const *a, const void *data) {
    (void)data;
    for (int64_t k = 0; k < a[0]->numel; k++)
        tg_array_set(a[0], k, at(a[2], k) == 0 && isnan(at(a[1], k)) ? 0 : at(a[1], k));
    return TG_OK;
}

/* Before it is summed down g has the shape of dout. */
tg_status tg_contribution_drop_unreached(const tg_node *node, int i, const tg_array *dout, tg_array *g) {
    if (g->data && !is_sound(node, i, g)) return tg_error_status();
    if (!node->op->elementwise || !g->data || !tg_array_same_shape(dout, g) || g->data == dout->data)
        return TG_OK;
    tg_array dense = {0};
    tg_status s = tg_array_alloc_like(&dense, g);
    if (s != TG_OK) return s;
    const tg_array *const a[] = {&dense, g, dout};
    TG_WORK_DO(drop_unreached, a, NULL, .name = "drop unreached", .n = 3, .makes = 1u);
    tg_array_drop(g);
    *g = dense;
    return TG_OK;
}

/* ---- to an adjoint that has contributions already ---- */

static tg_status add_in_place(const tg_array *const *a, const void *data) {
    (void)data;
    tg_map_axpy(1, a[1], a[0]);
    return TG_OK;
}
static tg_status add(const tg_array *const *a, const void *data) {
    (void)data;
    tg_map_binary(TG_BINARY_ADD, a[1], a[2], a[0]);
    return TG_OK;
}

/* Apart from add_to, which is in the way of every scalar node. */
__attribute__((noinline, cold)) static void tell_add(const tg_array *to, const tg_array *a, const tg_array *b) {
    const tg_array *const all[] = {to, a, b};
    if (to == b)
        tg_work_do(
            &(tg_work){.name = "accumulate", .run = add_in_place, .n = 2, .changes = 1u, .of_kernels = true},
            all);
    else
        tg_work_do(&(tg_work){.name = "accumulate", .run = add, .n = 3, .makes = 1u, .of_kernels = true}, all);
}

tg_status tg_adjoint_add(tg_adjoint *a, tg_array *g) {
    const bool tells = !tg_work_unheard();
    tg_status s = TG_OK;
    if (tg_array_is_exclusive(&a->value)) {
        tells ? tell_add(&a->value, g, &a->value) : tg_map_axpy(1, g, &a->value);
    } else {
        tg_array sum = {0};
        s = tg_array_alloc_like(&sum, g);
        if (s == TG_OK) {
            tells ? tell_add(&sum, &a->value, g) : tg_map_binary(TG_BINARY_ADD, &a->value, g, &sum);
            tg_array_drop(&a->value);
            a->value = sum;
        }
    }
    tg_array_drop(g);
    return s;
}

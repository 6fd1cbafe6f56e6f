/* Where a gradient becomes zero: the graph is walked again, what each rule gives for each input is noted, and from the
 * tensor in question the notes are followed towards the loss, past what was zero already when it came. */
#include "autograd/blame/why_private.h"

#include <inttypes.h>
#include <string.h>

/* What one rule gave for one input. */
typedef struct note {
    const tg_node *node;
    const tg_slot *slot;
    int i;
    bool again;     /* the rule gave for another of its inputs, which is the same tensor, too */
    bool zero;      /* all of it */
    bool came_zero; /* nothing else came in */
    int64_t asked,
        blocked; /* elementwise: elements that came in, and of these those that went no further; 0: not known */
    tg_range input; /* of the input's elements at these */
    unsigned zeros; /* other inputs whose elements are all 0 there */
    int others;     /* how many other inputs there are */
} note;

typedef struct notes {
    tg_watcher watcher; /* first */
    note *note;
    int64_t n, cap;
} notes;

static bool is_zero(const tg_array *g) {
    for (int64_t i = 0; g && i < g->numel; i++)
        if (tg_array_get(g, i) != 0) return false;
    return true;
}

/* For each element that came in and went no further. */
static void look_at_elements(note *e, const tg_contribution *c, const tg_array *dout) {
    const tg_node *node = c->node;
    const tg_array *x = tg_elements_there(node->in[c->i]);
    for (int64_t i = 0; i < dout->numel; i++) {
        if (tg_array_get(dout, i) == 0) continue;
        e->asked++;
        if (tg_array_get(c->g, i) != 0) continue;
        e->blocked++;
        if (x) tg_range_add(&e->input, tg_array_get(x, tg_broadcast_position(x, dout, i)));
        for (int k = 0; k < node->n_in && k < 16; k++) {
            const tg_array *other = e->zeros & TG_IN(k) ? tg_elements_there(node->in[k]) : NULL;
            if (other && tg_array_get(other, tg_broadcast_position(other, dout, i)) != 0)
                e->zeros &= ~TG_IN(k);
        }
    }
}

static tg_status take_note(tg_watcher *o, const tg_contribution *c) {
    notes *all = (notes *)(void *)o;
    void *table = all->note;
    if (!tg_grow(&table, &all->cap, all->n, all->n + 1, sizeof *all->note))
        return tg_fail_memory(sizeof *all->note);
    all->note = table;
    note *e = &all->note[all->n++];
    *e = (note){.node = c->node, .slot = c->slot, .i = c->i, .zero = is_zero(c->g), .came_zero = true};
    for (int k = 0; k < c->node->n_out; k++) e->came_zero = e->came_zero && is_zero(c->dout[k]);
    if (e->came_zero) return TG_OK;
    const tg_array *dout = c->dout[0];
    const bool whole = c->node->op->elementwise && dout && c->g && tg_array_same_shape(dout, c->g);
    for (int k = 0; k < c->node->n_in; k++) {
        const tg_tensor *in = c->node->in[k];
        if (!in) continue;
        if (tg_slot_peek(in) == c->slot) {
            e->again = e->again || k != c->i;
            continue;
        }
        e->others++;
        if (k < 16 && tg_elements_there(in) && (whole || is_zero(tg_elements_there(in))))
            e->zeros |= TG_IN(k);
    }
    if (whole) look_at_elements(e, c, dout);
    return TG_OK;
}

/* ---- what the notes say ---- */

static void write_op(FILE *file, const tg_node *node) {
    const tg_slot *out = tg_slot_peek(node->out[0]);
    if (out)
        tg_write_maker(file, out);
    else
        fputs(node->op->name, file);
}

static tg_cause write_block(FILE *file, const note *e) {
    const tg_op *op = e->node->op;
    char text[160];
    write_op(file, e->node);
    fputs(" passes nothing on: ", file);
    for (int k = 0; k < e->node->n_in && k < 16; k++)
        if (e->zeros & TG_IN(k)) {
            fprintf(file, "its input %d, %s, is 0 %s", k, tg_describe(e->node->in[k], text, sizeof text),
                    e->asked ? "wherever a gradient reaches it" : "everywhere");
            return TG_CAUSE_MASKED;
        }
    if (op->elementwise && e->others > 0) {
        fputs("its other inputs choose something else", file);
        return TG_CAUSE_MASKED;
    }
    const bool at_zero = e->input.any && e->input.lo == 0 && e->input.hi == 0;
    if (e->again && !at_zero) {
        fprintf(file, "it is given %s more than once, and what it gives for each adds up to zero",
                tg_describe(tg_handle(e->slot), text, sizeof text));
        return TG_CAUSE_CANCELLED;
    }
    if (!op->elementwise || e->asked == 0) {
        fputs("its rule gives 0 for every element", file);
        return TG_CAUSE_NO_SLOPE;
    }
    fprintf(file, "at all %" PRId64 " elements that a gradient reaches its slope is 0", e->asked);
    if (at_zero)
        return fputs(", its input there being 0", file), op->kink ? TG_CAUSE_DEAD : TG_CAUSE_NO_SLOPE;
    if (e->input.any) fprintf(file, ", its input there being from %.6g to %.6g", e->input.lo, e->input.hi);
    return op->kink ? TG_CAUSE_DEAD : TG_CAUSE_SATURATED;
}

typedef struct search {
    const notes *all;
    bool *asked; /* by node id: what came in there was zero, and the reason is wanted */
    const note *block;
    const note *sum; /* one of those whose contributions add up to zero */
    int blocks, seen;
} search;

/* The notes about one tensor whose gradient is zero. */
static void look_at(search *f, const tg_slot *t, const tg_node *made_by) {
    for (int64_t k = 0; k < f->all->n; k++) {
        const note *e = &f->all->note[k];
        if (made_by ? e->slot->node != made_by : e->slot != t) continue;
        f->seen++;
        if (!e->zero)
            f->sum = e;
        else if (e->came_zero)
            f->asked[e->node->id] = true;
        else
            f->block = f->block ? f->block : e, f->blocks++;
    }
}

static tg_cause conclude(const tg_question *q, const search *f) {
    char text[160];
    if (f->sum) {
        fprintf(q->file, "contributions to %s that are not zero add up to zero, one of them by ",
                tg_describe(tg_handle(f->sum->slot), text, sizeof text));
        write_op(q->file, f->sum->node);
        return TG_CAUSE_CANCELLED;
    }
    if (f->block) {
        tg_cause cause = write_block(q->file, f->block);
        if (f->blocks > 1)
            fprintf(q->file, "; and %d other op%s do likewise", f->blocks - 1, f->blocks > 2 ? "s" : "");
        return cause;
    }
    fputs(f->seen ? "the gradient of the loss itself is" : "the loss does not depend on it by any rule",
          q->file);
    return f->seen ? TG_CAUSE_UNKNOWN : TG_CAUSE_NO_PATH;
}

static tg_cause follow(const tg_question *q, const notes *all) {
    const int64_t n = tg_tape_nodes();
    search f = {.all = all, .asked = tg_sys_alloc((size_t)n + 1)};
    if (!f.asked) return tg_fail_memory((size_t)n + 1), TG_CAUSE_UNKNOWN;
    memset(f.asked, 0, (size_t)n + 1);
    look_at(&f, q->t, NULL);
    for (int64_t id = 0; !f.sum && id < n; id++)
        if (f.asked[id]) look_at(&f, NULL, tg_tape_node(id));
    tg_cause cause = conclude(q, &f);
    tg_sys_free(f.asked, (size_t)n + 1);
    return cause;
}

/* The one through which the least came, of those that one input decides. */
static const note *narrowest(const notes *all) {
    const note *most = NULL;
    for (int64_t k = 0; k < all->n; k++) {
        const note *e = &all->note[k];
        if (e->blocked == 0 || e->others > 0 || e->again) continue;
        if (!most || (double)e->blocked / (double)e->asked > (double)most->blocked / (double)most->asked)
            most = e;
    }
    return most;
}

void tg_why_partly(const tg_question *q) {
    notes all = {.watcher = {.contributed = take_note, .apart = true}};
    tg_array g = {0};
    tg_status s = tg_walk_again(&(tg_rewalk){.n = 1, .root = &q->loss, .t = q->t}, &all.watcher, &g);
    const note *e = s == TG_OK ? narrowest(&all) : NULL;
    if (e) {
        fputs("; ", q->file);
        write_op(q->file, e->node);
        fprintf(q->file, " stops %" PRId64 " of the %" PRId64 " elements of the gradient that reach it",
                e->blocked, e->asked);
        if (e->input.any)
            fprintf(q->file, ", its input there being from %.6g to %.6g", e->input.lo, e->input.hi);
    }
    if (s != TG_ERR_MEMORY) tg_error_clear(); /* none was pending before, and the answer stands without it */
    tg_array_drop(&g);
    tg_sys_free(all.note, (size_t)all.cap * sizeof *all.note);
}

tg_cause tg_why_zero(const tg_question *q, bool stored) {
    notes all = {.watcher = {.contributed = take_note, .apart = true}};
    tg_array g = {0};
    tg_cause cause = TG_CAUSE_UNKNOWN;
    tg_status s = tg_walk_again(&(tg_rewalk){.n = 1, .root = &q->loss, .t = q->t}, &all.watcher, &g);
    if (s == TG_ERR_MEMORY)
        ; /* raised, and the text stays without an end */
    else if (s != TG_OK) {
        fprintf(q->file, "where that comes from cannot be seen any more: %s", tg_error_message());
        tg_error_clear(); /* none was pending before */
    } else if (stored && g.data && !is_zero(&g))
        fputs("this loss gives one that is not, so that a hook, or the contribution of another loss, has made it zero",
              q->file);
    else
        cause = follow(q, &all);
    tg_array_drop(&g);
    tg_sys_free(all.note, (size_t)all.cap * sizeof *all.note);
    return cause;
}

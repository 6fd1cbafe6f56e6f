/* Why a gradient is missing, zero, or not finite. What is found out by walking the graph is in why_zero.c. */
#include "autograd/blame/why_private.h"

#include "core/work.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char who[] = "tg_why";

/* ---- tensors that no gradient flows to ---- */

/* Why s requires no gradient. */
static tg_cause why_not_required(FILE *file, const tg_slot *s) {
    const bool detached = strcmp(tg_slot_maker(s)->op, "detach") == 0;
    if (!tg_dtype_is_float((tg_dtype)s->a.dtype)) {
        fprintf(file, "only f32 and f64 carry gradients, not %s", tg_dtype_name((tg_dtype)s->a.dtype));
        return TG_CAUSE_NOT_REQUIRED;
    }
    tg_write_maker(file, s);
    switch ((tg_cut)s->cut) {
    case TG_CUT_BY_DETACH:
        fputs(detached ? " has cut it off from what it was made of"
                       : " made it of a tensor that tg_detach has cut off",
              file);
        return TG_CAUSE_DETACHED;
    case TG_CUT_OFF:
        fputs(" made it, and recording was off then, or when something that it was made of was made "
              "(tg_set_grad_enabled)",
              file);
        return TG_CAUSE_RECORDING_OFF;
    case TG_CUT_BY_OP:
        fputs(" made it, and that op, or one that something it was made of went through, has no gradient",
              file);
        return TG_CAUSE_NO_RULE;
    default:
        fputs(" made it of nothing that requires one, and nobody asked for it (tg_param, tg_set_requires_grad)",
              file);
        return TG_CAUSE_NOT_REQUIRED;
    }
}

/* ---- the way to the loss ---- */

typedef struct way {
    int64_t n;
    bool *after;  /* nodes that depend on t */
    bool *before; /* nodes that the loss depends on */
    size_t bytes;
} way;

static bool leads(const way *w, const tg_slot *loss) { return loss->node && w->after[loss->node->id]; }

static tg_status find_way(const tg_question *q, way *w) {
    w->n = tg_tape_nodes(), w->bytes = 2 * (size_t)w->n + 1;
    if (!(w->after = tg_sys_alloc(w->bytes))) return tg_fail_memory(w->bytes);
    memset(w->after, 0, w->bytes);
    w->before = w->after + w->n;
    for (int64_t id = 0; id < w->n; id++) {
        const tg_node *node = tg_tape_node(id);
        for (int i = 0; i < node->n_in; i++) {
            const tg_slot *s = node->in[i] ? tg_walk_needed(NULL, node, i) : NULL;
            if (s && (s == q->t || (s->node && w->after[s->node->id]))) w->after[id] = true;
        }
    }
    if (q->loss->node) w->before[q->loss->node->id] = true;
    for (int64_t id = w->n - 1; id >= 0; id--) {
        const tg_node *node = tg_tape_node(id);
        for (int i = 0; w->before[id] && i < node->n_in; i++) {
            const tg_slot *s = node->in[i] ? tg_walk_needed(NULL, node, i) : NULL;
            if (s && s->node) w->before[s->node->id] = true;
        }
    }
    return TG_OK;
}

/* Whether the elements are those of t, or of a result that depends on t. */
static bool shares(const tg_question *q, const way *w, const tg_buffer *b) {
    if (b == q->t->a.buffer) return true;
    for (int64_t id = 0; id < w->n; id++)
        for (int o = 0; w->after[id] && o < tg_tape_node(id)->n_out; o++) {
            const tg_array *a = tg_elements_there(tg_tape_node(id)->out[o]);
            if (a && a->buffer == b) return true;
        }
    return false;
}

/* A tensor that tg_detach made of t, or of what was made of it. */
static const tg_slot *find_detached(const tg_question *q, const way *w) {
    const tg_region *r = tg_current_region;
    for (int64_t i = 0; r && i < r->count; i++) {
        const tg_slot *s = tg_slot_at(r, i);
        if (s->cut == TG_CUT_BY_DETACH && s->a.data && strcmp(tg_slot_maker(s)->op, "detach") == 0 &&
            shares(q, w, s->a.buffer))
            return s;
    }
    return NULL;
}

/* An input of what the loss was made of that was cut off in this way. */
static const tg_slot *find_cut(const way *w, tg_cut cut) {
    for (int64_t id = w->n - 1; id >= 0; id--) {
        const tg_node *node = tg_tape_node(id);
        for (int i = 0; w->before[id] && i < node->n_in; i++) {
            const tg_slot *s = node->in[i] ? tg_slot_peek(node->in[i]) : NULL;
            if (s && !s->node && s->cut == (unsigned)cut) return s;
        }
    }
    return NULL;
}

/* The last node that reads t: as an input that gets a gradient, or as one that never does. */
static int64_t find_reader(const tg_question *q, const way *w, bool with_gradient) {
    for (int64_t id = w->n - 1; id >= 0; id--) {
        const tg_node *node = tg_tape_node(id);
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] && tg_slot_peek(node->in[i]) == q->t &&
                (tg_walk_needed(NULL, node, i) != NULL) == with_gradient)
                return id;
    }
    return -1;
}

static int64_t last_after(const way *w) {
    int64_t id = w->n - 1;
    while (id >= 0 && !w->after[id]) id--;
    return id;
}

/* What is not recorded is known by its result alone. */
static tg_cause write_cut(FILE *file, const tg_slot *s, const char *what, tg_cause cause) {
    char text[160];
    fputs("no recorded way leads from it to the loss; ", file);
    tg_write_maker(file, s);
    fprintf(file, " made %s, which the loss depends on, %s; whether of this tensor is not known",
            tg_describe(tg_handle(s), text, sizeof text), what);
    return cause;
}

static tg_cause why_no_way(const tg_question *q, const way *w) {
    const tg_slot *s = find_detached(q, w);
    if (s) {
        fputs("no recorded way leads from it to the loss, and ", q->file);
        tg_write_maker(q->file, s);
        fputs(" has cut off what it goes into", q->file);
        return TG_CAUSE_DETACHED;
    }
    int64_t id = find_reader(q, w, false);
    if (id >= 0) {
        tg_write_node(q->file, id);
        fputs(" reads it as an input that gets no gradient", q->file);
        return TG_CAUSE_NO_RULE;
    }
    if ((s = find_cut(w, TG_CUT_OFF)))
        return write_cut(q->file, s, "while recording was off", TG_CAUSE_RECORDING_OFF);
    if ((s = find_cut(w, TG_CUT_BY_OP)))
        return write_cut(q->file, s, "by an op that has no gradient", TG_CAUSE_NO_RULE);
    if ((s = find_cut(w, TG_CUT_BY_DETACH)))
        return write_cut(q->file, s, "of a tensor that tg_detach has cut off", TG_CAUSE_DETACHED);
    if (find_reader(q, w, true) < 0) {
        fputs("no recorded op on the tape reads it", q->file);
        return TG_CAUSE_NOT_USED;
    }
    fputs("no way leads from it to the loss: the last op that depends on it is ", q->file);
    tg_write_node(q->file, last_after(w));
    return TG_CAUSE_NO_PATH;
}

/* ---- the gradient that is not there ---- */

static tg_cause why_not_finite(const tg_question *q, bool stored) {
    tg_finder finder = tg_finder_of(q->file);
    tg_array none = {0};
    tg_write_bad_loss(q->file, "", q->loss, TG_WALKING_BACK);
    tg_status s = tg_walk_again(&(tg_rewalk){.n = 1, .root = &q->loss}, &finder.watcher, &none);
    if (s == TG_ERR_MEMORY) return TG_CAUSE_UNKNOWN;
    if (s != TG_OK && !finder.found)
        fprintf(q->file, "where that comes from cannot be seen any more: %s", tg_error_message());
    else if (!finder.found && stored)
        fputs("the graph of this loss gives finite ones, so that another walk, or a hook, has made it",
              q->file);
    tg_error_clear(); /* none was pending before */
    return finder.found || stored ? TG_CAUSE_NOT_FINITE : TG_CAUSE_UNKNOWN;
}

/* Whether the loss gives t a gradient that is not finite. Where it cannot be walked again, it is not known to. */
static bool is_given_nonfinite(const tg_question *q) {
    tg_finder finder = tg_finder_of(NULL);
    tg_array g = {0};
    tg_status s = tg_walk_again(&(tg_rewalk){.n = 1, .root = &q->loss, .t = q->t}, &finder.watcher, &g);
    bool bad = s == TG_OK && g.data && tg_kind_of_array(&g) != TG_FINITE;
    tg_array_drop(&g);
    if (s != TG_ERR_MEMORY) tg_error_clear();
    return bad;
}

/* There is a way from t to the loss, and t has no gradient. */
static tg_cause why_not_there(const tg_question *q) {
    if (!q->loss->node || !q->loss->node->walked) {
        fputs("no tg_backward has walked back from the loss (or one with .retain has, and it was cleared since)",
              q->file);
        return TG_CAUSE_NO_BACKWARD;
    }
    if (is_given_nonfinite(q)) {
        fputs("the walk gives one that is not finite, which was refused: ", q->file);
        return why_not_finite(q, false);
    }
    if (tg_error_status() != TG_OK) return TG_CAUSE_UNKNOWN;
    if (q->t->node && !q->t->retain_grad) {
        fputs("it is the result of an op, in which tg_backward leaves a gradient where tg_retain_grad asks for it",
              q->file);
        return TG_CAUSE_NOT_RETAINED;
    }
    fputs("the graph was walked, so that it was cleared since (tg_zero_grad, a step of the optimiser), or tg_grad walked, "
          "or the walk failed",
          q->file);
    return TG_CAUSE_CLEARED;
}

static tg_cause why_missing(const tg_question *q) {
    if (!q->loss) {
        fputs("the tape has no recorded result of one element: nothing was recorded, or it was rewound since",
              q->file);
        return TG_CAUSE_UNKNOWN;
    }
    if (q->t != q->loss && !q->loss->requires_grad) {
        fputs("the loss has no history: ", q->file);
        tg_cause cause = why_not_required(q->file, q->loss);
        return cause == TG_CAUSE_NOT_REQUIRED ? TG_CAUSE_NO_PATH : cause;
    }
    way w;
    if (find_way(q, &w) != TG_OK) return TG_CAUSE_UNKNOWN;
    tg_cause cause = q->t == q->loss || leads(&w, q->loss) ? why_not_there(q) : why_no_way(q, &w);
    tg_sys_free(w.after, w.bytes);
    return cause;
}

/* ---- the gradient that is there ---- */

static tg_cause describe(const tg_question *q, const tg_array *g) {
    double sum = 0;
    int64_t zeros = 0;
    tg_range r = {0};
    for (int64_t i = 0; i < g->numel; i++) {
        double v = tg_array_get(g, i);
        sum += v * v, zeros += v == 0;
        tg_range_add(&r, v);
    }
    fprintf(q->file,
            "there: its norm is %.6g, its elements are from %.6g to %.6g, and %" PRId64 " of %" PRId64
            " are zero",
            sqrt(sum), r.lo, r.hi, zeros, g->numel);
    if (zeros > 0 && q->loss && q->loss->requires_grad) tg_why_partly(q);
    return tg_error_status() == TG_OK ? TG_CAUSE_NONE : TG_CAUSE_UNKNOWN;
}

static bool is_zero(const tg_array *g) {
    for (int64_t i = 0; i < g->numel; i++)
        if (tg_array_get(g, i) != 0) return false;
    return g->numel > 0;
}

/* A loss that is no number may have gradients that are. */
static void write_loss_too(const tg_question *q) {
    if (q->loss) tg_write_bad_loss(q->file, "; but ", q->loss, "");
}

static tg_cause answer(const tg_question *q) {
    char text[160];
    const tg_slot *held = q->t->grad ? tg_slot_peek(q->t->grad) : NULL;
    const tg_array *g = held && held->a.data ? &held->a : NULL;
    const bool zero = g && is_zero(g), bad = g && tg_kind_of_array(g) != TG_FINITE;
    fprintf(q->file, "the gradient of %s is ", tg_describe(tg_handle(q->t), text, sizeof text));
    if (g && !zero && !bad) {
        tg_cause cause = describe(q, g);
        return write_loss_too(q), cause;
    }
    fputs(zero ? "zero: " : bad ? "not finite: " : "missing: ", q->file);
    if (!g) return q->t->requires_grad ? why_missing(q) : why_not_required(q->file, q->t);
    if (q->loss && q->loss->requires_grad) {
        tg_cause cause = zero ? tg_why_zero(q, true) : why_not_finite(q, true);
        if (zero) write_loss_too(q);
        return cause;
    }
    fputs("where that comes from cannot be seen any more: the graph of the loss is gone", q->file);
    return bad ? TG_CAUSE_NOT_FINITE : TG_CAUSE_UNKNOWN;
}

/* ---- the question ---- */

/* The result of one element that the tape has last. */
static tg_slot *last_loss(void) {
    for (int64_t id = tg_tape_nodes() - 1; id >= 0; id--) {
        tg_slot *s = tg_slot_peek(tg_tape_node(id)->out[0]);
        if (s && s->a.numel == 1 && s->requires_grad) return s;
    }
    return NULL;
}

/* NULL: it is no tensor any more, and the text and *cause say so; or there is an error. */
static tg_slot *read(const tg_tensor *t, const char *what, char *text, size_t n, tg_cause *cause) {
    tg_slot *s = tg_slot_of_argument(t, who, what, -1);
    if (s || tg_error_status() != TG_ERR_LIFETIME) return s;
    const char *message = tg_error_message(), *colon = strstr(message, ": ");
    if (n) snprintf(text, n, "%s", colon ? colon + 2 : message);
    tg_error_clear(); /* none was pending before */
    *cause = TG_CAUSE_GONE;
    return NULL;
}

tg_cause tg_why(const tg_tensor *t, const tg_tensor *loss, char *text, size_t n) {
    tg_cause cause = TG_CAUSE_UNKNOWN;
    if (text && n) text[0] = '\0';
    if (tg_error_status() != TG_OK) return cause;
    if (!text) return tg_fail(TG_ERR_ARGUMENT, "%s: the text is NULL", who), cause;
    if (!tg_may_do(who)) return cause;
    tg_question q = {.t = read(t, "the tensor", text, n, &cause)};
    if (q.t) q.loss = loss ? read(loss, "the loss", text, n, &cause) : last_loss();
    if (!q.t || (loss && !q.loss)) return cause;
    for (int k = 0; k < 2; k++) {
        const tg_slot *s = k ? q.loss : q.t;
        if (s && s->node && tg_tape_node(s->node->id) != s->node)
            return tg_fail(TG_ERR_TAPE, "%s: %s was recorded on another tape than the current one", who,
                           k ? "the loss" : "the tensor"),
                   cause;
    }
    tg_writing w;
    if (!(q.file = tg_writing_begin(&w)))
        return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the text", who), cause;
    cause = answer(&q);
    tg_writing_end(&w, text, n);
    return cause;
}

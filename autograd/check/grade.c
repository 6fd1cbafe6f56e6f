/* A backward pass by hand beside the tape's. The graph is walked twice: as it is; and with each gradient that is given put in place of
 * the tape's where that is complete, so that what is further back is compared with what follows from it. */
#include "autograd/check/grading.h"
#include "core/work.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct graded {
    const tg_by_hand *by;
    tg_slot *of;
    const tg_array *given; /* NULL: none */
    tg_seen right, local;  /* the tape's, and what follows from those given */
    tg_slip_found found;   /* beside `local` */
} graded;

typedef struct pass {
    tg_grading g; /* first */
    graded *one;
    int n;
    bool putting; /* in the second walk */
    int64_t steps;
} pass;

/* ---- what is given ---- */

static tg_status read_one(pass *p, const tg_by_hand *by, int i) {
    graded *one = &p->one[i];
    char text[160];
    *one = (graded){.by = by};
    if (!(one->of = tg_slot_of_argument(by->of, p->g.who, "the tensor of gradient", i)))
        return tg_error_status();
    if (!one->of->requires_grad)
        return tg_fail(TG_ERR_ARGUMENT, "%s: %s requires no gradient, so that the tape has none", p->g.who,
                       tg_describe(by->of, text, sizeof text));
    for (int k = 0; k < i; k++)
        if (p->one[k].of == one->of)
            return tg_fail(TG_ERR_ARGUMENT, "%s: gradients %d and %d are both of %s", p->g.who, k, i,
                           tg_describe(by->of, text, sizeof text));
    if (!by->gradient) return TG_OK;
    const tg_slot *s = tg_slot_of_argument(by->gradient, p->g.who, "gradient", i);
    if (s) s = tg_slot_with_data(by->gradient, p->g.who);
    if (!s) return tg_error_status();
    one->given = &s->a;
    return TG_OK;
}

static graded *find(pass *p, const tg_slot *s) {
    for (int i = 0; i < p->n; i++)
        if (p->one[i].of == s) return &p->one[i];
    return NULL;
}

static tg_seen *seen_of(const pass *p, graded *one) { return p->putting ? &one->local : &one->right; }

/* ---- the walks ---- */

static tg_status hear(tg_walk *w, const tg_node *node, int i, const tg_slot *s, tg_adjoint *a, tg_array *g) {
    pass *p = w->hearer;
    graded *one = find(p, s);
    tg_seen *seen = one ? seen_of(p, one) : NULL;
    (void)i;
    if (seen && seen->n_parts < TG_SEEN_PARTS) {
        tg_array_share(&seen->part[seen->n_parts], g);
        seen->reader[seen->n_parts] = node->id;
    }
    if (seen) seen->n_parts++;
    return tg_adjoint_accumulate(a, g);
}

static void note_sum(tg_seen *seen, const tg_adjoint *a, int64_t order) {
    seen->order = order;
    tg_array_drop(&seen->sum);
    if (a && a->value.data) tg_array_share(&seen->sum, &a->value);
}

/* The adjoint of a result is complete here; it becomes the one that is given where that is one. */
static tg_status note_output(pass *p, graded *one, tg_adjoint *a) {
    note_sum(seen_of(p, one), a, p->steps << 16);
    if (!p->putting || !one->given || !a->value.data || one->given->dtype != a->value.dtype ||
        !tg_array_same_shape(one->given, &a->value))
        return TG_OK;
    tg_array copy = {0};
    if (tg_array_alloc_like(&copy, &a->value) != TG_OK) return tg_error_status();
    tg_array_copy(&copy, one->given);
    tg_array_drop(&a->value);
    a->value = copy;
    return TG_OK;
}

/* The node has read it; a leaf is complete when that is the last one. */
static void note_input(pass *p, graded *one, const tg_node *node, int i, const tg_adjoint *a,
                       const tg_adjoint *adjoints) {
    tg_seen *seen = seen_of(p, one);
    if (!one->of->node) note_sum(seen, a, (p->steps << 16) + 1 + i);
    for (int o = 0; o < node->n_out; o++)
        seen->scale = fmax(seen->scale, tg_grading_largest(&adjoints[o].value));
    if (seen->node) return;
    seen->node = node;
    if (adjoints[0].value.data) tg_array_share(&seen->dout, &adjoints[0].value);
}

static tg_status take_step(tg_watcher *o, tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    pass *p = (pass *)(void *)o;
    if (!tg_grading_is_own(&p->g, w)) return tg_step_plain(w, node, adjoints);
    tg_status s = TG_OK;
    p->steps++;
    for (int k = 0; s == TG_OK && k < node->n_out; k++) {
        graded *one = find(p, tg_slot_peek(node->out[k]));
        if (one) s = note_output(p, one, &adjoints[k]);
    }
    if (s == TG_OK) s = tg_grading_hear(&p->g, w, node, adjoints, hear);
    for (int i = 0; s == TG_OK && i < node->n_in; i++) {
        const tg_slot *in = tg_walk_needed(w, node, i);
        graded *one = in ? find(p, in) : NULL;
        if (one) note_input(p, one, node, i, tg_walk_find_adjoint(w, in), adjoints);
    }
    return s;
}

/* What no gradient reaches has one of zeros, which comes last. */
static tg_status fill(const graded *one, tg_seen *seen) {
    if (seen->sum.data) return TG_OK;
    seen->order = INT64_MAX;
    tg_status s = tg_array_alloc(&seen->sum, (tg_dtype)one->of->a.dtype, tg_array_shape(&one->of->a));
    if (s == TG_OK) tg_array_fill(&seen->sum, 0);
    return s;
}

static tg_status walk_both(pass *p) {
    tg_status s = tg_grading_walk(&p->g);
    p->putting = true, p->steps = 0;
    if (s == TG_OK) s = tg_grading_walk(&p->g);
    for (int i = 0; s == TG_OK && i < p->n; i++) {
        s = fill(&p->one[i], &p->one[i].right);
        if (s == TG_OK) s = fill(&p->one[i], &p->one[i].local);
    }
    return s;
}

/* ---- what comes of it ---- */

static void write_name(FILE *file, const graded *one) {
    char text[160];
    const char *name = tg_slot_name(one->of);
    if (one->by->name)
        fprintf(file, "%.100s", one->by->name);
    else if (name)
        fprintf(file, "d%.100s", name);
    else
        fprintf(file, "the gradient of %s", tg_describe(one->by->of, text, sizeof text));
}

static bool differs(const graded *one) {
    tg_slip_found f;
    return tg_slip_find(&one->right, one->given, &f) == TG_OK && f.slip != TG_SLIP_NONE;
}

/* "dw and db": those after the first that have, or have not, a slip of their own. */
static int64_t write_others(FILE *file, const pass *p, const graded *first, bool own, int64_t n) {
    int64_t said = 0;
    for (int i = 0; i < p->n && said < n; i++) {
        const graded *one = &p->one[i];
        if (one == first || (one->found.slip != TG_SLIP_NONE) != own || (!own && !differs(one))) continue;
        if (said == 6) {
            fprintf(file, " and %" PRId64 " more", n - said);
            return n;
        }
        fputs(said == 0 ? "" : said + 1 == n ? " and " : ", ", file);
        write_name(file, one);
        said++;
    }
    return said;
}

static void write_wrong(FILE *file, pass *p, const graded *first) {
    const tg_grade_report *r = p->g.r;
    const tg_seen *right = &first->local;
    const tg_replay replay = {.loss = p->g.loss, .s = first->of, .element = first->found.element};
    write_name(file, first);
    const bool by = right->node && first->found.slip != TG_SLIP_PATH; /* which names nodes itself */
    if (by) fputs(", by ", file), tg_grading_write_node(file, right->node);
    fputs(by ? ", " : " ", file);
    tg_grading_tell(file, &p->g, right, first->given, &first->found, &replay);
    if (right->order == INT64_MAX) fputs(" The loss does not depend on it.", file);
    if (r->wrong > 1) {
        fputs(" ", file), write_others(file, p, first, true, r->wrong - 1);
        fputs(r->wrong > 2 ? " have slips of their own." : " has a slip of its own.", file);
    }
    if (r->follow > 0) {
        fputs(" ", file), write_others(file, p, first, false, r->follow);
        fputs(r->follow > 1 ? " follow from it, and have no slip of their own."
                            : " follows from it, and has no slip of its own.",
              file);
    }
}

static void write_verdict(FILE *file, pass *p, const graded *first) {
    const tg_grade_report *r = p->g.r;
    if (first)
        write_wrong(file, p, first);
    else
        fprintf(file, "right: %" PRId64 " gradient%s, %" PRId64 " number%s", r->compared,
                r->compared == 1 ? "" : "s", r->numbers, r->numbers == 1 ? "" : "s");
}

static tg_status judge(pass *p) {
    tg_grade_report *r = p->g.r;
    const graded *first = NULL;
    for (int i = 0; i < p->n; i++) {
        graded *one = &p->one[i];
        const bool off = differs(one); /* from the tape's: then it may follow from another */
        if (off && tg_slip_find(&one->local, one->given, &one->found) != TG_OK) return tg_error_status();
        const bool slip = one->found.slip != TG_SLIP_NONE;
        r->compared++, r->numbers += one->local.sum.numel, r->wrong += slip, r->follow += off && !slip;
        if (slip && (!first || one->local.order < first->local.order)) first = one;
    }
    r->ok = !first && tg_error_status() == TG_OK;
    if (first) r->index = (int)(first - p->one), r->node = first->local.node ? first->local.node->id : -1;
    if (first && first->local.node) snprintf(r->op, sizeof r->op, "%s", first->local.node->op->name);
    tg_writing text;
    if (!tg_writing_begin(&text)) return tg_fail_memory(sizeof r->message);
    write_verdict(text.file, p, first);
    tg_writing_end(&text, r->message, sizeof r->message);
    return tg_error_status();
}

static void grade(pass *p, int n, const tg_by_hand *given) {
    const tg_arena_mark before = tg_arena_get_mark(&tg_tape_get()->scratch);
    size_t bytes;
    tg_status s = TG_OK;
    p->one = tg_size_mul((size_t)n, sizeof *p->one, &bytes) ? tg_arena_alloc(&tg_tape_get()->scratch, bytes)
                                                            : NULL;
    if (!p->one) s = tg_fail_memory(bytes);
    for (int i = 0; s == TG_OK && i < n; i++, p->n++) s = read_one(p, &given[i], i);
    if (s == TG_OK) s = walk_both(p);
    if (s == TG_OK) judge(p);
    for (int i = 0; i < p->n; i++) tg_seen_drop(&p->one[i].right), tg_seen_drop(&p->one[i].local);
    tg_arena_rewind(&tg_tape_get()->scratch, before);
}

bool tg_grade(tg_tensor *loss, int n, const tg_by_hand *given, tg_grade_report *report) {
    tg_grade_report own;
    pass p = {.g = {.watcher = {.step = take_step}}};
    const tg_status pending = tg_error_status();
    const bool begun = tg_grading_begin(&p.g, "tg_grade", loss, report ? report : &own);
    if (begun && (!given || n < 1))
        tg_fail(TG_ERR_ARGUMENT, "tg_grade: gradients must be given, one at least");
    else if (begun)
        grade(&p, n, given);
    return pending == TG_OK && tg_grading_end(&p.g);
}

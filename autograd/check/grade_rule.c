/* One rule by hand beside the op's own: at each node of the op both are given the tape's adjoints. */
#include "autograd/check/grading.h"
#include "autograd/trace/model.h"
#include "core/work.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct ruling {
    tg_grading g; /* first */
    const char *op;
    tg_grad_fn rule;
    int64_t nodes, wrong_nodes;
    tg_array *right, *given; /* by input, of the node at hand */
    /* The first slip: */
    const tg_node *node;
    int i;
    tg_seen seen;
    tg_array by_hand, dout[TG_MAX_OUT];
    tg_slip_found found;
    char why[400]; /* it failed */
} ruling;

/* ---- one node ---- */

static tg_status hear(tg_walk *w, const tg_node *node, int i, const tg_slot *s, tg_adjoint *a, tg_array *g) {
    ruling *k = w->hearer;
    (void)node, (void)s, (void)a;
    tg_array_share(&k->right[i], g);
    tg_array_drop(g);
    return TG_OK;
}

/* What the rule returned for input i, in its own shape or summed down to the input's. */
static tg_status take_given(ruling *k, const tg_walk *w, const tg_node *node, int i, const tg_tensor *din) {
    const tg_slot *s = tg_walk_needed(w, node, i),
                  *g = s && din ? tg_slot_with_data(din, node->op->name) : NULL;
    tg_shape both;
    if (!g) return tg_error_status();
    tg_array_share(&k->given[i], &g->a);
    if (g->a.dtype != s->a.dtype || tg_array_same_shape(&g->a, &s->a) ||
        !tg_shape_broadcast(tg_array_shape(&g->a), tg_array_shape(&s->a), &both) ||
        !tg_shape_equal(both, tg_array_shape(&g->a)))
        return TG_OK;
    return tg_contribution_fit(node, i, s, &k->given[i]);
}

enum { SPARE = 8 }; /* a rule may be one for an op of more inputs */

static tg_status check_spare(const tg_node *node, tg_tensor *const *din) {
    for (int i = node->n_in; i < node->n_in + SPARE; i++)
        if (din[i])
            return tg_fail(TG_ERR_ARGUMENT, "it sets din[%d], and %s has %d input%s", i, node->op->name,
                           node->n_in, node->n_in == 1 ? "" : "s");
    return TG_OK;
}

static tg_status call_rule(ruling *k, tg_walk *w, const tg_node *node, const tg_adjoint *adjoints) {
    const tg_rule_call call = {node, w, tg_rule_running};
    tg_tensor *dout[TG_MAX_OUT] = {NULL}, **din = tg_walk_scratch(w, (size_t)node->n_in + SPARE, sizeof *din);
    for (int o = 0; din && o < node->n_out; o++)
        if (adjoints[o].value.data) dout[o] = tg_from_array(&adjoints[o].value);
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_rule_running = &call;
    const tg_callback c = tg_callback_begin();
    k->rule(node, dout, din);
    tg_status s = tg_callback_end(c, tg_error_status(), node->op->name);
    tg_rule_running = call.outer;
    if (s == TG_OK) s = check_spare(node, din);
    for (int i = 0; s == TG_OK && i < node->n_in; i++) s = take_given(k, w, node, i, din[i]);
    return s;
}

/* An error of the rule is its slip. Without memory nothing is graded. */
static tg_status try_rule(ruling *k, tg_walk *w, const tg_node *node, const tg_adjoint *adjoints, bool *failed) {
    const tg_mark before = tg_tape_mark();
    tg_status s = call_rule(k, w, node, adjoints);
    tg_tape_rewind(before);
    *failed = s != TG_OK;
    if (s == TG_OK || s == TG_ERR_MEMORY) return tg_error_status();
    if (!k->why[0]) snprintf(k->why, sizeof k->why, "%s", tg_error_message());
    tg_error_clear(); /* none was pending before */
    return TG_OK;
}

static void keep_first(ruling *k, const tg_node *node, int i, const tg_adjoint *adjoints,
                       const tg_slip_found *f) {
    if (k->node) return;
    k->node = node, k->i = i, k->found = *f;
    k->seen = (tg_seen){.n_parts = 1, .node = node};
    if (k->right[i].data) tg_array_share(&k->seen.sum, &k->right[i]);
    if (k->given[i].data) tg_array_share(&k->by_hand, &k->given[i]);
    for (int o = 0; o < node->n_out; o++) {
        if (!adjoints[o].value.data) continue;
        tg_array_share(&k->dout[o], &adjoints[o].value);
        if (o == 0) tg_array_share(&k->seen.dout, &adjoints[0].value);
    }
}

static tg_status compare(ruling *k, const tg_node *node, const tg_adjoint *adjoints, bool failed) {
    tg_grade_report *r = k->g.r;
    tg_status s = TG_OK;
    bool wrong = failed;
    tg_slip_found f = {.slip = TG_SLIP_FAILED, .element = -1, .factor = NAN};
    if (failed) r->wrong++, keep_first(k, node, 0, adjoints, &f);
    for (int i = 0; !failed && s == TG_OK && i < node->n_in; i++) {
        if (!k->right[i].data) continue;
        tg_seen seen = {.sum = k->right[i], .n_parts = 1, .node = node, .dout = adjoints[0].value};
        for (int o = 0; o < node->n_out; o++)
            seen.scale = fmax(seen.scale, tg_grading_largest(&adjoints[o].value));
        s = tg_slip_find(&seen, k->given[i].data ? &k->given[i] : NULL, &f);
        r->compared++, r->numbers += k->right[i].numel;
        if (s == TG_OK && f.slip != TG_SLIP_NONE)
            wrong = true, r->wrong++, keep_first(k, node, i, adjoints, &f);
    }
    k->wrong_nodes += wrong;
    return s;
}

static tg_status grade_node(ruling *k, tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    bool failed = false;
    k->right = tg_grading_arrays(node->n_in);
    k->given = k->right ? tg_grading_arrays(node->n_in) : NULL;
    tg_status s = k->given ? tg_grading_hear(&k->g, w, node, adjoints, hear) : tg_error_status();
    if (s == TG_OK) s = try_rule(k, w, node, adjoints, &failed);
    if (s == TG_OK) s = compare(k, node, adjoints, failed);
    tg_grading_drop(k->right, node->n_in);
    tg_grading_drop(k->given, node->n_in);
    k->nodes++;
    return s;
}

static tg_status take_step(tg_watcher *o, tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    ruling *k = (ruling *)(void *)o;
    tg_status s = TG_OK;
    if (tg_grading_is_own(&k->g, w) && strcmp(node->op->name, k->op) == 0)
        s = grade_node(k, w, node, adjoints);
    return s == TG_OK ? tg_step_plain(w, node, adjoints) : s;
}

/* ---- what comes of it ---- */

static void write_wrong(FILE *file, ruling *k) {
    char name[32];
    const tg_replay replay = {.loss = k->g.loss,
                              .node = k->node,
                              .i = k->i,
                              .dout = k->dout,
                              .s = tg_slot_peek(k->node->in[k->i]),
                              .element = k->found.element};
    if (k->found.slip == TG_SLIP_FAILED) {
        fprintf(file, "%s: the rule fails at ", k->op);
        tg_grading_write_node(file, k->node);
        fprintf(file, ": %s", k->why);
        k->g.r->slip = TG_SLIP_FAILED;
    } else {
        if (tg_trace_input_name(k->node->op, k->i, name, sizeof name))
            fprintf(file, "d%s, of ", name);
        else
            fprintf(file, "din[%d], of ", k->i);
        tg_grading_write_node(file, k->node);
        fputs(", ", file);
        tg_grading_tell(file, &k->g, &k->seen, k->by_hand.data ? &k->by_hand : NULL, &k->found, &replay);
    }
    if (k->nodes > 1)
        fprintf(file, " Of %" PRId64 " such nodes it is wrong at %" PRId64 ".", k->nodes, k->wrong_nodes);
}

static tg_status judge(ruling *k) {
    tg_grade_report *r = k->g.r;
    if (k->nodes == 0)
        return tg_fail(TG_ERR_ARGUMENT, "tg_grade_rule: the loss depends on no node of the op \"%.60s\"",
                       k->op);
    r->ok = !k->node;
    snprintf(r->op, sizeof r->op, "%s", k->node ? k->op : "");
    if (k->node) r->index = k->i, r->node = k->node->id;
    tg_writing text;
    if (!tg_writing_begin(&text)) return tg_fail_memory(sizeof r->message);
    if (k->node)
        write_wrong(text.file, k);
    else
        fprintf(text.file, "right: %s, at %" PRId64 " node%s, %" PRId64 " number%s", k->op, k->nodes,
                k->nodes == 1 ? "" : "s", r->numbers, r->numbers == 1 ? "" : "s");
    tg_writing_end(&text, r->message, sizeof r->message);
    return tg_error_status();
}

bool tg_grade_rule(tg_tensor *loss, const char *op, tg_grad_fn rule, tg_grade_report *report) {
    tg_grade_report own;
    ruling k = {.g = {.watcher = {.step = take_step}}, .op = op, .rule = rule};
    const tg_status pending = tg_error_status();
    const bool begun = tg_grading_begin(&k.g, "tg_grade_rule", loss, report ? report : &own);
    if (begun && (!op || !rule))
        tg_fail(TG_ERR_ARGUMENT, "tg_grade_rule: the %s is NULL", op ? "rule" : "op's name");
    else if (begun && tg_grading_walk(&k.g) == TG_OK)
        judge(&k);
    tg_seen_drop(&k.seen);
    tg_array_drop(&k.by_hand);
    for (int o = 0; o < TG_MAX_OUT; o++) tg_array_drop(&k.dout[o]);
    return pending == TG_OK && tg_grading_end(&k.g);
}

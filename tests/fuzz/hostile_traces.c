/* What traces and grades are made of: tables and series of tensors of all states, gradients by hand, and rules. */
#include "tests/fuzz/hostile.h"

static int some(void) { return bad() ? (int)monster() : (int)below(4); }

static const tg_trace_row *rows(void) {
    tg_trace_row *row = scratch(4 * sizeof *row);
    for (int i = 0; i < 4; i++)
        row[i] = (tg_trace_row){one_in(4) ? NULL : draw_text("name"), one_in(4) ? NULL : draw_text("formula"),
                                draw_tg_tensor_p("value")};
    return row;
}

static const tg_trace_series *series(void) {
    tg_trace_series *s = scratch(4 * sizeof *s);
    tg_tensor *line = draw_tg_tensor_p("line");
    for (int i = 0; i < 4; i++)
        s[i] = (tg_trace_series){one_in(4) ? NULL : draw_text("name"), one_in(2) ? NULL : line, line,
                                 one_in(2) ? NULL : draw_tg_tensor_p("dead")};
    return s;
}

tg_trace_seed *draw_tg_trace_seed_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_trace_seed *s = scratch(CAPACITY * sizeof *s);
    s[0] = (tg_trace_seed){draw_text("title"), some(), bad() ? NULL : rows()};
    if (s[0].n > 4) s[0].rows = NULL; /* nobody has so many */
    for (int i = 1; i < CAPACITY; i++) s[i] = s[0];
    return s;
}

tg_trace_flow *draw_tg_trace_flow_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_trace_flow *f = scratch(CAPACITY * sizeof *f);
    f[0] = (tg_trace_flow){draw_text("title"), some(), bad() ? NULL : series()};
    if (f[0].n > 4) f[0].series = NULL;
    for (int i = 1; i < CAPACITY; i++) f[i] = f[0];
    return f;
}

tg_by_hand *draw_tg_by_hand_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_by_hand *g = scratch(CAPACITY * sizeof *g);
    for (int i = 0; i < CAPACITY; i++) {
        g[i] = (tg_by_hand){NULL, i < 8 ? draw_tg_tensor_p("of") : g[i % 8].of, NULL};
        if (i < 8 && one_in(2)) g[i].name = draw_text("name");
        g[i].gradient = one_in(4) ? NULL : one_in(2) ? g[i].of : g[below(i + 1)].of;
    }
    return g;
}

tg_grade_report *draw_tg_grade_report_p(const char *name) {
    note(" %s", name);
    return bad() ? NULL : scratch(sizeof(tg_grade_report));
}

static void passes(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    for (int i = 0; i < node->n_in; i++)
        if (!one_in(8)) din[i] = one_in(4) && hostile_depth ? misbehave(dout, 1) : dout[0];
}
tg_grad_fn draw_tg_grad_fn(const char *name) {
    note(" %s", name);
    return bad() ? NULL : passes;
}

void own_tg_grade_rule(void) {
    static const char *const op[] = {"mul", "sum", "square", "mean", "sin", "hostile_op", "no such op"};
    tg_tensor *loss = draw_tg_tensor_p("loss");
    const char *name = bad() ? NULL : op[below(COUNT(op))];
    tg_grad_fn rule = draw_tg_grad_fn("rule");
    tg_grade_report *report = draw_tg_grade_report_p("report");
    note(" op=%s", name ? name : "NULL");
    call_begin();
    (void)tg_grade_rule(loss, name, rule, report);
    end_void();
}

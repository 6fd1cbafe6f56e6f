/* What ops say of themselves: each has a rule that names its inputs; and formula and rule, where they are expressions, are
 * computed (tests/ops/text) and held against the op's value and gradient, at the points of its samples and of its exact cases at
 * kinks, so that a text that lies fails. */
#include "tests/ops/cases.h"
#include "tests/ops/text/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The ops of which no expression is computed: they move elements, or go from step to step. A new op is to be computed, and
 * one that is no more in words leaves the list. */
static const char *const in_words[] = {"reshape",          "permute",          "slice",
                                       "slice_scatter",    "concat",           "pad",
                                       "diagonal",         "diagonal_scatter", "gather",
                                       "scatter_add",      "index_select",     "sort",
                                       "scatter",          "cumsum",           "cumprod",
                                       "linear_scan",      "cumprod_along",    "cumprod_adjoint",
                                       "triangular_solve", "conv2d",           "conv2d_input",
                                       "conv2d_weight",    "max_pool2d",       "avg_pool2d",
                                       "avg_pool2d_input", "unfold",           "fold",
                                       "rotary",           "lstm_scan",        "gru_scan",
                                       "rnn_scan"};
_Static_assert(COUNT(in_words) == 31, "an op more is in words: can its rule not be an expression?");

static bool is_in_words(const tg_op *op) {
    for (int i = 0; i < COUNT(in_words); i++)
        if (strcmp(op->name, in_words[i]) == 0) return true;
    return false;
}

/* The rule is an expression, and what it is the derivative of is said in words. */
static bool has_formula_in_words(const tg_op *op, scope *names) {
    return strcmp(op->name, "cholesky") == 0 ||
           (strcmp(op->name, "norm") == 0 && bound(names, "slope")->v[0] != 0);
}

/* Of an op of several outputs the first is an expression, and of these more are. */
static int outputs_computed(const tg_op *op) {
    static const struct {
        const char *op;
        int outputs;
    } row[] = {{"lstm_cell", 3}, {"slogdet", 2}, {"scaled_dot_product_attention", 2}};
    for (int i = 0; i < COUNT(row); i++)
        if (strcmp(op->name, row[i].op) == 0) return row[i].outputs;
    return 1;
}

static const tg_op *op_at(int i) {
    int n;
    return tg_op_table(&n)[i].op;
}

/* ---- the rule names what gets a gradient ---- */

/* Whether the name stands in the text by itself. */
static bool mentions(const char *text, const char *name) {
    size_t n = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
        bool begins = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (begins && !isalnum((unsigned char)at[n]) && at[n] != '_') return true;
    }
    return false;
}

START_TEST(every_gradient_is_said) {
    const tg_op *op = op_at(_i);
    if (!has_gradient(op)) {
        ck_assert_msg(!op->rule, "%s has no gradient, and a rule", op->name);
        return;
    }
    ck_assert_msg(op->rule, "%s has a gradient, and no rule says it", op->name);
    int expected = 0, said = 0;
    char left[64], name[NAME], before[NAME] = "";
    for (int i = 0; i < op->n_in; i++) expected += !(op->no_grad & TG_IN(i));
    for (; gradient_said(op->rule, said, left); said++) {
        input_named(left, name);
        ck_assert_msg(mentions(op->formula, name),
                      "%s: the rule is of \"%s\", of which the formula does not speak: %s", op->name, name,
                      op->formula);
        ck_assert_msg(strcmp(name, before) != 0, "%s: the rule says d%s twice", op->name, name);
        snprintf(before, sizeof before, "%s", name);
    }
    ck_assert_msg(op->n_in == TG_VARIADIC ? said > 0 : said == expected,
                  "%s: %d inputs get a gradient, and the rule says %d: %s", op->name, expected, said, op->rule);
}
END_TEST

/* ---- the texts are computed ---- */

/* The op again, on leaves of its own, so that each input's gradient is that of this use alone. */
typedef struct again {
    const tg_node *n;
    tg_tensor *out[TG_MAX_OUT], *dout[TG_MAX_OUT], *x[MAX_IN + 4], *dx[MAX_IN + 4];
    int input[MAX_IN + 4], count;
} again;

static bool apply_again(const tg_node *n, again *a) {
    tg_tensor *in[MAX_IN + 4] = {NULL}, *y[TG_MAX_OUT], *seed[TG_MAX_OUT];
    int outs = 0;
    *a = (again){0};
    for (int i = 0; i < n->n_in; i++) {
        if (!n->in[i]) continue;
        in[i] = tg_detach(n->in[i]);
        if (!tg_dtype_is_float(tg_dtype_of(in[i])) || n->op->no_grad & TG_IN(i)) continue;
        a->input[a->count] = i, a->x[a->count++] = tg_set_requires_grad(in[i], true);
    }
    if (tg_apply_multi(n->op, in, n->n_in, n->attr, a->out) != TG_OK || a->count == 0) return false;
    a->n = tg_node_of(a->out[0]);
    for (int o = 0; o < n->n_out; o++) {
        if (!tg_dtype_is_float(tg_dtype_of(a->out[o]))) continue;
        a->dout[o] = signed_seed(a->out[o], tg_dtype_of(a->out[o]), (uint64_t)o);
        y[outs] = a->out[o], seed[outs++] = a->dout[o];
    }
    return tg_grad(outs, y, a->count, a->x, a->dx, .seeds = seed, .retain = true, .allow_unused = true) ==
           TG_OK;
}

typedef struct tried {
    const char *formula, *rule, *end; /* end: of what was computed in the formula */
    int64_t values, gradients[16];    /* how many numbers have been compared */
    char message[400];                /* the first that differs */
} tried;

/* To 1e-9 of the element, or to what a long double that is no wider than a double, as Valgrind's is, loses where terms of 1
 * cancel. */
static void compare(tried *t, const again *a, const char *what, value said, const tg_tensor *is) {
    bool narrow =
        tg_dtype_of(is) == TG_F32 || tg_dtype_of(a->out[0]) == TG_F32 || tg_dtype_of(a->x[0]) == TG_F32;
    double rtol = narrow ? 1e-6 : 1e-9;
    for (int64_t k = 0; k < value_numel(said); k++)
        if (!t->message[0] && !close_to((double)said.v[k], tg_get(is, k), rtol, 1e-14))
            snprintf(t->message, sizeof t->message,
                     "%s: element %lld: the text makes it %.17g, the op %.17g: %s", what, (long long)k,
                     (double)said.v[k], tg_get(is, k), *what == 'd' ? t->rule : t->formula);
}

/* error: NULL or "": none */
static void note(tried *t, const char *error, const char *text) {
    if (error && *error && !t->message[0]) snprintf(t->message, sizeof t->message, "%s: %s", error, text);
}

static void try_formula(tried *t, const again *a, const scope *names) {
    scope s = *names;
    value v[TG_MAX_OUT];
    s.text = t->formula;
    t->values += tg_numel(a->out[0]);
    if (has_formula_in_words(a->n->op, &s)) return;
    int n = evaluate_first(&s, a->n->n_out, v, &t->end);
    note(t, s.error, t->formula);
    if (n != outputs_computed(a->n->op)) note(t, "not all outputs are computed", t->formula);
    for (int o = 0; o < n && !t->message[0]; o++)
        compare(t, a, "out", value_repeated(v[o], s.out[o]), a->out[o]);
    note(t, values_wrong(), t->formula);
}

static void try_rule(tried *t, const again *a, const scope *names) {
    for (int k = 0; k < a->count; k++) {
        scope s = *names;
        char left[64], name[NAME];
        int said = 0;
        for (int i = 0; i < a->input[k]; i++) said += !(a->n->op->no_grad & TG_IN(i));
        if (!gradient_said(t->rule, said, left)) return;
        input_named(left, name);
        s.text = t->rule;
        value v = evaluate(&s, left);
        note(t, s.error, t->rule);
        if (!t->message[0]) compare(t, a, left, value_fit(v, bound(&s, name)->shape), a->dx[k]);
        note(t, values_wrong(), t->rule);
        t->gradients[said] += tg_numel(a->dx[k]);
    }
}

static void try_node(tried *t, const tg_node *n) {
    static scope names;
    again a;
    if (not_computed(n)) return;
    tg_mark mark = tg_tape_mark();
    if (apply_again(n, &a)) {
        names = (scope){0};
        bind_node(&names, a.n, a.dout);
        try_formula(t, &a, &names);
        try_rule(t, &a, &names);
    }
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s", n->op->name, tg_error_message());
    values_forget();
    tg_tape_rewind(mark);
}

/* The nodes of this op that have been recorded since the mark. */
static void try_nodes(tried *t, const tg_op *op, int64_t from) {
    for (int64_t i = from, end = tg_tape_nodes(); i < end; i++)
        if (tg_tape_node(i)->op == op) try_node(t, tg_tape_node(i));
}

/* Records the gradient too, in which ops that are their own derivatives stand with other attributes. */
static void take_slope(tg_tensor *y, int n, tg_tensor **leaf) {
    tg_tensor *x[MAX_IN], *dx[MAX_IN];
    int count = 0;
    for (int i = 0; i < n; i++)
        if (tg_requires_grad(leaf[i])) x[count++] = leaf[i];
    if (count == 0 || !tg_requires_grad(y)) return;
    tg_tensor *seed = signed_seed(y, tg_dtype_of(y), 1);
    tg_grad(1, &y, count, x, dx, .seeds = &seed, .create_graph = true, .allow_unused = true);
}

static void try_samples(tried *t, const tg_op *op) {
    static const kind kinds[] = {K_PLAIN, K_SCALAR, K_LEFT, K_BOTH, K_REPEATED, K_STRIDED};
    for (int i = 0; i < n_samples(); i++) {
        if (op_of(find_call(sample_at(i)->call)) != op) continue;
        for (int k = 0; k < COUNT(kinds); k++) {
            trial one;
            tg_tensor *leaf[MAX_IN];
            tg_mark mark = tg_tape_mark();
            if (!trial_make(&one, sample_at(i), kinds[k] == K_PLAIN ? sample_at(i)->kind : kinds[k], 0))
                continue;
            int64_t from = tg_tape_nodes();
            trial_leaves(&one, TG_F64, true, leaf);
            take_slope(trial_run(&one, leaf), one.n_leaves, leaf);
            fail_if_error(&one, "text");
            try_nodes(t, op, from);
            tg_tape_rewind(mark);
        }
    }
}

/* Where the derivative is chosen, the texts say what was. */
static void try_kinks(tried *t, const tg_op *op) {
    for (int i = 0; i < n_conventions(); i++) {
        const convention *c = convention_at(i);
        if (c->kind != K_KINK || op_of(find_call(c->call)) != op) continue;
        tg_tensor *in[3] = {NULL};
        tg_mark mark = tg_tape_mark();
        for (int k = 0; k < 3; k++) {
            in[k] = c->in[k].rank < 0 ? in[0] : is_present(&c->in[k]) ? tensor_of(&c->in[k], TG_F64) : NULL;
            if (in[k] && tg_dtype_of(in[k]) == TG_F64) tg_set_requires_grad(in[k], true);
        }
        int64_t from = tg_tape_nodes();
        find_call(c->call)->fn(in, &c->arg);
        try_nodes(t, op, from);
        tg_tape_rewind(mark);
    }
}

static void try_op(tried *t, const tg_op *op) {
    try_samples(t, op);
    try_kinks(t, op);
}

START_TEST(texts_say_what_ops_do) {
    const tg_op *op = op_at(_i);
    tried t = {op->formula, op->rule, op->formula};
    if (!has_gradient(op) || is_in_words(op) || !chosen(op)) return;
    try_op(&t, op);
    ck_assert_msg(!t.message[0], "%s: %s", op->name, t.message);
    ck_assert_msg(t.values > 0, "%s: no text was computed", op->name);
    char left[64];
    for (int i = 0; gradient_said(op->rule, i, left); i++)
        ck_assert_msg(t.gradients[i] > 0, "%s: %s was never computed", op->name, left);
}
END_TEST

/* ---- texts that lie ---- */

/* Number k of the texts that differ from this one in a sign before `end`. False: there is none. */
static bool falsified(const char *text, const char *end, int k, char *out, size_t size) {
    static const char *const change[][2] = {{" + ", " - "},        {" - ", " + "},   {" * ", " / "},
                                            {" / ", " * "},        {" < ", " > "},   {" > ", " < "},
                                            {" <= ", " >= "},      {" >= ", " <= "}, {"= dout", "= -dout"},
                                            {"= -dout", "= dout"}, {"^T", ""},       {"dout", "out"}};
    for (int i = 0; i < COUNT(change); i++)
        for (const char *at = strstr(text, change[i][0]); at; at = strstr(at + 1, change[i][0])) {
            if ((end && at >= end) || k-- > 0) continue;
            snprintf(out, size, "%.*s%s%s", (int)(at - text), text, change[i][1], at + strlen(change[i][0]));
            return true;
        }
    return false;
}

/* Of norm: to divide by a sign is to multiply by it, where it is not 0. */
static const char as_true[] = "dout / sign(x) * |x / r|";

START_TEST(texts_that_lie_are_noticed) {
    const tg_op *op = op_at(_i);
    char lie[800];
    int lies = 0;
    if (!has_gradient(op) || is_in_words(op) || !chosen(op)) return;
    tried truth = {op->formula, op->rule, op->formula};
    try_op(&truth, op);
    for (int which = 0; which < 2; which++)
        for (int k = 0;
             falsified(which ? op->rule : op->formula, which ? NULL : truth.end, k, lie, sizeof lie); k++) {
            tried t = {which ? op->formula : lie, which ? lie : op->rule, lie};
            try_op(&t, op);
            ck_assert_msg(t.message[0] || strstr(lie, as_true), "%s: nothing tells this from the truth: %s",
                          op->name, lie);
            lies++;
        }
    ck_assert_msg(lies > 0 || strcmp(op->rule, "dx = 0") == 0, "%s: no lie was told: %s", op->name, op->rule);
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_texts(void) {
    TCase *t = tcase_create("texts");
    int n;
    tg_op_table(&n);
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, every_gradient_is_said, 0, n);
    tcase_add_loop_test(t, texts_say_what_ops_do, 0, n);
    tcase_add_loop_test(t, texts_that_lie_are_noticed, 0, n);
    return t;
}

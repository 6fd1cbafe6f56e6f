/* The finite check: what is looked at, and what is raised. */
#include "autograd/blame/blame.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

_Thread_local TG_HOT tg_finite_check tg_checking;

/* ---- gradients: the rule that makes the first one ---- */

/* ": inf at [5, 2], of sqrt(0) and the gradient 1 of its result" */
static void write_gradient(FILE *file, const tg_contribution *c) {
    const tg_node *node = c->node;
    const int64_t i = tg_first_of_kind(c->g, TG_NAN | TG_INFINITE);
    const tg_array *dout = c->dout[0];
    fputs(": ", file);
    tg_print_number(file, tg_array_get(c->g, i));
    fputs(" at ", file);
    tg_write_position(file, c->g, i);
    if (!node->op->elementwise || !dout || !dout->data || !tg_array_same_shape(c->g, dout)) return;
    fputs(", of ", file);
    tg_write_operands(file, node->op, node->in, node->n_in, dout, i);
    fputs(" and the gradient ", file);
    tg_print_number(file, tg_array_get(dout, i));
    fputs(" of its result", file);
}

static void write_culprit(FILE *file, const tg_contribution *c) {
    char text[160];
    fputs("the first gradient that is not finite is made by the rule of ", file);
    tg_write_node(file, c->node->id);
    fputs(", for ", file);
    if (c->slot->node)
        tg_write_node(file, c->slot->node->id);
    else
        fputs(tg_describe(tg_handle(c->slot), text, sizeof text), file);
    write_gradient(file, c);
}

static bool is_bad(const tg_array *g) { return g && g->data && tg_kind_of_array(g) != TG_FINITE; }

/* The walk goes on, so that nothing has to be raised. */
static tg_status find(tg_watcher *o, const tg_contribution *c) {
    tg_finder *f = (tg_finder *)(void *)o;
    if (f->found || !is_bad(c->g)) return TG_OK;
    f->found = true;
    if (f->file) write_culprit(f->file, c);
    return TG_OK;
}

tg_finder tg_finder_of(FILE *file) { return (tg_finder){{.contributed = find, .apart = true}, file, false}; }

/* ---- at each op ---- */

#define SENTENCE 2048

/* Adjoints were finite before, and all gradients that come in. */
static tg_status refuse(tg_watcher *o, const tg_contribution *c) {
    (void)o;
    char text[SENTENCE];
    for (int k = 0; k < c->node->n_out; k++)
        if (is_bad(c->dout[k]))
            return tg_fail(
                TG_ERR_ARGUMENT,
                "backward: the gradient of %s is not finite before any rule: a hook made it, or the seed",
                tg_describe(c->node->out[k], text, 160));
    if (!is_bad(c->g)) return TG_OK;
    tg_writing w;
    if (tg_writing_begin(&w)) write_culprit(w.file, c);
    tg_writing_end(&w, text, sizeof text);
    return tg_fail(TG_ERR_ARGUMENT, "%s: %s", c->node->op->name, text);
}

static tg_watcher own = {.contributed = refuse};

tg_status tg_check_applied(const tg_op *op, tg_tensor *const *in, int n_in, tg_slot *const *out) {
    const int n_out = op->n_out ? op->n_out : 1;
    int o = 0;
    if (tg_checking != TG_FINITE_AT_EACH_OP || tg_rule_running)
        return TG_OK; /* a rule is looked at as a whole */
    while (o < n_out && !(out[o]->a.data && tg_kind_of_array(&out[o]->a) & TG_NAN)) o++;
    if (o == n_out) return TG_OK;
    for (int k = 0; k < n_in; k++)
        if (in[k] && tg_kind_of_tensor(in[k]) & TG_NAN) return TG_OK;
    char text[SENTENCE], operand[160];
    tg_writing w;
    if (tg_writing_begin(&w)) {
        fputs("makes a NaN of", w.file);
        for (int k = 0; k < n_in; k++)
            fprintf(w.file, "%s %s", k ? "," : "",
                    in[k] ? tg_describe(in[k], operand, sizeof operand) : "none");
        tg_write_values(w.file, &(tg_blamed){op, in, n_in, &out[o]->a, tg_first_of_kind(&out[o]->a, TG_NAN)});
    }
    tg_writing_end(&w, text, sizeof text);
    return tg_fail(TG_ERR_ARGUMENT, "%s: %s", op->name, text);
}

/* ---- at backward ---- */

tg_status tg_check_output(const char *who, const tg_slot *out) {
    if (out->a.numel != 1 || !out->a.data || tg_array_is_finite(&out->a)) return TG_OK;
    char text[SENTENCE];
    tg_writing w;
    if (tg_writing_begin(&w)) tg_write_origin(w.file, out);
    tg_writing_end(&w, text, sizeof text);
    return tg_fail(TG_ERR_ARGUMENT, "%s: the loss is %s: %s", who,
                   isnan(tg_array_get(&out->a, 0)) ? "NaN" : "infinite", text);
}

/* The sentence about the culprit, or why there is none. */
static void explain(const tg_rewalk *r, char *text, size_t n) {
    tg_writing w;
    tg_array none = {0};
    tg_finder finder = tg_finder_of(tg_writing_begin(&w));
    tg_status s = tg_walk_again(r, &finder.watcher, &none);
    if (!finder.found && w.file)
        fputs(s == TG_OK ? "no rule made one, so that a hook, or the seed, must have"
                         : "which rule made it cannot be seen any more: ",
              w.file);
    if (!finder.found && w.file && s != TG_OK) fputs(tg_error_message(), w.file);
    tg_error_clear(); /* none was pending before */
    tg_writing_end(&w, text, n);
}

tg_status tg_check_gradient(const char *who, const tg_rewalk *of_walk, const tg_slot *of, const tg_array *g) {
    char text[SENTENCE], name[160];
    if (!is_bad(g)) return TG_OK;
    explain(of_walk, text, sizeof text);
    return tg_fail(TG_ERR_ARGUMENT, "%s: the gradient of %s is not finite: %s", who,
                   tg_describe(tg_handle(of), name, sizeof name), text);
}

/* ---- on and off ---- */

static void set(tg_finite_check check) {
    tg_checking = check;
    tg_watching = check == TG_FINITE_AT_EACH_OP ? &own : NULL;
    tg_watched =
        (tg_watched & ~(unsigned)TG_WATCH_ELEMENTS) | (check == TG_FINITE_AT_EACH_OP ? TG_WATCH_ELEMENTS : 0);
}

void tg_finite_check_begin(void) {
    static atomic_int standard = -1; /* -1: the environment has not been asked yet */
    int check = atomic_load_explicit(&standard, memory_order_relaxed);
    if (check < 0) {
        const char *text = getenv("TG_FINITE_CHECK");
        check = text && (text[0] == '1' || text[0] == '2') && !text[1] ? text[0] - '0' : TG_FINITE_OFF;
        atomic_store(&standard, check);
    }
    if (check) set((tg_finite_check)check);
}

tg_finite_check tg_set_finite_check(tg_finite_check check) {
    tg_tape_get(); /* with which the environment is asked */
    const tg_finite_check was = tg_checking;
    if ((unsigned)check > TG_FINITE_AT_EACH_OP)
        tg_fail(TG_ERR_ARGUMENT, "tg_set_finite_check: %d is no check", (int)check);
    else
        set(check);
    return was;
}

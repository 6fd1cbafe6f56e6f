/* The tape as text. */
#include "autograd/tape_private.h"
#include "core/work.h"

#include <inttypes.h>
#include <math.h>

bool tg_attr_field_is_sound(const tg_attr_field *f, size_t size) {
    static const size_t bytes[] = {sizeof(int64_t),  sizeof(double),   sizeof(bool),
                                   sizeof(tg_shape), sizeof(tg_dtype), sizeof(char *)};
    return f->name && (unsigned)f->type <= TG_ATTR_NAME && f->offset <= size &&
           bytes[f->type] <= size - f->offset;
}

static void print_name(FILE *file, const char *name) { fputs(name ? name : "NULL", file); }

static void print_value(FILE *file, tg_attr_type type, const void *p) {
    char text[128];
    switch (type) {
    case TG_ATTR_INT:
        fprintf(file, "%" PRId64, *(const int64_t *)p);
        break;
    case TG_ATTR_REAL:
        fprintf(file, "%g", *(const double *)p);
        break;
    case TG_ATTR_BOOL:
        fputs(*(const bool *)p ? "true" : "false", file);
        break;
    case TG_ATTR_DIMS:
        fputs(tg_shape_text(*(const tg_shape *)p, text, sizeof text), file);
        break;
    case TG_ATTR_DTYPE:
        fputs(tg_dtype_name(*(const tg_dtype *)p), file);
        break;
    case TG_ATTR_NAME:
        print_name(file, *(const char *const *)p);
        break;
    }
}

static void print_input(FILE *file, const tg_tensor *t) {
    const tg_slot *s = tg_slot_peek(t);
    char text[160];
    if (!t)
        fputs("none", file);
    else if (!s)
        fputs("freed", file);
    else if (s->node)
        fprintf(file, "#%" PRId32 " %s%s%s", s->node->id, tg_slot_name(s) ? tg_slot_name(s) : "",
                tg_slot_name(s) ? " " : "", tg_shape_text(tg_array_shape(&s->a), text, sizeof text));
    else
        fputs(tg_describe(t, text, sizeof text), file);
}

static void print_node(FILE *file, const tg_node *n) {
    fprintf(file, "#%" PRId32 " %s(", n->id, n->op->name);
    for (int i = 0; i < n->n_in; i++) {
        if (i) fputs(", ", file);
        print_input(file, n->in[i]);
    }
    for (int i = 0; n->op->attrs && i < n->op->n_attrs; i++) {
        const tg_attr_field *f = &n->op->attrs[i];
        if (!tg_attr_field_is_sound(f, n->op->attr_size)) continue;
        fprintf(file, ", %s=", f->name);
        print_value(file, f->type, (const char *)n->attr + f->offset);
    }
    fputs(") ->", file);
    char text[160];
    for (int o = 0; o < n->n_out; o++)
        fprintf(file, "%s %s", o ? "," : "", tg_describe(n->out[o], text, sizeof text));
    const tg_slot *s = tg_slot_peek(n->out[0]);
    const tg_maker *m = s ? tg_slot_maker(s) : NULL;
    if (m && m->file) fprintf(file, "   %s:%d", tg_base_name(m->file), m->line);
    fputc('\n', file);
}

/* ---- values ---- */

void tg_print_number(FILE *file, double v) { isnan(v) ? fputs("nan", file) : fprintf(file, "%.6g", v); }

static void print_elements(FILE *file, const tg_array *a, int most) {
    int64_t nan = 0, infinite = 0;
    double lo = INFINITY, hi = -INFINITY;
    const int64_t shown = a->numel <= most ? a->numel : most < 4 ? most : 4;
    for (int64_t i = 0; i < shown; i++) {
        if (i) fputs(", ", file);
        tg_print_number(file, tg_array_get(a, i));
    }
    if (shown == a->numel) return;
    for (int64_t i = 0; i < a->numel; i++) {
        double v = tg_array_get(a, i);
        nan += isnan(v) != 0, infinite += isinf(v) != 0;
        if (isfinite(v)) lo = fmin(lo, v), hi = fmax(hi, v);
    }
    fprintf(file, "%s.. of %" PRId64, shown ? ", " : "", a->numel);
    if (lo <= hi) fprintf(file, ", from %.6g to %.6g", lo, hi);
    if (nan) fprintf(file, ", %" PRId64 " NaN", nan);
    if (infinite) fprintf(file, ", %" PRId64 " infinite", infinite);
}

static void print_values(FILE *file, const tg_node *n, int most) {
    for (int o = 0; o < n->n_out; o++) {
        const tg_slot *s = tg_slot_peek(n->out[o]);
        fputs("     = ", file);
        if (!s || !s->a.data)
            fputs("dropped", file);
        else if (s->a.numel == 0)
            fputs("empty", file);
        else
            print_elements(file, &s->a, most);
        fputc('\n', file);
    }
}

static void print_rule(FILE *file, const tg_op *op) {
    fprintf(file, "     %s\n", op->rule ? op->rule : "a gradient of which the op says nothing");
}

void tg_tape_print_with(FILE *file, tg_mark mark, tg_tape_print_opts opts) {
    tg_tape *tape = tg_tape_get();
    if (!file) tg_fail(TG_ERR_ARGUMENT, "tg_tape_print: the file is NULL");
    if (opts.most < 0) tg_fail(TG_ERR_ARGUMENT, "tg_tape_print: .most is %d", opts.most);
    if (!file || !tape || opts.most < 0) return;
    if (!tg_mark_is_genuine(&mark) || mark.tape != tape || mark.serial != tape->serial) {
        tg_fail(
            TG_ERR_TAPE,
            "tg_tape_print: the mark is not one that tg_tape_mark gave, or it belongs to another tape than the current one");
        return;
    }
    if (opts.values && !tg_may_do("tg_tape_print")) return;
    for (int64_t i = mark.nodes; i < tape->n_nodes; i++) {
        print_node(file, tg_node_at(tape, i));
        if (opts.values) print_values(file, tg_node_at(tape, i), opts.most ? opts.most : 8);
        if (opts.rules) print_rule(file, tg_node_at(tape, i)->op);
    }
}

void tg_tape_print_node(FILE *file, int64_t i) {
    const tg_node *node = tg_tape_node(i);
    if (!file)
        tg_fail(TG_ERR_ARGUMENT, "tg_tape_print_node: the file is NULL");
    else if (!node)
        tg_fail(TG_ERR_ARGUMENT, "tg_tape_print_node: node %" PRId64 " is none of the %" PRId64 " on the tape",
                i, tg_tape_nodes());
    else
        print_node(file, node);
}

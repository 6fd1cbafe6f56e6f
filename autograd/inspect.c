/* The tape as text. */
#include "autograd/tape_private.h"

#include <inttypes.h>

/* Whether the field lies within its struct. */
static bool is_sound(const tg_attr_field *f, size_t size) {
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
        fprintf(file, "#%" PRId32 " %s", s->node->id, tg_shape_text(tg_array_shape(&s->a), text, sizeof text));
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
        if (!is_sound(f, n->op->attr_size)) continue;
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

void tg_tape_print(FILE *file, tg_mark mark) {
    tg_tape *tape = tg_tape_get();
    if (!file) tg_fail(TG_ERR_ARGUMENT, "tg_tape_print: the file is NULL");
    if (!file || !tape) return;
    if (!tg_mark_is_genuine(&mark) || mark.tape != tape || mark.serial != tape->serial) {
        tg_fail(
            TG_ERR_TAPE,
            "tg_tape_print: the mark is not one that tg_tape_mark gave, or it belongs to another tape than the current one");
        return;
    }
    for (int64_t i = mark.nodes; i < tape->n_nodes; i++) print_node(file, tg_node_at(tape, i));
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

/* The tape as text. */
#include "autograd/tape_private.h"

#include <inttypes.h>

static void print_value(FILE *file, tg_attr_type type, const void *p) {
    char text[128];
    switch (type) {
    case TG_ATTR_INT: fprintf(file, "%" PRId64, *(const int64_t *)p); break;
    case TG_ATTR_REAL: fprintf(file, "%g", *(const double *)p); break;
    case TG_ATTR_BOOL: fputs(*(const bool *)p ? "true" : "false", file); break;
    case TG_ATTR_DIMS: fputs(tg_shape_text(*(const tg_shape *)p, text, sizeof text), file); break;
    case TG_ATTR_DTYPE: fputs(tg_dtype_name(*(const tg_dtype *)p), file); break;
    case TG_ATTR_NAME: fputs(*(const char *const *)p, file); break;
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
        fprintf(file, "#%" PRId64 " %s", s->node->id, tg_shape_text(tg_array_shape(&s->a), text, sizeof text));
    else
        fputs(tg_describe(t, text, sizeof text), file);
}

static void print_node(FILE *file, const tg_node *n) {
    fprintf(file, "#%" PRId64 " %s(", n->id, n->op->name);
    for (int i = 0; i < n->n_in; i++) {
        if (i) fputs(", ", file);
        print_input(file, n->in[i]);
    }
    for (int i = 0; i < n->op->n_attrs; i++) {
        const tg_attr_field *f = &n->op->attrs[i];
        fprintf(file, ", %s=", f->name);
        print_value(file, f->type, (const char *)n->attr + f->offset);
    }
    fputs(") ->", file);
    char text[160];
    for (int o = 0; o < n->n_out; o++)
        fprintf(file, "%s %s", o ? "," : "", tg_describe(n->out[o], text, sizeof text));
    const tg_slot *s = tg_slot_peek(n->out[0]);
    if (s && s->maker.file) fprintf(file, "   %s:%d", tg_base_name(s->maker.file), s->maker.line);
    fputc('\n', file);
}

void tg_tape_print(FILE *file, tg_mark mark) {
    if (!file) {
        tg_fail(TG_ERR_ARGUMENT, "tg_tape_print: the file is NULL");
        return;
    }
    for (int64_t i = mark.nodes; i < tg_tape_nodes(); i++) print_node(file, tg_tape_node(i));
}

/* What is written about a culprit: the node, the element, and the values that it was made of. */
#include "autograd/blame/blame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

FILE *tg_writing_begin(tg_writing *w) {
    *w = (tg_writing){NULL, NULL, 0};
    return w->file = open_memstream(&w->whole, &w->size);
}

void tg_writing_end(tg_writing *w, char *text, size_t n) {
    if (w->file) fclose(w->file);
    if (n) snprintf(text, n, "%s", w->file && w->whole ? w->whole : "");
    free(w->whole);
}

void tg_write_node(FILE *file, int64_t id) {
    char *line = NULL;
    size_t size = 0;
    FILE *one = open_memstream(&line, &size);
    if (!one) return;
    tg_tape_print_node(one, id);
    fclose(one);
    if (line) fprintf(file, "%.*s", (int)strcspn(line, "\n"), line);
    free(line);
}

void tg_write_position(FILE *file, const tg_array *a, int64_t i) {
    char text[160];
    fputs(tg_shape_text(tg_shape_position(tg_array_shape(a), i), text, sizeof text), file);
}

void tg_write_maker(FILE *file, const tg_slot *s) {
    const tg_maker *m = tg_slot_maker(s);
    fputs(m->op, file);
    if (m->file) fprintf(file, " at %.100s:%d", tg_base_name(m->file), m->line);
}

void tg_write_operands(FILE *file, const tg_op *op, tg_tensor *const *in, int n_in, const tg_array *out,
                       int64_t i) {
    fprintf(file, "%s(", op->name);
    for (int k = 0; k < n_in; k++) {
        const tg_array *x = tg_elements_there(in[k]);
        if (k) fputs(", ", file);
        if (x)
            tg_print_number(file, tg_array_get(x, tg_broadcast_position(x, out, i)));
        else
            fputs(in[k] ? "gone" : "none", file);
    }
    fputc(')', file);
}

static void write_element(FILE *file, const tg_blamed *b) {
    fputs(": ", file);
    tg_write_operands(file, b->op, b->in, b->n_in, b->out, b->i);
    fputs(" at ", file);
    tg_write_position(file, b->out, b->i);
}

static void write_ranges(FILE *file, const tg_blamed *b) {
    fputs(": its first at ", file);
    tg_write_position(file, b->out, b->i);
    for (int k = 0, said = 0; k < b->n_in; k++) {
        const tg_array *x = tg_elements_there(b->in[k]);
        tg_range r = {0};
        for (int64_t i = 0; x && tg_dtype_is_float((tg_dtype)x->dtype) && i < x->numel; i++)
            tg_range_add(&r, tg_array_get(x, i));
        if (r.any) fprintf(file, "%s input %d is from %.6g to %.6g", said++ ? "," : ", where", k, r.lo, r.hi);
    }
}

void tg_write_values(FILE *file, const tg_blamed *b) {
    if (b->op->elementwise)
        write_element(file, b);
    else
        write_ranges(file, b);
    int gone = 0;
    for (int k = 0; k < b->n_in; k++) gone += b->in[k] && !tg_elements_there(b->in[k]);
    if (gone)
        fprintf(file,
                "; %d of its inputs have been dropped since (tg_drop_elements), so that it may have come by them",
                gone);
}

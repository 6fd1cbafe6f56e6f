/* The op reference, docs/ops.md, as the table of ops has it. */
#include "tests/ops/harness.h"

#include <stdlib.h>
#include <string.h>

static int rows_of(const tg_op *op) {
    int n = 0;
    for (int i = 0; i < n_samples(); i++) n += op_of(find_call(sample_at(i)->call)) == op;
    return n;
}

static void print_attributes(FILE *f, const tg_op *op) {
    static const char *const types[] = {"integer", "real", "bool", "sizes", "dtype", "name"};
    for (int i = 0; i < op->n_attrs; i++)
        fprintf(f, "%s`%s` (%s)", i ? ", " : "", op->attrs[i].name, types[op->attrs[i].type]);
    if (op->n_attrs == 0) fputs("none", f);
}

static void print_saved(FILE *f, const tg_op *op) {
    const char *comma = "";
    for (int i = 0; i < 16; i++) {
        if (!(op->save & TG_IN(i))) continue;
        fprintf(f, "%sinput %d", comma, i);
        comma = ", ";
    }
    for (int o = 0; o < TG_MAX_OUT; o++) {
        if (!(op->save & TG_OUT(o))) continue;
        fprintf(f, "%soutput %d", comma, o);
        comma = ", ";
    }
    if (!*comma) fputs("nothing", f);
}

static void print_op(FILE *f, const tg_op *op) {
    fprintf(f, "### %s\n\n    %s\n\n", op->name, op->formula);
    fputs("- inputs: ", f);
    if (op->n_in == TG_VARIADIC)
        fputs("any number", f);
    else
        fprintf(f, "%d", op->n_in);
    for (int i = 0; i < 16 && i < op->n_in; i++) {
        if (op->no_grad & TG_IN(i)) fprintf(f, "; no gradient to input %d", i);
        if (op->optional & TG_IN(i)) fprintf(f, "; input %d may be NULL", i);
    }
    fprintf(f, "\n- outputs: %d\n- attributes: ", op->n_out ? op->n_out : 1);
    print_attributes(f, op);
    if (has_gradient(op)) {
        fprintf(f, "\n- gradient: any order%s",
                op->grad_kernel ? "; fused form for walks that are not recorded" : "");
        fprintf(f, "\n- saved for it: ");
        print_saved(f, op);
        if (op->kink) fprintf(f, "\n- where there is no derivative: %s", op->kink);
    } else {
        fputs("\n- gradient: none", f);
    }
    fprintf(f, "\n- rows of samples: %d\n\n", rows_of(op));
}

/* ---- functions that are no primitives: what the public headers declare besides ---- */

#define DECLARES "TG_API tg_tensor *tg_"

/* The next function of a header from `at` on that returns a tensor; its name goes to name[64]. NULL: no more. */
static const char *next_function(const char *at, char *name) {
    at = strstr(at, DECLARES);
    if (!at) return NULL;
    at += strlen(DECLARES);
    size_t n = strcspn(at, "(");
    snprintf(name, 64, "%.*s", (int)(n < 63 ? n : 63), at);
    return at + n;
}

static void print_compositions_of(FILE *f, const char *header) {
    char name[64], *text = read_source_file(header);
    for (const char *at = text; at && (at = next_function(at, name));) {
        const call *c = find_call(name);
        if (tg_op_find(name)) continue;
        fprintf(f, "| `tg_%s` | `%s` | ", name, header);
        fprintf(f, c ? "`%s` |\n" : "%s |\n", c ? c->op : "");
    }
    free(text);
}

/* The headers are those that the umbrella header includes. */
static void print_compositions(FILE *f) {
    fputs("## Compositions and shorthands\n\n"
          "What else the headers offer is made of the primitives above, because that costs no speed or accuracy that "
          "matters,\nor makes a tensor without history. The last column is the primitive that does most of the work, "
          "and under which\nthe function is tested, where that is by rows of samples.\n\n"
          "| function | header | mainly |\n|---|---|---|\n",
          f);
    char *text = read_source_file("ops/tapegrad.h"), header[64];
    for (char *at = text; at && (at = strstr(at, "#include \"ops/"));) {
        at += strlen("#include \"");
        snprintf(header, sizeof header, "%.*s", (int)strcspn(at, "\""), at);
        print_compositions_of(f, header);
    }
    free(text);
}

void print_op_reference(FILE *f) {
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    fputs("# The ops\n\n", f);
    fprintf(f,
            "The %d primitives of `ops/ops.def`, one section a file, and at the end the functions that are made "
            "of them. The public\n"
            "functions are in the headers of the same room. This page is printed by "
            "`test_ops --reference`;\n"
            "a test fails when it is out of date.\n\n",
            n);
    for (int i = 0; i < n; i++) {
        if (i == 0 || strcmp(table[i].file, table[i - 1].file) != 0)
            fprintf(f, "## %s/%s\n\n", table[i].room, table[i].file);
        print_op(f, table[i].op);
    }
    print_compositions(f);
}

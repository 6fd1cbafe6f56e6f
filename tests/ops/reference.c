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

/* ---- where an op's function is declared ---- */

typedef struct declaration {
    const char *op;
    char header[64], line[400]; /* "": the op has no function of its name */
} declaration;

static void see_declaration(void *context, const char *header, const char *line) {
    declaration *d = context;
    const char *at = strstr(line, "tg_");
    size_t n = strlen(d->op);
    while (at && !(strncmp(at + 3, d->op, n) == 0 && at[3 + n] == '(')) at = strstr(at + 1, "tg_");
    if (!at || *d->line || (strchr(line, '(') && at > strchr(line, '('))) return;
    snprintf(d->header, sizeof d->header, "%s", header);
    snprintf(d->line, sizeof d->line, "%s", line);
}

static void print_declaration(FILE *f, const tg_op *op) {
    declaration d = {.op = op->name};
    each_prototype(see_declaration, &d);
    if (*d.line) fprintf(f, "- function: `%s` (`%s`)\n", d.line, d.header);
}

static void print_op(FILE *f, const tg_op *op) {
    fprintf(f, "### %s\n\n    %s\n\n", op->name, op->formula);
    print_declaration(f, op);
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

/* ---- functions that are no primitives: what the headers of ops/ declare besides ---- */

static void print_composition(void *context, const char *header, const char *line) {
    static const char returns[] = "tg_tensor *tg_";
    char name[64];
    if (strncmp(header, "ops/", 4) != 0 || strncmp(line, returns, strlen(returns)) != 0) return;
    line += strlen(returns);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "("), line);
    const call *c = find_call(name);
    if (tg_op_find(name)) return;
    fprintf(context, "| `tg_%s` | `%s` | ", name, header);
    fprintf(context, c ? "`%s` |\n" : "%s |\n", c ? c->op : "");
}

static void print_compositions(FILE *f) {
    fputs("## Compositions and shorthands\n\n"
          "What else the headers offer is made of the primitives above, because that costs no speed or accuracy that "
          "matters,\nor makes a tensor without history. The last column is the primitive that does most of the work, "
          "and under which\nthe function is tested, where that is by rows of samples. Prototypes of all functions are in "
          "[functions.md](functions.md).\n\n"
          "| function | header | mainly |\n|---|---|---|\n",
          f);
    each_prototype(print_composition, f);
}

void print_op_reference(FILE *f) {
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    fputs("# The ops\n\n", f);
    fprintf(f,
            "The %d primitives of `ops/ops.def`, one section a file, and at the end the functions that are made "
            "of them. All\nprototypes are in [functions.md](functions.md). This page is printed by `test_ops --reference`; a "
            "test fails when it is out of\ndate.\n\n",
            n);
    for (int i = 0; i < n; i++) {
        if (i == 0 || strcmp(table[i].file, table[i - 1].file) != 0)
            fprintf(f, "## %s/%s\n\n", table[i].room, table[i].file);
        print_op(f, table[i].op);
    }
    print_compositions(f);
}

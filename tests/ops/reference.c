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

static char *declaration[400]; /* by op: "- function: .."; NULL: none has its name */

/* "sum" of "tg_tensor *tg_sum_with(tg_tensor *x, ..": what stands before the first parenthesis, without what says how
 * its arguments are given. */
static void name_of(const char *from, char name[64]) {
    int n = (int)strcspn(from, "(");
    if (n > 5 && strncmp(from + n - 5, "_with", 5) == 0) n -= 5;
    snprintf(name, 64, "%.*s", n, from);
}

static void see_declaration(void *context, const char *header, const char *line) {
    size_t n = strcspn(line, "(");
    (void)context;
    for (size_t i = 0; i < n; i++) {
        char name[64];
        if (strncmp(line + i, "tg_", 3) != 0 || (i && line[i - 1] != '*' && line[i - 1] != ' ')) continue;
        name_of(line + i + 3, name);
        const tg_op *op = tg_op_find(name);
        int k = op ? op_index(op) : -1;
        if (k < 0 || k >= COUNT(declaration) || declaration[k]) continue;
        size_t size = strlen(line) + strlen(header) + 32;
        declaration[k] = malloc(size);
        if (declaration[k]) snprintf(declaration[k], size, "- function: `%s` (`%s`)\n", line, header);
    }
}

static void print_op(FILE *f, const tg_op *op) {
    char **declared = &declaration[op_index(op)];
    fprintf(f, "### %s\n\n    %s\n\n", op->name, op->formula);
    if (*declared) fputs(*declared, f);
    free(*declared);
    *declared = NULL;
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
        fprintf(f, "\n- gradient: `%s`\n- derivatives: any order%s", op->rule,
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
    if (strncmp(header, "ops/", 4) != 0 || strcmp(header, "ops/calls.h") == 0 ||
        strncmp(line, returns, strlen(returns)) != 0)
        return;
    line += strlen(returns);
    name_of(line, name);
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
    each_prototype(see_declaration, NULL);
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

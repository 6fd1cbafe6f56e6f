/* What things are called: attributes of nodes, tensors in formulas and rules, and labels of tensors. */
#include "autograd/trace/write.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

void tg_trace_attribute(char *text, size_t n, const tg_node *node, const tg_attr_field *f) {
    const void *p = (const char *)node->attr + f->offset;
    const char *name = NULL;
    switch (f->type) {
    case TG_ATTR_INT:
        snprintf(text, n, "%" PRId64, *(const int64_t *)p);
        return;
    case TG_ATTR_REAL:
        snprintf(text, n, "%g", *(const double *)p);
        return;
    case TG_ATTR_DIMS:
        tg_shape_text(*(const tg_shape *)p, text, n);
        return;
    case TG_ATTR_BOOL:
        name = *(const bool *)p ? "true" : "false";
        break;
    case TG_ATTR_DTYPE:
        name = tg_dtype_name(*(const tg_dtype *)p);
        break;
    case TG_ATTR_NAME:
        name = *(const char *const *)p;
        break;
    }
    snprintf(text, n, "%s", name ? name : "NULL");
}

/* ---- names in formulas ---- */

/* Copies the word at p, and returns what is behind it and an index in brackets; NULL: there is none. */
static const char *read_word(const char *p, char *text, size_t n) {
    size_t k = 0;
    while (isalnum((unsigned char)*p) || *p == '_' || *p == '\'') {
        if (k + 1 < n) text[k++] = *p;
        p++;
    }
    text[k] = '\0';
    if (k == 0) return NULL;
    if (*p != '[') return p;
    p = strchr(p, ']');
    return p ? p + 1 : NULL;
}

static const char *next_clause(const char *p) {
    p = strstr(p, "; ");
    return p ? p + 2 : NULL;
}

/* Assignment `which` to a gradient in the rule, "dx", in `text`; which < 0: none. Returns how many there are. One that follows
 * another to the same name belongs to it. */
static int read_rule(const char *rule, int which, char *text, size_t n) {
    char word[32], last[32] = "";
    int count = 0;
    for (const char *p = rule; p; p = next_clause(p)) {
        const char *behind = read_word(p, word, sizeof word);
        if (!behind || word[0] != 'd' || !word[1] || strncmp(behind, " =", 2) != 0) continue;
        if (strcmp(word, last) == 0) continue;
        if (count++ == which) snprintf(text, n, "%s", word + 1);
        snprintf(last, sizeof last, "%s", word);
    }
    return count;
}

bool tg_trace_input_name(const tg_op *op, int k, char *text, size_t n) {
    if (!op->rule || op->n_in < 1) return false;
    int with = 0, which = -1;
    for (int i = 0; i < op->n_in; i++) {
        if (i == k && !(op->no_grad & TG_IN(i))) which = with;
        with += !(op->no_grad & TG_IN(i));
    }
    return which >= 0 && read_rule(op->rule, which, text, n) == with;
}

bool tg_trace_output_name(const tg_op *op, int k, char *text, size_t n) {
    const int outs = op->n_out ? op->n_out : 1;
    const char *p = op->formula;
    bool found = false;
    for (int i = 0; p && i < outs; i++) {
        char word[32];
        if (!(p = read_word(p, word, sizeof word))) break;
        if (i == k) snprintf(text, n, "%s", word), found = true;
        if (strncmp(p, ", ", 2) == 0 && i + 1 < outs) p += 2;
    }
    if (found && p && strncmp(p, " =", 2) == 0) return true;
    snprintf(text, n, "out");
    return outs == 1;
}

/* ---- labels ---- */

void tg_trace_label(const tg_trace *t, int tensor, char *text, size_t n) {
    const tg_traced_tensor *x = &t->tensor[tensor];
    char shape[160];
    tg_shape_text(x->shape, shape, sizeof shape);
    if (!x->there)
        snprintf(text, n, "gone");
    else if (x->name)
        snprintf(text, n, "%.100s %s", x->name, shape);
    else if (x->node >= 0)
        snprintf(text, n, "#%" PRId64 "%s %s", t->first + x->node,
                 x->out == 1   ? ".1"
                 : x->out == 2 ? ".2"
                               : "",
                 shape);
    else
        snprintf(text, n, "%s", shape);
}

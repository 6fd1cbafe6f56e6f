/* Where the first number that is not finite came from, in values. */
#include "autograd/blame/blame.h"

#include "core/work.h"

#include <string.h>

/* The first output of the node with such an element, or -1. */
static int output_with(const tg_node *node, int kind) {
    for (int o = 0; o < node->n_out; o++)
        if (tg_kind_of_tensor(node->out[o]) & kind) return o;
    return -1;
}

/* The first node from `from` on with such a result, or -1. */
static int64_t first_with(int kind, int64_t from) {
    for (int64_t i = from < 0 ? 0 : from; i < tg_tape_nodes(); i++)
        if (output_with(tg_tape_node(i), kind) >= 0) return i;
    return -1;
}

/* Of the nodes from which elements of this kind have come to `root`, itself among them, the first; -1: none made it. The way
 * leads from a node to those of its inputs that have such elements, and through those whose elements are gone. */
static int64_t origin_of(const tg_slot *root, int kind) {
    const tg_node *last = root->node;
    if (!last) return -1;
    const int64_t low = last->first;
    size_t bytes = (size_t)(last->id - low + 1);
    bool *marked = tg_sys_alloc(bytes);
    if (!marked) return last->id;
    memset(marked, 0, bytes);
    marked[last->id - low] = true;
    int64_t first = last->id;
    for (int64_t id = last->id; id >= low; id--) {
        if (!marked[id - low]) continue;
        const tg_node *node = tg_tape_node(id);
        if (output_with(node, kind) >= 0) first = id;
        for (int k = 0; k < node->n_in; k++) {
            const tg_slot *s = node->in[k] ? tg_slot_peek(node->in[k]) : NULL;
            if (s && s->node && (!s->a.data || tg_kind_of_array(&s->a) & kind))
                marked[s->node->id - low] = true;
        }
    }
    tg_sys_free(marked, bytes);
    return first;
}

/* Where one of the infinite inputs came from that node id made a NaN of, or -1. */
static int64_t origin_of_infinity(int64_t id) {
    const tg_node *node = tg_tape_node(id);
    int64_t first = -1;
    for (int k = 0; k < node->n_in; k++) {
        const tg_array *a = tg_elements_there(node->in[k]);
        int64_t from =
            a && tg_kind_of_array(a) & TG_INFINITE ? origin_of(tg_slot_peek(node->in[k]), TG_INFINITE) : -1;
        if (from >= 0 && (first < 0 || from < first)) first = from;
    }
    return first;
}

static void write_sentence(FILE *file, int kind, int64_t id) {
    const char *what = kind == TG_NAN ? "NaN" : "infinity";
    const tg_node *node = tg_tape_node(id);
    char text[160];
    bool infinite = false;
    fprintf(file, "the first %s is made by ", what);
    tg_write_node(file, id);
    int o = output_with(node, kind);
    if (o >= 0) {
        const tg_array *out = tg_elements_there(node->out[o]);
        tg_write_values(file, &(tg_blamed){node->op, node->in, node->n_in, out, tg_first_of_kind(out, kind)});
    }
    for (int k = 0; k < node->n_in; k++) {
        int in = tg_kind_of_tensor(node->in[k]);
        if (in & kind)
            fprintf(file, "; its input %d, %s, has one already, which no recorded op made", k,
                    tg_describe(node->in[k], text, sizeof text));
        else if (in) {
            fprintf(file, "; its input %d has infinities", k);
            infinite = true;
        }
    }
    int64_t origin = infinite ? origin_of_infinity(id) : -1;
    if (origin < 0 || origin >= id) return;
    fputs(", the first of which is made by ", file);
    tg_write_node(file, origin);
}

void tg_write_origin(FILE *file, const tg_slot *root) {
    char text[160];
    const int kind = tg_kind_of_array(&root->a) & TG_NAN ? TG_NAN : TG_INFINITE;
    int64_t id = origin_of(root, kind);
    if (id >= 0)
        write_sentence(file, kind, id);
    else
        fprintf(file, "%s has %s, and no recorded op made it",
                tg_describe(tg_handle(root), text, sizeof text), kind == TG_NAN ? "a NaN" : "an infinity");
}

void tg_write_bad_loss(FILE *file, const char *before, const tg_slot *loss, const char *after) {
    if (loss->a.numel != 1 || !loss->a.data || tg_array_is_finite(&loss->a)) return;
    fprintf(file, "%sthe loss itself is %s: ", before, isnan(tg_array_get(&loss->a, 0)) ? "NaN" : "infinite");
    tg_write_origin(file, loss);
    fputs(after, file);
}

/* Whether there is something to look at and to write into; `text` is empty then. */
static bool begin(const char *who, char *text, size_t n) {
    if (tg_error_status() != TG_OK) return false;
    if (!text) return tg_fail(TG_ERR_ARGUMENT, "%s: the text is NULL", who), false;
    if (n) text[0] = '\0';
    return tg_may_do(who);
}

bool tg_find_nonfinite(int64_t node, char *text, size_t n) {
    if (!begin("tg_find_nonfinite", text, n)) return false;
    int kind = TG_NAN;
    int64_t i = first_with(kind, node);
    if (i < 0) i = first_with(kind = TG_INFINITE, node);
    if (i < 0) return false;
    tg_writing w;
    if (tg_writing_begin(&w)) write_sentence(w.file, kind, i);
    tg_writing_end(&w, text, n);
    return true;
}

bool tg_find_nonfinite_in(const tg_tensor *t, char *text, size_t n) {
    static const char who[] = "tg_find_nonfinite_in";
    if (!begin(who, text, n)) return false;
    const tg_slot *s = tg_slot_of_argument(t, who, "the tensor", -1);
    if (!s || !tg_slot_with_data(t, who) || tg_kind_of_array(&s->a) == TG_FINITE) return false;
    if (s->node && tg_tape_node(s->node->id) != s->node)
        return tg_fail(TG_ERR_TAPE, "%s: the tensor was recorded on another tape than the current one", who),
               false;
    tg_writing w;
    if (tg_writing_begin(&w)) tg_write_origin(w.file, s);
    tg_writing_end(&w, text, n);
    return true;
}

bool tg_find_nonfinite_grad(tg_tensor *loss, int64_t node, char *text, size_t n) {
    static const char who[] = "tg_find_nonfinite_grad";
    if (!begin(who, text, n)) return false;
    tg_slot *s = tg_slot_of_argument(loss, who, "the loss", -1);
    if (!s) return false;
    if (!s->node || tg_tape_node(s->node->id) != s->node)
        return tg_fail(TG_ERR_TAPE, "%s: the loss has no history on the current tape", who), false;
    if (s->node->id < node) return false;
    tg_writing w;
    tg_finder finder = tg_finder_of(tg_writing_begin(&w));
    tg_array none = {0};
    if (w.file) tg_write_bad_loss(w.file, "", s, TG_WALKING_BACK);
    tg_walk_again(&(tg_rewalk){.n = 1, .root = &s, .floor = node > 0 ? node : 0}, &finder.watcher, &none);
    tg_writing_end(&w, text, finder.found ? n : 0);
    if (finder.found) tg_error_clear();
    return finder.found;
}

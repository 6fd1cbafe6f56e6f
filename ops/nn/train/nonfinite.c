/* Where the first number that is not finite came from. */
#include "ops/nn/train/nonfinite.h"

#include "core/memory.h"
#include "core/work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the elements of an array have. */
enum { FINITE = 0, INFINITE = 1, NOT_A_NUMBER = 2 };

/* All bits of the exponent set: infinite, or NaN. Comparisons of integers run several at once. */
static bool finite_f32(const uint32_t *x, int64_t n) {
    uint32_t bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= (x[i] & 0x7f800000u) == 0x7f800000u;
    return !bad;
}

static bool finite_f64(const uint64_t *x, int64_t n) {
    const uint64_t exponent = UINT64_C(0x7ff) << 52;
    uint64_t bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= (x[i] & exponent) == exponent;
    return !bad;
}

static int kind_of(const tg_array *a) {
    int kind = FINITE;
    if (a->dtype != TG_F32 && a->dtype != TG_F64) return FINITE;
    if (tg_array_is_contiguous(a) &&
        (a->dtype == TG_F32 ? finite_f32(a->data, a->numel) : finite_f64(a->data, a->numel)))
        return FINITE;
    tg_array once = *a; /* borrows the elements: each that a stride of 0 repeats is looked at once */
    for (int k = 0; a->numel > 0 && k < a->rank; k++)
        if (a->stride[k] == 0) once.numel /= once.shape[k], once.shape[k] = 1;
    for (int64_t i = 0; i < once.numel; i++) {
        double x = tg_array_get(&once, i);
        if (!isfinite(x)) kind |= isnan(x) ? NOT_A_NUMBER : INFINITE;
    }
    return kind;
}

bool tg_is_finite(const tg_tensor *t) {
    const tg_array *a =
        tg_check_argument(t, "tg_is_finite", "the tensor") ? tg_array_within(t, "tg_array_of") : NULL;
    return a && tg_may_read(a, "tg_is_finite") && kind_of(a) == FINITE;
}

/* FINITE also where the elements are gone; whatever error that raises is forgotten. */
static int kind_of_tensor(const tg_tensor *t) {
    if (!tg_is_alive(t)) return FINITE;
    bool pending = tg_error_status() != TG_OK;
    const tg_array *a = tg_array_within(t, "tg_array_of");
    if (!a && !pending) tg_error_clear();
    return a ? kind_of(a) : FINITE;
}

/* The first node from `from` on with such a result, or -1. */
static int64_t first_with(int kind, int64_t from) {
    for (int64_t i = from < 0 ? 0 : from; i < tg_tape_nodes(); i++) {
        const tg_node *node = tg_tape_node(i);
        for (int o = 0; o < node->n_out; o++)
            if (kind_of_tensor(node->out[o]) & kind) return i;
    }
    return -1;
}

/* "#3 log(#2 [64] f32) -> [64] f32   train.c:41" */
static void print_node(FILE *file, int64_t i) {
    char *line = NULL;
    size_t size = 0;
    FILE *one = open_memstream(&line, &size);
    if (!one) return;
    tg_tape_print_node(one, i);
    fclose(one);
    if (line) fprintf(file, "%.*s", (int)strcspn(line, "\n"), line);
    free(line);
}

static void write_sentence(FILE *file, int kind, int64_t from, int64_t i) {
    const char *what = kind == NOT_A_NUMBER ? "NaN" : "infinity";
    const tg_node *node = tg_tape_node(i);
    char text[160];
    bool infinite = false;
    fprintf(file, "the first %s is made by ", what);
    print_node(file, i);
    for (int k = 0; k < node->n_in; k++) {
        int in = kind_of_tensor(node->in[k]);
        if (in & kind)
            fprintf(file, "; its input %d, %s, has one already, which no recorded op made", k,
                    tg_describe(node->in[k], text, sizeof text));
        else if (in) {
            fprintf(file, "; its input %d has infinities", k);
            infinite = true;
        }
    }
    int64_t origin = infinite ? first_with(INFINITE, from) : -1;
    if (origin < 0 || origin >= i) return;
    fputs(", the first of which is made by ", file);
    print_node(file, origin);
}

/* What a function writes on a file in memory, in `text` as far as it fits. */
typedef struct writing {
    FILE *file;
    char *whole;
    size_t size;
} writing;

static FILE *begin(writing *w) { return w->file = open_memstream(&w->whole, &w->size); }

static void end(writing *w, char *text, size_t n) {
    if (w->file) fclose(w->file);
    if (w->whole && n) snprintf(text, n, "%s", w->whole);
    free(w->whole);
}

bool tg_find_nonfinite(int64_t node, char *text, size_t n) {
    if (!text) return tg_fail(TG_ERR_ARGUMENT, "tg_find_nonfinite: the text is NULL"), false;
    if (n) text[0] = '\0';
    if (!tg_may_do("tg_find_nonfinite")) return false;
    int kind = NOT_A_NUMBER;
    int64_t i = first_with(kind, node);
    if (i < 0) i = first_with(kind = INFINITE, node);
    if (i < 0) return false;
    writing w = {NULL, NULL, 0};
    if (begin(&w)) write_sentence(w.file, kind, node, i);
    end(&w, text, n);
    return true;
}

/* ---- gradients ---- */

/* One result whose gradient is watched, and the node that made it. `first` is of all: the first that was not finite. */
typedef struct watch {
    int64_t node, *first;
} watch;

static tg_tensor *look(tg_tensor *grad, void *user) {
    const watch *w = user;
    if (*w->first < 0 && !tg_is_finite(grad)) *w->first = w->node;
    return NULL;
}

/* The last node that reads what node i made, or, for i < 0, a leaf whose gradient is not finite: walks come by it first. */
static int64_t reader_of(int64_t i, int64_t from) {
    const tg_node *made = i < 0 ? NULL : tg_tape_node(i);
    for (int64_t r = tg_tape_nodes() - 1; r >= from; r--)
        for (int k = 0; k < tg_tape_node(r)->n_in; k++) {
            const tg_tensor *in = tg_tape_node(r)->in[k];
            if (!in || !tg_is_alive(in)) continue;
            if (made ? tg_node_of(in) == made
                     : !tg_node_of(in) && tg_has_grad(in) && !tg_is_finite(tg_grad_of(in)))
                return r;
        }
    return -1;
}

static int64_t watch_walk(tg_tensor *loss, int64_t from, int64_t nodes, watch *all) {
    int64_t first = -1;
    for (int64_t i = 0; i < nodes; i++) {
        const tg_node *node = tg_tape_node(from + i);
        all[i] = (watch){from + i, &first};
        for (int o = 0; o < node->n_out; o++)
            if (tg_is_alive(node->out[o]) && tg_requires_grad(node->out[o]))
                tg_register_hook(node->out[o], look, &all[i]);
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] && tg_is_alive(node->in[k]) && !tg_node_of(node->in[k]) && tg_has_grad(node->in[k]))
                tg_zero_grad(node->in[k]);
    }
    tg_backward_with(loss, (tg_backward_opts){0});
    return first;
}

bool tg_find_nonfinite_grad(tg_tensor *loss, int64_t node, char *text, size_t n) {
    if (tg_error_status() != TG_OK) return false;
    if (!text) return tg_fail(TG_ERR_ARGUMENT, "tg_find_nonfinite_grad: the text is NULL"), false;
    if (n) text[0] = '\0';
    if (!tg_check_argument(loss, "tg_find_nonfinite_grad", "the loss") || !tg_may_do("tg_find_nonfinite_grad"))
        return false;
    const int64_t from = node < 0 ? 0 : node, nodes = tg_tape_nodes() - from;
    if (nodes < 1) return false;
    watch *all = tg_alloc((size_t)nodes * sizeof *all);
    if (!all)
        return tg_fail(TG_ERR_MEMORY, "tg_find_nonfinite_grad: there is no memory for %lld nodes",
                       (long long)nodes),
               false;
    const int64_t first = watch_walk(loss, from, nodes, all), reader = reader_of(first, from);
    tg_dealloc(all, (size_t)nodes * sizeof *all);
    if (tg_error_status() != TG_OK || (first < 0 && reader < 0)) return false;
    writing w = {NULL, NULL, 0};
    if (begin(&w) && reader >= 0) {
        fputs("the first gradient that is not finite is made by the rule of ", w.file);
        print_node(w.file, reader);
    }
    if (w.file && first >= 0) {
        fputs(reader >= 0 ? ", for " : "the first gradient that is not finite is that of ", w.file);
        print_node(w.file, first);
    }
    end(&w, text, n);
    return true;
}

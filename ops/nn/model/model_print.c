#include "ops/nn/model/model_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT = 4000 };

/* A layer's line. */
typedef struct line {
    char name[TEXT], kind[TG_LAYER_KIND], tensors[TEXT];
    int64_t numbers, bytes;
} line;

/* How wide the columns are before the last. */
typedef struct widths {
    int name, kind, numbers, bytes;
} widths;

/* The length of the layer's part of a name: what the layer said, or all before the last dot. */
static size_t layer_length(const tg_entry *e) {
    const char *dot = strrchr(e->name, '.');
    return e->own ? e->own : dot ? (size_t)(dot - e->name) : 0;
}

static bool same_layer(const tg_entry *a, const tg_entry *b) {
    const size_t n = layer_length(a);
    return n == layer_length(b) && strncmp(a->name, b->name, n) == 0;
}

/* Whether an entry of the model before number i of store k is of the same layer. */
static bool is_printed(const tg_model_object *m, int k, int i) {
    for (int s = 0; s <= k; s++)
        for (int j = 0; j < (s == k ? i : m->store[s].count); j++)
            if (same_layer(&m->store[s].at[j], &m->store[k].at[i])) return true;
    return false;
}

static void add_tensor(line *l, const tg_entry *e, tg_holding holding) {
    char shape[128];
    const size_t n = layer_length(e), used = strlen(l->tensors);
    const char *part = e->name + n + (n > 0 && e->name[n] == '.');
    if (!tg_is_alive(e->tensor)) {
        snprintf(l->tensors + used, TEXT - used, "%s%s freed", used ? ", " : "", part);
        return;
    }
    const int64_t numbers = tg_numel(e->tensor);
    snprintf(l->tensors + used, TEXT - used, "%s%s %s%s", used ? ", " : "", part,
             tg_shape_text(tg_shape_of(e->tensor), shape, sizeof shape),
             holding == TG_BUFFERS          ? " buffer"
             : !tg_requires_grad(e->tensor) ? " frozen"
                                            : "");
    l->numbers += numbers;
    l->bytes += numbers * (int64_t)tg_dtype_size(tg_dtype_of(e->tensor));
}

/* The line of the layer of entry i of store k. */
static void read_line(line *l, const tg_model_object *m, int k, int i) {
    const tg_entry *first = &m->store[k].at[i];
    *l = (line){0};
    snprintf(l->name, TEXT, "%.*s", (int)layer_length(first), first->name);
    for (int s = k; s < TG_HOLDINGS; s++)
        for (int j = s == k ? i : 0; j < m->store[s].count; j++) {
            const tg_entry *e = &m->store[s].at[j];
            if (!same_layer(first, e)) continue;
            if (*e->layer) memcpy(l->kind, e->layer, sizeof l->kind);
            add_tensor(l, e, (tg_holding)s);
        }
}

/* 1234567 as "1,234,567". */
static const char *grouped(int64_t n, char buf[32]) {
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%" PRId64, n);
    char *to = buf;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return buf;
}

static void widen(int *width, const char *text) {
    if ((int)strlen(text) > *width) *width = (int)strlen(text);
}

static void print_line(FILE *file, const widths *w, const char *name, const char *kind, const char *numbers,
                       const char *bytes, const char *tensors) {
    fprintf(file, "%-*s  %-*s  %*s  %*s  %s\n", w->name, name, w->kind, kind, w->numbers, numbers, w->bytes,
            bytes, tensors);
}

/* Each layer's line once: its widths are added to *w, or, where a file is given, it is printed. */
static void each_line(const tg_model_object *m, widths *w, FILE *file, line *l) {
    char numbers[32], bytes[32];
    for (int k = 0; k < TG_HOLDINGS; k++)
        for (int i = 0; i < m->store[k].count; i++) {
            if (is_printed(m, k, i)) continue;
            read_line(l, m, k, i);
            const char *kind = strncmp(l->kind, "nn_", 3) ? l->kind : l->kind + 3;
            grouped(l->numbers, numbers), grouped(l->bytes, bytes);
            widen(&w->name, l->name), widen(&w->kind, kind);
            if (file) print_line(file, w, l->name, kind, numbers, bytes, l->tensors);
        }
}

/* What all tensors of the model add up to, as a last line. */
static void sum_up(const tg_model_object *m, line *l) {
    int64_t of[TG_HOLDINGS] = {0}, frozen = 0;
    *l = (line){.name = "all"};
    for (int k = 0; k < TG_HOLDINGS; k++)
        for (int i = 0; i < m->store[k].count; i++) {
            const tg_tensor *t = m->store[k].at[i].tensor;
            if (!tg_is_alive(t)) continue;
            of[k] += tg_numel(t);
            if (k == TG_PARAMETERS && !tg_requires_grad(t)) frozen += tg_numel(t);
            l->bytes += tg_numel(t) * (int64_t)tg_dtype_size(tg_dtype_of(t));
        }
    l->numbers = of[TG_PARAMETERS] + of[TG_BUFFERS];
    char a[32], b[32], c[32];
    snprintf(l->tensors, TEXT, "%s in parameters, %s of them frozen; %s in buffers",
             grouped(of[TG_PARAMETERS], a), grouped(frozen, b), grouped(of[TG_BUFFERS], c));
}

void tg_model_print(FILE *file, const tg_model *model) {
    TG_NAMED("tg_model_print");
    const tg_model_object *m = tg_model_object_of(model, "tg_model_print");
    if (m && !file) tg_fail(TG_ERR_ARGUMENT, "tg_model_print: the file is NULL");
    if (!m || !file) return;
    line l;
    char numbers[32], bytes[32];
    widths w = {.name = 5, .kind = 4, .numbers = 7, .bytes = 5};
    sum_up(m, &l);
    widen(&w.numbers, grouped(l.numbers, numbers)), widen(&w.bytes, grouped(l.bytes, bytes));
    each_line(m, &w, NULL, &l);
    print_line(file, &w, "layer", "kind", "numbers", "bytes", "tensors");
    each_line(m, &w, file, &l);
    sum_up(m, &l);
    print_line(file, &w, l.name, "", numbers, bytes, l.tensors);
}

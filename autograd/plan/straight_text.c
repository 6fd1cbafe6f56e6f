/* Straight parts as C: a line a kernel, on vectors that hold whole arrays.
 *
 * A single number is in all lanes of its vector, so that it is read as one for all elements of another without being moved. A
 * value is loaded when it is first read, and stored at the end, unless nobody behind the part reads it. Where two operands
 * lie in one memory and are not the same elements, memory decides: what was written there is stored before the other is
 * read. Two memories in one place of the arena are never alive at the same time, so that it does not matter how late a value
 * that lives on is stored. */
#include "autograd/plan/emit.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 2048 /* kernels in all functions of a program, which bounds the time to compile them */

typedef struct value {
    int memory; /* -1: a number of the program's own */
    int64_t at, count;
    int size, number; /* number: of the variable v<number> */
    int64_t pointer;  /* where the pointer to it stands, behind `at` */
    bool written;
} value;

typedef struct writer {
    FILE *file;
    const tg_recording *rec;
    int64_t first, end; /* calls of the part */
    value *value;
    int values, variables;
} writer;

static int64_t count_of(const tg_plan_map *m, int k) { return m->of->stride[k] ? m->of->n : 1; }

/* Operand k of kernel `number`, in pointers from the first kernel on. */
static int64_t pointer_of(int64_t number, int k) {
    size_t bytes = (size_t)number * sizeof(tg_plan_kernel) + offsetof(tg_plan_kernel, p.each) +
                   (size_t)k * sizeof(char *);
    return (int64_t)(bytes / sizeof(char *));
}

/* ---- values ---- */

static void store(const writer *w, const value *v) {
    if (v->size == 1)
        fprintf(w->file, "    store_truth((unsigned char *)at[%" PRId64 "], 0, %" PRId64 ", v%d);\n",
                v->pointer, v->count, v->number);
    else
        fprintf(w->file, "    store_few((S *)at[%" PRId64 "], %" PRId64 ", v%d);\n", v->pointer, v->count,
                v->number);
}

/* Forgets what is known of the memory, except for what is only read and may stay so. */
static void settle(writer *w, int memory, bool for_writing) {
    bool dirty = for_writing;
    for (int i = 0; i < w->values; i++)
        dirty = dirty || (w->value[i].memory == memory && w->value[i].written);
    for (int i = 0; dirty && i < w->values;) {
        if (w->value[i].memory != memory) {
            i++;
            continue;
        }
        if (w->value[i].written) store(w, &w->value[i]);
        w->value[i] = w->value[--w->values];
    }
}

static value *find(const writer *w, const tg_plan_map *m, int k) {
    for (int i = 0; i < w->values && m->memory[k] >= 0; i++) {
        value *v = &w->value[i];
        if (v->memory == m->memory[k] && v->at == m->of->at[k] && v->size == m->of->size[k] &&
            v->count == count_of(m, k))
            return v;
    }
    return NULL;
}

/* The same, made where it is not there. */
static value *value_of(writer *w, const tg_plan_map *m, int k, int64_t number, bool written) {
    value *v = find(w, m, k);
    if (v) return v;
    if (m->memory[k] >= 0) settle(w, m->memory[k], written);
    v = &w->value[w->values++];
    *v = (value){m->memory[k],   m->of->at[k],          count_of(m, k), m->of->size[k],
                 w->variables++, pointer_of(number, k), false};
    return v;
}

static int operand(writer *w, const tg_plan_map *m, int k, int64_t number) {
    const int known = w->variables;
    const value *v = value_of(w, m, k, number, false);
    if (w->variables == known) return v->number;
    if (v->size > 1)
        fprintf(w->file, "    V v%d = load_few((const S *)at[%" PRId64 "], %" PRId64 ");\n", v->number,
                v->pointer, v->count);
    else if (v->count > 1)
        fprintf(w->file, "    M v%d = load_truth((const unsigned char *)at[%" PRId64 "], 0, %" PRId64 ");\n",
                v->number, v->pointer, v->count);
    else
        fprintf(w->file, "    M v%d = *at[%" PRId64 "] ? first(W) : first(0);\n", v->number, v->pointer);
    return v->number;
}

static bool lives_on(const writer *w, const value *v) {
    const tg_memory *m = &w->rec->memory[v->memory];
    return m->kind != TG_MEMORY_MADE || m->escapes || m->first < w->first || m->last >= w->end;
}

/* ---- kernels ---- */

static void put_number(FILE *file, double x) {
    if (isfinite(x))
        fprintf(file, "K((S)%a)", x);
    else
        fprintf(file, "K((S)%sINFINITY)", x < 0 ? "-" : "");
}

static bool put_kernel(writer *w, const tg_plan_call *c, const tg_plan_map *m, int64_t number) {
    tg_expression x;
    int v[TG_MAX_OPERANDS];
    if (!tg_expression_of(m->of->run, &x) || isnan(m->of->arg[0]) || isnan(m->of->arg[1])) return false;
    for (int k = 1; k < TG_MAX_OPERANDS; k++) /* a gradient's operands that are not there: the first for them */
        v[k - 1] = k < m->of->operands ? operand(w, m, k, number) : v[0];
    value *out = value_of(w, m, 0, number, true);
    out->number = w->variables++, out->written = true;
    fprintf(w->file, "    %s v%d = ", x.kind == TG_COMPARE ? "M" : "V", out->number);
    if (x.kind == TG_FOLD) {
        fprintf(w->file, "sum_few(v%d, %" PRId64 ")", v[0], m->of->n);
    } else if (tg_emit_expression(w->file, &x, v)) {
        fputs(", ", w->file), put_number(w->file, m->of->arg[0]);
        fputs(", ", w->file), put_number(w->file, m->of->arg[1]);
        fputs(")", w->file);
    }
    tg_emit_comment(w->file, c);
    return true;
}

/* False: it cannot be written. */
static bool put_body(writer *w) {
    int64_t number = 0;
    bool written = true;
    for (int64_t c = w->first; written && c < w->end; c++)
        for (int i = 0; written && i < w->rec->call[c].maps; i++)
            written = put_kernel(w, &w->rec->call[c], &w->rec->map[w->rec->call[c].map + i], number++);
    for (int i = 0; i < w->values; i++)
        if (w->value[i].written && lives_on(w, &w->value[i])) store(w, &w->value[i]);
    return written;
}

/* The body of a part as text, which the caller frees; NULL: there is none. */
static char *body_of(const tg_program *p, const tg_part *part) {
    const tg_recording *rec = &p->rec;
    const size_t bytes = (size_t)(part->end - part->first) * TG_MAX_OPERANDS * sizeof(value);
    char *text = NULL;
    size_t n = 0;
    writer w = {.rec = rec, .first = part->call, .end = tg_part_end_call(p, part), .value = tg_sys_alloc(bytes)};
    if (w.value && (w.file = open_memstream(&text, &n))) {
        bool written = put_body(&w);
        if (fclose(w.file) != 0 || !written) free(text), text = NULL;
    }
    tg_sys_free(w.value, bytes);
    return text;
}

/* ---- all ---- */

static const char beginning[] =
    "\nINLINE V load_few(const S *p, int64_t n) { return n == 1 ? K(*p) : load(p, 0, n); }\n"
    "INLINE void store_few(S *p, int64_t n, V v) {\n"
    "    if (n == 1)\n"
    "        *p = lane0(v);\n"
    "    else\n"
    "        store(p, 0, n, v);\n"
    "}\n"
    "INLINE V sum_few(V v, int64_t n) { return K(across(K(0) + select(first(n), v, K(0)), plus)); }\n";

typedef struct bodies {
    char **text;
    int n;
    int64_t kernels;
} bodies;

/* The number of the function with this body, which it takes over; -1: there are enough. */
static int number_of(bodies *b, FILE *file, char *text, int64_t kernels) {
    int found = 0;
    while (found < b->n && strcmp(b->text[found], text) != 0) found++;
    if (found < b->n || b->kernels + kernels > MOST) return free(text), found < b->n ? found : -1;
    b->text[b->n++] = text, b->kernels += kernels;
    fprintf(file,
            "\n/* %" PRId64
            " kernels. */\n__attribute__((visibility(\"default\"))) void straight_%d(char *const *at) {\n%s}\n",
            kernels, found, text);
    return found;
}

int64_t tg_emit_straight(FILE *file, tg_program *p, int dtype) {
    const size_t bytes = MOST * sizeof(char *);
    bodies b = {.text = tg_sys_alloc(bytes)};
    if (!b.text) return -1;
    fputs(beginning, file);
    for (tg_part *part = p->part, *last = part + p->n_parts; part < last; part++) {
        if (part->kind != TG_PART_STRAIGHT || part->group.dtype != dtype) continue;
        char *text = body_of(p, part);
        part->body = text ? number_of(&b, file, text, part->end - part->first) : -1;
    }
    for (int i = 0; i < b.n; i++) free(b.text[i]);
    tg_sys_free(b.text, bytes);
    return b.n;
}

/* What the pieces of a program cost, and how long they take. */
#include "autograd/plan/program.h"
#include "autograd/profile/cost.h"

#include <stdio.h>
#include <string.h>

#define NAMES 160 /* characters of the name of calls that are run together */

int64_t tg_part_end_call(const tg_program *p, const tg_part *part) {
    return part + 1 < p->part + p->n_parts ? part[1].call : p->rec.n_calls;
}

/* ---- a call, by the layouts of its operands ---- */

static bool is_needed(const void *of, int i) { return ((const tg_operand *)of)[i].needed; }

/* One that has more inputs than `array` has room for is not asked what it costs. */
static tg_cost cost_of(const tg_recording *rec, const tg_plan_call *c) {
    enum { MOST = 16 + 3 * TG_MAX_OUT };
    const tg_operand *o = &rec->operand[c->operand];
    const tg_array *array[MOST];
    tg_cost cost = {0};
    for (int k = 0; k < c->of->n; k++) {
        const tg_array *a = o[k].a;
        if (k < MOST) array[k] = a;
        if (a && o[k].memory >= 0 && (c->kind == TG_CALL_WORK || c->of->n > MOST))
            cost.bytes += tg_span_bytes(a) * (c->of->changes >> k & 1 && k < 32 ? 2 : 1);
    }
    if (c->summed) cost.bytes = tg_span_bytes(array[1]), cost.flops = (double)array[0]->numel;
    if (c->summed) return cost; /* its elements were read on the way */
    if (c->kind == TG_CALL_STORE) cost.bytes = c->of->grad ? 3 * tg_span_bytes(array[0]) : 0;
    if (c->of->n > MOST || !c->of->op) return cost;
    tg_call call = {
        c->of->op, c->of->n_in, c->of->n_out, array, (tg_array *const *)(const void *)(array + c->of->n_in),
        c->data,   NULL};
    for (int i = 0; i < c->of->n_in && c->kind == TG_CALL_FORWARD; i++)
        if (o[i].memory >= 0 && o[i].memory == o[c->of->n_in].memory) return cost; /* a view */
    if (c->kind == TG_CALL_FORWARD) return tg_cost_of_forward(&call);
    const tg_gradient_call g = {.call = call,
                                .saved = c->of->saved,
                                .dout = array + c->of->n_in + c->of->n_out,
                                .needed = is_needed,
                                .of = o + c->of->n_in + 2 * c->of->n_out};
    return tg_cost_of_gradient(&g);
}

/* ---- a group: what its kernels leave in memory ---- */

typedef struct at { /* kernel i of call c */
    int64_t c;
    int i;
} at;

static const tg_plan_map *map_of(const tg_recording *rec, at a) {
    return &rec->map[rec->call[a.c].map + a.i];
}

/* The next kernel of the calls up to `end`; false where there is none. */
static bool next(const tg_recording *rec, int64_t end, at *a) {
    for (a->i++; a->c < end && a->i >= rec->call[a->c].maps; a->c++) a->i = 0;
    while (a->c < end && rec->call[a->c].maps == 0) a->c++;
    return a->c < end;
}

/* Whether the elements of operand k were read by the group before, from call `first` on, or written, or, where k is what the kernel
 * writes, written. */
static bool is_again(const tg_recording *rec, int64_t first, at here, int k) {
    const tg_plan_map *m = map_of(rec, here);
    for (at a = {first, -1}; next(rec, here.c + 1, &a);) {
        const tg_plan_map *before = map_of(rec, a);
        bool same = before == m;
        for (int o = same; o < (same ? k : before->of->operands); o++)
            if (before->memory[o] == m->memory[k] && before->of->at[o] == m->of->at[k] && (o == 0 || k > 0))
                return true;
        if (same) break;
    }
    return false;
}

/* Each piece of memory outside of the scratch once for reading, unless the group has written it before, and once for writing. */
static double bytes_of_group(const tg_recording *rec, int64_t first, int64_t end) {
    double bytes = 0;
    for (at a = {first, -1}; next(rec, end, &a);) {
        const tg_plan_map *m = map_of(rec, a);
        for (int k = 0; k < m->of->operands; k++)
            if (m->memory[k] >= 0 && !rec->memory[m->memory[k]].local && !is_again(rec, first, a, k))
                bytes += (double)(m->of->stride[k] ? m->of->n : 1) * m->of->size[k];
    }
    return bytes;
}

/* ---- pieces ---- */

static const char *name_of(const tg_plan_call *c, char text[96]) {
    snprintf(text, 96, "%.80s%s", c->of->name, c->kind == TG_CALL_GRADIENT ? " backward" : "");
    return text;
}

/* "fused 5: mul, tanh, mul backward": each name where it is met first. */
static void add_name(const tg_recording *rec, int64_t first, int64_t i, char text[NAMES]) {
    char name[96], other[96];
    name_of(&rec->call[i], name);
    for (int64_t k = first; k < i; k++)
        if (strcmp(name_of(&rec->call[k], other), name) == 0) return;
    size_t n = strlen(text);
    if (n + strlen(name) + 6 > NAMES) {
        if (strcmp(text + n - 2, "..") != 0) snprintf(text + n, NAMES - n, ", ..");
        return;
    }
    snprintf(text + n, NAMES - n, "%s%s", i > first ? ", " : "", name);
}

static void add_place(tg_piece *piece, const tg_plan_call *c) {
    if (!c->file) return;
    if (!piece->file) piece->file = c->file, piece->line = piece->last = c->line;
    if (strcmp(piece->file, c->file) != 0) return;
    if (c->line < piece->line) piece->line = c->line;
    if (c->line > piece->last) piece->last = c->line;
}

static void set_call(tg_piece *piece, const tg_recording *rec, const tg_plan_call *c) {
    tg_cost cost = cost_of(rec, c);
    *piece = (tg_piece){.name = c->kind == TG_CALL_STORE              ? "store gradient"
                                : strncmp(c->of->name, "tg_", 3) == 0 ? c->of->name + 3
                                                                      : c->of->name,
                        .file = c->file,
                        .line = c->line,
                        .last = c->line,
                        .calls = 1,
                        .rule = c->kind == TG_CALL_GRADIENT,
                        .bytes = cost.bytes,
                        .flops = cost.flops};
    piece->kind = c->backward || c->kind == TG_CALL_STORE ? TG_SPAN_BACKWARD
                  : c->of->outside                        ? TG_SPAN_UPDATE
                                                          : TG_SPAN_FORWARD;
}

static bool set_calls(tg_program *p, tg_piece *piece, const tg_part *part) {
    const tg_recording *rec = &p->rec;
    int64_t end = tg_part_end_call(p, part);
    char text[NAMES];
    bool backward = true, fused = part->kind == TG_PART_BLOCKS;
    *piece = (tg_piece){.calls = (int)(end - part->call)};
    snprintf(text, NAMES, fused ? "fused %d: " : "%d calls: ", piece->calls);
    for (int64_t i = part->call; i < end; i++) {
        const tg_plan_call *c = &rec->call[i];
        tg_cost cost = cost_of(rec, c);
        piece->bytes += cost.bytes, piece->flops += cost.flops;
        backward = backward && (c->backward || c->kind == TG_CALL_STORE);
        add_name(rec, part->call, i, text);
        add_place(piece, c);
    }
    if (fused) piece->bytes = bytes_of_group(rec, part->call, end);
    piece->kind = backward ? TG_SPAN_BACKWARD : TG_SPAN_FORWARD;
    char *name = tg_program_take(p, NAMES, 1);
    piece->name = name ? strcpy(name, text) : NULL;
    return name;
}

static tg_piece *make_pieces(tg_program *p) {
    tg_piece *piece = tg_program_take(p, p->rec.n_calls, sizeof *piece);
    for (const tg_part *part = p->part, *last = part + p->n_parts; piece && part < last; part++) {
        if (part->kind == TG_PART_CALLS || tg_part_end_call(p, part) == part->call + 1)
            for (int64_t i = part->call; i < tg_part_end_call(p, part); i++)
                set_call(&piece[i], &p->rec, &p->rec.call[i]);
        else if (!set_calls(p, &piece[part->call], part))
            return NULL;
    }
    return piece;
}

tg_piece *tg_program_pieces(tg_program *p) {
    int none = 0;
    p = p->first;
    if (atomic_load(&p->pieces) == 2) return p->piece;
    if (!atomic_compare_exchange_strong(&p->pieces, &none, 1)) return NULL;
    p->piece = make_pieces(p);
    atomic_store(&p->pieces, p->piece ? 2 : 0);
    return p->piece;
}

/* ---- time ---- */

void tg_piece_begin(tg_span *s, const tg_piece *piece) {
    tg_span_begin(s, piece ? piece->name : "calls");
    s->replayed = s->whole = true;
    if (!piece) return;
    s->kind = piece->kind, s->rule = piece->rule, s->bytes = piece->bytes, s->flops = piece->flops;
    s->file = piece->file, s->line = piece->line;
    if (piece->calls > 1) s->calls = piece->calls, s->last = piece->last;
}

void tg_piece_end(tg_span *s, tg_piece *piece, bool done) {
    tg_span_stop(s);
    if (piece && done && s->watch) {
        atomic_fetch_add_explicit(&piece->took, s->took, memory_order_relaxed);
        atomic_fetch_add_explicit(&piece->runs, 1, memory_order_relaxed);
    }
    tg_span_end(s, done);
}

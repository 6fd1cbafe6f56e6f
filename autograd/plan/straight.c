/* Which kernels become straight-line code: those on so few elements that each array is one vector.
 *
 * What such programs are made of is small (a step of a solver, an update of a recurrence) and repeated. A period is looked for
 * in the list of kernels, and the list is cut into pieces of whole periods, so that most pieces have the same text
 * (straight_text.c) and are one function. */
#include "autograd/plan/program.h"
#include "core/kernels/simd/text.h"

#include <string.h>

enum {
    LEAST = 4,      /* kernels that are worth a call, */
    LENGTH = 64,    /* and in one piece, where the period is not longer */
    PERIODS = 1024, /* calls of the longest period */
    REPEATED = 64   /* calls that repeat what stands a period before, so that it is one */
};

/* The type of a call whose arrays are vectors; -1: it is none. */
static int dtype_of(const tg_recording *rec, const tg_plan_call *c) {
    int dtype = -1;
    for (int i = 0; i < c->maps; i++) {
        const tg_plan_map *m = &rec->map[c->map + i];
        tg_expression x;
        if (!tg_expression_of(m->of->run, &x) || (dtype >= 0 && x.dtype != dtype)) return -1;
        if (m->of->n > tg_kernels_for(x.dtype)->lanes) return -1;
        dtype = x.dtype;
    }
    return dtype;
}

/* The same for calls that do the same to other operands. */
static uint64_t signature(const tg_recording *rec, const tg_plan_call *c) {
    uint64_t h = 14695981039346656037u;
    for (int i = 0; i < c->maps; i++) {
        const tg_plan_map *m = &rec->map[c->map + i];
        uint64_t words[TG_MAX_OPERANDS + 5] = {(uint64_t)(uintptr_t)m->of->run, (uint64_t)m->of->n,
                                               (uint64_t)m->of->operands};
        memcpy(&words[3], m->of->arg, sizeof m->of->arg);
        for (int k = 0; k < m->of->operands; k++)
            words[5 + k] = (uint64_t)m->of->stride[k] | (uint64_t)m->of->size[k] << 8 |
                           (uint64_t)(m->memory[k] >= 0) << 16;
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            h = (h ^ words[w]) * 1099511628211u, h ^= h >> 29;
    }
    return h;
}

/* ---- the new list of parts ---- */

typedef struct cutter {
    tg_program *p;
    tg_part *part; /* the new list */
    int64_t n;
    uint64_t *sign; /* of the calls from `first` on */
    int64_t first;
} cutter;

static int64_t kernels_in(const tg_recording *rec, int64_t begin, int64_t end) {
    int64_t n = 0;
    for (int64_t c = begin; c < end; c++) n += rec->call[c].maps;
    return n;
}

/* Calls [begin, end), whose kernels begin at number `at`; returns the number behind them. */
static int64_t append(cutter *u, int64_t begin, int64_t end, int64_t at, int dtype) {
    const tg_recording *rec = &u->p->rec;
    int64_t kernels = kernels_in(rec, begin, end);
    tg_part *last = &u->part[u->n - 1];
    if (dtype < 0 && u->n && last->kind == TG_PART_KERNELS && last->end == at) return last->end += kernels;
    u->part[u->n++] = (tg_part){.kind = dtype < 0 ? TG_PART_KERNELS : TG_PART_STRAIGHT,
                                .first = at,
                                .end = at + kernels,
                                .call = begin,
                                .group.dtype = dtype,
                                .body = -1};
    return at + kernels;
}

/* How many calls from `at` on are those `period` calls before their place in the list. */
static int64_t repeated(const cutter *u, int64_t at, int64_t end, int64_t period) {
    const uint64_t *s = u->sign - u->first;
    int64_t n = 0;
    while (at + period + n < end && s[at + n] == s[at + period + n]) n++;
    return n;
}

/* The shortest period of what begins at a call, and how many calls it holds for; 0: none. */
static int64_t period_of(const cutter *u, int64_t at, int64_t end, int64_t *calls) {
    for (int64_t period = 1; period <= PERIODS && at + period + REPEATED <= end; period++) {
        int64_t n = repeated(u, at, end, period);
        *calls = n + period;
        if (n >= 2 * period && n >= REPEATED) return period;
    }
    return 0;
}

/* Straight parts of one type, calls [begin, end). */
static int64_t cut(cutter *u, int64_t begin, int64_t end, int64_t at, int dtype) {
    int64_t from = begin; /* of calls that are in no period */
    for (int64_t c = begin; c < end;) {
        int64_t calls, period = period_of(u, c, end, &calls);
        if (!period) {
            if (++c - from == LENGTH) at = append(u, from, c, at, dtype), from = c;
            continue;
        }
        if (from < c) at = append(u, from, c, at, dtype);
        int64_t length = period < LENGTH ? LENGTH / period * period : period;
        for (int64_t n = calls / length; n > 0; n--, c += length) at = append(u, c, c + length, at, dtype);
        from = c;
    }
    return from < end ? append(u, from, end, at, dtype) : at;
}

/* Calls [begin, end), all of them kernels outside of groups. */
static void cut_kernels(cutter *u, int64_t begin, int64_t end, int64_t at) {
    const tg_recording *rec = &u->p->rec;
    u->first = begin;
    for (int64_t c = begin; c < end; c++) u->sign[c - begin] = signature(rec, &rec->call[c]);
    int dtype = dtype_of(rec, &rec->call[begin]), after = dtype;
    for (int64_t c = begin, next; c < end; c = next, dtype = after) {
        next = c + 1;
        while (next < end && (after = dtype_of(rec, &rec->call[next])) == dtype) next++;
        if (dtype >= 0 && kernels_in(rec, c, next) >= LEAST)
            at = cut(u, c, next, at, dtype);
        else
            at = append(u, c, next, at, -1);
    }
}

static bool is_open(const tg_part *part) {
    return part->kind == TG_PART_NUMBERS || part->kind == TG_PART_KERNELS;
}

bool tg_program_straighten(tg_program *p) {
    cutter u = {.p = p, .part = tg_program_room(p, p->rec.n_calls + 1, sizeof *u.part)};
    const size_t bytes = (size_t)p->rec.n_calls * sizeof *u.sign;
    if (!u.part || !(u.sign = tg_sys_alloc(bytes + 1))) return false;
    for (int64_t i = 0, next; i < p->n_parts; i = next) {
        next = i + 1;
        if (!is_open(&p->part[i])) {
            u.part[u.n++] = p->part[i];
            continue;
        }
        while (next < p->n_parts && is_open(&p->part[next])) next++;
        int64_t end = next < p->n_parts ? p->part[next].call : p->rec.n_calls;
        cut_kernels(&u, p->part[i].call, end, p->part[i].first);
    }
    tg_sys_free(u.sign, bytes + 1);
    p->part = u.part, p->n_parts = u.n;
    return true;
}
